"""Scores: a real season of the English Premier League, replayed result by result.

`fixtures` has the matches, `progress` remembers how many have been published, `publisher` publishes
them in one process of the server while anybody follows, `views` has the route.
"""

from .publisher import init_app
from .views import routes

__all__ = ["init_app", "routes"]
