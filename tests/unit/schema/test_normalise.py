"""One pass turns what an agent sent into what rules see, or says where it does not fit."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any

import pytest

from policy_engine.base.errors import MisfitError
from policy_engine.base.limits import MAX_ARGS_CHARS, MAX_ARGS_DEPTH, MAX_ARGS_NODES
from policy_engine.base.values import Timestamp, UInt
from policy_engine.semantics.schema.normalise import normalise_any, normaliser
from policy_engine.semantics.types import (
    BOOL,
    DOUBLE,
    DYN,
    INT,
    NULL,
    STRING,
    TIMESTAMP,
    UINT,
    Bounds,
    EnumType,
    ListType,
    MapType,
    RecordField,
    RecordType,
    Type,
    union,
)


def record(rest: Type | None = None, **fields: Type) -> RecordType:
    """A record whose fields are required unless their name ends in `_`."""
    made = (RecordField(name.rstrip("_"), type, not name.endswith("_")) for name, type in fields.items())
    return RecordType("test", tuple(sorted(made, key=lambda field: field.name)), rest)


class Colour(StrEnum):
    """Text that is not plain."""

    RED = "red"


class Level(IntEnum):
    """A number that is not plain."""

    HIGH = 3


class Sly(str):
    """Text that claims to be equal to everything."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = str.__hash__


class Unlike(str):
    """Text that claims to be equal to nothing."""

    def __eq__(self, other: object) -> bool:
        return False

    __hash__ = str.__hash__


REFUND = record(
    amount=DOUBLE, order=STRING, count_=INT, kind_=EnumType(("full", "part")), note_=union(STRING, NULL),
    lines_=ListType(record(price=DOUBLE, sku_=STRING)),
)  # fmt: skip


def test_numbers_become_what_the_schema_says() -> None:
    """`number` is a float, an integral float an integer; what is absent stays absent."""
    made = normaliser(REFUND)({"amount": 5, "order": "o1", "count": 3.0, "note": None})
    assert made == {"amount": 5.0, "order": "o1", "count": 3, "note": None}
    assert type(made["amount"]) is float and type(made["count"]) is int


@pytest.mark.parametrize(
    ("args", "path", "words"),
    [
        ({"amount": 1.0}, "args.order", "required"),
        ({"amount": "1", "order": ""}, "args.amount", "must be a number, not text"),
        ({"amount": True, "order": ""}, "args.amount", "not a boolean"),
        ({"amount": float("nan"), "order": ""}, "args.amount", "finite"),
        ({"amount": float("inf"), "order": ""}, "args.amount", "finite"),
        ({"amount": 1 << 70, "order": ""}, "args.amount", "64 bits"),
        ({"amount": 1, "order": "", "count": 1.5}, "args.count", "whole number"),
        ({"amount": 1, "order": "", "count": 2.0**63}, "args.count", "whole number"),
        ({"amount": 1, "order": "", "count": 1 << 63}, "args.count", "64 bits"),
        ({"amount": 1, "order": "", "count": None}, "args.count", "not null"),
        ({"amount": 1, "order": "", "kind": "ful"}, "args.kind", '"full" | "part"'),
        ({"amount": 1, "order": "", "note": 4}, "args.note", "text or null"),
        ({"amount": 1, "order": "\ud800"}, "args.order", "half of a character"),
        ({"amount": 1, "order": "", "lines": [{"price": 1}, {"price": "x"}]}, "args.lines[1].price", "number"),
        ({"amount": 1, "order": "", "lines": {}}, "args.lines", "must be a list, not an object"),
        ({"amuont": 1, "order": ""}, "args.amuont", "did you mean `amount`"),
        ({"amount": 1, "order": "", 3: 1}, "args", "keys are text"),
        ({"amount": 1, "order": "", "": 1}, 'args[""]', "not a declared"),
        ([], "args", "must be an object, not a list"),
        (None, "args", "not null"),
        ("{}", "args", "not text"),
    ],
)
def test_what_does_not_fit_is_named_by_its_path(args: Any, path: str, words: str) -> None:
    """The path leads to the fault, the words say what was expected."""
    with pytest.raises(MisfitError) as caught:
        normaliser(REFUND)(args)
    assert caught.value.path == path
    assert words in caught.value.problem


def test_words_hold_no_values() -> None:
    """The text and numbers that were sent do not come back in the message."""
    with pytest.raises(MisfitError) as caught:
        normaliser(REFUND)({"amount": "4111111111111111", "order": "o1"})
    assert "4111" not in str(caught.value)


