"""The extension of this application, for whatever publishes or follows channels."""

from flask_sse_routes import SSERoutes

from .accounts.visitor import identify

sse = SSERoutes(identify=identify)
