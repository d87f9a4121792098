"""Pass: every rule, checked once for each tool and event it is about.

Most rules read alike for all their tools: where neither types nor words differ, one look serves for many.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from policy_engine.compiler.analysis.checking import Bench, LayerTools
from policy_engine.compiler.analysis.conditions import Conditions, expressions_of
from policy_engine.compiler.analysis.defaults import check_default
from policy_engine.compiler.analysis.draft import Draft, Layer, LoadedFile, Subject
from policy_engine.compiler.analysis.executability import check_executable
from policy_engine.compiler.analysis.keys import rule_key
from policy_engine.compiler.analysis.labelling import check_labels
from policy_engine.compiler.analysis.lets import ExpansionFailed
from policy_engine.compiler.analysis.limits import check_limit
from policy_engine.compiler.analysis.merging import merged
from policy_engine.compiler.analysis.notes import Notes
from policy_engine.compiler.analysis.outcomes import (
    WRONG_ROOT,
    check_ladder,
    check_otherwise,
    check_redact,
    check_set,
    roots_of_subject,
)
from policy_engine.compiler.analysis.phases import Phase, check_kind, phase_of
from policy_engine.compiler.analysis.recalling import listening, recalled
from policy_engine.compiler.analysis.telling import check_notes
from policy_engine.diagnostics.model import Diagnostic
from policy_engine.semantics.ast.expressions import Expr
from policy_engine.semantics.ast.policy import (
    Breaker,
    Declassification,
    Escalation,
    Invariant,
    Labelling,
    Limit,
    Permission,
    RedactChange,
    Retry,
    Rewriting,
    Rule,
    SetChange,
    Timeout,
    Validation,
    kind_of,
)


@dataclass(frozen=True, eq=False)
class CheckedRule:
    """A rule with the subjects it acts on, in groups that read alike, and the key it is found by again (None = never).

    `known` = an earlier compilation left the fact of it, and it was not checked now.
    """

    rule: Rule
    file: LoadedFile
    layer: Layer
    tools: LayerTools
    id: str
    groups: tuple[tuple[Subject, ...], ...]
    key: bytes | None
    known: bool

    @property
    def subjects(self) -> Iterator[Subject]:
        """All of them."""
        return (subject for group in self.groups for subject in group)


def check_rules(draft: Draft) -> None:
    """Fill `draft.checked` and `draft.layer_tools`; findings of all rules."""
    notes, conditions = Notes(draft.collector), Conditions()
    for layer in draft.layers:
        tools = LayerTools(draft, layer, notes, conditions)
        draft.layer_tools.append(tools)
        for file, rule in layer.rules():
            key = rule_key(draft, layer, file, rule)
            fact = None if key is None else draft.before.facts.get(key)
            groups = _checked(tools, rule, key) if fact is None else recalled(draft, layer, fact)
            if key is not None and fact is not None:
                draft.after.facts[key] = fact
            name, known = f"{file.name}/{rule.name.text}", fact is not None
            draft.checked.append(CheckedRule(rule, file, layer, tools, name, groups, key, known))
        check_default(tools)


def _checked(tools: LayerTools, rule: Rule, key: bytes | None) -> tuple[tuple[Subject, ...], ...]:
    """The subjects of a rule in groups that read alike, after it was checked for each."""
    draft, layer = tools.draft, tools.layer
    with listening(draft, layer) as heard:
        subjects = check_kind(draft, rule, layer.targets.resolve(rule.targets, f"`{rule.name.text}`"))
        groups = _alike(tools, rule, subjects)
        _check(tools, rule, groups)
    fact = heard.fact(groups)
    if key is not None and fact is not None:
        draft.after.facts[key] = fact
    return groups


def _check(tools: LayerTools, rule: Rule, groups: tuple[tuple[Subject, ...], ...]) -> None:
    findings: list[tuple[Diagnostic, tuple[Subject, ...]]] = []
    for group in groups:
        bench = Bench(tools, group[0], rule_phase(rule, group[0]), tools.conditions.of(rule))
        check_rule(bench, rule)
        findings += [(diagnostic, group) for diagnostic in bench.collector.diagnostics]
    about_tools = len(groups) > 1 or _reads_tool(tools, rule, groups)
    for diagnostic in merged(findings, rule, name_tools=about_tools and sum(map(len, groups)) > 1):
        tools.draft.collector.add(diagnostic)


def check_rule(bench: Bench, rule: Rule) -> None:
    """Everything that is checked of one rule for one subject."""
    bench.condition()
    match rule:
        case Permission() | Invariant() | Retry():
            pass
        case Escalation():
            check_ladder(bench, rule.ladder, output=False)
        case Rewriting():
            _check_rewriting(bench, rule)
        case Labelling() | Declassification():
            check_labels(bench, rule)
        case Validation():
            check_otherwise(bench, rule.otherwise, output=True)
        case Limit():
            check_limit(bench, rule)
        case Timeout() | Breaker():
            check_otherwise(bench, rule.otherwise, output=False)
    check_notes(bench, rule.notes)
    if bench.draft.executable:
        check_executable(bench, rule)


def rule_phase(rule: Rule, subject: Subject) -> Phase:
    """The phase of a rule: that of its kind, for a rewrite that of its paths."""
    if isinstance(rule, Rewriting) and not subject.event and "result" in _roots(rule):
        return "result"
    return phase_of(rule, subject)


def _roots(rule: Rewriting) -> set[str]:
    roots: set[str] = set()
    for change in rule.changes:
        match change:
            case SetChange():
                roots.add(change.path.root)
            case RedactChange():
                roots |= {path.root for path in change.paths}
    return roots


def _check_rewriting(bench: Bench, rule: Rewriting) -> None:
    roots = roots_of_subject(bench)
    if len(_roots(rule) & set(roots)) > 1:
        bench.report(
            WRONG_ROOT, f"`{rule.name.text}` rewrites both `args` and `result`", rule.name.span,
            suggestion="write two rules: one acts before the call, one after it",
        )  # fmt: skip
        return
    for change in rule.changes:
        match change:
            case SetChange():
                check_set(bench, change, roots)
            case RedactChange():
                check_redact(bench, change, roots)


# ------------------------------------------------------------------ subjects that read alike
def _alike(tools: LayerTools, rule: Rule, subjects: tuple[Subject, ...]) -> tuple[tuple[Subject, ...], ...]:
    """The subjects in groups for which the rule has the same words and the same types."""
    groups: dict[tuple[object, ...], list[Subject]] = {}
    expressions = _expressions(tools, rule)
    for subject in subjects:
        groups.setdefault(_key(tools, rule, expressions, subject), []).append(subject)
    return tuple(tuple(group) for group in groups.values())


def _expressions(tools: LayerTools, rule: Rule) -> list[Expr]:
    """Every expression of a rule, its condition and its notes' among them."""
    expressions = [tools.conditions.of(rule), *expressions_of(rule)]
    for note in (rule.notes.because, rule.notes.detail):
        if note is not None:
            expressions += [piece for piece in tools.notes.pieces(note) if not isinstance(piece, str)]
    return expressions


