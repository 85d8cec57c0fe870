"""The largest body of a request that a declared route reads: `SSE_MAX_BODY_BYTES`.

Floor 2. Runs before a route's input is read. A body that says its length is refused unread;
one that comes in chunks is read up to the limit and one byte more, which tells that it is too
large. A length beside a transfer coding is not believed (RFC 9112, section 6.3).
"""

from __future__ import annotations

import io
from typing import Any

from flask import current_app
from flask.wrappers import Request
from werkzeug.exceptions import RequestEntityTooLarge

# Bytes that are asked for at once.
PIECE = 64 * 1024


def bound(request: Request, limit: int | None) -> None:
    """Refuse a body larger than `limit`, or than Flask's `MAX_CONTENT_LENGTH`, where less.

    What a `before_request` function has set as `request.max_content_length` counts alone.
    Raises `RequestEntityTooLarge`.
    """
    least = _least(request, limit)
    if least is None:
        return
    environ = request.environ
    if request.content_length is not None and "HTTP_TRANSFER_ENCODING" not in environ:
        if request.content_length > least:
            raise _too_large(least)
        return
    if "wsgi.input_terminated" not in environ or "stream" in request.__dict__:
        return  # there is nothing that Werkzeug would read, or it was read before
    original = environ["wsgi.input"]
    environ["wsgi.input"] = io.BytesIO(_read(original, least))
    try:
        _ = request.stream  # keeps what it finds
    finally:
        environ["wsgi.input"] = original


def _least(request: Request, limit: int | None) -> int | None:
    everywhere, here = current_app.config["MAX_CONTENT_LENGTH"], request.max_content_length
    limits = [here] if here != everywhere else [limit, everywhere]
    return min((each for each in limits if each is not None), default=None)


def _read(stream: Any, limit: int) -> bytes:
    """Read to the end. Raises `RequestEntityTooLarge` as soon as there is more than `limit`."""
    found = bytearray()
    while piece := stream.read(min(PIECE, limit + 1 - len(found))):
        found += piece
        if len(found) > limit:
            raise _too_large(limit)
    return bytes(found)


def _too_large(limit: int) -> RequestEntityTooLarge:
    return RequestEntityTooLarge(f"The body of this request may have {limit} bytes at most.")
