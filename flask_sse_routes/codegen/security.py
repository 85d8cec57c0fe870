"""What hooks ask of a client, as OpenAPI's security requirements.

Floor 1. The schemes of one hook are alternatives; those of several hooks are all needed.
"""

from __future__ import annotations

import itertools
import re
from typing import Any

from ..hooks import Hook
from .components import Components

Requirement = dict[str, list[str]]


def requirements(hooks: tuple[Hook, ...], components: Components) -> list[Requirement]:
    """Return the combinations that let a client in; empty where no hook declares any."""
    asked = [_schemes(hook, components) for hook in hooks if hook.security]
    if not asked:
        return []
    found: list[Requirement] = []
    for names in itertools.product(*asked):
        requirement: Requirement = {name: [] for name in names}
        if requirement not in found:
            found.append(requirement)
    return found


def _schemes(hook: Hook, components: Components) -> list[str]:
    return [
        components.security_scheme(_key(name), _plain(scheme))
        for name, scheme in hook.security.items()
    ]


def _key(name: str) -> str:
    """Return a name that components may have."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", name)


def _plain(scheme: Any) -> dict[str, Any]:
    return dict(scheme)
