"""Diagnostics as data."""

from __future__ import annotations

import json

from policy_engine.base.source import Source, Span
from policy_engine.diagnostics.model import Code, Diagnostic, Edit, Fix, Label
from policy_engine.diagnostics.render_json import render_json

SOURCE = Source("a.policy", "one\ntwo\u202e\n")
DIAGNOSTIC = Diagnostic(
    Code("unused-let", "t", "e", "warning"), "message", (Label(Span(SOURCE, 4, 7), "here"),), effect="nothing",
    suggestion="remove it", notes=("a note",), fixes=(Fix("remove", (Edit(Span(SOURCE, 4, 8), ""),), safe=True),),
)  # fmt: skip


def test_every_part_is_there_with_its_place() -> None:
    """Code, severity, message, place, labels, effect, suggestion, notes and fixes come out as plain data."""
    place = {"file": "a.policy", "line": 2, "column": 1, "end_line": 2, "end_column": 4}
    assert json.loads(render_json([DIAGNOSTIC])) == [{
        "code": "unused-let", "severity": "warning", "message": "message", **place,
        "labels": [{**place, "text": "here"}], "effect": "nothing", "suggestion": "remove it", "notes": ["a note"],
        "fixes": [{"title": "remove", "safe": True, "edits": [{**place, "end_column": 5, "text": ""}]}],
    }]  # fmt: skip


def test_hostile_text_stays_ascii() -> None:
    """A lone surrogate or a bidirectional character comes out escaped."""
    diagnostic = Diagnostic(DIAGNOSTIC.code, "\ud800\u202e", DIAGNOSTIC.labels)
    assert render_json([diagnostic]).isascii()
