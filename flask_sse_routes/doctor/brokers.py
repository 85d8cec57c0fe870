"""Checks of the broker: do all processes share it, is it there, and does it keep what it has?

Floor 3. Redis is asked one question, INFO; a SQLite file is not opened, because whoever opens it
first owns it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..brokers import REDIS_SCHEMES
from .deployment import Deployment
from .finding import NOTE, WARNING, Finding, found
from .handlers import named_by
from .masks import masked

# Kinds of file systems that lie on another machine, or are shared with one. Of those in user space
# that are named nowhere here, most lie on a disk.
NETWORK = re.compile(
    r"nfs\d?|cifs|smb\w*|9p|virtiofs|vboxsf|vmhgfs|prl_fs|afs|coda|davfs|ceph|glusterfs|lustre"
    r"|beegfs|gpfs|panfs|pvfs2|orangefs|gfs2?|ocfs2"
    r"|fuse\.(sshfs|nfs|smb|cifs|ceph|gluster|lustre|mfs|moosefs|lizardfs|seaweed|weed|juicefs"
    r"|rclone|s3|goofys|mountpoint|gcs|blobfuse|davfs|curlftpfs|vmhgfs|grpcfuse|gpfs|orangefs).*"
)
# What handlers name that use channels.
CHANNELS = frozenset({"publish", "subscribe", "listen", "history"})
MOUNTS = Path("/proc/self/mounts")
OLDEST_REDIS = (6, 2)


def check_broker(deployment: Deployment) -> Iterator[Finding]:
    """Look at the broker of `SSE_BROKER_URL`."""
    url = deployment.config.broker_url
    scheme, _, rest = url.partition("://")
    if scheme.lower() == "memory":
        yield from _memory(deployment)
    elif scheme.lower() == "sqlite":
        yield from _sqlite(rest.removeprefix("/"))
    elif scheme.lower() in REDIS_SCHEMES:
        yield from _redis(url, f"{REDIS_SCHEMES[scheme.lower()]}://{rest}")


def _memory(deployment: Deployment) -> Iterator[Finding]:
    # Without an `SSERoutes` there is nothing to publish or to subscribe by.
    if deployment.several and deployment.runtime.owner is not None:
        yield found(
            "memory-broker",
            f"SSE_BROKER_URL is memory://, and several workers serve the app "
            f"({deployment.source}).",
            'SSE_BROKER_URL = "sqlite:////var/lib/app/events.db" on one machine, or '
            '"redis://host:6379/0" on several.',
            None if _uses_channels(deployment) else NOTE,
        )


def unknown_sharing(deployment: Deployment) -> Iterator[str]:
    """Yield what is not known of a broker in memory while the number of workers is not."""
    in_memory = deployment.config.broker_url.lower().startswith("memory:")
    known = deployment.settings is not None or deployment.facts is not None
    if in_memory and not known and _uses_channels(deployment):
        yield "whether memory:// is enough: the number of workers is not known."


def _uses_channels(deployment: Deployment) -> bool:
    handlers = [placed.route.handler for placed in deployment.runtime.placed]
    return any(not CHANNELS.isdisjoint(named_by(handler)) for handler in handlers)


def _sqlite(path: str) -> Iterator[Finding]:
    kind = file_system_of(Path(path), _read(MOUNTS))
    if kind and NETWORK.fullmatch(kind):
        yield found(
            "network-file",
            f"The SQLite broker's file {path} lies on a file system of type {kind}.",
            "Give SSE_BROKER_URL a path on a disk of this machine; for several machines use "
            "redis://.",
        )


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:  # not on Linux
        return ""


def file_system_of(path: Path, mounts: str) -> str | None:
    """Return the type of the file system that a path lies on, by the kernel's list of mounts."""
    place = os.path.realpath(path)
    best, kind = "", None
    for line in mounts.splitlines():
        fields = line.split()
        if len(fields) < 3:
            continue
        point = re.sub(r"\\(\d{3})", lambda match: chr(int(match[1], 8)), fields[1])
        inside = place == point or place.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, fields[2]
    return kind


def _redis(said: str, url: str) -> Iterator[Finding]:
    from ..brokers.redis_link import FAILURES

    try:
        info = _info(url)
    except FAILURES as error:
        yield found(
            "broker-unavailable",
            f"The broker {masked(said)} does not answer: {type(error).__name__}.",
            "Start it, or mend SSE_BROKER_URL; redis-cli -u URL ping has to answer PONG.",
        )
        return
    yield from judge_redis(info)


def _info(url: str) -> dict[str, str]:
    from ..brokers.redis_link import connector

    connection: Any = connector(url, ())()
    try:
        connection.connect()
        connection.send_command("INFO")
        text = connection.read_response().decode()
    finally:
        connection.disconnect()
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


def judge_redis(info: dict[str, str]) -> Iterator[Finding]:
    """Look at what a Redis says of itself."""
    version = info.get("redis_version", "")
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if numbers and numbers < OLDEST_REDIS:
        yield found(
            "redis-version", f"The broker is Redis {version}.", "Use Redis 6.2 or newer, or Valkey."
        )
    policy = info.get("maxmemory_policy", "noeviction")
    if info.get("maxmemory", "0") != "0" and policy != "noeviction":
        yield found(
            "redis-eviction",
            f"The broker's Redis has maxmemory and maxmemory-policy {policy}.",
            "maxmemory-policy noeviction in redis.conf, or a Redis of its own for the broker.",
            WARNING if policy.startswith("volatile") else None,
        )
    if info.get("cluster_enabled") == "1":
        yield found(
            "redis-cluster",
            "The broker's Redis is a cluster.",
            "Nothing has to be done; one Redis that is no cluster does the same.",
        )
