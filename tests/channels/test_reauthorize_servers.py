"""`reauthorize=` on real servers, also where a stream's connection has been taken over."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from e2e.servers import COMMANDS, Server
from e2e.waiting import wait_for

KINDS = ("flask", "gevent", "gthread", "sseworker")
COMMANDS.update(
    {f"guarded {kind}": [*COMMANDS[kind][:-1], "channels.guarded:app"] for kind in KINDS[1:]}
)
FLASK = COMMANDS["flask"]
COMMANDS["guarded flask"] = [
    *FLASK[: FLASK.index("--app") + 1], "channels.guarded:app", *FLASK[FLASK.index("--app") + 2 :]
]  # fmt: skip


@pytest.fixture(name="server", scope="module", params=KINDS)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    found = Server(f"guarded {request.param}", tmp_path_factory.mktemp(request.param))
    yield found
    found.kill()


@pytest.mark.parametrize("route", ["tick", "follow"])
def test_a_token_that_is_taken_back_ends_its_stream(server: Server, route: str) -> None:
    token = f"token of {route}"
    assert server.open(route, token).status == 401
    server.tell("/api/give", token=token)
    stream = server.open(route, token)
    stream.next()

    def asked() -> int:
        return int(server.json(f"/api/count?token={token.replace(' ', '+')}"))

    wait_for(lambda: asked() >= 5, "the hook is asked again and again")
    assert server.stats()["streams"] == 1
    server.tell("/api/take_back", token=token)
    error = stream.next()
    stream.read_to_end()
    assert stream.complete
    assert (error.event.event, json.loads(error.event.data)["status"]) == ("error", 401)
    headers = {"Last-Event-ID": stream.last_event_id}
    assert server.open(route, token, headers=headers).status == 204
    server.settle()
    assert "Traceback" not in server.log


@pytest.mark.parametrize("route", ["tick", "follow"])
def test_nobody_is_asked_for_a_client_that_has_left(server: Server, route: str) -> None:
    for token in ("leaves", "stays"):
        server.tell("/api/give", token=token)

    def asked(token: str) -> int:
        return int(server.json(f"/api/count?token={token}"))

    def let_turns_pass(count: int) -> None:
        wanted = asked("stays") + count
        wait_for(lambda: asked("stays") >= wanted, "the other is asked")

    staying = server.open(route, "stays")
    leaving = server.open(route, "leaves")
    wait_for(lambda: asked("leaves") >= 3, "it is asked")
    leaving.close()
    wait_for(lambda: server.stats()["streams"] == 1, "one has left")
    let_turns_pass(2)  # it may have been on its way just then
    before = asked("leaves")
    let_turns_pass(3)
    assert asked("leaves") == before
    staying.close()
    server.settle()
