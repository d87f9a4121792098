"""What several rules of one block all begin by working out: worked out once for all of them.

Called by `parts.py`. Only what a rule's first test evaluates whatever happens is shared. So where it comes to an error,
each rule of the group would have come to it too, and all go the way they would have gone: to the interpreter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from policy_engine.compiler.codegen.index.conjuncts import READABLE
from policy_engine.semantics.ast.expressions import (
    Binary,
    Call,
    Expr,
    Literal,
    Name,
    Negate,
    Not,
    Select,
    children,
    shape,
)

_FEWEST: Final = 4
"""Rules from which sharing is worth a group of its own."""
_LARGEST: Final = 24
_CALLS: Final = frozenset(("size", "startsWith", "endsWith", "contains", "matches"))
_ARITHMETIC: Final = frozenset("+-*/%")

Rule: TypeAlias = tuple[int, Sequence[Expr]]
"""A rule's number and the tests that are left of it."""
Ours: TypeAlias = Callable[[str], bool]
"""Whether a function is the language's own and not the host's."""
_Shape: TypeAlias = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that share expressions. `shared`: for each expression all the nodes that mean it; empty = nothing."""

    rules: list[Rule]
    shared: list[list[Expr]]


def groups(rules: Sequence[Rule], ours: Ours) -> list[Group]:
    """The rules by what they share, in their order; those that share nothing with enough others come last."""
    counts: Counter[_Shape] = Counter()
    for _, tests in rules:
        counts.update({key for test in tests[:1] for key, _ in _worked_out(test, ours)})
    common = {key for key, count in counts.items() if count >= _FEWEST}
    found: dict[tuple[_Shape, ...], tuple[list[Rule], dict[_Shape, list[Expr]]]] = {}
    for rule in rules:
        own = [pair for test in rule[1][:1] for pair in _worked_out(test, ours, stop=common)]
        own = [pair for pair in own if pair[0] in common]
        members, nodes = found.setdefault(tuple(dict.fromkeys(key for key, _ in own)), ([], {}))
        members.append(rule)
        for key, node in own:
            nodes.setdefault(key, []).append(node)
    made, alone = [], []
    for keys, (members, nodes) in found.items():
        if keys and len(members) >= _FEWEST:
            made.append(Group(members, list(nodes.values())))
        else:
            alone += members
    return [*made, Group(sorted(alone, key=lambda rule: rule[0]), [])] if alone else made


def _worked_out(node: Expr, ours: Ours, stop: Container[_Shape] = ()) -> Iterator[tuple[_Shape, Expr]]:
    """What may be shared of all that is evaluated for certain, the larger before its parts; no parts of what is in `stop`."""
    if _nodes(node, ours, _LARGEST) <= _LARGEST and not isinstance(node, Literal | Name):
        key = shape(node)
        yield key, node
        if key in stop:
            return
    if isinstance(node, Select | Binary | Not | Negate) or (isinstance(node, Call) and node.function in _CALLS):
        for child in children(node):
            yield from _worked_out(child, ours, stop)


def _nodes(node: Expr, ours: Ours, most: int) -> int:
    """How many nodes a value of the request has that is cheap to work out; more than `most` where it is no such value."""
    match node:
        case Literal():
            return 1
        case Name() if node.name in READABLE:
            return 1
        case Select() if not node.optional:
            pass
        case Negate():
            pass
        case Binary() if node.operator in _ARITHMETIC:
            pass
        case Call() if node.function in _CALLS and ours(node.function):
            pass
        case _:
            return most + 1
    count = 1
    for child in children(node):
        if count > most:
            break
        count += _nodes(child, ours, most - count)
    return count
