"""Macros over lists and maps: Python's comprehensions, and set operations for «all of these are among those».

Python's `all` and `any` stop early, as CEL may: an error in an element *before* the deciding one raises, and the
interpreter absorbs it. Long ranges, and nested ones sooner, go to the interpreter, which counts steps.
"""

from __future__ import annotations

import ast
from typing import Any, Final

from policy_engine.base.limits import MAX_EVALUATION_STEPS
from policy_engine.compiler.codegen import build
from policy_engine.compiler.codegen.comparison import clashes_with_bool, set_like
from policy_engine.compiler.codegen.emitter import Emitter, LeftToTheInterpreter, Local
from policy_engine.compiler.codegen.kinds import LISTS, elements, entries, kinds
from policy_engine.compiler.codegen.literals import constant_items
from policy_engine.semantics.ast.expressions import Binary, Call, Comprehension, Expr, Literal, Name, Not, children

_LONGEST_REREADING: Final = 1_000
_CHEAP: Final = frozenset(("startsWith", "endsWith", "size"))
"""Functions that do not look at all of a long text or list."""


def comprehension(node: Comprehension, emitter: Emitter) -> ast.expr:
    """Any of the macros."""
    quick = _among_constants(node, emitter)
    if quick is not None:
        return quick
    names = tuple(emitter.fresh(f"{variable}_") for variable in node.variables)
    most = build.constant(_longest(node))
    walked = build.call("walk" if len(names) == 1 else "pairs", emitter.value(node.range), most)
    if not any(isinstance(part, ast.NamedExpr) for part in ast.walk(walked)):
        return _over(node, names, walked, emitter)
    held = emitter.fresh("walked")  # Python allows no `:=` where a comprehension names what it walks over
    return build.choose(
        build.tuple_of(build.bind(held, walked)), _over(node, names, build.load(held), emitter), build.constant(None)
    )


def _over(node: Comprehension, names: tuple[str, ...], walked: ast.expr, emitter: Emitter) -> ast.expr:
    range_type = emitter.known(node.range)
    types = (elements(range_type),) if len(names) == 1 else entries(range_type)
    local = {
        variable: Local(lambda name=name: build.load(name), type_)  # type: ignore[misc]
        for variable, name, type_ in zip(node.variables, names, types, strict=True)
    }
    with emitter.bound(local):
        return _kind(node, names, walked, emitter)


def _kind(node: Comprehension, names: tuple[str, ...], walked: ast.expr, emitter: Emitter) -> ast.expr:
    *filters, body = node.bodies
    single = len(names) == 1
    match node.kind:
        case "all" | "exists" | "exists_one":
            tests = ast.GeneratorExp(emitter.test(body), build.loop(names, walked))
            if node.kind == "exists_one":
                return build.compare(build.call("sum", tests), ast.Eq(), build.constant(1))
            return build.call("all" if node.kind == "all" else "any", tests)
        case "filter" if single:
            return ast.ListComp(build.load(names[0]), build.loop(names, walked, emitter.test(body)))
        case "map" if single:
            pass
        case "transformList" | "transformMap" | "transformMapEntry" if not single:
            pass
        case "last" | "after" if single:
            passes = build.function(names, emitter.test(body))
            return build.call("last_of" if node.kind == "last" else "elements_after", walked, passes)
        case _:  # `sortBy`, which compares what it sorts by, is defined once
            raise LeftToTheInterpreter
    loop = build.loop(names, walked, *(emitter.test(test) for test in filters))
    if node.kind == "transformMap":
        pair = build.tuple_of(build.load(names[0]), emitter.value(body))
        return build.call("map_of", ast.GeneratorExp(pair, loop))
    if node.kind == "transformMapEntry":
        key, value = emitter.fresh("key"), emitter.fresh("value")
        held = emitter.fresh("entry")
        loop += build.loop((held,), build.display([emitter.value(body)]))
        loop += build.loop((key, value), build.call("entries", build.load(held)))
        return build.call("map_of", ast.GeneratorExp(build.tuple_of(build.load(key), build.load(value)), loop))
    return ast.ListComp(emitter.value(body), loop)


