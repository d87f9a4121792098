"""Every function of the language, in one visible tuple. A new library is one file and one line here."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from policy_engine.base.values import TypeValue
from policy_engine.semantics.functions import (
    core,
    emails,
    encoders,
    entities,
    fits,
    globs,
    lists,
    math,
    network,
    optionals,
    paths,
    patterns,
    provenance,
    schedule,
    shell,
    sql,
    string_extensions,
    strings,
    time,
    urls,
)
from policy_engine.semantics.functions.declaration import Function
from policy_engine.semantics.functions.detectors import checksum, mask, pii, secrets

FUNCTIONS: Final[tuple[Function, ...]] = (
    *core.FUNCTIONS,
    *strings.FUNCTIONS,
    *patterns.FUNCTIONS,
    *string_extensions.FUNCTIONS,
    *time.FUNCTIONS,
    *schedule.FUNCTIONS,
    *math.FUNCTIONS,
    *lists.FUNCTIONS,
    *optionals.FUNCTIONS,
    *encoders.FUNCTIONS,
    *network.FUNCTIONS,
    *provenance.FUNCTIONS,
    *entities.FUNCTIONS,
    *paths.FUNCTIONS,
    *globs.FUNCTIONS,
    *urls.FUNCTIONS,
    *emails.FUNCTIONS,
    *sql.FUNCTIONS,
    *shell.FUNCTIONS,
    *pii.FUNCTIONS,
    *secrets.FUNCTIONS,
    *mask.FUNCTIONS,
    *checksum.FUNCTIONS,
    *fits.FUNCTIONS,
)
BY_NAME: Final[Mapping[str, Function]] = MappingProxyType({function.name: function for function in FUNCTIONS})
"""The same by the name policies write; names are unique, a function and a method of one name are one `Function`."""

TYPE_VALUES: Final[Mapping[str, TypeValue]] = MappingProxyType(
    {
        name: TypeValue(name)
        for name in (
            "bool",
            "int",
            "uint",
            "double",
            "string",
            "bytes",
            "list",
            "map",
            "null_type",
            "type",
            "optional_type",
            "google.protobuf.Timestamp",
            "google.protobuf.Duration",
            "net.IP",
            "net.CIDR",
        )
    }
)
"""Names that are values without being bound: the types, to compare `type(x)` with. A variable of that name wins."""
