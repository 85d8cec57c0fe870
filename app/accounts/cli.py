"""`flask accounts`: what an administrator does with accounts, from a terminal."""

import click
from flask import Flask
from flask.cli import AppGroup

from ..extensions import sse
from . import store
from .passwords import hashed
from .store import AccountError, Role, Visitor

SHORTEST = 8

group = AppGroup("accounts", help="Add, list and remove the accounts that may sign in.")


def _password() -> str:
    text: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    if len(text) < SHORTEST:
        raise click.ClickException(f"A password has at least {SHORTEST} characters.")
    return hashed(text)


@group.command()
@click.argument("name")
@click.option("--role", type=click.Choice(["customer", "operator"]), default="customer")
def add(name: str, role: Role) -> None:
    """Add an account; asks for its password."""
    try:
        store.add_account(name, role, _password())
    except AccountError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"Added {name} ({role}).")


@group.command("list")
def list_accounts() -> None:
    """List the accounts and their roles."""
    accounts = store.all_accounts()
    for account in accounts:
        click.echo(f"{account.name:32} {account.role}")
    if not accounts:
        click.echo("No account yet; add one with: flask accounts add NAME", err=True)


@group.command()
@click.argument("name")
def remove(name: str) -> None:
    """Remove an account; ends its sessions and their streams."""
    try:
        sessions = store.remove_account(name)
    except AccountError as error:
        raise click.ClickException(str(error)) from None
    _end(sessions)
    click.echo(f"Removed {name}.")


@group.command()
@click.argument("name")
def password(name: str) -> None:
    """Give an account another password; ends its sessions and their streams."""
    if store.find_account(name) is None:
        raise click.ClickException(f"There is no account {name!r}.")
    try:
        sessions = store.change_password(name, _password())
    except AccountError as error:
        raise click.ClickException(str(error)) from None
    _end(sessions)
    click.echo(f"The password of {name} is changed.")


def _end(sessions: list[Visitor]) -> None:
    for visitor in sessions:
        sse.revoke(user=visitor)


def init_app(app: Flask) -> None:
    app.cli.add_command(group)
