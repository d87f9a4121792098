"""What this version checks but does not execute is refused by `load`, never ignored."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from policy_engine.base.source import Span
from policy_engine.compiler.analysis.checking import Bench
from policy_engine.compiler.analysis.conditions import expressions_of, ladder_expressions
from policy_engine.diagnostics.model import Code
from policy_engine.semantics.ast.expressions import Call, Expr, children
from policy_engine.semantics.ast.policy import Default, ElseReply, Escalation, Rule, kind_of

NOT_EXECUTABLE = Code(
    "not-executable",
    "Part of the policy is checked, but nothing executes it yet",
    "`check` knows the whole language; this version executes allow, deny, escalate, rewrite, label, declassify and"
    " validate. A policy that relies on more is refused when it is loaded: a limit that nobody counts would be a promise"
    " that nobody keeps.\n\n```\nlimit rate on crm.refund to 5 per 1h        // checked, refused by load\n"
    "escalate each on crm.refund to finance within 30m\n```",
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

LATER_KINDS: Final = frozenset({"limit", "timeout", "retry", "breaker", "invariant"})
_EFFECT: Final = "the policy is not loaded: what it promises would not be kept"


def check_executable(bench: Bench, rule: Rule) -> None:
    """Refuse kinds, functions and endings of a rule that nothing executes yet."""
    kind = kind_of(rule)
    if kind in LATER_KINDS:
        bench.report(
            NOT_EXECUTABLE, f"`{kind}` is checked, but nothing executes it yet", (rule.keyword_span, "a later version"),
            effect=_EFFECT, suggestion="leave the rule out until then; `check` goes on checking it",
        )  # fmt: skip
    ending = rule.ladder.otherwise if isinstance(rule, Escalation) else None
    if isinstance(ending, ElseReply) and bench.subject.event:
        bench.report(
            NOT_EXECUTABLE, "a reply instead of an event is checked, but nothing executes it yet", ending.span,
            effect=_EFFECT, suggestion="else deny",
        )  # fmt: skip
    expressions = [bench.tools.conditions.of(rule), *expressions_of(rule)]
    for note in (rule.notes.because, rule.notes.detail):
        if note is not None:
            expressions += [piece for piece in bench.tools.notes.pieces(note) if not isinstance(piece, str)]
    _check_functions(bench, expressions)


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
