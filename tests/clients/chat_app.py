"""A server of chat completions: what clients of that API read is an sse route that answers POST."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from flask import Flask, abort
from pydantic import BaseModel

from flask_sse_routes import Context, Event, RouteBlueprint, define_hook, define_route


class ChatMessage(BaseModel):
    role: str
    content: str


class ChatRequest(BaseModel):
    model: str
    messages: list[ChatMessage]
    stream: bool = False
    stream_options: dict[str, bool] | None = None


def completions(ctx: Context, input: ChatRequest) -> Iterator[dict[str, Any] | Event]:
    """Stream the words of the last message back, as its own language model would."""
    chunk = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": input.model,
    }
    words = input.messages[-1].content.split()
    for word in words:
        if word == "wait":
            ctx.sleep(0.3)
        delta = {"role": "assistant", "content": f"{word} "}
        yield {**chunk, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
        if word == "refuse":
            yield {"error": {"message": "The model has failed.", "code": "model_failed"}}
            return
        if word == "stop":
            return
    yield {**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    if (input.stream_options or {}).get("include_usage"):
        usage = {
            "prompt_tokens": 1,
            "completion_tokens": len(words),
            "total_tokens": 1 + len(words),
        }
        yield {**chunk, "choices": [], "usage": usage}
    yield Event(raw="[DONE]")


def check_key(ctx: Context) -> None:
    if ctx.request.headers.get("Authorization") != "Bearer secret":
        abort(401, "Wrong key.")


def chat(on_end: str) -> Any:
    return define_route(
        completions,
        kind="sse",
        method="POST",
        path="/chat/completions",
        input=ChatRequest,
        hooks=[define_hook("key", before=check_key)],
        on_end=on_end,
    )


app = Flask(__name__)
for prefix, on_end in (("v1", "stop"), ("plain", "reconnect")):
    routes = {"completions": chat(on_end)}
    app.register_blueprint(RouteBlueprint(prefix, __name__, routes, url_prefix=f"/{prefix}"))
