"""`make demo`: rules decide a real LangChain agent, then recorded ones."""

from __future__ import annotations

from docs.demo import agent, replay


def main() -> None:
    """Show both parts."""
    print("1. A scripted LangChain agent, obeying whatever it reads, under docs/demo/bank.policy and rulesets/banking\n")
    agent.show()
    print("\n2. Recorded agents, replayed through `policy decide rulesets/banking/banking.policy`\n")
    replay.show()
    print("\nNext: docs/tour.md, or `.venv/bin/policy init my-rules`")


if __name__ == "__main__":
    main()
