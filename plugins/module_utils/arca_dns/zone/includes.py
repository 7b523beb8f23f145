# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The files that ``$INCLUDE`` may read (RFC 1035 section 5.1): those inside one folder, and no others.

What the lines of an included file mean is known to :mod:`.reader`.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ..errors import ZoneTextError

#: Files that include one another deeper than this are a mistake.
MAX_DEPTH = 16
#: One zone reads no more files than this, the same one each time anew.
MAX_FILES = 1000


class Includes:
    """Reads included files inside the folder *root*. Relative names begin there, as in ``named``'s ``directory``.

    A file is read once, so that every reading of a zone sees the same octets.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._held: dict[Path, bytes] = {}

    def shown(self, path: Path) -> str:
        """*path* as messages have it: relative to the root."""
        return str(path.relative_to(self._root))

    def find(self, name: str) -> Path:
        """The file *name* with no symbolic link in its path. Raises :class:`ZoneTextError` if it is outside."""
        try:
            path = (self._root / name).resolve()
        except (OSError, RuntimeError, ValueError):
            raise ZoneTextError(f"{name!r} cannot be read: its path leads nowhere") from None
        if not path.is_relative_to(self._root):
            raise ZoneTextError(f"{name!r} is outside of the folder that files may be included from")
        return path

    def read(self, path: Path) -> bytes:
        """The octets of *path*, which :meth:`find` gave. Raises :class:`ZoneTextError`."""
        if path not in self._held:
            self._held[path] = self._read(path)
        return self._held[path]

    def _read(self, path: Path) -> bytes:
        shown = self.shown(path)
        try:
            # A link that was put there since is not followed, and a pipe does not make us wait.
            with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    raise ZoneTextError(f"{shown!r} cannot be read: it is no file")
                return file.read()
        except OSError as error:
            raise ZoneTextError(f"{shown!r} cannot be read: {error.strerror}") from None
