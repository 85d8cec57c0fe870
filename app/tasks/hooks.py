"""Whose a task is: where the console is not open to all, others do not end it, operators do."""

from flask import abort

from flask_sse_routes import Context, define_hook

from ..settings import is_open
from . import store


def _refuse_others(ctx: Context) -> None:
    if is_open() or (ctx.user is not None and ctx.user.role == "operator"):
        return
    task = store.find(ctx.input.task_id)
    if task is not None and (ctx.user is None or task.by != ctx.user.account):
        abort(403, "This task is for operators and for who started it.")


own_unless_open = define_hook("own_unless_open", before=_refuse_others)
