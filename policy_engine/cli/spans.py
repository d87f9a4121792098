"""Durations as people read them: `45s`, `12m`, `3h20m`, `2d4h`."""

from __future__ import annotations


def span(nanos: int) -> str:
    """A duration, roughly; nothing below a second."""
    seconds = max(0, nanos) // 1_000_000_000
    if seconds < 60:
        return f"{seconds}s"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86_400
    if hours == 0:
        return f"{minutes}m"
    return f"{hours}h{minutes % 60:02}m" if days == 0 else f"{days}d{hours % 24}h"
