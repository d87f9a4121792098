"""`let` stands for its body, and neither captures the variables of the other."""

from __future__ import annotations

from typing import Any

import pytest

from policy_engine.semantics.ast.expressions import Bind, Expr, children
from policy_engine.semantics.interpreter import interpret

REFUND = {"amount": 7.0, "customer": "c1", "kind": "goods"}
RUN = {"calls": [{"tool": "crm.lookup", "args": {"id": "c1"}, "result": 1, "outcome": "returned", "labels": []}]}


def condition(compiled: Any, text: str) -> Expr:
    rules = compiled(f"{text}\nallow other on crm.*").policy.tools["crm.refund"].decide.rules
    return next(rule.condition for rule in rules if rule.id == "p/x")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        # a parameter is what was given, whatever the body calls its own variables
        ("let known(id) = run.calls.exists(c, c.args.id == id)\ndeny x on crm.refund when known(args.customer)", True),
        ('let known(id) = ["c1"].exists(c, c == id)\ndeny x on crm.refund when ["c1"].all(c, known(c))', True),
        ('let known(id) = ["c2"].exists(c, c == id)\ndeny x on crm.refund when ["c1"].all(c, known(c))', False),
        # a name of the body is the policy's, even where the place of use binds that word
        ("let called = size(run.calls) == 1\ndeny x on crm.refund when [[]].all(run, called)", True),
        ("let plus(v) = args.amount + v\ndeny x on crm.refund when [1.0].all(args, plus(args) == 8.0)", True),
        ("param cap: double = 5.0\nlet over = args.amount > cap\ndeny x on crm.refund when [100.0].all(cap, over)", True),
        # a variable of the rule hides a let of the same name
        ("let v = 1.0\ndeny x on crm.refund when [2.0].all(v, v == 2.0)", True),
        # a let in a let, with crossed parameter names
        ("let less(a, b) = a < b\nlet more(a, b) = less(b, a)\ndeny x on crm.refund when more(args.amount, 1.0)", True),
        ("let less(a, b) = a < b\nlet more(a, b) = less(b, a)\ndeny x on crm.refund when [9.0].all(b, more(b, 1.0))", True),
        ("let less(a, b) = a < b\ndeny x on crm.refund when [1.0].all(a, [2.0].all(b, less(b, a)))", False),
        ("let less(a, b) = a < b\ndeny x on crm.refund when [1.0].all(a, [2.0].all(b, less(b + 0.0, a + 0.0)))", False),
    ],
)  # fmt: skip
def test_an_expanded_condition_means_what_it_says(compiled: Any, text: str, value: bool) -> None:
    """The interpreter gives the value that substitution by hand gives."""
    assert interpret(condition(compiled, text), {"args": REFUND, "run": RUN}) is value


def test_a_plain_path_stands_where_the_parameter_stood(compiled: Any) -> None:
    """Types and hints see `args.amount > 5`, not a variable."""
    node = condition(compiled, "let big(v) = v > 5.0\ndeny x on crm.refund when big(args.amount)")
    assert node.span.text == "v > 5.0"
    assert not isinstance(node, Bind)


def test_a_computed_argument_is_evaluated_once(compiled: Any) -> None:
    """It becomes a variable."""
    node = condition(compiled, "let big(v) = v > 5.0 && v < 9.0\ndeny x on crm.refund when big(args.amount + 1.0)")
    assert isinstance(node, Bind)


def test_each_use_has_nodes_of_its_own(compiled: Any) -> None:
    """Types are kept by node, and two uses may differ."""
    node = condition(compiled, "let big(v) = v > 5.0\ndeny x on crm.refund when big(args.amount) || big(2.0)")
    seen: list[Expr] = [node]
    for one in seen:
        seen.extend(children(one))
    assert len({id(one) for one in seen}) == len(seen)


def test_a_let_may_mean_something_else_for_each_tool(compiled: Any) -> None:
    """One word over tools with unlike arguments."""
    text = "let amount on crm.refund = args.amount\nlet amount on crm.search = 1.0\n"
    text += "deny x on crm.refund, crm.search when amount > 5.0"
    plans = compiled(f"{text}\nallow other on crm.*").policy.tools
    values = {
        tool: interpret(next(rule for rule in plans[tool].decide.rules if rule.id == "p/x").condition, {"args": REFUND})
        for tool in ("crm.refund", "crm.search")
    }
    assert values == {"crm.refund": True, "crm.search": False}
