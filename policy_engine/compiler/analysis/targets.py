"""What a rule, a group or a `let` is about: targets resolved to tools and events, each list once."""

from __future__ import annotations

import re
from typing import Final

from policy_engine.compiler.analysis.draft import Constant, Draft, Layer, Subject
from policy_engine.compiler.analysis.tools import is_bare
from policy_engine.diagnostics.model import Code
from policy_engine.diagnostics.suggest import nearest
from policy_engine.semantics.ast.policy import Target, Targets
from policy_engine.semantics.types import EnumType, ListType

UNKNOWN_TARGET = Code(
    "unknown-target",
    "A target is neither a tool nor a group",
    "A rule on a word that means nothing would never apply: a `deny` that protects nothing, or an exception that"
    " excepts nothing.\n\n```\ngroup reads = crm.search, crm.lookup\nallow reading on raeds      // refused\n"
    'allow reading on reads\nallow paying on "pay"        // a tool without a schema and with a bare name: in quotes\n```',
)
AMBIGUOUS_TARGET = Code(
    "ambiguous-target",
    "A word is both a tool and a group",
    "Readers could not tell whether the rule is about one tool or many.\n\n"
    '```\ngroup search = crm.*\nallow searching on search      // the tool `search`, or the group?\n```\n'
    'Rename the group, or write the tool in quotes: `on "search"`.',
)
GROUP_CYCLE = Code(
    "group-cycle",
    "A group contains itself",
    "```\ngroup reads = lookups\ngroup lookups = reads      // nobody can list its tools\n```",
)
EMPTY_TARGET = Code(
    "empty-target",
    "A target matches no tool",
    "Globs and groups stand for tools that schemas list or rules name exactly. One that matches nothing makes its rule"
    ' idle.\n\n```\ndeny no-deletes on crm.delet_*      // matches nothing\ndeny no-deletes on crm.delete_*\n```',
    "warning",
)
CODES = (UNKNOWN_TARGET, AMBIGUOUS_TARGET, GROUP_CYCLE, EMPTY_TARGET)

EVENTS: Final = ("@input", "@step", "@answer", "@run", "@delegate", "@resource", "@prompt")
EVENT_SUBJECTS: Final = {name: Subject(name, True) for name in EVENTS}


