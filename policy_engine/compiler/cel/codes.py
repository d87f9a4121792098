"""Codes of the faults that reading an expression can have: shared by builder, macros, limits and syntax messages."""

from __future__ import annotations

from typing import Final

from policy_engine.diagnostics.model import Code

SYNTAX: Final = Code(
    "syntax-error",
    "The text is not an expression",
    """\
The parser met something that cannot stand where it stands. Nothing is guessed: a file with a syntax error does not load.

```policy
allow refund on crm.refund when args.amount <= 50 and principal.role == "support"
```

CEL writes *and* as `&&`, *or* as `||`, *not* as `!`:

```policy
allow refund on crm.refund when args.amount <= 50 && principal.role == "support"
```
""",
)
BAD_LITERAL: Final = Code(
    "bad-literal",
    "A number, text or duration that stands for no value",
    """\
A literal is out of range, has an unknown escape, or names half of a character.

```policy
deny paths on fs.read when args.path.matches("\\d+\\.txt")
```

`\\d` is not an escape of CEL. Raw text takes backslashes as they are:

```policy
deny paths on fs.read when args.path.matches(r"\\d+\\.txt")
```
""",
)
BAD_MACRO: Final = Code(
    "bad-macro",
    "A macro is not written as macros are",
    """\
`has`, `all`, `exists`, `filter`, `map` and their kin are macros: they take a variable of their own and an expression
over it, or (`has`) a field.

```policy
deny secret on mail.send when args.to.exists(t.endsWith(".ru"))
```

Name the variable first:

```policy
deny secret on mail.send when args.to.exists(t, t.endsWith(".ru"))
```
""",
)
RESERVED_WORD: Final = Code(
    "reserved-word",
    "A word that CEL keeps for itself is used as a name",
    """\
`as break const continue else for function if import let loop package namespace return var void while` cannot name a
variable; they may be fields (`args.package`).

```policy
deny big on npm.install when package.size > 5
```

```policy
deny big on npm.install when args.package.size > 5
```
""",
)
TOO_LARGE: Final = Code(
    "expression-too-large",
    "An expression is too long or too deep",
    """\
Expressions are bounded in length, in brackets inside brackets and in the depth of the tree they make, so that no text can
make the engine slow. Long rows of `&&` and `||` are not deep; sums of a hundred terms are.

```policy
deny words on mail.send when ((((((…))))))
```

Split it with `let`, or list the values:

```policy
let dirty = ["a", "b"].exists(word, args.text.contains(word))
deny words on mail.send when dirty
```
""",
)
HIDDEN_CHARACTER: Final = Code(
    "hidden-character",
    "The text holds an invisible character that could mislead its reader",
    """\
NUL and characters that turn the direction of writing make code read otherwise than it runs. They are refused; inside text
write the escape.

```policy
deny admin on api.call when args.role == "admin<U+202E>"
```

```policy
deny admin on api.call when args.role == "admin\\u202e"
```
""",
)
CODES: Final = (SYNTAX, BAD_LITERAL, BAD_MACRO, RESERVED_WORD, TOO_LARGE, HIDDEN_CHARACTER)
