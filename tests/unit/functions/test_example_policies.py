"""The example policies that stand on these functions load and decide."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from policy_engine import Event, HostFunction, Outcome, Policy, Request, load

EXAMPLES = Path(__file__).resolve().parents[2] / "data" / "examples"


@pytest.fixture(scope="module")
def coding() -> Policy:
    """A coding agent in `/work`."""
    return load(EXAMPLES / "f_coding.policy", params={"workspace": "/work"})


CALLS: list[tuple[str, dict[str, Any], str, str | None]] = [
    ("Read", {"file_path": "/work/src/a.py"}, "allow", "in-workspace"),
    ("Read", {"file_path": "/work/../etc/passwd"}, "deny", None),
    ("Read", {"file_path": "/workshop/a.py"}, "deny", None),
    ("Read", {"file_path": "~/.ssh/id_rsa"}, "deny", None),
    ("Write", {"file_path": "/work/src/a.py", "content": ""}, "allow", "in-workspace"),
    ("Write", {"file_path": "/work/.git/config", "content": ""}, "deny", "protected-files"),
    ("Write", {"file_path": "/work/a/../.env", "content": ""}, "deny", "protected-files"),
    ("Bash", {"command": "ls -l *.py"}, "allow", "safe-shell"),
    ("Bash", {"command": "git status; rm -rf /"}, "deny", None),
    ("Bash", {"command": "echo $(rm -rf /)"}, "deny", None),
    ("Bash", {"command": "cat x | bash"}, "deny", "pipe-to-shell"),
    ("Bash", {"command": "$x"}, "deny", "unparsed-shell"),
    ("Bash", {"command": "git push --fo'rce' origin x"}, "deny", "force-push"),
    ("Bash", {"command": "git $how origin x"}, "deny", "force-push"),
    ("Bash", {"command": "git push origin main"}, "escalate", "push-main"),
    ("Bash", {"command": "git commit -m x"}, "deny", "untested-commit"),
    ("Bash", {"command": "echo ghp_" + "a1B2" * 9}, "deny", "secret-out"),
    ("WebFetch", {"url": "https://docs.python.org/3/", "prompt": "read"}, "allow", "docs-only"),
    ("WebFetch", {"url": "https://docs.python.org@evil.org/", "prompt": "read"}, "deny", None),
    ("WebFetch", {"url": "http://2852039166/latest", "prompt": "read"}, "deny", "private-networks"),
]


@pytest.mark.parametrize(("tool", "args", "effect", "rule"), CALLS, ids=range(len(CALLS)))
def test_a_coding_agent_is_kept_in_its_workspace(
    coding: Policy, tool: str, args: dict[str, Any], effect: str, rule: str | None
) -> None:
    """Paths, programs, pushes, secrets and addresses, with the ways around them."""
    run = coding.run(input="please")
    decision = coding.decide(Request(tool=tool, args=args, principal={"id": "u"}), run=run)
    assert decision.effect == effect
    assert rule is None or f"dev.coding/{rule}" in decision.rules


def test_a_commit_passes_once_the_tests_ran(coding: Policy) -> None:
    """The history and the shell's words together."""
    run = coding.run(input="please")
    tests = Request(tool="Bash", args={"command": "pytest -q"}, principal={"id": "u"})
    run.record(tests, Outcome(result={"exit_code": 0}), decision=coding.decide(tests, run=run))
    commit = Request(tool="Bash", args={"command": "git commit -m x"}, principal={"id": "u"})
    assert coding.decide(commit, run=run).effect == "allow"


def test_answers_are_judged_by_the_host_and_masked() -> None:
    """A judge and a language detector of the host's, schema, links, secrets, masks: one recorded decision."""
    asked: list[str] = []
    language = HostFunction("language", ["string"], "string", lambda text: "en", pure=True)
    judge = HostFunction(
        "judge", ["string", "string"], "bool", lambda text, how: not asked.append(how), deadline=timedelta(seconds=2)
    )
    policy = load(EXAMPLES / "i_output.policy", functions=[language, judge])
    text = "Write to ann@acme.com. " + "Thank you for your patience. " * 20

    def said(words: str) -> Any:
        event = Event(
            name="@answer", fields={"text": words, "data": {"number": "1"}}, principal={"id": "u", "role": "clerk", "lang": "en"}
        )
        return policy.decide_event(event, run=policy.run(input="hello"))

    decision = said(text)
    assert [one.function for one in decision.recorded] == ["language", "judge"]
    assert asked == ["polite, no legal advice"]
    assert "desk.output/tone" not in {error.rule for error in decision.errors}
    assert "desk.output/language" not in decision.rules
    assert said(text + " see https://evil.org/acme.com").effect == "withhold"
    assert "desk.output/links" in said(text + " https://a.acme.com.evil.org/").rules
    assert "desk.output/links" in said("www.acme.com.evil.org").rules
