"""Whatever a policy says, compiling it ends in diagnostics or a policy, the same ones each time; never in a traceback."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import HealthCheck, given, settings, strategies as st

PIECES = """
principal { id: string, level: int? } ~ labels untrusted ~ queues finance ~ param cap: double = 100.0 ~
group reads = crm.lookup, crm.search ~ let big(v) = v > cap ~ let amount on crm.refund = args.amount ~ let loop = loop ~
allow a on crm.* ~ deny b on crm.refund when big(args.amount) unless principal.level > 3 ~ default abstain ~
escalate c on crm.refund, @answer when amount > 1.0 to finance where approver.id != principal.id within 5m else deny ~
rewrite d on crm.search set args.limit to args.limit + 1 when has(args.limit) ~ rewrite e on crm.* redact result.card ~
label f on crm.lookup as untrusted at result.items[*] ~ validate g on @answer require answer.text != "" else retry up to 1 times ~
deny h on @* when run.calls.exists(c, c.tool in reads && "untrusted" in labels(c.args)) because "{cap} {args.amount}" ~
limit i on * to 5.0 of call.cost reserve 0.1 per run ~ observe deny j on "x y" when args.a[0].b == now
""".replace("\n", " ").split("~")
WORDS = sorted({word for piece in PIECES for word in re.findall(r"\w+|[^\w\s]", piece)})


@st.composite
def policies(draw: st.DrawFn) -> str:
    """Rules and declarations in any order, with some words replaced."""
    lines = []
    for piece in draw(st.lists(st.sampled_from(PIECES), min_size=1, max_size=8)):
        words = re.findall(r"\w+|\s+|[^\w\s]", piece.strip())
        for place in draw(st.lists(st.integers(0, len(words) - 1), max_size=2)):
            words[place] = draw(st.sampled_from(WORDS))
        lines.append("".join(words))
    return "\n".join(lines)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=policies(), executable=st.booleans())
def test_compiling_ends_in_diagnostics_or_a_policy(compiled: Any, text: str, executable: bool) -> None:
    """An error means no policy, no error a policy; each finding has a place and says what it does to decisions."""
    found = compiled(text, executable=executable)
    again = compiled(text, executable=executable)
    assert found.said == again.said
    assert (found.compilation.policy is not None) == (executable and not found.errors)
    assert all(one.labels and one.message for one in found.compilation.diagnostics)
    if found.compilation.policy is not None:
        assert found.policy.digest == again.policy.digest
        assert set(found.policy.code.co_names) == set(again.policy.code.co_names)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=policies(), random=st.randoms(use_true_random=False))
def test_the_order_of_items_changes_nothing(compiled: Any, text: str, random: Any) -> None:
    """Law 1, at compile time: the same items in another order give the same rules with the same conditions, or none."""
    lines = text.split("\n")
    random.shuffle(lines)
    one, other = compiled(text), compiled("\n".join(lines))
    assert bool(one.errors) == bool(other.errors), (one.said, other.said)
    if not one.errors:
        for tool, plan in one.policy.tools.items():
            mirror = other.policy.tools[tool]
            for section, twin in ((plan.rewrites, mirror.rewrites), (plan.decide, mirror.decide), (plan.result, mirror.result)):
                assert [(rule.id, rule.kind) for rule in section.rules] == [(rule.id, rule.kind) for rule in twin.rules]
