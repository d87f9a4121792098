"""`said(x)`: each kind of value, and what only looks like it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, strategies as st

from policy_engine.base.values import NONE, Optional, Timestamp, UInt, timestamp_of
from policy_engine.runtime.trace.provenance.scan.said import said
from policy_engine.runtime.trace.provenance.tokens import Text


def heard(text: str, value: Any) -> bool:
    return said(value, (Text(text),))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("pay 1,200 now", 1200.0), ("pay 1200.0 now", 1200), ("pay $98.70.", 98.7), ("take 10% of it", 10),
        ("it costs (5)", 5), ("minus -3 degrees", -3), ("exactly 9007199254740993", 9007199254740993),
        ("pay 12 euros", UInt(12)), ("pay 1,234,567.89", 1234567.89),
    ],
)  # fmt: skip
def test_a_number_is_said_when_an_equal_number_stands_in_the_text(text: str, value: Any) -> None:
    """However it is written: with thousands, decimals, a currency sign, punctuation behind it."""
    assert heard(text, value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("pay 12,00 now", 1200), ("the file bill-2023.txt", 2023), ("account GB29", 29), ("pay 1200", 120),
        ("version 1.2.3", 1.2), ("about 5-10", 5), ("pay 1,20", 120), ("order #7", 7), ("pay 5", True),
        ("exactly 9007199254740993", 9007199254740992), ("pay nan", float("nan")), ("pay \u0661\u0662", 12), ("pay 1e3", 1000),
    ],
)  # fmt: skip
def test_digits_that_are_no_such_number_say_nothing(text: str, value: Any) -> None:
    """Parts of names, dates, versions, odd groupings and foreign digits are not the number."""
    assert not heard(text, value)


@pytest.mark.parametrize(
    "text",
    [
        "on 2022-04-01", "on April 1st", "on 1 April 2022", "the 1st of April", "in April", "April 2022, please",
        "by Apr 1.", "due 2022-04-01T10:00:00Z",
    ],
)  # fmt: skip
def test_a_date_is_said_in_iso_or_with_a_months_name(text: str) -> None:
    """Parts that the text omits match any."""
    assert heard(text, "2022-04-01")
    assert heard(text, timestamp_of(datetime(2022, 4, 1, 10, tzinfo=UTC)))


@pytest.mark.parametrize(
    "text",
    [
        "on 04/01", "on 01/04/2022", "on 1.4.2022", "on April 2nd", "on 1 April 2021", "2022-04-010", "v2022-04-01",
        "2022-04-01.txt", "on 2022-05", "you may go on the 1st", "apr", "in 2022", "on the 1st", "04-01",
    ],
)  # fmt: skip
def test_no_other_writing_is_the_date(text: str) -> None:
    """Slashes are read differently in different countries, and other parts must agree."""
    assert not heard(text, "2022-04-01")


@pytest.mark.parametrize("value", ["03/04", "3/4/2022", "03.04.2022", "03-04-22"])
def test_an_ambiguous_date_is_never_said(value: str) -> None:
    """Not even when the user wrote the very same."""
    assert not heard(f"on {value} please", value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("you may pay 5", False), ("May I ask", False), ("march on", False), ("pay in May", True), ("pay in may", False),
        ("on May 5", True), ("send 5 may be", False), ("on 5 may 2022", True),
    ],
)  # fmt: skip
def test_an_english_word_is_a_month_only_where_it_can_be_nothing_else(text: str, expected: bool) -> None:
    """`may` the verb is not `May` the month."""
    assert heard(text, "2022-05-05") is expected


def test_a_time_of_day_must_be_the_one_named() -> None:
    """A text without any time matches any time; with one, only that."""
    moment = "2022-04-01T10:30:00"
    assert heard("on April 1", moment)
    assert heard("on April 1 at 10:30", moment)
    assert heard("10:30am on 2022-04-01", moment)
    assert not heard("on April 1 at 3pm", moment)
    assert not heard("2022-04-01T11:30", moment)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("mail evil@x.com.", "evil@x.com"), ("see <x.com/a>", "x.com/a"), ("'bill-2023.txt'?", "bill-2023.txt"),
        ("to GB29NWBK60161331926819,", "GB29NWBK60161331926819"), ("my acme.com's page", "acme.com"),
        ("set it to 1j1l-2k3j!", "1j1l-2k3j"), ("x.com/a?b", "x.com/a?b"), ("use new_password", "new_password"),
    ],
)  # fmt: skip
def test_an_identifier_is_said_as_a_whole_token(text: str, value: str) -> None:
    """Quotes, brackets and sentence punctuation around it are not part of it."""
    assert heard(text, value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("mail dr.evil@x.com", "evil@x.com"), ("to GB29...", "GB29"), ("to GB29\u2026 please", "GB29"),
        ("mail evil@x.com.au", "evil@x.com"), ("see x.com/a?b", "x.com/a"),
        ("see x.com/a/b", "x.com/a"), ("see x.com/ab", "x.com/a"), ("to GB29NWBK6", "GB29NWBK"),
        ("to gb29nwbk", "GB29NWBK"), ("a,b@x.com", "b@x.com"), ("mailto:b@x.com", "b@x.com"),
        ("mail ev\u200bil@x.com", "evil@x.com"), ("mail evil@x.com", "ev\u200bil@x.com"),
        ("mail evil@x.com\u200b", "evil@x.com"), ("mail paypal@x.com", "p\u0430ypal@x.com"),
        ("see evil.com", "evil\uff0ecom"), ("see evil.com", "\uff45vil.com"), ("see evil.com", " \uff45vil.com"),
        ("4 2", "\u2463 2"), ("see a/c", "\u2100"), ("x.com/a b", "x.com/a\u00a0b.x"), ("room 42", "\uff14\uff12"),
    ],
)  # fmt: skip
def test_nothing_that_only_resembles_an_identifier_counts(text: str, value: str) -> None:
    """Longer tokens, other case, invisible characters, look-alikes and compatibility forms all fail."""
    assert not heard(text, value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("to New York, NY 10001 and", "New York, NY 10001"), ("pay SPOTIFY", "Spotify"), ("\uff33potify", "spotify"),
        ("Stra\u00dfe", "STRASSE"), ("the iPhone  subscription service", "iPhone Subscription"), ("call it «Refund»!", "refund"),
        ("well done. Bye", "Well done. Bye"),
    ],
)  # fmt: skip
def test_other_text_is_said_as_a_sequence_of_whole_words(text: str, value: str) -> None:
    """Case, width and spacing do not matter."""
    assert heard(text, value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("to New Yorkshire", "New York"), ("York New", "New York"), ("New old York", "New York"), ("pay Spotify", "Spot"),
        ("Pay Bob. Smith called", "Bob Smith"), ("attacker@evil.com", "attacker evil.com"), ("refund", "ref\u200bund"),
        ("refund", "r\u0435fund"), ("bob-smith", "bob smith"), ("hello", "!!!"), ("hello", " "), ("hello", "\u200b"),
    ],
)  # fmt: skip
def test_parts_of_words_and_words_apart_say_nothing(text: str, value: str) -> None:
    """Neither across the end of a sentence nor inside a longer word."""
    assert not heard(text, value)


def test_what_says_nothing_counts_as_said() -> None:
    """Null, absent, empty text, an empty list."""
    assert all(heard("anything", value) for value in (None, NONE, "", [], {}, Optional(True, None)))


def test_a_list_is_said_if_all_of_it_is() -> None:
    """One element of the model's own spoils it."""
    assert heard("invite a@x.com and b@x.com", ["a@x.com", "b@x.com", None])
    assert not heard("invite a@x.com and b@x.com", ["a@x.com", "c@x.com"])


