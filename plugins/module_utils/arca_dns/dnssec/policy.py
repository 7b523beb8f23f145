# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""How a zone is signed: the options that an operator has. What they mean in time lives in :mod:`.window`."""

from __future__ import annotations

from dataclasses import dataclass, fields

from .algorithms import RSA_BITS, RSA_LEAST, RSA_MOST, SUPPORTED

_HOUR, _DAY = 3600, 86400
#: Above this a validator may treat the zone as insecure (RFC 9276 section 3.2).
MAX_ITERATIONS = 50
_MINIMUM = {"inception_offset": 0, "propagation_delay": 0, "nsec3_iterations": 0}
_TEXTS = {"keys": ("ksk-zsk", "csk"), "denial": ("nsec", "nsec3")}


@dataclass(frozen=True, slots=True)
class Policy:
    """Options of signing; every duration is in seconds.

    *rsa_bits* is the size of new RSA keys; other keys have one size. *refresh* is the life that a signature has left
    when it is made anew. *nsec3_salt* is hexadecimal; RFC 9276 advises none and no iterations. *zonemd* adds a digest
    over the whole zone, which makes every change cost a reading of all of it. *quantum* is the step of the clock that
    signing knows. Raises :class:`ValueError` or :class:`TypeError`, naming the option, where options
    are wrong or do not fit together.
    """

    algorithm: int = 13
    rsa_bits: int = RSA_BITS
    keys: str = "ksk-zsk"
    denial: str = "nsec"
    nsec3_iterations: int = 0
    nsec3_salt: str = ""
    nsec3_opt_out: bool = False
    validity: int = 14 * _DAY
    refresh: int = 5 * _DAY
    inception_offset: int = _HOUR
    dnskey_ttl: int = _HOUR
    propagation_delay: int = _HOUR
    zonemd: bool = False
    quantum: int = _HOUR

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if item.type == "int":
                if isinstance(value, bool) or not isinstance(value, int):
                    raise TypeError(f"{item.name} must be a whole number, not {value!r}")
                if value < _MINIMUM.get(item.name, 1):
                    raise ValueError(f"{item.name} must be at least {_MINIMUM.get(item.name, 1)}, not {value}")
            elif item.type == "bool" and not isinstance(value, bool):
                raise TypeError(f"{item.name} must be true or false, not {value!r}")
            elif item.type == "str" and not isinstance(value, str):
                raise TypeError(f"{item.name} must be a text, not {value!r}")
        for name, choices in _TEXTS.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} must be one of {', '.join(choices)}, not {getattr(self, name)!r}")
        if self.algorithm not in SUPPORTED:
            known = ", ".join(map(str, SUPPORTED))
            raise ValueError(f"algorithm {self.algorithm} is not supported; use one of: {known}")
        if not RSA_LEAST <= self.rsa_bits <= RSA_MOST:
            raise ValueError(f"rsa_bits must be {RSA_LEAST} to {RSA_MOST}, not {self.rsa_bits}")
        if self.nsec3_iterations > MAX_ITERATIONS:
            raise ValueError(f"nsec3_iterations must be at most {MAX_ITERATIONS} (RFC 9276 advises 0)")
        try:
            size = len(bytes.fromhex(self.nsec3_salt))
        except ValueError:
            raise ValueError(f"nsec3_salt must be hexadecimal, not {self.nsec3_salt!r}") from None
        if size > 255:
            raise ValueError(f"nsec3_salt must have at most 255 octets, not {size}")
        if self.dnskey_ttl >= 2**31:
            raise ValueError("dnskey_ttl must be less than 2^31")
        if self.validity > 365 * _DAY:
            raise ValueError("validity must be at most a year")
        if self.period < self.quantum:
            raise ValueError("refresh must be less than validity, by one quantum at least")
        if self.dnskey_ttl + self.propagation_delay >= self.refresh:
            raise ValueError(
                "dnskey_ttl and propagation_delay together must be less than refresh,"
                " or caches could hold signatures that have expired"
            )

    @property
    def period(self) -> int:
        """Seconds after which a signature is made anew."""
        return self.validity - self.refresh

    def warnings(self) -> tuple[str, ...]:
        """What is possible and unwise."""
        if self.denial == "nsec3" and (self.nsec3_iterations or self.nsec3_salt):
            return (
                "NSEC3 with iterations or a salt costs validators and hides nothing:"
                " RFC 9276 advises nsec3_iterations 0 and no nsec3_salt",
            )
        return ()

    @property
    def salt(self) -> bytes:
        """The NSEC3 salt as octets."""
        return bytes.fromhex(self.nsec3_salt)
