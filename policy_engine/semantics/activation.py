"""The names a condition can read, for both back ends.

Generated code takes `args` and `principal` as parameters and every other name as an attribute of the environment;
the interpreter looks the same things up by name through `Names`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Protocol

from policy_engine.semantics.context import EvaluationContext

ENVIRONMENT_NAMES: Final = (
    "tool", "agent", "input", "run", "context", "now", "result", "call", "error",
    "step", "answer", "delegate", "resource", "prompt", "approver",
)  # fmt: skip
"""Names that are attributes of an `Environment`; an absent one raises `EvaluationError("not_available")`."""


class Environment(EvaluationContext, Protocol):
    """Holds, besides the context of functions, one attribute for each of `ENVIRONMENT_NAMES`."""

    def __getattr__(self, name: str) -> Any: ...


class Names(Mapping[str, Any]):
    """The mapping the interpreter reads names from: the parameters of a generated function, by name."""

    __slots__ = ("args", "environment", "principal")

    def __init__(self, args: Any, principal: Any, environment: Any) -> None:
        self.args = args
        self.principal = principal
        self.environment = environment

    def __getitem__(self, name: str) -> Any:
        if name == "args":
            return self.args
        if name == "principal":
            return self.principal
        if name in ENVIRONMENT_NAMES:
            return getattr(self.environment, name)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(("args", "principal", *ENVIRONMENT_NAMES))

    def __len__(self) -> int:
        return 2 + len(ENVIRONMENT_NAMES)
