"""Floor 6: the one place where the parts join and the outside world plugs in: files, clock, settings."""
