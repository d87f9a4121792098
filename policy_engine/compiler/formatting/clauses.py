"""Takes items apart into clauses in canonical order: head, guards, phrase, what else, notes; phrase first for most kinds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from policy_engine.base.source import Span
from policy_engine.compiler.formatting.comments import Clause
from policy_engine.compiler.formatting.expressions import field, quoted
from policy_engine.compiler.formatting.layout import Part
from policy_engine.compiler.language.scanning import scan
from policy_engine.semantics.ast.expressions import Expr
from policy_engine.semantics.ast.policy import (
    Breaker,
    Change,
    Declassification,
    Default,
    ElseCall,
    ElseDeny,
    ElseEscalate,
    ElseReply,
    ElseRetry,
    ElseSet,
    ElseWithhold,
    Escalation,
    FieldDeclaration,
    Group,
    Header,
    History,
    Invariant,
    Item,
    Labelling,
    Labels,
    Ladder,
    Let,
    Limit,
    Otherwise,
    Param,
    Path,
    Permission,
    Queues,
    Retry,
    Rewriting,
    Rule,
    SetChange,
    Shape,
    Targets,
    Tier,
    Timeout,
    TypeExpr,
    UseData,
    UseRules,
    UseTools,
    Validation,
    Window,
    Word,
    kind_of,
)


def clauses_of(item: Header | Item) -> list[Clause]:
    """The clauses of a header or item, as they will be written."""
    match item:
        case Header():
            return _header(item)
        case Shape():
            return _shape(item)
        case Default():
            return _default(item)
        case UseTools() | UseRules() | UseData() | Param() | Queues() | Labels() | History() | Let() | Group():
            return [Clause(_declaration(item), item.span.start, item.span.end)]
        case _:
            return _rule(item)


# -------------------------------------------------------------- header and declarations
def _header(header: Header) -> list[Clause]:
    clauses = [Clause((f"policy {header.name.text}",), header.span.start, header.name.span.end)]
    words = [("under", word) for word in header.under]
    words += [(kind, word) for kind in ("version", "owner", "edition") if (word := getattr(header, kind)) is not None]
    clauses += [Clause((f"{kind} {word.span.text}",), word.span.start, word.span.end) for kind, word in words]
    if not header.hint:
        clauses.append(Clause(("hint off",), *_hint_place(header)))
    return clauses


def _hint_place(header: Header) -> tuple[int, int]:
    """Where `hint off` stands: the tree does not keep it."""
    words = [word.span for word in (*header.under, header.version, header.owner, header.edition) if word is not None]
    taken = [header.name.span, *words]
    text = header.span.source.text
    for span in taken:
        start = text.find("hint", span.end, header.span.end)
        between = min((other.start for other in taken if other.start > span.start), default=header.span.end)
        while 0 <= start < between:
            line = text.rfind("\n", 0, start) + 1
            if "//" not in text[max(line, span.end) : start]:
                return start, text.find("off", start) + 3
            start = text.find("hint", start + 1, header.span.end)
    return header.span.end - 1, header.span.end


def _shape(shape: Shape) -> list[Clause]:
    if not shape.fields:
        return [Clause((f"{shape.subject} {{}}",), shape.span.start, shape.span.end)]
    clauses = [Clause((f"{shape.subject} {{",), shape.span.start, shape.span.start + 1)]
    clauses += [
        Clause((_field(part),), part.name.span.start, part.type.span.end, closing=",") for part in shape.fields
    ]
    return [*clauses, Clause(("}",), shape.span.end - 1, shape.span.end)]


def _field(part: FieldDeclaration) -> str:
    return f"{part.name.text}: {_type(part.type)}{'?' if part.optional else ''}"


def _type(node: TypeExpr) -> str:
    if node.name == "enum":
        scraps = scan(node.span.source.text, node.span.start, node.span.end)
        return " | ".join(scrap.text for scrap in scraps if scrap.kind == "string")
    if node.arguments:
        return f"{node.name}({', '.join(_type(argument) for argument in node.arguments)})"
    return node.name


def _default(default: Default) -> list[Clause]:
    if default.ladder is None:
        return [Clause((f"default {default.effect}",), default.span.start, default.span.end)]
    first, *others = list(_ladder(default.ladder))
    head = Clause((f"default {default.effect} ", *first.parts), default.span.start, first.end)
    return [head, *others]


def _declaration(item: Item) -> tuple[Part, ...]:
    match item:
        case UseTools():
            return (f"use tools {item.file.span.text}" + (f" as {item.alias.text}" if item.alias else ""),)
        case UseRules():
            return (f"use rules {item.file.span.text}",)
        case UseData():
            return (f"use data {item.file.span.text} as {item.name.text}" + (f": {_type(item.type)}" if item.type else ""),)
        case Param():
            head = f"param {item.name.text}: {_type(item.type)}"
            return (head,) if item.default is None else (f"{head} = ", item.default)
        case Queues() | Labels():
            return ("queues " if isinstance(item, Queues) else "labels ", _names(item.names))
        case History():
            return (f"history {item.name.text} by ", item.key, f" for {item.keep.span.text}")
        case Let():
            parameters = f"({', '.join(word.text for word in item.parameters)})" if item.parameters else ""
            targets = (" on ", *_targets(item.targets)) if item.targets else ()
            return (f"let {item.name.text}{parameters}", *targets, " = ", item.value)
        case Group():
            return (f"group {item.name.text} = ", *_targets(item.targets))
        case _:
            raise AssertionError(f"{type(item).__name__} is not printed here")


# -------------------------------------------------------------- rules
def _rule(rule: Rule) -> list[Clause]:
    observe = "observe " if rule.observe else ""
    head = Clause(
        (f"{observe}{kind_of(rule)} {rule.name.text} on ", *_targets(rule.targets)), rule.span.start, rule.targets.span.end
    )
    guards, notes = list(_guards(rule)), list(_notes(rule))
    match rule:
        case Permission():
            return [head, *guards, *notes]
        case Escalation():
            return [head, *guards, *_ladder(rule.ladder), *notes]
        case Rewriting():
            return [head, *(_change(change) for change in rule.changes), *guards, *notes]
        case Labelling():
            return [head, _labels("as", rule.labels, rule.paths), *guards, *notes]
        case Declassification():
            return [head, _labels("of", rule.labels, ()), *guards, *notes]
        case Validation():
            requires = [_of("require ", requirement) for requirement in rule.requirements]
            return [head, *guards, *requires, *_otherwise(rule.otherwise), *notes]
        case Limit():
            return [head, *_limit(rule), *guards, *_otherwise(rule.otherwise), *notes]
        case Timeout():
            after = Clause((f"after {rule.after.span.text}",), rule.after.span.start, rule.after.span.end)
            return [head, after, *guards, *_otherwise(rule.otherwise), *notes]
        case Retry():
            return [head, _retry(rule), *guards, *notes]
        case Breaker():
            return [head, _breaker(rule), *guards, *_otherwise(rule.otherwise), *notes]
        case Invariant():
            return [head, *guards, _invariant(rule), *notes]
        case _:
            assert_never(rule)


def _of(keyword: str, expression: Expr) -> Clause:
    return Clause((keyword, expression), expression.span.start, expression.span.end)


def _guards(rule: Rule) -> Iterator[Clause]:
    if rule.guards.when is not None:
        yield _of("when ", rule.guards.when)
    for exception in rule.guards.unless:
        yield _of("unless ", exception)


def _notes(rule: Rule) -> Iterator[Clause]:
    notes = rule.notes
    for kind, word in (("because", notes.because), ("detail", notes.detail)):
        if word is not None:
            yield Clause((f"{kind} {word.span.text}",), word.span.start, word.span.end)
    if notes.tags:
        texts = tuple(word.span.text for word in notes.tags)
        yield Clause(("tags ", texts), notes.tags[0].span.start, notes.tags[-1].span.end)


def _ladder(ladder: Ladder, begin: str = "") -> Iterator[Clause]:
    for index, tier in enumerate(ladder.tiers):
        yield _tier(tier, begin if index == 0 else "else ")
    yield from _otherwise(ladder.otherwise)


def _tier(tier: Tier, begin: str) -> Clause:
    count = f"{tier.count} of " if tier.count != 1 or _counted(tier) else ""
    where: tuple[Part, ...] = (" where ", tier.where) if tier.where is not None else ()
    parts: tuple[Part, ...] = (f"{begin}to {count}{tier.queue.text}", *where, f" within {tier.within.span.text}")
    return Clause(parts, tier.span.start, tier.span.end)


def _counted(tier: Tier) -> bool:
    """Whether `1 of` is written out."""
    return any(character.isdigit() for character in Span(tier.span.source, tier.span.start, tier.queue.span.start).text)


def _otherwise(outcome: Otherwise | None) -> Iterator[Clause]:
    if outcome is None:
        return
    start, end = outcome.span.start, outcome.span.end
    match outcome:
        case ElseDeny():
            yield Clause(("else deny",), start, end)
        case ElseWithhold():
            yield Clause(("else withhold",), start, end)
        case ElseReply():
            yield Clause(("else reply ", outcome.value), start, end)
        case ElseSet():
            changes = [part for change in outcome.changes for part in (" ", *_set(change))]
            yield Clause(("else", *changes), start, end)
        case ElseCall():
            arguments: tuple[Part, ...] = (" with ", outcome.arguments) if outcome.arguments is not None else ()
            yield Clause((f"else call {outcome.tool.span.text}", *arguments), start, end)
        case ElseRetry():
            words = f"else retry up to {outcome.times.span.text} times"
            yield Clause((words,), start, outcome.times.span.end)
            yield from _otherwise(outcome.otherwise)
        case ElseEscalate():
            yield from _ladder(outcome.ladder, "else escalate ")
        case _:
            assert_never(outcome)


def _change(change: Change) -> Clause:
    if isinstance(change, SetChange):
        return Clause(_set(change), change.span.start, change.span.end)
    replacement: tuple[Part, ...] = (" with ", change.replacement) if change.replacement is not None else ()
    paths = tuple(path_text(path) for path in change.paths)
    return Clause(("redact ", paths, *replacement), change.span.start, change.span.end)


def _set(change: SetChange) -> tuple[Part, ...]:
    return (f"set {path_text(change.path)} to ", change.value)


def _labels(keyword: str, labels: tuple[Word, ...], paths: tuple[Path, ...]) -> Clause:
    at: tuple[Part, ...] = (" at ", tuple(path_text(path) for path in paths)) if paths else ()
    return Clause((f"{keyword} ", _names(labels), *at), labels[0].span.start, (paths or labels)[-1].span.end)


def _limit(rule: Limit) -> Iterator[Clause]:
    parts: list[Part] = ["to ", rule.bound]
    end = rule.bound.span.end
    if rule.of is not None:
        parts += [" of distinct " if rule.distinct else " of ", rule.of]
        end = rule.of.span.end
    if rule.reserve is not None:
        parts += [" reserve ", rule.reserve]
        end = rule.reserve.span.end
    yield Clause((*parts, f" {_window(rule.window)}"), rule.bound.span.start, max(end, rule.window.span.end))
    if rule.by:
        keys: tuple[Part, ...] = tuple(part for key in rule.by for part in (", ", key))[1:]
        yield Clause(("by ", *keys), rule.by[0].span.start, rule.by[-1].span.end)


def _window(window: Window) -> str:
    match window.kind:
        case "sliding":
            assert window.duration is not None, "a sliding window has a length"
            return f"per {window.duration.span.text}"
        case "calendar":
            return f"per {window.unit}" + (f" in {window.zone.span.text}" if window.zone else "")
        case "run":
            return "per run"
        case "at_once":
            return "at once"
        case _:
            assert_never(window.kind)


def _retry(rule: Retry) -> Clause:
    backoff = rule.backoff
    more = f" backoff {backoff.first.span.text}..{backoff.last.span.text}" if backoff else ""
    end = backoff.last.span.end if backoff else rule.times.span.end
    return Clause((f"up to {rule.times.span.text} times{more}",), rule.times.span.start, end)


def _breaker(rule: Breaker) -> Clause:
    opens = f"open after {rule.failures.span.text} failures in {rule.within.span.text}"
    text = f"{opens} probe after {rule.probe_after.span.text}"
    return Clause((text,), rule.failures.span.start, rule.probe_after.span.end)


def _invariant(rule: Invariant) -> Clause:
    """`never allow`: the tree does not keep its place, which is the first `never` outside the guards."""
    guards = [guard.span for guard in (rule.guards.when, *rule.guards.unless) if guard is not None]
    for scrap in scan(rule.span.source.text, rule.targets.span.end, rule.span.end):
        inside = any(span.start <= scrap.start < span.end for span in guards)
        if scrap.kind == "word" and scrap.text == rule.quantifier and not inside:
            return Clause((f"{rule.quantifier} {rule.effect}",), scrap.start, scrap.end)
    return Clause((f"{rule.quantifier} {rule.effect}",), rule.span.end, rule.span.end)


# -------------------------------------------------------------- names
def _names(words: tuple[Word, ...]) -> tuple[str, ...]:
    return tuple(word.text for word in words)


def _targets(targets: Targets) -> tuple[Part, ...]:
    included = tuple(target.span.text for target in targets.included)
    if not targets.excluded:
        return (included,)
    return (included, " except ", tuple(target.span.text for target in targets.excluded))


def path_text(path: Path) -> str:
    """A path as it is written: `result.items[*].subject`."""
    steps = []
    for step in path.steps:
        match step:
            case None:
                steps.append("[*]")
            case int():
                steps.append(f"[{step}]")
            case str():
                name = field(step)
                steps.append(f"[{quoted(step)}]" if name.startswith("`") else f".{name}")
    return path.root + "".join(steps)

