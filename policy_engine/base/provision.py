"""Everything that a policy was made of: with it, and nothing else, any of its decisions can be made again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Provision:
    """`sources` are all files that were read, by name; `about` is JSON-like: which of them to begin with, what the host gave
    beside them (layers, params, schemas of live tools, functions), and under `tags` the tags of each rule by its id."""

    sources: Mapping[str, bytes]
    about: Mapping[str, Any]


class ProvisionError(Exception):
    """What a policy was made of is not there any more, or cannot be written down. Says which part."""
