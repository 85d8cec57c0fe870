"""The fixtures, for a project that names its plugins by hand.

Floor 3. `pytest_plugins = ["flask_sse_routes.testing.plugin"]` in the topmost conftest.py has the
same fixtures as the entry point; both together do no harm.
"""

from __future__ import annotations

from ..pytest_plugin import no_sse_leaks, sse_client, sse_clock, sse_server

__all__ = ["no_sse_leaks", "sse_client", "sse_clock", "sse_server"]
