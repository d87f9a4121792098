"""Docs cannot lie: their examples run, the paths, commands and codes they name exist.

Each page gets a fresh folder with what `policy init` writes (the tour writes it itself). `console` blocks run line by
line; what they show must come out in that order, `…` standing for anything. `python` blocks of a page share their names.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from policy_engine.base.source import Source
from policy_engine.cli.app import COMMANDS, GROUPS
from policy_engine.cli.cases.reading import read_cases
from policy_engine.cli.codes import ALL_CODES
from policy_engine.compiler.language.parser import parse_policy
from policy_engine.diagnostics.model import Code, Collector
from policy_engine.diagnostics.render_text import render_text

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "tests" / "README.md", ROOT / "changes" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "rulesets").rglob("README.md")),
]  # fmt: skip
BLOCK = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
TOP_FOLDERS = ("policy_engine", "adapters", "grammar", "rulesets", "tests", "docs", "changes", ".ci")
NOT_RUN = ("make ", "pip ", "git ", "policy init my-rules", "policy test my-rules", ".venv/")
STARTER = ("support.policy", "support.cases.yaml", "tools.json")


def _name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def _blocks(page: Path, *languages: str) -> Iterator[tuple[str, str]]:
    for match in BLOCK.finditer(page.read_text(encoding="utf-8")):
        if match[1] in languages:
            yield match[1], match[2]


def _with(*languages: str) -> list[Path]:
    return [page for page in PAGES if any(_blocks(page, *languages))]


@pytest.fixture
def patient_properties() -> Iterator[None]:
    """Hypothesis prepares tables when it first draws in a folder; on a busy machine that is no fault of a page."""
    settings.register_profile("pages", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("pages")
    yield
    settings.load_profile("default")


@pytest.mark.usefixtures("patient_properties")
@pytest.mark.parametrize("page", _with("python", "console", "yaml"), ids=_name)
def test_examples_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python, console and cases examples of a page do what the page says."""
    monkeypatch.chdir(tmp_path)
    blocks = list(_blocks(page, "python", "console", "yaml"))
    if not any("$ policy init\n" in text for _, text in blocks):
        for name in STARTER:
            shutil.copy(ROOT / "rulesets" / "starter" / name, tmp_path)
    names: dict[str, Any] = {}
    for language, text in blocks:
        if language == "python":
            exec(compile(text, _name(page), "exec"), names)
        elif language == "console":
            _run_console(text, tmp_path)
        elif "cases:" in text:
            (tmp_path / "page.cases.yaml").write_text(text)
            assert read_cases(tmp_path / "page.cases.yaml").cases
            result = _shell("policy test page.cases.yaml", tmp_path)
            assert result.returncode == 0, result.stdout + result.stderr
            (tmp_path / "page.cases.yaml").unlink()


def _run_console(text: str, folder: Path) -> None:
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        command = command.split("   # ")[0].strip()
        if command.startswith(NOT_RUN):
            continue
        result = _shell(command, folder)
        output = result.stdout + result.stderr
        assert "Traceback" not in output
        rest = output
        for line in filter(None, (line.strip() for line in shown.splitlines())):
            pattern = ".*".join(map(re.escape, line.split("…")))
            found = re.search(pattern, rest)
            assert found, f"`{command}` does not show «{line}» but\n{output}"
            rest = rest[found.end() :]


def _shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-c", command], cwd=folder, env={**os.environ, "PATH": path, "NO_COLOR": "1"},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip


@pytest.mark.parametrize("page", _with("policy"), ids=_name)
def test_policies_parse(page: Path) -> None:
    """A `policy` block is a policy, or rules that one could hold."""
    for _, text in _blocks(page, "policy"):
        _parse(_name(page), text)


def _parse(name: str, text: str) -> None:
    whole = text if re.match(r"(//[^\n]*\n|\s)*policy\s", text) else f"policy example\n{text}"
    collector = Collector()
    parse_policy(Source(name, whole), collector)
    assert not collector.failed, render_text(collector.diagnostics)


@pytest.mark.parametrize("code", ALL_CODES, ids=lambda code: code.name)
def test_the_mended_policy_of_a_page_parses(code: Code) -> None:
    """The last example of a code's page is the mended one, so it parses."""
    policies = [match[2] for match in BLOCK.finditer(code.explanation) if match[1] == "policy"]
    if policies:
        _parse(code.name, policies[-1])


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_paths_exist(page: Path) -> None:
    """A path of ours in a page, in backticks or as a link, is there."""
    text = page.read_text(encoding="utf-8")
    missing = []
    for match in re.finditer(r"`([\w./-]+)`", text):
        path = match[1]
        if path.startswith(tuple(f"{folder}/" for folder in TOP_FOLDERS)) and not (ROOT / path).exists():
            missing.append(path)
    for match in re.finditer(r"\]\(([^)#:]+)(#[^)]*)?\)", text):
        if not (page.parent / match[1]).exists():
            missing.append(match[1])
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_commands_exist(page: Path) -> None:
    """`make X` and `policy X` in a page are a target and a command."""
    text = page.read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    commands = {command.__name__ for command in COMMANDS} | {name for name, _, _ in GROUPS}
    assert set(re.findall(r"[`$] ?make ([a-z]+)", text)) <= targets
    assert set(re.findall(r"[`$] ?policy ([a-z]+)[ `\n]", text)) <= commands | {"rule"}


def test_decisions_are_numbered_once() -> None:
    """Each page of `docs/decisions` has a number of its own, in its name and in its title."""
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    numbers = [int(page.name[:4]) for page in pages]
    assert numbers == sorted(set(numbers))
    assert [page.read_text().partition(".")[0] for page in pages] == [f"# {number}" for number in numbers]


def test_the_glossary_is_in_order() -> None:
    """Words stand once and in alphabetical order."""
    rows = re.findall(r"^\| ([a-z]+)[^|]*\|", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE)
    words = [word for word in rows if word != "word"]
    assert words == sorted(set(words))


def test_the_readme_is_read_in_two_minutes() -> None:
    """No more than 500 words outside tables and examples."""
    text = BLOCK.sub("", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert len(text.split()) <= 500


def test_the_tour_is_read_in_twenty_minutes() -> None:
    """No more than 2,400 words, its examples included: 120 a minute leave time to try them."""
    assert len((ROOT / "docs" / "tour.md").read_text(encoding="utf-8").split()) <= 2_400
