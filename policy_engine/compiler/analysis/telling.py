"""Checks of notes: each `{…}` has a value, and what the agent is told leaks nothing."""

from __future__ import annotations

from policy_engine.compiler.analysis.checking import Bench
from policy_engine.compiler.analysis.notes import LEAKING_NOTE, may_be_told
from policy_engine.semantics.ast.policy import Notes, Word
from policy_engine.semantics.types import DYN


def check_notes(bench: Bench, notes: Notes) -> None:
    """`because` and `detail` of a rule."""
    if notes.because is not None:
        _check_note(bench, notes.because, told=True)
    if notes.detail is not None:
        _check_note(bench, notes.detail, told=False)


def _check_note(bench: Bench, note: Word, *, told: bool) -> None:
    for piece in bench.tools.notes.pieces(note):
        if isinstance(piece, str) or bench.checked(piece) is None or not told:
            continue
        expanded = bench.expanded(piece)
        if expanded is None:
            continue
        certain = bench.tools.certain_types(expanded, bench.subject).get(expanded.final, DYN)
        params = {name for name, constant in bench.layer.constants.items() if constant.kind == "param"}
        if not may_be_told(expanded.tree, expanded.final, certain, params):
            shown = piece.span.text
            bench.report(
                LEAKING_NOTE, f"`because` would tell the agent `{shown}`, which is free text or of unknown type",
                (piece.span, str(certain)), effect="what it holds could leak, or carry an attacker's words",
                suggestion="say it in `detail`, which operators read, or show a number, a boolean or a param",
            )  # fmt: skip
