# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""``arca-dns-controller fsck``: whether the backend holds what it should, and the repair of what it does not."""

from __future__ import annotations

import json
import tempfile
import time
import zipfile
from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Annotated, cast

import typer

from arca_dns.errors import (
    ArcaError,
    ConfigError,
    InputError,
    IntegrityError,
    KeyUnavailable,
    NotFound,
    StoreUnavailable,
)
from arca_dns.fsck.check import check as check_store
from arca_dns.fsck.findings import Finding, Report
from arca_dns.fsck.repair import Copy, copy_of_archive, repair as repair_store
from arca_dns.moving.archive import Archive
from arca_dns.publish.head import HeadKey
from arca_dns.publish.publisher import Publisher
from arca_dns.store.git import GitStore
from arca_dns.store.git.mend import Broken, mend, survey
from arca_dns.store.git.open import open_git
from arca_dns.zone import names

from ..config import Backend, ControllerConfig, read
from ..wiring import open_service
from .migrate import JsonOption, opened, teller, where
from .progress import progress
from .shared import DEFAULT_CONFIG, ConfigOption

EXITS = (
    "Exit status: 0 nothing is damaged, or all that was is repaired; 1 damage is left; 2 it could not be looked at, or"
    " wrong usage."
)


def fsck(
    config: ConfigOption = DEFAULT_CONFIG,
    zone: Annotated[str, typer.Option(help="Look at this zone alone.", show_default=False)] = "",
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Repair what can be repaired; zones may be signed and published again for it."),
    ] = False,
    from_: Annotated[
        list[Path] | None,
        typer.Option("--from", help="With --repair: a backup, or the configuration of another backend, to copy from."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Look for damage in the backend: every tree node is hashed, every document compared with the others.

    Reads only, and may run beside controllers; so may a repair.
    """
    try:
        if from_ and not repair:
            raise InputError("--from is for --repair: without it nothing is written")
        settings = read(config)
        report, notes = _run(settings, zone, from_ or [], wants_repair=repair, quiet=as_json)
    except ArcaError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    if as_json:
        typer.echo(json.dumps(_as_json(report, notes)))
    else:
        _print(report, notes)
    if report.damage:
        raise typer.Exit(1)


def _run(
    settings: ControllerConfig, zone: str, sources: list[Path], *, wants_repair: bool, quiet: bool
) -> tuple[Report, list[str]]:
    _exists(settings.backend)
    notes: list[str] = []
    name = names.from_text(zone) if zone else None
    head_keys = _head_keys(settings, notes)
    with ExitStack() as stack:
        objects, copies = _objects(stack, notes, settings.backend, sources if wants_repair else None)
        if any(finding.repaired is None for finding in objects):
            return Report(tuple(objects), {}, 0, 0, 0), notes
        store = stack.enter_context(opened(settings))
        tell = teller(stack.enter_context(progress(quiet)))

        def look() -> Report:
            return check_store(store, now=time.time(), keys=head_keys, zone=name, tell=tell)

        report = look()
        if report.documents == 0 and zone:
            raise NotFound(f"the backend holds nothing of a zone {names.to_text(name or b'')}")
        if wants_repair and report.damage:
            copies = [_copy(stack, settings, path) for path in sources] + copies
            report = repair_store(store, look, copies=copies, publisher=_publisher(stack, settings, notes))
        return replace(report, findings=(*objects, *report.findings)), notes


def _exists(backend: Backend) -> None:
    # Opening these makes them, for whoever runs this command: the controller may be somebody else.
    path = {"sqlite": backend.sqlite.path, "git": backend.git.path}.get(backend.type)
    if path is not None and not Path(path).exists():
        raise NotFound(f"there is no {backend.type} backend at {path}")


def _head_keys(settings: ControllerConfig, notes: list[str]) -> list[bytes]:
    try:
        return [HeadKey.load(Path(settings.publish.head_key_file)).public]
    except KeyUnavailable as error:
        notes.append(f"the signature of the head was not looked at: {error}")
        return []


def _publisher(stack: ExitStack, settings: ControllerConfig, notes: list[str]) -> Publisher | None:
    try:
        return stack.enter_context(closing(open_service(settings))).publisher
    except KeyUnavailable as error:
        notes.append(f"nothing can be signed again: {error}")
        return None


def _copy(stack: ExitStack, settings: ControllerConfig, path: Path) -> Copy:
    """A backup or another backend as a place to copy from."""
    try:
        if zipfile.is_zipfile(path):
            return copy_of_archive(str(path), Archive(stack.enter_context(path.open("rb")), str(path)))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    other = read(path)
    name = where(other.backend)
    if name == where(settings.backend):
        raise ConfigError(f"{path} names the backend that is to be repaired: {name}")
    _exists(other.backend)
    return Copy(name, stack.enter_context(opened(other)).read_blobs)


def _objects(
    stack: ExitStack, notes: list[str], backend: Backend, sources: list[Path] | None
) -> tuple[list[Finding], list[Copy]]:
    """Of a repository: its objects that cannot be read, repaired where there are *sources*; and its remote's copy."""
    if backend.type != "git":
        return [], []
    path, branch = Path(backend.git.path), backend.git.branch
    broken = survey(path, branch)
    done: list[Broken] = []
    remote = _Clone(stack, notes, backend)
    if broken and sources is not None:
        others = [read(source).backend for source in sources if not zipfile.is_zipfile(source)]
        for other in others:
            _exists(other)
        donors = [_Clone(stack, notes, other, Path(other.git.path)) for other in others]
        done = mend(path, branch, [donor.item for donor in (*donors, remote) if donor.there])
    findings = [
        Finding(
            "damaged-object",
            one.sha,
            f"the Git object of {one.path or 'the head'} cannot be read",
            "the controller does not start, or cannot read and write what is in it",
            "run 'arca-dns-controller fsck --repair' with a remote, or with --from and the configuration of a clone;"
            " else restore a backup",
            repaired="from another repository" if one in done else None,
        )
        for one in dict.fromkeys((*broken, *done))
    ]
    return findings, [Copy("the remote repository", remote.read_blobs)] if remote.there else []


class _Clone:
    """Another repository: the remote's content, fetched when it is first asked; or the one at *path*."""

    def __init__(self, stack: ExitStack, notes: list[str], backend: Backend, path: Path | None = None) -> None:
        self._stack = stack
        self._notes = notes
        self._options = backend.git
        self._path = path
        self._store: GitStore | None = None
        self.there = backend.type == "git" and (path is not None or backend.git.remote is not None)

    def read_blobs(self, digests: list[str]) -> Mapping[str, bytes]:
        """Tree nodes by their digests; none while the repository cannot be had."""
        try:
            return self._opened().read_blobs(digests)
        except StoreUnavailable as error:
            self._say(error)
            return {}

    def item(self, sha: bytes) -> object:
        """A Git object, or ``None``."""
        try:
            with self._opened().opened() as (repository, _head):
                return cast(object, repository.read(sha))
        except IntegrityError:
            return None
        except StoreUnavailable as error:
            self._say(error)
            return None

    def _say(self, error: StoreUnavailable) -> None:
        if error.message not in self._notes:
            self._notes.append(error.message)

    def _opened(self) -> GitStore:
        if self._store is None:
            path, remote = self._path, None
            if path is None:
                path = Path(self._stack.enter_context(tempfile.TemporaryDirectory())) / "clone.git"
                remote = self._options.remote
            made = open_git(str(path), branch=self._options.branch, remote=remote)
            self._store = self._stack.enter_context(closing(made))
        return self._store


def _as_json(report: Report, notes: list[str]) -> dict[str, object]:
    return {
        "documents": report.documents,
        "blobs": report.blobs,
        "octets": report.octets,
        "damage": len(report.damage),
        "repaired": sum(1 for finding in report.findings if finding.repaired is not None),
        "findings": [finding.to_json() for finding in report.findings],
        "notes": notes,
    }


def _print(report: Report, notes: list[str]) -> None:
    for finding in report.findings:
        for line in _lines(finding):
            typer.echo(line)
    for note in notes:
        typer.echo(f"note: {note}", err=True)
    looked = f"looked at {report.documents} documents and {report.blobs} blobs ({report.octets >> 20} MiB)"
    repaired = sum(1 for finding in report.findings if finding.repaired is not None)
    left = len(report.damage)
    says = f"{left} damaged" if left else "nothing is damaged"
    typer.echo(f"{looked}: {says}" + (f", {repaired} repaired" if repaired else ""))


def _lines(finding: Finding) -> list[str]:
    kind = "repaired" if finding.repaired is not None else "damage" if finding.damage else "note"
    lines = [f"{kind}: {finding.subject}: {finding.problem}"]
    if finding.zone:
        lines.append(f"  zone: {finding.zone}" + (f", {finding.owners}" if finding.owners else ""))
    if finding.needs:
        lines.append("  needed by: " + "; ".join(map(str, finding.needs)))
    if finding.repaired is not None:
        return [*lines, f"  repaired: {finding.repaired}"]
    lines += [f"  means: {finding.means}"] if finding.means else []
    return lines + ([f"  do: {finding.todo}"] if finding.todo else [])
