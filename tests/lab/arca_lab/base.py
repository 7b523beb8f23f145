# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0
"""The base root: a bare Debian server, built once per content and shared read-only by all hosts.

What goes in is hashed into the key that names it, so a changed package list makes a new one and nothing else does.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path

from .errors import CommandFailed, LabError
from .machine import SUITE
from .settings import LAB_SOURCES, Settings
from .shell import Progress, run

PACKAGES_IN_HOST = "/srv/arca-packages"
WHEELS_IN_HOST = "/srv/arca-wheels"

FILES = {
    "etc/apt/sources.list": f"deb [trusted=yes] file:{PACKAGES_IN_HOST} ./\n",
    "etc/apt/apt.conf.d/00lab": 'APT::Install-Recommends "false";\nAcquire::Languages "none";\n',
    "etc/pip.conf": f"[global]\nno-index = true\nfind-links = {WHEELS_IN_HOST}\ndisable-pip-version-check = true\n",
    "etc/resolv.conf": "",
    "etc/machine-id": "",
    "etc/default/locale": "LANG=C.UTF-8\n",
    "etc/ssh/sshd_config.d/lab.conf": (
        "HostKey /etc/ssh/ssh_host_ed25519_key\nPasswordAuthentication no\nUseDNS no\nPrintMotd no\nMaxSessions 50\n"
        "MaxStartups 100\nAcceptEnv LANG LC_*\n"
    ),
    "etc/systemd/system/lab-network.service": (
        "[Unit]\nDescription=Interfaces of the lab\nDefaultDependencies=no\n"
        "After=systemd-sysctl.service\nBefore=network.target shutdown.target\nConflicts=shutdown.target\n"
        "Wants=network.target\n\n"
        "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/usr/local/sbin/lab-network\n\n"
        "[Install]\nWantedBy=multi-user.target\n"
    ),
    "var/log/journal/.keep": "",
}
MASKED = (
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "console-getty.service",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "systemd-networkd-wait-online.service",
    "systemd-pstore.service",
)
DPKG_OPTIONS = (
    "force-unsafe-io",
    "path-exclude=/usr/share/doc/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/man/*",
)


def _list_file(name: str) -> Path:
    return LAB_SOURCES / "packages" / f"{name}.txt"


def has_package_list(name: str) -> bool:
    """Whether there is a list of that name."""
    return _list_file(name).is_file()


def package_list(name: str) -> list[str]:
    """The package names of packages/NAME.txt. Raises `LabError` for a list that there is not."""
    if not has_package_list(name):
        known = ", ".join(sorted(file.stem for file in (LAB_SOURCES / "packages").glob("*.txt")))
        raise LabError(f"there is no list of packages {name!r}; there are {known}")
    lines = _list_file(name).read_text(encoding="utf-8").splitlines()
    return sorted({line.strip() for line in lines if line.strip() and not line.startswith("#")})


def base_key() -> str:
    """The name of the base root that the sources of the lab ask for."""
    parts = [SUITE, *package_list("base"), *MASKED, *DPKG_OPTIONS, *(f"{k}\0{v}" for k, v in sorted(FILES.items()))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def base_root(settings: Settings) -> Path:
    """Where that base root is, or will be."""
    return settings.bases / base_key()


def machine_sources(apt: Path = Path("/etc/apt")) -> str:
    """The machine's own apt sources of this Debian release, as deb822 text: no mirror is spelled in the lab."""
    stanzas = [found for file in sorted(apt.glob("sources.list.d/*.sources")) for found in _deb822(file)]
    lists = [apt / "sources.list", *sorted(apt.glob("sources.list.d/*.list"))]
    stanzas += [found for file in lists if file.is_file() for found in _one_line(file)]
    suites = {SUITE, f"{SUITE}-updates", f"{SUITE}-security"}
    wanted = []
    for stanza in stanzas:
        kept = [suite for suite in stanza.get("Suites", "").split() if suite.split("/")[0] in suites]
        if (
            kept
            and "deb" in stanza.get("Types", "").split()
            and "main" in stanza.get("Components", "").split()
            and stanza.get("Enabled", "yes").lower() in ("yes", "true", "1")
        ):
            wanted.append({**stanza, "Types": "deb", "Suites": " ".join(kept), "Components": "main"})
    if not any(SUITE in stanza["Suites"].split() for stanza in wanted):
        raise LabError(f"no apt source of {SUITE} main among {apt}/sources.list and {apt}/sources.list.d")
    return "\n".join("".join(f"{key}: {value}\n" for key, value in stanza.items()) for stanza in wanted)


