"""State kept in this process only: gone when it ends, and not shared with others. The default."""
