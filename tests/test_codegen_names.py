"""Names of generated types."""

from __future__ import annotations

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from flask_sse_routes import DeclarationError, RouteBlueprint, define_route
from flask_sse_routes.client import connect
from flask_sse_routes.codegen.names import Names, component_names, operation_name, words_of


def test_a_name_is_given_once() -> None:
    names = Names({"Promise"})
    given_names = [names.give(name) for name in ["Order", "Order", "Order", "Promise"]]
    assert given_names == ["Order", "OrderType", "OrderType2", "PromiseType"]


@pytest.mark.parametrize(
    ("component", "title", "expected"),
    [
        ("Order", "Order", "Order"),
        ("my_order", "Anything", "my_order"),
        ("Order-Input", "Order", "OrderInput"),
        ("Page_int_", "Page[int]", "PageInt"),
        ("Page_Order_-Output", "Page[Order]", "PageOrderOutput"),
        ("Page_Union_int__str__", "Page[Union[int, str]]", "PageUnionIntStr"),
        ("shop__models__Order", "Order", "shop__models__Order"),
        ("2d", "2d", "_2d"),
        ("a.b", "", "a_b"),
    ],
)
def test_a_component_is_called_as_its_type(component: str, title: str, expected: str) -> None:
    assert component_names({component: {"title": title}}, Names(())) == {component: expected}


def test_names_do_not_depend_on_the_order_of_components() -> None:
    components = {"a__Page_int_": {"title": "Page[int]"}, "b__Page_int_": {"title": "Page[int]"}}
    backwards = dict(reversed(components.items()))
    expected = {"a__Page_int_": "PageInt", "b__Page_int_": "PageIntType"}
    assert component_names(components, Names(())) == expected
    assert component_names(backwards, Names(())) == expected


@given(st.dictionaries(st.text(max_size=9), st.text(max_size=9), max_size=9))
def test_names_are_identifiers_and_differ(titles: dict[str, str]) -> None:
    components = {key: {"title": title} for key, title in titles.items()}
    given_names = list(component_names(components, Names(())).values())
    assert all(name.isidentifier() for name in given_names)
    assert len(set(given_names)) == len(components)


def test_an_operation_gives_its_name_to_what_belongs_to_it() -> None:
    assert operation_name("admin.user_stats", "Event") == "AdminUserStatsEvent"


def test_words_are_those_outside_comments() -> None:
    script = """\
/** Comment with Order. */
const url = "http://Host"; // and Trailing
  // Whole
const media: MediaType = "*/*"; class Source<T> {}
/*
 * Inner
 */
"""
    words = words_of(script)
    assert {"const", "url", "http", "Host", "MediaType", "Source", "T"} <= words
    assert words.isdisjoint({"Order", "Trailing", "Whole", "Inner"})


@pytest.mark.parametrize("name", ["_url", "_table", "__proto__", "__init__", "_"])
def test_names_that_clients_keep_for_themselves_are_refused(name: str) -> None:
    with pytest.raises(DeclarationError, match=f"{name!r} begins with an underscore.*path="):
        RouteBlueprint("api", __name__, {name: define_route(lambda: 1)})
    outer = RouteBlueprint("outer", __name__)
    outer.register_blueprint(RouteBlueprint(name, __name__))
    with pytest.raises(DeclarationError, match=f"{name!r} is nested.*underscore"):
        Flask(__name__).register_blueprint(outer)
    Flask(__name__).register_blueprint(RouteBlueprint(name, __name__))


def test_a_python_client_has_nothing_of_the_name_of_a_route() -> None:
    with connect("http://127.0.0.1", routes={}) as client:
        members = {*vars(client.api), *vars(type(client.api))}
    assert len(members) > 5
    assert all(member.startswith("_") for member in members)
