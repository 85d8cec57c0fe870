"""Blocks that a page's run leaves to tests of their own are used by those tests."""

from __future__ import annotations

import pytest

from .blocks import ROOT, block
from .claims import CLAIMS

CLAIMED = [(page, title, test) for page, each in CLAIMS.items() for title, test in each.items()]


@pytest.mark.parametrize(("page", "title", "test"), CLAIMED)
def test_the_claim_is_kept(page: str, title: str, test: str) -> None:
    """The block is there, and the test that claims it reads it by page and title."""
    assert block(page, title)
    file, *names = test.split("::")
    source = (ROOT / file).read_text()
    for word in (page, title, *names):
        assert word in source, f"{test} does not speak of {word!r}"
