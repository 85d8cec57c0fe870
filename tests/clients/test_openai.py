"""The official `openai` client, unchanged, against an sse route that answers POST."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from .conftest import missing
from .serving import OURS, Serving

try:
    import openai
except ImportError:
    openai = None  # type: ignore[assignment]  # the fixture tells


@pytest.fixture(
    scope="module", params=[OURS, "gevent", "flask"], ids=["sseworker", "gevent", "flask"]
)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Serving]:
    if openai is None:
        missing("openai")
    serving = Serving(
        "clients.chat_app:app",
        tmp_path_factory.mktemp("server"),
        worker=request.param,
        settings={"SSE_HEARTBEAT": 0.1},
    )
    yield serving
    serving.kill()


@pytest.fixture
def client(server: Serving) -> Iterator[Any]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="secret", max_retries=0) as client:
        yield client


def ask(client: Any, text: str, **options: Any) -> Any:
    messages = [{"role": "user", "content": text}]
    return client.chat.completions.create(model="echo", messages=messages, stream=True, **options)


def words_of(chunks: list[Any]) -> list[str]:
    deltas = [choice.delta.content for chunk in chunks for choice in chunk.choices]
    return [delta.strip() for delta in deltas if delta]


def test_it_reads_to_the_end(client: Any) -> None:
    """Past the `retry` at the beginning and the heartbeats of a wait, up to `[DONE]`."""
    chunks = list(ask(client, "how do wait you do"))
    assert words_of(chunks) == ["how", "do", "wait", "you", "do"]
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert {chunk.model for chunk in chunks} == {"echo"}
    assert len(chunks) == 6


def test_usage_comes_in_the_last_chunk(client: Any) -> None:
    *_, last = ask(client, "one two", stream_options={"include_usage": True})
    assert last.choices == []
    assert last.usage.total_tokens == 3


def test_the_next_request_is_answered_too(client: Any) -> None:
    for text in ("one", "two", "three"):
        assert words_of(list(ask(client, text))) == [text]


def test_chunks_come_as_they_are_made(client: Any) -> None:
    with ask(client, "first wait last") as stream:
        assert next(stream).choices[0].delta.content == "first "


def test_its_asyncio_form(server: Serving) -> None:
    async def read() -> list[Any]:
        url = f"{server.url}/v1"
        async with openai.AsyncOpenAI(base_url=url, api_key="secret", max_retries=0) as client:
            return [chunk async for chunk in await ask(client, "one two")]

    assert words_of(asyncio.run(read())) == ["one", "two"]


def test_refusals_are_its_own_errors(server: Serving, client: Any) -> None:
    url = f"{server.url}/v1"
    wrong = openai.OpenAI(base_url=url, api_key="wrong", max_retries=0)
    with wrong, pytest.raises(openai.AuthenticationError) as caught:
        ask(wrong, "one")
    assert caught.value.response.json()["detail"] == "Wrong key."
    with pytest.raises(openai.UnprocessableEntityError):
        client.chat.completions.create(model="echo", messages=[{"role": 1}], stream=True)


def test_an_error_in_its_own_form_is_raised(client: Any) -> None:
    stream = ask(client, "one refuse")
    with pytest.raises(openai.APIError, match="The model has failed"):
        list(stream)


def test_without_done_no_event_may_follow(server: Serving) -> None:
    """It takes every event for a chunk, and reads on where nothing says `[DONE]`."""
    url = f"{server.url}/plain"
    with openai.OpenAI(base_url=url, api_key="secret", max_retries=0) as client:
        assert words_of(list(ask(client, "one stop"))) == ["one", "stop"]
