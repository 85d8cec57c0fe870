"""Limits of a JSON schema's values, as far as they can be compared: bounds, lengths, multiples.

Floor 1. `exclusiveMinimum: 0` and `minimum: 1` are the same limit of integers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, NamedTuple, TypeGuard

from .definitions import Schema

# What lies beyond a limit, by its keyword.
BEYOND = {
    "minimum": "less than {}",
    "exclusiveMinimum": "{} or less",
    "maximum": "more than {}",
    "exclusiveMaximum": "{} or more",
    "minLength": "texts shorter than {}",
    "maxLength": "texts longer than {}",
    "minItems": "fewer than {} items",
    "maxItems": "more than {} items",
    "minProperties": "fewer than {} fields",
    "maxProperties": "more than {} fields",
    "pattern": "texts that do not match {}",
    "format": "what is no {}",
    "multipleOf": "what is no multiple of {}",
}
LEAST = ("minimum", "exclusiveMinimum")
MOST = ("maximum", "exclusiveMaximum")
SIZES = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")
FORMS = ("pattern", "format")


class Bound(NamedTuple):
    """How far values go, the greater the further; of upper bounds as they are, of lower negated."""

    at: Fraction | float
    included: bool


def beyond(wide: Schema, narrow: Schema, *, integers: bool) -> Iterator[str]:
    """Yield what `narrow` allows beyond the limits of `wide`; `integers`: it has no others."""
    for keys, sign in ((LEAST, -1), (MOST, 1)):
        furthest = min(_bound(narrow, key, sign, integers) for key in keys)
        for key in keys:
            if furthest > _bound(wide, key, sign, integers):
                yield BEYOND[key].format(wide[key])
    yield from _sizes(wide, narrow)
    for key in FORMS:
        if key in wide and wide[key] != narrow.get(key):
            yield BEYOND[key].format(wide[key])
    step = wide.get("multipleOf")
    if _is_number(step) and step > 0 and not _is_multiple(narrow, _exact(step), integers):
        yield BEYOND["multipleOf"].format(step)


def of_value(value: Any) -> Schema | None:
    """Return limits that only this value keeps to, `None` where there are none to tell."""
    if _is_number(value):
        return {"minimum": value, "maximum": value, "multipleOf": value}
    return {"minLength": len(value), "maxLength": len(value)} if isinstance(value, str) else None


def _bound(schema: Schema, key: str, sign: int, integers: bool) -> Bound:
    limit = schema.get(key)
    if not _is_number(limit):
        return Bound(math.inf, True)
    at, included = _exact(limit) * sign, not key.startswith("exclusive")
    if not integers:
        return Bound(at, included)
    whole = math.floor(at)
    return Bound(Fraction(whole - 1 if whole == at and not included else whole), True)


def _sizes(wide: Schema, narrow: Schema) -> Iterator[str]:
    for key in SIZES:
        limit, found = wide.get(key), narrow.get(key, _own_size(narrow, key))
        if limit is None or (key.startswith("min") and limit == 0):
            continue
        if found is None or (found > limit if key.startswith("max") else found < limit):
            yield BEYOND[key].format(limit)


def _own_size(schema: Schema, key: str) -> int | None:
    """Return how many fields an object has by their names."""
    if key == "minProperties":
        return len(schema.get("required", ()))
    closed = key == "maxProperties" and schema.get("additionalProperties") is False
    return len(schema.get("properties", {})) if closed else None


def _is_multiple(narrow: Schema, step: Fraction, integers: bool) -> bool:
    found = narrow.get("multipleOf")
    if integers and Fraction(1) % step == 0:
        return True
    return _is_number(found) and _exact(found) % step == 0


def _is_number(value: Any) -> TypeGuard[float]:
    known = isinstance(value, (int, float)) and not isinstance(value, bool)
    return known and math.isfinite(value)


def _exact(value: float) -> Fraction:
    """Return a number as it is written: 0.1 is no multiple of anything as it is stored."""
    return Fraction(str(value))
