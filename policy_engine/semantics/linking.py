"""Generated code made ready to run. Called by the runtime once a policy, and by `policy_engine.cel`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import CodeType
from typing import Any

from policy_engine.semantics.prelude import PRELUDE


class Linked(Mapping[str, Any]):
    """Constants that are a finished namespace already, which gains functions as plans are read from a cache.

    Every function in it was made from code that `link` had run before it was stored; `namespace` holds the prelude too.
    """

    def __init__(self) -> None:
        self.namespace: dict[str, Any] = dict(PRELUDE)

    def __getitem__(self, name: str) -> Any:
        return self.namespace[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.namespace)

    def __len__(self) -> int:
        return len(self.namespace)


def link(code: CodeType, constants: Mapping[str, Any]) -> dict[str, Any]:
    """The namespace with the functions that `code` defines, and nothing in reach but the prelude and `constants`."""
    if isinstance(constants, Linked):
        return constants.namespace
    namespace: dict[str, Any] = {**PRELUDE, **constants}
    exec(code, namespace)
    return namespace
