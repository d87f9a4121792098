"""`policy test`: cases, strictly read and compared."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Policy = Callable[..., Result]
REQUEST = "request: {tool: crm.refund, args: {id: A7, amount: 20.0, reason: late}, principal: {id: u1, role: lead}}"
RUN = """policy: bank.policy
cases:
  - name: sending needs reading first
    run:
      input: send it
      steps:
        - request: {tool: bank.send, args: {}}
          expect: deny
        - request: {tool: bank.read, args: {}, expect: allow}
          result: {text: hello}
          expect: {effect: pass, result: {text: hello}}
        - request: {tool: bank.send, args: {}}
          expect: {effect: allow, rules: [bank/sending]}
        - answer: the secret is 7
          expect: {effect: deny, reason: no secrets}
"""


def _write(folder: Path, text: str) -> None:
    (folder / "support.cases.yaml").write_text(text)


def test_a_difference_shows_both_sides_and_why(policy: Policy, desk: Path) -> None:
    """A case that comes out otherwise names expected and decided, its place and the decision's own detail; exit 1."""
    _write(desk, f"cases:\n  - name: no refunds\n    {REQUEST}\n    expect: {{effect: deny, rules: [closed-orders]}}\n")
    result = policy("test")
    assert result.exit_code == 1
    assert "FAILED no refunds  support.cases.yaml:4:13" in result.stdout
    assert "- deny    expected" in result.stdout and "+ allow    decided" in result.stdout
    assert "0 passed, 1 failed" in result.stdout


def test_rules_without_a_case_are_noted(policy: Policy, desk: Path) -> None:
    """A rule that no case reaches is a note, not a failure."""
    _write(desk, f"cases:\n  - name: refund\n    {REQUEST}\n    expect: allow\n")
    result = policy("test")
    assert result.exit_code == 0
    assert "reaches support/closed-orders" in result.stdout and "reaches support/refund\n" not in result.stdout


def test_every_expectation_can_fail(policy: Policy, desk: Path) -> None:
    """Each key of `expect` is really compared."""
    wrong = {
        "effect": "escalate", "rules": "[review]", "errors": "[review]", "observed": "[review]", "asks": "[finance]",
        "labels": "[x]", "reason": "nonsense", "detail": "nonsense", "hint": "nonsense", "args": "{id: B1}",
        "result": "{id: B1}",
    }  # fmt: skip
    for key, value in wrong.items():
        _write(desk, f"cases:\n  - name: refund\n    {REQUEST}\n    expect: {{{key}: {value}}}\n")
        result = policy("test", "--format", "json")
        failures = json.loads(result.stdout)["files"][0]["cases"][0]["failures"]
        assert result.exit_code == 1, key
        assert [difference["what"] for failure in failures for difference in failure["differences"]] == [key]


def test_a_run_is_played_step_by_step(policy: Policy, tmp_path: Path) -> None:
    """Calls, outcomes and events of a run see each other; each has its own expectation."""
    (tmp_path / "bank.policy").write_text(
        'policy bank\nallow reading on bank.read\nallow sending on bank.send\n'
        '  when run.calls.exists(c, c.tool == "bank.read")\n'
        'deny told on @answer when answer.text.contains("secret") because "no secrets"\n'
    )
    (tmp_path / "cases.yaml").write_text(RUN)
    result = policy("test")
    assert result.exit_code == 0, result.output
    assert "1 passed, 0 failed" in result.stdout and "note" not in result.stdout
    (tmp_path / "cases.yaml").write_text(RUN.replace("expect: deny", "expect: allow"))
    assert policy("test").exit_code == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("cases: []", "nothing is tested"),
        ("[]", "map"),
        ("cases: [", "not YAML"),
        ("\x00", "YAML"),
        ("cases:\n  - name: a\n    name: b\n", "given twice"),
        ("cases: !!python/object:os.system []", "tag"),
        ("x: &a [*a]\ncases: []", "anchor"),
        ("caes: []", "`cases`"),
        (f"cases:\n  - name: a\n    {REQUEST}\n    expects: allow\n", "`expect`"),
        (f"cases:\n  - name: a\n    {REQUEST}\n    expect: alow\n", "`allow`"),
        (f"cases:\n  - name: a\n    {REQUEST}\n    expect: {{}}\n", "tests nothing"),
        (f"cases:\n  - name: a\n    {REQUEST}\n", "expects nothing"),
        (f"cases:\n  - name: a\n    {REQUEST}\n    expect: {{effects: allow}}\n", "`effect`"),
        ("cases:\n  - name: a\n    request: {tol: x}\n    expect: allow\n", "`tool`"),
        ("cases:\n  - name: a\n    request: {tool: x, args: [1]}\n    expect: allow\n", "args"),
        ("cases:\n  - name: a\n    expect: allow\n", "`request`"),
        ("cases:\n  - name: a\n    run: {steps: [{request: {tool: x}}]}\n", "tests nothing"),
        (f"cases:\n  - &c\n    name: a\n    {REQUEST}\n    expect: allow\n  - *c\n", "two cases"),
        ("policy: missing.policy\ncases:\n  - {name: a, request: {tool: x}, expect: deny}\n", "missing.policy"),
    ],
)  # fmt: skip
def test_broken_cases_exit_2(policy: Policy, desk: Path, text: str, words: str) -> None:
    """What cannot be read, or would test nothing, is refused with its place and the nearest name."""
    _write(desk, text)
    result = policy("test")
    assert result.exit_code == 2, result.output
    assert words in result.output and "Traceback" not in result.output


def test_wrong_encoding_and_missing_files_exit_2(policy: Policy, desk: Path) -> None:
    """Bytes that are no text, and paths that are not there."""
    (desk / "support.cases.yaml").write_bytes(b"\xff\xfe")
    assert policy("test").exit_code == 2
    assert policy("test", "missing.cases.yaml").exit_code == 2


def test_dates_and_words_stay_text(policy: Policy, desk: Path) -> None:
    """`on`, `yes` and dates are text in cases, as they are in JSON."""
    for word in ("2026-01-01", "on", "yes", "0x10", "1_000"):
        request = f"request: {{tool: crm.lookup_order, args: {{id: {word}}}, principal: {{id: u, role: lead}}}}"
        _write(desk, f"cases:\n  - name: a\n    {request}\n    expect: allow\n")
        assert policy("test").exit_code == 0, word


def test_a_policy_stands_for_its_cases(policy: Policy, desk: Path) -> None:
    """Hooks pass the policy that changed."""
    result = policy("test", "support.policy")
    assert result.exit_code == 0 and "passed" in result.stdout
