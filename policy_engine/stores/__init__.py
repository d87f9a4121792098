"""Floor 5: where state is kept. Each store implements a port of `runtime/ports/`, in memory and in SQLite."""
