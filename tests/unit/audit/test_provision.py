"""What a policy was made of is told in full, whether it was compiled now, taken from the cache, or made of texts."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from policy_engine import HostFunction, Policy, ToolSchema, load, loads
from policy_engine.assembly.redo import loaded_again
from policy_engine.base.provision import Provision, ProvisionError

TOOLS = '{"tools": [{"name": "refund", "inputSchema": {"type": "object", "properties": {"amount": {"type": "number"}}}}]}'
MAIN = (
    'policy main\n  under "../org/base.policy"\nuse tools "tools.json" as crm\nuse rules "more.policy"\n'
    "param cap: double = 5.0\n"
)
MORE = 'policy more\nallow small on crm.refund when args.?amount.orValue(0.0) <= cap tags "soc2:CC6.1"\n'
BASE = "policy base\ndefault abstain\ndeny huge on * when args.size() > 9\n"
LIVE = ToolSchema.from_live([{
    "name": "live", "description": "d", "annotations": {"readOnlyHint": True},
    "inputSchema": {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}},
}])  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("POLICY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("POLICY_CACHE_KEY", str(tmp_path / "keys" / "cache.key"))
    for name, text in {
        "crm/main.policy": MAIN, "crm/more.policy": MORE, "crm/tools.json": TOOLS, "org/base.policy": BASE,
        "top.policy": "policy top\ndefault abstain\ndeny never on * when args.size() > 99\n",
    }.items():  # fmt: skip
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def again(policy: Policy) -> Policy:
    """The policy loaded from what it told of itself, after a way through JSON."""
    provision = policy.provision()
    return loaded_again(Provision(provision.sources, orjson.loads(orjson.dumps(provision.about)))).policy


def test_a_policy_of_many_parts_is_loaded_again(folder: Path) -> None:
    """Entries, layers, rules, tools, params and live schemas: the same digest, with every file gone; also from the cache."""
    for _ in range(2):
        policy = load(folder / "crm" / "main.policy", under=[folder / "top.policy"], params={"cap": 7.0}, tools=LIVE)
        provision = policy.provision()
        assert provision.about["tags"] == {"more/small": ["soc2:CC6.1"]}
        assert len(provision.sources) == 5
    for file in folder.rglob("*.policy"):
        file.unlink()
    assert again(policy).digest == policy.digest


def test_a_policy_of_texts_is_loaded_again() -> None:
    """With its files."""
    policy = loads(MAIN.replace("../org/", ""), files={"more.policy": MORE, "tools.json": TOOLS, "base.policy": BASE})
    assert again(policy).digest == policy.digest


def test_functions_of_the_host_are_declared_again() -> None:
    """By their types, without asking them: nobody has them any more."""
    functions = [
        HostFunction("risk", ["string", "list(double)"], "double", lambda *_: 1 / 0),
        HostFunction("known", ["map(string, dyn)"], "bool", lambda *_: 1 / 0, pure=True),
    ]
    text = "policy p\nallow a on crm.t when risk(args.x, [1.0]) < 0.5 && known({'a': args.x})\n"
    policy = loads(text, functions=functions)
    assert again(policy).digest == policy.digest


def test_what_cannot_be_written_down_is_said() -> None:
    """A policy that was not loaded."""
    policy = loads("policy p\nallow a on crm.t\n")
    by_hand = Policy(policy.compiled, policy._core.clock)
    with pytest.raises(ProvisionError, match="made by hand"):
        by_hand.provision()


def test_a_changed_source_is_another_policy() -> None:
    """The digest tells, and it is said."""
    provision = loads("policy p\nallow a on crm.t\n").provision()
    changed = Provision({"policy": b"policy p\nallow b on crm.t\n"}, provision.about)
    assert loaded_again(changed).policy.digest != loads("policy p\nallow a on crm.t\n").digest
