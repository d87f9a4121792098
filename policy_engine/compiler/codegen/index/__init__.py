"""Planning the index of a batch with many conditions: which conjunct of each finds it, and what is left to test."""