def test_the_copy_shares_nothing_with_its_input() -> None:
    """Whatever the caller changes afterwards, the copy stays."""
    given = {"amount": 1.0, "order": "o", "lines": [{"price": 1.0}]}
    made = normaliser(REFUND)(given)
    given["lines"][0]["price"] = 9.0  # type: ignore[index]
    given["lines"].append({})  # type: ignore[attr-defined]
    assert made["lines"] == [{"price": 1.0}]


def test_subclasses_become_plain() -> None:
    """Enum members and text with manners of its own leave as `str` and `int`."""
    made = normaliser(record(colour=STRING, level=INT, any=DYN, pick=EnumType(("red",))))(
        {"colour": Colour.RED, "level": Level.HIGH, "any": [Colour.RED, Level.HIGH, {Sly("k"): 1}], "pick": Colour.RED}
    )
    assert made == {"colour": "red", "level": 3, "any": ["red", 3, {"k": 1}], "pick": "red"}
    plain = [made["colour"], made["level"], *made["any"][:2], *made["any"][2], made["pick"]]
    assert {type(value) for value in plain} == {str, int}


def test_a_key_that_lies_about_equality_is_read_as_its_text() -> None:
    """A key equal to everything neither matches another property nor hides one."""
    with pytest.raises(MisfitError, match="not a declared"):
        normaliser(record(a_=STRING))({Sly("b"): "x"})
    with pytest.raises(MisfitError, match="twice"):
        normaliser(record(DYN, a_=STRING))({"a": "x", Unlike("a"): "y"})
    with pytest.raises(MisfitError, match="twice"):
        normalise_any({"a": "x", Unlike("a"): "y"})


class _Odd(Mapping[Any, Any]):
    """A mapping that shows one thing at first and another later."""

    def __init__(self, pairs: list[tuple[Any, Any]]) -> None:
        self.pairs = pairs
        self.reads = 0

    def __getitem__(self, key: Any) -> Any:
        self.reads += 1
        return next(value for known, value in self.pairs if known is key)

    def __iter__(self) -> Iterator[Any]:
        return iter([key for key, _ in self.pairs])

    def __len__(self) -> int:
        return len(self.pairs)


def test_each_value_is_read_once() -> None:
    """A mapping that answers differently the second time is asked only once."""
    odd = _Odd([("amount", 1), ("order", "o")])
    normaliser(REFUND)(odd)
    assert odd.reads == 2


def test_a_mapping_that_raises_is_a_misfit() -> None:
    """Foreign code inside the arguments cannot throw through the engine."""

    class Broken(_Odd):
        def __getitem__(self, key: Any) -> Any:
            raise RuntimeError("secret")

    with pytest.raises(MisfitError, match="cannot be read"):
        normaliser(REFUND)(Broken([("amount", 1)]))


@pytest.mark.parametrize("typed", [True, False])
def test_cycles_end_at_the_depth_limit(typed: bool) -> None:
    """A list that holds itself, twice over, is refused at once."""
    cycle: list[Any] = []
    cycle.extend([cycle, cycle])
    with pytest.raises(MisfitError, match=r"deeper|more values"):
        normaliser(record(x=ListType(DYN)) if typed else None)({"x": cycle})


