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
from .exchange import ALL_ENCODINGS, FAILURES, Exchange
from .finding import FAULT, Finding, found
from .judging import (
    SILENCE,
    SLACK,
    gathered,
    heard,
    held_back,
    is_overdue,
    judge_coding,
    judge_head,
    judge_origin,
    judge_position,
    judge_silence,
    late_finding,
    silent_finding,
    untold,
)
from .servers import http2_at_gunicorn
from .target import Target
from .watch import Watch

# Heartbeats that a silent stream lasts by default.
BEATS = 2.2

Say = Callable[[str, float], None]


class Restarted(Exception):
    """The server has sent its clients away in the middle of a look."""


class Look(NamedTuple):
    """What the streams at a path showed, and what they could not show."""

    findings: list[Finding]
    unseen: list[str]


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
                "HTTP/2 at the proxy, which takes TLS: in nginx listen 443 ssl http2; or, since "
                "1.25.1, http2 on; or shared: true in $sse, one stream for all tabs.",
            )

    def probe(self, app: Flask, probe: Probe) -> Look:
        """Ask the app's probe for streams, and look at how they arrive."""
        position = list(judge_position(probe))
        if probe.facts.worker == "sync":
            return Look(position, [])
        burst = self._burst(app, probe.path)
        findings = list(self._judge_burst(app, probe.path, burst))
        if not burst.finished:
            return Look([*position, *findings], [])
        silent = self._silence(app, probe.path, burst.heartbeat or self.heartbeat, findings)
        return Look([*position, *findings, *silent.findings], silent.unseen)

    def stream(self, url: str) -> Look:
        """Look at how one of the app's own streams arrives, by its path and query."""
        watch = Watch(Exchange(self.target, url, {"Accept": "text/event-stream"}))
        try:
            look = self._own(url.partition("?")[0], watch)  # the query is not shown
        finally:
            watch.close()
        if not watch.is_stream or watch.encoding is not None:
            return look
        return look._replace(findings=[*look.findings, *self._other_codings_of(url)])

    def _own(self, path: str, watch: Watch) -> Look:
        watch.until(lambda: watch.head_at is not None, 2 * SLACK, self._tick(f"the head of {path}"))
        if watch.head_at is None and watch.end is None:
            return Look([silent_finding(path)], [])
        if not watch.is_stream:
            watch.until(lambda: False, SLACK, self._tick(f"the rest of {path}"))
        refusals = list(judge_head(watch, path))
        if refusals:
            return Look(refusals, [])
        heartbeat = watch.heartbeat or self.heartbeat
        seconds = self._seconds(heartbeat)
        text = f"{path}, for {seconds:g} s (heartbeats come every {heartbeat:g} s)"
        watch.until(lambda: watch.finished, seconds, self._tick(text))
        return self._judge_own(path, watch, heartbeat)

    def _judge_own(self, path: str, watch: Watch, heartbeat: float) -> Look:
        packed = watch.encoding is not None
        late = is_overdue(watch, heartbeat) or (False if heard(watch, heartbeat) else None)
        coding = list(judge_coding(watch, late=late))
        silence = list(judge_silence(watch, heartbeat, known=packed))
        if silence or any(each.severity == FAULT for each in coding):
            return Look([*coding, *silence], [])
        unseen = list(untold(watch, path, heartbeat))
        if unseen and watch.is_open:
            unseen = list(self._too_short(heartbeat)) or unseen
        return Look(coding, unseen)

    def _silence(self, app: Flask, path: str, heartbeat: float, known: list[Finding]) -> Look:
        """Ask for a stream that is silent; `known` is what a short one showed."""
        seconds = self._seconds(heartbeat)
        text = f"a silent stream, for {seconds:g} s (heartbeats come every {heartbeat:g} s)"
        watch = self._open(app, path, seconds, {}, seconds + SLACK, text)
        findings = [*judge_origin(watch), *judge_silence(watch, heartbeat, bool(known))]
        unseen = list(self._too_short(heartbeat))
        if not (findings or known or unseen or heard(watch, heartbeat)):
            unseen = [f"{SILENCE}: no heartbeat came in {watch.longest:.1f} s of it."]
        return Look(findings, unseen)

    def _too_short(self, heartbeat: float) -> Iterator[str]:
        if self.seconds is not None and self.seconds < heartbeat:
            yield (
                f"{SILENCE}: --seconds {self.seconds:g} is less than the {heartbeat:g} s after "
                "which a heartbeat comes."
            )

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
            yield from self._other_codings(app, path)
            return
        plain = self._burst(app, path, Accept_Encoding="identity") if late else None
        if plain is not None and plain.encoding is None and held_back(plain):
            yield late_finding(plain)
        yield from judge_coding(burst, late=late)

    def _other_codings(self, app: Flask, path: str) -> Iterator[Finding]:
        """Look whether a stream is compressed by what only browsers can read."""
        burst = self._burst(app, path, Accept_Encoding=ALL_ENCODINGS)
        if burst.is_stream and burst.encoding is not None:
            again = self._burst(app, path, Accept_Encoding=ALL_ENCODINGS)
            yield from judge_coding(burst, late=gathered(burst) and gathered(again))

    def _other_codings_of(self, url: str) -> Iterator[Finding]:
        headers = {"Accept": "text/event-stream", "Accept-Encoding": ALL_ENCODINGS}
        watch = Watch(Exchange(self.target, url, headers))
        try:
            tick = self._tick("the stream, compressed")
            watch.until(lambda: watch.head_at is not None, 2 * SLACK, tick)
        finally:
            watch.close()
        if watch.is_stream:
            yield from judge_coding(watch, late=None)
