"""Files become layers; broken files are refused with a clear error and nothing half-loaded."""

from __future__ import annotations

from typing import Any

import pytest

ALLOW = "allow all on crm.*"


def names(compiled: Any) -> list[str]:
    return [layer.name for layer in compiled.policy.layers]


def test_layers_stand_in_order(compiled: Any) -> None:
    """The policy is 0, then its `under` chain, then what the host imposes, with its own chain above it."""
    files = {
        "team.policy": f'policy team under "org.policy"\n{ALLOW}',
        "org.policy": f"policy org\n{ALLOW}",
        "host.policy": f'policy host under "law.policy"\n{ALLOW}',
        "law.policy": f"policy law\n{ALLOW}",
    }
    text = f'policy p under "team.policy"\nuse tools "crm.json" as crm\n{ALLOW}'
    assert names(compiled(text, files, under=["host.policy"])) == ["p", "team", "org", "host", "law"]


def test_a_layer_stands_above_all_that_name_it(compiled: Any) -> None:
    """In a diamond the common layer comes last."""
    files = {
        "a.policy": f'policy a under "c.policy"\n{ALLOW}',
        "b.policy": f'policy b under "c.policy"\n{ALLOW}',
        "c.policy": f"policy c\n{ALLOW}",
    }
    text = f'policy p under "a.policy" under "b.policy"\nuse tools "crm.json" as crm\n{ALLOW}'
    assert names(compiled(text, files)) == ["p", "a", "b", "c"]


def test_an_imposed_layer_that_the_policy_names_too_stands_once_and_high(compiled: Any) -> None:
    """Imposing a layer that is there already changes its place, not its number."""
    files = {"a.policy": f"policy a\n{ALLOW}", "b.policy": f"policy b\n{ALLOW}"}
    text = f'policy p under "a.policy" under "b.policy"\nuse tools "crm.json" as crm\n{ALLOW}'
    assert names(compiled(text, files, under=["a.policy"])) == ["p", "b", "a"]


def test_used_rules_are_of_the_same_layer_and_read_its_words(compiled: Any) -> None:
    """A `let` of one file is read in another; rules carry the name of their own file."""
    files = {"more.policy": "policy more\ndeny big on crm.refund when large"}
    found = compiled(f'use rules "more.policy"\nlet large = args.amount > 5.0\n{ALLOW}', files)
    assert found.rules("crm.refund") == ["more/big", "p/all"]
    assert {rule.layer for rule in found.policy.tools["crm.refund"].decide.rules} == {0}


def test_a_file_used_twice_counts_once(compiled: Any) -> None:
    """Two files that use a third do not double its rules."""
    files = {
        "a.policy": 'policy a\nuse rules "c.policy"',
        "b.policy": 'policy b\nuse rules "c.policy"',
        "c.policy": f"policy c\n{ALLOW}",
    }
    assert compiled('use rules "a.policy"\nuse rules "b.policy"', files).rules("crm.lookup") == ["c/all"]


@pytest.mark.parametrize(
    ("text", "files", "code"),
    [
        ('use rules "a.policy"\nallow x on crm.*', {"a.policy": 'policy a\nuse rules "p.policy"'}, "use-cycle"),
        ('policy p under "a.policy"\nallow x on "t"', {"a.policy": 'policy a under "p.policy"\nallow x on "t"'}, "under-cycle"),
        ('policy p under "p.policy"\nallow x on "t"', {}, "under-cycle"),
        ('use rules "gone.policy"\nallow x on crm.*', {}, "unreadable-file"),
        ('use tools "gone.json"\nallow x on crm.*', {}, "unreadable-file"),
        ('use data "gone.yaml" as d\nallow x on crm.* when d', {}, "unreadable-file"),
        ('use rules "a.policy"\nallow x on crm.*', {"a.policy": PermissionError(13, "Permission denied")}, "unreadable-file"),
        ('use rules "a.policy"\nallow x on crm.*', {"a.policy": "policy a // é".encode("latin-1")}, "not-utf8"),
        ('policy p edition "1999"\nallow x on "t"', {}, "unknown-edition"),
        ("policy p\ndefault deny", {}, "empty-policy"),
        ('policy p under "a.policy"\nallow x on "t"', {"a.policy": "policy a"}, "empty-policy"),
    ],
)
def test_broken_input_is_refused(compiled: Any, text: str, files: dict[str, Any], code: str) -> None:
    """Each fault is told by its own code, and no policy comes out."""
    found = compiled(text, files)
    assert code in found.errors
    assert found.compilation.policy is None


def test_a_missing_entry_is_told_once() -> None:
    """The host names a file that is not there."""
    from policy_engine.assembly.files import MemoryResolver
    from policy_engine.compiler.pipeline import compile_policy

    found = compile_policy(["gone.policy"], MemoryResolver({}), executable=True)
    assert [one.code.name for one in found.diagnostics] == ["unreadable-file"]
    assert found.policy is None


def test_the_digest_follows_every_source(compiled: Any) -> None:
    """Text, data, params and schemas change the digest; compiling the same again does not."""
    text = 'use data "d.json" as d: double\nparam cap: double = 1.0\nallow x on crm.refund when args.amount < d + cap'
    base = compiled(text, {"d.json": "5"}).policy.digest
    assert compiled(text, {"d.json": "5"}).policy.digest == base
    others = [
        compiled(text, {"d.json": "6"}), compiled(text, {"d.json": "5"}, params={"cap": 2.0}),
        compiled(text + " ", {"d.json": "5"}), compiled(text, {"d.json": "5", "crm.json": '[{"name": "refund", '
        '"inputSchema": {"type": "object", "properties": {"amount": {"type": "number"}}, "required": ["amount"]}}]'}),
    ]  # fmt: skip
    assert len({base, *(other.policy.digest for other in others)}) == 5
