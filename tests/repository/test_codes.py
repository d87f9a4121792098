"""Every diagnostic has a page: codes are in one tuple, named once, explained with a bad and a mended example."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

from policy_engine.cli.codes import ALL_CODES, BROKEN_INPUT, MODULES
from policy_engine.diagnostics.model import Code

ROOT = Path(__file__).resolve().parents[2]


def _declaring_modules() -> set[str]:
    found = set()
    for path in (ROOT / "policy_engine").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Code":
                found.add(path.relative_to(ROOT).with_suffix("").as_posix().replace("/", "."))
    return found


def _codes_of(module: str) -> list[Code]:
    return [value for value in vars(sys.modules[module]).values() if isinstance(value, Code)]


def test_every_module_that_declares_codes_is_in_the_tuple() -> None:
    """The row in `cli/codes.py` is complete."""
    assert {str(getattr(module, "__name__", "")) for module in MODULES} == _declaring_modules()


@pytest.mark.parametrize("module", sorted(_declaring_modules()))
def test_a_module_lists_all_its_codes(module: str) -> None:
    """A code that is declared is in its module's `CODES`."""
    if module not in sys.modules:
        pytest.fail(f"{module} declares codes and is not imported by cli/codes.py")
    names = {code.name for code in ALL_CODES}
    assert [code.name for code in _codes_of(module) if code.name not in names] == []


def test_codes_are_named_once_in_kebab_case() -> None:
    """One name, one page."""
    names = [code.name for code in ALL_CODES]
    assert sorted(set(names)) == sorted(names)
    assert [name for name in names if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name)] == []


@pytest.mark.parametrize("code", ALL_CODES, ids=lambda code: code.name)
def test_a_code_has_a_title_and_a_page(code: Code) -> None:
    """The title is a short line, the page explains."""
    assert 0 < len(code.title) <= 100 and not code.title.endswith(".")
    assert len(code.explanation.strip()) >= 40


def test_broken_input_names_codes_that_exist() -> None:
    """The exit code 2 of `policy check` hangs on names that are real."""
    assert {code.name for code in ALL_CODES} >= BROKEN_INPUT
