"""Metrics of the machine, measured once a second for everybody who watches.

`model` says what is told, `measure` and `processes` read it with psutil, `sampler` does that in one
of the workers and publishes it, `past` is what a new stream gets first, `views` has the route.
"""

from .sampler import init_app
from .views import routes

__all__ = ["init_app", "routes"]
