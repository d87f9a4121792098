"""What every check of a normaliser shares: the budget of one request, and the fault that climbs to its root."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from policy_engine.base.limits import MAX_ARGS_CHARS, MAX_ARGS_NODES


class Budget:
    """How much text and how many values one request may still hold. Failed alternatives of a union count too."""

    __slots__ = ("chars", "nodes")

    def __init__(self) -> None:
        self.chars = MAX_ARGS_CHARS
        self.nodes = MAX_ARGS_NODES

    def take(self, nodes: int) -> None:
        """Count values; raises `Misfit` past the limit."""
        self.nodes -= nodes
        if self.nodes < 0:
            raise Misfit("holds more values than the engine reads")


class Misfit(Exception):
    """A fault on its way up: each list and object it leaves puts its own step in front."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.steps: list[str | int] = []

    def within(self, step: str | int) -> Misfit:
        """The same fault, seen from one level further out."""
        self.steps.append(step)
        return self

    def path(self, root: str) -> str:
        """`args.items[3].price`."""
        return root + "".join(map(_written, reversed(self.steps)))


def _written(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f".{step}" if step.isidentifier() and step.isascii() else f'["{step}"]'


Check: TypeAlias = Callable[[Any, Budget], Any]
"""Takes what a caller sent, returns the engine's own copy; raises `Misfit`."""
