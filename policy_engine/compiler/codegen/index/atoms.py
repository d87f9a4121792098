"""Conjuncts that a table can decide: `path == constant`, a text's beginning or end, a pattern, a bound.

Called by `planning.py`. An atom tells by which keys its rule is found. Everything it says must hold for *any* value at
the path: without a key of it the conjunct is false, never an error, but where the whole family comes to an error.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from policy_engine.base.errors import EvaluationError
from policy_engine.base.values import UInt
from policy_engine.compiler.codegen.index.conjuncts import Path, path_of
from policy_engine.compiler.codegen.index.prefixes import literal_prefix
from policy_engine.compiler.codegen.literals import constant_items, literal_text
from policy_engine.compiler.codegen.patterns import plain_pattern
from policy_engine.semantics.artifact import IndexFamily
from policy_engine.semantics.ast.expressions import Binary, Call, Expr, Literal, Not, Or
from policy_engine.semantics.functions.catalogue import BY_NAME
from policy_engine.semantics.functions.declaration import Function
from policy_engine.semantics.functions.patterns import compiled

BOUNDS: Final[Mapping[str, IndexFamily]] = {">": "above", ">=": "reaches", "<": "below", "<=": "within"}
_TURNED: Final = {">": "<", ">=": "<=", "<": ">", "<=": ">="}
_EXACT_BELOW: Final = 2**53
"""Beyond it an integer beside a double is rounded by CEL and not by Python."""


@dataclass(frozen=True, slots=True)
class Atom:
    """`exact`: the key decides the conjunct; otherwise it is only needed for it, and the conjunct is tested still."""

    family: IndexFamily
    path: Path
    keys: tuple[Any, ...]
    exact: bool = True
    encoded: bool = False


def atom_of(node: Expr, functions: Mapping[str, Function]) -> Atom | None:
    """The atom that a conjunct is; None where no table can decide it."""
    match node:
        case Binary(operator="==") | Binary(operator="in"):
            return _equality(node)
        case Not(operand=Binary(operator="!=") as inner):
            return _equality(inner)
        case Binary(operator=">" | ">=" | "<" | "<="):
            return _bound(node)
        case Call():
            return _text(node, functions)
        case Or():
            return _either([atom_of(operand, functions) for operand in node.operands])
        case _:
            return None


def _either(atoms: list[Atom | None]) -> Atom | None:
    """`a || b` of atoms over one path and family: by the keys of both."""
    first = atoms[0]
    if first is None or not first.exact or first.family in BOUNDS.values():
        return None
    keys: list[Any] = []
    for one in atoms:
        if one is None or (one.family, one.path, one.encoded, one.exact) != (first.family, first.path, first.encoded, True):
            return None
        keys += one.keys
    return Atom(first.family, first.path, tuple(keys), True, first.encoded)


def _equality(node: Binary) -> Atom | None:
    if node.operator == "in":
        path, constants = path_of(node.left), constant_items(node.right)
        if path is None or constants is None or not all(map(_is_key, constants)):
            return None
        return Atom("equal", path, tuple(constants))
    for subject, other in ((node.left, node.right), (node.right, node.left)):
        path = path_of(subject)
        if path is not None and isinstance(other, Literal) and _is_key(other.value):
            return Atom("equal", path, (other.value,))
    return None


def _is_key(value: Any) -> bool:
    kind = type(value)
    return kind in (str, bytes, bool, type(None)) or _is_number(value)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float, UInt) and math.isfinite(value) and abs(value) < _EXACT_BELOW


def _bound(node: Binary) -> Atom | None:
    for subject, other, operator in (
        (node.left, node.right, node.operator), (node.right, node.left, _TURNED[node.operator])
    ):  # fmt: skip
        path = path_of(subject)
        if path is not None and isinstance(other, Literal) and _is_number(other.value):
            return Atom(BOUNDS[operator], path, (other.value,))
    return None


def _text(node: Call, functions: Mapping[str, Function]) -> Atom | None:
    function = functions.get(node.function)
    operands = node.args if node.target is None else (node.target, *node.args)
    if function is None or BY_NAME.get(node.function) is not function or len(operands) != 2:
        return None
    if node.target is None and function.method and not function.both:
        return None
    path, text = path_of(operands[0]), literal_text(operands[1])
    if path is None or text is None:
        return None
    match node.function:
        case "startsWith":
            return Atom("begins", path, (text,))
        case "endsWith":
            return Atom("ends", path, (text,))
        case "matches":
            return _matches(path, text)
        case _:
            return None


def _matches(path: Path, pattern: str) -> Atom | None:
    """A pattern that is a plain search for text, else its literal beginning, else the pattern itself."""
    try:
        compiled(pattern)
    except EvaluationError:
        return None
    plain = plain_pattern(pattern)
    if plain is not None and (plain.at_start or plain.at_end):
        family: IndexFamily = "whole" if plain.at_start and plain.at_end else "begins" if plain.at_start else "ends"
        return Atom(family, path, plain.texts, True, True)
    beginning = literal_prefix(pattern)
    if len(beginning) > 1:
        return Atom("begins", path, (beginning,), False, True)
    return Atom("pattern", path, (pattern,), True, True)
