"""The accounts of `make run`, whose passwords everybody knows: there only when asked for."""

from typing import NamedTuple

from flask import Flask

from .passwords import hashed
from .store import AccountError, Role, add_account, find_account


class DemoAccount(NamedTuple):
    name: str
    role: Role
    password: str


DEMO_ACCOUNTS = (
    DemoAccount("alice", "customer", "alice-buys"),
    DemoAccount("bob", "customer", "bob-buys-too"),
    DemoAccount("olga", "operator", "olga-ships"),
)


def init_app(app: Flask) -> None:
    if app.config["DEMO_ACCOUNTS"]:
        with app.app_context():
            for account in DEMO_ACCOUNTS:
                _add(account)


def _add(account: DemoAccount) -> None:
    if find_account(account.name) is not None:
        return
    try:
        add_account(account.name, account.role, hashed(account.password))
    except AccountError:
        return  # another worker was first
