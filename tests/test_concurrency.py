"""Tasks and signals in the form that this process has: threads, or greenlets under gevent."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from typing import Any

import pytest

from flask_sse_routes import StreamClosed, concurrency


def test_a_task_runs_under_its_name(eventually: Any) -> None:
    seen: list[Any] = []

    def work() -> None:
        seen.append((task.is_current(), threading.current_thread().name))

    task = concurrency.task(work, "named")
    assert not task.is_current()
    assert seen == []
    task.start()
    eventually(lambda: seen)
    assert seen[0][0] is True
    if not concurrency.cooperative():
        assert seen[0][1] == "named"


@pytest.mark.threads
def test_a_thread_does_not_keep_the_process_alive() -> None:
    code = (
        "from flask_sse_routes import concurrency; import threading;"
        "concurrency.task(threading.Event().wait, 'x').start(); print('end')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "end\n"), done.stderr


@pytest.mark.gevent
@pytest.mark.parametrize("interruptible", [True, False])
def test_a_greenlet_is_interrupted_only_where_it_says_so(interruptible: bool) -> None:
    seen: list[Any] = []
    gate = threading.Event()

    def work() -> None:
        task.interruptible = interruptible
        try:
            gate.wait(0.2)
            seen.append("waited")
        except BaseException as error:
            seen.append(error)

    task = concurrency.task(work, "named")
    task.start()
    time.sleep(0)
    task.interrupt(StreamClosed("disconnected"))
    time.sleep(0.05 if interruptible else 0.3)
    assert [type(each) for each in seen] == [StreamClosed if interruptible else str]


@pytest.mark.gevent
def test_an_interrupt_of_a_finished_greenlet_does_nothing() -> None:
    task = concurrency.task(lambda: None, "named")
    task.start()
    time.sleep(0.01)
    task.interruptible = True
    task.interrupt(StreamClosed("disconnected"))
    time.sleep(0.01)


def test_run_calls_and_raises() -> None:
    assert concurrency.run(max, 1, 2) == 2
    with pytest.raises(ZeroDivisionError):
        concurrency.run(lambda: 1 / 0)


def test_epoll_sees_a_descriptor(eventually: Any) -> None:
    epoll = concurrency.epoll()
    assert epoll is not None, "this suite runs where epoll is"
    one, other = socket.socketpair()
    epoll.register(one.fileno(), 1)
    assert epoll.poll(0) == []
    other.send(b"x")
    eventually(lambda: epoll.poll(0))
    epoll.close()
    one.close()
    other.close()


def test_one_object_per_process() -> None:
    made: list[int] = []

    def make() -> object:
        made.append(os.getpid())
        return object()

    get = concurrency.once_per_process(make)
    assert made == []
    assert get() is get()
    assert made == [os.getpid()]


@pytest.mark.threads
def test_a_fork_starts_afresh() -> None:
    code = (
        "import os, sys\n"
        "from flask_sse_routes.clock import get_clock\n"
        "here = get_clock()\n"
        "pid = os.fork()\n"
        "if not pid: os._exit(3 if get_clock() is not here else 4)\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], timeout=60, check=False)
    assert done.returncode == 3


@pytest.mark.threads
def test_cooperative_means_patched_and_not_imported() -> None:
    code = (
        "import gevent, sys; from flask_sse_routes.concurrency import cooperative;"
        "before = cooperative();"
        "from gevent import monkey; monkey.patch_all(); print(before, cooperative())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["False", "True"], done.stderr


@pytest.mark.gevent
def test_a_pause_lets_sockets_have_their_turn() -> None:
    near, far = socket.socketpair()
    with near, far:
        read: list[bytes] = []
        concurrency.task(lambda: read.append(far.recv(1)), "reader").start()
        concurrency.breathe()
        near.send(b"x")
        for _ in range(3):
            concurrency.pause()
        assert read == [b"x"]
