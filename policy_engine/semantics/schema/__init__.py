"""What arguments look like: strict JSON, JSON Schema as types, and the one pass that validates and copies them."""
