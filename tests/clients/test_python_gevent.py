"""The Python client once more, in a process that gevent has patched."""

from __future__ import annotations

from pathlib import Path

from gevent_run import check_under_gevent

FOLDER = Path(__file__).parent
# Where it reads, waits and gives up; the other rules know nothing of how it waits.
RULES = (
    "events_are_read_up_to_the_end",
    "a_lost_stream_goes_on_where_it_was",
    "retry_after_is_kept",
    "silence_for_three_heartbeats_is_a_lost_connection",
    "a_server_that_is_not_there_is_waited_for",
    "redirects_are_followed",
)


def test_the_python_client_under_gevent() -> None:
    rules = (FOLDER / f"test_python_rules.py::test_{name}" for name in RULES)
    check_under_gevent([FOLDER / "test_python_closing.py", *rules], timeout=120)
