"""Blocks that a page's run leaves to tests of their own are used by those tests."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator

import pytest

from .blocks import ROOT, block
from .claims import CLAIMS

CLAIMED = [(page, title, test) for page, each in CLAIMS.items() for title, test in each.items()]
# Functions and tables that read a block by its page and title.
READERS = {"block", "lay_out", "Flavour"}


class Reads:
    """The calls of a file that read blocks, each with the texts that are given to it."""

    def __init__(self, source: str) -> None:
        self._tree = ast.parse(source)
        self._named: dict[str, set[str]] = defaultdict(set)
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Assign):
                for name in node.targets:
                    self._named[ast.unparse(name)] |= self._texts(node.value)

    def of(self, page: str, title: str) -> bool:
        """Tell whether one call is given both."""
        return any({page, title} <= texts for texts in self._calls())

    def _calls(self) -> Iterator[set[str]]:
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in READERS:
                yield set().union(*(self._texts(each) for each in node.args))

    def _texts(self, node: ast.expr) -> set[str]:
        """The texts that an argument is, or is made of."""
        if isinstance(node, ast.Constant):
            return {node.value} if isinstance(node.value, str) else set()
        if isinstance(node, ast.Name):
            return self._named[node.id]
        if isinstance(node, ast.Starred):
            return self._texts(node.value)
        if isinstance(node, (ast.Tuple, ast.List)):
            return set().union(*(self._texts(each) for each in node.elts))
        return set()


@pytest.mark.parametrize(("page", "title", "test"), CLAIMED)
def test_the_claim_is_kept(page: str, title: str, test: str) -> None:
    """The block is there, and the file of the test that claims it reads it."""
    assert block(page, title)
    file, *names = test.split("::")
    source = (ROOT / file).read_text()
    assert Reads(source).of(page, title), f"{file} does not read {title!r} of {page}"
    for name in names:
        assert name in source, f"{file} has no {name!r}"


def test_what_does_not_read_a_block_is_no_claim() -> None:
    speaks = 'PAGE = "a.md"\nprint(PAGE, "b.js")\nblock(PAGE, "c.js")\n'
    assert Reads(speaks).of("a.md", "c.js")
    assert not Reads(speaks).of("a.md", "b.js")
    assert not Reads(speaks).of("b.md", "c.js")
