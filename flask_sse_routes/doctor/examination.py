"""One run of the doctor: the facts of the running server first, then the inside, then the streams.

Floor 3.
"""

from __future__ import annotations

from collections.abc import Iterator

from flask import Flask

from ..config import Config
from ..extension import runtime_of
from .asking import Probe, Unreachable, find_probe, find_stream
from .deployment import Deployment
from .finding import Finding, found
from .inside import look_inside
from .outside import Outside, Say
from .report import Report
from .settings import read_settings
from .target import Target

NO_SETTINGS = (
    "needs a gunicorn.conf.py in this folder, --config FILE, or what is on gunicorn's command line "
    "in GUNICORN_CMD_ARGS."
)


def examine(
    app: Flask | None,
    target: Target | None,
    *,
    settings: str | None = None,
    seconds: float | None = None,
    say: Say,
) -> Report:
    """Look at an app, at what answers at a URL, or at both. Raises `ConfigError`."""
    report = Report(url=target.shown if target is not None else None)
    heartbeat = (runtime_of(app).config if app is not None else Config()).heartbeat
    probe = None
    if target is not None:
        outside = Outside(target, heartbeat, seconds, say)
        probe, reached = _reach(report, app, outside)
    if app is not None:
        _inside(report, app, settings, probe)
    if target is not None and reached:
        report.add(outside.connections(probe))
        report.add(_streams(report, app, outside, probe))
    return report


def _reach(report: Report, app: Flask | None, outside: Outside) -> tuple[Probe | None, bool]:
    """Look for the app's probe; tell as well whether anything answers."""
    try:
        return find_probe(outside.target, app, lambda left: outside.say("the server", left)), True
    except Unreachable as error:
        report.add(
            [
                found(
                    "unreachable",
                    f"{outside.target.shown} does not answer: {error}.",
                    "Start it, or mend the URL; a certificate of your own is trusted by the "
                    "variable SSL_CERT_FILE.",
                )
            ]
        )
        return None, False


def _inside(report: Report, app: Flask, path: str | None, probe: Probe | None) -> None:
    facts = probe.facts if probe is not None else None
    if facts is not None and path is None and not facts.server.startswith("gunicorn"):
        settings = None
    else:
        settings = read_settings(path)
    deployment = Deployment(app=app, settings=settings, facts=facts)
    findings, seen, unseen = look_inside(deployment)
    report.add(findings)
    report.looked_at += seen
    if unseen:
        report.not_looked_at.append(f"{', '.join(unseen)}: {NO_SETTINGS}")


def _streams(
    report: Report, app: Flask | None, outside: Outside, probe: Probe | None
) -> Iterator[Finding]:
    if app is not None and probe is not None:
        report.looked_at.append(f"streams of the app's probe at {outside.target.shown}")
        yield from outside.probe(app, probe)
        return
    report.not_looked_at.append(f"the running server itself: {_why_no_probe(app)}")
    path = _open_stream(outside, app)
    if path is not None:
        report.looked_at.append(f"the stream {path.partition('?')[0]} at {outside.target.shown}")
        yield from outside.stream(path)
        return
    yield found(
        "no-stream",
        f"No stream was found at {outside.target.shown} that can be opened without input.",
        "Run this with the app and the SECRET_KEY that serve there, or give the URL of a stream.",
    )


def _open_stream(outside: Outside, app: Flask | None) -> str | None:
    try:
        path = find_stream(outside.target, app, lambda left: outside.say("openapi.json", left))
    except Unreachable:
        path = None
    return path if path is not None else (outside.target.path + outside.target.query) or None


def _why_no_probe(app: Flask | None) -> str:
    if app is None:
        return "no app was loaded here."
    if not app.secret_key:
        return "the app has no SECRET_KEY, by which it would know the doctor."
    return "what answers there is another app, has another SECRET_KEY, or lets nobody in."
