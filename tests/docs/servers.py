"""Commands of a page that serve: how they are told from others, and when they are ready."""

from __future__ import annotations

import contextlib
import http.client
import re
import socket

from .commands import LIMIT, Command
from .ports import Ports

SERVES = re.compile(
    r"^(?:\w+=\S+ )*(?:python3? -m )?"
    r"(?:(?P<flask>flask)\b.*\brun\b|(?P<gunicorn>gunicorn)\b|waitress-serve\b"
    r"|celery\b.*\bworker\b|(?P<redis>redis-server)\b|http\.server\b)"
)
STARTED = re.compile(r"(?:Listening at|Running on|Serving on):? https?://\S+?:(\d+)")
DEFAULTS = {"flask": "5000", "gunicorn": "8000", "redis": "6379"}


def serves(command: str) -> bool:
    return SERVES.match(command) is not None


def port_of(command: str, ports: Ports) -> str:
    """The port that a command serves, as written; that of its program where it names none."""
    written = ports.written_in(command)
    if written:
        return written[-1]
    found = SERVES.match(command)
    programs = found.groupdict() if found else {}
    return next((DEFAULTS[name] for name, word in programs.items() if word), command)


def settings(ports: Ports) -> dict[str, str]:
    """Variables that put servers on the free ports which stand for their own."""
    return {
        "FLASK_RUN_PORT": ports.used("5000"),
        # A file that changed is seen by the page's run itself, at once.
        "FLASK_RUN_RELOAD": "0",
        "GUNICORN_CMD_ARGS": f"--bind=127.0.0.1:{ports.used('8000')} --no-control-socket",
    }


def announces(command: str) -> bool:
    """Whether it says itself where it listens, once it does."""
    return re.search(r"\b(flask|gunicorn|waitress-serve)\b", command) is not None


def answers(server: Command) -> bool:
    """Whether it answers requests where it said; gunicorn listens before a worker is there."""
    found = STARTED.search(server.printed)
    if found is None or not connects(found[1]):
        return False
    connection = http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=LIMIT)
    with contextlib.closing(connection):
        try:
            connection.request("HEAD", "/")
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            return False
    return True


def connects(port: str) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", int(port)), timeout=1):
            return True
    except OSError:
        return False