def test_a_map_needs_its_keys_said_too() -> None:
    """Nobody declared them."""
    assert heard("set colour to red", {"colour": "red"})
    assert not heard("set it to red", {"colour": "red"})


@pytest.mark.parametrize("value", [True, False, b"hello", 5.5, Timestamp(0)])
def test_a_value_of_another_kind_is_not_said_by_chance(value: Any) -> None:
    """Truth values, bytes, other numbers and moments."""
    assert not heard("hello 5 world", value)


def test_nothing_is_said_without_words_of_the_user() -> None:
    """No input, no words."""
    assert not said("hello", ()) and not said(5, ())


_WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), min_size=1, max_size=12)


@given(st.lists(_WORDS, max_size=6), _WORDS)
def test_nothing_breaks_and_nothing_new_is_said_by_gluing(words: list[str], value: str) -> None:
    """Any text is answered; gluing letters to both ends of every word never makes an identifier said."""
    text = " ".join(words)
    assert heard(text, value) in (True, False)
    glued = " ".join(f"q{word}q" for word in text.split())
    assert not heard(glued, "k7@x.com")


@given(st.integers(-(10**12), 10**12))
def test_every_whole_number_is_said_by_its_own_writing(number: int) -> None:
    """Plain and with thousands."""
    assert heard(f"pay {number} now", number) and heard(f"pay {number:,} now", float(number))
    assert not heard(f"pay {number}1 now", number)


_INVISIBLE = ["\u200b", "\u200d", "\u00ad", "\u2060", "\ufeff", "\u202e", "\u034f", "\u0301", "\ufe0f"]


@given(st.text("abcXYZ019@._/:-", min_size=2, max_size=12), st.sampled_from(_INVISIBLE), st.data())
def test_an_invisible_character_anywhere_makes_another_identifier(name: str, hidden: str, data: st.DataObject) -> None:
    """In the value or in the user's words."""
    name = f"a{name}7b"
    at = data.draw(st.integers(0, len(name)))
    trap = name[:at] + hidden + name[at:]
    assert heard(f"use {name} now", name)
    assert not heard(f"use {name} now", trap)
    assert not heard(f"use {trap} now", name)


@given(st.text("abcXYZ019@._/:-", min_size=1, max_size=8), st.text("abc019@_/-", min_size=1, max_size=3))
def test_a_longer_identifier_is_another_one(name: str, more: str) -> None:
    """Whatever is put before or behind it."""
    name = f"a{name}7b"
    for longer in (name + more, more + name, f"{name}.{more}", f"{more}.{name}"):
        assert not heard(f"use {longer} now", name)
