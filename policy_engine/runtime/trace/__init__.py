"""What happened in a run, and where values came from. `run.py` gathers, `view.py` freezes it for one decision."""
