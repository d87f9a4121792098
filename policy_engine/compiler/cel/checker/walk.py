"""The walk over an expression: types from the leaves up, facts from left to right. One method a kind of node.

`check_expression` is what the compiler calls, once for each tool a rule targets; `check_condition` where the value must be
true or false. The checks themselves live in `access`, `operators` and `calls`.
"""

from __future__ import annotations

from typing import Final, assert_never

from policy_engine.base.limits import MAX_NESTING
from policy_engine.compiler.cel.checker import access, calls, operators
from policy_engine.compiler.cel.checker.facts import NO_FACTS, Facts, Flow, Local, Path, learn, narrowed, path_of
from policy_engine.compiler.cel.checker.macro_types import Ranged, key_fault, ranged, result_of
from policy_engine.compiler.cel.checker.matching import bounded, fits, join, members, type_of
from policy_engine.compiler.cel.checker.names import candidates, dotted, is_type_name, unknown_name
from policy_engine.compiler.cel.checker.operators import TYPE_MISMATCH, condition
from policy_engine.compiler.cel.checker.report import Report
from policy_engine.compiler.cel.checker.scope import Checked, Scope
from policy_engine.compiler.cel.checker.words import quoted, words
from policy_engine.compiler.cel.codes import TOO_LARGE
from policy_engine.diagnostics.model import Collector
from policy_engine.semantics.ast.expressions import (
    And,
    Binary,
    Bind,
    Call,
    Comprehension,
    Conditional,
    Expr,
    Has,
    Index,
    ListExpr,
    Literal,
    MapExpr,
    Name,
    Negate,
    Not,
    OptionalMap,
    Or,
    Select,
    children,
)  # fmt: skip
from policy_engine.semantics.types import BOOL, DYN, TYPE, ListType, MapType, OptionalType, Type, union

_EXPANDED_NESTING: Final = 50
"""Levels that the expansion of `let` may add to those an expression may have as written."""
_CONDITION_MACROS: Final = ("all", "exists", "exists_one", "filter", "last", "after")


def check_expression(expr: Expr, scope: Scope, collector: Collector, facts: Facts = NO_FACTS) -> Checked:
    """Infer every type in `expr` and report what cannot work. `facts`: what earlier guards made sure of.

    Trees that grew too deep by the expansion of `let` are refused as a whole.
    """
    if _deeper_than(expr, MAX_NESTING + _EXPANDED_NESTING):
        message = "the expression nests too deep once every `let` in it is put in its place"
        Report(collector).fault(TOO_LARGE, message, (expr, ""), effect=None, suggestion="fewer `let` inside `let`")
        return Checked(DYN, {})
    walk = _Walk(scope, Report(collector))
    flow = Flow({}, facts)
    kind = walk.infer(expr, flow)
    return Checked(kind, walk.types, learn(expr, True, flow), learn(expr, False, flow))


def check_condition(
    expr: Expr, scope: Scope, collector: Collector, facts: Facts = NO_FACTS, where: str = "a condition"
) -> Checked:
    """The same for an expression that must be true or false; `where` names its place in the message."""
    checked = check_expression(expr, scope, collector, facts)
    condition(expr, checked.type, Report(collector), where)
    return checked


def _deeper_than(expr: Expr, bound: int) -> bool:
    """Whether the tree has more levels than `bound`; found level by level, without recursion."""
    level: list[Expr] = [expr]
    for _ in range(bound):
        level = [child for node in level for child in children(node)]
        if not level:
            return False
    return True


