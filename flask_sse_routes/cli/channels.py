"""`flask sse publish` and `flask sse tail`: channels from a terminal.

Floor 3.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import click
from flask import current_app
from flask.cli import with_appcontext

from ..errors import BrokerUnavailable, ConfigError
from ..extension import AppRuntime, runtime_of
from ..listening import listen
from ..wire import Event


def shared_runtime() -> AppRuntime:
    """Return the app's runtime. Raises `ClickException` where no other process sees its broker."""
    try:
        runtime = runtime_of(current_app)
        broker = runtime.channels.broker
    except ConfigError as error:
        raise click.ClickException(str(error)) from error
    if not broker.shared:
        raise click.ClickException(
            f"SSE_BROKER_URL is {runtime.config.broker_url!r}, which no other process sees: set "
            'it to "sqlite:///events.db" or redis://...'
        )
    return runtime


def _data(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise click.BadParameter(f"not JSON ({error}); text needs quotes: '\"text\"'") from error


@click.command("publish")
@click.argument("channel")
@click.argument("data", metavar="JSON")
@click.option("--event", help="The event's name.")
@with_appcontext
def publish(channel: str, data: str, event: str | None) -> None:
    """Publish JSON to CHANNEL and print the id; '-' reads one JSON value a line from stdin."""
    runtime = shared_runtime()
    lines = (line for line in sys.stdin if line.strip()) if data == "-" else (data,)
    for line in lines:
        try:
            click.echo(runtime.channels.publish(channel, _data(line), event, runtime.fallback))
        except (BrokerUnavailable, ConfigError, ValueError) as error:
            raise click.ClickException(str(error)) from error


@click.command("tail")
@click.argument("channels", nargs=-1, required=True, metavar="CHANNEL...")
@click.option("--after", help="Begin after this id instead of now.")
@with_appcontext
def tail(channels: tuple[str, ...], after: str | None) -> None:
    """Follow CHANNELs: one line an event, its id, name and data. Goes on after an outage."""
    runtime = shared_runtime()
    try:
        for event in listen(runtime.channels, channels, after):
            click.echo(_line(event))
            sys.stdout.flush()
    except (BrokerUnavailable, ValueError) as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        pass


def _line(event: Event) -> str:
    text = json.dumps(event.data, ensure_ascii=False, separators=(",", ":"))
    return f"{event.id}\t{event.event or 'message'}\t{text}"
