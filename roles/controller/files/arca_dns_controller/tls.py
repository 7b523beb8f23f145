# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""TLS of the API: its context, and its files read anew when they were renewed."""

from __future__ import annotations

import ssl
from pathlib import Path

import structlog

from arca_dns.errors import ConfigError, Place

from .config import Tls

log = structlog.get_logger(__name__)
_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


class Certificate:
    """The TLS context of *settings*. Raises :class:`ConfigError` for files that it cannot be made of."""

    def __init__(self, settings: Tls) -> None:
        self._settings = settings
        self._stamps = self._look()
        self.context = self._load()

    def renew(self) -> bool:
        """Use the certificate that the files hold now, for new connections; whether it was another one.

        Files that do not go together, as in the middle of a renewal, are logged and left for the next time.
        """
        stamps = self._look()
        if stamps == self._stamps:
            return False
        try:
            self._load()  # in a context of its own: a failure would leave the one in use without a key
            self.context.load_cert_chain(*self._files())
        except (ConfigError, OSError) as error:
            log.error("the renewed TLS certificate cannot be used; the old one stays", reason=str(error))
            return False
        self._stamps = stamps
        log.info("TLS certificate renewed", file=self._settings.cert_file)
        return True

    def _files(self) -> tuple[str, str]:
        settings = self._settings
        if settings.cert_file is None or settings.key_file is None:
            raise ConfigError("TLS needs its files", [Place("is needed", pointer="api.tls.cert_file")])
        return settings.cert_file, settings.key_file

    def _look(self) -> tuple[tuple[int, int, int] | None, ...]:
        return tuple(_stamp(Path(name)) for name in self._files())

    def _load(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = _VERSIONS[self._settings.minimum_version]
        certificate, key = self._files()
        try:
            if Path(key).stat().st_mode & 0o007:
                raise ConfigError(
                    "the TLS key is not secret",
                    [Place(f"{key} can be read by everybody: chmod 0640 or less", pointer="api.tls.key_file")],
                )
            context.load_cert_chain(certificate, key)
        except (OSError, ssl.SSLError) as error:
            reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
            place = Place(f"{certificate} with {key} cannot be used: {reason}", pointer="api.tls.cert_file")
            raise ConfigError("the API's TLS cannot start", [place]) from None
        if self._settings.client_ca_file is not None:
            try:
                context.load_verify_locations(self._settings.client_ca_file)
            except (OSError, ssl.SSLError) as error:
                place = Place(f"{self._settings.client_ca_file}: {error}", pointer="api.tls.client_ca_file")
                raise ConfigError("the API's TLS cannot start", [place]) from None
            context.verify_mode = ssl.CERT_REQUIRED
        return context


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
