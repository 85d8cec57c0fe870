"""The value of an http route's answer.

Floor 3. Runs once per call, when the whole answer is there.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import httpx

from .calls import Call
from .failures import RouteError, answered_failure, is_json, media_type


@contextlib.contextmanager
def answering(call: Call) -> Iterator[None]:
    """Around a call's requests and the reading of its answer.

    Raises `RouteError` where no whole answer comes, or one that cannot be decoded.
    """
    try:
        yield
    except httpx.RequestError as error:
        why = str(error) or type(error).__name__
        raise RouteError(0, "No answer", f"{call}: {why}") from error


def value_of(response: httpx.Response) -> Any:
    """Return what a response holds: parsed JSON, the text of a `text/*`, else its bytes.

    `None` if it is empty. Raises `RouteError`.
    """
    kind = response.headers.get("Content-Type", "")
    if not response.is_success:
        raise answered_failure(response.status_code, kind, response.content)
    if not response.content:
        return None
    if is_json(kind):
        return _parsed(response)
    return response.text if media_type(kind).startswith("text/") else response.content


def _parsed(response: httpx.Response) -> Any:
    try:
        return json.loads(response.content)
    except (ValueError, RecursionError) as error:
        detail = f"{response.request.url} answered with text that is no JSON."
        raise RouteError(response.status_code, "Not JSON", detail) from error
