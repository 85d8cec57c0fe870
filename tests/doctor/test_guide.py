"""The guide's table has the codes that there are."""

from __future__ import annotations

import re
from pathlib import Path

from flask_sse_routes.doctor.finding import CODES

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "doctor.md"
ROW = re.compile(r"^\| `([\w-]+)` \| ([\w, ]+) \| (.+) \| (.+) \| (.+) \|$", re.MULTILINE)


def test_the_table_of_the_guide_is_that_of_the_code() -> None:
    rows = ROW.findall(GUIDE.read_text())
    said = [(code, tuple(severities.split(", ")), why) for code, severities, _, why, _ in rows]
    assert said == [(code, each.severities, each.why) for code, each in CODES.items()]
