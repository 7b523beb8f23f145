# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""A real etcd of one member in a folder of its own, on loopback."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from certificates import Authority
from server_folder import Unprivileged, free_tcp_port, kill_all


class RunningEtcd:
    """etcd, to be stopped, killed and started. *quota* is its space in octets."""

    def __init__(self, folder: Path, disk: Path | None = None, *, quota: int = 0) -> None:
        self._system = Unprivileged(folder, disk)
        self.folder = self._system.folder
        self.data = self.folder / "data"
        self.port = free_tcp_port()
        self._peer = free_tcp_port()
        self._quota = quota
        self._tls: tuple[Path, Path, Path] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._stores = 0
        self._guarded = False

    @property
    def url(self) -> str:
        """Where it takes requests."""
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start, and wait until it takes writes."""
        peer = f"http://127.0.0.1:{self._peer}"
        command = [
            *(self._binary(), "--name", "one", "--data-dir", str(self.data), "--logger", "zap"),
            *("--listen-client-urls", self.url, "--advertise-client-urls", self.url),
            *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"one={peer}"),
            *("--heartbeat-interval", "50", "--election-timeout", "500", "--log-level", "error"),
        ]
        if self._quota:
            command += ["--quota-backend-bytes", str(self._quota)]
        if self._tls is not None:
            certificate, key, authority = map(str, self._tls)
            command += ["--cert-file", certificate, "--key-file", key, "--client-cert-auth"]
            command += ["--trusted-ca-file", authority]
        self._process = self._system.spawn(*command)
        deadline = time.monotonic() + 60
        while not self._answers():
            assert self._process.poll() is None, self._system.output()
            assert time.monotonic() < deadline, self._system.output()
            time.sleep(0.02)

    def start_with_users(self) -> None:
        """Start a server that asks everybody for a user: it answers with a refusal when it is up."""
        self._guarded = True
        self.start()

    def alive(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Stop, as a system that shuts down would."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(60)
            self._process = None

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            kill_all(self._process)
            self._process = None

    def use_tls(self, authority: Authority) -> None:
        """Speak TLS from the next start on, and demand a client's certificate."""
        copies = []
        for file in (*authority.issue("etcd", "127.0.0.1"), authority.ca_file):
            copy = self.folder / file.name
            copy.write_bytes(file.read_bytes())
            copy.chmod(0o600)
            self._system.own(copy)
            copies.append(copy)
        self._tls = (copies[0], copies[1], copies[2])

    def options(self) -> dict[str, object]:
        """The backend's options for a new, empty store."""
        self._stores += 1
        return {"endpoints": [self.url], "prefix": f"/arca-{self._stores}"}

    def control(self, *arguments: str) -> str:
        """Run etcdctl; returns what it says."""
        program = shutil.which("etcdctl")
        if program is None:
            pytest.fail("etcdctl is missing: apt-get install etcd-client")
        done = subprocess.run(
            [program, "--endpoints", self.url, *arguments],
            capture_output=True,
            text=True,
            env={"ETCDCTL_API": "3", "PATH": "/usr/bin:/bin"},
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def ask(self, path: str, body: dict[str, object]) -> dict[str, object]:
        """A request to the gateway, without TLS."""
        request = urllib.request.Request(f"{self.url}{path}", json.dumps(body).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=5) as response:
            answer: dict[str, object] = json.load(response)
        return answer

    def _binary(self) -> str:
        found = shutil.which("etcd")
        if found is None:
            pytest.fail("etcd is missing: apt-get install etcd-server")
        return found

    def _answers(self) -> bool:
        if self._tls is not None:  # it answers nobody without a certificate: that it listens has to do
            import socket

            with socket.socket() as probe:
                probe.settimeout(1)
                return probe.connect_ex(("127.0.0.1", self.port)) == 0
        try:
            self.ask("/v3/kv/range", {"key": "AA=="})
        except urllib.error.HTTPError as error:
            error.close()
            return self._guarded
        except (urllib.error.URLError, OSError):
            return False
        return True
