"""A look from outside: which streams are opened, and how long they are watched.

Floor 3. A short stream shows whether events come one by one, a silent one whether it outlives its
heartbeats. Where the app does not know the doctor, one of its own streams has to do.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import NamedTuple

from flask import Flask

from ..diagnosis import EVENTS, EVERY, HEADER, LONGEST, Order, sign
from .asking import Probe
from .exchange import FAILURES, Exchange
from .finding import Finding, found
from .judging import (
    SLACK,
    held_back,
    is_overdue,
    judge_coding,
    judge_head,
    judge_origin,
    judge_position,
    judge_silence,
    late_finding,
    silent_finding,
)
from .servers import http2_at_gunicorn
from .target import Target
from .watch import Watch

# Heartbeats that a silent stream lasts by default.
BEATS = 2.2

Say = Callable[[str, float], None]


class Restarted(Exception):
    """The server has sent its clients away in the middle of a look."""


class Outside(NamedTuple):
    """A target, and how to look at it; `seconds` is how long the silent stream is watched."""

    target: Target
    heartbeat: float
    seconds: float | None
    say: Say

    def connections(self, probe: Probe | None) -> Iterator[Finding]:
        """Look at what browsers would speak."""
        try:
            http2 = self.target.offers_http2()
        except FAILURES:  # said already
            return
        if http2 and probe is not None and probe.facts.tls:
            yield http2_at_gunicorn()
        if not http2:
            yield found(
                "six-connections",
                f"{self.target.shown} offers browsers no HTTP/2.",
                "HTTP/2 at the proxy, which takes TLS: in nginx listen 443 ssl http2; or shared: "
                "true in $sse, one stream for all tabs.",
            )

    def probe(self, app: Flask, probe: Probe) -> Iterator[Finding]:
        """Ask the app's probe for streams, and look at how they arrive."""
        yield from judge_position(probe)
        if probe.facts.worker == "sync":
            return
        burst = self._burst(app, probe.path)
        findings = list(self._judge_burst(app, probe.path, burst))
        yield from findings
        if burst.finished:
            seconds = self._seconds(self.heartbeat)
            text = (
                f"a silent stream, for {seconds:g} s (heartbeats come every {self.heartbeat:g} s)"
            )
            watch = self._open(app, probe.path, seconds, {}, seconds + SLACK, text)
            yield from judge_origin(watch)
            yield from judge_silence(watch, self.heartbeat, bool(findings))

    def stream(self, url: str) -> Iterator[Finding]:
        """Look at how one of the app's own streams arrives, by its path and query."""
        path = url.partition("?")[0]  # all of it that is shown
        watch = Watch(Exchange(self.target, url, {"Accept": "text/event-stream"}))
        try:
            watch.until(
                lambda: watch.head_at is not None, 2 * SLACK, self._tick(f"the head of {path}")
            )
            if watch.head_at is None and watch.end is None:
                yield silent_finding(path)
                return
            if not watch.is_stream:
                watch.until(lambda: False, SLACK, self._tick(f"the rest of {path}"))
            refusals = list(judge_head(watch, path))
            yield from refusals
            if refusals:
                return
            heartbeat = watch.heartbeat or self.heartbeat
            seconds = self._seconds(heartbeat)
            text = f"{path}, for {seconds:g} s (heartbeats come every {heartbeat:g} s)"
            watch.until(lambda: watch.finished, seconds, self._tick(text))
            packed = watch.encoding is not None
            yield from judge_coding(watch, late=packed and is_overdue(watch, heartbeat))
            yield from judge_silence(watch, heartbeat, known=packed)
        finally:
            watch.close()

    def _seconds(self, heartbeat: float) -> float:
        return self.seconds if self.seconds is not None else min(heartbeat * BEATS, LONGEST)

    def _tick(self, text: str) -> Callable[[float], None]:
        return lambda left: self.say(text, left)

    def _burst(self, app: Flask, path: str, **headers: str) -> Watch:
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        limit = EVENTS * EVERY + 2 * SLACK
        return self._open(app, path, 0.0, more, limit, "a short stream")

    def _open(
        self, app: Flask, path: str, silent: float, more: dict[str, str], limit: float, text: str
    ) -> Watch:
        nonce = secrets.token_hex(8)
        headers = {HEADER: sign(app, Order("stream", nonce, silent)) or "", **more}
        exchange = Exchange(self.target, path, {"Accept": "text/event-stream", **headers})
        watch = Watch(exchange, nonce)
        try:
            watch.until(lambda: watch.finished, limit + EVENTS * EVERY, self._tick(text))
        finally:
            watch.close()
        if watch.drained and not watch.finished:
            raise Restarted
        return watch

    def _judge_burst(self, app: Flask, path: str, burst: Watch) -> Iterator[Finding]:
        refusals = list(judge_head(burst, path))
        if refusals:
            yield from refusals
            return
        yield from judge_origin(burst)
        if burst.end is not None and not burst.finished:
            yield from judge_coding(burst, late=True)
            if burst.encoding is None:
                yield from judge_silence(burst, self.heartbeat, known=True)
            return
        late = held_back(burst) and held_back(self._burst(app, path))  # a network may stumble once
        if burst.encoding is None:
            if late:
                yield late_finding(burst)
            return
        plain = self._burst(app, path, Accept_Encoding="identity") if late else None
        if plain is not None and plain.encoding is None and held_back(plain):
            yield late_finding(plain)
        yield from judge_coding(burst, late=late)
