"""What `flask sse top` asks every worker over the broker, and what a worker answers.

Floor 1. Questions and answers have channels of their own, so that no number of them pushes
anything out of another channel's history. A worker answers in a task of its own, from the first
stream on that it has opened.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from typing import Any

from . import concurrency
from .bodies import make_body
from .channels import ChannelHub
from .errors import BrokerUnavailable
from .followers import ChannelReader
from .logs import Log
from .streams import Streams

log = Log(__name__)

# Control characters are refused in the names of channels, so nobody else's are these.
QUESTIONS, ANSWERS = "\x00top", "\x00top-answers"
# Seconds between attempts to listen, while the broker is away.
RETRY = 1.0


class Reporter(ChannelReader):
    """Answers whoever asks what the streams of one app in this process are at."""

    def __init__(self, hub: ChannelHub, streams: Streams) -> None:
        super().__init__(hub, (QUESTIONS,))
        self._streams = streams
        # Names this app's counters in this life of the process.
        self._name = secrets.token_hex(4)
        self._asked: set[str] = set()
        self._answers = False

    def begin(self) -> None:
        """Listen for questions from now on, or from when the broker is there."""
        try:
            self.open(None, None)
        except BrokerUnavailable:
            concurrency.task(self._open_late, "sse-reports").start()

    def _open_late(self) -> None:
        while not self.ended:
            time.sleep(RETRY)
            try:
                self.open(None, None)
            except BrokerUnavailable as error:
                log.debug("Nobody can ask this process yet: %s", error)
            else:
                return

    def wake(self) -> None:
        while events := self.take_events():
            for event in events:
                question = event.data.get("ask") if isinstance(event.data, dict) else None
                if event.event is None and isinstance(question, str):
                    self._asked.add(question)
        if self._asked and not self._answers:
            self._begin_to_answer()

    def _begin_to_answer(self) -> None:
        """Answer in another task: the tail, which this is, has others to wake."""
        self._answers = True
        try:
            concurrency.task(self._answer, "sse-report").start()
        except RuntimeError as error:  # no thread left
            self._answers = False
            log.debug("A question cannot be answered: %s", error)

    def _answer(self) -> None:
        try:
            while self._asked:
                report = self._report(self._asked.pop())
                self.hub.broker.append(ANSWERS, make_body(report))
        except BrokerUnavailable as error:
            log.debug("A report could not be sent: %s", error)
        finally:
            self._answers = False

    def _report(self, question: str) -> dict[str, Any]:
        return {
            "question": question,
            "name": self._name,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "at": time.monotonic(),
            "draining": self._streams.draining,
            **self._streams.stats()._asdict(),
        }


class Survey(ChannelReader):
    """Asks all processes on a broker, and collects what they answer."""

    def __init__(self, hub: ChannelHub) -> None:
        """Begin to listen for answers. Raises `BrokerUnavailable`."""
        super().__init__(hub, (ANSWERS,))
        self._question = secrets.token_hex(8)
        self.open(None, None)

    def ask(self) -> None:
        """Put the question. Raises `BrokerUnavailable`."""
        self.hub.broker.append(QUESTIONS, make_body({"ask": self._question}))

    def collect(self, seconds: float) -> list[dict[str, Any]]:
        """Return the answers that come within some time."""
        deadline = time.monotonic() + seconds
        found: list[dict[str, Any]] = []
        while (left := deadline - time.monotonic()) > 0:
            self.signal.wait(left)
            self.signal.clear()
            while events := self.take_events():
                found += [e.data for e in events if e.event is None and self._is_mine(e.data)]
        return found

    def _is_mine(self, answer: Any) -> bool:
        return isinstance(answer, dict) and answer.get("question") == self._question
