"""The provenance index against its plain twin, the scan: the same answer to every word, at every moment of a run."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from policy_engine.base.errors import EvaluationError
from policy_engine.base.values import NONE, Optional, Timestamp
from policy_engine.runtime.trace.provenance.dates import dates_in, dates_of_long, may_date
from policy_engine.runtime.trace.provenance.index import texts
from policy_engine.runtime.trace.provenance.scan.words import ScannedProvenance
from policy_engine.runtime.trace.run import Run
from policy_engine.runtime.trace.view import RunView

CASES = int(os.environ.get("POLICY_CASES", "0"))
WORDS = ("said", "origins", "labels", "pointed", "coverage", "carried")
PIECES = (
    "pay", "Pay", "the", "THE", "fox.", "fox", "foxes", "(fox)", "quick", "Bob", "Bob.", "Smith", "Bob's", "true", "may",
    "evil@x.com", "dr.evil@x.com", "еvil@x.com", "evil@x\u200b.com", "evil．com", "x.com/a", "x.com/a?b", "x.com/a.",
    "mailto:b@x.com", "DE1", "de1", "DE1\u200b", "ＤＥ１", "DE12…", "①", "ﬁne", "fine", "Straße", "STRASSE", "一", "İx",
    "1,200", "1200.0", "1.2.3", "$5", "5", "5%", "50", "1234", "7", "April", "in April", "May 15th, 2024", "2024-05-15",
    "15 May 2024", "1 Apr", "2022-04-01T10:00Z", "at 10:00", "03/04", "2024-05", "attacker", "evil.com", "_", "é", "e\u0301",
    "note:", "a: b", "- c: DE1", '{"k": "DE1"}', '"quoted"', "\u2028", "\t", "\n", "", "ￃ", "㎏", "½", "x" * 30,
)  # fmt: skip
PHRASE = "the quick brown fox jumps over the lazy dog"
TEXTS = st.one_of(
    st.sampled_from(PIECES),
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=7).map(" ".join),
    st.tuples(st.integers(0, 5), st.integers(2, 9)).map(lambda cut: " ".join(PHRASE.split()[cut[0] : cut[1]])),
    st.text(max_size=6),
)
KEYS = st.one_of(st.sampled_from(("k", "a", "a.b", "DE1 ", "a[0", "b")), TEXTS)
SINGLE = st.one_of(
    TEXTS, st.sampled_from((0, 1, 5, 7, 50, 1200, 1200.0, 0.5, 1e300, float("nan"), float("inf"), True, False, None)),
    st.sampled_from((Timestamp(1715767200 * 10**9), Timestamp(1715731200 * 10**9), b"DE1")),
)  # fmt: skip
VALUES = st.recursive(
    SINGLE, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)), max_leaves=5
)
ASKED = st.one_of(VALUES, VALUES.map(lambda value: Optional(True, value)), st.just(NONE))
PATHS = (
    "result", "result[0]", "result.k", "error", "result.k.k", "result[0].k", "result.a.b", 'result["a.b"]', "result.a", "resul",
    "result[1][0]", 'result["DE1 "]',
)  # fmt: skip
MARKS = st.lists(st.tuples(st.sampled_from(("untrusted", "payee")), st.sampled_from(PATHS), st.booleans()), max_size=4)
CALLS = st.tuples(
    st.just("call"), st.sampled_from(("returned", "returned", "error", "denied", "pending", "running")), VALUES, VALUES,
    st.one_of(st.none(), TEXTS), MARKS, st.sampled_from((None, None, "c1", "c2")),
)  # fmt: skip
INPUTS = st.tuples(st.just("input"), TEXTS, st.booleans(), MARKS)


def play(run: Run, event: tuple[Any, ...]) -> None:
    if event[0] == "input":
        run.put_input({"text": event[1], "verified": event[2]}, labels=[(a, "input.text", c) for a, _, c in event[3]])
        return
    _, outcome, args, result, error, marks, id = event
    returned = outcome == "returned"
    run.put_call(
        "t", args if isinstance(args, dict) else {"a": args}, outcome, result=result if returned else None,
        error=None if returned else error, labels=marks if returned else (), id=id,
    )  # fmt: skip


def answers(provenance: Any, value: Any) -> list[Any]:
    return [getattr(provenance, word)(value) for word in WORDS]


def agree(view: RunView, value: Any) -> None:
    assert answers(view, value) == answers(ScannedProvenance(view), value), value


@settings(max_examples=max(700, CASES), deadline=None)
@given(st.lists(st.one_of(CALLS, INPUTS), max_size=7), st.lists(ASKED, min_size=1, max_size=5), st.data())
def test_the_index_answers_as_the_scan(events: list[tuple[Any, ...]], values: list[Any], data: Any) -> None:
    """Every word, for drawn values and for those that the run holds, also about moments that have passed."""
    run = Run(clock=lambda: Timestamp(0), input="pay Bob 1,200 on May 15th, 2024")
    moments = [run.snapshot()]
    for event in events:
        play(run, event)
        moments.append(run.snapshot())
        if event[0] == "call":
            values = [*values, event[2], event[3]]
    for view in (moments[-1], data.draw(st.sampled_from(moments))):
        for value in values:
            agree(view, value)


@pytest.mark.parametrize(
    ("value", "near"),
    [
        ("evil@x.com", "dr.evil@x.com"), ("x.com/a", "x.com/a?b"), ("evil@x.com", "еvil@x.com"),
        ("evil@x.com", "evil@x\u200b.com"), ("DE1", "ＤＥ１"), ("evil.com", "evil．com"), ("Bob Smith", "Bob. Smith"),
        ("fine", "ﬁne\u200b"), (1, "①"), ("2024-05-15", "15/05/2024"),
    ],
)  # fmt: skip
def test_what_only_looks_alike_is_not_found(value: Any, near: str) -> None:
    """Look-alikes, invisible characters, other widths, longer tokens: neither the index nor the scan is opened."""
    run = Run(clock=lambda: Timestamp(0), input=f"please use {near} now")
    run.put_call("t", {}, "returned", result=[f"use {near} now", near], labels=[("untrusted", "result", True)])
    run.put_call("t", {}, "returned", result="hello world", labels=[("other", "result", True)])
    view = run.snapshot()
    agree(view, value)
    assert not view.said(value) and view.origins(value) == [] and not view.carried(value)
    assert view.labels(value) == ["other", "untrusted"]


@pytest.mark.parametrize(
    ("value", "seen"),
    [("1,200 EUR", "1,200 EUR"), (1200.0, "1,200"), ("2024-05-15", "May 15th, 2024"), ("DE1", '{"rows": [{"to": "DE1"}]}')],
)  # fmt: skip
def test_other_writings_and_values_inside_json_text_are_found(value: Any, seen: str) -> None:
    """What the scan finds the index finds."""
    run = Run(clock=lambda: Timestamp(0))
    run.put_call("t", {}, "returned", result=seen)
    assert len(run.snapshot().origins(value)) == 1
    agree(run.snapshot(), value)


WORD = st.sampled_from(("the", "fox", "Fox.", "fox!", "dog", "evil@x.com", "5", "é", "a\nb"))


@settings(max_examples=max(200, CASES), deadline=None)
@given(st.lists(st.lists(WORD, max_size=60).map(" ".join), min_size=1, max_size=12), st.data())
def test_rows_of_frequent_words_are_found_as_by_the_scan(seen: list[str], data: Any) -> None:
    """Many places of few words, asked between results too: what stands behind a word is then sorted in parts."""
    run = Run(clock=lambda: Timestamp(0), input=seen[0])
    for number, text in enumerate(seen):
        run.put_call("t", {}, "returned", result=[text, *seen], labels=[(f"l{number % 3}", "result[0]", True)])
        agree(run.snapshot(), " ".join(data.draw(st.lists(WORD, min_size=1, max_size=6))))


LIKE_DATES = ("may 5", "3rd", "of", "MAY", "March,", "12 Oct.", "2024", "\u00a0", "\n", "sept 2", "2024-05-06", "x12", "(3")


@settings(max_examples=max(500, CASES), deadline=None)
@given(
    st.lists(
        st.one_of(st.sampled_from(PIECES), st.sampled_from([" " * 20, "x " * 90, "of", "the", ",", *LIKE_DATES])), max_size=12
    )
)
def test_dates_are_found_in_windows_as_in_the_whole(pieces: list[str]) -> None:
    """Looking around what begins like a month misses no date and invents none; each has a token that tells of it."""
    text = " ".join(pieces)
    assert set(dates_of_long(text)) == set(dates_in(text))
    assert not set(dates_in(text)) or any(map(may_date, text.split()))


def test_more_text_than_is_remembered_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """From then on every word is an error, and stays one; moments before it still have their answer."""
    monkeypatch.setattr(texts, "MAX_INDEXED_CHARS", 20)
    run = Run(clock=lambda: Timestamp(0), input="hello")
    before = run.snapshot()
    run.put_call("t", {}, "returned", result="x" * 30)
    run.put_call("t", {}, "returned", result="y")
    for word in WORDS:
        with pytest.raises(EvaluationError) as caught:
            getattr(run.snapshot(), word)("hello")
        assert caught.value.kind == "too_costly"
    assert before.said("hello")
