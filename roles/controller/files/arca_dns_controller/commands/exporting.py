# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""``arca-dns-controller export``: zones as zone files, which ``import`` reads back to the same content."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from arca_dns.dnssec.envelope import sync_directory
from arca_dns.dnssec.keystore import safe_name
from arca_dns.errors import AlreadyExists, InputError
from arca_dns.service import Service
from arca_dns.zone import names, rr
from arca_dns.zone.text import render

from ..config import read
from ..wiring import open_service
from .migrate import JsonOption
from .progress import progress
from .shared import DEFAULT_CONFIG, ConfigOption, one_line


def export(
    folder: Annotated[Path, typer.Argument(help="The folder to write to; made if it is missing.")],
    zone: Annotated[list[str] | None, typer.Option(help="A zone; may be given several times. Without: all.")] = None,
    signed: Annotated[
        bool, typer.Option("--signed", help="As edges serve them: with keys, signatures and denial.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace files that exist.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Write zones as zone files, one a zone; each appears whole or not at all."""
    written: list[dict[str, object]] = []
    with one_line():
        settings = read(config)
        with closing(open_service(settings)) as service, progress(as_json) as say:
            wanted = _wanted(service, zone)
            files = {name: folder / f"{file_stem(name)}.zone" for name in wanted}
            there = [str(file) for file in files.values() if file.exists()]
            if there and not force:
                more = f" and {len(there) - 1} more files exist" if len(there) > 1 else " exists"
                raise AlreadyExists(f"{there[0]}{more}: --force replaces files")
            _make(folder)
            for number, (name, file) in enumerate(files.items()):
                say(f"writing {file}", number, len(files))
                serial, lines = _lines(service, name, signed)
                _write(file, lines)
                written.append({"zone": names.to_text(name), "file": str(file), "serial": serial})
    if as_json:
        typer.echo(json.dumps({"zones": written}))
    else:
        typer.echo(f"wrote {len(written)} zone files to {folder}")


def file_stem(zone: bytes) -> str:
    """The name of a zone's file without its ending: letters, digits and ``-_.``, other octets as ``%XX``."""
    return safe_name(zone).removesuffix(".") or "%2E"


def _wanted(service: Service, zones: Iterable[str] | None) -> list[bytes]:
    if zones:
        return [service.zone(names.from_text(zone, names.ROOT)).name for zone in dict.fromkeys(zones)]
    found: list[bytes] = []
    while page := service.zones(found[-1] if found else None):
        found += [info.name for info in page]
    return found


def _lines(service: Service, zone: bytes, signed: bool) -> tuple[int, Iterator[str]]:
    if signed:
        version, tree = service.signed_zone(zone)
        serial = version.serial
    else:
        tree, serial = service.content(zone)
    rrsets = (rrset for _owner, data in tree.items() for rrset in rr.rrsets(data))
    return serial, render(zone, rrsets, serial=serial)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be made: {error.strerror}") from None


def _write(file: Path, lines: Iterable[str]) -> None:
    temporary = file.with_name(f".{secrets.token_hex(8)}")
    try:
        try:
            with temporary.open("x", encoding="ascii") as out:
                out.writelines(lines)
                out.flush()
                os.fsync(out.fileno())
            os.replace(temporary, file)
            sync_directory(file.parent)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"{file} cannot be written: {error.strerror}") from None
