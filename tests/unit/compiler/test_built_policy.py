"""What the compiler hands to the runtime: sections, sides of errors, and nothing that nobody executes."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from policy_engine.compiler.analysis.sections import ON_ERROR
from policy_engine.compiler.analysis.targets import EVENTS
from policy_engine.semantics.ast.expressions import Literal
from policy_engine.semantics.linking import link

HEAD = """principal { id: string }
queues finance
labels untrusted
"""


def test_rules_are_in_the_section_of_their_phase_sorted_by_id(compiled: Any) -> None:
    """Rewrites of arguments, decisions, and what happens to results are three sections."""
    plan = compiled(
        HEAD
        + """deny z on crm.search when args.q == ""
allow a on crm.search
rewrite m on crm.search set args.limit to 1
rewrite n on crm.search redact result.card
label o on crm.search as untrusted
validate b on crm.search require result.ok == true
"""
    ).policy.tools["crm.search"]
    assert [rule.id for rule in plan.rewrites.rules] == ["p/m"]
    assert [rule.id for rule in plan.decide.rules] == ["p/a", "p/z"]
    assert [rule.id for rule in plan.result.rules] == ["p/b", "p/n", "p/o"]


def test_order_and_files_do_not_change_the_plan(compiled: Any) -> None:
    """Law 1: the same rules in another order give the same sections."""
    rules = ["allow a on crm.*", "deny b on crm.refund when args.amount > 1.0", 'deny c on crm.* when run.id == ""']
    one, other = compiled("\n".join(rules)), compiled("\n".join(reversed(rules)))
    for tool in ("crm.refund", "crm.lookup"):
        assert one.rules(tool) == other.rules(tool)


def test_an_error_falls_to_the_safe_side_of_its_kind(compiled: Any) -> None:
    """allow, declassify and retry no, all others yes; the same when observed."""
    policy = compiled(
        HEAD
        + """allow a on crm.search when args.q == ""
