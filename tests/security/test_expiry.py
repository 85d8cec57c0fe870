"""What allows a stream is asked again while it is open: it ends within one heartbeat."""

from __future__ import annotations

from typing import Any

import pytest
from flask import abort

from flask_sse_routes import Context, SSERoutes, define_hook, define_route
from flask_sse_routes.extension import runtime_of
from flask_sse_routes.testing import sse_client

HEARTBEAT = 1.0


@pytest.mark.parametrize("handler", ["generator", "subscription"])
def test_an_expired_token_ends_its_stream_within_a_heartbeat(make_app: Any, handler: str) -> None:
    sse = SSERoutes()
    expired: list[bool] = []

    def check(ctx: Context) -> None:
        if expired:
            abort(401, "The token has expired.")

    def generator(ctx: Context) -> Any:
        yield 1
        ctx.sleep(60)

    handlers: dict[str, Any] = {"generator": generator, "subscription": lambda: sse.subscribe("c")}
    route = define_route(
        handlers[handler],
        kind="sse",
        hooks=[define_hook(before=check)],
        reauthorize=HEARTBEAT / 2,
    )
    app = make_app({"it": route}, SSE_HEARTBEAT=HEARTBEAT)
    with sse_client(app).open("/api/it") as stream:
        events = iter(stream)
        next(events)
        before = stream.heartbeats
        expired.append(True)
        (error,) = list(events)
        assert error.event == "error"
        assert '"status":401' in str(error.data)
        assert stream.heartbeats - before <= 1
    assert sse_client(app).open("/api/it").status == 401
    runtime_of(app).channels.close()
