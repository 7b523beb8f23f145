# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""One command to a UNIX control socket that answers with lines and closes, as NSD's and Unbound's do.

Unbound answers no query while it waits for the command of somebody who is connected: so the command is there as soon as
the connection is, whatever else this process has to do.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from pathlib import Path

_END = b"\x04\n"
_LIMIT = 64 << 20
_QUEUE = 0.02  # seconds


class SocketSilent(Exception):
    """There is no answer; the message says why."""


async def ask(path: Path, command: str, lines: Iterable[str] | None, timeout: float) -> list[str]:
    """The answer to *command*, with *lines* as its input, read while they are written.

    Raises :class:`SocketSilent`, after *timeout* seconds too.
    """
    try:
        async with asyncio.timeout(timeout):
            made = await _connected(path, command.encode("ascii") + b"\n")
            reader, writer = await asyncio.open_unix_connection(sock=made, limit=_LIMIT)
            try:
                reading = asyncio.create_task(reader.read())
                for line in lines or ():
                    writer.write(line.encode("ascii") + b"\n")
                    await writer.drain()
                if lines is not None:
                    writer.write(_END)
                await writer.drain()
                answer = await reading
            finally:
                reading.cancel()
                writer.close()
    except TimeoutError:
        raise SocketSilent(f"control socket {path} does not answer") from None
    except OSError as error:
        raise SocketSilent(f"control socket {path} cannot be used: {error.strerror or error}") from None
    return answer.decode("ascii", "replace").splitlines()


async def _connected(path: Path, first: bytes) -> socket.socket:
    """A connection that has *first* already, which is short enough to be taken at once."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        while True:
            try:
                made.connect(str(path))
            except BlockingIOError:  # others wait there too
                await asyncio.sleep(_QUEUE)
            else:
                made.sendall(first)
                return made
    except BaseException:
        made.close()
        raise


def identity(path: Path) -> object:
    """Something that changes when the socket at *path* is made anew; ``None`` while there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_ino, status.st_ctime_ns)
