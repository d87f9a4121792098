"""Rewrites policies in their canonical layout: `formatter.format_policy`. Called by `policy fmt` and by fixes."""