class _Walk:
    """One check of one expression."""

    def __init__(self, scope: Scope, report: Report) -> None:
        self.types: dict[Expr, Type] = {}
        self._scope = scope
        self._report = report
        self._qualified = scope.container is not None or any("." in name for name in scope.names)

    def infer(self, node: Expr, flow: Flow) -> Type:
        """The type of a node, kept in `types`."""
        kind = bounded(self._infer(node, flow))
        before = self.types.get(node)
        self.types[node] = kind if before is None or before == kind else DYN
        return kind

    def _infer(self, node: Expr, flow: Flow) -> Type:
        match node:
            case Literal(value=value):
                return type_of(value)
            case Name():
                return self._name(node, flow)
            case Select():
                return self._select(node, flow)
            case Has():
                access.has(node, self.infer(node.operand, flow), self._report)
                return BOOL
            case Index():
                return self._index(node, flow)
            case Call():
                parts = children(node) if node.target is None else (node.target, *node.args)
                if node.target is not None and self._is_namespace(node, flow):
                    return calls.call(
                        node, [DYN, *(self.infer(arg, flow) for arg in node.args)], self._scope, self._report
                    )
                return calls.call(node, [self.infer(part, flow) for part in parts], self._scope, self._report)
            case Not():
                condition(node.operand, self.infer(node.operand, flow), self._report, "`!`")
                return BOOL
            case Negate():
                return operators.negate(node, self.infer(node.operand, flow), self._report)
            case Binary():
                left, right = self.infer(node.left, flow), self.infer(node.right, flow)
                return operators.binary(node, left, right, self._report)
            case And() | Or():
                return self._row(node, flow)
            case Conditional():
                return self._conditional(node, flow)
            case ListExpr():
                return ListType(join([self._member(e.value, e.optional, flow) for e in node.elements]))
            case MapExpr():
                return self._map(node, flow)
            case Comprehension():
                return self._comprehension(node, flow)
            case Bind():
                value = Local(self.infer(node.value, flow), path_of(node.value, flow))
                return self.infer(node.body, self._binding(flow, node.variable, value))
            case OptionalMap():
                return self._optional_map(node, flow)
        assert_never(node)

    # -------------------------------------------------------------- names and fields
    def _name(self, node: Name, flow: Flow) -> Type:
        local = None if node.rooted else flow.locals.get(node.name)
        if local is not None:
            return narrowed(local.type, path_of(node, flow), flow.facts)
        for name in candidates(node.name, node.rooted, self._scope.container):
            if name in self._scope.names:
                return narrowed(self._scope.names[name], (node.name,), flow.facts)
        if is_type_name(node.name):
            return TYPE
        return unknown_name(node, self._scope, flow.locals, self._report)

    def _is_namespace(self, node: Call, flow: Flow) -> bool:
        """`math.greatst(…)`: the target is no value, and the call says better what is wrong."""
        return (
            isinstance(node.target, Name) and node.target.name not in flow.locals and node.target.name not in self._scope.names
            and any(name.startswith(f"{node.target.name}.") for name in self._scope.functions)
        )  # fmt: skip

    def _select(self, node: Select, flow: Flow) -> Type:
        whole = dotted(node)
        if whole is not None and (whole[1] or whole[0].partition(".")[0] not in flow.locals):
            name, rooted = whole
            for candidate in candidates(name, rooted, self._scope.container) if self._qualified else ():
                if candidate in self._scope.names:
                    return narrowed(self._scope.names[candidate], path_of(node, flow), flow.facts)
            if is_type_name(name) and name.partition(".")[0] not in self._scope.names:
                return TYPE
        operand = self.infer(node.operand, flow)
        path = path_of(node, flow)
        return narrowed(access.select(node, operand, self._present(path, flow), self._report), path, flow.facts)

    def _index(self, node: Index, flow: Flow) -> Type:
        operand, key, path = self.infer(node.operand, flow), self.infer(node.index, flow), path_of(node, flow)
        return narrowed(access.index(node, operand, key, self._present(path, flow), self._report), path, flow.facts)

    def _present(self, path: Path | None, flow: Flow) -> bool:
        return path is not None and ("present", path, None) in flow.facts

    # -------------------------------------------------------------- logic
    def _row(self, node: And | Or, flow: Flow) -> Type:
        """`a && b`: what makes `a` true is known in `b`. `a || b`: what makes it false."""
        conjunction = isinstance(node, And)
        for operand in node.operands:
            condition(operand, self.infer(operand, flow), self._report, "`&&`" if conjunction else "`||`")
            flow = flow.knowing(learn(operand, conjunction, flow))
        return BOOL

    def _conditional(self, node: Conditional, flow: Flow) -> Type:
        condition(node.condition, self.infer(node.condition, flow), self._report, "`? :`")
        then = self.infer(node.then, flow.knowing(learn(node.condition, True, flow)))
        otherwise = self.infer(node.otherwise, flow.knowing(learn(node.condition, False, flow)))
        joined = join((then, otherwise))
        return union(then, otherwise) if joined == DYN else joined

    # -------------------------------------------------------------- literals with parts
    def _member(self, value: Expr, optional: bool, flow: Flow) -> Type:
        kind = self.infer(value, flow)
        if not optional or kind == DYN:
            return kind
        if isinstance(kind, OptionalType):
            return kind.inner
        return self._report.fault(
            TYPE_MISMATCH, f"{quoted(value)} is {words(kind)}; `?` before it takes an optional", (value, words(kind)),
            suggestion="leave out the `?`, or optional.of(…)",
        )  # fmt: skip

    def _map(self, node: MapExpr, flow: Flow) -> Type:
        keys, values = [], []
        for entry in node.entries:
            key = self.infer(entry.key, flow)
            key_fault(entry.key, key, self._report)
            keys.append(key)
            values.append(self._member(entry.value, entry.optional, flow))
        return MapType(join(keys), join(values))

    # -------------------------------------------------------------- macros
    def _comprehension(self, node: Comprehension, flow: Flow) -> Type:
        over = ranged(node, self.infer(node.range, flow), self._report)
        inner = flow.within(self._variables(node, over))
        bodies = list(node.bodies)
        if len(bodies) == 2:
            condition(bodies[0], self.infer(bodies[0], inner), self._report, f"`{node.kind}`")
            inner = inner.knowing(learn(bodies[0], True, inner))
        body = self.infer(bodies[-1], inner)
        if node.kind in _CONDITION_MACROS:
            condition(bodies[-1], body, self._report, f"`{node.kind}`")
        return result_of(node, over, body, self._report)

    def _variables(self, node: Comprehension, over: Ranged) -> dict[str, Local]:
        if len(node.variables) == 1:
            return {node.variables[0]: Local(over.single, None)}
        return {node.variables[0]: Local(over.key, None), node.variables[1]: Local(over.value, None)}

    def _binding(self, flow: Flow, variable: str, value: Local) -> Flow:
        """Facts about a path stay true under its other word; facts about what the word hides do not."""
        inner = flow.within({variable: value})
        return inner if value.path is None else inner.knowing(frozenset(f for f in flow.facts if f[1][0] != variable))

    def _optional_map(self, node: OptionalMap, flow: Flow) -> Type:
        operand = self.infer(node.operand, flow)
        if any(option != DYN and not isinstance(option, OptionalType) for option in members(operand)):
            self._report.fault(
                TYPE_MISMATCH, f"{quoted(node.operand)} is {words(operand)}; only an optional has `opt{'Flat' * node.flat}Map`",
                (node.operand, words(operand)), suggestion="an optional: args.?limit, optional.of(x)",
            )  # fmt: skip
        inner = operand.inner if isinstance(operand, OptionalType) else DYN
        body = self.infer(node.body, flow.within({node.variable: Local(inner, None)}))
        if not node.flat:
            return OptionalType(body)
        if not fits(OptionalType(DYN), body, {}):
            self._report.fault(
                TYPE_MISMATCH, f"{quoted(node.body)} is {words(body)}; `optFlatMap` needs an optional", (node.body, words(body)),
                suggestion="optMap, whose expression is a plain value",
            )  # fmt: skip
        return body
