"""Every case of `compile/*.md`: a heading, a sentence, a policy, and everything that `load` says of it.

`pytest tests/cases --update-cases` rewrites the blocks `diagnostics`. Files that cases use stand in `compile/files`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from policy_engine.assembly.files import MemoryResolver
from policy_engine.compiler.pipeline import compile_policy

FOLDER = Path(__file__).parent / "compile"
FILES = sorted(FOLDER.glob("*.md"))
USED = {path.name: path.read_text(encoding="utf-8") for path in (FOLDER / "files").iterdir()}
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
    compilation = compile_policy(["case.policy"], MemoryResolver({**USED, "case.policy": policy}), executable=True)
    lines = []
    for diagnostic in compilation.diagnostics:
        first, *others = diagnostic.labels
        lines.append(f"{first.span}: {diagnostic.severity}[{diagnostic.code.name}]: {diagnostic.message}\n")
        lines += [f"    {other.span}: {other.text or '…'}\n" for other in others]
        words = (("effect", diagnostic.effect), ("try", diagnostic.suggestion), *(("note", note) for note in diagnostic.notes))
        lines += [f"    {word}: {text}\n" for word, text in words if text]
    return "".join(lines)


@pytest.mark.parametrize("case", list(_cases()), ids=lambda case: f"{case.file.stem}: {case.title}")
def test_a_case_says_what_it_expects(case: Case, request: pytest.FixtureRequest) -> None:
    """Every finding with its places, its words, what it does to decisions and the way out."""
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


def test_the_cases_are_read() -> None:
    """A folder that moved would leave nothing to test."""
    assert len(list(_cases())) >= 25
