"""One host of a crowd over one file: `python -m tests.faults.crowd_host FILE NAME THREADS`.

Reads lines `KIND ROUND` and prints which of its calls ran, one a thread. `places` holds what it got until `go`; `ask` leaves a
question behind. Its principal is the round, so that each round has limits of its own.
"""

from __future__ import annotations

import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from policy_engine import LimitReached, Mediator, NotRun, Pending, Policy, Principal, loads

from ..unit.mediation.conftest import HEAD, TOOLS

RULES = """limit rate on crm.look to 17 per 1h by principal.id
limit volume on crm.refund to 50.0 of args.amount per 1d by principal.id
limit keys on crm.cached to 5 of distinct args.key per 1d by principal.id
limit places on crm.cached to 7 at once by principal.tenant
escalate big on crm.refund when args.amount > 40.0 to finance within 30m
"""


def shop() -> Policy:
    """The policy of the crowd."""
    return loads(HEAD + RULES, files={"tools.json": TOOLS})


class Host:
    """Makes one call a thread."""

    def __init__(self, file: str, name: str, threads: int) -> None:
        self.mediator = Mediator(shop(), f"sqlite:///{file}")
        self.name = name
        self.threads = threads
        self.pool = ThreadPoolExecutor(threads)
        self.released = threading.Event()
        self.inside = threading.Semaphore(0)
        self.lock = threading.Lock()
        self.holding = 0

    def call(self, run: Any, kind: str, number: int) -> str:
        """What ran, as a word; empty where a limit is reached."""
        name = f"{self.name}-{number}"

        def half(**args: Any) -> str:
            if number % 2:
                raise NotRun
            return name

        def holds(key: str) -> str:
            with self.lock:
                self.holding += 1
            self.inside.release()
            self.released.wait(60)
            return name

        try:
            match kind:
                case "rate":
                    return str(run.call("crm.look", {"id": name}, execute=lambda id: {"id": id, "card": "", "tenant": ""})["id"])
                case "refunded":
                    return str(run.call("crm.refund", {"id": name, "amount": 3.0}, execute=half))
                case "volume":
                    return str(run.call("crm.refund", {"id": name, "amount": 3.0}, execute=lambda id, amount: id))
                case "distinct":
                    return str(run.call("crm.cached", {"key": f"k{number % 8}"}, execute=lambda key: key))
                case "places":
                    return str(run.call("crm.cached", {"key": "one"}, execute=holds))
                case "ask":
                    run.call("crm.refund", {"id": name, "amount": 45.0}, execute=lambda id, amount: "never")
        except LimitReached:
            if kind == "places":
                self.inside.release()
            return ""
        except (NotRun, Pending):
            return ""
        raise AssertionError(kind)

    def play(self, kind: str, round_: str) -> list[str]:
        """All threads at once; what ran."""
        tenant = round_ if kind == "places" else f"{self.name} {threading.get_ident()}"
        self.released.clear()
        self.holding = 0
        with self.mediator.run(principal=Principal(id=round_, tenant=tenant)) as run:
            calls: list[Future[str]] = [self.pool.submit(self.call, run, kind, number) for number in range(self.threads)]
            if kind == "places":
                for _ in calls:
                    self.inside.acquire()
                print(self.holding, flush=True)
                sys.stdin.readline()
                self.released.set()
            return [one.result() for one in calls if one.result()]


def main() -> None:
    """Play the rounds that are asked for."""
    host = Host(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    print("ready", flush=True)
    for line in sys.stdin:
        kind, _, round_ = line.strip().partition(" ")
        print(" ".join(["ran", *host.play(kind, round_)]), flush=True)


if __name__ == "__main__":
    main()
