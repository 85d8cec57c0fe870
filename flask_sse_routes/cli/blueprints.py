"""Which blueprint of the app a command is about.

Floor 3.
"""

from __future__ import annotations

import difflib

import click

from ..codegen.catalogue import Catalogue
from ..documents import catalogue_of
from ..errors import ConfigError, DeclarationError
from ..extension import runtime_of, this_app


def catalogue_named(name: str | None) -> tuple[str, Catalogue]:
    """Return the full name and the catalogue of a blueprint, by default of the only one.

    One that is nested counts as part of the outermost around it. Raises `ClickException`.
    """
    try:
        known = runtime_of(this_app()).blueprints
        chosen = _only(known) if name is None else _known(known, name)
        return chosen, catalogue_of(this_app(), chosen)
    except (ConfigError, DeclarationError) as error:
        raise click.ClickException(str(error)) from error


def _only(known: dict[str, str]) -> str:
    if not known:
        raise click.ClickException(
            "The app has no RouteBlueprint: register one, or name the right app with --app."
        )
    outermost = [name for name in known if not _is_nested(name, known)]
    if len(outermost) > 1:
        raise click.ClickException(
            f"The app has several blueprints, name one of them: {', '.join(sorted(known))}."
        )
    return outermost[0]


def _is_nested(name: str, known: dict[str, str]) -> bool:
    return any(name.startswith(f"{other}.") for other in known)


def _known(known: dict[str, str], name: str) -> str:
    if name in known:
        return name
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        raise click.ClickException(f"There is no blueprint {name!r}; did you mean {near[0]!r}?")
    raise click.ClickException(
        f"There is no RouteBlueprint {name!r}; the app has {', '.join(sorted(known)) or 'none'}."
    )
