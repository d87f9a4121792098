"""Diagnostics as data: one JSON list, stable keys, for editors, CI and scripts.

Called by the command line's `--format json`. Lines and columns count from 1, ends are exclusive. Text is ASCII JSON,
so no character of a hostile policy reaches a terminal as it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from policy_engine.base.source import Span
from policy_engine.diagnostics.model import Diagnostic


def render_json(diagnostics: Iterable[Diagnostic]) -> str:
    """A JSON list, one object a diagnostic, in their order."""
    return json.dumps([diagnostic_data(diagnostic) for diagnostic in diagnostics], indent=2)


def diagnostic_data(diagnostic: Diagnostic) -> dict[str, Any]:
    """One diagnostic as plain data."""
    return {
        "code": diagnostic.code.name,
        "severity": diagnostic.severity,
        "message": diagnostic.message,
        **_place(diagnostic.span),
        "labels": [{**_place(label.span), "text": label.text} for label in diagnostic.labels],
        "effect": diagnostic.effect,
        "suggestion": diagnostic.suggestion,
        "notes": list(diagnostic.notes),
        "fixes": [
            {
                "title": fix.title,
                "safe": fix.safe,
                "edits": [{**_place(edit.span), "text": edit.text} for edit in fix.edits],
            }
            for fix in diagnostic.fixes
        ],
    }


def _place(span: Span) -> dict[str, Any]:
    line, column = span.source.position(span.start)
    end_line, end_column = span.source.position(span.end)
    return {"file": span.source.name, "line": line, "column": column, "end_line": end_line, "end_column": end_column}
