"""Small is measured: sizes of files and functions, documented names, no unfinished business."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard

import policy_engine

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted([*(ROOT / "policy_engine").rglob("*.py"), *(ROOT / "adapters").rglob("*.py")])
TESTS = sorted((ROOT / "tests").rglob("*.py"))
MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 80
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK|NotImplementedError)\b")


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_files_and_functions_are_small() -> None:
    """No file is longer than 500 lines, no function longer than 80."""
    large = []
    for path in [*SOURCES, *TESTS]:
        text = path.read_text(encoding="utf-8")
        if len(text.splitlines()) > MAX_FILE_LINES:
            large.append(_name(path))
        for function in _functions(ast.parse(text)):
            if (function.end_lineno or 0) - function.lineno >= MAX_FUNCTION_LINES:
                large.append(f"{_name(path)}:{function.lineno} {function.name}")
    assert large == []


def test_every_public_name_is_documented() -> None:
    """Modules, public classes, functions and methods say what they are for."""
    silent = []
    for path in SOURCES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if not ast.get_docstring(tree):
            silent.append(_name(path))
        for owner, body in _public_bodies(tree):
            silent.extend(f"{_name(path)}:{node.lineno} {owner}{node.name}" for node in body if _is_silent(node))
    assert silent == []


def _is_silent(node: ast.stmt) -> TypeGuard[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) or node.name.startswith("_"):
        return False
    marks = [ast.unparse(decorator) for decorator in node.decorator_list]
    return not any("overload" in mark or mark.endswith(".setter") for mark in marks) and not ast.get_docstring(node)


def _public_bodies(tree: ast.Module) -> Iterator[tuple[str, list[ast.stmt]]]:
    yield "", tree.body
    for node in tree.body:
        grammar_callbacks = isinstance(node, ast.ClassDef) and "Transformer" in ast.unparse(node)[:400]
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_") and not grammar_callbacks:
            yield f"{node.name}.", node.body


def test_every_test_says_its_fact() -> None:
    """A test's docstring is the fact that it shows."""
    silent = [
        f"{_name(path)}:{function.lineno} {function.name}"
        for path in TESTS
        if path.name.startswith("test_")
        for function in _functions(ast.parse(path.read_text(encoding="utf-8")))
        if function.name.startswith("test_") and not ast.get_docstring(function)
    ]
    assert silent == []


def test_nothing_is_left_for_later() -> None:
    """No file that we ship or test with holds a word for unfinished work."""
    for path in [*SOURCES, *TESTS]:
        if path == Path(__file__):
            continue
        found = UNFINISHED.search(path.read_text(encoding="utf-8"))
        assert found is None, f"{_name(path)} says {found and found.group()}"


def test_names_of_test_files_are_unique() -> None:
    """Tests can be named without their folder."""
    names = [path.name for path in TESTS if path.name.startswith("test_")]
    assert sorted(set(names)) == sorted(names)


def test_nothing_generated_is_committed() -> None:
    """No caches, builds or environments are in the repository."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    bad = [name for name in listed.stdout.splitlines() if re.search(r"__pycache__|\.pyc$|\.egg-info|^dist/|^\.venv/", name)]
    assert bad == []


def test_type_checkers_see_the_names_that_run() -> None:
    """`__init__.pyi` takes each public name from the module that `__init__.py` fetches it from, and no other."""
    told: dict[str, set[str]] = {}
    for node in ast.parse((ROOT / "policy_engine" / "__init__.pyi").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom):
            assert all(one.asname == one.name for one in node.names), "only `X as X` is public to type checkers"
            told[str(node.module)] = {one.name for one in node.names}
    assert told == {home: set(names) for home, names in policy_engine._HOMES.items()}
    assert sorted(name for names in told.values() for name in names) == sorted(policy_engine.__all__)
    assert all(getattr(policy_engine, name) is not None for name in policy_engine.__all__)
