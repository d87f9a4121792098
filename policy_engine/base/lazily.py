"""A table that is filled as it is asked: what a policy holds for each tool is made ready when the tool is first used.

Used by the runtime (ready plans, validators) and for plans read from the cache.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar, overload

Made = TypeVar("Made")


class Lazily(dict[str, Made], Generic[Made]):
    """A dict whose values are made on first reading and then kept; `known` says which keys there are.

    `table[key]` costs what it costs in a dict. Safe to read from many threads: two may make the same value, one is kept.
    """

    def __init__(self, known: Mapping[str, Any], make: Callable[[str], Made]) -> None:
        super().__init__()
        self._known = known
        self._make = make

    def __missing__(self, key: str) -> Made:
        if key not in self._known:
            raise KeyError(key)
        return self.setdefault(key, self._make(key))

    @overload
    def get(self, key: str, default: None = None, /) -> Made | None: ...

    @overload
    def get(self, key: str, default: Any, /) -> Any: ...

    def get(self, key: str, default: Any = None, /) -> Any:
        """The value of a known key, made if need be."""
        return self[key] if key in self._known else default

    def __contains__(self, key: object) -> bool:
        return key in self._known

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def keys(self) -> Any:
        """The known keys."""
        return self._known.keys()

    def values(self) -> Any:
        """All values, each made if need be."""
        return [self[key] for key in self._known]

    def items(self) -> Any:
        """All pairs, each value made if need be."""
        return [(key, self[key]) for key in self._known]
