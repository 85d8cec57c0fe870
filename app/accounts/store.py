"""Accounts and sessions in the database; passwords are hashed, session tokens too."""

import hashlib
import re
import secrets
import sqlite3
import time
from typing import Literal, NamedTuple

from flask import current_app

from ..database import database

Role = Literal["customer", "operator"]

NAME = re.compile(r"[a-z][a-z0-9._-]{0,31}")


class AccountError(ValueError):
    """An account that cannot be, or is not there; the text is for people."""


class Visitor(NamedTuple):
    """Who makes a request, and in which session."""

    account: str
    role: Role
    session: str


class Account(NamedTuple):
    name: str
    role: Role
    password: str


def add_account(name: str, role: Role, password: str) -> None:
    """Keep a new account. Raises `AccountError`."""
    if not NAME.fullmatch(name):
        raise AccountError(
            f"{name!r} is no account name: it begins with a small letter, and up to 31 of "
            "a-z, 0-9, '.', '_' and '-' may follow."
        )
    row = (name, role, password, time.time())
    try:
        database().write(lambda db: db.execute("INSERT INTO accounts VALUES (?, ?, ?, ?)", row))
    except sqlite3.IntegrityError:
        raise AccountError(f"There is an account {name!r} already.") from None


def find_account(name: str) -> Account | None:
    query = "SELECT name, role, password FROM accounts WHERE name = ?"
    row = database().read(lambda db: db.execute(query, (name,)).fetchone())
    return Account(*row) if row else None


def all_accounts() -> list[Account]:
    query = "SELECT name, role, password FROM accounts ORDER BY name"
    return [Account(*row) for row in database().read(lambda db: db.execute(query).fetchall())]


def change_password(name: str, password: str) -> list[Visitor]:
    """Give an account another password; return its sessions, which are over."""
    return _change(name, "UPDATE accounts SET password = :password WHERE name = :name", password)


def remove_account(name: str) -> list[Visitor]:
    """Forget an account; return its sessions, which are over."""
    return _change(name, "DELETE FROM accounts WHERE name = :name")


def _change(name: str, statement: str, password: str = "") -> list[Visitor]:
    def work(db: sqlite3.Connection) -> list[Visitor]:
        sessions = db.execute(f"{VISITORS} WHERE name = ?", (name,)).fetchall()
        db.execute("DELETE FROM sessions WHERE account = ?", (name,))
        if not db.execute(statement, {"name": name, "password": password}).rowcount:
            raise AccountError(f"There is no account {name!r}.")
        return [Visitor(*row) for row in sessions]

    return database().write(work)


VISITORS = "SELECT name, role, sessions.id FROM sessions JOIN accounts ON account = name"


def open_session(account: Account) -> str | None:
    """Return the token of a new session; none where the account has changed in the meantime."""
    token = secrets.token_urlsafe(32)
    now = time.time()
    expires = now + current_app.permanent_session_lifetime.total_seconds()
    row = (_hashed(token), secrets.token_hex(8), expires, account.name, account.password)

    def work(db: sqlite3.Connection) -> bool:
        db.execute("DELETE FROM sessions WHERE expires < ?", (now,))
        insert = (
            "INSERT INTO sessions (token, id, account, expires)"
            " SELECT ?, ?, name, ? FROM accounts WHERE name = ? AND password = ?"
        )
        return db.execute(insert, row).rowcount == 1

    return token if database().write(work) else None


def find_visitor(token: str) -> Visitor | None:
    query = f"{VISITORS} WHERE token = ? AND expires > ?"
    values = (_hashed(token), time.time())
    row = database().read(lambda db: db.execute(query, values).fetchone())
    return Visitor(*row) if row else None


def close_session(token: str) -> None:
    values = (_hashed(token),)
    database().write(lambda db: db.execute("DELETE FROM sessions WHERE token = ?", values))


def _hashed(token: str) -> str:
    """A token has enough of chance in it that a plain hash keeps it."""
    return hashlib.sha256(token.encode()).hexdigest()
