"""How fast the brokers are: publishes per second, and the way from one process to another.

    python -m benchmarks.brokers sqlite:////tmp/bench.db redis://127.0.0.1:6379/0 [--seconds 3]

For each URL: appends per second from one process and from four at once, and the time from an
append in one process to the event in a subscriber of another at 100 events/s (p50, p99).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import threading
import time
from statistics import quantiles

from flask_sse_routes import broker_from_url
from flask_sse_routes.channels import ChannelHub
from flask_sse_routes.followers import ChannelReader

PAD = "x" * 50
RATE = 100.0
WRITERS = (1, 4)


def body(number: int) -> bytes:
    return b'\n{"seq":%d,"ts":%d,"pad":"%b"}' % (number, time.monotonic_ns(), PAD.encode())


def write(url: str, seconds: float, rate: float) -> int:
    """Append for a while, as fast as possible or at a rate; return how many."""
    broker = broker_from_url(url, history=1000)
    broker.append("bench", body(0))  # connected, and tables made
    begun, count = time.monotonic(), 0
    while (now := time.monotonic()) - begun < seconds:
        broker.append("bench", body(count))
        count += 1
        if rate:
            time.sleep(max(0.0, begun + count / rate - now))
    broker.close()
    return count


def writer(url: str, seconds: float, rate: float = 0.0) -> subprocess.Popen[str]:
    options = ["--seconds", str(seconds), "--write", str(rate)]
    command = [sys.executable, "-m", "benchmarks.brokers", url, *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def throughput(url: str, writers: int, seconds: float) -> float:
    running = [writer(url, seconds) for _ in range(writers)]
    return sum(int(process.communicate()[0]) for process in running) / seconds


def latencies(url: str, seconds: float) -> list[float]:
    """Return the milliseconds from append to arrival, over a hub like a worker's."""
    reader = ChannelReader(ChannelHub(broker_from_url(url, history=1000)), ("bench",))
    reader.open(None, None)
    process = writer(url, seconds, RATE)
    found: list[float] = []
    done = threading.Event()
    threading.Thread(target=lambda: (process.wait(), done.set()), daemon=True).start()
    while not done.is_set():
        reader.signal.wait(0.2)
        reader.signal.clear()
        now = time.monotonic_ns()
        found += [(now - e.data["ts"]) / 1e6 for e in reader.take_events() if e.event is None]
    reader.close("shutdown")
    return found[1:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("urls", nargs="+")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--write", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write is not None:
        print(write(options.urls[0], options.seconds, options.write))
        return
    print("| broker | 1 process | 4 processes | p50 | p99 |")
    print("|---|---|---|---|---|")
    for url in options.urls:
        alone, together = (throughput(url, n, options.seconds) for n in WRITERS)
        cuts = quantiles(latencies(url, options.seconds), n=100)
        speeds = f"{alone:,.0f}/s | {together:,.0f}/s"
        print(f"| {url.partition(':')[0]} | {speeds} | {cuts[49]:.2f} ms | {cuts[98]:.2f} ms |")


if __name__ == "__main__":
    main()
