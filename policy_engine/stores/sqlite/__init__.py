"""State kept in one SQLite file: it outlives processes, and those of one machine share it."""
