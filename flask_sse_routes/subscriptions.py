"""`Subscription`: what a handler returns to have its stream follow channels.

Floor 1. Nothing happens until the stream opens; then it becomes a `ChannelSource`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .brokers.base import check_channel
from .channels import ChannelHub
from .followers import ChannelSource
from .wire import Event

# Channels that one stream may follow.
MAX_CHANNELS = 1000


@dataclass(frozen=True)
class Subscription:
    """Channels to follow, and from where; see `SSERoutes.subscribe`."""

    hub: ChannelHub
    channels: tuple[str, ...]
    after: str | None = None
    snapshot: Callable[[], bytes] | None = None
    where: Callable[[Event], bool] | None = None

    def open(self, last_event_id: str | None) -> ChannelSource:
        """Return the source, begun at its position. Raises `BrokerUnavailable`."""
        source = ChannelSource(self.hub, self.channels, self.where)
        source.open(self.after if self.after is not None else last_event_id, self.snapshot)
        return source


def check_channels(channels: tuple[Any, ...]) -> tuple[str, ...]:
    """Return channel names in order, each once. Raises `ValueError`."""
    if not channels:
        raise ValueError("Name at least one channel.")
    names = tuple(dict.fromkeys(check_channel(name) for name in channels))
    if len(names) > MAX_CHANNELS:
        raise ValueError(f"One stream follows at most {MAX_CHANNELS} channels.")
    return names
