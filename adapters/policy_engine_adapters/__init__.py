"""Frameworks call in here. One file a framework, the same two functions in each: `guarded` and `tools_of`."""
