"""Our hooks, run by the real `pre-commit` in a real repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
HOOKS = ("policy-check", "policy-fmt", "policy-test")
UNREACHABLE = ("No matching distribution", "ConnectionError", "Temporary failure", "Max retries", "NewConnectionError")


def _run(*command: str | Path, cwd: Path, home: Path) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "PRE_COMMIT_HOME": str(home), "NO_COLOR": "1",
        "GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@example.org", "GIT_COMMITTER_NAME": "t",
        "GIT_COMMITTER_EMAIL": "t@example.org", "GIT_CONFIG_GLOBAL": os.devnull,
    }  # fmt: skip
    for name in ("GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE"):
        environment.pop(name, None)
    return subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True, timeout=400
    )


def _commit_all(folder: Path, home: Path) -> str:
    for command in (("git", "init", "-q"), ("git", "add", "-A"), ("git", "commit", "-q", "--no-verify", "-m", "all")):
        result = _run(*command, cwd=folder, home=home)
        assert result.returncode == 0, result.stderr
    return _run("git", "rev-parse", "HEAD", cwd=folder, home=home).stdout.strip()


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """This project as a repository that others take hooks from, and its revision."""
    folder = tmp_path_factory.mktemp("published") / "policy-engine"
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    for name in listed:
        if (ROOT / name).is_file() and not name.startswith(("tests/", "docs/")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder, _commit_all(folder, folder.parent / "home")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with what `policy init` writes."""
    folder = tmp_path / "rules"
    made = _run(BIN / "policy", "init", folder, cwd=tmp_path, home=tmp_path)
    assert made.returncode == 0, made.stderr
    return folder


def _config(published: tuple[Path, str], *, language: str | None) -> str:
    override = f"\n        language: {language}" if language else ""
    hooks = "".join(f"      - id: {hook}{override}\n" for hook in HOOKS)
    return f"repos:\n  - repo: {published[0]}\n    rev: {published[1]}\n    hooks:\n{hooks}"


def _hooks(repository: Path, home: Path) -> subprocess.CompletedProcess[str]:
    return _run(sys.executable, "-m", "pre_commit", "run", "--all-files", cwd=repository, home=home)


@pytest.mark.slow
def test_what_init_writes_passes_its_own_hooks(repository: Path, tmp_path: Path) -> None:
    """The configuration that `policy init` writes runs three hooks, all of them fine."""
    _commit_all(repository, tmp_path)
    result = _hooks(repository, tmp_path / "home")
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count("Passed") == 3


@pytest.mark.slow
def test_published_hooks_find_what_is_wrong(repository: Path, published: tuple[Path, str], tmp_path: Path) -> None:
    """A misspelt field fails the check, a messy layout fmt, a case that comes out otherwise the test."""
    (repository / ".pre-commit-config.yaml").write_text(_config(published, language="system"))
    _commit_all(repository, tmp_path)
    fine = _hooks(repository, tmp_path / "home")
    assert fine.returncode == 0, fine.stdout + fine.stderr
    policy = repository / "support.policy"
    good = policy.read_text()
    for changed, hook, words in (
        (good.replace("args.amount <= 100.0", "args.amuont <= 100.0"), "check policies", "amuont"),
        (good.replace("allow refund on", "allow   refund on"), "format policies", "would format"),
        (good.replace("args.amount <= 100.0", "args.amount <= 10.0"), "test policies", "FAILED"),
    ):
        assert changed != good
        policy.write_text(changed)
        result = _hooks(repository, tmp_path / "home")
        assert result.returncode != 0 and words in result.stdout
        line = next(line for line in result.stdout.splitlines() if line.startswith(hook))
        assert line.endswith("Failed")


@pytest.mark.slow
def test_published_hooks_install_themselves(repository: Path, published: tuple[Path, str], tmp_path: Path) -> None:
    """pre-commit builds an environment of its own from our repository and runs the hooks in it."""
    (repository / ".pre-commit-config.yaml").write_text(_config(published, language=None))
    _commit_all(repository, tmp_path)
    result = _hooks(repository, tmp_path / "home")
    if result.returncode != 0 and any(words in result.stdout + result.stderr for words in UNREACHABLE):
        pytest.skip("no package index is reachable")
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count("Passed") == 3
