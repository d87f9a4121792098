"""Policy as code between AI agents and the real world."""
