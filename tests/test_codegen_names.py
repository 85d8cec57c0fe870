"""Names of generated types."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
