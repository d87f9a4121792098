"""Every case of `syntax/*.md`: a heading, a sentence, a policy, and what the parser says of it.

`pytest tests/cases --update-cases` rewrites the blocks `diagnostics`; a case without one, or without a sentence, fails.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from policy_engine.base.source import Source
from policy_engine.compiler.language.parser import parse_policy
from policy_engine.diagnostics.model import Collector

FOLDER = Path(__file__).parent / "syntax"
FILES = sorted(FOLDER.glob("*.md"))
_CASE = re.compile(
    r"^## (?P<title>.+)\n\n(?P<sentence>(?!```)[^#\n].*(?:\n.+)*)\n\n```policy\n(?P<policy>[\s\S]*?)```\n\n"
    r"```diagnostics\n(?P<expected>[\s\S]*?)```\n",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Case:
    """One case where it stands."""

    file: Path
    title: str
    policy: str
    expected: str


def _cases() -> Iterator[Case]:
    for file in FILES:
        for match in _CASE.finditer(file.read_text(encoding="utf-8")):
            yield Case(file, match["title"], match["policy"], match["expected"])


def _found(policy: str) -> str:
    collector = Collector()
    parse_policy(Source("case", policy), collector)
    lines = []
    for diagnostic in collector.diagnostics:
        line, column = diagnostic.span.source.position(diagnostic.span.start)
        lines.append(f"{line}:{column} {diagnostic.severity}[{diagnostic.code.name}]: {diagnostic.message}\n")
        if diagnostic.suggestion:
            lines.append(f"    try: {diagnostic.suggestion}\n")
    return "".join(lines)


@pytest.mark.parametrize("case", list(_cases()), ids=lambda case: f"{case.file.stem}: {case.title}")
def test_a_case_says_what_it_expects(case: Case, request: pytest.FixtureRequest) -> None:
    """The findings, with place, code, words and the way out, are those written below the policy."""
    found = _found(case.policy)
    if request.config.getoption("--update-cases") and found != case.expected:
        text = case.file.read_text(encoding="utf-8")
        old = f"```policy\n{case.policy}```\n\n```diagnostics\n{case.expected}```\n"
        case.file.write_text(text.replace(old, f"```policy\n{case.policy}```\n\n```diagnostics\n{found}```\n"), encoding="utf-8")
        return
    assert found == case.expected


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_no_case_is_left_unread(file: Path) -> None:
    """Every heading of a file is a case the runner reads."""
    text = file.read_text(encoding="utf-8")
    assert len(re.findall(r"^## ", text, re.MULTILINE)) == len(_CASE.findall(text)) > 0


@pytest.mark.parametrize("case", list(_cases()), ids=lambda case: f"{case.file.stem}: {case.title}")
def test_every_finding_says_what_it_does_to_decisions(case: Case) -> None:
    """The `effect:` line is never missing, and speaks of a rule only where a rule was lost."""
    collector = Collector()
    parse_policy(Source("case", case.policy), collector)
    for diagnostic in collector.diagnostics:
        assert diagnostic.effect, diagnostic.message
        line = case.policy[: diagnostic.span.end].rpartition("\n")[2]
        assert not (line.startswith(("use", "param", "let", "queues", "labels")) and "rule is not" in diagnostic.effect)


def test_there_are_many_malformed_policies() -> None:
    """At least 25 variants are refused (issue 2)."""
    assert len({case.policy for case in _cases() if "error[" in case.expected}) >= 25
