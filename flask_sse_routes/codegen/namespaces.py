"""Operations by where clients find them: `$api.admin.stats` stands in the space `admin`.

Floor 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .catalogue import Operation


class Namespace:
    """What stands under one name: operations, and more of its kind."""

    def __init__(self, path: tuple[str, ...] = ()) -> None:
        self.path = path
        self.operations: list[Operation] = []
        self.spaces: dict[str, Namespace] = {}

    @classmethod
    def of(cls, operations: Iterable[Operation]) -> Namespace:
        """Build the outermost one."""
        root = cls()
        for operation in operations:
            place = root
            for part in operation.namespace:
                place = place.spaces.setdefault(part, cls((*place.path, part)))
            place.operations.append(operation)
        return root

    def walk(self) -> Iterator[Namespace]:
        """Yield this one after all those within it."""
        for space in self.spaces.values():
            yield from space.walk()
        yield self

    @property
    def members(self) -> set[str]:
        """The names that stand in it."""
        return {*self.spaces, *(operation.route.name for operation in self.operations)}
