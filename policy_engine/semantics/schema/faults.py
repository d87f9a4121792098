"""What can be wrong with a tool's schema, and the one place that says it."""

from __future__ import annotations

from typing import Final

from policy_engine.diagnostics.model import Code, Collector, Diagnostic, Label
from policy_engine.semantics.schema.positions import Path, Places

BAD_SCHEMA: Final = Code(
    "bad-schema",
    "A tool's schema is not a JSON Schema that arguments can be validated against",
    """\
Arguments are validated before any rule, so a schema that cannot be understood stops the load: a type that does not
exist, a reference that leads nowhere, an empty `enum`, conditions that contradict each other.

```json
{"type": "object", "properties": {"amount": {"$ref": "#/$defs/Amount"}}}
```

The definition must be in the same document:

```json
{"type": "object", "properties": {"amount": {"$ref": "#/$defs/Amount"}}, "$defs": {"Amount": {"type": "number"}}}
```
""",
)
ODD_TYPE: Final = Code(
    "odd-schema-type",
    "A schema names a type by a word of another language",
    """\
JSON Schema has `string number integer boolean null array object`. Words such as `float` or `str` are understood here,
but other readers of the schema (the model, the server) may ignore them.

```json
{"type": "float"}
```

```json
{"type": "number"}
```
""",
    "warning",
)
NOT_ENFORCED: Final = Code(
    "schema-not-enforced",
    "A part of a schema is left to the tool to enforce",
    """\
Types, required properties, enums, bounds, lengths, RE2 patterns and tuples are enforced before any rule. `not`,
`if`/`then`/`else`, `contains`, `propertyNames`, `dependentRequired` and patterns beyond RE2 are not.

```json
{"type": "string", "pattern": "^(?!admin).*$"}
```

Where it matters to a decision, a rule says so:

```policy
deny admin-names on users.add when args.name.startsWith("admin")
```
""",
    "note",
)
UNFILLABLE: Final = Code(
    "unfillable-schema",
    "No value can fit a part of a schema",
    """\
Two conditions contradict each other, so every value is refused: a call that must give this argument can never pass.

```json
{"type": "string", "anyOf": [{"type": "integer"}, {"type": "number"}]}
```

Keep the one that is meant:

```json
{"type": "number"}
```
""",
    "warning",
)
CODES: Final = (BAD_SCHEMA, ODD_TYPE, NOT_ENFORCED, UNFILLABLE)

_STOPPED: Final = "the policy is not loaded, so every call is refused"


class Faults:
    """Reports the faults of one tool's schema. `failed` = one of them stops the load."""

    def __init__(self, places: Places, collector: Collector, tool: str) -> None:
        self.tool = tool
        self.failed = False
        self._places = places
        self._collector = collector
        self._unchecked: dict[str, Path] = {}

    def bad(self, path: Path, message: str, suggestion: str) -> None:
        """A schema that arguments cannot be validated against."""
        self.failed = True
        self._report(BAD_SCHEMA, message, path, _STOPPED, suggestion)

    def unfillable(self, path: Path, why: str) -> None:
        """A part of a schema that no value fits."""
        self._report(
            UNFILLABLE, f"no value can fit a part of the schema of `{self.tool}`: {why}", path,
            "every call that gives this argument is refused", "keep the condition that is meant",
        )  # fmt: skip

    def odd_type(self, path: Path, word: str, meant: str) -> None:
        """A type named by a word of another language."""
        self._report(
            ODD_TYPE, f"`{word}` is no type of JSON Schema; `{self.tool}` means `{meant}`", path,
            f"it is read as `{meant}`", f'"type": "{meant}"',
        )  # fmt: skip

    def unchecked(self, path: Path, keyword: str) -> None:
        """A keyword that is left to the tool; reported once for all of them."""
        self._unchecked.setdefault(keyword, path)

    def note_unchecked(self) -> None:
        """Report what `unchecked` gathered."""
        if self._unchecked:
            words = ", ".join(f"`{word}`" for word in self._unchecked)
            self._report(
                NOT_ENFORCED, f"{words} in the schema of `{self.tool}` is left to the tool to enforce",
                next(iter(self._unchecked.values())), "arguments that break it reach the rules and the tool",
                "write a deny rule where a decision depends on it",
            )  # fmt: skip

    def _report(self, code: Code, message: str, path: Path, effect: str, suggestion: str) -> None:
        label = Label(self._places.of(path), "here")
        self._collector.add(Diagnostic(code, message, (label,), effect=effect, suggestion=suggestion))
