"""Which expressions fold: the shapes that LANGUAGE.md lists under *history*, each a function from node to question.

The questions are exact also for errors: a call whose test is an error counts as one, and what `&&` absorbs is absorbed.
`all(c, P && Q)` is `all(c, P) && all(c, Q)`, `all(c, P)` of the call alone is `!exists(c, !P)`, and a test that does
not look at the call stands beside the question instead of in it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from policy_engine.compiler.analysis.folding.conjuncts import Key, conjunct, conjuncts, disjuncts, is_static
from policy_engine.compiler.analysis.folding.questions import (
    Arguments,
    FoldKind,
    NotFolded,
    Tests,
    negated,
    sorted_tests,
    together,
)
from policy_engine.semantics.ast.expressions import And, Binary, Call, Comprehension, Expr, Literal, Name, Or, Select


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A list of calls: of the run or of a history, those that returned or all attempts."""

    name: str
    attempts: bool
    node: Expr

    @property
    def stand_in(self) -> Name:
        """What the list is called in templates."""
        return Name("$calls", False, self.node.span)


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """A question as recognised. `value` and `start` belong to `reduce`; `after` tells since which call it is asked."""

    kind: FoldKind
    source: Source
    tests: Tests
    arguments: Arguments
    template: Expr
    value: tuple[str, Expr] | None = None
    reduce: str | None = None
    start: Expr | None = None
    after: Tests | None = None


Ask = Callable[[Question], Expr]
"""Puts a question into the policy's plan and gives the call that asks it."""


def folded(node: Expr, source_of: Callable[[Expr], Source | None], ask: Ask) -> Expr | None:
    """What stands for `node`; None where it is not about a list of calls. Raises `NotFolded` where it does not fold."""
    match node:
        case Comprehension(kind="exists", variables=(_,)):
            return _exists(node, source_of, ask)
        case Comprehension(kind="all", variables=(_,)):
            source = source_of(node.range)
            return None if source is None else _all(node, source, ask)
        case Comprehension(kind="last", variables=(_,)):
            source = source_of(node.range)
            return None if source is None else _last(node, source, ask)
        case Call(function="size"):
            operands = node.args if node.target is None else (node.target, *node.args)
            return _size(node, operands[0], source_of, ask) if len(operands) == 1 else None
        case Call(function="sum" | "max" | "min") if node.target is not None:
            return _reduce(node, node.target, source_of, ask)
        case _:
            return None


def _exists(node: Comprehension, source_of: Callable[[Expr], Source | None], ask: Ask) -> Expr | None:
    arguments = Arguments()
    since: Tests | None = None
    inner, source = node.range, source_of(node.range)
    if isinstance(inner, Comprehension) and inner.kind == "after" and len(inner.variables) == 1:
        source = source_of(inner.range)
        if source is not None:
            since = sorted_tests(inner.bodies[0], inner.variables[0], arguments)
            inner = replace(inner, range=source.stand_in, bodies=(together(since.template, inner),))
    if source is None:
        return None
    tests = sorted_tests(node.bodies[0], node.variables[0], arguments, joins=since is None, free=since is None)
    if not tests.template:
        raise NotFolded("the test does not look at the call")
    range_ = source.stand_in if since is None else inner
    template = replace(node, range=range_, bodies=(together(tests.template, node),))
    asked = ask(Question("exists", source, tests, arguments, template, after=since))
    return asked if not tests.free else And((asked, *tests.free), node.span)


def _all(node: Comprehension, source: Source, ask: Ask) -> Expr:
    variable, span = node.variables[0], node.span
    static: list[Expr] = []
    others: list[Expr] = []
    for test in conjuncts(node.bodies[0]):
        (static if is_static(test, (variable,)) else others).append(test)
    parts: list[Callable[[], Expr]] = []
    if static:
        parts.append(lambda: negated(ask(_one_fails(node, source, together(static, node)))))
    for test in others:
        question = _uniform(node, source, test)
        parts.append(lambda question=question: ask(question))  # type: ignore[misc]
    asked = [part() for part in parts]
    return asked[0] if len(asked) == 1 else And(tuple(asked), span)


def _one_fails(node: Comprehension, source: Source, test: Expr) -> Question:
    arguments = Arguments()
    tests = sorted_tests(negated(test), node.variables[0], arguments)
    template = replace(node, kind="exists", range=source.stand_in, bodies=(negated(test),))
    return Question("exists", source, tests, arguments, template)


