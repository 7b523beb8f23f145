# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""From a backend's name and options, as they stand in a configuration, to an open store."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from ..config import Secret
from ..errors import ConfigError, Place
from .base import Store
from .etcd import open_etcd
from .git import open_git
from .memory import MemoryStore
from .sql import SqlStore
from .sql.dialects import Dialect, Mysql, Postgres, Sqlite

#: Backends of this version, and their options: name → (type, required).
BACKENDS: Mapping[str, Mapping[str, tuple[type, bool]]] = {
    "memory": {},
    "sqlite": {"path": (str, True), "busy_timeout": (float, False)},
    "postgres": {
        "database": (str, True),
        "host": (str, False),
        "port": (int, False),
        "user": (str, False),
        "password": (Secret, False),
        "password_file": (str, False),
        "sslmode": (str, False),
        "ca_file": (str, False),
        "cert_file": (str, False),
        "key_file": (str, False),
        "connect_timeout": (float, False),
        "pool_size": (int, False),
    },
    "mysql": {
        "database": (str, True),
        "host": (str, False),
        "port": (int, False),
        "socket": (str, False),
        "user": (str, False),
        "password": (Secret, False),
        "password_file": (str, False),
        "ca_file": (str, False),
        "cert_file": (str, False),
        "key_file": (str, False),
        "connect_timeout": (float, False),
        "pool_size": (int, False),
    },
    "etcd": {
        "endpoints": (list, False),
        "prefix": (str, False),
        "user": (str, False),
        "password": (Secret, False),
        "password_file": (str, False),
        "ca_file": (str, False),
        "cert_file": (str, False),
        "key_file": (str, False),
        "timeout": (float, False),
    },
    "git": {
        "path": (str, True),
        "branch": (str, False),
        "remote": (Secret, False),
        "auto_push": (bool, False),
        "auto_pull": (bool, False),
        "pull_interval": (float, False),
        "author": (str, False),
        "email": (str, False),
    },
}
#: Backends that are databases, with a schema to migrate.
SQL = ("sqlite", "postgres", "mysql")

_SAYS: Mapping[type, str] = {
    str: "a text that is not empty",
    Secret: "a text",
    bool: "true or false",
    float: "a number of seconds",
    int: "a whole number above 0",
    list: "a list of texts",
}


def open_store(backend_type: str, options: Mapping[str, object], *, clock: Callable[[], float] = time.time) -> Store:
    """Open the backend *backend_type* with its *options* (``backend.<type>.*`` of a configuration).

    Options of ``sqlite``: *path* of the file, *busy_timeout* in seconds; of ``postgres`` and ``mysql``: the parameters
    of :class:`~.sql.dialects.Postgres` and :class:`~.sql.dialects.Mysql`; of ``etcd`` and
    ``git``: those of :func:`~.etcd.open_etcd` and :func:`~.git.open_git`.
    ``memory`` has none.
    Raises :class:`ConfigError` that names what is wrong, :class:`StoreUnavailable` if the backend cannot be reached.
    """
    if backend_type not in BACKENDS:
        known = ", ".join(BACKENDS)
        raise ConfigError(f"there is no backend {backend_type!r}: use one of {known}")
    values = _check(backend_type, options)
    if backend_type == "memory":
        return MemoryStore(clock=clock)
    if backend_type == "etcd":
        return open_etcd(clock=clock, **values)
    if backend_type == "git":
        return open_git(clock=clock, **values)
    dialect = _dialect(backend_type, values)
    try:
        return SqlStore(dialect, clock=clock)
    except BaseException:
        dialect.engine.dispose()
        raise


def open_dialect(backend_type: str, options: Mapping[str, object]) -> Dialect:
    """The database of the backend *backend_type*, as it is: nothing is migrated. Dispose of its engine when done.

    Raises :class:`ConfigError`, also for a backend that keeps no schema.
    """
    if backend_type not in SQL:
        raise ConfigError(f"the backend {backend_type!r} has no schema: only {', '.join(SQL)} have one")
    return _dialect(backend_type, _check(backend_type, options))


def _dialect(backend_type: str, values: dict[str, Any]) -> Dialect:
    if backend_type == "postgres":
        return Postgres(values.pop("database"), **values)
    if backend_type == "mysql":
        return Mysql(values.pop("database"), **values)
    return Sqlite(values.pop("path"), **values)


def _check(backend_type: str, options: Mapping[str, object]) -> dict[str, Any]:
    known = BACKENDS[backend_type]
    places: list[Place] = []
    values: dict[str, Any] = {}
    for name, value in options.items():
        pointer = f"backend.{backend_type}.{name}"
        if name not in known:
            allowed = f"it has {', '.join(known)}" if known else "it has none"
            places.append(Place(f"the backend {backend_type} has no such option ({allowed})", pointer=pointer))
            continue
        wanted = known[name][0]
        number = isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0
        fits = {
            str: isinstance(value, str) and value != "",
            Secret: isinstance(value, (str, Secret)),
            bool: isinstance(value, bool),
            float: number,
            int: number and isinstance(value, int) and value > 0,
            list: isinstance(value, list | tuple) and all(isinstance(item, str) for item in value),
        }
        if fits[wanted]:
            values[name] = value
        else:
            places.append(Place(f"must be {_SAYS[wanted]}", pointer=pointer))
    for name, (_type, required) in known.items():
        if required and name not in options:
            places.append(Place("is missing", pointer=f"backend.{backend_type}.{name}"))
    if places:
        raise ConfigError("the backend's options are wrong", places)
    return values
