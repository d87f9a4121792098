"""What can be wrong with a file of cases."""

from __future__ import annotations

from typing import Final

from policy_engine.diagnostics.model import Code

CASES_UNREADABLE: Final = Code(
    "cases-unreadable",
    "The cases are not YAML of the allowed kind",
    """\
Cases are plain YAML: maps, lists, text, numbers, true, false, null. Tags (`!!python/…`), keys that are not text, a key
given twice, and anchors that contain themselves are refused, because they would not mean what they seem to mean.

```yaml
cases:
  - name: small refunds pass
    expect: allow
    expect: deny
```

Here the second `expect` would silently win. Say it once:

```yaml
cases:
  - name: small refunds pass
    expect: allow
```
""",
)
CASES_SHAPE: Final = Code(
    "cases-shape",
    "A key or value that cases do not have",
    """\
Each key of a file of cases has a fixed name and kind. A typo under `expect` would be a test that tests nothing.

```yaml
cases:
  - name: small refunds pass
    request: {tool: crm.refund, args: {amount: 20.0}}
    expects: allow
```

The key is `expect`:

```yaml
cases:
  - name: small refunds pass
    request: {tool: crm.refund, args: {amount: 20.0}}
    expect: allow
```
""",
)
CODES: Final = (CASES_UNREADABLE, CASES_SHAPE)
