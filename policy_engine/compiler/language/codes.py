"""Codes of the faults in how a policy is written: shared by parser, builders and messages of the language.

Faults inside conditions have the codes of `compiler/cel/codes.py`; faults of meaning stand beside their checks.
"""

from __future__ import annotations

from typing import Final

from policy_engine.diagnostics.model import Code


def _code(name: str, title: str, why: str, bad: str, good: str) -> Code:
    return Code(name, title, f"{why}\n\n```policy\n{bad}\n```\n\nMended:\n\n```policy\n{good}\n```\n")


MISSING_HEADER: Final = _code(
    "missing-header", "A file does not begin with its policy's name",
    "Every file begins with `policy NAME`: decisions, logs and tests cite rules as `NAME/rule`.",
    "default deny", "policy support.refunds\ndefault deny",
)  # fmt: skip
TWO_HEADERS: Final = _code(
    "two-headers", "A file has two headers",
    "A file is one policy. Further files of the same layer are taken in by `use rules`.",
    "policy support\npolicy refunds", 'policy support\nuse rules "refunds.policy"',
)  # fmt: skip
STRAY_TEXT: Final = _code(
    "stray-text", "Text that belongs to no rule and no declaration",
    "Rules begin `KIND NAME on TOOLS`, declarations with words such as `use`, `param`, `let`, `group`. Comments are `//`.",
    "policy a\nplease be careful\ndefault deny", "policy a\n// please be careful\ndefault deny",
)  # fmt: skip
UNKNOWN_KIND: Final = _code(
    "unknown-kind", "A rule begins with a word that is no kind of rule",
    "Kinds are allow, deny, escalate, rewrite, label, declassify, validate, limit, timeout, retry, breaker, invariant.",
    "alow reading on crm.search", "allow reading on crm.search",
)  # fmt: skip
RULE_NAME: Final = _code(
    "rule-name", "A rule has no name, or one that is not written in kebab-case",
    "Decisions, logs and tests cite rules by name. Names are lower-case words and digits joined by hyphens.",
    "allow Small_Refund on crm.refund", "allow small-refund on crm.refund",
)  # fmt: skip
MISSING_ON: Final = _code(
    "missing-on", "A rule does not say `on` which tools it acts",
    "Between the name of a rule and its tools stands `on`.",
    "deny refunds crm.refund", "deny refunds on crm.refund",
)  # fmt: skip
MISSING_TARGET: Final = _code(
    "missing-target", "A rule names no tool and no event",
    "After `on` stand tools, globs, groups or events such as `@answer`. `*` is every tool.",
    "deny all on when env.frozen", "deny all on * when env.frozen",
)  # fmt: skip
EMPTY_GROUP: Final = _code(
    "empty-group", "A group has no members",
    "A group names at least one tool or glob; a rule on an empty group would silently do nothing.",
    "group reads =", "group reads = crm.lookup_*, crm.search",
)  # fmt: skip
WRONG_CLAUSE: Final = _code(
    "wrong-clause", "A clause stands in a rule whose kind has no use for it",
    "Each kind has its own clauses: only `escalate` asks people (`to`), only `rewrite` changes (`set`, `redact`), "
    "only `limit` counts (`per`, `by`). Nothing is ignored in silence.",
    "allow refund on crm.refund to finance within 30m",
    "escalate refund on crm.refund to finance within 30m",
)  # fmt: skip
CLAUSE_ORDER: Final = _code(
    "clause-order", "A clause stands where its kind does not take it any more",
    "The clauses of a kind have an order; guards (`when`, `unless`) and notes (`because`, `detail`, `tags`) are free.",
    "limit rate on crm.refund by principal.id to 5 per 1h", "limit rate on crm.refund to 5 per 1h by principal.id",
)  # fmt: skip
DUPLICATE_CLAUSE: Final = _code(
    "duplicate-clause", "A clause stands twice",
    "A rule has one `when`; further conditions are joined with `&&`, exceptions are `unless`. It has one `because`.",
    "deny a on crm.refund when args.x > 1 when args.y > 2", "deny a on crm.refund when args.x > 1 && args.y > 2",
)  # fmt: skip
MISSING_WITHIN: Final = _code(
    "missing-within", "A tier does not say how long it may take",
    "Whoever is asked has a time to answer in; silence goes on to the next tier, in the end to a refusal.",
    "escalate big on crm.refund to finance", "escalate big on crm.refund to finance within 30m",
)  # fmt: skip
GLUED_KEYWORD: Final = _code(
    "glued-keyword", "A keyword runs into the word after it",
    "Keywords end at word boundaries: `wheno` is one word, and no keyword.",
    "deny a on crm.refund wheno.x > 1", "deny a on crm.refund when o.x > 1",
)  # fmt: skip
TEXT_TOO_LONG: Final = _code(
    "text-too-long", "A file, a rule or a ladder is too long",
    "Sizes are bounded so that no text can make the engine slow. Split the file, or move lists into data files.",
    'deny hosts on web.get when args.host in ["a", "b", "…"]',
    'use data "hosts.json" as hosts: list(string)\ndeny hosts on web.get when args.host in hosts',
)  # fmt: skip
BIDI_IN_TEXT: Final = Code(
    "bidi-in-text",
    "A comment or a text holds characters that turn the direction of writing",
    "Such characters make a line read otherwise than it runs. In text write the escape; in comments delete them.\n\n"
    "```policy\ndeny a on b because \"x \u202e y\"\n```\n\nMended:\n\n```policy\ndeny a on b because \"x y\"\n```\n",
    "warning",
)
CODES: Final = (
    MISSING_HEADER, TWO_HEADERS, STRAY_TEXT, UNKNOWN_KIND, RULE_NAME, MISSING_ON, MISSING_TARGET, EMPTY_GROUP,
    WRONG_CLAUSE, CLAUSE_ORDER, DUPLICATE_CLAUSE, MISSING_WITHIN, GLUED_KEYWORD, TEXT_TOO_LONG, BIDI_IN_TEXT,
)  # fmt: skip
