"""`make demo`."""

from __future__ import annotations

from demo import replay


def main() -> None:
    """Show both parts."""
    print("Recorded agents, replayed through `policy decide rulesets/banking/banking.policy`:\n")
    replay.show()


if __name__ == "__main__":
    main()
