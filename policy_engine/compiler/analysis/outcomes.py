"""Checks of what a rule does: the paths it writes, the ladders it climbs, what follows silence or failure."""

from __future__ import annotations

from collections.abc import Mapping

from policy_engine.compiler.analysis.assigning import NoSuchPath, assignable, exact_type, type_at
from policy_engine.compiler.analysis.checking import Bench
from policy_engine.compiler.analysis.phases import EVENT_RECORDS, event_root
from policy_engine.compiler.cel.checker import Checked
from policy_engine.diagnostics.model import Code
from policy_engine.diagnostics.suggest import did_you_mean
from policy_engine.semantics.ast.expressions import Expr, Literal, MapExpr
from policy_engine.semantics.ast.policy import (
    ElseCall,
    ElseDeny,
    ElseEscalate,
    ElseReply,
    ElseRetry,
    ElseSet,
    ElseWithhold,
    Ladder,
    Otherwise,
    Path,
    RedactChange,
    SetChange,
    Word,
)
from policy_engine.semantics.types import DYN, MapType, RecordField, RecordType, Type

WRONG_ROOT = Code(
    "wrong-root",
    "A path begins where the rule cannot write",
    "A rewrite changes `args` before the call or `result` after it, on events the event's own fields; one rewrite acts"
    " in one phase. Labels are put on `result`, on events on the event.\n\n"
    '```\nrewrite mask on crm.lookup set principal.role to "none"      // refused\n'
    'rewrite mask on crm.lookup redact result.card with "****"\n```',
)
UNKNOWN_PATH = Code(
    "unknown-path",
    "A path leads nowhere",
    "The declared type has no such field, so the rule would change, hide or mark nothing: a redaction that leaves the"
    " secret in place.\n\n```\nrewrite mask on crm.lookup redact result.crad with \"****\"     // refused\n"
    'rewrite mask on crm.lookup redact result.card with "****"\n```',
)
WRONG_VALUE = Code(
    "wrong-value",
    "A value does not fit the place it is written to",
    "Rewritten arguments are validated against the tool's schema again, so a value of another type would refuse every"
    ' call.\n\n```\nrewrite page on crm.search set args.limit to "50"     // refused: a whole number is declared\n'
    "rewrite page on crm.search set args.limit to 50\n```",
)
UNKNOWN_QUEUE = Code(
    "unknown-queue",
    "A queue that is not declared",
    "Nobody reads a queue that does not exist: the request would wait until its time is over.\n\n"
    "```\nqueues finance\nescalate large on crm.refund to finanse within 30m     // refused\n"
    "escalate large on crm.refund to finance within 30m\n```\n`user`, the human of this conversation, needs no"
    " declaration.",
)
ONE_USER = Code(
    "one-user",
    "More than one answer is asked of the user",
    "The queue `user` is one person, the human of this conversation; two approvals can never come from it.\n\n"
    "```\nescalate x on crm.refund to 2 of user within 10m      // refused\nescalate x on crm.refund to user within 10m\n```",
)
UNFIT_OUTCOME = Code(
    "unfit-outcome",
    "An `else` that this target cannot have",
    "An event is not a call: it cannot become another call or one with other arguments.\n\n"
    "```\nescalate review on @answer to editors within 20m else set args.x to 1     // refused\n"
    "escalate review on @answer to editors within 20m else deny\n```",
)
UNFIT_FALLBACK = Code(
    "unfit-fallback",
    "The other call does not take the arguments of the first",
    "`else call TOOL` without `with` makes the other call with the same arguments, and it is decided as a call of its"
    " own: arguments that do not fit are denied, so there is no fallback.\n\n"
    "```\ntimeout slow on crm.search after 10s else call cache.get                          // takes `key`, not `q`\n"
    'timeout slow on crm.search after 10s else call cache.get with {"key": args.q}\n```',
    "warning",
)
CODES = (WRONG_ROOT, UNKNOWN_PATH, WRONG_VALUE, UNKNOWN_QUEUE, ONE_USER, UNFIT_OUTCOME, UNFIT_FALLBACK)

