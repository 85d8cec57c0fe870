"""All routes of the demo, put together from the topics and mounted at `/api`."""

from flask_sse_routes import RouteBlueprint, compose_routes

from . import about, logs, metrics, notifications, tasks

routes = compose_routes(
    notifications.routes, metrics.routes, logs.routes, tasks.routes, about.routes
)
api = RouteBlueprint("api", __name__, routes, url_prefix="/api")
