# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Runs the programs of ``dnssec.verify_command`` on signed zones, each in a private folder and for a limited time."""

from __future__ import annotations

import os
import selectors
import shlex
import signal
import subprocess
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from arca_dns.errors import VerificationFailed
from arca_dns.zone import names

FILE, ZONE = "{file}", "{zone}"
_KEPT_OCTETS = 4096
_KEPT_LINES = 5


def words_of(command: str) -> tuple[str, ...]:
    """The words of *command*, split as a shell would but run by none. Raises :class:`ValueError`."""
    try:
        words = tuple(shlex.split(command))
    except ValueError as error:
        raise ValueError(f"does not split into words: {error}") from None
    if not any(FILE in word for word in words[1:]):
        raise ValueError(f"needs a program and {FILE}, which stands for the zone file, as in: ldns-verify-zone {FILE}")
    return words


class Commands:
    """The checks of a configuration. Programs get no environment but PATH: what the controller's has is secret."""

    def __init__(self, commands: Mapping[str, str], timeout: float) -> None:
        self._commands = {name: words_of(command) for name, command in commands.items()}
        self._timeout = timeout

    def known(self) -> Collection[str]:
        """The names of the checks."""
        return self._commands.keys()

    def run(self, name: str, zone: bytes, lines: Iterator[str]) -> None:
        """Run check *name* on the zone file that *lines* are. Raises ``VerificationFailed`` with its last lines."""
        text = names.to_text(zone)
        try:
            with tempfile.TemporaryDirectory(prefix="arca-dns-check-") as folder:
                file = Path(folder) / "zone"
                with file.open("x", encoding="utf-8") as stream:
                    stream.writelines(lines)
                values = {FILE: str(file), ZONE: text}
                status, said = self._execute([_filled(word, values) for word in self._commands[name]], folder)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise VerificationFailed(f"the check {name!r} of {text} cannot be run: {reason}") from None
        if status is None:
            raise VerificationFailed(f"the check {name!r} of {text} took longer than {self._timeout:g} s{said}")
        if status:
            how = f"status {status}" if status > 0 else f"signal {abs(status)}"
            raise VerificationFailed(f"the check {name!r} refuses {text}, {how}{said}")

    def _execute(self, words: Sequence[str], folder: str) -> tuple[int | None, str]:
        """Exit status, ``None`` if time was up, and the last lines."""
        end = time.monotonic() + self._timeout
        process = subprocess.Popen(
            words,
            cwd=folder,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        with process:
            try:
                tail = _tail(process, end)
                status = process.wait(max(end - time.monotonic(), 0))
            except (TimeoutError, subprocess.TimeoutExpired) as error:
                tail = error.args[0] if isinstance(error, TimeoutError) else b""
                status = None
            finally:
                _end(process)
        return status, _last_lines(tail, folder)


def _filled(word: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        word = word.replace(name, value)
    return word


def _tail(process: subprocess.Popen[bytes], end: float) -> bytes:
    """The last octets that *process* writes. Raises :class:`TimeoutError` with those that there are by *end*."""
    tail = b""
    stream = process.stdout
    if stream is None:
        raise ValueError("the process has no output")
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while True:
            if not selector.select(max(end - time.monotonic(), 0)):
                raise TimeoutError(tail)
            chunk = os.read(stream.fileno(), 65536)
            if not chunk:
                return tail
            tail = (tail + chunk)[-_KEPT_OCTETS:]
            if time.monotonic() > end:
                raise TimeoutError(tail)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End *process* and what it started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        process.kill()


def _last_lines(tail: bytes, folder: str) -> str:
    text = tail.decode("utf-8", "replace").replace(f"{folder}/", "")
    lines = ["".join(c if c.isprintable() else " " for c in line).strip() for line in text.splitlines()]
    kept = [line for line in lines if line][-_KEPT_LINES:]
    return f": {' | '.join(kept)}" if kept else ""
