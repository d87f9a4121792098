"""Checks of calls: which function is meant, which of its signatures fits, what it gives. Called by the walk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Final

from policy_engine.base.errors import EvaluationError
from policy_engine.compiler.cel.checker.access import POSSIBLY_NULL
from policy_engine.compiler.cel.checker.matching import Bindings, fits, holds_dyn, join, members, settled
from policy_engine.compiler.cel.checker.operators import TYPE_MISMATCH
from policy_engine.compiler.cel.checker.report import Report
from policy_engine.compiler.cel.checker.scope import Scope
from policy_engine.compiler.cel.checker.words import code, one_of_them, quoted, words
from policy_engine.diagnostics.model import Code
from policy_engine.diagnostics.suggest import did_you_mean, nearest
from policy_engine.semantics.ast.expressions import Call, Expr, ListExpr, Literal, Name
from policy_engine.semantics.functions.declaration import Function, Overload
from policy_engine.semantics.types import DOUBLE, DYN, INT, NULL, STRING, UINT, Type, UnionType

UNKNOWN_FUNCTION: Final = Code(
    "unknown-function",
    "There is no such function or method",
    """\
The name is none of the language's functions and none that the host registered.

```policy
deny ext on mail.send unless args.to.endswith("@acme.com")
```

```policy
deny ext on mail.send unless args.to.endsWith("@acme.com")
```
""",
)
WRONG_FORM: Final = Code(
    "wrong-call-form",
    "A function is called as a method, or a method as a function",
    """\
Methods stand behind their value and a dot, functions before their value.

```policy
deny ext on mail.send unless endsWith(args.to, "@acme.com")
```

```policy
deny ext on mail.send unless args.to.endsWith("@acme.com")
```
""",
)
WRONG_COUNT: Final = Code(
    "wrong-argument-count",
    "A function is called with too few or too many arguments",
    """\
No signature of the function takes this number of arguments.

```policy
deny ext on mail.send unless args.to.endsWith("@acme.com", "@acme.org")
```

```policy
deny ext on mail.send unless args.to.endsWith("@acme.com") || args.to.endsWith("@acme.org")
```
""",
)
BAD_CONSTANT: Final = Code(
    "bad-constant",
    "A constant that its function cannot read",
    """\
A pattern, a point in time or a duration is written in the policy, and would be an error in every decision.

```policy
deny odd on fs.read when args.path.matches("*.env")
```

