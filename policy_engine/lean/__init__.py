"""From a warm cache to a decision with almost no imports: for hooks that start a process for every call.

Stands alone: imports only itself and modules that are built into Python (docs/threat-model.md says what the cache is
trusted with). Started by file path, `python -I -S …/policy_engine/lean/__main__.py POLICY`, or by `policy decide`.
Whatever is not simple is left to the full engine, so that every answer is the full engine's.
"""
