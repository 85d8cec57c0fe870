"""`SSEWorker`: gunicorn's gevent worker, whose streams cost neither a greenlet nor a context.

Floor 3. `Application` stands between gunicorn and the app: where what the app returned is a
stream's own body, it sends the head, takes the connection over and ends the request.
"""

from __future__ import annotations

import _socket
import contextlib
import logging
import os
import sys
import time
from typing import Any

from gevent.event import Event
from gunicorn.http.wsgi import Response
from gunicorn.workers.ggevent import GeventWorker

from ..offload import get_offload
from ..streams import PROCESS, access_log, drain_all, wait_for_all
from ..transport import StreamBody, is_stream

# Seconds between looks at the last streams of a worker that stops, and how long before its end
# those that may run on are ended, too: time for their last words and for what cleans up.
LOOK = 0.05
LAST_STEPS = 2.0
# Seconds between two signs of life to the arbiter, as in gunicorn's own worker.
BEAT = 1.0


class Application:
    """The WSGI app as gunicorn calls it."""

    def __init__(self, app: Any, worker: SSEWorker) -> None:
        self._app = app
        self._worker = worker

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        result = self._app(environ, start_response)
        if type(result) is not StreamBody:
            if not is_stream(environ):
                self._worker.count_request()
            return result
        response = getattr(start_response, "__self__", None)
        raw = _take_socket(environ, response)
        if raw is not None:
            _offload(result, response, raw)
            # gunicorn ends the request by it, and closes its own descriptor.
            raise StopIteration
        return result


def _take_socket(environ: dict[str, Any], response: Any) -> Any:
    """Return a descriptor of our own for the connection, unless it is one to leave alone.

    That is TLS, HTTP/2, the uwsgi protocol, and whatever is not a plain answer to be streamed.
    """
    if type(response) is not Response or response.headers_sent or response.cfg.is_ssl:
        return None
    if getattr(response.cfg, "protocol", "http") != "http" or response.response_length is not None:
        return None
    if environ["REQUEST_METHOD"] == "HEAD" or response.status_code != 200 or response.upgrade:
        return None
    try:
        return _socket.socket(fileno=os.dup(response.sock.fileno()))
    except OSError:  # no descriptor left
        return None


def _offload(body: StreamBody, response: Any, raw: Any) -> None:
    """Send the head as gunicorn would, and go on without it."""
    response.force_close()
    response.chunked = False
    try:
        response.send_headers()
        raw.settimeout(0)
    except BaseException:
        raw.close()
        body.close()
        raise
    stream, on_close = body.hand_over()
    assert stream is not None
    try:
        get_offload().take_over(stream, raw, on_close)
    except BaseException:
        raw.close()
        stream.transport_over(delivered=False)
        raise


class SSEWorker(GeventWorker):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's gevent worker with streams taken off its hands.

    Requests that became streams do not count towards `max_requests`. When it is to stop, the
    streams end so that their clients go elsewhere, and it waits for what cleans up.
    """

    # Says to `post_worker_init`, which a configuration may have as well, that this sees to it.
    drains_streams = True
    alive: bool
    max_requests: int
    wsgi: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Counted here, because gunicorn counts a request before anybody knows what it becomes.
        self._requests_left, self.max_requests = self.max_requests, sys.maxsize
        self._stops_at: float | None = None
        self._told: Any = None

    def load_wsgi(self) -> None:
        super().load_wsgi()
        self.wsgi = Application(self.wsgi, self)
        self._log_streams()
        PROCESS.multiprocess |= self.cfg.workers > 1

    def _log_streams(self) -> None:
        """Note the ends of streams where gunicorn notes requests."""
        if self.cfg.accesslog:
            access_log.handlers = self.log.access_log.handlers
            access_log.setLevel(logging.INFO)
            access_log.propagate = False

    def count_request(self) -> None:
        """Count a request that has been answered; stop after the last one."""
        self._requests_left -= 1
        if self._requests_left <= 0 and self.alive:
            self.log.info("Autorestarting worker after current request.")
            self._note_stop()
            self.alive = False

    def notify(self) -> None:
        """Say that the worker lives, until it is told to stop; after that end its streams.

        gunicorn's own loop looks once a second, each worker at a moment of its own: the clients
        that one has sent away would be taken by another that is to stop as well. Here all that
        are told together close their listeners together.
        """
        super().notify()
        if not self.alive:
            # gunicorn has closed the listeners by now: who is sent away goes to another worker.
            self._drain()
            return
        while self._told is not None and not self._told.wait(BEAT) and self.alive:
            super().notify()

    def handle_exit(self, sig: int, frame: Any) -> None:
        self._note_stop()
        super().handle_exit(sig, frame)

    def run(self) -> None:
        in_time = False  # where gunicorn exits at once
        self._told = Event()
        try:
            super().run()
            in_time = True
        finally:
            self._end_streams(in_time=in_time)

    def _note_stop(self) -> None:
        if self._stops_at is None:
            # The arbiter kills what is there a `graceful_timeout` after its signal.
            self._stops_at = time.monotonic() + self.cfg.graceful_timeout
            if self._told is not None:
                self._told.set()

    @property
    def _time_left(self) -> float:
        self._note_stop()
        assert self._stops_at is not None
        return self._stops_at - time.monotonic()

    def _drain(self) -> None:
        """End the streams; those that may run to their end, once the time for that is over."""
        drain_all(everything=self._time_left <= LAST_STEPS)

    def _end_streams(self, *, in_time: bool) -> None:
        """Wait until all streams have ended and been cleaned up."""
        self._drain()
        while in_time and self._time_left > LAST_STEPS and not wait_for_all(LOOK):
            with contextlib.suppress(SystemExit, OSError):  # the arbiter may be gone itself
                self.notify()
        drain_all(everything=True)
        if not wait_for_all(LAST_STEPS / 2):
            get_offload().abandon()
            wait_for_all(LAST_STEPS / 4)
