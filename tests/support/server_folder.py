# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What database servers that refuse to run as root need: another user, and a folder that this user can reach."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import weakref
from contextlib import suppress
from pathlib import Path


class Unprivileged:
    """Runs a server's programs as the user who runs the tests, or as ``nobody`` for root.

    pytest's folders are closed to others, so for root the server's files are in a folder of their own under /tmp,
    which goes with this object; *folder* then links to it. *disk* is a file system for them.
    """

    def __init__(self, folder: Path, disk: Path | None = None) -> None:
        self._user: dict[str, str | int] = {}
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            self._user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": ()}  # type: ignore[dict-item]
            self.folder = Path(tempfile.mkdtemp(prefix="arca-server-", dir=disk))
            os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
            (folder / "files").symlink_to(self.folder)
            weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)

    def own(self, *files: Path) -> None:
        """Give *files* to the server's user."""
        if self._user:
            for file in files:
                os.chown(file, int(self._user["user"]), int(self._user["group"]))

    def run(self, *command: str) -> None:
        """Run *command* to its end; what it says is in the error if it fails."""
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, **self._user)  # type: ignore[call-overload]
        assert done.returncode == 0, f"{command[0]} failed: {done.stdout}{done.stderr}"

    def spawn(self, *command: str) -> subprocess.Popen[bytes]:
        """Start *command*; its output goes to ``output`` in the folder."""
        with open(self.folder / "output", "ab") as output:
            return subprocess.Popen(  # type: ignore[call-overload,no-any-return]
                command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output, **self._user
            )

    def output(self) -> str:
        """What the servers said."""
        path = self.folder / "output"
        return path.read_text(errors="replace") if path.exists() else ""


def free_tcp_port() -> int:
    """A port that is free on loopback at this moment."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def kill_all(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL for *process* and its children, without a moment in which it could start more of them.

    None of them is left at the end: until a process is gone it holds files and memory that the next server wants.
    """
    process.send_signal(signal.SIGSTOP)
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    children = [int(pid) for pid in listed]
    for pid in children:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.kill()
    process.wait()
    deadline = time.monotonic() + 60
    while any(_runs(pid) for pid in children):
        assert time.monotonic() < deadline, f"children of {process.args!r} survive SIGKILL"
        time.sleep(0.005)


def _runs(pid: int) -> bool:
    """Whether the process is there and is more than what its parent has not asked for yet."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"
