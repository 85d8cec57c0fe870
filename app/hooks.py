"""What every stream of the demo does around its handler; runs before it and once it is over."""

import logging
import time
from collections.abc import Generator

from flask_sse_routes import Context, hook

log = logging.getLogger("app.streams")


@hook
def log_end(ctx: Context) -> Generator[None, None, None]:
    """Log how a stream ended and how long it was open."""
    opened = time.monotonic()
    yield
    log.info("%s %s after %.1f s", ctx.route.name, ctx.outcome, time.monotonic() - opened)