def _among_constants(node: Comprehension, emitter: Emitter) -> ast.expr | None:
    """`xs.all(x, x in ["a", "b"])` and its relatives, as one operation on a set; None for any other shape."""
    if node.kind not in ("all", "exists") or len(node.variables) != 1 or len(node.bodies) != 1:
        return None
    body, negated = node.bodies[0], False
    while isinstance(body, Not):
        body, negated = body.operand, not negated
    if not isinstance(body, Binary):
        return None
    constants = _tested_against(body, node.variables[0])
    if constants is None or not set_like(constants):
        return None
    found_bool = "bool" in kinds(elements(emitter.known(node.range)))
    if found_bool and clashes_with_bool(constants):
        return None
    negated ^= body.operator == "!="
    values = frozenset(constants)
    name = build.load(emitter.constants.add("among", values, ("among", values)))
    walked = _list_or_map(node.range, emitter)
    match node.kind, negated:
        case "all", False:
            return build.method(name, "issuperset", walked)
        case "all", True:
            return build.method(name, "isdisjoint", walked)
        case "exists", False:
            return build.negate(build.method(name, "isdisjoint", walked))
        case _:
            return build.negate(build.method(name, "issuperset", walked))


def _tested_against(body: Binary, variable: str) -> list[Any] | None:
    """The constants that `variable` is compared with, in `x in [...]`, `x == "a"` or `x != "a"`."""
    if not (isinstance(body.left, Name) and body.left.name == variable and not body.left.rooted):
        return None
    if body.operator == "in":
        return constant_items(body.right)
    if body.operator in ("==", "!=") and isinstance(body.right, Literal):
        return [body.right.value]
    return None


def _list_or_map(node: Expr, emitter: Emitter) -> ast.expr:
    code = emitter.value(node)
    if emitter.kinds(node) == LISTS:
        return code
    seen = emitter.fresh("walked")
    kind = build.attribute(build.bind(seen, code), "__class__")
    return build.choose(build.compare(kind, ast.In(), build.load("CONTAINERS")), build.load(seen), build.divert())


def _longest(node: Comprehension) -> int:
    """How long a range may be here: so that all loops inside together stay below the interpreter's bound on steps."""
    levels, size = _extent(node)
    most = max(1, int((MAX_EVALUATION_STEPS / (4 * size)) ** (1 / levels)))
    rereads = any(_rereads(body, frozenset(node.variables)) for body in node.bodies)
    return min(most, _LONGEST_REREADING) if rereads else most


def _rereads(node: Expr, variables: frozenset[str]) -> bool:
    """Whether each round may go through the whole of one value, the same each time: `xs.all(x, x in args.others)`."""
    match node:
        case Call() if node.function not in _CHEAP:
            whole = children(node)
        case Binary(operator="+"):
            whole = children(node)
        case Binary(operator="in") if constant_items(node.right) is None:
            whole = (node.right,)
        case _:
            whole = ()
    if any(not isinstance(part, Literal) and not _reads(part, variables) for part in whole):
        return True
    return any(_rereads(child, variables) for child in children(node))


def _reads(node: Expr, variables: frozenset[str]) -> bool:
    if isinstance(node, Name):
        return node.name in variables
    return any(_reads(child, variables) for child in children(node))


def _extent(node: Expr) -> tuple[int, int]:
    """Loops inside one another (a chain of macros is one after the other), and nodes, of an expression."""
    inner = [_extent(child) for child in children(node)]
    size = 1 + sum(count for _, count in inner)
    if isinstance(node, Comprehension):
        (ranged, _), *bodies = inner
        return max(ranged, 1 + max(level for level, _ in bodies)), size
    return max((level for level, _ in inner), default=0), size
