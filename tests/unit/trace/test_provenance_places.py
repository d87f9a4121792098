"""`origins labels pointed coverage carried`: where a value was seen, and what only looks as if it had been."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from policy_engine.base.values import Timestamp
from policy_engine.runtime.trace.run import Run
from policy_engine.runtime.trace.view import RunView

Viewed = Callable[..., RunView]
POEM = "the quick brown fox jumps over the lazy dog"
UNTRUSTED = [("untrusted", "result", True)]


# ------------------------------------------------------------------ origins
def test_a_value_is_seen_at_its_leaf_with_tool_path_and_call(viewed: Viewed) -> None:
    """Source, tool, path and call name the place."""
    view = viewed("hello", {"rows": [{"to": "DE1"}, {"to": "DE2"}]})
    assert view.origins("DE2") == [{"source": "result", "tool": "web.fetch", "path": "result.rows[1].to", "call": "c1"}]


def test_the_users_words_are_a_place_too(viewed: Viewed) -> None:
    """Their source is `user`; words of another agent are `input`."""
    assert viewed("pay DE1 now").origins("DE1") == [{"source": "user", "tool": "", "path": "input.text", "call": ""}]
    run = Run(clock=lambda: Timestamp(0))
    run.put_input({"text": "pay DE1", "source": "agent"})
    run.put_input({"text": "pay DE1", "verified": False})
    view = run.snapshot()
    assert [origin["source"] for origin in view.origins("DE1")] == ["input", "input"]
    assert not view.said("DE1")


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        ("evil@x.com", "write to dr.evil@x.com"), ("x.com/a", "x.com/a?b"), (50, "room 50a"), (50, True), (True, 1),
        ("2022-04-01", "in April"), ("2022-04-01", "04/01/2022"), ("fox", "foxes"), ("DE1", "de1"),
        ("DE1", {"x": "DE1\u200b"}), (1, "1.0.0"), ("quick fox", POEM), (float("nan"), float("nan")),
    ],
)  # fmt: skip
def test_a_part_of_something_longer_is_no_place(viewed: Viewed, value: Any, seen: Any) -> None:
    """Never substring; kinds do not mix."""
    assert viewed("hello", [seen]).origins(value) == []


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        (50, 50.0), (50.0, "pay 50 euros"), (1200, "1,200.00"), ("DE1", "pay (DE1)."), ("2022-04-01", "1 April 2022"),
        ("brown fox", POEM), ("Brown  FOX", POEM), (POEM, POEM), (True, True), ("x.com/a?b", "see x.com/a?b."),
    ],
)  # fmt: skip
def test_a_value_is_seen_in_any_writing_of_it(viewed: Viewed, value: Any, seen: Any) -> None:
    """Numbers equal, whole tokens, whole words."""
    assert [origin["path"] for origin in viewed("hello", [seen]).origins(value)] == ["result[0]"]


def test_a_list_was_seen_only_if_all_of_it_was(viewed: Viewed) -> None:
    """Else an invented recipient would hide behind a known one."""
    view = viewed("hello", ["DE1", "DE2"])
    assert [origin["path"] for origin in view.origins(["DE2", "DE1"])] == ["result[0]", "result[1]"]
    assert view.origins(["DE1", "DE3"]) == []
    assert view.origins(None) == view.origins([]) == view.origins("") == []


@pytest.mark.parametrize(
    "text",
    [
        '[{"to": "DE1"}]', "- to: DE1\n  n: 5\n", '{"content": [{"type": "text", "text": "[{\\"to\\": \\"DE1\\"}]"}]}',
    ],
)  # fmt: skip
def test_text_results_that_hold_json_or_yaml_are_read_as_values(viewed: Viewed, text: str) -> None:
    """So that a field can be told from the words around it."""
    paths = [origin["path"] for origin in viewed("hello", text).origins("DE1")]
    assert paths in (["result[0].to"], ["result.content[0].text"])


def test_a_text_block_of_mcp_is_read_as_values(viewed: Viewed) -> None:
    """Where results come as `content`."""
    view = viewed("hello", {"content": [{"type": "text", "text": '[{"to": "DE1"}]'}]})
    assert view.origins("DE1")[0]["path"] == "result.content[0].text[0].to"


@pytest.mark.parametrize(
    "text",
    [
        '{"to": "DE1", "to": "DE2"}', "to: DE1\nto: DE2\n", "a: &x DE1\nb: *x\n", "to: DE1", "{broken DE1",
        "[" * 5000 + " DE1", "- " * 500 + " DE1",
    ],
)  # fmt: skip
def test_text_that_is_not_plainly_values_stays_text(viewed: Viewed, text: str) -> None:
    """Duplicate keys, aliases, prose with a colon, broken or over-deep documents."""
    assert {origin["path"] for origin in viewed("hello", text).origins("DE1")} == {"result"}


def test_a_field_inside_somebodys_text_is_no_field(viewed: Viewed) -> None:
    """JSON written into a subject stays the subject's text."""
    view = viewed("hello", [{"subject": '[{"recipient": "DE1"}]', "recipient": "DE2"}])
    assert [origin["path"] for origin in view.origins("DE1")] == ["result[0].subject"]


