"""URLs as they may be shown: without what gives access.

Floor 3.
"""

from __future__ import annotations

import re


def masked(url: str) -> str:
    """Return a URL without its user, its password and its query."""
    return re.sub(r"//.*@", "//***@", re.split(r"[?#]", url, maxsplit=1)[0], flags=re.DOTALL)
