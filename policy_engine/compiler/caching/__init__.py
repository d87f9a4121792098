"""Compiled policies as plain data and back: what a cache can hold. Pure; where it is kept is `assembly/caching`."""