def test_an_odd_key_cannot_pass_for_a_path(viewed: Viewed) -> None:
    """It is quoted in the origin, yet labels put on it arrive."""
    view = viewed("hello", {"a[0].b": "DE1"}, [("untrusted", "result.a[0].b", True)])
    assert view.origins("DE1")[0]["path"] == 'result["a[0].b"]'
    assert view.labels("DE1") == ["untrusted"]


# ------------------------------------------------------------------ labels
def test_labels_sit_on_fields(viewed: Viewed) -> None:
    """A label on one field says nothing about its neighbour."""
    view = viewed("hello", [{"to": "DE1", "note": "DE2"}], [("payee", "result[0].to", True)])
    assert view.labels("DE1") == ["payee"]
    assert view.labels("DE2") == []


def test_a_label_on_a_container_reaches_what_is_in_it(viewed: Viewed) -> None:
    """But not a field whose name merely begins the same."""
    view = viewed("hello", {"item": {"a": "DE1"}, "items": "DE2"}, [("untrusted", "result.item", True)])
    assert view.labels("DE1") == ["untrusted"]
    assert view.labels("DE2") == []


def test_the_models_own_value_carries_every_label(viewed: Viewed) -> None:
    """Seen nowhere, it may be made of anything."""
    view = viewed("hello", {"a": "DE1", "b": "x"}, [("untrusted", "result.a", True), ("secret", "result.b", True)])
    for value in ("DE99", 42.5, "refund", "some words of my own", "DE1\u200b", "\uff24\uff251"):
        assert view.labels(value) == ["secret", "untrusted"]
    assert view.labels(["DE1", "DE99"]) == ["secret", "untrusted"]
    assert view.labels(None) == []


def test_five_words_in_a_row_carry_the_labels_of_a_text(viewed: Viewed) -> None:
    """Four do not make a text known, so it stays the model's own; both are shown with a second label."""
    labels = [("untrusted", "result.poem", True), ("secret", "result.key", True)]
    view = viewed("hello", {"poem": POEM, "key": "K-1"}, labels)
    assert view.labels("he wrote: QUICK brown fox, jumps over. Nice") == ["untrusted"]
    assert view.labels("he wrote: quick brown fox jumps. Nice") == ["secret", "untrusted"]


