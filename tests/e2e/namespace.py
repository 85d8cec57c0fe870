"""A host of the tests' own behind a virtual cable, which can be pulled."""

from __future__ import annotations

import os
import subprocess
import sys

# Follows targets of a server, says when it has their first events, and stays until it is told.
CLIENT = """
import socket, sys
host, port, *targets = sys.argv[1:]
streams = []
for target in targets:
    streams.append(socket.create_connection((host, int(port)), 10))
    head = f"GET {target} HTTP/1.1\\r\\nHost: there\\r\\nAccept: text/event-stream\\r\\n\\r\\n"
    streams[-1].sendall(head.encode())
for stream in streams:
    seen = b""
    while not (b"data: " in seen and b"\\n\\n" in seen.split(b"data: ", 1)[1]):
        piece = stream.recv(65536)
        assert piece, seen
        seen += piece
print("connected", flush=True)
sys.stdin.read()
"""


class Namespace:
    """A network namespace with one interface; the other end of its cable is `address`."""

    def __init__(self, program: str) -> None:
        self._program = program
        self._name = f"sse{os.getpid()}"
        self._ends = f"sse{os.getpid()}a", f"sse{os.getpid()}b"
        self._clients: list[subprocess.Popen[str]] = []
        # Of the block that is kept for documentation (RFC 5737), so that nobody else has it.
        self.address, self._theirs = "198.51.100.1", "198.51.100.2"
        here, there = self._ends
        try:
            self._ip("netns", "add", self._name)
            self._ip("link", "add", here, "type", "veth", "peer", "name", there)
            self._ip("link", "set", there, "netns", self._name)
            self._ip("address", "add", f"{self.address}/30", "dev", here)
            self._ip("link", "set", here, "up")
            self._ip("-n", self._name, "address", "add", f"{self._theirs}/30", "dev", there)
            self._ip("-n", self._name, "link", "set", there, "up")
        except BaseException:
            self.remove()
            raise

    def follow(self, port: int, targets: list[str]) -> None:
        """Have a client there open streams; returns when it has the first event of each."""
        command = [self._program, "netns", "exec", self._name, sys.executable, "-c", CLIENT]
        client = subprocess.Popen(
            [*command, self.address, str(port), *targets],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._clients.append(client)
        assert client.stdout is not None
        assert client.stdout.readline() == "connected\n"

    def pull(self) -> None:
        """Pull the cable out: from now on nothing arrives, and nobody says goodbye."""
        self._ip("-n", self._name, "link", "set", self._ends[1], "down")

    def remove(self) -> None:
        """End what runs there, and remove it."""
        for client in self._clients:
            client.kill()
            client.communicate()
        for command in (("link", "del", self._ends[0]), ("netns", "del", self._name)):
            subprocess.run([self._program, *command], check=False, capture_output=True)

    def _ip(self, *arguments: str) -> None:
        done = subprocess.run([self._program, *arguments], capture_output=True, text=True)
        if done.returncode:
            raise OSError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
