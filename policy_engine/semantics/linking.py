"""Generated code made ready to run. Called by the runtime once a policy, and by `policy_engine.cel`."""

from __future__ import annotations

from collections.abc import Mapping
from types import CodeType
from typing import Any

from policy_engine.semantics.prelude import PRELUDE


def link(code: CodeType, constants: Mapping[str, Any]) -> dict[str, Any]:
    """The namespace with the functions that `code` defines, and nothing in reach but the prelude and `constants`."""
    namespace: dict[str, Any] = {**PRELUDE, **constants}
    exec(code, namespace)
    return namespace
