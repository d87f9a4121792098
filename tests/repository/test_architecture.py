"""The picture of the building (docs/decisions/0001) holds: floors, siblings, and one door for each third-party package."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted([*(ROOT / "policy_engine").rglob("*.py"), *(ROOT / "adapters").rglob("*.py")])
DOORS = {
    "lark": ("policy_engine/compiler/cel/", "policy_engine/compiler/language/", "policy_engine/compiler/tables.py"),
    "re2": (
        "policy_engine/semantics/functions/", "policy_engine/semantics/schema/", "policy_engine/semantics/prelude.py",
        "policy_engine/semantics/linking.py", "policy_engine/compiler/codegen/", "policy_engine/compiler/analysis/",
    ),
    "sqlglot": ("policy_engine/semantics/functions/sql_reading.py",),
    "tree_sitter": ("policy_engine/semantics/functions/shell_reading.py",),
    "tree_sitter_bash": ("policy_engine/semantics/functions/shell_reading.py",),
    "stdnum": ("policy_engine/semantics/functions/detectors/checksum.py",),
    "detect_secrets": ("policy_engine/semantics/functions/detectors/secrets.py",),
    "orjson": ("policy_engine/runtime/approvals.py", "policy_engine/runtime/mediation/digests.py", "policy_engine/audit/"),
    "anyio": ("policy_engine/assembly/",),
    "tenacity": ("policy_engine/assembly/mediating/backoff.py",),
    "cryptography": ("policy_engine/audit/signing.py", "policy_engine/assembly/approver_keys.py"),
    "yaml": (
        "policy_engine/compiler/analysis/data_text.py", "policy_engine/runtime/trace/provenance/",
        "policy_engine/cli/cases/strict_yaml.py",
    ),
    "typer": ("policy_engine/cli/",),
    "rich": ("policy_engine/cli/terminal.py",),
    "pydantic": ("adapters/policy_engine_adapters/",),
    "hypothesis": ("policy_engine/testing/",),
    "_sha2": ("policy_engine/lean/",),  # built into Python, under either name
    "_sha256": ("policy_engine/lean/",),
    "typing_extensions": ("adapters/policy_engine_adapters/",),
    "langchain": ("adapters/policy_engine_adapters/langchain",),
    "langchain_core": ("adapters/policy_engine_adapters/langchain",),
    "opentelemetry": ("policy_engine/telemetry/",),
    "langgraph": ("adapters/policy_engine_adapters/langchain",),
}  # fmt: skip
"""Third-party package: where it may be imported. What is not here may be imported nowhere."""
OURS = ("policy_engine", "policy_engine_adapters")
PURE = ("base", "diagnostics", "semantics", "compiler", "runtime")
OUTSIDE_WORLD = ("os", "pathlib", "random", "secrets", "socket", "subprocess", "tempfile", "time", "urllib", "uuid")


def _imports(path: Path) -> Iterator[tuple[str, int, bool]]:
    """Each imported module, its line, and whether it stands at the top of the file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    top = {id(node) for node in tree.body}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno, id(node) in top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, node.lineno, id(node) in top


def _place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_the_import_contracts_hold() -> None:
    """import-linter finds every contract of pyproject.toml kept."""
    tool = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([tool, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr


def test_third_party_packages_come_in_by_their_doors() -> None:
    """Every import is of the standard library, of ours, or of a package that has its door in this file."""
    strays = [
        f"{_place(path)}:{line} imports {module}"
        for path in SOURCES
        for module, line, _ in _imports(path)
        if (package := module.partition(".")[0]) not in OURS
        and package not in sys.stdlib_module_names
        and not _place(path).startswith(DOORS.get(package, ("nowhere",)))
    ]
    assert strays == []


def test_our_own_modules_are_imported_at_the_top() -> None:
    """No function imports a module of ours, and no file hides one under `TYPE_CHECKING`: cycles have nowhere to hide."""
    hidden = [
        f"{_place(path)}:{line} imports {module}"
        for path in SOURCES
        for module, line, at_top in _imports(path)
        if module.partition(".")[0] in OURS and not at_top
    ]
    assert hidden == []


@pytest.mark.parametrize("floor", PURE)
def test_below_assembly_nothing_touches_the_world(floor: str) -> None:
    """No clock, randomness or I/O: what a floor needs of them is passed in."""
    touching = [
        f"{_place(path)}:{line} imports {module}"
        for path in (ROOT / "policy_engine" / floor).rglob("*.py")
        for module, line, _ in _imports(path)
        if module.partition(".")[0] in OUTSIDE_WORLD
    ]
    assert touching == []
