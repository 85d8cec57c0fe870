"""The bell: who listens is woken, and who rings is never held up."""

from __future__ import annotations

import gc
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flask_sse_routes.brokers import bell as bell_module
from flask_sse_routes.brokers.bell import Bell, BellListener

from .waiting import LIMIT, end, start_python, wait_for

# Says when it listens, and each time it was woken.
LISTEN = """
import sys, time
from flask_sse_routes.brokers.bell import BellListener
listener = BellListener(sys.argv[1])
listener.wait(0)
print("listening", flush=True)
while True:
    began = time.monotonic()
    listener.wait(60)
    print("woken" if time.monotonic() - began < 50 else "late", flush=True)
"""
RING = """
import sys
from flask_sse_routes.brokers.bell import Bell
bell = Bell(sys.argv[1])
for line in sys.stdin:
    bell.ring()
    print("rung", flush=True)
"""

Listen = Callable[..., BellListener]


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return str(tmp_path / "bell")


@pytest.fixture
def bell(folder: str) -> Iterator[Bell]:
    bell = Bell(folder)
    yield bell
    bell.close()


@pytest.fixture
def listen(folder: str) -> Iterator[Listen]:
    listeners: list[BellListener] = []

    def make(where: str = folder) -> BellListener:
        listeners.append(BellListener(where))
        # Past the short first wait, which belongs to those who do not know it yet.
        listeners[-1].wait(0)
        return listeners[-1]

    yield make
    for listener in listeners:
        listener.close()


def names(folder: str | Path) -> list[str]:
    return [path.name for path in Path(folder).iterdir()]


def waited(listener: BellListener, seconds: float) -> float:
    began = time.monotonic()
    listener.wait(seconds)
    return time.monotonic() - began


def talk(process: subprocess.Popen[str], line: str | None = None) -> str:
    if line is not None:
        assert process.stdin is not None
        process.stdin.write(f"{line}\n")
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_ring_wakes_and_without_one_it_waits(bell: Bell, listen: Listen) -> None:
    listener = listen()
    bell.ring()
    assert waited(listener, LIMIT) < LIMIT / 2
    assert waited(listener, 0.2) >= 0.19


def test_a_ring_may_leave_one_out(bell: Bell, listen: Listen) -> None:
    one, other = listen(), listen()
    bell.ring(but=one.name)
    assert waited(other, LIMIT) < LIMIT / 2
    assert waited(one, 0.2) >= 0.19


def test_a_ring_wakes_who_waits_already(bell: Bell, listen: Listen) -> None:
    listener = listen()
    took: list[float] = []
    waiting = threading.Thread(target=lambda: took.append(waited(listener, LIMIT)))
    waiting.start()

    def rung_and_heard() -> bool:
        bell.ring()
        return not waiting.is_alive()

    wait_for(rung_and_heard, "the wait ends")
    waiting.join()
    assert took[0] < LIMIT / 2


def test_other_processes_are_woken(folder: str, bell: Bell) -> None:
    listeners = [start_python(LISTEN, folder) for _ in range(2)]
    try:
        assert [talk(listener) for listener in listeners] == ["listening"] * 2
        for _ in range(3):
            bell.ring()
            assert [talk(listener) for listener in listeners] == ["woken"] * 2
    finally:
        for listener in listeners:
            end(listener)


def test_other_processes_wake(folder: str, listen: Listen) -> None:
    ringer = start_python(RING, folder)
    try:
        assert talk(ringer, "without anybody") == "rung"
        listeners = [listen(), listen()]
        time.sleep(2 * bell_module.FRESH)
        # Whoever came after the folder was read is found, once it may have changed again.
        for _ in range(3):
            assert talk(ringer, "again") == "rung"
            assert [waited(listener, LIMIT) < LIMIT / 2 for listener in listeners] == [True] * 2
    finally:
        end(ringer)


