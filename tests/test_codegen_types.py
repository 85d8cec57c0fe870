"""JSON schemas as types of TypeScript and Python."""

from __future__ import annotations

from typing import Any

import pytest

from flask_sse_routes.codegen.py_types import PythonTypes, docstring, text
from flask_sse_routes.codegen.ts_types import TypeScriptTypes, doc_comment

COMPONENTS: dict[str, Any] = {
    "Color": {"enum": ["red", "blue"], "type": "string"},
    "Level": {"enum": [1, 2], "type": "integer"},
}
NAMES = {"Color": "Color", "Level": "Level"}
COLOR = {"$ref": "#/components/schemas/Color"}
LEVEL = {"$ref": "#/components/schemas/Level"}
NUMBER, TEXT = {"type": "integer"}, {"type": "string"}

CASES: list[tuple[Any, str, str]] = [
    ({}, "unknown", "Any"),
    (True, "unknown", "Any"),
    (False, "never", "Any"),
    ({"description": "anything"}, "unknown", "Any"),
    ({"type": "string"}, "string", "str"),
    ({"type": "string", "format": "date-time"}, "string", "str"),
    ({"type": "integer"}, "number", "int"),
    ({"type": "number"}, "number", "float"),
    ({"type": "boolean"}, "boolean", "bool"),
    ({"type": "null"}, "null", "None"),
    ({"type": "odd"}, "unknown", "Any"),
    ({"type": ["string", "null"]}, "string | null", "str | None"),
    ({"const": 'a"b'}, '"a\\"b"', "Literal['a\"b']"),
    ({"const": 1, "type": "integer"}, "1", "Literal[1]"),
    ({"enum": ["a", 1, None, True]}, '"a" | 1 | null | true', 'Literal["a", 1, None, True]'),
    ({"enum": ["a", 1.5, [1, 2]]}, '"a" | 1.5 | [1, 2]', 'Literal["a"] | float | list[Any]'),
    ({"enum": [{"a b": 1}]}, '{ "a b": 1 }', "dict[str, Any]"),
    ({"enum": [float("inf"), float("nan")]}, "number", "float"),
    ({"enum": []}, "never", "Any"),
    (COLOR, "Color", "Color"),
    ({**COLOR, "description": "its colour", "default": "red"}, "Color", "Color"),
    ({"anyOf": [NUMBER, {"type": "null"}]}, "number | null", "int | None"),
    ({"oneOf": [NUMBER, TEXT], "discriminator": {}}, "number | string", "int | str"),
    ({"anyOf": [NUMBER, {"type": "number"}]}, "number", "int | float"),
    ({"anyOf": [NUMBER, {}]}, "unknown", "Any"),
    ({"allOf": [COLOR], "default": "red"}, "Color", "Color"),
    ({"allOf": [COLOR, {"anyOf": [TEXT, NUMBER]}]}, "Color & (string | number)", "Any"),
    ({"type": "array"}, "unknown[]", "list[Any]"),
    ({"type": "array", "items": NUMBER}, "number[]", "list[int]"),
    (
        {"type": "array", "items": {"anyOf": [NUMBER, TEXT]}},
        "(number | string)[]",
        "list[int | str]",
    ),
    (
        {"type": "array", "prefixItems": [NUMBER, TEXT], "minItems": 2, "maxItems": 2},
        "[number, string]",
        "list[int | str]",
    ),
    (
        {"type": "array", "prefixItems": [NUMBER, TEXT], "minItems": 1, "maxItems": 2},
        "[number, string?]",
        "list[int | str]",
    ),
    (
        {"type": "array", "prefixItems": [NUMBER], "items": TEXT, "minItems": 1},
        "[number, ...string[]]",
        "list[int | str]",
    ),
    (
        {"type": "array", "prefixItems": [NUMBER], "items": False, "minItems": 1},
        "[number]",
        "list[int]",
    ),
    ({"type": "array", "minItems": 0, "maxItems": 0}, "[]", "list[Any]"),
    ({"type": "object"}, "{ [key: string]: unknown }", "dict[str, Any]"),
    (
        {"type": "object", "additionalProperties": NUMBER},
        "{ [key: string]: number }",
        "dict[str, int]",
    ),
    (
        {"type": "object", "additionalProperties": NUMBER, "propertyNames": {"format": "uuid"}},
        "{ [key: string]: number }",
        "dict[str, int]",
    ),
    (
        {"type": "object", "additionalProperties": NUMBER, "propertyNames": COLOR},
        "{ [key in `${Color}`]?: number }",
        "dict[Color, int]",
    ),
    (
        {"type": "object", "additionalProperties": NUMBER, "propertyNames": LEVEL},
        "{ [key in `${Level}`]?: number }",
        "dict[str, int]",
    ),
    (
        {"type": "object", "additionalProperties": NUMBER, "propertyNames": {"const": "a"}},
        '{ [key in `${"a"}`]?: number }',
        'dict[Literal["a"], int]',
    ),
    (
        {"type": "object", "patternProperties": {"^a": NUMBER}},
        "{ [key: string]: number }",
        "dict[str, int]",
    ),
    (
        {"type": "object", "additionalProperties": False},
        "{ [key: string]: never }",
        "dict[str, Any]",
    ),
    (
        {"type": "object", "properties": {"a-b": NUMBER, "c": TEXT}, "required": ["c"]},
        '{ "a-b"?: number; c: string }',
        "dict[str, Any]",
    ),
]


