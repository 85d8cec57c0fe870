"""`flask sse`: channels, workers, documents, clients and the doctor from a terminal.

Floor 3. Registered as an entry point of Flask, so every app's `flask` has it.
"""

from flask.cli import AppGroup

from .channels import publish, tail
from .client import write_client
from .doctor import doctor
from .documents import diff, openapi_command, routes
from .top import top

sse_cli = AppGroup("sse", help="Server-sent events: channels, workers, documents, clients, doctor.")
for command in (publish, tail, top, write_client, openapi_command, diff, routes, doctor):
    sse_cli.add_command(command)
