# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0
"""The folder of Debian packages: all that roles may install, with dependencies, as an apt source of the hosts.

Hosts have no way out, so that the roles' apt tasks run for real it is their one source. The folder is refreshed in
place: running hosts see the new content after an ``apt-get update``, which ``up`` runs for them. Lists beyond that of
the roles (``up --packages databases``) come in when somebody asks for them, and stay.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Collection
from pathlib import Path

from .base import base_key, base_root, has_package_list, machine_sources, package_list
from .errors import CommandFailed, LabError
from .settings import Settings
from .shell import Progress, run

KEY_FILE = "KEY"
#: The list that every lab offers.
ROLES = "roles"


def list_key(name: str) -> str:
    """Names what a list asks for on the base root of now."""
    return hashlib.sha256("\n".join([base_key(), *package_list(name)]).encode()).hexdigest()[:16]


def _offered(folder: Path) -> dict[str, str]:
    """The lists whose packages the folder holds, with their keys."""
    key_file = folder / KEY_FILE
    lines = key_file.read_text(encoding="utf-8").splitlines() if key_file.is_file() else []
    return dict(line.split() for line in lines if len(line.split()) == 2)


def build_packages(settings: Settings, progress: Progress, more: Collection[str] = ()) -> Path:
    """Download and index the packages of the roles and of the lists *more* unless that is done; returns the folder.

    Needs the base root.
    """
    folder = settings.packages
    key_file = folder / KEY_FILE
    offered = _offered(folder)
    wanted = {name: list_key(name) for name in {ROLES, *more}}
    if wanted.items() <= offered.items():
        return folder
    wanted |= {name: list_key(name) for name in offered if has_package_list(name)}
    with progress.step("downloading the packages that roles install"):
        work = settings.cache / "packages.partial"
        shutil.rmtree(work, ignore_errors=True)
        try:
            _download(base_root(settings), work, sorted({item for name in wanted for item in package_list(name)}))
            folder.mkdir(parents=True, exist_ok=True)
            key_file.unlink(missing_ok=True)
            for old in folder.glob("*.deb"):
                old.unlink()
            for deb in (work / "archives").glob("*.deb"):
                deb.rename(folder / deb.name)
            (folder / "Packages").write_text(_index(folder), encoding="utf-8")
            key_file.write_text("".join(f"{name} {key}\n" for name, key in sorted(wanted.items())), encoding="utf-8")
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return folder


def _download(root: Path, work: Path, wanted: list[str]) -> None:
    """Let the machine's apt resolve against what the base root has installed, and download the difference."""
    (work / "archives" / "partial").mkdir(parents=True)
    (work / "lists" / "partial").mkdir(parents=True)
    (work / "lab.sources").write_text(machine_sources(), encoding="utf-8")
    options = [
        f"Dir::Etc::SourceList={work / 'none'}",
        f"Dir::Etc::SourceParts={work}",
        f"Dir::State::Lists={work / 'lists'}",
        f"Dir::State::Status={root / 'var/lib/dpkg/status'}",
        f"Dir::State::Extended_States={work / 'extended_states'}",
        f"Dir::Cache::Archives={work / 'archives'}",
        "Dir::Cache::PkgCache=",
        "Dir::Cache::SrcPkgCache=",
        "Dir::Etc::Preferences=/dev/null",
        "Dir::Etc::PreferencesParts=/dev/null",
        "APT::Install-Recommends=false",
        "APT::Keep-Downloaded-Packages=true",
        "Binary::apt::APT::Keep-Downloaded-Packages=true",
        "APT::Sandbox::User=root",
        "Acquire::Languages=none",
        "Debug::NoLocking=true",
        # A machine may delete archives after each apt run (images of container engines do): not these.
        "APT::Update::Post-Invoke::=true",
    ]
    apt = ["apt-get", "-q", "-y", *(f"-o{option}" for option in options)]
    environment = {"DEBIAN_FRONTEND": "noninteractive"}
    run([*apt, "update"], environment=environment)
    try:
        run([*apt, "--download-only", "install", *wanted], environment=environment)
    except CommandFailed as error:
        raise LabError(f"could not download the packages of tests/lab/packages: {error}") from error


def _index(folder: Path) -> str:
    """The Packages file of a folder of .deb files, with paths relative to the folder."""
    script = 'cd "$1" && exec dpkg-scanpackages --multiversion . 2>/dev/null'
    return run(["sh", "-c", script, "sh", folder])
