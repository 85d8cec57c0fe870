"""Is the broker there?

Floor 1. It is asked in a task of its own, because a driver may take longer than whoever wants to
know, and one question at a time, however many want to.
"""

from __future__ import annotations

import threading

from . import concurrency
from .brokers.base import Broker
from .logs import Log

log = Log(__name__)

# Seconds that a broker has to answer.
PATIENCE = 1.0


class Pulse:
    """Asks a broker whether it is there; who comes meanwhile waits for the same answer."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._lock = threading.Lock()
        self._asked: _Question | None = None

    def beats(self) -> bool:
        """Tell whether the broker answers within `PATIENCE`; one within the process always does."""
        if not self._broker.shared:
            return True
        with self._lock:
            question = self._asked
            if question is None or question.answered.is_set():
                question = self._asked = _Question(self._broker)
                try:
                    concurrency.task(question.ask, "sse-health").start()
                except RuntimeError as error:  # no thread left
                    log.warning("The broker could not be asked: %s", error)
                    question.answered.set()
        return question.answered.wait(PATIENCE) and question.good


class _Question:
    """One question to a broker."""

    def __init__(self, broker: Broker) -> None:
        self.answered = threading.Event()
        self.good = False
        self._broker = broker

    def ask(self) -> None:
        try:
            self._broker.newest()
            self.good = True
        except Exception as error:
            log.debug("The broker is not well: %s", error)
        finally:
            self.answered.set()
