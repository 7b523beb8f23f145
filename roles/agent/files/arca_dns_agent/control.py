# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""One command to a UNIX control socket that answers with lines and closes, as NSD's and Unbound's do."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

_END = b"\x04\n"
_LIMIT = 64 << 20


class SocketSilent(Exception):
    """There is no answer; the message says why."""


async def ask(socket: Path, command: str, lines: Iterable[str] | None, timeout: float) -> list[str]:
    """The answer to *command*, with *lines* as its input, read while they are written.

    Raises :class:`SocketSilent`, after *timeout* seconds too.
    """
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_unix_connection(str(socket), limit=_LIMIT)
            try:
                reading = asyncio.create_task(reader.read())
                writer.write(command.encode("ascii") + b"\n")
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
        raise SocketSilent(f"control socket {socket} does not answer") from None
    except OSError as error:
        raise SocketSilent(f"control socket {socket} cannot be used: {error.strerror or error}") from None
    return answer.decode("ascii", "replace").splitlines()


def identity(socket: Path) -> object:
    """Something that changes when the socket is made anew; ``None`` while there is none."""
    try:
        status = socket.stat()
    except OSError:
        return None
    return (status.st_ino, status.st_ctime_ns)
