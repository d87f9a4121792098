"""The type an expression has for certain: the checker's word where there is one, else what its form alone implies.

«For certain» means: whenever evaluation gives a value at all. An `a < b` is a bool even where nothing is declared,
because everything else it might do is an error.
"""

from __future__ import annotations

from policy_engine.compiler.codegen import kinds
from policy_engine.compiler.codegen.emitter import Emitter
from policy_engine.semantics.ast.expressions import (
    And,
    Binary,
    Bind,
    Call,
    Comprehension,
    Conditional,
    Expr,
    Has,
    Index,
    ListExpr,
    Literal,
    MapExpr,
    Name,
    Negate,
    Not,
    OptionalMap,
    Or,
    Select,
)  # fmt: skip
from policy_engine.semantics.functions.catalogue import BY_NAME
from policy_engine.semantics.types import (
    BOOL,
    DOUBLE,
    DYN,
    INT,
    STRING,
    UINT,
    ListType,
    MapType,
    OptionalType,
    RecordType,
    Type,
    TypeVariable,
    union,
)  # fmt: skip


def known(node: Expr, emitter: Emitter) -> Type:
    """See the module's text. Calls of functions that the host registered are believed nothing: they are not ours."""
    if isinstance(node, Call) and BY_NAME.get(node.function) is not emitter.functions.get(node.function):
        return DYN
    declared = emitter.types.get(node, DYN)
    return declared if declared != DYN else _implied(node, emitter)


def _implied(node: Expr, emitter: Emitter) -> Type:
    match node:
        case Literal():
            return kinds.type_of_value(node.value)
        case Name():
            local = None if node.rooted else emitter.scope.get(node.name)
            return DYN if local is None else local.type
        case Not() | And() | Or() | Has():
            return BOOL
        case Conditional():
            return union(emitter.known(node.then), emitter.known(node.otherwise))
        case Binary():
            return _binary(node, emitter)
        case Negate():
            operand = emitter.known(node.operand)
            return operand if operand in (INT, DOUBLE) else DYN
        case Select():
            return DYN if node.optional else _field(emitter.known(node.operand), node.field)
        case Index():
            return DYN if node.optional else _item(emitter.known(node.operand))
        case ListExpr():
            if not node.elements or any(element.optional for element in node.elements):
                return ListType(DYN)
            return ListType(union(*(emitter.known(element.value) for element in node.elements)))
        case MapExpr():
            return MapType(DYN, DYN)
        case Comprehension():
            return _comprehension(node)
        case OptionalMap():
            return OptionalType(DYN)
        case Call():
            return _call(node, emitter)
        case Bind():
            return DYN


def _binary(node: Binary, emitter: Emitter) -> Type:
    if node.operator not in ("+", "-", "*", "/", "%"):
        return BOOL
    left, right = emitter.known(node.left), emitter.known(node.right)
    for exact in (INT, DOUBLE, UINT):
        if left == exact == right:
            return exact
    if node.operator == "+" and kinds.kinds(left) == kinds.STRINGS == kinds.kinds(right):
        return STRING
    return DYN


def _field(operand: Type, name: str) -> Type:
    return kinds.field(operand, name) if isinstance(operand, RecordType | MapType) else DYN


def _item(operand: Type) -> Type:
    return kinds.items(operand) if isinstance(operand, ListType | MapType) else DYN


def _comprehension(node: Comprehension) -> Type:
    match node.kind:
        case "all" | "exists" | "exists_one":
            return BOOL
        case "filter" | "map" | "transformList" | "sortBy":
            return ListType(DYN)
        case "transformMap" | "transformMapEntry":
            return MapType(DYN, DYN)
        case "last" | "after":
            return DYN


def _call(node: Call, emitter: Emitter) -> Type:
    function = emitter.functions.get(node.function)
    if function is None or not function.overloads:
        return DYN
    results = [overload.result for overload in function.overloads]
    return DYN if any(_open(result) for result in results) else union(*results)


def _open(result: Type) -> bool:
    match result:
        case TypeVariable():
            return True
        case ListType():
            return _open(result.element)
        case MapType():
            return _open(result.key) or _open(result.value)
        case OptionalType():
            return _open(result.inner)
        case _:
            return False
