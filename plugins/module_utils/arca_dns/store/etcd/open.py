# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""From options, as they stand in a configuration, to an open etcd store."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Sequence

from ...config import Secret
from ...errors import ConfigError, Place
from ..credentials import Password, check_files
from .client import EtcdClient, endpoint
from .store import EtcdStore


def open_etcd(
    *,
    endpoints: Sequence[str] = ("http://127.0.0.1:2379",),
    prefix: str = "/arca-dns",
    user: str | None = None,
    password: Secret | str | None = None,
    password_file: str | None = None,
    ca_file: str | None = None,
    cert_file: str | None = None,
    key_file: str | None = None,
    timeout: float = 5.0,
    clock: Callable[[], float] = time.time,
) -> EtcdStore:
    """Open the store below *prefix* on the cluster of *endpoints*; make it where it is missing.

    *timeout* is in seconds and counts for each request. With *ca_file* servers must prove their names by it, else by
    the authorities that the system knows. Raises :class:`ConfigError`, :class:`StoreUnavailable`.
    """
    check_files("etcd", {"ca_file": ca_file, "cert_file": cert_file, "key_file": key_file})
    places = []
    if not endpoints:
        places.append(Place("must name one endpoint at least", pointer="backend.etcd.endpoints"))
    addresses = []
    for index, url in enumerate(endpoints):
        try:
            addresses.append(endpoint(url))
        except ValueError as error:
            places.append(Place(str(error), pointer=f"backend.etcd.endpoints[{index}]"))
    if not prefix.strip("/"):
        places.append(Place("must not be empty: others may use this etcd too", pointer="backend.etcd.prefix"))
    if user is None and (password is not None or password_file is not None):
        places.append(Place("is needed with a password", pointer="backend.etcd.user"))
    if places:
        raise ConfigError("the backend's options are wrong", places)
    context = None
    if any(address.tls for address in addresses):
        try:
            context = ssl.create_default_context(cafile=ca_file)
            if cert_file is not None:
                context.load_cert_chain(cert_file, key_file)
        except (ssl.SSLError, OSError) as error:
            raise ConfigError(f"the files for TLS with etcd cannot be used: {error}") from None
    client = EtcdClient(addresses, user, Password(password, password_file, "etcd"), context, timeout)
    try:
        return EtcdStore(client, prefix, clock=clock)
    except BaseException:
        client.close()
        raise
