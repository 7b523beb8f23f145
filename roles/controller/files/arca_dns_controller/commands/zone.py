# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""``arca-dns-controller zone``: check, sign, verify, compare and count zone files. No controller need run.

What the files hold is computed in :mod:`..zone_files`; here are options, output and exit statuses.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from arca_dns.dnssec.bind_keys import load_all
from arca_dns.dnssec.keystore import MemoryKeyStore
from arca_dns.dnssec.verifier import verify_zone
from arca_dns.errors import ArcaError, Place
from arca_dns.publish.head import HeadKey
from arca_dns.service import Service
from arca_dns.store.memory import MemoryStore
from arca_dns.zone import names
from arca_dns.zone.includes import Includes
from arca_dns.zone.text import ParsedZone, parse, render

from ..render import differences, pieces, rrset
from ..workers import Processes
from ..zone_files import Times, difference, moment, sign as sign_parsed, statistics, tree_of, write
from .progress import progress

STDIN = "-"
EXITS = "Exit status: 0 all is well, 1 a zone is bad, 2 wrong usage or a file that cannot be read."

FilesArgument = Annotated[list[str], typer.Argument(help="Zone files; - is standard input.", show_default=False)]
OriginOption = Annotated[str, typer.Option(help="The zone, where a file has neither a SOA with its name nor $ORIGIN.")]
IncludeOption = Annotated[
    Path | None,
    typer.Option(
        help="Let $INCLUDE read files inside this folder, where relative names begin. It is refused otherwise.",
        exists=True,
        file_okay=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, one object for each file.")]

app = typer.Typer(help="Zone files, with no controller running.", no_args_is_help=True, rich_markup_mode=None)


def _example(*lines: str) -> str:
    return "\b\nExamples:\n" + "\n".join(f"  arca-dns-controller zone {line}" for line in lines) + f"\n\n{EXITS}"


@app.command(epilog=_example("check example.com.zone", "check --json zones/*.zone", "check --origin example.com. -"))
def check(
    files: FilesArgument, origin: OriginOption = "", include_root: IncludeOption = None, as_json: JsonOption = False
) -> None:
    """Say everything that is wrong with zone files, as the controller would when they are written to it."""
    report = _Report(as_json)
    service = Service(MemoryStore(), MemoryKeyStore(), HeadKey.generate())
    try:
        for file in files:
            with report.of(file):
                parsed = _read(file, origin, include_root)
                plan = service.create_zone(
                    parsed.origin, parsed.rrsets, actor="check", lines=parsed.lines, dry_run=True
                ).plan
                report.warnings(file, plan.warnings)
                records = sum(map(len, parsed.rrsets))
                zone = names.to_text(parsed.origin)
                report.good(file, f"{zone} is good, {records} records", {"zone": zone, "records": records})
    finally:
        service.close()
    report.end()


@app.command(
    epilog=_example(
        "sign --keys keys/ example.com.zone > example.com.signed",
        "sign --keys Kexample.com.+013+12345.key --nsec3 --serial unixtime -o signed/ *.zone",
        "sign --keys keys/ --expiration +30d -o example.com.signed example.com.zone",
    )
)
def sign(
    files: FilesArgument,
    keys: Annotated[
        list[Path], typer.Option(help="A key file of BIND (.key or .private) or a folder of them; may be repeated.")
    ],
    origin: OriginOption = "",
    include_root: IncludeOption = None,
    nsec3: Annotated[bool, typer.Option("--nsec3", help="Deny with NSEC3 instead of NSEC.")] = False,
    salt: Annotated[str, typer.Option(help="NSEC3 salt, hexadecimal (RFC 9276 advises none).")] = "",
    iterations: Annotated[int, typer.Option(help="NSEC3 iterations (RFC 9276 advises 0).")] = 0,
    opt_out: Annotated[bool, typer.Option("--opt-out", help="NSEC3 opt-out for unsigned delegations.")] = False,
    zonemd: Annotated[bool, typer.Option("--zonemd", help="Add a digest over the whole zone (RFC 8976).")] = False,
    inception: Annotated[
        str, typer.Option(help="When signatures begin: YYYYMMDDHHMMSS, unix seconds, +1h or -1h from now.")
    ] = "-1h",
    expiration: Annotated[str, typer.Option(help="When signatures end, written alike.")] = "+30d",
    dnskey_ttl: Annotated[int, typer.Option(help="TTL of the DNSKEY RRset, in seconds.")] = 3600,
    serial: Annotated[str, typer.Option(help="keep, increment or unixtime.")] = "keep",
    output: Annotated[
        str, typer.Option("--output", "-o", help="A file, or for several zones a folder; standard output otherwise.")
    ] = STDIN,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON about each file; needs --output.")] = False,
) -> None:
    """Sign zone files with BIND's key files. DNSSEC records that stand in a file already are made anew.

    Files are replaced at once or not at all. CDS and CDNSKEY records of the file are kept.
    """
    if serial not in ("keep", "increment", "unixtime"):
        raise typer.BadParameter(f"{serial!r} is none of keep, increment, unixtime", param_hint="--serial")
    if (salt or iterations or opt_out) and not nsec3:
        raise typer.BadParameter("--salt, --iterations and --opt-out go with --nsec3")
    if len(files) > 1 and not Path(output).is_dir():
        raise typer.BadParameter("several zones need a folder that exists", param_hint="--output")
    if as_json and output == STDIN:
        raise typer.BadParameter("--json needs --output: standard output has the zone")
    now = int(time.time())
    try:
        times = Times(moment(inception, now), moment(expiration, now))
        policy = times.policy(
            denial="nsec3" if nsec3 else "nsec",
            nsec3_salt=salt,
            nsec3_iterations=iterations,
            nsec3_opt_out=opt_out,
            dnskey_ttl=dnskey_ttl,
            zonemd=zonemd,
        )
    except (ValueError, ArcaError) as error:
        raise typer.BadParameter(str(error)) from None
    report = _Report(as_json)
    for file in files:
        target = _target(file, output)
        with report.of(file):
            parsed = _read(file, origin, include_root)
            pairs = load_all(keys, parsed.origin)
            with progress(as_json) as say:
                signed = sign_parsed(parsed, pairs, policy, times, serial, now, workers=Processes(), progress=say)
            text = pieces(render(parsed.origin, signed.rrsets()))
            if target is None:
                for piece in text:
                    sys.stdout.buffer.write(piece)
                sys.stdout.buffer.flush()
                continue
            _write(target, text)
            zone, fields = names.to_text(parsed.origin), {"serial": signed.serial, "output": str(target)}
            report.good(file, f"{zone} is signed, serial {signed.serial}, in {target}", {"zone": zone, **fields})
    if output != STDIN:
        report.end()
    elif report.bad:
        raise typer.Exit(1)


def _target(file: str, output: str) -> Path | None:
    if output == STDIN:
        return None
    target = Path(output)
    if not target.is_dir():
        return target
    if file == STDIN:
        raise typer.BadParameter("standard input has no name to write to: give a file", param_hint="--output")
    return target / Path(file).name


def _write(target: Path, text: Iterable[bytes]) -> None:
    try:
        write(target, text)
    except OSError as error:
        raise typer.BadParameter(f"{target} cannot be written: {error.strerror}", param_hint="--output") from None


@app.command(epilog=_example("verify example.com.signed", "verify --at 20261231000000 *.signed", "verify --json -"))
def verify(
    files: FilesArgument,
    origin: OriginOption = "",
    include_root: IncludeOption = None,
    at: Annotated[
        str, typer.Option("--at", help="The time to verify at: YYYYMMDDHHMMSS, unix seconds, +1h or -1h from now.")
    ] = "+0",
    as_json: JsonOption = False,
) -> None:
    """Verify signed zones: every signature, the DNSKEY RRset, the whole chain of denial, nothing missing or stray."""
    try:
        when = moment(at, int(time.time()))
    except ArcaError as error:
        raise typer.BadParameter(error.message, param_hint="--at") from None
    report = _Report(as_json)
    for file in files:
        with report.of(file):
            parsed = _read(file, origin, include_root)
            zone = names.to_text(parsed.origin)
            tree = tree_of(parsed)
            with progress(as_json) as say:
                verify_zone(tree, when, workers=Processes(), progress=say)
            counted = tree.stats()
            report.good(file, f"{zone} verifies, {counted.records} records", {"zone": zone, "records": counted.records})
    report.end()


@app.command(epilog=_example("diff old.zone new.zone", "diff --signed --json old.signed new.signed"))
def diff(
    before: Annotated[str, typer.Argument(help="The older zone file; - is standard input.", show_default=False)],
    after: Annotated[str, typer.Argument(help="The newer zone file.", show_default=False)],
    origin: OriginOption = "",
    include_root: IncludeOption = None,
    signed: Annotated[bool, typer.Option("--signed", help="Compare DNSSEC records too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show in which RRsets two zone files differ; exit 1 if they do."""
    report = _Report(as_json)
    zones = []
    for file in (before, after):
        with report.of(file):
            zones.append(_read(file, origin, include_root))
    report.end(silent_json=True)
    found = list(difference(*zones, signed=signed))
    if as_json:
        typer.echo(json.dumps(differences(found)))
    else:
        for one in found:
            for sign, side in (("-", one.before), ("+", one.after)):
                for line in () if side is None else _lines(rrset(side)):
                    typer.echo(f"{sign} {line}")
    if found:
        raise typer.Exit(1)


def _lines(item: dict[str, Any]) -> Iterator[str]:
    return (f"{item['name']} {item['ttl']} IN {item['type']} {value}" for value in item["values"])


@app.command(epilog=_example("stats example.com.zone", "stats --json zones/*.zone"))
def stats(
    files: FilesArgument, origin: OriginOption = "", include_root: IncludeOption = None, as_json: JsonOption = False
) -> None:
    """Count what zone files hold: records by type, names, delegations, TTLs, sizes, the first signature to expire."""
    report = _Report(as_json)
    for file in files:
        with report.of(file):
            counted = statistics(_read(file, origin, include_root))
            lines = [f"{name.replace('_', ' ')}: {_shown(value)}" for name, value in counted.items()]
            report.good(file, "\n  ".join(["", *lines]).lstrip("\n"), counted)
    report.end()


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {count}" for name, count in value.items()) or "none"
    return "none" if value is None else str(value)


# -- shared -----------------------------------------------------------------------------------


def _read(file: str, origin: str, include_root: Path | None) -> ParsedZone:
    """The zone in *file*."""
    try:
        data = sys.stdin.buffer.read() if file == STDIN else Path(file).read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be read: {error.strerror}") from None
    name = names.from_text(origin if origin.endswith(".") else f"{origin}.") if origin else None
    return parse(data, name, includes=None if include_root is None else Includes(include_root))


class _Report:
    """What is said of files: lines for people, or objects for scripts."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._objects: list[dict[str, Any]] = []
        self._warnings: list[dict[str, Any]] = []
        self.bad = False

    @contextmanager
    def of(self, file: str) -> Iterator[None]:
        """Turn an error about *file* into lines; the files behind it still get their turn."""
        self._warnings = []
        try:
            yield
        except ArcaError as error:
            self.bad = True
            if self._as_json:
                errors = [_place(place) for place in error.places] or [{"message": error.message}]
                self._add({"file": file, "good": False, "message": error.message, "errors": errors})
                return
            for place in error.places:
                typer.echo(f"{file}: {place}", err=True)
            typer.echo(f"{file}: {error.message}", err=True)

    def warnings(self, file: str, found: Iterable[str]) -> None:
        """Say warnings about *file*."""
        for warning in found:
            self._warnings.append({"message": warning})
            if not self._as_json:
                typer.echo(f"{file}: warning: {warning}", err=True)

    def good(self, file: str, text: str, fields: dict[str, Any]) -> None:
        """Say that *file* is good: *text* to people, *fields* to scripts."""
        if self._as_json:
            self._add({"file": file, "good": True, **fields})
        else:
            typer.echo(f"{file}: {text}")

    def _add(self, item: dict[str, Any]) -> None:
        if self._warnings:
            item["warnings"] = self._warnings
        self._objects.append(item)

    def end(self, *, silent_json: bool = False) -> None:
        """Print what is left, and exit 1 if a file was bad."""
        if self._as_json and (self.bad or not silent_json):
            typer.echo(json.dumps(self._objects, indent=2))
        if self.bad:
            raise typer.Exit(1)


def _place(place: Place) -> dict[str, Any]:
    fields = {"message": place.message, "line": place.line, "column": place.column}
    return {name: value for name, value in fields.items() if value is not None}