USER_QUEUE = "user"


# ------------------------------------------------------------------ paths
def check_path(bench: Bench, path: Path, roots: Mapping[str, Type]) -> Type:
    """The type at the end of a path that begins at one of `roots`; `DYN` after a finding."""
    if path.root not in roots:
        known = " or ".join(f"`{root}`" for root in roots)
        bench.report(
            WRONG_ROOT, f"`{path.root}` cannot be written here, {f'{known} can' if known else 'nothing can'}",
            (path.span, f"begins with `{path.root}`"), suggestion=f"begin the path with {known}" if known else None,
        )  # fmt: skip
        return DYN
    try:
        return type_at(roots[path.root], path.steps)
    except NoSuchPath as fault:
        step = "[*]" if fault.step is None else f"[{fault.step}]" if isinstance(fault.step, int) else fault.step
        near = did_you_mean(step, fault.known)
        has = f"; it has {', '.join(fault.known[:8])}" if fault.known else ""
        bench.report(
            UNKNOWN_PATH, f"`{path.span.text}` leads nowhere: {fault.type_} has no `{step}`{has}",
            (path.span, f"no `{step}` here"), suggestion=near,
        )  # fmt: skip
        return DYN


def roots_of_subject(bench: Bench) -> Mapping[str, Type]:
    """What a rewrite of the subject may begin with."""
    if bench.subject.event:
        root = event_root(bench.subject.name)
        return {root: EVENT_RECORDS[root]} if root in EVENT_RECORDS else {}
    return {"args": bench.subject.args_type, "result": bench.subject.output}


def output_root(bench: Bench) -> Mapping[str, Type]:
    """What labels and the `else set` of a validation may begin with."""
    return {name: type_ for name, type_ in roots_of_subject(bench).items() if name != "args"}


def check_set(bench: Bench, change: SetChange, roots: Mapping[str, Type]) -> None:
    """`set PATH to VALUE`."""
    _check_written(bench, change.value, check_path(bench, change.path, roots), change.path)


def check_redact(bench: Bench, change: RedactChange, roots: Mapping[str, Type]) -> None:
    """`redact PATHS with VALUE`."""
    for path in change.paths:
        wanted = check_path(bench, path, roots)
        if change.replacement is not None:
            _check_written(bench, change.replacement, wanted, path)


def _check_written(bench: Bench, value: Expr, wanted: Type, path: Path) -> None:
    checked = bench.checked(value)
    if checked is None:
        return
    given = exact(bench, *checked)
    if not assignable(given, wanted):
        bench.report(
            WRONG_VALUE, f"`{path.span.text}` is {wanted}, and the value written there is {given}",
            (value.span, str(given)), (path.span, str(wanted)), suggestion="write a value of the declared type",
        )  # fmt: skip


def exact(bench: Bench, tree: Expr, checked: Checked) -> Type:
    """The type of a checked expression, texts that are written out or given as params as themselves."""
    constants = {name: constant.value for name, constant in bench.layer.constants.items()}
    return exact_type(tree, {**checked.types, tree: checked.type}, constants)


# ------------------------------------------------------------------ ladders
def check_ladder(bench: Bench, ladder: Ladder, *, output: bool) -> None:
    """The tiers and what follows them. `output`: the ladder of a validation, which is about a result."""
    for tier in ladder.tiers:
        check_queue(bench, tier.queue)
        if tier.queue.text == USER_QUEUE and tier.count > 1:
            bench.report(
                ONE_USER, f"{tier.count} answers are asked of `user`, who is one person", tier.span,
                suggestion="to user, or declare a queue of several people",
            )  # fmt: skip
        if tier.where is not None:
            bench.truth(tier.where, "`where`", approver=True)
    check_otherwise(bench, ladder.otherwise, output=output)


