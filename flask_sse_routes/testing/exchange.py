"""One request and its answer, as a client has them: within the process, or over a socket.

Floor 3. A `TestStream` reads the answer in a task of its own and goes away by it; what the two
forms have in common is the protocol `Exchange`.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
from collections.abc import Iterator
from typing import Any, Protocol

from ..sockets import ClientSocket
from .server_side import ServerSide

# Bytes that are read from a socket at once.
PIECE = 64 * 1024


class Exchange(Protocol):
    """What a test's stream needs of its connection."""

    status: int
    headers: Any
    # `None` where the answer is no stream.
    server: ServerSide | None

    def chunks(self) -> Iterator[bytes]:
        """Read the answer."""

    def is_cut(self) -> bool:
        """Tell whether the server has cut off a client that takes nothing."""

    def leave(self) -> None:
        """Close the client's end."""

    def half_close(self) -> None:
        """Close the client's sending half alone."""

    def close(self) -> None:
        """Free what the exchange holds, once nobody reads it."""


class LocalExchange:
    """A response of Flask's test client; a pair of sockets stands for the connection."""

    def __init__(
        self,
        response: Any,
        ends: tuple[socket.socket, socket.socket],
        server: ServerSide | None,
    ) -> None:
        self.status: int = response.status_code
        self.headers = response.headers
        self.server = server
        self._response = response
        self._client, self._server = ends

    def chunks(self) -> Iterator[bytes]:
        chunks: Iterator[bytes] = self._response.iter_encoded()
        return chunks

    def is_cut(self) -> bool:
        return ClientSocket(self._client).closed_by_peer()

    def leave(self) -> None:
        self._client.close()

    def half_close(self) -> None:
        self._client.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._response.close()
        self._client.close()
        self._server.close()


class SocketExchange:
    """A response that comes over a real socket."""

    def __init__(
        self,
        raw: socket.socket,
        response: http.client.HTTPResponse,
        server: ServerSide | None,
    ) -> None:
        self.status = response.status
        self.headers = response.headers
        self.server = server
        self._socket, self._response = raw, response

    def chunks(self) -> Iterator[bytes]:
        # A server that cuts the connection ends the stream, whatever the client's system says.
        with contextlib.suppress(OSError, http.client.HTTPException):
            while chunk := self._response.read1(PIECE):
                yield chunk

    def is_cut(self) -> bool:
        return False  # not to be known without reading, which a frozen client does not do

    def leave(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # also ends a read that waits

    def half_close(self) -> None:
        self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._response.close()
        self._socket.close()
