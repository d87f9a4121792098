"""Unknown words, wrong types and wrong phases are errors, never silent; each is told for the tools it is about."""

from __future__ import annotations

from typing import Any

import pytest

HEAD = """principal { id: string, role: "support" | "lead", clearance: int? }
labels untrusted
queues finance
group reads = crm.lookup, crm.search
param cap: double = 100.0
"""

BROKEN = [
    # names and types
    ("deny x on crm.refund when args.amout > 1.0", "unknown-field"),
    ('deny x on crm.refund when principal.rol == "lead"', "unknown-field"),
    ('deny x on crm.refund when principal.role == "boss"', "unknown-option"),
    ("deny x on crm.refund when principal.clearance > 1", "unguarded-optional"),
    ('deny x on crm.refund when args.kind == "gods"', "unknown-option"),
    ('deny x on crm.refund when args.amount == "1"', "never-equal"),
    ("deny x on crm.refund unless verifid(args.customer)", "unknown-function"),
    ("deny x on crm.refund when args.amount > capp", "unknown-name"),
    ("deny x on crm.refund when args.customer", "not-a-condition"),
    ('deny x on crm.refund unless run.calls.exists(c, c.tool == "crm.serch")', "unknown-option"),
    ('deny x on crm.refund when run.attempts.exists(c, c.outcome == "failed")', "unknown-option"),
    ('deny x on crm.refund when "untrustd" in labels(args.note)', "unknown-option"),
    ('deny x on crm.refund unless origins(args.customer).exists(o, o.source == "usr")', "unknown-option"),
    ('deny x on crm.refund unless origins(args.customer).exists(o, o.tool == "crm.lokup")', "unknown-option"),
    # phases
    ("deny x on crm.refund when result.ok == true", "wrong-phase"),
    ("deny x on @answer when args.amount > 1.0", "wrong-phase"),
    ('deny x on crm.refund when answer.text == ""', "wrong-phase"),
    ("deny x on crm.refund when error.retryable", "wrong-phase"),
    ("deny x on crm.refund when approver.id == principal.id", "wrong-phase"),
    ("allow x on @answer", "wrong-kind-for-target"),
    ("allow x on @*", "wrong-kind-for-target"),
    ("declassify x on @answer of untrusted", "wrong-kind-for-target"),
    # targets
    ("deny x on raeds", "unknown-target"),
    ("allow x on crm.* except crm.refnd", "unknown-target"),
    ("group refund = crm.refund\ngroup other = refund, other\nallow x on other", "group-cycle"),
    ('group pay = crm.refund\nallow y on "pay"\nallow x on pay', "ambiguous-target"),
    # declarations
    ("allow x on crm.refund\nallow x on crm.search", "duplicate-name"),
    ("let a = 1\nlet a = 2\nallow x on crm.refund when a == 1", "duplicate-name"),
    ("labels a, b, a\nallow x on crm.refund", "duplicate-name"),
    ("param cap: double = 1.0\nallow x on crm.refund", "duplicate-name"),
    ("let run = 1\nallow x on crm.refund", "reserved-name"),
    ("queues user\nallow x on crm.refund", "reserved-queue"),
    ("param y: float = 1.0\nallow x on crm.refund", "unknown-type"),
    # what a rule does
    ("escalate x on crm.refund to finanse within 5m", "unknown-queue"),
    ("escalate x on crm.refund to 2 of user within 5m", "one-user"),
    ('escalate x on crm.refund to finance within 5m else set args.amout to 1.0', "unknown-path"),
    ('escalate x on crm.refund to finance within 5m else set args.amount to "1"', "wrong-value"),
    ('escalate x on crm.refund to finance within 5m else set result.a to "1"', "wrong-root"),
    ('escalate x on crm.refund to finance within 5m else call crm.lookup with {"idd": "1"}', "wrong-value"),
    ("escalate x on crm.refund to finance within 5m else call crm.*", "unknown-target"),
    ("escalate x on crm.refund to finance within 5m else call reads", "unknown-target"),
    ("rewrite x on @run set run.id to \"\"", "wrong-root"),
    ("escalate x on @answer to finance within 5m else set answer.text to \"\"", "unfit-outcome"),
    ("escalate x on crm.refund to finance where 5 within 5m", "not-a-condition"),
    ("rewrite x on crm.search set args.limt to 5", "unknown-path"),
    ('rewrite x on crm.search set args.limit to "5"', "wrong-value"),
    ('rewrite x on crm.refund set args.kind to "gods"', "wrong-value"),
    ('rewrite x on crm.search set principal.id to "5"', "wrong-root"),
    ("rewrite x on crm.search set args.limit to 5 set result.a to 1", "wrong-root"),
    ("rewrite x on crm.search set args.limit to 5\nrewrite y on crm.* redact args.limit", "rewrite-conflict"),
    ("rewrite x on crm.lookup set result.a to 5\nrewrite y on crm.lookup redact result", "rewrite-conflict"),
    ("rewrite x on crm.lookup redact result.a[*].b\nrewrite y on crm.lookup set result.a[0] to 1", "rewrite-conflict"),
    ("label x on crm.lookup as untrused", "unknown-label"),
    ("label x on crm.lookup as untrusted at args.id", "wrong-root"),
    # notes
    ('deny x on crm.refund because "not {args.customer}"', "leaking-note"),
    ('validate x on crm.refund require result.ok == true because "not {result.total}"', "leaking-note"),
    ('deny x on crm.refund because "not {args.amount"', "broken-note"),
    # lets
    ("let a = b\nlet b = a\nallow x on crm.refund when a", "recursive-let"),
    ("let a(v) = v > 1.0\nallow x on crm.refund when a", "let-arguments"),
    ("let amount on crm.refund = args.amount\ndeny x on crm.* when amount > 1.0", "let-without-tool"),
    ("let amount on crm.refund = 1\nlet amount on crm.* = 2\ndeny x on crm.refund when amount > 1", "let-overlap"),
    (
        "let a0 = args.amount\n" + "".join(f"let a{n} = a{n - 1} + a{n - 1}\n" for n in range(1, 15))
        + "allow x on crm.refund when a14 > 1.0", "let-too-large",
    ),
    ("let amount on crm.refnd = args.amount\nallow x on *\ndeny y on crm.refund when amount > 1.0", "unknown-target"),
    ("let unused_one = args.x.y.z + nothing\nallow x on crm.refund", "unknown-name"),
    # limits
    ("limit x on crm.refund to 5.0 of call.cost per run", "missing-reserve"),
    ('limit x on crm.refund to "5" per run', "not-a-number"),
    ("limit x on crm.refund to 5.0 of args.customer per run", "not-a-number"),
    ('limit x on crm.refund to 5 per day in "Berlin"', "unknown-zone"),
]


