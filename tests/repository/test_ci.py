"""`.ci/run` cannot be fooled: its own small programs fail when they should."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
REPORT = """<testsuites><testsuite>
<testcase classname="a" name="one"/>
<testcase classname="a" name="two"><skipped message="{reason}"/></testcase>
{more}</testsuite></testsuites>"""


def _skips(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, ROOT / ".ci" / "skips.py", *options, "tests.xml"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    ("shared", "reason", "code"),
    [
        (True, "../shared is not here", 1), (False, "../shared is not here", 0), (True, "root may read anything", 0),
        (False, "LangChain is not installed: its adapter is not tested", 1),
    ],
)  # fmt: skip
def test_a_skip_for_what_is_there_fails(tmp_path: Path, shared: bool, reason: str, code: int) -> None:
    """Saying that ../shared is missing while it is not, or a package that is installed, fails; other skips are listed."""
    project = tmp_path / "project"
    project.mkdir()
    if shared:
        (tmp_path / "shared").mkdir()
    (project / "tests.xml").write_text(REPORT.format(reason=reason, more=""))
    result = _skips(project)
    assert result.returncode == code and f"skipped a::two: {reason}" in result.stdout


def test_no_report_is_a_failure(tmp_path: Path) -> None:
    """A missing, broken or empty report never counts as «nothing was skipped»."""
    assert _skips(tmp_path).returncode == 1
    for text in ("", "<testsuites", "<testsuites/>"):
        (tmp_path / "tests.xml").write_text(text)
        assert _skips(tmp_path).returncode == 1


def test_the_summary_counts_failures_and_errors(tmp_path: Path) -> None:
    """Passed, failed and skipped are told apart."""
    more = '<testcase name="three"><failure/></testcase><testcase name="four"><error/></testcase>'
    (tmp_path / "tests.xml").write_text(REPORT.format(reason="r", more=more))
    assert _skips(tmp_path, "--summary").stdout.strip() == "tests: 1 passed, 2 failed, 1 skipped"


@pytest.mark.parametrize(("ran", "code"), [("1726", 0), ("2456", 0), ("1725", 1), ("", 1)])
def test_too_few_cel_tests_fail(tmp_path: Path, ran: str, code: int) -> None:
    """The step of `.ci/run` wants 1,726 of CEL's own tests to have run, wherever the vectors are."""
    step = re.search(r"^cel_tests\(\).*?^}", (ROOT / ".ci" / "run").read_text(), re.MULTILINE | re.DOTALL)
    assert step is not None
    project = tmp_path / "project"
    project.mkdir()
    (tmp_path / "shared").mkdir()
    (project / "report").write_text(ran)
    environment = {**os.environ, "POLICY_CEL_REPORT": str(project / "report")}
    done = subprocess.run(
        ["bash", "-c", f"{step.group()}\ncel_tests"], cwd=project, env=environment, capture_output=True, text=True
    )
    assert bool(done.returncode) is bool(code), done.stdout + done.stderr


def test_no_registry_is_named() -> None:
    """Where packages come from is the machine's business."""
    for name in (".ci/run", "Makefile", "pyproject.toml", ".pre-commit-config.yaml", ".pre-commit-hooks.yaml"):
        text = (ROOT / name).read_text()
        assert not re.search(r"https?://|index-url|pypi\.org", text), name
