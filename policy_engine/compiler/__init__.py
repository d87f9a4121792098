"""Floor 4: turns text into a `CompiledPolicy`. `pipeline.py` shows the passes; no I/O, no clock."""
