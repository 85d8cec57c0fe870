"""`flask sse client`: a typed client of a blueprint, as one file.

Floor 3.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable

import click
from flask.cli import with_appcontext

from ..codegen.catalogue import Catalogue
from ..codegen.javascript_file import javascript_file
from ..codegen.python import python_file
from ..codegen.typescript import typescript_file
from .blueprints import catalogue_named
from .generated import GeneratedFile

LANGUAGES: dict[str, Callable[[Catalogue, str], str]] = {
    "typescript": typescript_file,
    "javascript": javascript_file,
    "python": python_file,
}


@click.command("client")
@click.argument("blueprint", required=False)
@click.option("--lang", "language", required=True, type=click.Choice(list(LANGUAGES)))
@click.option("-o", "--output", required=True, metavar="FILE", help="'-' prints it.")
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 when FILE is stale.")
@click.option("--force", is_flag=True, help="Replace FILE even if it was not generated.")
@with_appcontext
def write_client(
    blueprint: str | None, language: str, output: str, check: bool, force: bool
) -> None:
    """Write a typed client of BLUEPRINT to FILE; an app with one blueprint needs no name."""
    if check and output == "-":
        raise click.UsageError("--check compares a file: give its name after -o.")
    name, catalogue = catalogue_named(blueprint)
    text = LANGUAGES[language](catalogue, name)
    if output == "-":
        click.echo(text, nl=False)
        return
    file = GeneratedFile(output)
    if check:
        file.check(text, _command(language, output, name))
    else:
        changed = file.write(text, force)
        click.echo(f"{output}: {'written' if changed else 'up to date'}", err=True)


def _command(language: str, output: str, blueprint: str) -> str:
    return shlex.join(["flask", "sse", "client", "--lang", language, "-o", output, blueprint])
