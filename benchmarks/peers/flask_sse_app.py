"""flask-sse: each client's stream follows a channel of Redis over a connection of its own."""

from __future__ import annotations

import os
import time

from flask import Flask, Response, jsonify, request
from flask_sse import Message, sse
from workload import item, message, seconds_until

app = Flask(__name__)
app.config["REDIS_URL"] = os.environ["REDIS_URL"]
app.register_blueprint(sse, url_prefix="/events")


@app.get("/publish")
def publish() -> Response:
    count, rate = request.args.get("count", 0, int), request.args.get("rate", 0, float)
    begun = time.monotonic()
    for number in range(count):
        time.sleep(seconds_until(begun, number, rate) if rate else 0)
        sse.publish(message(number))
    return jsonify(count)


@app.get("/stream")
def stream() -> Response:
    count = request.args.get("count", 0, int)
    chunks = (str(Message(item(number))) for number in range(count))
    return Response(chunks, mimetype="text/event-stream")


@app.get("/subscribers")
def subscribers() -> Response:
    ((_, count),) = sse.redis.pubsub_numsub("sse")
    return jsonify(subscribers=count)


@app.get("/json")
def plain() -> Response:
    return jsonify(hello="world")
