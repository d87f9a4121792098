"""One definition of each function, used by checker, interpreter, code generator and documentation alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from policy_engine.semantics.types import Type


@dataclass(frozen=True, slots=True)
class Overload:
    """One signature. `params` start with the receiver where the function is a method."""

    params: tuple[Type, ...]
    result: Type


@dataclass(frozen=True, slots=True)
class Example:
    """An expression and the CEL text of what it comes to; every one is run by the tests on both back ends."""

    expression: str
    value: str


@dataclass(frozen=True, slots=True)
class Extra:
    """An optional part of the installation: `pip install 'policy-engine[NAME]'`.

    `open` imports its packages behind their one door; it raises `ImportError` where they are not installed.
    """

    name: str
    open: Callable[[], object]

    def missing(self) -> bool:
        """Whether it is not installed, or does not work here."""
        try:
            self.open()
        except Exception:  # a broken package is as good as none, whatever it raises
            return True
        return False


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the language.

    `name` is written as policies write it, with its namespace (`math.greatest`). `method`: called on a receiver,
    `x.name(…)`; `both` (only with `method`): also callable as `name(x, …)`, as `size` is.
    `body` takes the engine values (receiver first) and returns one, or raises `EvaluationError`; it checks the kinds
    of its arguments itself (`no_such_overload`), because dynamically typed calls reach it unchecked. With
    `needs_context` it is given the `EvaluationContext` before them (provenance, run). `body is None` = declared for
    checking and formatting, refused by `load`: its turn comes in a later version.
    `cost` = evaluation steps of one call, before the size of its arguments is counted. `extra`: what must be installed;
    `load` refuses a policy that calls it otherwise. `constants`: for a position, what reads the argument there, so that
    a constant it cannot read is told before any decision.
    """

    name: str
    overloads: tuple[Overload, ...]
    meaning: str
    examples: tuple[Example, ...]
    body: Callable[..., Any] | None
    method: bool = False
    both: bool = False
    cost: int = 1
    needs_context: bool = False
    source: str = field(default="cel-spec", kw_only=True)
    extra: Extra | None = field(default=None, kw_only=True)
    constants: tuple[tuple[int, Callable[[Any], object]], ...] = field(default=(), kw_only=True)
