"""Law 7: `check` knows the whole language; `load` refuses a run-time construct that is not implemented; a policy that
fails to load stops the start.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from policy_engine import PolicyError, check, load, loads
from policy_engine.assembly.files import MemoryResolver
from policy_engine.compiler.pipeline import compile_policy
from policy_engine.diagnostics.model import has_errors
from policy_engine.semantics.functions.declaration import Example, Function, Overload
from policy_engine.semantics.types import BOOL, STRING

KNOWN_LATER = {
    "limit, distinct in results": 'limit l on "t" to 3 of distinct result.iban reserve 1 per week by principal.id\n',
    "invariant": 'invariant l on "t" when args.amount == 500.0 never allow\n',
}
"""Everything LANGUAGE.md has that a loaded policy does not execute yet."""


def checked(text: str, folder: Path) -> tuple[Path, bool]:
    """The policy's file, and whether `check` finds errors in it."""
    file = folder / "p.policy"
    file.write_text(text, encoding="utf-8")
    return file, has_errors(check(file))


@pytest.mark.parametrize("construct", KNOWN_LATER)
def test_what_nothing_executes_is_checked_and_refused(construct: str, tmp_path: Path) -> None:
    """`check` has nothing against it, `load` names it: a promise that nobody keeps never loads."""
    file, wrong = checked(f'policy p\nallow all on "t", "u"\n{KNOWN_LATER[construct]}', tmp_path)
    assert not wrong
    with pytest.raises(PolicyError) as refused:
        load(file)
    codes = {diagnostic.code.name for diagnostic in refused.value.diagnostics if diagnostic.code.severity == "error"}
    assert codes == {"not-executable"}


LATER = Function(
    name="later_word", overloads=(Overload((STRING,), BOOL),), meaning="Declared now, executed in a later version.",
    examples=(Example("later_word('a')", "true"),), body=None,
)  # fmt: skip
USES = {
    "in a condition": 'allow all on "t" when later_word("a")\n',
    "under a let": 'let word = later_word("a")\nallow all on "t" unless word\n',
    "in a requirement": 'allow all on "t"\nvalidate v on "t" require later_word("a") else withhold\n',
    "in a rewrite": 'allow all on "t"\nrewrite w on "t" set args.flag to later_word("a")\n',
    "in an observed rule": 'allow all on "t"\nobserve deny d on "t" when later_word("a")\n',
    "in what follows silence": 'queues ops\nallow all on "t"\n'
    'escalate e on "t" to ops within 1m else set args.flag to later_word("a")\n',
    "about an approver": 'queues ops\nallow all on "t"\nescalate e on "t" to ops where later_word(approver.id) within 1m\n',
}


@pytest.mark.parametrize("place", USES)
def test_a_function_without_a_body_is_checked_and_refused(place: str) -> None:
    """Wherever a policy calls it: fine for `check`, refused by `load`, which names it."""
    resolver = MemoryResolver({"p.policy": f"policy p\n{USES[place]}"})
    assert not has_errors(compile_policy(["p.policy"], resolver, functions=(LATER,), executable=False).diagnostics)
    loading = compile_policy(["p.policy"], resolver, functions=(LATER,), executable=True)
    faults = [diagnostic for diagnostic in loading.diagnostics if diagnostic.code.name == "not-executable"]
    assert faults and "later_word" in faults[0].message


@pytest.mark.parametrize("construct", KNOWN_LATER)
def test_a_layer_above_and_a_used_file_are_read_as_strictly(construct: str) -> None:
    """The unexecuted construct cannot hide in a file that the policy stands under or uses."""
    hidden = f'policy hidden\nallow all on "t", "u"\n{KNOWN_LATER[construct]}'
    for head in ('policy p under "hidden.policy"\n', 'policy p\nuse rules "hidden.policy"\n'):
        with pytest.raises(PolicyError):
            loads(f'{head}allow some on "t"\n', files={"hidden.policy": hidden})
    with pytest.raises(PolicyError):
        loads('policy p\nallow some on "t"\n', files={"hidden.policy": hidden}, under=["hidden.policy"])
