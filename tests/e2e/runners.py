"""Servers that are started from Python: `python -m e2e.runners pywsgi | unpatched | waitress`."""

import sys


def announce(port: int) -> None:
    sys.stderr.write(f"Listening at http://127.0.0.1:{port}\n")


def unpatched() -> None:
    from gevent.pywsgi import WSGIServer

    from .apps import app

    server = WSGIServer(("127.0.0.1", 0), app)
    server.start()
    announce(server.server_port)
    server.serve_forever()


def pywsgi() -> None:
    from gevent import monkey

    monkey.patch_all()
    unpatched()


def waitress() -> None:
    from waitress import create_server

    from .apps import app

    # Waitress looks at a busy connection, and so sees its end, only if it may look ahead.
    server = create_server(app, host="127.0.0.1", port=0, threads=4, channel_request_lookahead=1)
    announce(server.effective_port)
    server.run()


if __name__ == "__main__":
    {"pywsgi": pywsgi, "unpatched": unpatched, "waitress": waitress}[sys.argv[1]]()
