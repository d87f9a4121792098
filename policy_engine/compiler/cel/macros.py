"""Macros: calls whose arguments are not values but a variable and expressions over it.

The builder asks here for every call; the answer is the node a macro becomes, or None for an ordinary function. A call
that has a macro's name and not its form is a `MacroFault`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from policy_engine.base.source import Span
from policy_engine.semantics.ast.expressions import (
    Bind,
    Comprehension,
    ComprehensionKind,
    Expr,
    Has,
    ListExpr,
    Literal,
    Name,
    OptionalMap,
    Select,
)  # fmt: skip


class MacroFault(Exception):
    """A macro that is not written as macros are."""

    def __init__(self, message: str, span: Span, suggestion: str | None = None) -> None:
        """`span` is what to underline."""
        super().__init__(message)
        self.message = message
        self.span = span
        self.suggestion = suggestion


@dataclass(frozen=True, slots=True)
class _Form:
    """A macro's forms: `(variables, bodies)` for each number of arguments, and how to write it."""

    kind: ComprehensionKind
    arities: Mapping[int, tuple[int, int]]
    usage: str


_TEST: Final = {2: (1, 1), 3: (2, 1)}
_FORMS: Final[Mapping[str, _Form]] = {
    "all": _Form("all", _TEST, "x.all(item, item > 0)"),
    "exists": _Form("exists", _TEST, "x.exists(item, item > 0)"),
    "exists_one": _Form("exists_one", _TEST, "x.exists_one(item, item > 0)"),
    "existsOne": _Form("exists_one", _TEST, "x.existsOne(item, item > 0)"),
    "filter": _Form("filter", {2: (1, 1)}, "x.filter(item, item > 0)"),
    "map": _Form("map", {2: (1, 1), 3: (1, 2)}, "x.map(item, item * 2)"),
    "transformList": _Form("transformList", {3: (2, 1), 4: (2, 2)}, "x.transformList(index, item, item * 2)"),
    "transformMap": _Form("transformMap", {3: (2, 1), 4: (2, 2)}, "x.transformMap(key, value, value * 2)"),
    "transformMapEntry": _Form(
        "transformMapEntry", {3: (2, 1), 4: (2, 2)}, "x.transformMapEntry(key, value, {value: key})"
    ),
    "last": _Form("last", {0: (0, 0), 2: (1, 1)}, 'run.calls.last(c, c.tool == "crm.verify")'),
    "after": _Form("after", {2: (1, 1)}, 'run.calls.after(c, c.tool == "bank.set_rate")'),
    "sortBy": _Form("sortBy", {2: (1, 1)}, "x.sortBy(item, item.price)"),
}  # fmt: skip
MACRO_NAMES: Final = frozenset({*_FORMS, "has", "bind", "optMap", "optFlatMap"})
_BLOCK_INDEX: Final = "@index"
_BLOCK_VARIABLE: Final = "@it"


def function(name: str, args: tuple[Expr, ...], span: Span) -> Expr | None:
    """The macro `has(x.f)`, or None."""
    if name != "has":
        return None
    match args:
        case (Select(optional=False) as field,):
            return Has(field.operand, field.field, span)
        case _:
            raise MacroFault(
                "`has` asks for one field of something", span, 'has(args.limit); for a key: "limit" in args'
            )


def method(target: Expr, name: str, args: tuple[Expr, ...], span: Span, name_span: Span) -> Expr | None:
    """The macro that `target.name(args)` is, or None."""
    if isinstance(target, Name) and target.name == "cel" and not target.rooted:
        return _cel(name, args, span)
    if name in ("optMap", "optFlatMap"):
        if len(args) != 2:
            raise MacroFault(
                f"`{name}` takes a variable and an expression", name_span, f"x.?f.{name}(value, value + 1)"
            )
        return OptionalMap(target, _variable(args[0], name), args[1], name == "optFlatMap", span)
    form = _FORMS.get(name)
    if form is None:
        return None
    counts = form.arities.get(len(args))
    if counts is None:
        raise MacroFault(f"`{name}` takes a variable of its own and what to do with it", name_span, form.usage)
    variable_count, _ = counts
    if variable_count == 0:
        return None
    variables = tuple(_variable(arg, name) for arg in args[:variable_count])
    if len(set(variables)) != len(variables):
        raise MacroFault(f"`{name}` has the variable `{variables[0]}` twice", args[1].span, form.usage)
    return Comprehension(form.kind, target, variables, args[variable_count:], span)


def is_block(target: Expr, name: str) -> bool:
    """Whether this is `cel.block`, which deepens the tree by one for each of its parts."""
    return name == "block" and isinstance(target, Name) and target.name == "cel"


def _variable(node: Expr, macro: str) -> str:
    if isinstance(node, Name) and not node.rooted:
        return node.name
    usage = _FORMS[macro].usage if macro in _FORMS else None
    raise MacroFault(f"`{macro}` needs a plain name for its variable here", node.span, usage)


def _cel(name: str, args: tuple[Expr, ...], span: Span) -> Expr | None:
    """`cel.bind`, and the block extension's `cel.block`, `cel.index`, `cel.iterVar`."""
    match name, args:
        case "bind", (variable, value, body):
            if not isinstance(variable, Name) or variable.rooted:
                raise MacroFault(
                    "`cel.bind` needs a plain name for its variable", variable.span, "cel.bind(x, args.amount, x * x)"
                )
            return Bind(variable.name, value, body, span)
        case "bind", _:
            raise MacroFault(
                "`cel.bind` takes a variable, its value and an expression", span, "cel.bind(x, args.amount, x * x)"
            )
        case "block", (ListExpr(elements=elements), body):
            for number, element in reversed(list(enumerate(elements))):
                body = Bind(f"{_BLOCK_INDEX}{number}", element.value, body, span)
            return body
        case "index", (Literal(value=int() as number),):
            return Name(f"{_BLOCK_INDEX}{number}", False, span)
        case "iterVar", (Literal(value=int() as depth), Literal(value=int() as number)):
            return Name(f"{_BLOCK_VARIABLE}:{depth}:{number}", False, span)
        case _:
            return None