def _uniform(node: Comprehension, source: Source, test: Expr) -> Question:
    """`all(c, c.x == value)`, perhaps with other ways to hold: `c.tool != "t" || c.x == value`."""
    variable, arguments = node.variables[0], Arguments()
    excused: list[Expr] = []
    key: tuple[Key, Expr] | None = None
    for part in disjuncts(test):
        kind = conjunct(part, (variable,))
        if is_static(part, (variable,)):
            excused.append(part)
        elif isinstance(kind, Key) and key is None:
            key = kind, part
        else:
            raise NotFolded("a test of all calls is neither of the call alone, nor `c.x == value`")
    if key is None:
        raise NotFolded("a test of all calls is neither of the call alone, nor `c.x == value`")
    tests = sorted_tests(_none_of(excused, node), variable, arguments)
    position, name = arguments.add(key[0].value)
    tests.keys.append((key[0].own, position))
    equal = Binary("==", key[0].own, name, key[1].span)
    body: Expr = Or((*excused, equal), test.span) if excused else equal
    return Question("uniform", source, tests, arguments, replace(node, range=source.stand_in, bodies=(body,)))


def _none_of(excused: list[Expr], node: Expr) -> Expr | None:
    if not excused:
        return None
    return negated(excused[0] if len(excused) == 1 else Or(tuple(excused), node.span))


def _last(node: Comprehension, source: Source, ask: Ask) -> Expr:
    arguments = Arguments()
    tests = sorted_tests(node.bodies[0], node.variables[0], arguments)
    template = replace(node, range=source.stand_in, bodies=(together(tests.template, node),))
    return ask(Question("last", source, tests, arguments, template))


def _size(node: Call, inner: Expr, source_of: Callable[[Expr], Source | None], ask: Ask) -> Expr | None:
    arguments, source = Arguments(), source_of(inner)
    template: Expr
    if source is not None:
        tests, template = Tests("c"), source.stand_in
    elif isinstance(inner, Comprehension) and inner.kind == "filter" and len(inner.variables) == 1:
        source = source_of(inner.range)
        if source is None:
            return None
        tests = sorted_tests(inner.bodies[0], inner.variables[0], arguments)
        template = replace(inner, range=source.stand_in, bodies=(together(tests.template, inner),))
    else:
        return None
    whole = replace(node, target=template) if node.target is not None else replace(node, args=(template,))
    return ask(Question("count", source, tests, arguments, whole))


def _reduce(node: Call, inner: Expr, source_of: Callable[[Expr], Source | None], ask: Ask) -> Expr | None:
    if not (isinstance(inner, Comprehension) and inner.kind == "map" and len(inner.variables) == 1):
        return None
    arguments, variable = Arguments(), inner.variables[0]
    chosen = inner.range if isinstance(inner.range, Comprehension) else None
    source = source_of(inner.range)
    if source is not None:
        *tested, value = inner.bodies
        tests = sorted_tests(tested[0] if tested else None, variable, arguments)
        bodies = (together(tests.template, inner), value) if tests.template else (value,)
        template: Expr = replace(inner, range=source.stand_in, bodies=bodies)
    elif chosen is not None and chosen.kind == "filter" and len(chosen.variables) == 1 and len(inner.bodies) == 1:
        source, value = source_of(chosen.range), inner.bodies[0]
        if source is None:
            return None
        tests = sorted_tests(chosen.bodies[0], chosen.variables[0], arguments)
        kept = replace(chosen, range=source.stand_in, bodies=(together(tests.template, chosen),))
        template = replace(inner, range=kept)
    else:
        return None
    if not is_static(value, (variable,)):
        raise NotFolded("what is taken together is not of the call alone")
    if len(node.args) > 1 or (node.args and not isinstance(node.args[0], Literal)):
        raise NotFolded("the start of the sum is no literal")
    return ask(
        Question(
            "reduce", source, tests, arguments, replace(node, target=template), (variable, value), node.function,
            node.args[0] if node.args else None,
        )
    )  # fmt: skip


def source_in(histories: frozenset[str], bound: frozenset[str]) -> Callable[[Expr], Source | None]:
    """Recognises `run.calls`, `run.attempts` and the same of histories, where macros around bind these variables."""

    def source_of(node: Expr) -> Source | None:
        if not (isinstance(node, Select) and node.field in ("calls", "attempts") and not node.optional):
            return None
        name = node.operand
        if not isinstance(name, Name) or (name.name in bound and not name.rooted):
            return None
        if name.name != "run" and name.name not in histories:
            return None
        return Source(name.name, node.field == "attempts", node)

    return source_of
