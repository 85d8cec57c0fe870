"""Checks of `SSE_*` keys that are allowed and yet hardly meant.

Floor 3.
"""

from __future__ import annotations

from collections.abc import Iterator

from .deployment import Deployment
from .finding import Finding, found

# Seconds of silence after which a client in use (event-source-polyfill) reconnects; proxies cut
# soon after.
PATIENCE = 45.0


def check_keys(deployment: Deployment) -> Iterator[Finding]:
    """Look at the heartbeat, the explorer and the limit for each client."""
    config, facts = deployment.config, deployment.facts
    if config.heartbeat >= PATIENCE:
        yield found(
            "heartbeat",
            f"SSE_HEARTBEAT is {config.heartbeat:g} s.",
            "SSE_HEARTBEAT = 15.",
        )
    if config.explorer and not deployment.app.debug:
        yield found(
            "explorer",
            "SSE_EXPLORER is on outside debug mode.",
            "SSE_EXPLORER = False, or a before hook that lets only some people in.",
        )
    if _counts_addresses(deployment) and facts is not None and facts.named is False:
        yield found(
            "client-address",
            f"SSE_MAX_STREAMS_PER_CLIENT is {config.max_streams_per_client}, and the app sees the "
            "proxy's address instead of its clients'.",
            "app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1), from werkzeug.middleware.proxy_fix; "
            "or SSERoutes(identify=...).",
        )


def unknown_address(deployment: Deployment) -> Iterator[str]:
    """Yield what a doctor on the proxy's own machine cannot know."""
    facts = deployment.facts
    if _counts_addresses(deployment) and facts is not None and facts.named is None:
        yield (
            "whether the app sees its clients' addresses: here they are the proxy's own; run this "
            "on another machine."
        )


def _counts_addresses(deployment: Deployment) -> bool:
    per_client, identify = deployment.config.max_streams_per_client, deployment.runtime.identify
    return per_client is not None and identify is None
