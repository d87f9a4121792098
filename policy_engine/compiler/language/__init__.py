"""From the text of a policy file to its syntax tree: `parser.parse_policy`. Called by the pipeline, formatter and editors."""
