"""A run to ask about, made in one line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from policy_engine.base.values import Timestamp
from policy_engine.runtime.trace.run import Run
from policy_engine.runtime.trace.view import RunView

Viewed = Callable[..., RunView]


@pytest.fixture
def viewed() -> Viewed:
    """`viewed("what the user said", result, labels=[(label, path, add)])`: a run in which one tool returned one result."""

    def view(
        said: str | None = None, result: Any = None, labels: Any = (), args: dict[str, Any] | None = None
    ) -> RunView:
        run = Run(clock=lambda: Timestamp(0), input=said)
        if result is not None:
            run.put_call("web.fetch", args or {}, "returned", result=result, labels=labels, id="c1")
        return run.snapshot()

    return view
