# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""``arca-dns-controller keys``: where DNSSEC keys are kept, and which keys the controllers on a store share."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer

from arca_dns import keyring
from arca_dns.publish.head import HeadKey

from ..config import ControllerConfig, read
from ..keys import keyring_of, master_key, open_keystore, sealed_keys
from .keyfiles import check_sealed, put_keys
from .migrate import JsonOption, opened
from .shared import DEFAULT_CONFIG, ConfigOption, one_line

app = typer.Typer(help="DNSSEC keys: where they are, and what controllers have in common.", no_args_is_help=True)


@app.command()
def move(
    to: Annotated[Literal["directory", "backend"], typer.Option(help="Where the keys are to be from now on.")],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Copy all DNSSEC keys to the directory or to the backend, see that each opens there, and note that they are there.

    They stay sealed, and stay where they were: remove them there when controllers run with the new dnssec.key_store.
    Stop the controllers first: what they would make meanwhile would be left behind.
    """
    with one_line():
        settings = read(config)
        source, target = (_with(settings, kind) for kind in ("directory" if to == "backend" else "backend", to))
        master = master_key(settings)
        head = HeadKey.load(Path(settings.publish.head_key_file))
        with opened(settings) as store:
            keys = list(sealed_keys(source, store))
            for name, data in keys:
                check_sealed(name, data, master)
            copied = put_keys(target, store, keys)
            there = open_keystore(target, store, master)
            zones = there.zones()
            opens = sum(len(there.load(zone)) for zone in zones)
            keyring.adopt(store, keyring_of(target, master, head))
    if as_json:
        typer.echo(json.dumps({"changed": copied > 0, "copied": copied, "keys": opens, "zones": len(zones)}))
        return
    typer.echo(f"copied {copied} keys to the {to}; {opens} keys of {len(zones)} zones open there")
    typer.echo(f"set dnssec.key_store to {to} in the configuration of every controller, then start them", err=True)


@app.command()
def adopt(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Note the master key, the head key and the key directory of this configuration as those of the store.

    For when one of them was replaced on purpose. Controllers that have others are refused from then on.
    """
    with one_line():
        settings = read(config)
        master = master_key(settings)
        ours = keyring_of(settings, master, HeadKey.load(Path(settings.publish.head_key_file)))
        with opened(settings) as store:
            for name, data in sealed_keys(settings, store):
                check_sealed(name, data, master)
            changed = keyring.adopt(store, ours)
    typer.echo("noted: the keys of this store are those of this controller" if changed else "they are noted already")


def _with(config: ControllerConfig, kind: Literal["directory", "backend"]) -> ControllerConfig:
    return replace(config, dnssec=replace(config.dnssec, key_store=kind))
