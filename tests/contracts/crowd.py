"""One process of a crowd that asks the same limit: `python -m tests.contracts.crowd FILE NAME BOUND THREADS ROUNDS`.

For each line on its standard input it plays that round and prints how many of its calls were admitted and committed.
`hold` instead of a round takes a place, says so, and waits to be killed.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

from policy_engine.runtime.ports.counters import Demand
from policy_engine.stores.sqlite.counters import SqliteCounters
from policy_engine.stores.sqlite.database import Database

NOW = 10**18


def main() -> None:
    """Play the rounds that are asked for."""
    file, name, bound, threads = sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
    counters = SqliteCounters(Database(file, patience=60))
    with ThreadPoolExecutor(threads) as pool:
        print("ready", flush=True)
        for line in map(str.strip, sys.stdin):
            if line == "hold":
                demands = [Demand("places", bound, 1.0, place=True), Demand("amounts", bound, 1.0)]
                print(counters.reserve(f"{name} held", demands, now=NOW, lease=10**9) is None, flush=True)
                continue

            def one(number: int, line: str = line) -> int:
                call = f"{name}/{line}/{number}"
                if counters.reserve(call, [Demand(line, bound, 1.0)], now=NOW, lease=10**9) is not None:
                    return 0
                if number % 2:
                    counters.refund(call, now=NOW)
                    return 0
                counters.commit(call, {}, now=NOW)
                return 1

            print(sum(pool.map(one, range(2 * threads))), flush=True)


if __name__ == "__main__":
    main()
