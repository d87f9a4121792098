"""Pass: one name, one thing. Also gathers the declarations of each layer into tables for later passes."""

from __future__ import annotations

from collections.abc import Iterable

from policy_engine.base.source import Span
from policy_engine.compiler.analysis.draft import Draft, Layer
from policy_engine.compiler.language.checks import TWO_DEFAULTS
from policy_engine.diagnostics.model import Code
from policy_engine.semantics.activation import ENVIRONMENT_NAMES
from policy_engine.semantics.ast.policy import (
    Default,
    Group,
    History,
    Labels,
    Let,
    Param,
    Queues,
    Shape,
    UseData,
    Word,
)

DUPLICATE_NAME = Code(
    "duplicate-name",
    "Two things have one name",
    "Rules are cited by name in decisions, logs and tests, and words of a policy are read in its rules; each must mean"
    " one thing.\n\n```\nallow refund on crm.refund when args.amount <= 50.0\nallow refund on crm.refund when"
    " args.amount <= 500.0    // rename this one\n```\n"
    "Several `let` of one name are fine when each is for other tools: `let amount on bank.transfer = …`.",
)
RESERVED_NAME = Code(
    "reserved-name",
    "A name that the language keeps for itself",
    "`args`, `run`, `principal` and the other names that conditions read cannot be declared anew, and functions cannot be"
    " hidden by a `let` of the same name.\n\n"
    "```\nlet args = 1              // refused\nlet size(x) = x.length    // refused: `size` is a function\n```",
)
CODES = (DUPLICATE_NAME, RESERVED_NAME)

RESERVED = frozenset({"args", "principal", *ENVIRONMENT_NAMES})
USER_QUEUE = "user"


def gather(draft: Draft) -> None:
    """Fill each layer's tables of lets, groups, histories and its default, and the policy's labels and queues."""
    _rules(draft)
    for layer in draft.layers:
        words: dict[str, tuple[str, Span]] = {}
        for _, item in layer.items():
            match item:
                case Let():
                    _let(draft, layer, item, words)
                case Group():
                    if _word(draft, "group", item.name, words):
                        layer.groups[item.name.text] = item
                case History():
                    if _word(draft, "history", item.name, words):
                        layer.histories[item.name.text] = item
                case Param():
                    _word(draft, "param", item.name, words)
                case UseData():
                    _word(draft, "data", item.name, words)
                case Default():
                    _default(draft, layer, item)
                case _:
                    pass
    for file in draft.files():
        for item in file.declarations:
            if isinstance(item, Shape):
                _unique(draft, f"field of `{item.subject}`", (field.name for field in item.fields))
        for kind, table in ((Labels, draft.labels), (Queues, draft.queues)):
            names = [word for item in file.declarations if isinstance(item, kind) for word in item.names]
            _unique(draft, "label" if kind is Labels else "queue", names)
            for word in names:
                table.setdefault(word.text, word.span)


def _rules(draft: Draft) -> None:
    """Rule ids are unique in the whole policy; a file that several layers share counts once."""
    seen: dict[str, Span] = {}
    for file in draft.files():
        for rule in file.rules:
            identity = f"{file.name}/{rule.name.text}"
            other = seen.setdefault(identity, rule.name.span)
            if other != rule.name.span:
                _report_twice(draft, "rule", rule.name, other)


def _let(draft: Draft, layer: Layer, item: Let, words: dict[str, tuple[str, Span]]) -> None:
    _unique(draft, "parameter", item.parameters)
    name = item.name.text
    function = draft.functions.get(name)
    if item.parameters and function is not None and (not function.method or function.both):
        draft.report(
            RESERVED_NAME, f"`{name}` is a function of the language", item.name.span,
            effect="the policy is not loaded, because readers would take one for the other",
            suggestion=f"rename it, for example my_{name}",
        )  # fmt: skip
        return
    others = layer.lets.get(name, [])
    if others and words.get(name, ("", None))[0] == "let" and item.targets is not None:
        bare = next((other for other in others if other.targets is None), None)
        unlike = next((other for other in others if len(other.parameters) != len(item.parameters)), None)
        if bare is None and unlike is None:
            others.append(item)  # one word over tools with unlike arguments; overlaps are seen where targets are known
            return
    if _word(draft, "let", item.name, words):
        layer.lets[name] = [item]


def _default(draft: Draft, layer: Layer, item: Default) -> None:
    if layer.default is None:
        layer.default = item
    if item.span.source is layer.default.span.source:
        return  # two of one file: the parser's checks have told
    draft.report(
        TWO_DEFAULTS, f"the layer `{layer.name}` has two defaults", (item.span, "the second"),
        (layer.default.span, "the first"), effect="nobody could say what becomes of a call that no rule grants",
        suggestion="keep one of them",
    )  # fmt: skip


def _word(draft: Draft, kind: str, word: Word, words: dict[str, tuple[str, Span]]) -> bool:
    """Whether a word that expressions can read is new to its layer; a diagnostic where it is not."""
    if word.text in RESERVED:
        draft.report(
            RESERVED_NAME, f"`{word.text}` is a name of the language and cannot be declared", word.span,
            effect="the policy is not loaded, because rules reading it would mean something else",
            suggestion=f"rename it, for example my_{word.text}",
        )  # fmt: skip
        return False
    if word.text in words:
        _report_twice(draft, kind, word, words[word.text][1])
        return False
    words[word.text] = (kind, word.span)
    return True


def _unique(draft: Draft, kind: str, words: Iterable[Word]) -> None:
    seen: dict[str, Span] = {}
    for word in words:
        if word.text in seen:
            _report_twice(draft, kind, word, seen[word.text])
        seen.setdefault(word.text, word.span)


def _report_twice(draft: Draft, kind: str, word: Word, other: Span) -> None:
    draft.report(
        DUPLICATE_NAME, f"the {kind} `{word.text}` is declared twice", (word.span, "again here"), (other, "first here"),
        effect="the policy is not loaded: a name means one thing", suggestion="rename one of them",
    )  # fmt: skip
