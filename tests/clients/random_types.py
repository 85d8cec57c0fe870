"""Types made at random, and values of each; the same for the same seed."""

from __future__ import annotations

import datetime
import decimal
import enum
import random
import uuid
from collections.abc import Callable
from dataclasses import make_dataclass
from typing import Any, Generic, Literal, NamedTuple, TypeVar

from pydantic import BaseModel, Field, TypeAdapter, create_model
from typing_extensions import NotRequired, TypedDict

T = TypeVar("T")
Make = Callable[[], Any]


class Typed(NamedTuple):
    """A type, and how to make a value of it."""

    type: Any
    make: Make

    def json(self) -> Any:
        """Return a value as a client sees it."""
        adapter: TypeAdapter[Any] = TypeAdapter(self.type)
        return adapter.dump_python(adapter.validate_python(self.make()), mode="json", by_alias=True)


class Page(BaseModel, Generic[T]):
    items: list[T]
    total: int = 0


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Maker:
    """Makes types, deeper ones of simpler ones."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.count = 0
        self.composites = (
            self.array,
            self.mapping,
            self.by_color,
            self.pair,
            self.many,
            self.optional,
            self.choice,
            self.model,
            self.typed_dict,
            self.named_tuple,
            self.dataclass,
            self.page,
        )

    def type(self, depth: int) -> Typed:
        if depth == 0:
            return self.leaf()
        return self.random.choice(self.composites)(depth - 1)

    def leaf(self) -> Typed:
        r = self.random
        return r.choice(
            [
                Typed(int, lambda: r.randint(-9, 9)),
                Typed(float, lambda: r.choice([0.5, -2.0, 3])),
                Typed(str, lambda: r.choice(["", 'a"b\\', "\u2028é😀", "*/", "${x}", "\n"])),
                Typed(bool, lambda: r.random() < 0.5),
                Typed(type(None), lambda: None),
                Typed(decimal.Decimal, lambda: decimal.Decimal("1.50")),
                Typed(datetime.datetime, lambda: datetime.datetime(2024, 2, 29, 12)),
                Typed(datetime.date, lambda: datetime.date(2024, 2, 29)),
                Typed(datetime.timedelta, lambda: datetime.timedelta(seconds=1.5)),
                Typed(uuid.UUID, lambda: uuid.UUID(int=5)),
                Typed(Color, lambda: r.choice(list(Color))),
                Typed(Level, lambda: r.choice(list(Level))),
                Typed(Literal["a", 1, True, None], lambda: r.choice(["a", 1, True, None])),
                Typed(Any, lambda: {"a": [1, None]}),
            ]
        )

    def array(self, depth: int) -> Typed:
        inner = self.type(depth)
        return Typed(list[inner.type], lambda: self._several(inner))  # type: ignore[name-defined]  # made here

    def mapping(self, depth: int) -> Typed:
        inner = self.type(depth)
        return Typed(dict[str, inner.type], lambda: {"a": inner.make(), "": inner.make()})  # type: ignore[name-defined]  # made here

    def by_color(self, depth: int) -> Typed:
        inner = self.type(depth)
        return Typed(dict[Color, inner.type], lambda: {Color.RED: inner.make()})  # type: ignore[name-defined]  # made here

    def pair(self, depth: int) -> Typed:
        one, other = self.type(depth), self.type(0)
        return Typed(tuple[one.type, other.type], lambda: (one.make(), other.make()))  # type: ignore[name-defined]  # made here

    def many(self, depth: int) -> Typed:
        inner = self.type(depth)
        return Typed(tuple[inner.type, ...], lambda: tuple(self._several(inner)))  # type: ignore[name-defined]  # made here

    def optional(self, depth: int) -> Typed:
        inner = self.type(depth)
        return Typed(inner.type | None, lambda: self.random.choice([None, inner.make()]))

    def choice(self, depth: int) -> Typed:
        inner = self.type(depth)
        return Typed(inner.type | int, lambda: self.random.choice([7, inner.make()]))

    def model(self, depth: int) -> Typed:
        one, other = self.type(depth), self.type(0)
        name = self._name("Model")
        fields: dict[str, Any] = {
            # Tells it from all others.
            name.lower(): (int, ...),
            "one": (one.type, Field(alias="one-%")),
            "other": (other.type | None, None),
        }
        model = create_model(name, __doc__=f"The {name}.", **fields)
        return Typed(model, lambda: {name.lower(): 1, "one-%": one.make(), **self._maybe(other)})

    def typed_dict(self, depth: int) -> Typed:
        one, other = self.type(depth), self.type(0)
        name = self._name("Dict")
        fields = {name.lower(): int, "one": one.type, "other": NotRequired[other.type]}
        made = TypedDict(name, fields)  # type: ignore[misc]  # made here
        return Typed(made, lambda: {name.lower(): 1, "one": one.make(), **self._maybe(other)})

    def named_tuple(self, depth: int) -> Typed:
        one = self.type(depth)
        made: Any = NamedTuple(self._name("Tuple"), [("one", one.type), ("other", str)])  # type: ignore[misc]  # made here
        return Typed(made, lambda: made(one.make(), "x"))

    def dataclass(self, depth: int) -> Typed:
        one = self.type(depth)
        name = self._name("Data")
        made: Any = make_dataclass(name, [(name.lower(), int), ("one", one.type)])
        return Typed(made, lambda: {name.lower(): 1, "one": one.make()})

    def page(self, depth: int) -> Typed:
        inner = self.type(depth)
        return Typed(Page[inner.type], lambda: {"items": self._several(inner)})  # type: ignore[name-defined]  # made here

    def _several(self, of: Typed) -> list[Any]:
        return [of.make() for _ in range(self.random.randint(1, 2))]

    def _maybe(self, of: Typed) -> dict[str, Any]:
        return {"other": of.make()} if self.random.random() < 0.5 else {}

    def _name(self, kind: str) -> str:
        self.count += 1
        return f"{kind}{self.count}"
