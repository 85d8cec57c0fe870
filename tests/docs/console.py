"""The commands of a console block, and what the page says that each prints."""

from __future__ import annotations

from .blocks import Block
from .failure import PageFailure


def split(block: Block) -> list[tuple[str, list[str]]]:
    """The commands of a console block, each with the lines below it."""
    found: list[tuple[str, list[str]]] = []
    continued = False
    for line in block.text.splitlines():
        if continued:
            found[-1] = (f"{found[-1][0]}\n{line.removeprefix('> ')}", [])
        elif line.startswith("$ "):
            found.append((line[2:], []))
        elif found:
            found[-1][1].append(line)
        else:
            raise PageFailure(f"{block.where}: a console begins with a line `$ command`.")
        continued = (continued or line.startswith("$ ")) and line.endswith("\\")
    if not found:
        raise PageFailure(f"{block.where}: this console runs nothing.")
    return found
