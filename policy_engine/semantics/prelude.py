"""Every word that generated code may use besides its own variables and constants. The compiler names them as text only.

Called by `linking`; `compiler/codegen` writes code against these names. Python's built-in functions are out of reach
but for those listed, so generated code can do nothing that is not here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from types import MappingProxyType
from typing import Any, Final, NoReturn

from policy_engine.base.values import NONE, Duration, Optional, Timestamp, TypeValue, UInt
from policy_engine.semantics import operations
from policy_engine.semantics.evaluation import all_diverted, diverted
from policy_engine.semantics.functions.catalogue import BY_NAME, TYPE_VALUES
from policy_engine.semantics.index.search import search

SCALARS: Final = frozenset((type(None), bool, int, UInt, float, str, bytes, Timestamp, Duration, TypeValue))
"""Classes whose values of one class Python compares for equality as CEL does."""
ORDERED: Final = frozenset((bool, int, UInt, float, str, bytes, Timestamp, Duration))
"""Classes whose values of one class Python orders as CEL does."""
CONTAINERS: Final = frozenset((list, dict))
"""Classes that macros walk over, and that `in` looks into."""
UNSET: Final = object()


class Diverted(Exception):
    """Generated code met something that it leaves to the interpreter; never leaves the engine."""


def divert(*_: Any) -> NoReturn:
    """Leave this condition to the interpreter."""
    raise Diverted


def walk(values: Any, most: int) -> Any:
    """The list or map itself, if a macro may walk over it here; the interpreter walks longer ones and counts steps."""
    if values.__class__ in CONTAINERS and len(values) <= most:
        return values
    raise Diverted


def pairs(values: Any, most: int) -> Iterable[tuple[Any, Any]]:
    """What a macro with two variables walks over: index and element, or key and value."""
    walked = walk(values, most)
    return walked.items() if walked.__class__ is dict else enumerate(walked)


def once(make: Callable[[], Any]) -> Callable[[], Any]:
    """`cel.bind`'s value: made when first read, then kept."""
    kept: Any = UNSET

    def read() -> Any:
        nonlocal kept
        if kept is UNSET:
            kept = make()
        return kept

    return read


def optional_items(value: Any) -> list[Any]:
    """What `?value` adds to a list: the value of an optional, or nothing."""
    if value.__class__ is Optional:
        return [value.value] if value.present else []
    raise Diverted


def make_map(rows: Iterable[tuple[Any, Any, bool]]) -> dict[Any, Any]:
    """A map literal; the rows tell whether the entry is a `?key: value`."""
    return operations.map_of(_present(rows))


def _present(rows: Iterable[tuple[Any, Any, bool]]) -> Iterator[tuple[Any, Any]]:
    for key, value, optional in rows:
        if not optional:
            yield key, value
        elif value.__class__ is not Optional:
            raise Diverted
        elif value.present:
            yield key, value.value


def body_name(function: str) -> str:
    """The word under which generated code finds a function's body: `math.greatest` is `call_math_greatest`."""
    return "call_" + "".join(letter if letter.isalnum() else "_" for letter in function)


def optional_map(operand: Any, make: Callable[[Any], Any]) -> Optional:
    """`operand.optMap(variable, body)`."""
    if operand.__class__ is not Optional:
        raise Diverted
    return Optional(True, make(operand.value)) if operand.present else NONE


def optional_flat_map(operand: Any, make: Callable[[Any], Any]) -> Optional:
    """`operand.optFlatMap(variable, body)`, where the body gives an optional itself."""
    if operand.__class__ is not Optional:
        raise Diverted
    made = make(operand.value) if operand.present else NONE
    if made.__class__ is not Optional:
        raise Diverted
    return made


def entries(value: Any) -> Iterable[tuple[Any, Any]]:
    """The entries of a map, for `transformMapEntry`."""
    if value.__class__ is dict:
        return value.items()
    raise Diverted


def last_of(values: Any, passes: Callable[[Any], bool]) -> Any:
    """`values.last(x, P)`: seen from the end."""
    if values.__class__ is list:
        for value in reversed(values):
            if passes(value):
                return value
    raise Diverted


def elements_after(values: Any, passes: Callable[[Any], bool]) -> list[Any]:
    """`values.after(x, P)`: what stands behind the last that passes, all if none does."""
    if values.__class__ is not list:
        raise Diverted
    rest: list[Any] = []
    for value in reversed(values):
        if passes(value):
            break
        rest.append(value)
    return rest[::-1]


def type_word(name: str) -> str:
    """The word for the value that is a type's name: `int` is `type_int`."""
    return "type_" + "".join(letter if letter.isalnum() else "_" for letter in name)


_OWN: Final = (
    divert, walk, pairs, once, optional_items, make_map, optional_map, optional_flat_map, entries, diverted, all_diverted,
    last_of, elements_after, search,
)  # fmt: skip
_OPERATIONS: Final = (
    "add", "subtract", "multiply", "divide", "remainder", "negate", "equals", "less", "less_equal", "greater",
    "greater_equal", "index", "optional_index", "select", "optional_select", "has_field", "map_of",
)  # fmt: skip
_PYTHON: Final = (len, all, any, sum, bool, str, list, dict, Exception)

PRELUDE: Final = MappingProxyType({
    "__builtins__": {},
    "SCALARS": SCALARS, "ORDERED": ORDERED, "CONTAINERS": CONTAINERS,
    "is_in": operations.contains,
    **{word.__name__: word for word in (*_PYTHON, *_OWN)},
    **{name: getattr(operations, name) for name in _OPERATIONS},
    **{body_name(name): function.body for name, function in BY_NAME.items() if function.body is not None},
    **{type_word(name): value for name, value in TYPE_VALUES.items()},
})  # fmt: skip
"""The words. `__builtins__` is empty on purpose."""
