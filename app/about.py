"""Plain http routes: a greeting, and what this server is."""

import os
import platform
import time
from importlib import metadata

from pydantic import BaseModel

from flask_sse_routes import Context, define_route

STARTED = time.monotonic()


class Info(BaseModel):
    """Versions, process id and seconds since the start."""

    flask_sse_routes: str
    flask: str
    python: str
    server: str
    pid: int
    uptime: float


def info(ctx: Context) -> Info:
    return Info(
        flask_sse_routes=_version("flask_sse_routes"),
        flask=_version("flask"),
        python=platform.python_version(),
        server=ctx.request.environ.get("SERVER_SOFTWARE", "unknown"),
        pid=os.getpid(),
        uptime=round(time.monotonic() - STARTED, 1),
    )


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "from source"


routes = {
    "hello": define_route(handler=lambda: {"hello": "world"}, summary="The smallest route"),
    "info": define_route(info, summary="Versions, process and uptime"),
}
