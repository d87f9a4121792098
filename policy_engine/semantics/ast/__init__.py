"""The abstract syntax of expressions (`expressions`) and of policies (`policy`). Plain data, no behaviour."""
