"""Cases: what people expect of a policy, in YAML beside it. Read strictly, played, compared, reported."""
