"""Puts questions in the place of history that folds, and gathers tracks and questions of the whole policy.

Called while a policy is built. The rule keeps its condition as it was written (the twin, for explaining); its batch
gets the folded one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from policy_engine.base.source import Span
from policy_engine.compiler.analysis.folding.conjuncts import renamed
from policy_engine.compiler.analysis.folding.questions import NotFolded, Tests, together
from policy_engine.compiler.analysis.folding.shapes import Question, Source, folded, source_in
from policy_engine.compiler.analysis.rebuilding import bound_for_children, rebuilt
from policy_engine.compiler.codegen.module import ModuleBuilder
from policy_engine.semantics.artifact import Fold, FoldPlan, Track, Value, Window
from policy_engine.semantics.ast.expressions import Call, Expr, Literal, Name, children, shape
from policy_engine.semantics.context import FOLDED


@dataclass(slots=True)
class _Kept:
    """A track before all questions to it are known."""

    number: int
    make: Callable[[tuple[str, ...]], Track]
    keeps: set[str]


class Folder:
    """One a policy. `looked_back` counts the conditions that may be about calls before."""

    def __init__(self, module: ModuleBuilder, histories: frozenset[str] = frozenset()) -> None:
        self._module = module
        self._histories = histories
        self._tracks: dict[tuple[object, ...], _Kept] = {}
        self._folds: list[Fold] = []
        self._scanned: dict[tuple[Span, str], None] = {}
        self.looked_back = 0

    def fold(self, condition: Expr) -> Expr:
        """The condition with questions in the place of what folds; itself where nothing does."""
        if not self._looks_back(condition):
            return condition
        self.looked_back += 1
        return self._folded(condition, frozenset())

    def _looks_back(self, condition: Expr) -> bool:
        """Whether anything in it may be about calls before. Of most conditions nothing is."""
        pending = [condition]
        while pending:
            node = pending.pop()
            match node:
                case Name(name=name) if name == "run" or name in self._histories:
                    return True
                case Call(function=function) if function == FOLDED:
                    return True
                case Name() | Literal():
                    pass
                case _:
                    pending += children(node)
        return False

    def plan(self) -> FoldPlan:
        """Everything gathered."""
        tracks = tuple(kept.make(tuple(sorted(kept.keeps))) for kept in self._tracks.values())
        return FoldPlan(tracks, tuple(self._folds), tuple(self._scanned))

    def _folded(self, node: Expr, bound: frozenset[str]) -> Expr:
        source_of = source_in(self._histories, bound)
        before = len(self._folds)
        try:
            found = folded(node, source_of, lambda question: self._asked(question, bound))
        except NotFolded as why:
            del self._folds[before:]
            self._scanned[node.span, str(why)] = None
            return node
        if found is not None:
            return found
        if _is_history(node):
            self._scanned[node.span, "calls kept across runs are gone through, those of this key"] = None
        if source_of(node) is not None:
            self._scanned[node.span, "this way of looking at calls does not fold"] = None
        parts = tuple(
            self._folded(child, bound | frozenset(variables))
            for child, variables in zip(children(node), bound_for_children(node), strict=True)
        )
        return rebuilt(node, parts, fresh=False)

    # ------------------------------------------------------------------ questions
    def _asked(self, question: Question, bound: frozenset[str]) -> Expr:
        keeps = {"exists": (), "uniform": ("count",), "count": ("count",), "last": ("last",), "reduce": ("reduce",)}
        since = question.after
        after = None
        if since is not None:
            after = self._fold(question, "last", since, {"last"}, None)
        needed = {"last"} if since is not None else set(keeps[question.kind])
        fold = self._fold(question, question.kind, question.tests, needed, after)
        self._folds.append(fold)
        span = question.template.span
        arguments = (self._folded(argument, bound) for argument in question.arguments.values)
        return Call(FOLDED, None, (Literal(len(self._folds) - 1, span), *arguments), span)

    def _fold(self, question: Question, kind: str, tests: Tests, keeps: set[str], after: Fold | None) -> Fold:
        if tests.window is not None:
            keeps = {*keeps, "window"}
        reduces = kind == "reduce"
        track = self._track(question.source, tests, question if reduces else None, keeps)
        return Fold(
            kind, track, tuple(position for _, position in tests.keys),  # type: ignore[arg-type]
            None if tests.window is None else Window(*tests.window), after, question.template, question.template.span,
        )  # fmt: skip

    def _track(self, source: Source, tests: Tests, reducing: Question | None, keeps: set[str]) -> int:
        names = {tests.variable: "args"} | ({} if tests.row is None else {tests.row: "principal"})
        test = renamed(together(tests.static, source.node), names) if tests.static else None
        row_test = renamed(together(tests.row_static, source.node), names) if tests.row_static else None
        rows = None if tests.rows is None else renamed(tests.rows, names)
        own = tuple(renamed(key, names) for key, _ in tests.keys)
        value = start = reduce = None
        if reducing is not None and reducing.value is not None:
            value, start, reduce = (
                renamed(reducing.value[1], {reducing.value[0]: "args"}),
                reducing.start,
                reducing.reduce,
            )
        parts = (test, rows, row_test, *own, value, start)
        of_row = tuple(position in tests.row_keys for _, position in tests.keys)
        identity = (source.name, source.attempts, reduce, of_row, *(part and shape(part) for part in parts))
        kept = self._tracks.get(identity)
        if kept is None:
            made = [None if part is None else self._module.value("kept", part, {}) for part in parts]
            kept = _Kept(len(self._tracks), _maker(source, tests, made, len(own), reduce), set())
            self._tracks[identity] = kept
        kept.keeps |= keeps
        return kept.number


def _is_history(node: Expr) -> bool:
    name = node.args[0] if isinstance(node, Call) and node.function == FOLDED else None
    return isinstance(name, Literal) and isinstance(name.value, str)


def _maker(
    source: Source, tests: Tests, made: list[Value | None], keys: int, reduce: str | None
) -> Callable[[tuple[str, ...]], Track]:
    test, rows, row_test, *own, value, start = made
    told = [part.span.text for part in (*tests.static, *tests.row_static)] + [own.span.text for own, _ in tests.keys]
    text = f"{source.name}.{'attempts' if source.attempts else 'calls'} by ({', '.join(' '.join(t.split()) for t in told)})"
    assert len(own) == keys

    def make(keeps: tuple[str, ...]) -> Track:
        return Track(
            source.name, source.attempts, tests.tools, test, rows, row_test, tuple(key for key in own if key is not None),
            tuple(position in tests.row_keys for _, position in tests.keys), value, reduce, start, keeps, text,  # type: ignore[arg-type]
        )  # fmt: skip

    return make
