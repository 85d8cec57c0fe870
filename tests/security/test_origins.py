"""Origins are compared whole: scheme, host and port; what only looks like one is none."""

from __future__ import annotations

from typing import Any

import pytest

from flask_sse_routes import CORS, DeclarationError, RouteBlueprint, check_origin

SHOP = "https://shop.example"


@pytest.mark.parametrize(
    ("declared", "sent"),
    [
        (SHOP, SHOP),
        (SHOP, "HTTPS://Shop.Example"),
        (SHOP, "https://shop.example:443"),
        ("https://SHOP.example:443", SHOP),
        ("http://shop.example:80", "http://shop.example"),
        ("https://shop.example:8443", "https://shop.example:8443"),
        ("http://[::1]:5000", "http://[::1]:5000"),
        ("http://[2001:DB8:0:0:0:0:0:1]", "http://[2001:db8::1]"),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ("capacitor://localhost", "capacitor://localhost"),
    ],
)
def test_one_of_the_list_is_let_in(declared: str, sent: str) -> None:
    cors = CORS([declared])
    (listed,) = cors.origins
    assert cors.lets_in(sent) == listed
    assert cors.answer(sent)["Access-Control-Allow-Origin"] == listed


@pytest.mark.parametrize(
    "sent",
    [
        "http://shop.example",
        "https://shop.example:8443",
        "https://shop.example.evil.example",
        "https://evil.example",
        "https://evilshop.example",
        "https://shop.example@evil.example",
        "https://evil.example/https://shop.example",
        "https://evil.example?https://shop.example",
        "https://shop.example/",
        "https://shop.example/path",
        "https://shop.example ",
        " https://shop.example",
        "https://shop.example https://evil.example",
        "https://shop.example,https://evil.example",
        "https://shopxexample",
        "https://www.shop.example",
        "https://shop.example.",
        "https://shop.example:",
        "https://shop.example:99999",
        "https://shop.exampl\u0435",
        "https://shop.example\x00",
        "//shop.example",
        "shop.example",
        "null",
        "*",
        "",
        "https://\u017fhop.example",
        "http\u017f://shop.example",
        None,
    ],
)
def test_what_looks_like_it_is_not(sent: str | None) -> None:
    assert CORS([SHOP]).answer(sent) == {}


@pytest.mark.parametrize(
    ("wrong", "advice"),
    [
        ("https://shop.example/", "leave the slash"),
        ("https://shop.example/path", "leave the slash"),
        ("https://shop.example?x", "leave the slash"),
        ("shop.example", "begins with a scheme"),
        ("//shop.example", "begins with a scheme"),
        ("https://*.shop.example", "there are no patterns"),
        ("https://user@shop.example", "no user name"),
        ("https://b\u00fccher.example", "xn--"),
        ("https://", "a scheme, a host"),
        ("https://shop.example:http", "a scheme, a host"),
        ("https://shop.example:70000", "a scheme, a host"),
        ("https://[::::]", "a scheme, a host"),
        ("https://[192.0.2.1]", "a scheme, a host"),
        ("", "begins with a scheme"),
        ("null", "sandboxed frame"),
        (7, "a text such as"),
    ],
)
def test_what_is_no_origin_is_refused_with_a_sentence(wrong: Any, advice: str) -> None:
    with pytest.raises(DeclarationError, match=advice) as refused:
        RouteBlueprint("api", __name__, cors=[wrong])
    assert repr(wrong) in str(refused.value)


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        ({"origins": "*", "credentials": True}, "every page act as the user"),
        ({"origins": ["*", SHOP]}, "leave the other origins away"),
        ({"origins": 7}, "a list of texts"),
        ({"origins": SHOP, "headers": ["*, x"]}, "no name of a header"),
        ({"origins": SHOP, "expose": ["X\r\nSet-Cookie: a"]}, "no name of a header"),
        ({"origins": SHOP, "headers": [1]}, "no name of a header"),
        ({"origins": SHOP, "max_age": -1}, "seconds"),
        ({"origins": SHOP, "max_age": True}, "seconds"),
        ({"origins": SHOP, "credentials": "yes"}, "True or False"),
    ],
)
def test_other_mistakes_are_refused_too(options: dict[str, Any], advice: str) -> None:
    with pytest.raises(DeclarationError, match=advice):
        CORS(**options)


@pytest.mark.parametrize("wrong", ["no", 1, [SHOP]])
def test_whether_origins_are_checked_is_yes_or_no(wrong: Any) -> None:
    with pytest.raises(DeclarationError, match=r"check_origin=.*must be True or False.*cors="):
        RouteBlueprint("api", __name__, check_origin=wrong)


def test_everybody_and_a_check_of_origins_contradict_each_other(make_app: Any) -> None:
    app = make_app()
    with pytest.raises(DeclarationError, match="lets all of them in"):
        app.register_blueprint(RouteBlueprint("b", __name__, cors="*", check_origin=True))
    outer = RouteBlueprint("outer", __name__, cors="*")
    outer.register_blueprint(RouteBlueprint("inner", __name__, check_origin=True))
    with pytest.raises(DeclarationError, match=r"'outer\.inner'"):
        app.register_blueprint(outer)
    with pytest.raises(DeclarationError, match="let every page in"):
        check_origin("*")


def test_a_list_is_frozen_and_equal_by_value() -> None:
    cors = CORS(SHOP, headers=["Authorization", "content-type"])
    assert cors == CORS(["https://SHOP.example:443"], headers=["Authorization"])
    assert cors.headers == ("Last-Event-ID", "Content-Type", "Authorization")
    with pytest.raises(AttributeError):
        cors.credentials = True  # type: ignore[misc]  # that is what is tested
