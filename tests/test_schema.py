"""Types of input and output: what they take, what they refuse, and the JSON they give."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import inspect
import json
import math
import uuid
from collections.abc import Generator, Iterable, Iterator
from typing import Annotated, Any, Optional, Union

import pydantic
import pytest
from typing_extensions import NotRequired, TypedDict
from werkzeug.datastructures import MultiDict

from flask_sse_routes import DeclarationError, OutputError
from flask_sse_routes.errors import InputError
from flask_sse_routes.schema import (
    InputSchema,
    OutputSchema,
    dump,
    type_hints,
    union_members,
    yielded_type,
)

OWNER = "Route 'it'"


class Color(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0


class Query(TypedDict):
    words: list[str]
    page: NotRequired[int]


class Search(pydantic.BaseModel):
    text: str = pydantic.Field(alias="q")
    tags: list[str] | None = None
    size: Annotated[int, pydantic.Field(le=100)] = 10


class Unknown:
    pass


def of_signature(function: Any) -> InputSchema:
    parameters = list(inspect.signature(function).parameters.values())
    return InputSchema.of_parameters(OWNER, "Input", parameters, type_hints(OWNER, function))


# --- JSON text of any value

ZONE = datetime.timezone.utc


@pytest.mark.parametrize(
    ("value", "parsed"),
    [
        (datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=ZONE), "2026-01-02T03:04:05Z"),
        (datetime.date(2026, 1, 2), "2026-01-02"),
        (datetime.time(3, 4, 5), "03:04:05"),
        (datetime.timedelta(hours=1, seconds=1), "PT1H1S"),
        (decimal.Decimal("1.10"), "1.10"),
        (decimal.Decimal("NaN"), "NaN"),
        (math.nan, None),
        (math.inf, None),
        ([-math.inf], [None]),
        (uuid.UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        (Color.RED, "red"),
        (Point(1), {"x": 1, "y": 0}),
        (Search(q="a"), {"q": "a", "tags": None, "size": 10}),
        ((1, {2}), [1, [2]]),
        (b"text", "text"),
        (2**200, 2**200),
        ("\U0001f600 \x00 é", "\U0001f600 \x00 é"),
        ({"a": {"b": [True, None]}}, {"a": {"b": [True, None]}}),
    ],
)
def test_json_of_a_value(value: Any, parsed: Any) -> None:
    assert json.loads(dump(value)) == parsed


def test_json_is_compact_utf_8() -> None:
    assert dump({"a": [1, "é"]}) == '{"a":[1,"é"]}'.encode()


def test_what_pydantic_does_not_know_goes_to_the_fallback() -> None:
    assert dump({"a": Unknown()}, lambda value: type(value).__name__) == b'{"a":"Unknown"}'


def cyclic() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    "value", [Unknown(), cyclic(), b"\xff", "\ud800", {"a": ["\udfff"]}, {"\ud800": 1}]
)
def test_what_is_no_json_is_refused(value: Any) -> None:
    with pytest.raises(OutputError, match=type(value).__name__):
        dump(value)


def test_a_fallback_that_refuses_is_an_output_error() -> None:
    def refuse(value: Any) -> Any:
        raise TypeError(f"no JSON for {type(value).__name__}")

    with pytest.raises(OutputError, match="Unknown"):
        dump(Unknown(), refuse)


# --- input


def test_parameters_make_a_schema() -> None:
    def handler(
        a: int,
        b: str = "b",
        c: list[int] = [1],  # noqa: B006  # what is tested
        d: float | None = None,
    ) -> None: ...

    schema = of_signature(handler)
    assert schema.fields == {"a", "b", "c", "d"}
    first, second = schema.validate({"a": "1"}), schema.validate({"a": 2, "c": ["3"], "d": "4"})
    assert (first.a, first.b, first.c, first.d) == (1, "b", [1], None)
    assert (second.a, second.c, second.d) == (2, [3], 4.0)
    first.c.append(9)
    assert schema.validate({"a": 1}).c == [1]


def test_parameters_without_annotation_take_anything() -> None:
    def handler(a, b=2):  # type: ignore[no-untyped-def]  # what is tested
        ...

    got = of_signature(handler).validate({"a": "text"})
    assert (got.a, got.b) == ("text", 2)


def test_field_gives_constraints_and_an_alias() -> None:
    def handler(
        size: Annotated[int, pydantic.Field(le=3)] = 1,
        from_: str = pydantic.Field(default="x", alias="from"),
    ) -> None: ...

    schema = of_signature(handler)
    assert schema.validate({"from": "here", "size": "3"}).from_ == "here"
    with pytest.raises(InputError) as caught:
        schema.validate({"size": 4})
    assert caught.value.errors[0]["loc"] == ["size"]


class Box(pydantic.BaseModel):
    items: list[int] = []


def test_a_default_is_never_shared() -> None:
    def handler(
        box: Box = Box(),  # noqa: B008  # what is tested
        names: list[str] = [],  # noqa: B006  # what is tested
        at: Point = Point(1),  # noqa: B008  # what is tested
    ) -> None: ...

    schema = of_signature(handler)
    first, second = schema.validate({}), schema.validate({})
    first.box.items.append(1)
    first.names.append("x")
    first.at.x = 9
    assert (second.box, second.names, second.at) == (Box(), [], Point(1))
    assert inspect.signature(handler).parameters["box"].default == Box()


def test_repeated_keys_fill_lists_and_the_first_value_counts_elsewhere() -> None:
    def handler(
        a: list[int],
        b: Optional[list[str]] = None,  # noqa: UP045  # the older form
        c: tuple[int, ...] = (),
        d: set[int] = frozenset(),  # type: ignore[assignment]  # set() could be shared
        e: int = 0,
    ) -> None: ...

    values = MultiDict(
        [("a", "1"), ("a", "2"), ("b", "x"), ("c", "3"), ("d", "4"), ("e", "5"), ("e", "6")]
    )
    got = of_signature(handler).validate(of_signature(handler).collect(values))
    assert (got.a, got.b, got.c, got.d, got.e) == ([1, 2], ["x"], (3,), {4}, 5)


@pytest.mark.parametrize("text", ["true", "1", "on", "yes", "True"])
def test_bools_are_read_from_words(text: str) -> None:
    def handler(flag: bool) -> None: ...

    assert of_signature(handler).validate({"flag": text}).flag is True


@pytest.mark.parametrize(
    ("type_", "data", "expected"),
    [
        (Point, {"x": "1"}, Point(1)),
        (Query, {"words": ["a"]}, {"words": ["a"]}),
        (Search, {"q": "a"}, Search(q="a")),
        (list[int], ["1", 2], [1, 2]),
        (dict[str, int], {"a": "1"}, {"a": 1}),
        (int | str, 3, 3),
    ],
)
def test_anything_that_pydantic_takes_is_an_input_type(
    type_: Any, data: Any, expected: Any
) -> None:
    assert InputSchema.of_type(OWNER, type_).validate(data) == expected


def test_faults_have_place_message_and_type_and_not_the_value() -> None:
    with pytest.raises(InputError) as caught:
        InputSchema.of_type(OWNER, Point).validate({"x": "secret", "y": []})
    faults = caught.value.errors
    assert [fault["loc"] for fault in faults] == [["x"], ["y"]]
    assert {key for fault in faults for key in fault} == {"loc", "msg", "type"}
    assert faults[0]["type"] == "int_parsing"
    assert "secret" not in json.dumps(faults)


# --- output


def test_output_is_validated_and_serialised() -> None:
    schema = OutputSchema(OWNER, Point)
    assert schema.dump({"x": "1"}) == b'{"x":1,"y":0}'
    assert schema.dump(Point(2)) == b'{"x":2,"y":0}'
    with pytest.raises(OutputError, match=r"Route 'it'.*x: "):
        schema.dump({"x": "one"})


def test_output_reads_attributes_as_from_an_orm_row() -> None:
    class Row:
        q, tags, size = "a", None, 3

    assert json.loads(OutputSchema(OWNER, Search).dump(Search(q="a"))) == {
        "q": "a",
        "tags": None,
        "size": 3 + 7,
    }
    assert json.loads(OutputSchema(OWNER, Search).dump(Row())) == {
        "q": "a",
        "tags": None,
        "size": 3,
    }


def test_output_of_a_model_drops_what_it_does_not_declare() -> None:
    class Account(Search):
        password: str = "secret"

    assert b"secret" not in OutputSchema(OWNER, list[Search]).dump([Account(q="a")])


@pytest.mark.parametrize("type_", [Unknown, 5, "Nowhere", list[Unknown]])
def test_what_pydantic_cannot_use_is_refused(type_: Any) -> None:
    with pytest.raises(DeclarationError, match=r"^Route 'it': "):
        OutputSchema(OWNER, type_)
    with pytest.raises(DeclarationError, match=r"^Route 'it': "):
        InputSchema.of_type(OWNER, type_)


# --- reading annotations


@pytest.mark.parametrize(
    ("hint", "type_"),
    [
        (Iterator[int], int),
        (Iterable[int], int),
        (Generator[int, None, str], int),
        (Generator[int | str, None, None], int | str),
        (Iterator, None),
        (list[int], None),
        (int, None),
        (None, None),
    ],
)
def test_the_type_that_a_handler_yields(hint: Any, type_: Any) -> None:
    assert yielded_type(hint) == type_


@pytest.mark.parametrize(
    ("type_", "members"),
    [
        (int | str, (int, str)),
        (Union[int, None], (int, type(None))),  # noqa: UP007  # the older form
        (int, (int,)),
        (None, (None,)),
    ],
)
def test_the_members_of_a_union(type_: Any, members: tuple[Any, ...]) -> None:
    assert union_members(type_) == members