def _deb822(file: Path) -> list[dict[str, str]]:
    """The stanzas of a .sources file; comments go, continuation lines (an inline key) are kept as they are."""
    stanzas: list[dict[str, str]] = []
    text = "\n".join(line for line in file.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
    for block in re.split(r"\n[ \t]*\n", text):
        fields = re.findall(r"^([A-Za-z-]+):[ \t]*(.*(?:\n[ \t].*)*)", block, re.MULTILINE)
        if fields:
            stanzas.append({"URIs" if key.lower() == "uris" else key.title(): value for key, value in fields})
    return stanzas


def _one_line(file: Path) -> list[dict[str, str]]:
    """The entries of a sources.list in the old style, as stanzas."""
    stanzas = []
    for line in file.read_text(encoding="utf-8").splitlines():
        entry = re.match(r"deb\s+(?:\[([^]]*)\]\s+)?(\S+)\s+(\S+)\s+(.+?)\s*(?:#.*)?$", line)
        if entry:
            options, uri, suite, components = entry.groups()
            stanza = {"Types": "deb", "URIs": uri, "Suites": suite, "Components": components}
            signed_by = re.search(r"signed-by=(\S+)", options or "")
            if signed_by:
                stanza["Signed-By"] = signed_by.group(1)
            stanzas.append(stanza)
    return stanzas


def build_base(settings: Settings, progress: Progress) -> Path:
    """Build the base root unless it is there; return its path."""
    root = base_root(settings)
    if root.is_dir():
        return root
    settings.bases.mkdir(parents=True, exist_ok=True)
    partial = root.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    sources = settings.bases / "machine.sources"
    sources.write_text(machine_sources(), encoding="utf-8")
    argv = ["mmdebstrap", "--quiet", "--mode=root", "--variant=apt", "--format=directory"]
    argv += ["--skip=check/qemu", f"--include={','.join(package_list('base'))}"]
    argv += ["--aptopt=APT::Install-Recommends false", "--aptopt=Acquire::Languages none"]
    argv += [f"--dpkgopt={option}" for option in DPKG_OPTIONS]
    with progress.step("building the base root (about a minute, once)"):
        try:
            run([*argv, SUITE, partial, sources], environment={"DEBIAN_FRONTEND": "noninteractive"})
        except CommandFailed:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        _customize(partial)
        partial.rename(root)
    return root


def _customize(root: Path) -> None:
    """Make a debootstrapped tree a root that boots as a lab host."""
    for file in (root / "etc/apt").glob("sources.list.d/*"):
        file.unlink()
    for file in (root / "etc/ssh").glob("ssh_host_*"):
        file.unlink()
    for name, text in FILES.items():
        path = root / name
        path.unlink(missing_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    units = root / "etc/systemd/system"
    for unit in MASKED:
        (units / unit).unlink(missing_ok=True)
        (units / unit).symlink_to("/dev/null")
    wants = units / "multi-user.target.wants"
    wants.mkdir(exist_ok=True)
    (wants / "lab-network.service").symlink_to("/etc/systemd/system/lab-network.service")
    for mountpoint in (PACKAGES_IN_HOST, WHEELS_IN_HOST):
        (root / mountpoint.lstrip("/")).mkdir(parents=True, exist_ok=True)


def forget_old_bases(settings: Settings) -> None:
    """Remove base roots of other keys; only safe while no host runs on one."""
    for path in settings.bases.glob("*"):
        if path.is_dir() and path != base_root(settings):
            shutil.rmtree(path)