def test_a_newcomer_within_one_tick_of_the_folders_clock_is_found(
    folder: str, bell: Bell, listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bell_module, "FRESH", 0)
    listen()
    bell.ring()
    seen = Path(folder).stat()
    listener = listen()
    os.utime(folder, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    bell.ring()
    assert waited(listener, LIMIT) < LIMIT / 2


def test_a_newcomer_looks_again_soon(folder: str) -> None:
    listener = BellListener(folder)
    assert waited(listener, LIMIT) < LIMIT / 2
    assert waited(listener, 0.1) >= 0.09
    listener.close()


def test_rings_pile_up_to_one(bell: Bell, listen: Listen) -> None:
    listener = listen()
    began = time.monotonic()
    for _ in range(10_000):
        bell.ring()  # nobody takes them: soon the queue is full
    assert time.monotonic() - began < LIMIT
    assert waited(listener, LIMIT) < LIMIT / 2
    assert waited(listener, 0.2) >= 0.19


def test_who_was_killed_is_swept_away(folder: str, bell: Bell, listen: Listen) -> None:
    listener = listen()
    victim = start_python(LISTEN, folder)
    assert talk(victim) == "listening"
    assert len(names(folder)) == 2
    bell.ring()
    end(victim)
    assert len(names(folder)) == 2

    def is_swept() -> bool:
        bell.ring()
        return len(names(folder)) == 1

    wait_for(is_swept, "the socket of the killed process is gone")
    assert waited(listener, LIMIT) < LIMIT / 2


def test_nobody_and_no_folder(folder: str, bell: Bell) -> None:
    bell.ring()
    Path(folder).mkdir()
    bell.ring()
    Path(folder).rmdir()
    bell.ring()


@pytest.mark.parametrize("name", ["short", "a folder with a long name " * 5])
def test_a_folder_that_was_replaced(
    name: str, tmp_path: Path, listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bell_module, "FRESH", 0)
    folder = tmp_path / name
    bell = Bell(str(folder))
    listen(str(folder))
    bell.ring()
    folder.rename(tmp_path / "old")
    listener = listen(str(folder))
    bell.ring()
    assert waited(listener, LIMIT) < LIMIT / 2
    bell.close()


def test_a_path_too_long_for_a_socket(tmp_path: Path, listen: Listen) -> None:
    folder = tmp_path.joinpath(*["a folder with a long name"] * 8)
    listener = listen(str(folder))
    bell = Bell(str(folder))
    bell.ring()
    assert waited(listener, LIMIT) < LIMIT / 2
    bell.close()
    listener.close()
    assert names(folder) == []


def test_where_there_can_be_no_bell_it_looks(tmp_path: Path, listen: Listen) -> None:
    file = tmp_path / "file"
    file.write_text("This is no folder.")
    listener = listen(str(file))
    assert waited(listener, LIMIT) < LIMIT / 2
    bell = Bell(str(file))
    bell.ring()
    bell.close()
    assert file.read_text() == "This is no folder."


def test_without_unix_sockets_it_looks(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(socket, "AF_UNIX")
    listener = BellListener(folder)
    listener.wait(0)
    assert waited(listener, LIMIT) < LIMIT / 2
    Path(folder, "somebody").touch()
    Bell(folder).ring()
    listener.close()


def test_closing_leaves_nothing_behind(folder: str) -> None:
    before = len(names("/proc/self/fd"))
    for _ in range(3):
        bell, listener = Bell(folder), BellListener(folder)
        bell.ring()
        listener.close()
        listener.close()
        bell.close()
        bell.close()
        bell.ring()
        bell.close()
    # gevent closes a descriptor a little later.
    wait_for(lambda: len(names("/proc/self/fd")) <= before, "no descriptor is left")
    assert names(folder) == []


def test_who_is_dropped_without_being_closed_leaves_nothing_behind(folder: str) -> None:
    before = len(names("/proc/self/fd"))
    bell, listener = Bell(folder), BellListener(folder)
    bell.ring()
    assert len(names(folder)) == 1
    del bell, listener
    gc.collect()
    wait_for(lambda: len(names("/proc/self/fd")) <= before, "no descriptor is left")
    assert names(folder) == []


def test_a_file_that_is_no_socket_is_swept_away(folder: str, bell: Bell) -> None:
    Path(folder).mkdir()
    Path(folder, "left over").touch()
    bell.ring()
    assert names(folder) == []


@pytest.mark.parametrize("only_the_place", [False, True])
def test_a_listener_whose_place_was_removed_takes_it_anew(
    folder: str, bell: Bell, listen: Listen, only_the_place: bool
) -> None:
    listener = listen()
    (name,) = names(folder)
    if only_the_place:
        Path(folder, name).unlink()
    else:
        shutil.rmtree(folder)
    listener.wait(0.05)
    assert names(folder) == [name]
    listener.wait(0)
    wait_for(lambda: (bell.ring(), waited(listener, 1) < 0.5)[1], "it is rung at")
    listener.close()
    assert names(folder) == []
