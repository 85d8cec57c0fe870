"""All routes of the demo, put together from the topics and mounted at `/api`."""

from flask_sse_routes import RouteBlueprint, compose_routes

from . import about, activity, logs, metrics, notifications, prices, scores, tasks
from .accounts import views as accounts
from .orders import views as orders

TOPICS = (
    notifications,
    activity,
    metrics,
    logs,
    tasks,
    prices,
    scores,
    orders,
    accounts,
    about,
)

routes = compose_routes(*(topic.routes for topic in TOPICS))
api = RouteBlueprint("api", __name__, routes, url_prefix="/api", title="Console")