@pytest.mark.parametrize(("text", "code"), BROKEN, ids=[f"{number}-{code}" for number, (_, code) in enumerate(BROKEN)])
def test_a_mistake_is_an_error_of_its_own(compiled: Any, text: str, code: str) -> None:
    """The mistake is found under its code, with an effect said, and nothing is loaded."""
    found = compiled(HEAD + text)
    assert code in found.errors, found.said
    assert found.compilation.policy is None
    assert all(one.effect for one in found.compilation.diagnostics), found.said


FINE = [
    "deny x on crm.refund when has(principal.clearance) && principal.clearance > 1",
    "deny x on crm.refund when args.amount > 5",
    'deny x on crm.* when tool.name == "crm.search" && "untrusted" in run.labels',
    "deny x on crm.refund unless run.calls.exists(c, c.tool in reads && c.args.id == args.customer && now - c.at < 5m)",
    "deny x on *, @step, @input, @delegate when cap > 200.0",
    "deny x on @* when size(run.calls) > 10",
    'deny x on @answer when answer.text.contains("x")',
    "deny x on web.fetch when args.anything.goes > 1",
    'deny x on "odd name!" when args.x == 1',
    "rewrite x on crm.search set args.limit to args.limit + 1 when has(args.limit)",
    "rewrite x on crm.refund set args.amount to 5",
    'rewrite x on crm.refund set args.kind to (args.amount > 5.0 ? "goods" : "service")',
    'rewrite x on @answer set answer.text to "x"',
    "rewrite x on crm.search set args.limit to 5\nobserve rewrite y on crm.search redact args.limit",
    "label x on crm.lookup as untrusted at result.body, result.items[*].subject",
    'validate x on crm.lookup require result.ok == true else retry up to 2 times else reply "x"',
    'validate x on crm.lookup require result.ok == true else set result.ok to false',
    'escalate x on crm.refund to user within 5m else to 2 of finance where approver.id != principal.id within 1h else deny',
    'escalate x on crm.refund to finance within 5m else call crm.lookup with {"id": args.customer}',
    'deny x on crm.refund because "over {cap} is {args.amount}, a {args.kind}, {{ok}}, {principal.id}"',
    'deny x on crm.refund detail "by {args.customer}"',
    "let big(v) = v > cap\nlet small(v) = !big(v)\ndeny x on crm.refund unless small(args.amount)",
    "let amount on crm.refund = args.amount\nlet amount on crm.search = 1.0\ndeny x on crm.refund, crm.search when amount > cap",
]  # fmt: skip