@pytest.mark.parametrize(("schema", "typescript", "python"), CASES)
def test_a_schema_is_a_type(schema: Any, typescript: str, python: str) -> None:
    assert TypeScriptTypes(NAMES, COMPONENTS).of(schema) == typescript
    assert PythonTypes(NAMES, COMPONENTS).of(schema) == python


def declared(schema: dict[str, Any]) -> tuple[str, str]:
    components, names = {"A": schema, **COMPONENTS}, {"A": "A", **NAMES}
    typescript = TypeScriptTypes(names, components).declaration("A")
    return typescript, PythonTypes(names, components).declaration("A")


def test_an_object_is_an_interface_and_a_class() -> None:
    typescript, python = declared(
        {
            "type": "object",
            "description": "A thing.",
            "properties": {
                "a": {**NUMBER, "description": "One.\n\nTwo.", "deprecated": True},
                "b": {"anyOf": [COLOR, {"type": "null"}]},
            },
            "required": ["b"],
        }
    )
    assert typescript == (
        "/** A thing. */\nexport interface A {\n"
        "  /**\n   * One.\n   *\n   * Two.\n   *\n   * @deprecated\n   */\n"
        "  a?: number;\n  b: Color | null;\n}\n"
    )
    assert python == (
        'class A(TypedDict):\n    """A thing."""\n\n'
        "    # One.\n    #\n    # Two.\n    a: NotRequired[int]\n    b: Color | None\n"
    )


@pytest.mark.parametrize("name", ["a-b", "class", "__private", "int", ""])
def test_a_field_that_no_class_can_have_is_written_as_a_text(name: str) -> None:
    schema = {"type": "object", "properties": {name: NUMBER, "other": NUMBER}, "required": [name]}
    _, python = declared(schema)
    assert f'"A",\n    {{\n        "{name}": "int",\n        "other": NotRequired["int"],' in python
    compile(python, "a.py", "exec")


def test_more_fields_than_are_named_are_unknown() -> None:
    schema = {"type": "object", "properties": {"a": NUMBER}, "additionalProperties": TEXT}
    assert "[key: string]: unknown;" in declared(schema)[0]


def test_an_object_without_fields() -> None:
    typescript, python = declared({"type": "object", "properties": {}})
    assert typescript == "export interface A {\n}\n"
    assert python == "class A(TypedDict):\n    pass\n"


def test_what_is_no_object_is_an_alias() -> None:
    typescript, python = declared({"type": "array", "items": {"$ref": "#/x/A"}})
    assert typescript == "export type A = A[];\n"
    assert python == 'A: TypeAlias = "list[A]"\n'


def test_nothing_ends_a_comment_early() -> None:
    assert doc_comment("a */ b") == "/** a *\\/ b */\n"
    assert doc_comment(None, " ") == ""
    hostile = '"""\n\\ ends with "'
    scope: dict[str, Any] = {}
    exec(f"def f():\n{docstring(hostile)}", scope)
    assert scope["f"].__doc__.strip().splitlines()[0] == '"""'


@pytest.mark.parametrize("value", ["a", 'a"b', "a\\b", "\n", "é", "😀", "\u2028", "'"])
def test_texts_are_read_back(value: str) -> None:
    assert eval(text(value)) == value