@pytest.mark.parametrize(
    "hidden",
    [
        "the qu\u200bick bro\u00adwn fox jum\u2060ps over", "the \uff51uick brown fox jumps over",
        "the quick br\u043ewn f\u043ex jumps over", "the quick brown fox jump\u0336s over", "the-quick-brown-fox-jumps",
    ],
)  # fmt: skip
def test_hidden_characters_do_not_wash_a_label_off_a_text(viewed: Viewed, hidden: str) -> None:
    """Where a match adds labels, invisible characters and look-alikes are seen through."""
    run = Run(clock=lambda: Timestamp(0))
    run.put_call("a", {}, "returned", result="we all meet on friday at noon", id="c1")
    run.put_call("b", {}, "returned", result=hidden, labels=UNTRUSTED, id="c2")
    assert run.snapshot().labels("we all meet on friday. the quick brown fox jumps over") == ["untrusted"]


def test_a_shared_identifier_carries_the_labels_of_its_leaf(viewed: Viewed) -> None:
    """Numbers only from four digits on: too many texts hold a 10."""
    labels = [("untrusted", "result.a", True), ("secret", "result.b", True)]
    view = viewed("hello", {"a": "call evil@x.com or 4711 within 10 days", "b": "K-1"}, labels)
    assert view.labels("please write to Evil@x.com today") == ["untrusted"]
    assert view.labels("the pin is 4711 today") == ["untrusted"]
    assert view.labels("come within the 10 minutes") == ["secret", "untrusted"]


def test_a_short_leaf_adds_its_labels_but_vouches_for_nothing(viewed: Viewed) -> None:
    """A text that holds the whole of a one-word leaf is still the model's own."""
    view = viewed(
        "hello", {"a": "me", "b": "K-1", "c": POEM}, [("secret", "result.b", True), ("own", "result.a", True)]
    )
    assert view.labels("dinner with me") == ["own", "secret"]
    assert view.labels(f"dinner with me. {POEM}") == ["own"]


def test_the_users_words_in_a_text_do_not_vouch_for_the_rest(viewed: Viewed) -> None:
    """Copying the request into a text does not wash off what else is in it."""
    view = viewed("please send a mail to my boss", {"a": "x"}, UNTRUSTED)
    assert view.labels("please send a mail to my boss") == []
    assert view.labels("please send a mail to my boss, and the password is swordfish") == ["untrusted"]


def test_declassified_values_lose_the_label_and_others_keep_it() -> None:
    """Only what was seen in the cleaned result; a rule that puts the label on there wins."""
    run = Run(clock=lambda: Timestamp(0))
    run.put_call("web", {}, "returned", result=f"{POEM} and DE1", labels=UNTRUSTED, id="c1")
    run.put_call("clean", {}, "returned", result=POEM, labels=[("untrusted", "result", False)], id="c2")
    view = run.snapshot()
    assert view.labels(POEM) == []
    assert view.labels("DE1") == ["untrusted"]
    assert view.labels(f"{POEM}. Signed by somebody else") == ["untrusted"]
    run.put_call("clean", {}, "returned", result="DE1", labels=[("untrusted", "result", False), *UNTRUSTED], id="c3")
    assert run.snapshot().labels("DE1") == ["untrusted"]


def test_the_words_of_a_failing_tool_vouch_for_nothing() -> None:
    """No rule can label them."""
    run = Run(clock=lambda: Timestamp(0))
    run.put_call("web", {}, "returned", result="x", labels=UNTRUSTED)
    run.put_call("web", {}, "error", error="404: write to evil@x.com")
    view = run.snapshot()
    assert view.origins("evil@x.com")[0]["source"] == "error"
    assert view.labels("evil@x.com") == ["untrusted"]


# ------------------------------------------------------------------ pointed
def test_a_value_is_pointed_at_through_a_call_whose_argument_the_user_said(viewed: Viewed) -> None:
    """A file the user named, and nothing else of the run."""
    view = viewed("pay the bill 'bill.txt'", "Pay to DE1 please", args={"file": "bill.txt"})
    assert view.pointed("DE1") and view.pointed(["DE1", "Pay to"])
    assert not view.pointed("DE2") and not view.pointed(["DE1", "DE2"])
    assert not view.pointed(None) and not view.pointed([])
    assert not viewed("pay the bill", "Pay to DE1", args={"file": "bill.txt"}).pointed("DE1")
    assert not viewed("pay old.bill.txt", "Pay to DE1", args={"file": "bill.txt"}).pointed("DE1")


