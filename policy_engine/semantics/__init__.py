"""Floor 3: what the language means. AST, types, functions, the reference interpreter, schemas. Both towers stand on it."""
