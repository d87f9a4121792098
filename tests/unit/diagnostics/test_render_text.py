"""Diagnostics as a person reads them."""

from __future__ import annotations

import re
import unicodedata

from hypothesis import given, strategies as st

from policy_engine.base.source import NOWHERE, Source, Span
from policy_engine.diagnostics.model import Code, Diagnostic, Label
from policy_engine.diagnostics.render_text import render_one, render_text, summary

CODE = Code("type-mismatch", "Types differ", "Explanation.")
WARNING = Code("unused-let", "Unused", "Explanation.", "warning")


def _span(source: Source, words: str) -> Span:
    start = source.text.index(words)
    return Span(source, start, start + len(words))


def test_the_example_of_the_style_page() -> None:
    """Headline, gutters, both ends of the quarrel, the other file, effect, try and more stand where STYLE.md has them."""
    policy = Source("refunds.policy", "\n" * 13 + "  when args.amount <= 5000.0\n")
    tools = Source("crm.tools.json", '{\n  "type": "string"\n}')
    diagnostic = Diagnostic(
        CODE, "`args.amount` is text, but `<=` compares it with a number",
        (
            Label(_span(policy, "args.amount")), Label(_span(policy, "5000.0"), "number"),
            Label(_span(tools, '"type": "string"'), "declared here"),
        ),
        effect="`small-refund` never allows; each refund falls to the default, deny",
        suggestion="when double(args.amount) <= 5000.0     if the tool really sends text",
    )  # fmt: skip
    assert render_one(diagnostic) == "\n".join([
        "error[type-mismatch]: `args.amount` is text, but `<=` compares it with a number",
        "  --> refunds.policy:14:8",
        "   |",
        "14 |   when args.amount <= 5000.0",
        "   |        ^^^^^^^^^^^    ------ number",
        "   |",
        "  ::: crm.tools.json:2:3",
        "   |",
        ' 2 |   "type": "string"',
        "   |   ---------------- declared here",
        "   |",
        "   = effect: `small-refund` never allows; each refund falls to the default, deny",
        "   = try:    when double(args.amount) <= 5000.0     if the tool really sends text",
        "   = more:   policy rule type-mismatch",
    ])  # fmt: skip


def test_a_label_over_several_lines_has_a_bar_and_a_foot() -> None:
    """The first and the last line are joined by a bar; the words stand at the foot."""
    source = Source("a.policy", "allow x on y\n  when a\n  when b\n")
    shown = render_one(Diagnostic(CODE, "two whens", (Label(Span(source, 0, len(source.text) - 1), "this rule"),)))
    assert "1 | / allow x on y\n2 | |   when a\n3 | |   when b\n  | |________^ this rule" in shown


def test_a_long_label_leaves_out_its_middle() -> None:
    """A label over thirty lines shows its ends and three dots."""
    source = Source("a.policy", "\n".join(f"line{number}" for number in range(30)))
    shown = render_one(Diagnostic(CODE, "long", (Label(Span(source, 0, len(source.text))),)))
    assert "..." in shown and "line29" in shown and "line15" not in shown


def test_words_of_two_labels_on_one_line_do_not_run_into_each_other() -> None:
    """The left label's words hang below its mark when the right label's words stand beside."""
    source = Source("a.policy", "left  right")
    shown = render_one(Diagnostic(CODE, "m", (Label(_span(source, "left"), "one"), Label(_span(source, "right"), "two"))))
    assert "  | ^^^^  ----- two\n  | |\n  | one" in shown


def test_what_a_terminal_would_obey_is_spelled_out() -> None:
    """Escape, bidirectional and zero-width characters of names, messages and sources are shown by their number."""
    source = Source("a\x1b.policy", "deny \u202eevil\u200b \x1b[31m\x00")
    shown = render_one(Diagnostic(CODE, "bad \x07 \u2066", (Label(_span(source, "evil"), "\x9b"),), effect="\x1b"))
    for character in ("\x1b", "\u202e", "\u200b", "\x00", "\x07", "\u2066", "\x9b"):
        assert character not in shown
        assert f"<U+{ord(character):04X}>" in shown


def test_a_wide_line_is_cropped_around_its_label() -> None:
    """A line of a thousand columns shows the part with the label, within the page."""
    source = Source("a.policy", "x" * 500 + " here " + "y" * 500)
    shown = render_one(Diagnostic(CODE, "m", (Label(_span(source, "here"), "words"),)), width=80)
    assert " here " in shown and "^^^^ words" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_marks_stand_below_wide_and_tabbed_text() -> None:
    """Tabs take four columns and Chinese characters two, in the line and below it."""
    source = Source("a.policy", "\t漢字 bad")
    shown = render_one(Diagnostic(CODE, "m", (Label(_span(source, "bad")),)))
    assert "1 |     漢字 bad\n  | " + " " * 9 + "^^^" in shown


def test_a_place_without_text_has_no_snippet() -> None:
    """What no text wrote is named, and that is all."""
    shown = render_one(Diagnostic(CODE, "m", (Label(NOWHERE, "the default"),)))
    assert "--> <built in>: the default" in shown and "|" not in shown


def test_colour_changes_nothing_but_colour() -> None:
    """Without its ANSI codes the coloured page is the plain page."""
    source = Source("a.policy", "one two\nthree")
    diagnostic = Diagnostic(WARNING, "m " * 90, (Label(Span(source, 4, 10), "w"), Label(_span(source, "one"), "v")))
    plain, coloured = render_one(diagnostic, width=70), render_one(diagnostic, width=70, colour=True)
    assert "\x1b[1;33m" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain


def test_the_summary_counts_each_severity() -> None:
    """Two errors and a warning are said as such, nothing as nothing."""
    error, warning = Diagnostic(CODE, "m", (Label(NOWHERE),)), Diagnostic(WARNING, "m", (Label(NOWHERE),))
    assert summary([error, warning, error]) == "2 errors, 1 warning"
    assert summary([]) == "" == render_text([])


@given(st.text(st.characters(), max_size=80), st.data())
def test_any_text_and_any_labels_render_safely(text: str, data: st.DataObject) -> None:
    """Whatever the source holds and wherever labels point, the page comes out and holds nothing hidden."""
    source = Source("x.policy", text)
    offsets = st.integers(0, len(text))
    labels = []
    for _ in range(data.draw(st.integers(1, 4))):
        start, end = sorted((data.draw(offsets), data.draw(offsets)))
        labels.append(Label(Span(source, start, end), data.draw(st.text(max_size=12))))
    shown = render_one(Diagnostic(CODE, "m", tuple(labels)), width=data.draw(st.integers(0, 200)))
    hidden = [c for c in shown if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
    assert hidden == []
