"""`flask sse openapi`, `flask sse diff` and `flask sse routes`: what an app offers, as text.

Floor 3.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from flask.cli import ScriptInfo, with_appcontext

from ..codegen.catalogue import Catalogue
from ..codegen.diff import Change, changes
from ..codegen.openapi import FORMATS, openapi, server_path
from .blueprints import catalogue_named
from .generated import GeneratedFile
from .listing import rows_of, table

UNREADABLE = 2
# What a look for a key in something else, or for one that is missing, ends in.
MALFORMED = (AttributeError, KeyError, TypeError, ValueError)


@click.command("openapi")
@click.argument("blueprint", required=False)
@click.option("--format", "format_", type=click.Choice(list(FORMATS)), default="3.2")
@click.option("-o", "--output", metavar="FILE", default="-", help="Write to FILE.")
@with_appcontext
def openapi_command(blueprint: str | None, format_: str, output: str) -> None:
    """Print the OpenAPI document of BLUEPRINT; an app with one blueprint needs no name."""
    _, catalogue = catalogue_named(blueprint)
    text = json.dumps(_document(catalogue, format_), indent=2, allow_nan=False) + "\n"
    if output == "-":
        click.echo(text, nl=False)
        return
    changed = GeneratedFile(output).write(text, force=True)
    click.echo(f"{output}: {'written' if changed else 'up to date'}", err=True)


@click.command("diff")
@click.argument("old", metavar="OLD.json")
@click.argument("new", metavar="[NEW.json]", required=False)
@click.argument("blueprint", required=False)
@click.option("--all", "everything", is_flag=True, help="Name compatible changes as well.")
@click.pass_context
def diff(
    ctx: click.Context, old: str, new: str | None, blueprint: str | None, everything: bool
) -> None:
    """Name what has changed since OLD.json and breaks clients, and exit with 1 if anything has.

    OLD.json is compared with NEW.json, or with BLUEPRINT as it is in the app now. Exits with 2
    when a file is no OpenAPI document.
    """
    before = _read(old)
    if new is not None and blueprint is None and not _is_file(new):
        new, blueprint = None, new
    if new is not None and blueprint is not None:
        raise click.UsageError("Compare with NEW.json or with BLUEPRINT, not with both.")
    after = _read(new) if new is not None else _current(ctx, blueprint)
    found = _changes(before, after)
    for change in found:
        if everything:
            click.echo(f"{'breaking' if change.breaking else 'compatible'}\t{change}")
        elif change.breaking:
            click.echo(change)
    ctx.exit(int(any(change.breaking for change in found)))


@click.command("routes")
@click.option("--json", "as_json", is_flag=True, help="As a JSON list.")
@with_appcontext
def routes(as_json: bool) -> None:
    """List the routes of all blueprints."""
    rows = rows_of()
    if as_json:
        click.echo(json.dumps([row._asdict() for row in rows], indent=2))
    else:
        click.echo(table(rows))


def _document(catalogue: Catalogue, format_: str) -> dict[str, Any]:
    servers = [{"url": server_path(catalogue.prefix) or "/"}]
    return {**openapi(catalogue, format_), "servers": servers}


def _current(ctx: click.Context, blueprint: str | None) -> dict[str, Any]:
    with ctx.ensure_object(ScriptInfo).load_app().app_context():
        return _document(catalogue_named(blueprint)[1], "3.2")


def _is_file(name: str) -> bool:
    return name.endswith(".json") or Path(name).is_file()


def _read(name: str) -> dict[str, Any]:
    try:
        document = json.loads(Path(name).read_text(encoding="utf-8"))
    except OSError as error:
        raise _Unreadable(f"{name}: {error.strerror}") from error
    except ValueError as error:
        raise _Unreadable(f"{name} is not JSON: {error}") from error
    if not _is_document(document):
        raise _Unreadable(f"{name} is no OpenAPI document of version 3.1 or 3.2.")
    return document  # type: ignore[no-any-return]  # checked above


def _is_document(document: Any) -> bool:
    return (
        isinstance(document, dict)
        and str(document.get("openapi")).startswith(("3.1.", "3.2."))
        and isinstance(document.get("paths"), dict)
    )


def _changes(before: dict[str, Any], after: dict[str, Any]) -> list[Change]:
    for which, document in (("OLD", before), ("NEW", after)):
        if _is_malformed(document):
            raise _Unreadable(
                f"The {which} document has something that OpenAPI does not allow in its place."
            )
    return changes(before, after)


def _is_malformed(document: dict[str, Any]) -> bool:
    """Tell whether a document cannot even be compared with itself."""
    try:
        changes(document, document)
    except MALFORMED:
        return True
    return False


class _Unreadable(click.ClickException):
    exit_code = UNREADABLE
