"""Floor 1: the words everyone uses. No I/O, no clock, no imports from the floors above."""
