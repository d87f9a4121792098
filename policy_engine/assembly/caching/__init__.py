"""Compiled policies kept between processes: where they lie, what proves that they are ours, and what makes one fit."""
