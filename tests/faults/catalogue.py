"""Every scenario, in the order in which the report tells of them."""

from __future__ import annotations

from . import (
    churn,
    fan_out,
    hostile_ids,
    idle,
    kill,
    proxies,
    redis_frozen,
    redis_restarts,
    reload,
    replay,
    slow_attacks,
    slow_readers,
    soak,
    sqlite_disk,
    sqlite_processes,
    storm,
    vanished,
)
from .scenario import Scenario

_SCENARIOS: tuple[Scenario, ...] = (
    idle.SCENARIO,
    fan_out.SCENARIO,
    fan_out.GEVENT,
    replay.SCENARIO,
    kill.SCENARIO,
    kill.GEVENT,
    reload.RELOAD,
    reload.RECYCLING,
    redis_restarts.MEMORY,
    redis_restarts.FILE,
    redis_frozen.SCENARIO,
    sqlite_processes.SCENARIO,
    sqlite_disk.FULL_DISK,
    sqlite_disk.READ_ONLY_FILE,
    slow_readers.SCENARIO,
    vanished.SCENARIO,
    storm.SCENARIO,
    churn.SCENARIO,
    soak.SCENARIO,
    hostile_ids.SCENARIO,
    proxies.SCENARIO,
    slow_attacks.HEADS,
    slow_attacks.READS,
)

SCENARIOS = {scenario.key: scenario for scenario in _SCENARIOS}
