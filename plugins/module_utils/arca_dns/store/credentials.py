# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What the backends that are servers share: passwords, and the files of TLS."""

from __future__ import annotations

from collections.abc import Mapping

from ..config import Secret
from ..errors import ConfigError, Place, StoreUnavailable


class Password:
    """A password, or the file that holds it: read for each new connection, so that it may change."""

    def __init__(self, password: Secret | str | None, file: str | None, backend: str) -> None:
        if password is not None and file is not None:
            raise ConfigError(
                "the backend's options are wrong",
                [Place("is set beside password: leave one of them out", pointer=f"backend.{backend}.password_file")],
            )
        self._secret = Secret(password) if isinstance(password, str) else password
        self._file = file

    def reveal(self) -> str | None:
        """The password, if there is one. Raises :class:`StoreUnavailable` if its file cannot be read."""
        if self._file is None:
            return None if self._secret is None else self._secret.reveal()
        try:
            with open(self._file, encoding="utf-8") as file:
                return file.read().rstrip("\r\n")
        except OSError as error:
            raise StoreUnavailable(f"the password file {self._file} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise StoreUnavailable(f"the password file {self._file} is not UTF-8") from None


def check_files(backend: str, files: Mapping[str, str | None]) -> None:
    """Raise :class:`ConfigError` for each of *files* (option → path) that is set and cannot be read."""
    places = []
    for option, path in files.items():
        try:
            if path is not None:
                open(path, "rb").close()
        except OSError as error:
            text = f"the file {path} cannot be read: {error.strerror}"
            places.append(Place(text, pointer=f"backend.{backend}.{option}"))
    if files.get("key_file") and not files.get("cert_file"):
        places.append(Place("needs cert_file, the certificate of this key", pointer=f"backend.{backend}.key_file"))
    if places:
        raise ConfigError("the backend's options are wrong", places)
