"""Prices: real ones of five companies, 2000 to 2010, replayed by the clock on the wall.

`series` has the prices, `clock` says which month it is for everybody, `views` the route. Nothing is
kept and nothing is published: every stream of every worker finds the same position by itself.
"""

from .views import routes

__all__ = ["routes"]
