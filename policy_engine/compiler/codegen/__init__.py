"""CEL expressions as Python functions, made through `ast` nodes: native code that raises where CEL has an error."""
