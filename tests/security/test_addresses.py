"""A client's address is what trusted proxies say, and never what a client says itself."""

from __future__ import annotations

import contextlib
import logging
from typing import Any

import pytest
from e2e.waiting import wait_for
from flask import Flask, request
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_sse_routes import Config, ConfigError, Context, define_route
from flask_sse_routes.addresses import client_of, counted, trusted
from flask_sse_routes.diagnosis import _is_named
from flask_sse_routes.extension import runtime_of
from flask_sse_routes.testing import sse_client

KEY = "SSE_TRUSTED_PROXIES"
NEAR, FAR = "10.0.0.7", "10.9.9.9"
LIST = trusted(KEY, ["10.0.0.0/8", "::1", "2001:db8:f::/48"])


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        (NEAR, "203.0.113.9", "203.0.113.9"),
        (NEAR, f"203.0.113.9, {FAR}", "203.0.113.9"),
        # A client adds what it likes on the left.
        (NEAR, "1.1.1.1, 203.0.113.9", "203.0.113.9"),
        (NEAR, f"{FAR}, 203.0.113.9", "203.0.113.9"),
        (NEAR, f"1.1.1.1, 203.0.113.9, {FAR}", "203.0.113.9"),
        # Somebody who is no proxy.
        ("203.0.113.5", "1.1.1.1", "203.0.113.5"),
        ("203.0.113.5", f"1.1.1.1, {NEAR}", "203.0.113.5"),
        ("2001:db8:e::1", "1.1.1.1", "2001:db8:e::1"),
        ("::1", "2001:db8::5", "2001:db8::5"),
        ("2001:db8:f::7", "203.0.113.9", "203.0.113.9"),
        # How others write addresses.
        (NEAR, "203.0.113.9:41000", "203.0.113.9"),
        (NEAR, "[2001:db8::5]:41000", "2001:db8::5"),
        (NEAR, "[2001:db8::5]", "2001:db8::5"),
        (NEAR, "2001:DB8::0005", "2001:db8::5"),
        (NEAR, "::ffff:203.0.113.9", "203.0.113.9"),
        ("::ffff:10.0.0.7", "203.0.113.9", "203.0.113.9"),
        (NEAR, "fe80::1%eth0", "fe80::1"),
        # All of them are proxies: the farthest is as near to the client as can be told.
        (NEAR, FAR, FAR),
        (NEAR, f"{FAR},10.1.1.1", FAR),
        # What is no address ends the way.
        (NEAR, "", NEAR),
        (NEAR, " , ", NEAR),
        (NEAR, "unknown", NEAR),
        (NEAR, "_hidden", NEAR),
        (NEAR, f"203.0.113.9, unknown, {FAR}", FAR),
        (NEAR, "203.0.113.9, 999.1.1.1", NEAR),
        (NEAR, "203.0.113.9;", NEAR),
        (NEAR, "0x7f.1", NEAR),
        (NEAR, "203.0.113.9\r\nforged", NEAR),
        (NEAR, "," * 9000, NEAR),
        (NEAR, "\u0661.1.1.1", NEAR),
        # A Unix socket that nobody named.
        ("", "203.0.113.9", None),
        (None, "203.0.113.9", None),
        ("localhost", "203.0.113.9", "localhost"),
    ],
)
def test_the_header_is_read_from_the_right(
    peer: str | None, forwarded: str, client: str | None
) -> None:
    assert client_of(peer, forwarded, LIST) == client


@pytest.mark.parametrize("peer", ["", None, "localhost"])
def test_a_unix_socket_is_a_proxy_where_it_is_named(peer: str | None) -> None:
    assert client_of(peer, "203.0.113.9", trusted(KEY, "unix")) == "203.0.113.9"
    assert client_of("203.0.113.5", "1.1.1.1", trusted(KEY, "unix")) == "203.0.113.5"


def test_without_a_list_the_header_is_nothing() -> None:
    assert client_of(NEAR, "203.0.113.9", ()) == NEAR
    assert client_of("::1", "203.0.113.9", ()) == "::1"


@pytest.mark.parametrize(
    ("address", "group"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("::ffff:203.0.113.9", "::ffff:203.0.113.9"),
        (None, None),
        ("localhost", "localhost"),
    ],
)
def test_ipv6_is_counted_by_its_network(address: str | None, group: str | None) -> None:
    assert counted(address) == group


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ([], ()),
        ("", ()),
        ("10.0.0.7", ("10.0.0.7/32",)),
        ("10.0.0.0/8, ::1,unix", ("10.0.0.0/8", "::1/128", "unix")),
        (("10.0.0.0/8",), ("10.0.0.0/8",)),
    ],
)
def test_the_list_is_read(value: Any, found: tuple[str, ...]) -> None:
    assert tuple(map(str, Config.read({KEY: value}).trusted_proxies)) == found


