"""What is told of the machine: a sample each second, and what has been before."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel


class Usage(BaseModel):
    """Bytes."""

    used: int
    total: int
    percent: float


class Network(BaseModel):
    """Bytes per second over all interfaces, loopback included."""

    sent: float
    received: float


class Disks(BaseModel):
    """Bytes per second over all disks."""

    read: float
    written: float


class Load(BaseModel):
    """Tasks that run or wait to, on average of the last 1, 5 and 15 minutes."""

    one: float
    five: float
    fifteen: float


class Process(BaseModel):
    """A worker of this server; `memory` is what it holds in RAM, in bytes."""

    pid: int
    memory: int
    cpu: float
    streams: int


class Metrics(BaseModel):
    """`cpu` and `cores` in percent, `uptime` in seconds; `disk` is that of the root folder."""

    at: datetime
    host: str
    uptime: float
    cpu: float
    cores: list[float]
    load: Load
    memory: Usage
    swap: Usage
    disk: Usage
    disks: Disks
    network: Network
    workers: list[Process]


# What the charts draw. A new one goes to the end: what is kept of them are rows in this order.
FIGURES = ("cpu", "memory", "swap", "load", "read", "written", "received", "sent")


def figures(metrics: Mapping[str, Any]) -> list[float]:
    """Return what the charts draw of `Metrics` in JSON, in the order of `FIGURES`."""
    return [
        metrics["cpu"],
        metrics["memory"]["percent"],
        metrics["swap"]["percent"],
        metrics["load"]["one"],
        metrics["disks"]["read"],
        metrics["disks"]["written"],
        metrics["network"]["received"],
        metrics["network"]["sent"],
    ]


class Span(BaseModel):
    """The least, the mean and the most of each figure over ten seconds, whose end is `at`."""

    at: datetime
    low: list[float]
    mean: list[float]
    high: list[float]


class Points(BaseModel):
    """Seconds since 1970, and for each of them a row of figures."""

    at: list[float]
    rows: list[list[float]]


class Spans(BaseModel):
    at: list[float]
    low: list[list[float]]
    mean: list[list[float]]
    high: list[list[float]]


class Past(BaseModel):
    """What came before a stream: the last quarter of an hour, and the last hour.

    `latest` is the sample of a moment ago, if there is one.
    """

    latest: Metrics | None
    figures: list[str]
    points: Points
    spans: Spans
