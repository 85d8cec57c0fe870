"""The `sse` kind: the handler yields many times, the response is a stream of events.

Floor 2. What a declaration may say, and which requests get a stream at all; `opening` opens
it, and from then on `stream.Stream` decides.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, NamedTuple

from flask.wrappers import Response
from werkzeug.exceptions import InternalServerError

from .. import wire
from ..codec import EventTypes
from ..codegen.catalogue import Answer
from ..concurrency import cooperative
from ..errors import DeclarationError, EventError
from ..logs import Log
from ..routes import Route
from ..schema import OutputSchema, union_members, yielded_type
from ..steps import CONTEXTS
from .base import Call, Kind
from .opening import StreamOpener

log = Log(__name__)


YEAR = 366 * 86_400


class Choice(NamedTuple):
    """An option of the kind with a fixed set of values."""

    name: str
    values: tuple[str | None, ...]


CHOICES = (
    Choice("context", CONTEXTS),
    Choice("on_end", ("stop", "reconnect")),
    Choice("drain", (None, "now", "finish")),
)


class SseKind(Kind):
    """One request, a stream of events.

    Options: `context` (`step`, `stream`, `none`), `on_end` (`stop`, `reconnect`), `drain`
    (`now`, `finish`; by default `now` for GET), `max_duration`, `open_timeout` and `reauthorize`
    (seconds; how often the `before` hooks run again during the stream).
    """

    options: ClassVar[Mapping[str, Any]] = {
        "context": "step",
        "on_end": "stop",
        "drain": None,
        "max_duration": None,
        "open_timeout": None,
        "reauthorize": None,
    }

    def check(self, route: Route) -> Route:
        route = super().check(route)
        for choice in CHOICES:
            _check_choice(route, choice)
        _check_seconds(route, "max_duration", least=0.001)
        _check_seconds(route, "open_timeout", least=0)
        _check_seconds(route, "reauthorize", least=0.1)
        return replace(route, event_types=_event_types(route))

    def respond(self, call: Call) -> Response:
        ctx = call.context()
        if ctx.sent_id.endswith(wire.END_SUFFIX) and call.route.options["on_end"] == "stop":
            # It comes back to a stream that has told it its end (WHATWG HTML section 9.2.3).
            return call.app.response_class(status=204)
        _refuse_server(call)
        call.read_input(ctx)
        call.runtime.obey()
        return StreamOpener(call, ctx).respond()

    def describe(self, route: Route) -> Answer:
        types = route.event_types
        assert types is not None
        return Answer(
            media_type="text/event-stream",
            schema=types.message,
            events=types.named,
            stays_finished=route.options["on_end"] == "stop",
        )


def _check_choice(route: Route, choice: Choice) -> None:
    value = route.options[choice.name]
    if value not in choice.values:
        known = ", ".join(repr(v) for v in choice.values if v is not None)
        raise DeclarationError(f"{route.owner}: {choice.name}={value!r} is not one of {known}.")


def _check_seconds(route: Route, name: str, least: float) -> None:
    value = route.options[name]
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= YEAR:
        raise DeclarationError(
            f"{route.owner}: {name}={value!r} must be a number of seconds, {least} or more, and at "
            "most a year."
        )


def _event_types(route: Route) -> EventTypes:
    for name in route.events:
        try:
            wire.check(wire.Event(raw="", event=name))
        except EventError as error:
            raise DeclarationError(f"{route.owner}: events= has {name!r}: {error}") from error
    named = {n: OutputSchema(f"{route.owner}, event {n!r}", t) for n, t in route.events.items()}
    declared = route.output if route.output is not None else _yielded(route)
    message = OutputSchema(route.owner, declared) if declared is not None else None
    return EventTypes(route.owner, message, named)


def _yielded(route: Route) -> Any:
    """Return the type of unnamed events by the annotation: T of `Iterator[T]`, less the rest."""
    others = (None, Any, wire.Event, *route.events.values())
    members = [m for m in union_members(yielded_type(route.returns)) if m not in others]
    if not members or members == [type(None)]:
        return None
    return functools.reduce(operator.or_, members)


def _refuse_server(call: Call) -> None:
    """Refuse servers under which a stream would block everything else, or never end."""
    environ = call.request.environ
    software = environ.get("SERVER_SOFTWARE", "")
    advice = None
    if software.startswith("gunicorn") and not environ.get("wsgi.multithread"):
        advice = "gunicorn's sync worker cannot stream: start it with -k gevent or -k gthread."
    elif type(environ.get("wsgi.input")).__module__ == "gevent.pywsgi" and not cooperative():
        advice = (
            "gevent.pywsgi serves a process that gevent has not patched: call "
            "gevent.monkey.patch_all() before anything else is imported."
        )
    if advice is not None:
        log.error("%s refused: %s", call.route.owner, advice)
        raise InternalServerError("This server is not set up for event streams.")
