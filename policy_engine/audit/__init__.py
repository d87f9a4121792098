"""Floor 5: the record of what was decided and what came of it, chained so that nobody can change it unseen.

Knows the ports of the runtime, not the stores: a `Ledger` is given to it.
"""
