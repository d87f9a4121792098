"""The wheel, installed into an empty environment and used from another folder: nothing of the checkout is in reach."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAX_CORE_MEGABYTES = 60
BEFORE = ("pip", "setuptools", "pkg_resources", "_distutils_hack", "distutils-precedence")
"""What `python -m venv` puts there."""
PROBE = """
import importlib, pathlib, sys
import policy_engine, policy_engine.cel
from policy_engine.resources import resource
from policy_engine_adapters import generic
assert "site-packages" in policy_engine.__file__, policy_engine.__file__
for name in ("grammar/policy.lark", "grammar/cel.lark", "rulesets/banking/banking.policy", "rulesets/starter/tools.json"):
    assert "site-packages" in str(resource(name)), name
assert policy_engine.cel.evaluate("1 + 1", {}) == 2
assert callable(generic.guarded)
for module in (policy_engine, generic):
    assert (pathlib.Path(module.__file__).parent / "py.typed").exists(), module
policy = policy_engine.load("support.policy")
request = policy_engine.Request(tool="crm.search", args={"words": "x"}, principal={"id": "u", "role": "lead"})
assert policy.decide(request).effect == "allow"
print("all there")
"""


def _run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True, timeout=300
    )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` of an empty environment with our wheel and what it needs. Without a package index what it needs is lent."""
    folder = tmp_path_factory.mktemp("wheel")
    built = _run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    assert built.returncode == 0, built.stdout + built.stderr
    wheel = next(folder.glob("*.whl"))
    made = _run(sys.executable, "-m", "venv", folder / "env", cwd=folder)
    assert made.returncode == 0, made.stderr
    python = folder / "env" / "bin" / "python"
    pip = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1")
    if _run(*pip, wheel, cwd=folder).returncode != 0:
        alone = _run(*pip, "--no-deps", "--no-index", wheel, cwd=folder)
        assert alone.returncode == 0, alone.stderr
        own = next((folder / "env" / "lib").glob("python*/site-packages"))
        (own / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python.parent


def _needs_an_index(installed: Path) -> None:
    if list((installed.parent / "lib").glob("python*/site-packages/lent.pth")):
        pytest.skip("no package index is reachable, so the environment borrows ours")


@pytest.mark.slow
def test_an_empty_environment_can_use_the_wheel(installed: Path, tmp_path: Path) -> None:
    """init, check, fmt and test run; grammar, adapters, rulesets and types are inside; a policy loads and decides."""
    for command in (("init",), ("check",), ("fmt", "--check"), ("test",), ("rule", "type-mismatch")):
        result = _run(installed / "policy", *command, cwd=tmp_path)
        assert result.returncode == 0, result.stdout + result.stderr
    probe = _run(installed / "python", "-c", PROBE, cwd=tmp_path)
    assert probe.stdout.strip() == "all there", probe.stdout + probe.stderr


@pytest.mark.slow
def test_the_core_is_small(installed: Path) -> None:
    """What the core installs takes no more than 60 MB: all that is there but what every new environment has."""
    _needs_an_index(installed)
    packages = next((installed.parent / "lib").glob("python*/site-packages"))
    size = sum(
        path.stat().st_size
        for top in packages.iterdir() if not top.name.startswith(BEFORE)
        for path in [top, *top.rglob("*")] if path.is_file()
    )  # fmt: skip
    assert size <= MAX_CORE_MEGABYTES * 1_000_000


@pytest.mark.slow
def test_missing_extras_are_no_fault_of_the_core(installed: Path, tmp_path: Path) -> None:
    """Neither LangChain nor Hypothesis is installed or needed."""
    _needs_an_index(installed)
    probe = _run(installed / "python", "-c", "import policy_engine, langchain", cwd=tmp_path)
    assert "No module named 'langchain'" in probe.stderr
