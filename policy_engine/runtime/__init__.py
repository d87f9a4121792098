"""Floor 4: takes a compiled policy and a request, and decides. Knows nothing of how the policy was compiled."""
