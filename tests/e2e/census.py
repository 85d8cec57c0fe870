"""What a process has of what a worker that lives long must not collect."""

import gc

import psutil

from flask_sse_routes.followers import ChannelSource
from flask_sse_routes.offload import get_offload


def census() -> dict[str, int]:
    """Count it, after the cycle collector has been."""
    from greenlet import greenlet

    gc.collect()
    process = psutil.Process()
    alive = [o for o in gc.get_objects() if not issubclass(type(o), greenlet) or o]
    kinds = [type(each) for each in alive]
    return {
        "greenlets": sum(issubclass(kind, greenlet) for kind in kinds),
        "subscriptions": kinds.count(ChannelSource),
        "threads": process.num_threads(),
        "descriptors": process.num_fds(),
        "offloaded": len(get_offload()),
        "kibibytes": process.memory_info().rss // 1024,
    }
