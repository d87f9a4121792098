"""The words of the policy language, grouped as splitting and messages need them. The authority is `grammar/policy.lark`.

A test compares `KEYWORDS` with the terminals of the grammar, so that the two cannot drift apart.
"""

from __future__ import annotations

from typing import Final

RULE_KINDS: Final = (
    "allow", "deny", "escalate", "rewrite", "label", "declassify", "validate", "limit", "timeout", "retry", "breaker",
    "invariant",
)  # fmt: skip
"""Words that begin a rule: KIND NAME `on` TARGETS."""
SHAPES: Final = ("principal", "context", "agent", "approver")
"""Words that begin a record: `principal { … }`."""
DECLARATIONS: Final = ("use", "param", "queues", "labels", "history", *SHAPES, "let", "group", "default")
"""Words that begin a declaration."""
GUARDS_AND_NOTES: Final = ("when", "unless", "because", "detail", "tags")
"""Clauses every rule may have."""
EFFECTS: Final = ("allow", "deny", "escalate")
"""What an invariant speaks about, and a default may be."""

CLAUSES: Final = {
    "allow": (),
    "deny": (),
    "escalate": ("to", "else"),
    "rewrite": ("set", "redact"),
    "label": ("as", "at"),
    "declassify": ("of",),
    "validate": ("require", "else"),
    "limit": ("to", "of", "reserve", "per", "at", "by", "else"),
    "timeout": ("after", "else"),
    "retry": ("up", "backoff"),
    "breaker": ("open", "probe", "else"),
    "invariant": ("never", "always", "sometimes"),
}
"""The words that begin a clause of each kind, in their order, besides guards and notes."""

CLAUSE_FORMS: Final = {
    "allow": "allow NAME on TOOLS when CONDITION unless CONDITION",
    "deny": "deny NAME on TOOLS when CONDITION unless CONDITION",
    "escalate": "escalate NAME on TOOLS when CONDITION to QUEUE within 30m else deny",
    "rewrite": "rewrite NAME on TOOLS set args.FIELD to VALUE when CONDITION",
    "label": "label NAME on TOOLS as LABEL at result.FIELD",
    "declassify": "declassify NAME on TOOLS of LABEL",
    "validate": "validate NAME on TOOLS require CONDITION else withhold",
    "limit": "limit NAME on TOOLS to 5 per 1h by principal.id",
    "timeout": "timeout NAME on TOOLS after 10s",
    "retry": "retry NAME on TOOLS up to 3 times backoff 200ms..5s",
    "breaker": "breaker NAME on TOOLS open after 5 failures in 30s probe after 1m",
    "invariant": "invariant NAME on TOOLS when CONDITION never allow",
}
"""How a rule of each kind is written; shown under `try:`."""

DECLARATION_FORMS: Final = {
    "policy": 'policy NAME under "FILE.policy" version "1.0.0" owner "TEAM"',
    "use": 'use tools "FILE.json" as NAME',
    "param": "param NAME: double = 100.0",
    "queues": "queues finance, managers",
    "labels": "labels untrusted, secret",
    "history": "history NAME by args.FIELD for 30d",
    "principal": 'principal { id: string, role: "support" | "lead" }',
    "context": 'context { env: "dev" | "prod" }',
    "agent": "agent { id: string }",
    "approver": "approver { id: string }",
    "let": "let NAME = EXPRESSION",
    "group": "group NAME = crm.lookup_*, crm.search except crm.lookup_secret",
    "default": "default deny",
}
"""How each declaration is written."""
USE_FORMS: Final = {
    "tools": 'use tools "FILE.json" as NAME',
    "rules": 'use rules "FILE.policy"',
    "data": 'use data "FILE.yaml" as NAME: map(string, double)',
}
"""How each `use` is written."""
EVENTS: Final = ("@input", "@step", "@answer", "@run", "@delegate", "@resource", "@prompt", "@*")
"""What a rule may act on besides tools."""

OTHER_WORDS: Final = (
    "policy", "under", "version", "owner", "edition", "hint", "off", "tools", "rules", "data", "as", "by", "for", "on",
    "abstain", "observe", "of", "at", "to", "after", "up", "times", "open", "failures", "probe", "never", "always",
    "sometimes", "require", "set", "redact", "with", "distinct", "reserve", "per", "run", "day", "week", "month",
    "once", "backoff", "else", "where", "within", "withhold", "reply", "call", "except", "in",
)  # fmt: skip
KEYWORDS: Final = frozenset((*RULE_KINDS, *DECLARATIONS, *GUARDS_AND_NOTES, *OTHER_WORDS))
"""Every keyword."""
CONNECTING: Final = KEYWORDS - {
    *RULE_KINDS, *DECLARATIONS, "times", "off", "once", "run", "day", "week", "month", "abstain", "withhold", "tools",
    "rules", "data", "failures",
}  # fmt: skip
"""Keywords that something must follow: the word after one of them does not begin an item by its look alone."""
