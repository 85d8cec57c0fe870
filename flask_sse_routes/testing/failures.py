"""What a test is told when a stream does not do what it expects.

Floor 3. All are `AssertionError`s, and say what was received before.
"""

from __future__ import annotations


class StreamTimeout(AssertionError):
    """What was waited for did not come in time; the message says what was received before."""


class StreamEnded(AssertionError):
    """The stream ended where something else was expected; says what was received before."""


class UnexpectedEvent(AssertionError):
    """Another event, or another status, came than the one that was expected."""
