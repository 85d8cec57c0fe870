"""The guide's tables have the codes that there are."""

from __future__ import annotations

import re
from pathlib import Path

from flask_sse_routes.doctor.finding import CODES

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "doctor.md"
ROW = re.compile(r"^\| `([\w-]+)` \| ([\w, ]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)


def test_the_tables_of_the_guide_are_those_of_the_code() -> None:
    said = [
        (code, tuple(words.split(", "))) for code, words, _, _ in ROW.findall(GUIDE.read_text())
    ]
    assert said == [(code, each.severities) for code, each in CODES.items()]


def test_there_is_a_table_for_each_side() -> None:
    _, outside, server, app = re.split(r"^### .*$", GUIDE.read_text(), flags=re.MULTILINE)
    firsts = [ROW.findall(table)[0][0] for table in (outside, server, app)]
    assert firsts == ["unreachable", "sync-worker", "memory-broker"]
