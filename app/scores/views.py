"""The route of scores."""

from flask_sse_routes import Subscription, define_route

from ..extensions import sse
from ..hooks import REAUTHORIZE, log_end
from .fixtures import days, matches
from .model import Played, Season, SoFar
from .progress import CHANNEL, reached
from .publisher import watched


def scores() -> Subscription:
    """Begin with the season so far, then tell each result as it comes in.

    The first may be in what was told of the season so far already: `number` says so.
    """
    return sse.subscribe(CHANNEL, snapshot=so_far)


def so_far() -> SoFar:
    at = reached()
    results = list(matches()[: at.played])
    return SoFar(season=at.season, of=len(matches()), days=days(), results=results)


routes = {
    "scores": define_route(
        scores,
        kind="sse",
        events={"result": Played, "season": Season},
        hooks=[log_end, watched],
        reauthorize=REAUTHORIZE,
        summary="A season of the Premier League, replayed",
    ),
}
