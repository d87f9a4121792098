"""Names: how a container qualifies them, which are types, and what to say of one that nobody knows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from policy_engine.compiler.cel.checker.report import Report
from policy_engine.compiler.cel.checker.scope import Scope
from policy_engine.diagnostics.model import Code
from policy_engine.diagnostics.suggest import did_you_mean, nearest
from policy_engine.semantics.ast.expressions import Expr, Name, Select
from policy_engine.semantics.functions.catalogue import TYPE_VALUES
from policy_engine.semantics.types import RecordType, Type

UNKNOWN_NAME: Final = Code(
    "unknown-name",
    "Nothing has this name",
    """\
The name is no variable of this place, no `let`, `param`, `use data` or group.

```policy
deny big on crm.refund when amount > 100.0
```

Arguments are fields of `args`:

```policy
deny big on crm.refund when args.amount > 100.0
```
""",
)
WRONG_PHASE: Final = Code(
    "wrong-phase",
    "A name is used where it does not exist yet",
    """\
`result` exists only after the call, `error` only after a failure, `answer` only on `@answer`. Elsewhere the name would be an
error in each decision, so it does not compile.

```policy
deny leak on crm.lookup when result.tenant != principal.tenant
```

```policy
validate leak on crm.lookup require result.tenant == principal.tenant else withhold
```
""",
)
CODES: Final = (UNKNOWN_NAME, WRONG_PHASE)


def candidates(name: str, rooted: bool, container: str | None) -> Iterator[str]:
    """The full names `name` may stand for in a container, the innermost first."""
    parts = container.split(".") if container and not rooted else []
    for count in range(len(parts), -1, -1):
        yield ".".join((*parts[:count], name))


def is_type_name(name: str) -> bool:
    """Whether the name is a type, to be compared with `type(x)`."""
    return name in TYPE_VALUES


def dotted(node: Select) -> tuple[str, bool] | None:
    """`a.b.c` as one name, and whether it has a leading dot; None for anything that is not plain fields of a name."""
    fields: list[str] = []
    inner: Expr = node
    while isinstance(inner, Select):
        if inner.optional:
            return None
        fields.append(inner.field)
        inner = inner.operand
    return (".".join([inner.name, *reversed(fields)]), inner.rooted) if isinstance(inner, Name) else None


def unknown_name(node: Name, scope: Scope, variables: Iterable[str], report: Report) -> Type:
    """Say what is wrong with a name that resolves to nothing."""
    name = node.name
    if name in scope.elsewhere:
        return report.fault(WRONG_PHASE, f"`{name}` does not exist here: {scope.elsewhere[name]}", (node, "used here"))
    holder = next(
        (subject for subject, kind in scope.names.items() if isinstance(kind, RecordType) and kind.field(name)), None
    )
    suggestion = did_you_mean(name, [*scope.names, *variables])
    notes: tuple[str, ...] = ()
    if holder is not None:
        suggestion = f"{holder}.{name}"
    elif name in scope.functions:
        suggestion = f"{name}(…)     it is a function"
    elif suggestion is None and (elsewhere := nearest(name, scope.elsewhere)):
        notes = (f"`{elsewhere}` does not exist here: {scope.elsewhere[elsewhere]}",)
    return report.fault(
        UNKNOWN_NAME, f"nothing is called `{name}` here", (node, "unknown name"), suggestion=suggestion, notes=notes
    )