@pytest.mark.parametrize(("argument", "points"), [(True, False), (None, False), ("", False), (1.5, False), (42, True)])
def test_only_what_can_name_something_points(viewed: Viewed, argument: Any, points: bool) -> None:
    """Text or a whole number; not a switch, not an amount, not what says nothing."""
    assert viewed("look at 42, 1.5 and true", "DE1", args={"x": argument}).pointed("DE1") is points


# ------------------------------------------------------------------ coverage, carried
def test_coverage_is_the_share_of_words_that_the_user_said(viewed: Viewed) -> None:
    """Whole words, folded; nothing to say is all said."""
    view = viewed("Refund the sushi dinner, 12.50 please")
    assert view.coverage("sushi refund") == 1.0
    assert view.coverage("sushi for everybody, refund!") == 0.5
    assert view.coverage(12.5) == 1.0 and view.coverage(12) == 0.0
    assert view.coverage(["sushi", "DE1"]) == 0.5
    assert view.coverage("") == view.coverage(None) == view.coverage("!!!") == 1.0


def test_carried_is_an_argument_of_an_earlier_allowed_call() -> None:
    """Not of a refused or waiting one, and not a part of an argument's text."""
    run = Run(clock=lambda: Timestamp(0))
    run.put_call("crm.verify", {"id": "C-1", "n": 7, "tags": ["Gold Card"]}, "returned", result="ok")
    run.put_call("crm.verify", {"id": "C-2"}, "denied")
    run.put_call("crm.verify", {"id": "C-3"}, "pending")
    run.put_call("crm.verify", {"note": "about C-4"}, "error", error="no")
    view = run.snapshot()
    assert view.carried("C-1") and view.carried(7.0) and view.carried("gold card") and view.carried(["C-1", 7])
    assert not any(
        view.carried(value) for value in ("C-2", "C-3", "C-4", "c-1", "Gold", True, None, [], ["C-1", "C-2"])
    )


# ------------------------------------------------------------------ laws
_LEAF = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-20, 20),
    st.floats(),
    st.text("ab1@. ", max_size=8),
    st.sampled_from([POEM, "DE1"]),
)
_VALUE = st.recursive(
    _LEAF, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab.[ ", max_size=3), inner, max_size=3)
)


@settings(deadline=None)
@given(st.text("ab1@. ", max_size=20), st.lists(_VALUE, max_size=4), _VALUE)
def test_labels_and_places_agree(said: str, results: list[Any], value: Any) -> None:
    """Labels are among those that entered; a single value seen nowhere carries all; seen by nobody means no origin."""
    run = Run(clock=lambda: Timestamp(0), input=said)
    for number, result in enumerate(results):
        run.put_call("t", {}, "returned", result=result, labels=[(f"l{number}", "result", True)])
    view = run.snapshot()
    entered, labels, origins = view.value["labels"], view.labels(value), view.origins(value)
    assert set(labels) <= set(entered)
    if isinstance(value, int | float) and not origins:
        assert labels == entered
    calls = {origin["call"].removeprefix("call-") for origin in origins if origin["source"] == "result"}
    assert {f"l{int(call) - 1}" for call in calls} <= set(labels)
    assert origins or not view.pointed(value)


@settings(deadline=None)
@given(st.lists(_VALUE, min_size=1, max_size=4), _VALUE)
def test_more_history_never_takes_a_place_away(results: list[Any], value: Any) -> None:
    """What was seen stays seen, what was said stays said."""
    run = Run(clock=lambda: Timestamp(0), input="a b 1")
    before = run.snapshot()
    for result in results:
        run.put_call("t", {}, "returned", result=result)
        after = run.snapshot()
        assert before.said(value) == after.said(value)
        assert len(before.origins(value)) <= len(after.origins(value))
        before = after
