"""Where values came from, by simple scan: one word of the language a file, over `text tokens dates leaves`.

The engine only knows `semantics.context.Provenance`; an index can replace all of this behind it. What the language
leaves open is decided in `docs/decisions/0007-provenance.md`. Wherever a comparison is in doubt it does *not* match:
a value is then not said, seen nowhere, and carries every label of the run.
"""
