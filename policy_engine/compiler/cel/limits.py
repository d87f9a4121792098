"""What is looked at before lexing: length, depth of brackets, characters that deceive. Linear in the text.

Called by `parse_expression`, and by the policy language for each item; promises that what passes is small enough for
the parser to take in well under a second.
"""

from __future__ import annotations

import re
from typing import Final

from policy_engine.base.limits import MAX_EXPRESSION_CHARS, MAX_NESTING
from policy_engine.base.source import Span
from policy_engine.compiler.cel.codes import HIDDEN_CHARACTER, TOO_LARGE
from policy_engine.diagnostics.model import Collector, Diagnostic, Label

# Text that never ends is taken to the end of its line (of the file, with three quotes), so that the scan stays linear.
_SCAN: Final = re.compile(
    r"""
    (?P<raw>(?<!\w)[bB]?[rR](?:\"{3}[\s\S]*?(?:\"{3}|\Z)|'{3}[\s\S]*?(?:'{3}|\Z)|"[^"\n\r]*"?|'[^'\n\r]*'?))
  | (?P<text>\"{3}(?:\\[\s\S]|[^\\])*?(?:\"{3}|\Z)|'{3}(?:\\[\s\S]|[^\\])*?(?:'{3}|\Z)
        |"(?:\\[^\n\r]|[^"\\\n\r])*"?|'(?:\\[^\n\r]|[^'\\\n\r])*'?)
  | (?P<comment>//[^\n]*)
  | (?P<open>[(\[{])
  | (?P<close>[)\]}])
  | (?P<hidden>[\x00\u061c\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff])
    """,
    re.VERBOSE,
)
_DECEIVING: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")


def within_limits(region: Span, collector: Collector, *, max_chars: int = MAX_EXPRESSION_CHARS) -> bool:
    """Whether the text of `region` may be lexed; otherwise says why in `collector`."""
    size = region.end - region.start
    if size > max_chars:
        place = Span(region.source, region.start, region.start + 1)
        collector.add(
            Diagnostic(
                TOO_LARGE, f"the text is {size:,} characters long; at most {max_chars:,} are read",
                (Label(place, "begins here"),), suggestion="split it: `let` for parts of conditions, `use data` for long lists",
            )
        )  # fmt: skip
        return False
    return _scan(region, collector)


def _scan(region: Span, collector: Collector) -> bool:
    text, depth, fine = region.source.text, 0, True
    for match in _SCAN.finditer(text, region.start, region.end):
        kind = match.lastgroup
        if kind == "open":
            depth += 1
            if depth > MAX_NESTING:
                collector.add(_too_nested(Span(region.source, match.start(), match.end())))
                return False
        elif kind == "close":
            depth = max(depth - 1, 0)
        elif kind == "hidden":
            collector.add(_hidden(Span(region.source, match.start(), match.end()), "outside of text"))
            fine = False
        elif inner := _DECEIVING.search(text, match.start(), match.end()):
            where = "in a comment" if kind == "comment" else "in text"
            collector.add(_hidden(Span(region.source, inner.start(), inner.end()), where))
            fine = False
    return fine


def _too_nested(place: Span) -> Diagnostic:
    return Diagnostic(
        TOO_LARGE, f"more than {MAX_NESTING} brackets are open at once",
        (Label(place, f"the {MAX_NESTING + 1}st"),), suggestion="name inner parts with `let`",
    )  # fmt: skip


def _hidden(place: Span, where: str) -> Diagnostic:
    code = ord(place.text)
    escape = f"\\u{code:04x}"
    return Diagnostic(
        HIDDEN_CHARACTER, f"an invisible character (U+{code:04X}) stands {where}",
        (Label(place, "here"),), effect="the text may read otherwise than it runs, so it is refused",
        suggestion=f"write the escape {escape}" if where == "in text" else "delete it",
    )  # fmt: skip
