"""Provenance without scanning: what is noted of each event once, and how the six words are answered from it.

`lexicon` takes tokens apart, `texts` notes which texts hold what, `suspicion` what texts share, `walk` and `places` which
leaves say so, `words` answers. Must agree with `provenance/scan` on every value (property-tested), at a cost that the
length of the run does not change.
"""
