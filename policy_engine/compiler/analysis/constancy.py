"""Pass: conditions that read nothing are always true or never; somebody meant something else."""

from __future__ import annotations

from policy_engine.base.errors import EvaluationError
from policy_engine.compiler.analysis.checking import LayerTools
from policy_engine.compiler.analysis.draft import Draft, Subject
from policy_engine.compiler.analysis.lets import ExpansionFailed
from policy_engine.compiler.analysis.rules import CheckedRule
from policy_engine.diagnostics.model import Code
from policy_engine.semantics.ast.expressions import Call, Expr, children
from policy_engine.semantics.ast.policy import kind_of
from policy_engine.semantics.interpreter import interpret

NEVER_TRUE = Code(
    "never-true",
    "A condition that can never be true",
    "The condition reads nothing and is false, so its rule never applies: a `deny` that protects nothing.\n\n"
    '```\ndeny freeze on deploy.* when "prod" == "production"        // never\n'
    'deny freeze on deploy.* when context.env == "prod"\n```',
    "warning",
)
ALWAYS_TRUE = Code(
    "always-true",
    "A condition that is always true",
    "The condition reads nothing and is true: as `when` it says nothing, as `unless` it switches its rule off.\n\n"
    "```\ndeny transfer on bank.transfer unless true             // never denies\n"
    "deny transfer on bank.transfer unless said(args.iban)\n```",
    "warning",
)
CODES = (NEVER_TRUE, ALWAYS_TRUE)


def check_constancy(draft: Draft) -> None:
    """Look at every guard that reads no name, but for rules with which nothing is wrong as is known already."""
    for checked in draft.checked:
        subject = next(checked.subjects, None)
        if subject is None or checked.known:
            continue
        told = draft.collector.told
        _check(draft, checked, subject)
        if draft.collector.told > told:
            draft.after.facts.pop(checked.key, None)


def _check(draft: Draft, checked: CheckedRule, subject: Subject) -> None:
    rule, guards = checked.rule, checked.rule.guards
    idle = f"`{rule.name.text}` never applies"
    if guards.when is not None and (value := _constant(checked.tools, guards.when, subject)) is not None:
        if value:
            draft.report(
                ALWAYS_TRUE, "this `when` is always true", guards.when.span,
                effect=f"`{rule.name.text}` applies to every call it is about", suggestion="leave the `when` out",
            )  # fmt: skip
        else:
            draft.report(NEVER_TRUE, "this `when` is never true", guards.when.span, effect=_idle(kind_of(rule), idle))
    for exception in guards.unless:
        value = _constant(checked.tools, exception, subject)
        if value:
            draft.report(
                ALWAYS_TRUE, "this `unless` is always true", exception.span, effect=_idle(kind_of(rule), idle)
            )  # fmt: skip
        elif value is False:
            draft.report(
                NEVER_TRUE, "this `unless` is never true", exception.span,
                effect=f"`{rule.name.text}` has no such exception", suggestion="leave the `unless` out",
            )  # fmt: skip


def _idle(kind: str, idle: str) -> str:
    return f"{idle}, and nothing else refuses what it should" if kind in ("deny", "escalate") else idle


def _constant(tools: LayerTools, expression: Expr, subject: Subject) -> bool | None:
    """The value of a condition that reads nothing; None for all others."""
    try:
        expanded = tools.expander.expand(expression, subject)
    except ExpansionFailed:
        return None
    if expanded.free or _calls_the_world(tools, expanded.tree):
        return None
    try:
        value = interpret(expanded.tree, {})
    except EvaluationError:
        return None
    return value if isinstance(value, bool) else None


def _calls_the_world(tools: LayerTools, expression: Expr) -> bool:
    """Whether a function in it reads the run, or has no body to be evaluated with."""
    pending = [expression]
    while pending:
        node = pending.pop()
        pending.extend(children(node))
        if isinstance(node, Call):
            function = tools.draft.functions.get(node.function)
            if function is None or function.body is None or function.needs_context:
                return True
    return False