@pytest.mark.parametrize("text", ["10.0.0.0/8,::1", '["10.0.0.0/8", "::1"]'])
def test_it_is_read_from_the_environment(text: str) -> None:
    read = Config.read({}, {f"FLASK_{KEY}": text})
    assert tuple(map(str, read.trusted_proxies)) == ("10.0.0.0/8", "::1/128")


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (["10.0.0.1/8"], "host bits set"),
        ("nginx", "'nginx' does not appear"),
        (["10.0.0.0/8", 7], "as text"),
        (1, "must be a list"),
        (True, "must be a list"),
        ("*", "networks such as"),
    ],
)
def test_a_mistake_is_told(value: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as refused:
        Config.read({KEY: value})
    assert KEY in str(refused.value)


# --- what follows from it


def wait(ctx: Context) -> Any:
    yield ctx.request.remote_addr
    ctx.sleep(60)


def open_from(app: Flask, peer: str, forwarded: str) -> Any:
    headers = {"X-Forwarded-For": forwarded}
    return sse_client(app).open("/api/it", headers=headers, environ_overrides={"REMOTE_ADDR": peer})


def limited(make_app: Any, **more: Any) -> Flask:
    app: Flask = make_app(
        {"it": define_route(wait, kind="sse")}, SSE_MAX_STREAMS_PER_CLIENT=1, **more
    )
    return app


def let_in(app: Flask, *requests: tuple[str, str]) -> list[bool]:
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(open_from(app, *each)) for each in requests]
        found = ["SSE-Refused" not in each.headers for each in opened]
    wait_for(lambda: not runtime_of(app).streams.open(), "the places are free again")
    return found


def test_a_forged_header_gives_nobody_another_place(make_app: Any) -> None:
    app = limited(make_app, SSE_TRUSTED_PROXIES=["10.0.0.0/8"])
    forged = [("203.0.113.5", f"1.1.1.{n}") for n in range(4)]
    assert let_in(app, *forged) == [True, False, False, False]
    behind = [(NEAR, f"1.1.1.{n}, 203.0.113.9") for n in range(4)]
    assert let_in(app, *behind) == [True, False, False, False]
    assert let_in(app, (NEAR, "203.0.113.9"), (NEAR, "203.0.113.8")) == [True, True]


def test_without_the_list_a_proxy_is_one_client(make_app: Any) -> None:
    app = limited(make_app)
    assert let_in(app, (NEAR, "203.0.113.9"), (NEAR, "203.0.113.8")) == [True, False]


def test_an_ipv6_network_has_one_clients_places(make_app: Any) -> None:
    app = limited(make_app)
    mine = [("2001:db8:1:2::1", ""), ("2001:db8:1:2:ffff::2", ""), ("2001:db8:1:3::1", "")]
    assert let_in(app, *mine) == [True, False, True]


def test_a_user_may_be_called_like_an_address(make_app: Any) -> None:
    """Nobody takes the places of an address by calling themselves so."""
    app = limited(make_app, identify=lambda request: request.headers.get("X-User"))
    with sse_client(app).open("/api/it", headers={"X-User": NEAR}) as first:
        assert "SSE-Refused" not in first.headers
        with open_from(app, NEAR, "") as second:
            assert "SSE-Refused" not in second.headers


def test_the_request_stays_werkzeugs(make_app: Any) -> None:
    app = limited(make_app, SSE_TRUSTED_PROXIES=["10.0.0.0/8"])
    with open_from(app, NEAR, "203.0.113.9") as stream:
        assert stream.json() == NEAR


@pytest.mark.parametrize("proxies", [(), ("10.0.0.0/8",)])
def test_beside_proxy_fix(make_app: Any, proxies: Any) -> None:
    """It has put the client's address in its place: a list changes nothing then."""
    app = limited(make_app, SSE_TRUSTED_PROXIES=proxies)
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1)  # type: ignore[method-assign]  # as its docs do
    chain = [(NEAR, f"1.1.1.{n}, 203.0.113.9") for n in range(3)]
    assert let_in(app, *chain) == [True, False, False]
    assert let_in(app, (NEAR, "203.0.113.9"), (NEAR, "203.0.113.8")) == [True, True]


def test_the_doctor_knows_of_the_list(make_app: Any) -> None:
    environ = {"REMOTE_ADDR": NEAR, "HTTP_X_FORWARDED_FOR": "203.0.113.9"}
    for proxies, named in (((), False), (("10.0.0.0/8",), True), (("unix",), False)):
        app = make_app(SSE_TRUSTED_PROXIES=proxies)
        with app.test_request_context("/api/sse-doctor", environ_overrides=environ):
            assert _is_named(request.environ) is named


def test_log_lines_name_the_client(make_app: Any, caplog: Any, eventually: Any) -> None:
    app = limited(make_app, SSE_TRUSTED_PROXIES=["10.0.0.0/8"])
    caplog.set_level(logging.INFO, "flask_sse_routes.access")
    with open_from(app, NEAR, "203.0.113.9"):
        pass
    eventually(lambda: caplog.messages)
    assert caplog.messages[0].startswith('203.0.113.9 "it" ')
