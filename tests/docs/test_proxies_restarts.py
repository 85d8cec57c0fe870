"""What the guides say of deployments: blue and green, Kubernetes, systemd, gunicorn's settings."""

from __future__ import annotations

import configparser
import os
import shlex
import signal
import socket
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from e2e.client import Stream
from e2e.waiting import wait_for

from .blocks import block
from .flavours import program
from .proxies import Proxy, adapt, free_port
from .shop import Shop

StartShop = Callable[..., Shop]
ORDERS = "/api/orders"


@pytest.fixture
def start_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartShop]:
    started: list[Shop] = []

    def start(*options: str, **more: Any) -> Shop:
        started.append(Shop(tmp_path_factory.mktemp("shop"), *options, **more))
        return started[-1]

    yield start
    for shop in started:
        shop.stop()


def check_sent_away(stream: Stream) -> None:
    """Its response is whole, and tells the client to come back."""
    stream.read_to_end()
    assert stream.complete, f"It was cut off. {stream}"
    assert "end" not in stream.names
    assert 500 <= stream.retries[-1] <= 3000


def test_blue_and_green(start_shop: StartShop, tmp_path: Path) -> None:
    settings = {"FLASK_SSE_BROKER_URL": f"sqlite:///{tmp_path}/orders.db"}
    blue, green = start_shop(settings=settings), start_shop(settings=settings)
    front = start_blue_green(tmp_path, blue.port, green.port)
    try:
        stream = front.open(ORDERS)
        stream.next()
        assert blue.streams == 1
        moving, stopping = switch(tmp_path, blue)
        run(moving)
        wait_for(lambda: at(green, front), "new streams go to green")
        wait_for(lambda: blue.streams == 1, "the stream that is open stays")
        green.order("while blue is still there")
        assert stream.next().json == {"item": "while blue is still there"}
        run(stopping)
        check_sent_away(stream)
        missed = green.order("while nobody listens")
        again = front.open(ORDERS, headers={"Last-Event-ID": stream.last_event_id})
        assert again.next().event.id == missed
    finally:
        front.stop()


def start_blue_green(folder: Path, blue: int, green: int) -> Proxy:
    port = free_port()
    common = block("guides/haproxy.md", "haproxy.cfg").split("frontend web")[0]
    configuration = adapt(
        common + block("guides/rolling-restarts.md", "blue-green.cfg"),
        {
            "bind :80": f"bind 127.0.0.1:{port}",
            "127.0.0.1:8000": f"127.0.0.1:{blue}",
            "127.0.0.1:8001": f"127.0.0.1:{green}",
            "check inter 2s": "check inter 100ms",
            "/run/haproxy/admin.sock": "unix@admin.sock",
            "maxconn 20000": "maxconn 500",
        },
    )
    return Proxy("haproxy", program("haproxy"), folder, port, configuration)


def switch(folder: Path, blue: Shop) -> tuple[str, str]:
    """The lines of the guide that move new streams, and the one that stops blue."""
    program("socat")
    script = adapt(
        block("guides/rolling-restarts.md", "switch.sh"),
        {
            # The name of a socket may be shorter than a path is.
            "/run/haproxy/admin.sock": os.path.relpath(folder / "admin.sock"),
            "systemctl stop shop-blue": f"kill {blue.process.pid}",
        },
    )
    *moving, stopping = script.splitlines()
    return "\n".join(moving), stopping


def run(script: str) -> None:
    done = subprocess.run(["bash", "-ec", script], capture_output=True, text=True, timeout=10)
    assert done.returncode == 0, done.stderr
    assert not done.stdout.strip(), done.stdout


def at(shop: Shop, front: Proxy) -> bool:
    """Whether a new stream is this shop's."""
    stream = front.open(ORDERS)
    found = stream.status == 200 and shop.streams > 0
    stream.close()
    return found


def test_kubernetes(start_shop: StartShop) -> None:
    """The container's command ends in the time that it is given, after what comes before it."""
    deployment = yaml.safe_load(block("guides/rolling-restarts.md", "deployment.yaml"))
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    (before,) = [int(word) for word in container["lifecycle"]["preStop"]["exec"]["command"][1:]]
    graceful = next(int(o.split("=")[1]) for o in container["command"] if "graceful" in o)
    assert before + graceful < pod["terminationGracePeriodSeconds"]
    assert (
        deployment["spec"]["selector"]["matchLabels"]
        == (deployment["spec"]["template"]["metadata"]["labels"])
    )
    name, bind, *options, app = container["command"]
    assert (name, bind, app) == ("gunicorn", "--bind=0.0.0.0:8000", "wsgi:app")
    shop = start_shop(*options)
    probe = container["readinessProbe"]["httpGet"]
    assert probe["port"] == container["ports"][0]["containerPort"] == 8000
    assert shop.ask(probe["path"]) == "ok"
    stream = shop.follow()
    stream.next()
    shop.process.send_signal(signal.SIGTERM)
    check_sent_away(stream)
    assert shop.process.wait(10) == 0


def unit() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # names as they are
    parser.read_string(block("guides/gunicorn.md", "shop.service"))
    return parser


def test_systemd(start_shop: StartShop) -> None:
    """What the unit starts says that it is ready, reloads as it is told, and ends in time."""
    service = unit()["Service"]
    assert service["Type"] == "notify"
    assert service["KillMode"] == "mixed"
    name, *options, app = shlex.split(service["ExecStart"])
    assert (Path(name).name, app) == ("gunicorn", "wsgi:app")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices:
        notices.bind(f"\0{uuid.uuid4()}")
        notices.settimeout(10)
        address = "@" + notices.getsockname()[1:].decode()
        shop = start_shop(*options, settings={"NOTIFY_SOCKET": address})
        assert b"READY=1" in notices.recv(4096)
    stream = shop.follow()
    stream.next()
    reload = service["ExecReload"].replace("$MAINPID", str(shop.process.pid))
    run(reload)
    check_sent_away(stream)
    wait_for(lambda: len(shop.workers()) == 2, "a new worker has been started")
    wait_for(lambda: shop.ask("/probe")["worker"] == shop.workers()[1], "it answers")
    shop.process.send_signal(signal.SIGTERM)
    assert shop.process.wait(int(service["TimeoutStopSec"])) == 0


def test_systemd_waits_longer_than_gunicorn() -> None:
    settings: dict[str, Any] = {}
    exec(block("guides/gunicorn.md", "gunicorn.conf.py"), settings)
    assert settings["graceful_timeout"] < int(unit()["Service"]["TimeoutStopSec"])


def test_gthread(start_shop: StartShop) -> None:
    """With the guide's settings its streams end cleanly, and leave two threads to requests."""
    assert "threads = 32" in block("guides/gunicorn.md", "gthread.conf.py")
    shop = start_shop("--threads", "4", configuration="gthread.conf.py")
    streams = [shop.follow() for _ in range(3)]
    assert [stream.headers.get("sse-refused") for stream in streams] == [None, None, "capacity"]
    assert shop.streams == 2
    shop.process.send_signal(signal.SIGTERM)
    for stream in streams[:2]:
        check_sent_away(stream)
    assert shop.process.wait(10) == 0


def test_streams_take_no_place_of_worker_connections(start_shop: StartShop) -> None:
    shop = start_shop("--worker-connections", "3", "--preload")
    streams = [shop.follow() for _ in range(8)]
    for stream in streams:
        stream.next()
    id_ = shop.order("tea")
    assert [stream.next().event.id for stream in streams] == [id_] * 8
