# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Zone files in and out: from a file or standard input, and which zone a file is of."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from arca_dns.errors import ConfigError

_ORIGIN = re.compile(r"^\s*\$ORIGIN\s+(\S+)", re.IGNORECASE | re.MULTILINE)
_ENDINGS = (".zone", ".db", ".txt", ".hosts")


def read(path: Path) -> str:
    """The text of a file; ``-`` is standard input. Raises :class:`ConfigError` and ``OSError``."""
    data = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8: byte {error.start} cannot be read") from None


def zone_of(path: Path, text: str) -> str:
    """The zone of a file: its first ``$ORIGIN``, else its name without an ending."""
    found = _ORIGIN.search(text)
    if found is not None:
        return found[1]
    if str(path) == "-":
        raise ConfigError("which zone is it? Give --zone, or begin the file with $ORIGIN")
    name = path.name
    return next((name.removesuffix(ending) for ending in _ENDINGS if name.endswith(ending)), name)


def write(path: Path, pieces: Iterable[str]) -> None:
    """Make *pieces* the content of a file, at once or not at all."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.writelines(pieces)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(name, 0o666 & ~umask)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def file_name(zone: str) -> str:
    """A file's name for *zone*: classless reverse zones have a slash."""
    return ("root" if zone == "." else zone.rstrip(".").replace("/", "%2F")) + ".zone"
