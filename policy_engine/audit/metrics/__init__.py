"""Metrics of runs, computable from the audit alone: one a file, all put together in `stats.py`. Defined in `docs/metrics.md`.

Each is a small class with `add(record)`, `merge(other)` and `result()`: one pass, bounded memory, and the order in which parts
are merged never matters. The same class that reads a log is told live what is kept (`Stats.on_record`), so both say the same.
"""
