# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""``arca-dns-controller import``: zones from zone files, a BIND configuration, or a running server."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from arca_dns.documents import ZoneSettings
from arca_dns.errors import AlreadyExists, ArcaError, InputError, NotFound
from arca_dns.service import Outcome, Service
from arca_dns.zone import named_conf, names, rr
from arca_dns.zone.includes import Includes
from arca_dns.zone.text import parse

from ..config import read
from ..wiring import open_service
from .axfr import key_of, transfer
from .migrate import JsonOption
from .progress import Say, progress
from .shared import DEFAULT_CONFIG, ConfigOption, fail, one_line

_ACTOR = "import"
_ENCODED = re.compile(r"%([0-9A-Fa-f]{2})")
_DNS_PORT = 53


class OnExisting(StrEnum):
    """What to do with a zone that the controller has already."""

    FAIL = "fail"
    SKIP = "skip"
    REPLACE = "replace"


@dataclass(frozen=True, slots=True)
class Content:
    """A zone as it was read."""

    name: bytes
    rrsets: Sequence[rr.RRset]
    lines: Mapping[tuple[bytes, int], int] | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """Where a zone comes from, and what reads it; read once to be checked and once more to be written."""

    source: str
    load: Callable[[], Content]


@dataclass(slots=True)
class Result:
    """What becomes of one zone: *action* is create, replace, unchanged, skip or fail."""

    source: str
    zone: str = ""
    action: str = "fail"
    records: int = 0
    added: int = 0
    removed: int = 0
    changed: int = 0
    serial: int | None = None
    version: str | None = None
    written: bool = False
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def import_zones(
    source: Annotated[
        Path | None, typer.Argument(help="A folder with zone files (*.zone), a zone file, or a named.conf.")
    ] = None,
    axfr: Annotated[str | None, typer.Option(help="A server to transfer zones from: HOST or HOST:PORT.")] = None,
    zone: Annotated[list[str] | None, typer.Option(help="A zone to transfer; may be given several times.")] = None,
    tsig_key: Annotated[
        Path | None, typer.Option("--tsig-key", help="A key file for transfers, as tsig-keygen writes it.")
    ] = None,
    on_existing: Annotated[OnExisting, typer.Option(help="What to do with zones that exist.")] = OnExisting.FAIL,
    include_root: Annotated[
        Path | None,
        typer.Option(
            help="Let $INCLUDE read files inside this folder, where relative names begin. It is refused otherwise.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    strip_dnssec: Annotated[
        bool, typer.Option("--strip-dnssec", help="Leave out signatures and keys of zones that come signed.")
    ] = False,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Write the good zones even if others are wrong; exit 1 all the same.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace zones even where most of their records go.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done; write nothing.")] = False,
    reason: Annotated[str, typer.Option(help="Why; kept with each version.")] = "",
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Import zones: all are checked first, and nothing is written if any of them is wrong."""
    with one_line():
        others: Sequence[tuple[str, str]] = ()
        if axfr is not None:
            if source is not None or include_root is not None or not zone:
                raise fail("--axfr takes no folder or file, and at least one --zone")
            candidates = _from_server(axfr, zone, tsig_key)
        elif source is None or zone or tsig_key:
            raise fail("name a folder, a zone file or a named.conf; or --axfr with --zone and perhaps --tsig-key")
        else:
            candidates, others = _from_path(source, None if include_root is None else Includes(include_root))
        settings = read(config)
        with closing(open_service(settings)) as service, progress(as_json) as say:
            work = _Work(service, settings.dnssec.enabled, on_existing, strip_dnssec, force, reason)
            results = work.run(candidates, keep_going, dry_run, say)
    _tell(results, others, dry_run, as_json)
    if any(result.problems for result in results):
        raise typer.Exit(1)


def _from_path(path: Path, includes: Includes | None) -> tuple[list[Candidate], Sequence[tuple[str, str]]]:
    if path.is_dir():
        files = sorted(path.glob("*.zone"))
        if not files:
            raise NotFound(f"there is no file *.zone in {path}")
        return [Candidate(str(file), partial(_load, file, None, includes)) for file in files], ()
    if path.suffix != ".conf" and not path.name.startswith("named.conf"):
        return [Candidate(str(path), partial(_load, path, None, includes))], ()
    found = named_conf.read_zones(path)
    if not found.zones:
        raise NotFound(f"{path} has no zone of type primary")
    return [Candidate(str(one.file), partial(_load, one.file, one.name, includes)) for one in found.zones], found.others


def _load(file: Path, origin: bytes | None, includes: Includes | None) -> Content:
    journal = file.with_name(f"{file.name}.jnl")
    if journal.exists():
        raise InputError(
            f"named keeps changes in {journal} that the file may lack: run 'rndc sync -clean' on that server first"
        )
    try:
        body = file.read_bytes()
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}") from None
    parsed = parse(body, origin or origin_of(body, file), includes=includes)
    return Content(parsed.origin, parsed.rrsets, parsed.lines)


def origin_of(body: bytes, file: Path) -> bytes | None:
    """The zone as the file's name says it, unless an ``$ORIGIN`` stands before the first record: then ``None``."""
    for line in body.splitlines():
        words = line.split(b";")[0].split()
        if not words:
            continue
        if words[0].upper() == b"$ORIGIN":
            return None
        if not words[0].startswith(b"$"):
            break
    stem = _ENCODED.sub(lambda match: f"\\{int(match[1], 16):03}", file.stem)
    return names.from_text(stem, names.ROOT)


def _from_server(server: str, zones: Iterable[str], key_file: Path | None) -> list[Candidate]:
    address = _address(server)
    key = None if key_file is None else key_of(named_conf.read_key(key_file))

    def load(name: bytes) -> Content:
        if name not in held:
            held[name] = Content(name, transfer(address, name, key))
        return held[name]

    held: dict[bytes, Content] = {}
    wanted = [names.from_text(zone, names.ROOT) for zone in zones]
    return [Candidate(f"{names.to_text(name)} at {server}", partial(load, name)) for name in dict.fromkeys(wanted)]


def _address(server: str) -> tuple[str, int]:
    host, colon, port = server.rpartition(":")
    if not colon or (":" in host and not host.startswith("[")):
        host, port = server, str(_DNS_PORT)
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise InputError(f"{server!r} is no server: write HOST or HOST:PORT, IPv6 addresses with a port as [::1]:53")
    return host.removeprefix("[").removesuffix("]"), int(port)


class _Work:
    """Checks all candidates, then writes them."""

    def __init__(
        self, service: Service, dnssec: bool, on_existing: OnExisting, strip: bool, force: bool, reason: str
    ) -> None:
        self._service = service
        self._settings = ZoneSettings(dnssec=dnssec)
        self._on_existing = on_existing
        self._strip = strip
        self._force = force
        self._reason = reason
        self._seen: dict[bytes, str] = {}

    def run(self, candidates: Sequence[Candidate], keep_going: bool, dry_run: bool, say: Say) -> list[Result]:
        results: list[Result] = []
        for number, candidate in enumerate(candidates):
            say(f"checking {candidate.source}", number, len(candidates))
            results.append(self._try(candidate, Result(candidate.source), dry_run=True))
        if dry_run or (any(result.problems for result in results) and not keep_going):
            return results
        for number, (candidate, result) in enumerate(zip(candidates, results, strict=True)):
            if result.problems or result.action not in ("create", "replace"):
                continue
            say(f"writing {result.zone}", number, len(candidates))
            self._try(candidate, result, dry_run=False)
            if result.problems and not keep_going:
                break
        return results

    def _try(self, candidate: Candidate, result: Result, *, dry_run: bool) -> Result:
        try:
            content = candidate.load()
            result.zone = names.to_text(content.name)
            first = self._seen.setdefault(content.name, candidate.source)
            if first != candidate.source:
                raise InputError(f"zone {result.zone} comes from {first} already")
            outcome = self._apply(content, result, dry_run)
        except ArcaError as error:
            result.action = "fail"
            result.problems = [error.message, *map(str, error.places)]
            return result
        if outcome is not None:
            _take(result, outcome, dry_run)
        return result

    def _apply(self, content: Content, result: Result, dry_run: bool) -> Outcome | None:
        rrsets = self._unsigned(content, result, dry_run)
        result.records = sum(map(len, rrsets))
        try:
            held = self._service.zone(content.name)
        except NotFound:
            result.action = "create"
            return self._service.create_zone(
                content.name,
                rrsets,
                actor=_ACTOR,
                reason=self._reason,
                settings=self._settings,
                lines=content.lines,
                dry_run=dry_run,
            )
        if self._on_existing is OnExisting.SKIP:
            result.action = "skip"
            return None
        if self._on_existing is OnExisting.FAIL:
            raise AlreadyExists(
                f"zone {result.zone} exists: --on-existing=skip leaves it, --on-existing=replace changes it"
            )
        outcome = self._service.replace_zone(
            content.name,
            rrsets,
            if_version=held.source.version,
            actor=_ACTOR,
            reason=self._reason,
            lines=content.lines,
            dry_run=dry_run,
            force=self._force,
        )
        if outcome.plan.refusals and not self._force:
            raise InputError(f"refused: {'; '.join(outcome.plan.refusals)}; if this is meant, repeat it with --force")
        result.action = "replace" if outcome.changed else "unchanged"
        return outcome

    def _unsigned(self, content: Content, result: Result, dry_run: bool) -> Sequence[rr.RRset]:
        types = sorted({rrset.rdtype for rrset in content.rrsets} & rr.SIGNER_TYPES)
        if not types:
            return content.rrsets
        said = ", ".join(map(rr.type_text, types))
        if not self._strip:
            raise InputError(
                f"zone {result.zone} comes with DNSSEC records ({said}), which the controller makes itself:"
                " --strip-dnssec leaves them out"
            )
        if dry_run:
            result.notes.append(
                f"left out {said}; the controller signs with keys of its own: a DS at the parent must follow them"
            )
        return [rrset for rrset in content.rrsets if rrset.rdtype not in rr.SIGNER_TYPES]


def _take(result: Result, outcome: Outcome, dry_run: bool) -> None:
    diffs = outcome.plan.diffs
    result.added = sum(diff.before is None for diff in diffs)
    result.removed = sum(diff.after is None for diff in diffs)
    result.changed = len(diffs) - result.added - result.removed
    result.serial, result.version, result.written = outcome.serial, outcome.version, outcome.applied
    if dry_run:
        result.notes += outcome.plan.warnings
    elif not outcome.published:
        result.notes.append(f"written, but not published yet: {outcome.problem}")


def _tell(results: Sequence[Result], others: Sequence[tuple[str, str]], dry_run: bool, as_json: bool) -> None:
    failed = sum(bool(result.problems) for result in results)
    written = sum(result.written for result in results)
    if as_json:
        said = {"dry_run": dry_run, "zones": [asdict(result) for result in results], "written": written}
        typer.echo(json.dumps({**said, "failed": failed, "not_imported": [list(other) for other in others]}))
        return
    for result in results:
        for note in result.notes:
            typer.echo(f"{result.source}: note: {note}", err=True)
        for problem in result.problems:
            typer.echo(f"{result.source}: {problem}", err=True)
        if not result.problems and (dry_run or result.written or result.action in ("skip", "unchanged")):
            typer.echo(f"{result.zone}: {_words(result, dry_run)}")
    for name, kind in others:
        typer.echo(f"{name}: not imported, its type is {kind or 'missing'}", err=True)
    typer.echo(
        f"{written} of {len(results)} zones written, {failed} wrong"
        + (", nothing was written: repeat it without --dry-run" if dry_run else "")
        + (", nothing was written" if failed and not written and not dry_run else "")
    )


def _words(result: Result, dry_run: bool) -> str:
    words = {
        "create": f"{'to be created' if dry_run else 'created'}, {result.records} records, serial {result.serial}",
        "replace": f"{'to be replaced' if dry_run else 'replaced'}, {result.added} RRsets added,"
        f" {result.changed} changed, {result.removed} removed, serial {result.serial}",
        "skip": "exists, left as it is",
        "unchanged": "exists with this content",
    }
    return words[result.action]