deny b on crm.search when args.q == ""
observe deny c on crm.search when args.q == ""
escalate d on crm.search when args.q == "" to finance within 5m
rewrite e on crm.search set args.limit to 1 when args.q == ""
validate f on crm.search require args.q == ""
label g on crm.search as untrusted when args.q == ""
declassify h on crm.search of untrusted when args.q == ""
limit i on crm.search to 1 per 1h when args.q == ""
timeout j on crm.search after 1s when args.q == ""
retry k on crm.search up to 1 times when args.q == ""
breaker l on crm.search open after 1 failures in 1s probe after 1s when args.q == ""
"""
    ).policy
    namespace = link(policy.code, policy.constants)
    plan = policy.tools["crm.search"]
    sides = {}
    for section in (plan.rewrites, plan.decide, plan.result, plan.limits, plan.timeouts, plan.errors):
        mask = namespace[section.batch.function]({}, {}, None)
        size = len(section.rules)
        for bit, rule in enumerate(section.rules):
            sides[rule.kind, rule.observe] = bool(mask >> bit & 1)
            assert mask >> (size + bit) & 1, f"{rule.id} is no error"
    assert sides == {(kind, False): side for kind, side in ON_ERROR.items()} | {("deny", True): True}


def test_a_rule_without_guards_is_the_literal_true(compiled: Any) -> None:
    """And costs nothing."""
    condition = compiled("allow a on crm.search").policy.tools["crm.search"].decide.rules[0].condition
    assert isinstance(condition, Literal) and condition.value is True


def test_every_event_has_a_plan(compiled: Any) -> None:
    """The runtime refuses events without one."""
    policy = compiled('allow a on crm.search\ndeny b on @* when run.id == ""').policy
    assert set(policy.events) == set(EVENTS)
    assert all([rule.id for rule in plan.decide.rules] == ["p/b"] for plan in policy.events.values())


def test_tools_with_the_same_rules_share_their_code(compiled: Any) -> None:
    """Three tools, one function."""
    plans = compiled('allow a on crm.* when principal.id == ""').policy.tools
    assert len({id(plan.decide) for plan in plans.values()}) == 1


def test_layers_carry_their_default(compiled: Any) -> None:
    """The default is deny; an escalating one has its ladder."""
    policy = compiled('allow a on crm.*\nqueues ops\ndefault escalate to 2 of ops within 10m else reply "no"').policy
    (layer,) = policy.layers
    assert (layer.default, layer.hint) == ("escalate", True)
    assert (layer.ladder.tiers[0].count, layer.ladder.tiers[0].queue, layer.ladder.otherwise.kind) == (
        2,
        "ops",
        "reply",
    )
    assert compiled("allow a on crm.*").policy.layers[0].default == "deny"


def test_requests_meet_the_records_of_all_layers(compiled: Any) -> None:
    """A principal must have what each layer declares and may have more."""
    files = {"org.policy": "policy org\nprincipal { id: string, team: string }\nallow a on crm.*"}
    text = 'policy p under "org.policy"\nuse tools "crm.json" as crm\nprincipal { id: string }\nallow a on crm.*'
    records = compiled(text, files).policy.records["principal"]
    assert [[field.name for field in record.fields] for record in records] == [["id"], ["id", "team"]]
    assert all(record.rest is not None for record in records)


def test_shapes_that_no_request_could_meet_are_refused(compiled: Any) -> None:
    """Two layers give one field two types."""
    files = {"org.policy": "policy org\nprincipal { level: string }\nallow a on crm.*"}
    text = 'policy p under "org.policy"\nuse tools "crm.json" as crm\nprincipal { level: int }\nallow a on crm.*'
    assert compiled(text, files).errors == ["conflicting-shapes"]


LATER = [
    "limit x on crm.lookup to 5 of distinct result.id reserve 1 per 1h",
    "invariant x on crm.refund when args.amount > 500.0 never allow",
]


@pytest.mark.parametrize("text", LATER)
def test_what_nothing_executes_is_checked_and_refused_by_load(compiled: Any, text: str) -> None:
    """Law 7: `check` knows it, `load` refuses it in so many words."""
    source = f"queues finance\nallow a on crm.*\n{text}"
    assert compiled(source, executable=False).errors == []
    loaded = compiled(source)
    assert loaded.errors == ["not-executable"]
    assert loaded.compilation.policy is None


def test_a_policy_that_needs_an_extra_is_refused_by_load_where_it_is_missing(
    compiled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names what to install; `check` asks for nothing."""
    source = (
        "allow a on crm.*\nlet read_only = sql(args.id).statements == ['select']\ndeny x on crm.lookup unless read_only"
    )
    assert compiled(source).errors == []
    monkeypatch.setitem(sys.modules, "sqlglot", None)
    assert compiled(source, executable=False).errors == []
    loaded = compiled(source)
    assert loaded.errors == ["missing-extra"]
    assert "pip install 'policy-engine[sql]'" in str(loaded.compilation.diagnostics[0].suggestion)
    assert loaded.compilation.policy is None


CONSTANTS = [
    'path(args.id).within("~/work")', 'glob(args.id, "a**b")', 'checksum(args.id, "ibann")', 'mask(args.id, ["mail"]) == ""',
    'url(args.id) == url("https:acme.com")', 'email("a@b@c").domain == args.id',
]  # fmt: skip


@pytest.mark.parametrize("condition", CONSTANTS)
def test_a_constant_that_its_function_cannot_read_is_told_at_once(compiled: Any, condition: str) -> None:
    """A typo in a pattern, folder, address or kind would be an error in every decision."""
    assert compiled(f"deny x on crm.lookup when {condition}").errors == ["bad-constant"]


def test_a_host_function_is_called_like_any_other(compiled: Any) -> None:
    """Declared types are checked; a name of the language cannot be taken."""
    from policy_engine.semantics.functions.declaration import Function, Overload
    from policy_engine.semantics.types import BOOL, STRING

    tone = Function("polite", (Overload((STRING,), BOOL),), "Whether it is polite.", (), lambda text: "please" in text)
    assert compiled("allow a on crm.search when polite(args.q)", functions=[tone]).errors == []
    assert compiled("allow a on crm.search when polite(1)", functions=[tone]).errors == ["type-mismatch"]
    said = Function("said", tone.overloads, "", (), tone.body)
    assert compiled("allow a on crm.search", functions=[said]).errors == ["hidden-function"]
