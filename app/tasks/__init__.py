"""Long tasks: started by one request, run by the worker that has room, followed by everybody.

`model` says what a task is, `store` keeps them in the database, `runner` runs them in this
process, `imports`, `hashing` and `counting` are what they do, `views` are the routes.
"""

from .runner import init_app
from .views import routes

__all__ = ["init_app", "routes"]
