"""Floor 7: the command line, `policy`. Words and exit codes for people and scripts; what it knows, others worked out."""

from policy_engine.cli.quickly import main

__all__ = ["main"]