def check_queue(bench: Bench, queue: Word) -> None:
    """The queue exists."""
    bench.draft.used_queues.add(queue.text)
    if queue.text in bench.draft.queues or queue.text == USER_QUEUE:
        return
    near = did_you_mean(queue.text, [*bench.draft.queues, USER_QUEUE])
    bench.report(
        UNKNOWN_QUEUE, f"the queue `{queue.text}` is not declared", queue.span,
        effect="nobody would be asked", suggestion=near or f"declare it: queues {queue.text}",
    )  # fmt: skip


def check_otherwise(bench: Bench, otherwise: Otherwise | None, *, output: bool) -> None:
    """An `else`. Which forms each kind may have was checked by the parser; here it is about the subject."""
    match otherwise:
        case None | ElseDeny() | ElseWithhold():
            return
        case ElseReply():
            bench.checked(otherwise.value)
        case ElseSet() | ElseCall() if bench.subject.event and not output:
            bench.report(
                UNFIT_OUTCOME, f"{bench.subject.name} is not a call, so it cannot become another one",
                otherwise.span, suggestion="else deny",
            )  # fmt: skip
        case ElseSet():
            roots = output_root(bench) if output else {"args": bench.subject.args_type}
            for change in otherwise.changes:
                check_set(bench, change, roots)
        case ElseCall():
            _check_call(bench, otherwise)
        case ElseRetry():
            check_otherwise(bench, otherwise.otherwise, output=output)
        case ElseEscalate():
            check_ladder(bench, otherwise.ladder, output=output)


def _check_call(bench: Bench, otherwise: ElseCall) -> None:
    """`else call TOOL with ARGUMENTS`: the tool exists and takes them."""
    tool = bench.layer.targets.one_tool(otherwise.tool)
    if otherwise.arguments is None:
        given, place = bench.subject.args_type, otherwise.tool.span
    else:
        checked = bench.checked(otherwise.arguments)
        if checked is None:
            return
        given, place = _arguments_type(bench, *checked), otherwise.arguments.span
    if tool is None or tool.input is None:
        if not isinstance(given, RecordType | MapType) and given != DYN:
            bench.report(WRONG_VALUE, f"arguments are a map, and this is {given}", (place, str(given)))
        return
    if not assignable(given, tool.input):
        same = otherwise.arguments is None
        bench.report(
            UNFIT_FALLBACK if same else WRONG_VALUE,
            f"`{tool.name}` does not take these arguments: {_mismatch(given, tool.input)}",
            (place, "the same arguments" if same else "given here"),
            effect="the other call would be denied, so there is no fallback" if same else None,
            suggestion=f"give what {tool.name} takes: {_taken(tool.input)}",
        )  # fmt: skip


def _arguments_type(bench: Bench, tree: Expr, checked: Checked) -> Type:
    """A map that is written out is looked at field by field."""
    if not isinstance(tree, MapExpr) or not all(isinstance(entry.key, Literal) for entry in tree.entries):
        return checked.type
    fields = {}
    for entry in tree.entries:
        assert isinstance(entry.key, Literal)
        constants = {name: constant.value for name, constant in bench.layer.constants.items()}
        fields[str(entry.key.value)] = RecordField(
            str(entry.key.value), exact_type(entry.value, checked.types, constants), not entry.optional
        )
    return RecordType("", tuple(fields[name] for name in sorted(fields)))


def _mismatch(given: Type, wanted: RecordType) -> str:
    if not isinstance(given, RecordType):
        return f"they are {given}"
    for field in given.fields:
        declared = wanted.field(field.name)
        if declared is None and wanted.rest is None:
            return f"it has no `{field.name}`"
        if declared is not None and not assignable(field.type, declared.type):
            return f"`{field.name}` is {field.type}, {declared.type} is declared"
    missing = [field.name for field in wanted.fields if field.required and given.field(field.name) is None]
    return f"`{missing[0]}` is missing" if missing else "their types differ"


def _taken(record: RecordType) -> str:
    return ", ".join(f"{field.name}{'' if field.required else '?'}: {field.type}" for field in record.fields) or "nothing"
