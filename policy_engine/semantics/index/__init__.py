"""Finding the rules that may hold among very many, without looking at each: how a batch's `artifact.Index` runs."""
