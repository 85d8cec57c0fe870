"""One run of the doctor: the facts of the running server first, then the inside, then the streams.

Floor 3.
"""

from __future__ import annotations

from collections.abc import Iterator

from flask import Flask

from ..config import Config
from ..diagnosis import Facts
from ..extension import runtime_of
from .asking import Probe, Redirected, Unreachable, find_probe, find_streams
from .deployment import Deployment
from .finding import FAULT, Finding, found
from .inside import gaps, look_inside
from .outside import Look, Outside, Say
from .report import Report
from .settings import Settings, read_settings
from .target import Target

NO_SETTINGS = (
    "needs a gunicorn.conf.py in this folder, --config FILE, or what is on gunicorn's command line "
    "in GUNICORN_CMD_ARGS."
)
# Streams of the app's own that are watched, if each of them is over too soon.
MOST = 5


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
        what = f"{outside.target.shown} does not answer: {error}."
        mend = (
            "Start it, or mend the URL; a certificate of your own is trusted by the variable "
            "SSL_CERT_FILE."
        )
        report.add([found("unreachable", what, mend)])
    except Redirected as error:
        report.add([_redirected(report, outside, error)])
    return None, False


def _redirected(report: Report, outside: Outside, error: Redirected) -> Finding:
    report.not_looked_at.append(f"streams: {outside.target.shown} sends clients to {error}.")
    return found(
        "redirected",
        f"{outside.target.shown} sends clients to {error}.",
        f"Run this with {error} instead.",
    )


def _inside(report: Report, app: Flask, path: str | None, probe: Probe | None) -> None:
    facts = probe.facts if probe is not None else None
    other_server = facts is not None and not facts.server.startswith("gunicorn")
    settings = None if other_server and path is None else read_settings(path)
    why = _disagreement(settings, facts)
    deployment = Deployment(app=app, settings=None if why else settings, facts=facts)
    findings, seen, unseen = look_inside(deployment)
    report.add(findings)
    report.looked_at += seen
    if unseen and (why or not other_server):
        report.not_looked_at.append(f"{', '.join(unseen)}: {why or NO_SETTINGS}")
    report.not_looked_at += gaps(deployment)


def _disagreement(settings: Settings | None, facts: Facts | None) -> str | None:
    """Say how settings and facts differ: then the numbers of the settings are others', too."""
    if settings is None or facts is None or settings.worker in (facts.worker, "other"):
        return None
    return (
        f"{settings.source} says {settings.worker}, the server runs {facts.worker}: repeat its "
        "command line in GUNICORN_CMD_ARGS."
    )


def _streams(
    report: Report, app: Flask | None, outside: Outside, probe: Probe | None
) -> Iterator[Finding]:
    if app is not None and probe is not None:
        report.looked_at.append(f"streams of the app's probe at {outside.target.shown}")
        look = outside.probe(app, probe)
        report.not_looked_at += look.unseen
        yield from look.findings
        return
    report.not_looked_at.append(f"the running server itself: {_why_no_probe(app)}")
    try:
        paths = _open_streams(outside, app)
    except Redirected as error:
        yield _redirected(report, outside, error)
        return
    yield from _own_streams(report, outside, paths)
    if not paths:
        yield found(
            "no-stream",
            f"No stream was found at {outside.target.shown} that can be opened without input.",
            "Run this with the app and the SECRET_KEY that serve there, or give the URL of a "
            "stream.",
        )


def _own_streams(report: Report, outside: Outside, paths: list[str]) -> Iterator[Finding]:
    """Watch one stream after the other, until one shows all that there is to see."""
    least: Look | None = None
    for path in paths[:MOST]:
        look = outside.stream(path)
        report.looked_at.append(f"the stream {path.partition('?')[0]} at {outside.target.shown}")
        yield from look.findings
        if not look.unseen or any(each.severity == FAULT for each in look.findings):
            return
        if least is None or len(look.unseen) < len(least.unseen):
            least = look
    report.not_looked_at += least.unseen if least is not None else []


def _open_streams(outside: Outside, app: Flask | None) -> list[str]:
    try:
        paths = find_streams(outside.target, app, lambda left: outside.say("openapi.json", left))
    except Unreachable:
        paths = []
    given = outside.target.path + outside.target.query
    return paths or ([given] if given else [])


def _why_no_probe(app: Flask | None) -> str:
    if app is None:
        return "no app was loaded here."
    if not app.secret_key:
        return "the app has no SECRET_KEY, by which it would know the doctor."
    return "what answers there is another app, has another SECRET_KEY, or lets nobody in."