```policy
deny odd on fs.read when args.path.matches(".*[.]env$")
```
""",
)
CODES: Final = (UNKNOWN_FUNCTION, WRONG_FORM, WRONG_COUNT, BAD_CONSTANT)
_READ_FROM_TEXT: Final = ("timestamp", "duration", "ip", "cidr", "int", "uint", "double")
_EXPANSIONS: Final = 64
_OPERATOR_OF: Final = {
    "and": "&&",
    "or": "||",
    "not": "!",
    "equals": "==",
    "len": "size",
    "length": "size",
    "includes": "contains",
}


def call(node: Call, given: Sequence[Type], scope: Scope, report: Report) -> Type:
    """The type of a call; `given` are the types of the receiver, if any, and of the arguments."""
    function = scope.functions.get(node.function)
    if function is None:
        return _unknown(node, given, scope, report)
    if not _form(node, function, report):
        return DYN
    if isinstance(node.target, Name) and f"{node.target.name}.{node.function}" in scope.functions:
        return DYN  # the parser makes a namespace's function of it; only hand-built trees come here
    result = _result(function.overloads, given, _EXPANSIONS)
    if result is None:
        return _no_overload(node, function, given, report)
    _constants(node, function, report)
    return scope.overrides.get(node.function, result)


def _result(overloads: Sequence[Overload], given: Sequence[Type], budget: int) -> Type | None:
    """What a call with these types gives: every option of a union must be taken by some signature."""
    found: list[Type] = []
    for overload in overloads:
        bound: Bindings = {}
        if len(overload.params) == len(given) and all(
            fits(param, kind, bound) for param, kind in zip(overload.params, given, strict=True)
        ):
            found.append(settled(overload.result, bound))
            if not any(holds_dyn(kind) for kind in given):
                break
    if found:
        return found[0] if all(result == found[0] for result in found) else DYN
    for position, kind in enumerate(given):
        if isinstance(kind, UnionType) and budget >= len(kind.options):
            answers = [
                _result(overloads, [*given[:position], option, *given[position + 1 :]], budget // len(kind.options))
                for option in kind.options
            ]
            known = [answer for answer in answers if answer is not None]
            return join(known) if len(known) == len(answers) else None
    return None


def _unknown(node: Call, given: Sequence[Type], scope: Scope, report: Report) -> Type:
    name = node.function
    if isinstance(node.target, Name) and node.target.name not in scope.names:
        namespace = f"{node.target.name}."
        known = [function for function in scope.functions if function.startswith(namespace)]
        if known:
            name = namespace + name
            return report.fault(
                UNKNOWN_FUNCTION, f"there is no function `{name}`", (node, "called here"), suggestion=did_you_mean(name, known),
                notes=(f"there are {', '.join(f'`{function}`' for function in sorted(known)[:12])}",),
            )  # fmt: skip
    known = _of_form(node.target is not None, scope.functions.values())
    match = nearest(name, known) or nearest(name, scope.functions)
    suggestion = f"did you mean `{match}`?" if match else None
    if name in _OPERATOR_OF:
        suggestion = f"`{_OPERATOR_OF[name]}`"
    what = "method" if node.target is not None else "function"
    where = f", here on {words(given[0])}" if node.target is not None and given[0] != DYN else ""
    return report.fault(
        UNKNOWN_FUNCTION, f"there is no {what} `{name}`{where}", (node, "called here"), suggestion=suggestion
    )  # fmt: skip


def _of_form(method: bool, functions: Iterable[Function]) -> list[str]:
    return [f.name for f in functions if (f.method if method else f.both or not f.method)]


def _form(node: Call, function: Function, report: Report) -> bool:
    args = ", ".join(arg.span.text for arg in node.args)
    if node.target is not None and not function.method:
        inner = f"{node.target.span.text}{', ' if args else ''}{args}"
        report.fault(
            WRONG_FORM, f"`{function.name}` is a function, not a method", (node, "called as a method"),
            suggestion=f"{function.name}({inner})",
        )  # fmt: skip
        return False
    if node.target is None and function.method and not function.both:
        rest = ", ".join(arg.span.text for arg in node.args[1:])
        receiver = code(node.args[0]) if node.args else "x"
        report.fault(
            WRONG_FORM, f"`{function.name}` is a method: it stands behind its value", (node, "called as a function"),
            suggestion=f"{receiver}.{function.name}({rest})",
        )  # fmt: skip
        return False
    return True


def _no_overload(node: Call, function: Function, given: Sequence[Type], report: Report) -> Type:
    parts: list[Expr] = [*([node.target] if node.target is not None else []), *node.args]
    counts = sorted({len(overload.params) for overload in function.overloads})
    offset = 0 if node.target is None else 1
    usages = tuple(_usage(function, overload, node.target is not None) for overload in function.overloads[:6])
    note = ("it takes " + "; ".join(usages),)
    if len(given) not in counts:
        wanted = " or ".join(str(count - offset) for count in counts if count >= offset)
        return report.fault(
            WRONG_COUNT, f"`{function.name}` takes {wanted} argument{'s' * (wanted != '1')}, not {len(given) - offset}",
            (node, "called here"), notes=note,
        )  # fmt: skip
    candidates = [overload for overload in function.overloads if len(overload.params) == len(given)]
    position = _culprit(candidates, given)
    part, kind = parts[position], given[position]
    options = members(kind)
    if NULL in options and kind != NULL:
        return report.fault(
            POSSIBLY_NULL, f"{quoted(part)} may be null, and `{function.name}` does not take null", (part, words(kind)),
            suggestion=f"{code(part)} != null && …", notes=note,
        )  # fmt: skip
    wanted_kinds = list(dict.fromkeys(words(overload.params[position]) for overload in candidates))
    return report.fault(
        TYPE_MISMATCH, f"{quoted(part)} is {words(kind)}, but `{function.name}` takes {' or '.join(wanted_kinds[:4])} there",
        (part, words(kind)), notes=note,
        suggestion=_converted(part, kind, [overload.params[position] for overload in candidates]),
    )  # fmt: skip


def _culprit(candidates: Sequence[Overload], given: Sequence[Type]) -> int:
    """The first place whose type goes with no signature that the places before it go with."""
    for count in range(1, len(given) + 1):
        if (
            _result([Overload(overload.params[:count], DYN) for overload in candidates], given[:count], _EXPANSIONS)
            is None
        ):
            return count - 1
    return len(given) - 1


def _converted(part: Expr, kind: Type, wanted: Sequence[Type]) -> str | None:
    text = part.span.text
    if isinstance(kind, UnionType):
        return one_of_them(part, kind)
    if len(wanted) == 1 and kind in (INT, UINT, DOUBLE) and wanted[0] in (INT, UINT, DOUBLE, STRING):
        return f"{wanted[0]}({text})"
    return None


def _usage(function: Function, overload: Overload, method: bool) -> str:
    kinds = [str(param) for param in overload.params]
    if method and kinds:
        return f"({kinds[0]}).{function.name}({', '.join(kinds[1:])})"
    return f"{function.name}({', '.join(kinds)})"


def _constants(node: Call, function: Function, report: Report) -> None:
    """Run what reads a constant now, so that what it cannot read is told before any decision."""
    match node:
        case Call(function="matches", args=(*_, Literal(value=str() as pattern) as place)):
            _try(lambda: function.body and function.body("", pattern), function, place, report)
        case Call(target=None, args=(Literal(value=str() as text) as place,)) if node.function in _READ_FROM_TEXT:
            _try(lambda: function.body and function.body(text), function, place, report)
        case _:
            given = node.args if node.target is None else (node.target, *node.args)
            for position, read in function.constants:
                known, value = constant_of(given[position]) if position < len(given) else (False, None)
                if known:
                    _try(partial(read, value), function, given[position], report)


def constant_of(node: Expr) -> tuple[bool, Any]:
    """Whether the expression is a constant written there, and its value."""
    if isinstance(node, Literal):
        return True, node.value
    if isinstance(node, ListExpr) and not any(element.optional for element in node.elements):
        parts = [constant_of(element.value) for element in node.elements]
        return all(known for known, _ in parts), [value for _, value in parts]
    return False, None


def _try(read: Callable[[], object], function: Function, place: Expr, report: Report) -> None:
    try:
        read()
    except EvaluationError as error:
        report.fault(
            BAD_CONSTANT, f"`{function.name}` cannot read {quoted(place)}: {error.message}", (place, "this constant")
        )
