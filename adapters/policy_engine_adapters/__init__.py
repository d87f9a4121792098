"""Adapters: thin hooks into agent frameworks. They use public names of `policy_engine` only."""
