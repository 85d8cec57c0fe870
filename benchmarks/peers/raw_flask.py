"""Flask alone, as its users write it: a queue for each client, and a generator that reads it."""

from __future__ import annotations

import json
import queue
import time
from collections.abc import Iterator
from typing import Any

from flask import Flask, Response, jsonify, request
from workload import HEARTBEAT, item, message, seconds_until

app = Flask(__name__)
clients: set[queue.Queue[str]] = set()


def encode(data: Any) -> str:
    return f"data: {json.dumps(data)}\n\n"


def event_stream(chunks: Iterator[str]) -> Response:
    headers = {"Cache-Control": "no-store"}
    return Response(chunks, mimetype="text/event-stream", headers=headers)


def follow() -> Iterator[str]:
    mine: queue.Queue[str] = queue.Queue()
    clients.add(mine)
    try:
        yield ":\n"
        while True:
            try:
                yield mine.get(timeout=HEARTBEAT or None)
            except queue.Empty:
                yield ":\n"
    finally:
        clients.discard(mine)


@app.get("/events")
def events() -> Response:
    return event_stream(follow())


@app.get("/publish")
def publish() -> Response:
    count, rate = request.args.get("count", 0, int), request.args.get("rate", 0, float)
    begun = time.monotonic()
    for number in range(count):
        time.sleep(seconds_until(begun, number, rate) if rate else 0)
        text = encode(message(number))
        for client in clients:
            client.put_nowait(text)
    return jsonify(count)


@app.get("/stream")
def stream() -> Response:
    count = request.args.get("count", 0, int)
    return event_stream(encode(item(number)) for number in range(count))


@app.get("/subscribers")
def subscribers() -> Response:
    return jsonify(subscribers=len(clients))


@app.get("/json")
def plain() -> Response:
    return jsonify(hello="world")
