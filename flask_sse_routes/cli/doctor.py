"""`flask sse doctor`: what breaks streams in an app, in its server and on the way to a browser.

Floor 3.
"""

from __future__ import annotations

import sys

import click
from flask import Flask
from flask.cli import NoAppException, ScriptInfo

from ..doctor.examination import examine
from ..doctor.outside import Restarted
from ..doctor.target import Target
from ..errors import ConfigError, DeclarationError


class Progress:
    """A line on standard error that says what is waited for; a new one each time elsewhere."""

    def __init__(self) -> None:
        self._text = ""
        self._line = sys.stderr.isatty()

    def __call__(self, text: str, left: float) -> None:
        if self._line:
            click.echo(f"\r\x1b[KWaiting for {text}: {left:.0f} s at most", err=True, nl=False)
        elif text != self._text:
            click.echo(f"Waiting for {text}", err=True)
        self._text = text

    def clear(self) -> None:
        """Take the line away."""
        if self._line and self._text:
            click.echo("\r\x1b[K", err=True, nl=False)


@click.command("doctor")
@click.argument("url", required=False)
@click.option(
    "--seconds",
    type=click.FloatRange(1, 900),
    help="How long a silent stream is watched; by default a little over two heartbeats.",
)
@click.option("--config", metavar="FILE", help="gunicorn's configuration file.")
@click.option("-H", "--header", "headers", multiple=True, help="'Name: value', for every request.")
@click.option("--json", "as_json", is_flag=True, help="As a JSON object.")
@click.pass_context
def doctor(
    ctx: click.Context,
    url: str | None,
    seconds: float | None,
    config: str | None,
    headers: tuple[str, ...],
    as_json: bool,
) -> None:
    """Look for what breaks streams: in the app and its gunicorn settings and, where the app is
    served at URL, on the way to a browser. Exits with 1 when there is a fault.
    """
    target = _target(url, headers) if url is not None else None
    progress = Progress()
    try:
        app = _app(ctx, needed=target is None)
        report = examine(app, target, settings=config, seconds=seconds, say=progress)
    except (ConfigError, DeclarationError) as error:
        raise click.ClickException(str(error)) from error
    except Restarted:
        raise click.ClickException("The server was restarted meanwhile; run it again.") from None
    finally:
        progress.clear()
    click.echo(report.as_json() if as_json else report.as_text())
    ctx.exit(report.status)


def _app(ctx: click.Context, *, needed: bool) -> Flask | None:
    try:
        return ctx.ensure_object(ScriptInfo).load_app()
    except NoAppException as error:
        if needed:
            raise
        click.echo(f"Only the outside is looked at. {error}", err=True)
        return None


def _target(url: str, headers: tuple[str, ...]) -> Target:
    try:
        return Target.of(url, dict(map(_header, headers)))
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="URL") from error


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise click.BadParameter(f"{text!r} is no 'Name: value'.", param_hint="--header")
    return name.strip(), value.strip()
