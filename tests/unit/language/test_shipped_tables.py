"""The parsers' shipped tables are those of the grammars, and parse as the grammars do."""

from __future__ import annotations

import json
from typing import Any

import lark
import pytest

from policy_engine.base.source import Source
from policy_engine.compiler.cel import parser as cel
from policy_engine.compiler.language import grammar, parser
from policy_engine.compiler.language.remembering import Remembered
from policy_engine.compiler.tables import Grammar, _numbered
from policy_engine.diagnostics.model import Collector
from policy_engine.resources import resource
from tests.unit.caching.test_remembered_items import POLICIES, told

GRAMMARS = (cel.GRAMMAR, grammar.GRAMMAR)
BROKEN = (
    "policy p\nallow a on x when args.a ==\ndeny on x\nlimit l on x to 5 per 0s\n", "policy p\nallow a on x whne args.b\n",
    "policy\n", "allow a on x", "policy p\nlet a(b = 1\nallow c on d when a(1) to\n", "policy p\nlabel a on b as\n",
)  # fmt: skip


@pytest.mark.parametrize("one", GRAMMARS, ids=lambda one: one.name)
def test_the_tables_are_those_of_the_grammar(one: Grammar) -> None:
    """After a change: `python grammar/write_tables.py`."""
    shipped = one.shipped()
    if shipped is None:
        written = (resource("grammar") / f"{one.name}.tables.json").read_text()
        assert f'"lark":"{lark.__version__}"' not in written[:200], "the grammar has changed since"
        pytest.skip("another Lark than the tables were written with")
    assert canonical(shipped) == canonical(_numbered_alike(one.tables()))


def _numbered_alike(tables: Any) -> Any:
    """Through JSON and back, as the shipped ones."""
    return json.loads(json.dumps(tables), object_hook=_numbered)


def canonical(tables: Any) -> Any:
    """Everything that the tables say; Lark numbers states, tokens and rules by the order of sets, which differs each time."""
    data, memo = tables
    parser, written = (
        data["parser"]["parser"],
        {number: json.dumps(one, sort_keys=True) for number, one in memo.items()},
    )
    places, automaton = list(parser["start_states"].values()), []
    for place in places:  # grows while it is walked
        row = []
        actions = {parser["tokens"][token]: action for token, action in parser["states"][place].items()}
        for token, (reduces, what) in sorted(actions.items()):
            if not reduces and what not in places:
                places.append(what)
            row.append((token, written[what["@"]] if reduces else places.index(what)))
        automaton.append(row)
    assert len(places) == len(parser["states"])
    ends = {start: places.index(place) for start, place in parser["end_states"].items()}
    rules, terminals = (
        [written[one["@"]] for one in part] for part in (data["rules"], data["parser"]["lexer_conf"]["terminals"])
    )
    return automaton, ends, list(parser["start_states"]), sorted(rules), sorted(terminals), data["options"]


@pytest.mark.parametrize("one", GRAMMARS, ids=lambda one: one.name)
def test_tables_of_another_grammar_or_lark_are_not_read(one: Grammar, monkeypatch: pytest.MonkeyPatch) -> None:
    """What they were made of is asked each time."""
    assert one.shipped() is not None
    assert Grammar(one.name, lambda: one.text() + "\n// changed\n", one.start).shipped() is None
    assert Grammar("none", one.text, one.start).shipped() is None
    monkeypatch.setattr(lark, "__version__", "0.0.1")
    assert one.shipped() is None


def parsed(monkeypatch: pytest.MonkeyPatch, text: str, *, shipped: bool) -> tuple[Any, list[Any]]:
    """The tree and every finding, with all their words."""
    monkeypatch.setattr(parser, "_ITEMS", Remembered())
    made = grammar._parser()
    if not shipped:
        builder = grammar.PolicyBuilder()
        made = _FROM_GRAMMAR.setdefault("made", (grammar.GRAMMAR.made(builder), builder))
    monkeypatch.setattr(grammar, "_parser", lambda: made)
    source, collector = Source("p.policy", text), Collector()
    file = parser.parse_policy(source, collector)
    monkeypatch.undo()
    found = [(one.code.name, one.message, one.suggestion, one.notes, str(one.span)) for one in collector.diagnostics]
    return None if file is None else told(file, source), found


_FROM_GRAMMAR: dict[str, Any] = {}


@pytest.mark.parametrize("text", [*(path.read_text() for path in POLICIES), *BROKEN])
def test_shipped_and_made_parsers_say_the_same(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Real policies and broken ones, tree and findings."""
    assert parsed(monkeypatch, text, shipped=True) == parsed(monkeypatch, text, shipped=False)


def test_expressions_too() -> None:
    """Also where they are wrong."""
    builder = cel.ExpressionBuilder()
    made = cel.GRAMMAR.made(builder)
    for text in (
        "a.b == 1 && c in [1, 2]",
        "a.map(x, x + 1)",
        "a ? b : c[?0].d",
        "a ==",
        "1 +* 2",
        "has(a.b) || !c.d('x')",
    ):
        outcomes = []
        for one, its in (cel._parser(), (made, builder)):
            source = Source("x", text)
            its.begin(source, Collector(), cel.DOTTED_FUNCTIONS)
            try:
                outcomes.append(told(one.parse(lark.TextSlice(text, 0, len(text))), source))  # type: ignore[arg-type]
            except lark.UnexpectedInput as fault:
                outcomes.append((type(fault).__name__, sorted(str(fault).splitlines()), fault.pos_in_stream))
        assert outcomes[0] == outcomes[1]
