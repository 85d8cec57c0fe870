"""What a blueprint offers, as its documents and clients see it.

Floor 1. A route's kind describes what it answers; a `Catalogue` holds the routes of a
blueprint and of those nested in it, with their places below its prefix.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ..hooks import Hook
from ..routes import BODY_METHODS, VARIABLE, Route
from ..schema import OutputSchema


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a route sends when all is well; a kind's `describe` makes it."""

    media_type: str = "*/*"
    # The type of the document, or of unnamed events; `None` where it is not declared.
    schema: OutputSchema | None = None
    # The types of named events; `None` for an answer that is no stream.
    events: Mapping[str, OutputSchema] | None = None
    # Whether a client that comes back to a finished stream is told to stay away.
    stays_finished: bool = True

    @property
    def streams(self) -> bool:
        """Whether it is a stream of events."""
        return self.events is not None


class Variable(NamedTuple):
    """A variable of a URL rule."""

    name: str
    converter: str

    @property
    def spans_segments(self) -> bool:
        """Whether its value may hold slashes."""
        return self.converter == "path"


@dataclass(frozen=True, kw_only=True)
class Operation:
    """A route in its place."""

    # Its blueprint below the one that the catalogue is of, and the route's own name.
    namespace: tuple[str, ...]
    route: Route
    # The URL rule below the prefix of the catalogue's blueprint.
    rule: str
    # All that run for it, from the app's to the route's own.
    hooks: tuple[Hook, ...]
    answer: Answer

    @property
    def name(self) -> str:
        """How clients call it, with dots between the parts; unique within a catalogue."""
        return ".".join((*self.namespace, self.route.name))

    @property
    def path(self) -> str:
        """The rule as a template: `/orders/{order_id}`."""
        return VARIABLE.sub(r"{\g<name>}", self.rule)

    @property
    def shape(self) -> str:
        """The path without the names of its variables: `/orders/{}`."""
        return VARIABLE.sub("{}", self.rule)

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The variables of the path, in order."""
        return tuple(
            Variable(found["name"], found["converter"] or "default")
            for found in VARIABLE.finditer(self.rule)
        )

    @property
    def takes_body(self) -> bool:
        """Whether input comes in the body rather than in the query string."""
        return self.route.method in BODY_METHODS


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """A blueprint's operations, in the order of their declaration."""

    title: str
    version: str
    # Where it is mounted in the app: `""` or `/api`.
    prefix: str
    operations: tuple[Operation, ...] = field(default=())

    @classmethod
    def of(
        cls, title: str, version: str, prefix: str, operations: Iterable[Operation]
    ) -> Catalogue:
        """Build a catalogue."""
        return cls(title=title, version=version, prefix=prefix, operations=tuple(operations))

    def get(self, name: str) -> Operation | None:
        """Return the operation of that name."""
        return next((o for o in self.operations if o.name == name), None)