def test_sizes_are_bounded_over_the_whole_request() -> None:
    """Text and values are counted together, wherever they stand."""
    half = "x" * (MAX_ARGS_CHARS // 2 + 1)
    with pytest.raises(MisfitError, match="more text"):
        normaliser(record(a=STRING, b=DYN))({"a": half, "b": {"c": half}})
    with pytest.raises(MisfitError, match="more values"):
        normaliser(record(a=ListType(INT)))({"a": [1] * (MAX_ARGS_NODES + 1)})
    with pytest.raises(MisfitError, match="more values"):
        normalise_any({"rows": [[1] * 1000] * (MAX_ARGS_NODES // 1000)})


def test_depth_counts_from_the_root_through_typed_parts() -> None:
    """An untyped value below typed lists has what is left of the depth."""
    deep: Any = 1
    for _ in range(MAX_ARGS_DEPTH - 1):
        deep = [deep]
    normaliser(None)({"x": deep})
    with pytest.raises(MisfitError, match="deeper"):
        normaliser(None)({"x": [deep]})
    with pytest.raises(MisfitError, match="deeper"):
        normaliser(record(x=ListType(DYN)))({"x": [deep]})


def test_unions_prefer_the_exact_kind() -> None:
    """`5` stays an integer where both fit, `5.0` a float; closed words come before free text."""
    check = normaliser(record(x=union(DOUBLE, INT)))
    assert [type(check({"x": value})["x"]) for value in (5, 5.0, Level.HIGH)] == [int, float, int]
    shapes = normaliser(record(x=union(record(a=INT), record(b=STRING), NULL)))
    assert shapes({"x": {"b": "t"}}) == {"x": {"b": "t"}}
    with pytest.raises(MisfitError, match="none of the 2 shapes"):
        shapes({"x": {"c": "t"}})
    with pytest.raises(MisfitError, match=r"args\.x\.b.*must be text"):
        normaliser(record(x=union(record(b=STRING), NULL)))({"x": {"b": 1}})


def test_maps_type_their_values_and_open_records_their_rest() -> None:
    """`additionalProperties` gives every undeclared property its type."""
    assert normaliser(record(x=MapType(STRING, DOUBLE)))({"x": {"a": 1}}) == {"x": {"a": 1.0}}
    opened = normaliser(record(INT, a_=STRING))
    assert opened({"a": "x", "b": 1.0}) == {"a": "x", "b": 1}
    with pytest.raises(MisfitError, match="whole number"):
        opened({"b": "x"})


def test_engine_values_pass_where_they_are_typed() -> None:
    """Records of the host may hold timestamps and uints; a naive datetime is refused."""
    check = normaliser(record(at=TIMESTAMP, n=UINT, ok=BOOL), "principal")
    assert check({"at": Timestamp(5), "n": 3, "ok": True}) == {"at": Timestamp(5), "n": UInt(3), "ok": True}
    with pytest.raises(MisfitError, match=r"principal\.at: must have a time zone"):
        check({"at": datetime(2026, 1, 1), "n": 3, "ok": True})
    with pytest.raises(MisfitError, match=r"principal\.ok: must be true or false"):
        check({"at": Timestamp(5), "n": 3, "ok": 1})


def test_results_of_any_shape_become_plain_data_or_misfits() -> None:
    """Tuples become lists; sets and objects are no data."""
    assert normalise_any({"rows": (1, 2.5, b"x", None)}) == {"rows": [1, 2.5, b"x", None]}
    for odd in ({1, 2}, object(), {1: 2}, float("nan"), 1 << 64):
        with pytest.raises(MisfitError):
            normalise_any([odd])


@pytest.mark.parametrize(
    ("bounds", "type", "good", "bad"),
    [
        (Bounds(minimum=0, maximum=10), DOUBLE, [0, 10], [-0.1, 11]),
        (Bounds(above=0), DOUBLE, [0.1], [0, -1]),
        (Bounds(multiple_of=0.1), DOUBLE, [0.3, 0, 7], [0.25]),
        (Bounds(multiple_of=5), INT, [0, -5, 10], [1]),
        (Bounds(min_length=1, max_length=2), STRING, ["a", "ab"], ["", "abc"]),
        (Bounds(pattern="^[a-z]+$"), STRING, ["abc"], ["abc\n", "A", ""]),
        (Bounds(min_items=1, max_items=2, unique=True), ListType(INT), [[1], [1, 2]], [[], [1, 2, 3], [1, 1]]),
        (Bounds(options=("1", "2")), INT, [1, 2.0], [3]),
        (Bounds(values=Bounds(minimum=0)), MapType(STRING, INT), [{}, {"a": 0}], [{"a": 1, "b": -1}]),
        (Bounds(items=Bounds(minimum=0)), ListType(INT), [[], [0]], [[1, -1]]),
        (
            Bounds(positions=(RecordField("0", DOUBLE, True), RecordField("1", STRING, True)), max_items=2),
            ListType(union(DOUBLE, STRING)),
            [[1, "a"], [1]],
            [["a", 1]],
        ),
    ],
)
def test_bounds_of_the_schema_are_enforced(bounds: Bounds, type: Type, good: list[Any], bad: list[Any]) -> None:
    """What the schema demands beyond the type is refused before any rule."""
    check = normaliser(RecordType("t", (RecordField("x", type, True, bounds),)))
    for value in good:
        check({"x": value})
    for value in bad:
        with pytest.raises(MisfitError):
            check({"x": value})


def test_another_thread_that_mutates_never_breaks_the_pass() -> None:
    """While a list grows and shrinks, each pass sees one state of it, valid or refused."""
    shared: dict[str, Any] = {"lines": [{"price": 1.0}], "amount": 1, "order": "o"}
    stop = threading.Event()

    def mutate() -> None:
        while not stop.is_set():
            shared["lines"].append({"price": "not a number"})
            shared["extra"] = 1
            shared["lines"].pop()
            shared.pop("extra", None)

    worker = threading.Thread(target=mutate)
    worker.start()
    check = normaliser(REFUND)
    try:
        for _ in range(3000):
            try:
                made = check(shared)
            except MisfitError:
                continue
            assert made["lines"] == [{"price": 1.0}] and "extra" not in made
    finally:
        stop.set()
        worker.join()
