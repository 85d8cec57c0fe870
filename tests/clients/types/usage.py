"""What the generated client accepts, and in the ignored lines what mypy must refuse."""

from __future__ import annotations

from api import BuildEvent, Node, Odd, Order, connect, connect_async
from typing_extensions import assert_never, assert_type

from flask_sse_routes.client import AsyncStream, Stream

client = connect("http://127.0.0.1/api", headers={"Authorization": "token"})
api, sse = client.api, client.sse


def inputs() -> None:
    api.hello()
    api.order(order_id=1)
    api.order(order_id=1, verbose=True)
    api.orders()
    api.orders(limit=1, color=["red"])
    api.orders(color=None)
    api.create(color="red", payment={"kind": "card", "number": "1"})
    api.create(color="blue", payment={"kind": "coins", "amount": 1}, points=[[1], [2, "b"]])
    api.pay(kind="cash", amount="1.50")
    api.admin.stats()
    odd: Odd = {"a-b": 1, "class": "x", "$": None}
    api.odd(**odd)
    api.nothing()  # type: ignore[attr-defined]
    api.build(steps=1)  # type: ignore[attr-defined]
    api.hello(name="x")  # type: ignore[call-arg]
    api.order()  # type: ignore[call-arg]
    api.order(order_id="1")  # type: ignore[arg-type]
    api.order(order_id=1, loud=True)  # type: ignore[call-arg]
    api.order(1)  # type: ignore[call-arg]
    api.orders(color=["green"])  # type: ignore[list-item]
    api.create(color="red", payment={"kind": "card"})  # type: ignore[arg-type]
    api.pay(kind="card", amount=1)  # type: ignore[call-overload]
    api.stats()  # type: ignore[attr-defined]


def outputs() -> None:
    order = api.order(order_id=1)
    assert_type(order, Order)
    assert_type(order["at"], str)
    assert_type(order.get("odd-name"), int | None)
    assert_type(api.list(), list[int])
    assert_type(api.orders()["next"], int | None)
    assert_type(api.admin.stats(), dict[str, int])
    if order["payment"]["kind"] == "card":
        assert_type(order["payment"]["number"], str)
    else:
        assert_type(order["payment"]["amount"], str)
    node: Node = api.tree(depth=1)
    assert_type(node["children"][0]["children"][0]["name"], str)
    order["nothing"]  # type: ignore[typeddict-item]
    order["payment"]["number"]  # type: ignore[typeddict-item]
    order["counts"]["green"]  # type: ignore[index]


def events() -> None:
    stream = sse.build(steps=3)
    assert_type(stream, Stream[BuildEvent])
    for event in stream:
        if event.event == "progress":
            assert_type(event.data["percent"], int)
            event.data["url"]  # type: ignore[typeddict-item]
        elif event.event == "done":
            assert_type(event.data["url"], str)
        elif event.event == "reset":
            assert_type(event.data["reason"], str)
        elif event.event == "snapshot":
            event.data["anything"]
        else:
            assert_never(event)
        if event.event == "progres":  # type: ignore[comparison-overlap]
            pass
    for any_event in sse.anything():
        assert_type(any_event.event, str)
    for number in sse.numbers(start=1):
        if number.event == "message":
            assert_type(number.data, int)
    sse.admin.log()
    sse.build()  # type: ignore[call-arg]
    sse.build(steps="3")  # type: ignore[arg-type]
    sse.hello()  # type: ignore[attr-defined]


async def asynchronous() -> None:
    async with connect_async("http://127.0.0.1/api") as other:
        assert_type(await other.api.order(order_id=1), Order)
        assert_type(await other.api.admin.stats(), dict[str, int])
        assert_type(other.sse.build(steps=3), AsyncStream[BuildEvent])
        async for event in other.sse.build(steps=3):
            if event.event == "done":
                assert_type(event.data["url"], str)
        await other.api.order()  # type: ignore[call-arg]
