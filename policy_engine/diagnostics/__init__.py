"""Floor 2: how the engine speaks to people. One model, stable codes, renderers. Nothing here knows the language."""
