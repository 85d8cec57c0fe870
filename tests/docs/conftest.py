"""Fixtures of the clients' tests, for pages that need a browser, a compiler or a program."""

from clients.conftest import chromium, node_modules, program

__all__ = ["chromium", "node_modules", "program"]