def _reads_tool(tools: LayerTools, rule: Rule, groups: tuple[tuple[Subject, ...], ...]) -> bool:
    """Whether what is found may be about a tool's own types."""
    if not groups or not isinstance(rule, Permission | Escalation):
        return True
    try:
        expanded = [tools.expander.expand(expression, groups[0][0]) for expression in _expressions(tools, rule)]
    except ExpansionFailed:
        return False
    return any(one.free & {"args", "result"} for one in expanded)


def _key(tools: LayerTools, rule: Rule, expressions: list[Expr], subject: Subject) -> tuple[object, ...]:
    if subject.event:
        return (subject.name,)
    writes = not isinstance(rule, Permission | Escalation)
    fields: set[str] | None = None if writes else set()
    free: set[str] = set()
    try:
        for expression in expressions:
            expanded = tools.expander.expand(expression, subject)
            if expanded.per_tool:
                return (subject.name,)
            free |= expanded.free
            fields = None if fields is None or expanded.args_fields is None else fields | expanded.args_fields
    except ExpansionFailed:
        return (subject.name,)
    return (
        kind_of(rule),
        _args_key(subject, fields) if "args" in free or writes else None,
        subject.output if "result" in free or writes else None,
    )


def _args_key(subject: Subject, fields: set[str] | None) -> object:
    """What the rule sees of the arguments: the types of the fields it reads, or of all where it reads them as a whole."""
    record = subject.input
    if record is None or fields is None:
        return subject.args_type
    seen = ((name, field.type, field.required) if (field := record.field(name)) else name for name in sorted(fields))
    return (tuple(seen), record.rest)
