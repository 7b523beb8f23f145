# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The remote repository: fetching its branch, and pushing ours in the background. Never with force.

What the two sides have in common is :mod:`.merge`'s business.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from ..._deps import dulwich
from ...config import Secret
from ...errors import ConfigError, Place, StoreError, StoreUnavailable
from .repository import is_ancestor

_SCHEMES = ("file", "http", "https")
_TIMEOUT_SECONDS = 60.0
_RETRY_SECONDS = 30.0
_CLOSE_SECONDS = 30.0


class Diverged(StoreError):
    """The remote's branch holds commits that are not merged yet: pull, then push again."""

    code = "diverged"


class Remote:
    """The repository at *url*: a path, or a URL of file, http or https (which may hold user and password).

    Each call opens the local repository at *path* for itself, so it may run beside the store's threads.
    """

    def __init__(self, path: Path, branch: str, url: Secret) -> None:
        text = url.reveal()
        parts = urlsplit(text)
        if not text.startswith("/") and (parts.scheme not in _SCHEMES or not (parts.path or parts.netloc)):
            message = f"must be an absolute path or a URL of {', '.join(_SCHEMES)} (SSH is not supported)"
            raise ConfigError("the backend's options are wrong", [Place(message, pointer="backend.git.remote")])
        self._path = path
        self._branch = f"refs/heads/{branch}".encode()
        self._tracking = f"refs/remotes/origin/{branch}".encode()
        self._url = text
        self._secrets = [part for part in (parts.password, parts.username) if part]
        #: The URL without user and password.
        self.shown = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))

    def fetch(self) -> bytes | None:
        """The commit of the remote's branch, fetched with all it needs; ``None`` if there is no such branch.

        Raises :class:`StoreUnavailable`.
        """

        def wants(refs: Mapping[Any, Any], depth: int | None = None) -> list[Any]:
            found = refs.get(self._branch)
            return [] if found is None or found in repo.object_store else [found]

        try:
            with closing(self._open()) as repo:
                client, path = self._client()
                found: bytes | None = client.fetch(path, repo, determine_wants=wants).refs.get(self._branch)
                if found is not None:
                    repo.refs[self._tracking] = found  # so that no `git gc` takes it away
                return found
        except Exception as error:  # dulwich and urllib3 have no common one
            raise self._problem("cannot be fetched from", error) from None

    def push(self, head: bytes) -> None:
        """Let the remote's branch be *head*. Raises :class:`Diverged` or :class:`StoreUnavailable`."""

        def update(refs: Mapping[Any, Any]) -> dict[Any, Any]:
            old = refs.get(self._branch)
            if old is not None and (old not in repo.object_store or not is_ancestor(repo, old, head)):
                raise Diverged(
                    f"the remote {self.shown} has commits that are not merged here (its branch is at"
                    f" {old.decode()[:12]}): nothing was pushed; auto_pull merges them"
                )
            return {self._branch: head}

        try:
            with closing(self._open()) as repo:
                client, path = self._client()
                result = client.send_pack(path, update, generate_pack_data=repo.generate_pack_data)
                refused = (result.ref_status or {}).get(self._branch)
        except Diverged:
            raise
        except Exception as error:  # as above
            raise self._problem("cannot be pushed to", error) from None
        if refused:
            raise StoreUnavailable(f"the remote {self.shown} refused the push: {refused}")

    def _open(self) -> Any:
        return dulwich.repo.Repo(str(self._path))

    def _client(self) -> tuple[Any, str]:
        config = dulwich.config.ConfigDict()
        config.set((b"http",), b"timeout", str(_TIMEOUT_SECONDS).encode())
        client, path = dulwich.client.get_transport_and_path(self._url, config=config, quiet=True)
        return client, path

    def _problem(self, what: str, error: Exception) -> StoreUnavailable:
        text = str(error) or type(error).__name__
        text = text.replace(self._url, self.shown)
        for secret in self._secrets:
            text = text.replace(secret, "…")
        return StoreUnavailable(f"the remote {self.shown} {what}: {text}")


class Pusher:
    """Pushes what *head* says in a thread of its own, once for all commits that came meanwhile; tries again later."""

    def __init__(self, remote: Remote, head: Callable[[], bytes], clock: Callable[[], float] = time.time) -> None:
        self._remote = remote
        self._head = head
        self._clock = clock
        self._wake = threading.Condition()
        self._wanted = False
        self._now = False
        self._closing = False
        self._thread: threading.Thread | None = None
        #: Why the last push failed, ``None`` if it did not.
        self.problem: str | None = None
        #: When the last push succeeded, in unix seconds.
        self.pushed: float | None = None

    def wake(self, *, now: bool = False) -> None:
        """There is something to push; *now* ends the pause after a failure: what stood against the push may be gone."""
        with self._wake:
            self._wanted = True
            self._now = self._now or now
            if self._thread is None and not self._closing:
                self._thread = threading.Thread(target=self._run, name="git-push", daemon=True)
                self._thread.start()
            self._wake.notify_all()

    def close(self) -> None:
        """Push what waits, once more, and end."""
        with self._wake:
            self._closing = True
            self._wake.notify_all()
        if self._thread is not None:
            self._thread.join(_CLOSE_SECONDS)

    def _run(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._wanted or self._closing)
                if not self._wanted:
                    return
                self._wanted = self._now = False
            if not self._push():
                with self._wake:
                    self._wanted = not self._closing
                    # A commit does not shorten the pause: a remote that is down is asked now and then.
                    self._wake.wait_for(lambda: self._closing or self._now, _RETRY_SECONDS)

    def _push(self) -> bool:
        try:
            self._remote.push(self._head())
        except StoreError as error:
            self.problem = str(error)
            return False
        self.problem, self.pushed = None, self._clock()
        return True
