"""The route of metrics."""

from flask_sse_routes import Subscription, define_route

from ..extensions import sse
from ..hooks import REAUTHORIZE, log_end
from .model import Metrics
from .past import past
from .sampler import channel, watched


def metrics() -> Subscription:
    """A new stream begins with a snapshot: the last quarter of an hour, and the last hour."""
    return sse.subscribe(channel(), snapshot=lambda: past(channel()))


routes = {
    "metrics": define_route(
        metrics,
        kind="sse",
        output=Metrics,
        hooks=[log_end, watched],
        reauthorize=REAUTHORIZE,
        summary="CPU, memory, disks, network, load and workers, each second",
    ),
}