@pytest.mark.parametrize("text", FINE)
def test_what_is_right_passes(compiled: Any, text: str) -> None:
    """No error, and a policy comes out."""
    found = compiled(HEAD + text)
    assert found.errors == []
    assert found.policy is not None


def test_a_finding_of_many_tools_is_told_once_with_the_tools(compiled: Any) -> None:
    """`tenant` is missing in all three tools: one error that lists them."""
    found = compiled("deny x on crm.* unless args.tenant == principal.tenant\nallow y on crm.*")
    assert found.errors == ["unknown-field"]
    assert "fails for `crm.lookup`, `crm.refund`, `crm.search`" in found.one("unknown-field").notes


def test_a_finding_of_some_tools_names_those_only(compiled: Any) -> None:
    """Only `crm.search` lacks `amount`."""
    found = compiled("deny x on crm.refund, crm.search when args.amount > 1.0\nallow y on crm.*")
    assert found.one("unknown-field").notes[-1] == "fails for `crm.search`"


def test_a_finding_in_a_let_shows_both_places(compiled: Any) -> None:
    """The body, and the rule that uses it."""
    labels = compiled("let big = args.amout > 1.0\ndeny x on crm.refund when big").one("unknown-field").labels
    assert labels[0].span.text == "args.amout"
    assert [label.span.text for label in labels[1:]][-1] == "big"


def test_a_tool_without_schema_is_noted_once(compiled: Any) -> None:
    """The tool is known, of any arguments."""
    found = compiled("allow x on web.fetch\ndeny y on web.fetch when args.x == 1")
    assert found.one("untyped-tool").severity == "note"
    assert found.policy.tools["web.fetch"].input is None


def test_a_group_makes_its_tools_known_and_a_let_makes_none(compiled: Any) -> None:
    """Rules name tools through groups; a word about a tool is no rule, so a typo in it opens nothing."""
    assert "web.fetch" in compiled("group outside = web.fetch\nallow x on outside").policy.tools
    found = compiled("let far on web.fetch = args.far\nallow x on *")
    assert found.errors == ["unknown-target"]


def test_a_glob_never_makes_a_tool_known(compiled: Any) -> None:
    """What matches nothing is warned about."""
    found = compiled("allow x on web.*\nallow y on crm.*")
    assert found.warnings == ["empty-target"]
    assert sorted(found.policy.tools) == ["crm.lookup", "crm.refund", "crm.search"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("let a = 1\nallow x on crm.refund", "unused"),
        ("labels a\nallow x on crm.refund", "unused"),
        ("queues a\nallow x on crm.refund", "unused"),
        ("param a: int = 1\nallow x on crm.refund", "unused"),
        ("group a = crm.refund\nallow x on crm.refund", "unused"),
        ("allow x on crm.refund when 1 > 2", "never-true"),
        ("allow y on crm.refund\ndeny x on crm.refund unless 2 > 1", "always-true"),
        ("deny x on crm.refund when args.amount > 1.0", "nothing-granted"),
        ("allow y on crm.*\nescalate x on crm.refund to user within 5m else call crm.lookup", "unfit-fallback"),
    ],
)
def test_what_is_suspicious_is_a_warning(compiled: Any, text: str, code: str) -> None:
    """It loads all the same."""
    found = compiled(text)
    assert found.errors == []
    assert found.warnings == [code]


def test_a_param_that_switches_a_rule_off_is_no_finding(compiled: Any) -> None:
    """Kill switches are false most of the time."""
    found = compiled("param kill: bool = false\nallow y on crm.*\ndeny x on * when kill")
    assert found.said == []
