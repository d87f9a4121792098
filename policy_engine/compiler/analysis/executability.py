"""What this version checks but does not execute is refused by `load`, never ignored."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from policy_engine.base.source import Span
from policy_engine.compiler.analysis.checking import Bench
from policy_engine.compiler.analysis.conditions import expressions_of, ladder_expressions
from policy_engine.compiler.analysis.limits import AFTER_THE_CALL
from policy_engine.diagnostics.model import Code
from policy_engine.semantics.ast.expressions import Call, Expr, children
from policy_engine.semantics.ast.policy import Default, Limit, Rule, kind_of

NOT_EXECUTABLE = Code(
    "not-executable",
    "Part of the policy is checked, but nothing executes it yet",
    "`check` knows the whole language; this version does not prove `invariant`, and does not count `of distinct` what only"
    " the result tells. A policy that relies on more is refused when it is loaded: an invariant that nobody proves would be"
    " a promise that nobody keeps.\n\n```\n"
    "invariant reviewed on crm.refund when args.amount > 500.0 never allow        // checked, refused by load\n"
    "deny large on crm.refund when args.amount > 500.0\n```",
)
MISSING_EXTRA = Code(
    "missing-extra",
    "A function needs a part of the installation that is not here",
    "`sql`, `shell` and the detectors stand on larger packages, which are installed only where they are wanted. A policy that"
    " calls them is refused when it is loaded, not when it decides.\n\n"
    "```\ndeny writes on db.query unless sql(args.text).statements.all(s, s == \"select\")\n```\n\n"
    "```console\npip install 'policy-engine[sql]'\n```",
)
CODES = (NOT_EXECUTABLE, MISSING_EXTRA)

LATER_KINDS: Final = frozenset({"invariant"})
_EFFECT: Final = "the policy is not loaded: what it promises would not be kept"


def check_executable(bench: Bench, rule: Rule) -> None:
    """Refuse kinds, functions and amounts that nothing executes yet."""
    kind = kind_of(rule)
    if kind in LATER_KINDS:
        bench.report(
            NOT_EXECUTABLE, f"`{kind}` is checked, but nothing executes it yet", (rule.keyword_span, "a later version"),
            effect=_EFFECT, suggestion="leave the rule out until then; `check` goes on checking it",
        )  # fmt: skip
    if isinstance(rule, Limit) and rule.distinct and rule.of is not None:
        _check_distinct(bench, rule.of)
    expressions = [bench.tools.conditions.of(rule), *expressions_of(rule)]
    for note in (rule.notes.because, rule.notes.detail):
        if note is not None:
            expressions += [piece for piece in bench.tools.notes.pieces(note) if not isinstance(piece, str)]
    _check_functions(bench, expressions)


def _check_distinct(bench: Bench, of: Expr) -> None:
    """What is distinct is held before the call, so that it must be known then."""
    expanded = bench.expanded(of)
    if expanded is not None and expanded.free & AFTER_THE_CALL:
        bench.report(
            NOT_EXECUTABLE, "`of distinct` what is known only after the call is checked, but nothing counts it yet",
            (of.span, "known after the call"), effect=_EFFECT, suggestion="count distinct arguments instead",
        )  # fmt: skip


def check_default_executable(bench: Bench, default: Default | None) -> None:
    """The same for what belongs to a layer, not to a rule."""
    if default is not None and default.ladder is not None:
        _check_functions(bench, ladder_expressions(default.ladder))


def _check_functions(bench: Bench, expressions: Iterable[Expr]) -> None:
    found: dict[str, Span] = {}
    missing: dict[str, tuple[str, Span]] = {}
    for expression in expressions:
        expanded = bench.expanded(expression)
        pending = [] if expanded is None else [expanded.tree]
        while pending:
            node = pending.pop()
            pending.extend(children(node))
            function = bench.draft.functions.get(node.function) if isinstance(node, Call) else None
            if function is None:
                continue
            if function.body is None:
                found[function.name] = node.span
            if function.extra is not None:
                bench.draft.extras.add(function.extra.name)
                if function.extra.missing():
                    missing.setdefault(function.extra.name, (function.name, node.span))
    if found:
        names = " and ".join(f"`{name}`" for name in sorted(found))
        are = "is" if len(found) == 1 else "are"
        bench.report(
            NOT_EXECUTABLE, f"{names} {are} checked, but this version does not execute {'it' if are == 'is' else 'them'} yet",
            found[min(found)], effect=_EFFECT, suggestion="leave the rule out until then; `check` goes on checking it",
        )  # fmt: skip
    for extra, (name, span) in sorted(missing.items()):
        bench.report(
            MISSING_EXTRA, f"`{name}` needs the extra `{extra}`, which is not installed", (span, "called here"),
            effect=_EFFECT, suggestion=f"pip install 'policy-engine[{extra}]'",
        )  # fmt: skip
