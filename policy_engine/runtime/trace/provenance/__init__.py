"""Where values came from. `index/` answers from what it noted as events came in; `scan/` is its plain twin, for tests.

Both stand on `text tokens dates leaves structured`. The engine only knows `semantics.context.Provenance`. What the
language leaves open is decided in `docs/decisions/0007-provenance.md`. Wherever a comparison is in doubt it does *not*
match: a value is then not said, seen nowhere, and carries every label of the run.
"""
