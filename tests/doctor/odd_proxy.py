"""A proxy with one fault, for those that nginx would not be talked into."""

from __future__ import annotations

import contextlib
import http.client
import threading
import time
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

# Seconds after which the fault `age` ends a response, with the next bytes.
AGE = 2.4
# Of these, br comes at the end of the stream and zstd as it was sent.
CODINGS = ("gzip", "br", "zstd")
KEPT = ("Content-Type", "Cache-Control", "SSE-Heartbeat", "SSE-Refused")


class Handler(BaseHTTPRequestHandler):
    """Forwards one GET and closes the connection."""

    protocol_version = "HTTP/1.0"
    backend: ClassVar[int]
    fault: ClassVar[str]
    # The first stream that came by, for the fault `cache`.
    kept: ClassVar[list[bytes]]

    def do_GET(self) -> None:
        upstream = http.client.HTTPConnection("127.0.0.1", self.backend, timeout=20)
        headers = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "connection")}
        if self.fault == "id":
            headers.pop("Last-Event-ID", None)
        with contextlib.closing(upstream), contextlib.suppress(OSError):
            upstream.request("GET", self.path, headers=headers)
            self._answer(upstream.getresponse())

    def _answer(self, response: http.client.HTTPResponse) -> None:
        is_stream = response.headers.get_content_type() == "text/event-stream"
        self.send_response(response.status)
        for name in KEPT:
            if name in response.headers:
                self.send_header(name, self._value(name, response.headers[name]))
        fault = self.fault if is_stream else ""
        if fault in CODINGS and fault not in self.headers.get("Accept-Encoding", ""):
            fault = ""
        if fault in CODINGS:
            self.send_header("Content-Encoding", fault)
        self.end_headers()
        self._body(response, fault)

    def _value(self, name: str, value: str) -> str:
        is_type = self.fault == "type" and name == "Content-Type" and "stream" in value
        return "text/plain" if is_type else value

    def _body(self, response: http.client.HTTPResponse, fault: str) -> None:
        if fault == "cache" and self.kept:
            self.wfile.write(self.kept[0])
            return
        if fault == "restart":
            self.wfile.write(b"retry: 1000\nretry: 2000\n")
            return
        pack = zlib.compressobj(wbits=31)
        began, body = time.monotonic(), b""
        while data := response.read1(65536):
            body += data
            if fault != "br":
                self.wfile.write(pack.compress(data) if fault == "gzip" else data)
            if fault == "age" and time.monotonic() - began > AGE:
                return
        if fault == "gzip":
            self.wfile.write(pack.flush())
        if fault == "br":
            self.wfile.write(body)
        if fault == "cache":
            self.kept.append(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class OddProxy:
    """The running proxy."""

    def __init__(self, backend: int, fault: str) -> None:
        more = {"backend": backend, "fault": fault, "kept": []}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Odd", (Handler,), more))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