class TargetResolver:
    """Resolves the targets of one layer; keeps what it resolved, so that each fault is reported once."""

    def __init__(self, draft: Draft, layer: Layer) -> None:
        self._draft = draft
        self._layer = layer
        self._kept: dict[int, tuple[Subject, ...]] = {}
        self._open: list[str] = []
        self.used_groups: set[str] = set()

    def resolve(self, targets: Targets, what: str) -> tuple[Subject, ...]:
        """The tools and events these targets stand for, sorted by name. `what` (the rule `x`) is for messages."""
        kept = self._kept.get(id(targets))
        if kept is not None:
            return kept
        chosen: dict[str, Subject] = {}
        for target in targets.included:
            chosen.update(self._one(target, what, excepting=False))
        matched = bool(chosen)
        for target in targets.excluded:
            for name in self._one(target, what, excepting=True):
                chosen.pop(name, None)
        if matched and not chosen:
            self._report_empty(targets.included[0], f"{what} excepts every tool it is about")
        result = tuple(chosen[name] for name in sorted(chosen))
        self._kept[id(targets)] = result
        return result

    def one_tool(self, target: Target) -> Subject | None:
        """The tool that `else call` names: one, exactly."""
        tool = self._draft.tools.get(target.text)
        if tool is None and not self._draft.schemas_missing:
            near = nearest(target.text, self._draft.tools)
            self._draft.report(
                UNKNOWN_TARGET, f"`{target.text}` is not a tool that could be called instead", target.span,
                effect="the other call would be denied", suggestion=f"did you mean `{near}`?" if near else "name one tool",
            )  # fmt: skip
        return tool

    def _one(self, target: Target, what: str, *, excepting: bool) -> dict[str, Subject]:
        tools = self._draft.tools
        match target.kind:
            case "event":
                if target.text == "@*":
                    return dict(EVENT_SUBJECTS)
                return {target.text: EVENT_SUBJECTS[target.text]}
            case "glob":
                pattern = glob_pattern(target.text)
                found = {name: tool for name, tool in tools.items() if pattern.fullmatch(name)}
                if not found and not excepting:
                    self._report_empty(target, f"`{target.text}` matches no tool")
                return found
            case "quoted" | "name":
                if is_bare(target):
                    return self._bare(target, what, excepting)
                if target.text in tools:
                    return {target.text: tools[target.text]}
                if not self._draft.schemas_missing:
                    self._report_unknown(target, what, excepting)
                return {}

    def _bare(self, target: Target, what: str, excepting: bool) -> dict[str, Subject]:
        word = target.text
        group, tool = self._layer.groups.get(word), self._draft.tools.get(word)
        if group is not None and tool is not None:
            self._draft.report(
                AMBIGUOUS_TARGET, f"`{word}` is both a tool and a group", (target.span, "which one?"),
                (group.name.span, "the group"), effect="the policy is not loaded",
                suggestion=f'rename the group, or write the tool in quotes: "{word}"',
            )  # fmt: skip
            return {}
        if group is not None:
            self.used_groups.add(word)
            return self._members(target)
        if tool is not None:
            return {word: tool}
        if not self._draft.schemas_missing:
            self._report_unknown(target, what, excepting)
        return {}

    def _members(self, target: Target) -> dict[str, Subject]:
        word = target.text
        group = self._layer.groups[word]
        if word in self._open:
            self._draft.report(
                GROUP_CYCLE, f"the group `{word}` contains itself", (target.span, "named again here"),
                (group.name.span, "declared here"), effect="nobody can say which tools it stands for",
            )  # fmt: skip
            return {}
        self._open.append(word)
        members = self.resolve(group.targets, f"the group `{word}`")
        self._open.pop()
        return {member.name: member for member in members}

    def _report_unknown(self, target: Target, what: str, excepting: bool) -> None:
        word = target.text
        near = nearest(word, [*self._draft.tools, *self._layer.groups])
        other: str | None
        if is_bare(target):
            message, other = f"`{word}` is neither a tool nor a group", f'a tool without a schema goes in quotes: "{word}"'
        else:
            message = f"there is no tool `{word}`" + (" to except" if excepting else "")
            other = None if excepting else "a rule that names it, or its schema: use tools …"
        self._draft.report(
            UNKNOWN_TARGET, message, target.span,
            effect=f"{what} would be about the tool all the same" if excepting else f"{what} would not be about it, silently",
            suggestion=f"did you mean `{near}`?" if near else other,
        )  # fmt: skip

    def _report_empty(self, target: Target, message: str) -> None:
        # Without any tool the host will bring them; layers above are written for other policies too.
        if self._draft.tools and self._layer.index == 0 and not self._draft.schemas_missing:
            self._draft.report(
                EMPTY_TARGET, message, target.span, effect="what it belongs to never applies",
                suggestion="check the spelling, or list the tool in a schema: use tools …",
            )  # fmt: skip


def glob_pattern(glob: str) -> re.Pattern[str]:
    """The tools a glob stands for: `*` is any run of characters, dots included; everything else is itself."""
    return re.compile(".*".join(re.escape(piece) for piece in glob.split("*")), re.DOTALL)


def read_groups(draft: Draft) -> None:
    """Fill `layer.targets`; in expressions each group becomes the list of its tools."""
    for layer in draft.layers:
        layer.targets = TargetResolver(draft, layer)
        for name, group in layer.groups.items():
            members = layer.targets.resolve(group.targets, f"the group `{name}`")
            tools = [member.name for member in members if not member.event]
            layer.constants.setdefault(
                name, Constant("group", tools, ListType(EnumType(tuple(tools))), group.name.span)
            )
