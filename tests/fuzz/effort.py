"""How many examples there are, and of which length: few and fixed, or many and others each time."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

# For what ends a play: else most would be short.
seldom = st.sampled_from([False] * 9 + [True])

TIMES = int(os.environ.get("FUZZ", "0"))


def effort(examples: int, **options: Any) -> settings:
    """Return settings for so many examples in the short form."""
    return settings(
        max_examples=examples * max(TIMES, 1),
        derandomize=not TIMES,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        **options,
    )


def play(machine: type[RuleBasedStateMachine], examples: int, steps: int) -> None:
    """Run a machine so many times, at most so many steps each."""
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine, settings=effort(examples, stateful_step_count=steps)
    )
