"""Configuration: defaults, what each key refuses, and where values come from."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from flask import Flask

from flask_sse_routes import Config, ConfigError, RouteBlueprint, SSERoutes, define_route
from flask_sse_routes.extension import runtime_of

DEFAULTS = {
    "SSE_HEARTBEAT": 15,
    "SSE_RETRY": 1500,
    "SSE_OPEN_TIMEOUT": 0.25,
    "SSE_SEND_TIMEOUT": 30,
    "SSE_MAX_STREAMS": None,
    "SSE_MAX_STREAMS_PER_CLIENT": None,
    "SSE_MAX_EVENT_BYTES": 1024 * 1024,
    "SSE_BROKER_URL": "memory://",
    "SSE_HISTORY": 1000,
    "SSE_HISTORY_AGE": 3600,
    "SSE_VALIDATE_OUTPUT": True,
    "SSE_EXPLORER": None,
}
SECONDS = ("SSE_HEARTBEAT", "SSE_SEND_TIMEOUT", "SSE_HISTORY_AGE")
COUNTS = ("SSE_RETRY", "SSE_MAX_EVENT_BYTES", "SSE_HISTORY")
LIMITS = ("SSE_MAX_STREAMS", "SSE_MAX_STREAMS_PER_CLIENT")
BAD = [
    *(
        (key, value)
        for key in SECONDS
        for value in (0, -1, "15", True, None, float("nan"), float("inf"))
    ),
    *(("SSE_OPEN_TIMEOUT", value) for value in (-0.1, "1", False, None, float("nan"))),
    *((key, value) for key in COUNTS for value in (0, -1, 1.5, "10", True, None)),
    ("SSE_RETRY", 86_400_001),
    ("SSE_RETRY", 3_000_000_000),
    *((key, value) for key in LIMITS for value in (0, -1, 1.5, "10", True)),
    *(("SSE_BROKER_URL", value) for value in ("", None, 5)),
    *(("SSE_VALIDATE_OUTPUT", value) for value in (1, 0, "yes", None)),
]


def read(environ: dict[str, str] | None = None, **keys: Any) -> Config:
    return Config.read(keys, environ)


def name(key: str) -> str:
    return key.removeprefix("SSE_").lower()


@pytest.mark.parametrize("key", DEFAULTS)
def test_defaults(key: str) -> None:
    assert getattr(read(), name(key)) == DEFAULTS[key]


def test_it_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        read().heartbeat = 1  # type: ignore[misc]  # wrong on purpose


@pytest.mark.parametrize(("key", "value"), BAD)
def test_a_bad_value_is_refused_and_named(key: str, value: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        read(**{key: value})
    assert str(caught.value).startswith(f"{key} must be")
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("SSE_HEARTBEAT", 0.5),
        ("SSE_OPEN_TIMEOUT", 0),
        ("SSE_RETRY", 1),
        ("SSE_RETRY", 86_400_000),
        ("SSE_MAX_STREAMS", 1),
        ("SSE_MAX_STREAMS", None),
        ("SSE_VALIDATE_OUTPUT", False),
        ("SSE_BROKER_URL", "sqlite:///x"),
    ],
)
def test_a_good_value_is_taken(key: str, value: Any) -> None:
    assert getattr(read(**{key: value}), name(key)) == value


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("SSE_HEART_BEAT", "SSE_HEARTBEAT"),
        ("SSE_MAX_STREAM", "SSE_MAX_STREAMS"),
        ("SSE_OPEN_TIMEOUTS", "SSE_OPEN_TIMEOUT"),
    ],
)
def test_an_unknown_key_names_the_nearest(wrong: str, right: str) -> None:
    sentence = f"'{wrong}'.*mean '{right}'"
    with pytest.raises(ConfigError, match=sentence):
        read(**{wrong: 1})
    with pytest.raises(ConfigError, match=sentence):
        read({f"FLASK_{wrong}": "1"})


def test_an_unknown_key_that_is_near_to_nothing_names_one_too() -> None:
    with pytest.raises(ConfigError, match=r"'SSE_ZZZ'.*mean 'SSE_"):
        read(SSE_ZZZ=1)


def test_keys_of_others_are_let_pass() -> None:
    assert read(SSE_REDIS_URL="redis://localhost", SECRET_KEY="x", SSECRET=1) == read()
    assert read({"FLASK_SSE_REDIS_URL": "redis://localhost", "FLASK_DEBUG": "1"}) == read()


def test_the_environment_wins() -> None:
    environ = {
        "FLASK_SSE_HEARTBEAT": "2.5",
        "FLASK_SSE_MAX_STREAMS": "7",
        "FLASK_SSE_VALIDATE_OUTPUT": "false",
        "FLASK_SSE_BROKER_URL": "sqlite:///x",
        "SSE_RETRY": "5",
    }
    config = read(environ, SSE_HEARTBEAT=9, SSE_RETRY=700)
    assert (config.heartbeat, config.max_streams, config.validate_output) == (2.5, 7, False)
    assert (config.broker_url, config.retry) == ("sqlite:///x", 700)


def test_a_bad_value_of_the_environment_is_refused() -> None:
    with pytest.raises(ConfigError, match="SSE_HEARTBEAT must be"):
        read({"FLASK_SSE_HEARTBEAT": "often"})


@pytest.mark.parametrize(
    "set_up", [SSERoutes, lambda app: app.register_blueprint(RouteBlueprint("api", __name__))]
)
def test_a_mistake_fails_when_the_app_is_set_up(set_up: Any) -> None:
    app = Flask("application")
    app.config["SSE_HEARTBEATS"] = 5
    with pytest.raises(ConfigError, match="mean 'SSE_HEARTBEAT'"):
        set_up(app)


def test_the_environment_is_read_by_an_app(make_app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLASK_SSE_HEARTBEAT", "7")
    app = make_app({"it": define_route(lambda: iter([1]), kind="sse")}, SSE_HEARTBEAT=9)
    assert app.test_client().head("/api/it").headers["SSE-Heartbeat"] == "7"


def test_it_is_frozen_at_the_first_request(make_app: Any) -> None:
    app = make_app({"it": define_route(lambda: iter([1]), kind="sse")}, SSE_HEARTBEAT=9)
    app.config["SSE_HEARTBEAT"] = 8
    client = app.test_client()
    assert client.head("/api/it").headers["SSE-Heartbeat"] == "8"
    app.config["SSE_HEARTBEAT"] = 7
    assert client.head("/api/it").headers["SSE-Heartbeat"] == "8"
    with app.app_context():
        assert runtime_of(app).config.heartbeat == 8
