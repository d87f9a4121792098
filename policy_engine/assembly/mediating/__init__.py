"""Where the mediation meets the world: drivers that run flows in threads or tasks, pools, clocks, and what is plugged into it."""
