# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The only place that imports third-party packages; everything else takes them from here.

Ansible ships this library inside each module, to hosts that may lack a package that the
module never uses, so each import is guarded and :func:`require` turns a missing one into
a clear error at the first use.
"""

from __future__ import annotations

from .errors import MissingDependency

try:
    import dns
    import dns.dnssec
    import dns.exception
    import dns.flags
    import dns.message
    import dns.name
    import dns.opcode
    import dns.query
    import dns.rcode
    import dns.rdata
    import dns.rdataclass
    import dns.rdatatype
    import dns.rrset
    import dns.tokenizer
    import dns.tsig
except ImportError:
    dns = None  # type: ignore[assignment]

try:
    import cryptography
    import cryptography.exceptions
    import cryptography.hazmat.primitives.asymmetric.ec
    import cryptography.hazmat.primitives.asymmetric.ed448
    import cryptography.hazmat.primitives.asymmetric.ed25519
    import cryptography.hazmat.primitives.asymmetric.padding
    import cryptography.hazmat.primitives.asymmetric.rsa
    import cryptography.hazmat.primitives.asymmetric.utils
    import cryptography.hazmat.primitives.ciphers.aead
    import cryptography.hazmat.primitives.hashes
    import cryptography.hazmat.primitives.serialization
except ImportError:
    cryptography = None  # type: ignore[assignment]

try:
    import sqlalchemy
    import sqlalchemy.dialects.mysql
    import sqlalchemy.dialects.postgresql
    import sqlalchemy.dialects.sqlite
    import sqlalchemy.event
    import sqlalchemy.exc
except ImportError:
    sqlalchemy = None  # type: ignore[assignment]

try:
    import alembic
    import alembic.migration
    import alembic.operations
except ImportError:
    alembic = None  # type: ignore[assignment]

try:
    import dulwich
    import dulwich.client
    import dulwich.config
    import dulwich.errors
    import dulwich.graph
    import dulwich.object_format
    import dulwich.objects
    import dulwich.pack
    import dulwich.repo
    import dulwich.walk
except ImportError:
    dulwich = None  # type: ignore[assignment]

try:
    import yaml
except ImportError:
    yaml = None  # type: ignore[assignment]

__all__ = ["alembic", "cryptography", "dns", "dulwich", "require", "sqlalchemy", "yaml"]

_PACKAGES = {
    "alembic": ("alembic", alembic),
    "cryptography": ("cryptography", cryptography),
    "dns": ("dnspython", dns),
    "dulwich": ("dulwich", dulwich),
    "sqlalchemy": ("SQLAlchemy", sqlalchemy),
    "yaml": ("PyYAML", yaml),
}


def require(*modules: str) -> None:
    """Raise :class:`MissingDependency` naming the packages behind those of *modules* that are not installed."""
    missing = [_PACKAGES[name][0] for name in modules if _PACKAGES[name][1] is None]
    if missing:
        raise MissingDependency(f"this needs {', '.join(missing)} on the Python path: pip install {' '.join(missing)}")
