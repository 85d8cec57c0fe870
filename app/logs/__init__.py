"""Log files, followed as they grow: the server's own, and others that the configuration names.

`own` writes the server's own file, `files` says which there are, `reader` follows one,
`lines` makes sense of a line, `views` are the routes.
"""

from .own import handler, init_app
from .views import routes

__all__ = ["handler", "init_app", "routes"]
