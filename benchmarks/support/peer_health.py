# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0
"""anycast_healthchecker in charge of the lab's edges, as a careful operator would set it up.

Same hosts, same NSD, same BGP sessions and BFD; its intervals, timeout and thresholds are those that the lab's
inventory gives to the health check of arca.dns. It runs a command and takes its exit status, so the check is a query to
the service address that has to be answered with NOERROR.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import distributions
from io import BytesIO
from pathlib import Path

from lab_site import PREFIX, ROOT, ZONE, DrillError, Site

NAME = "anycast-healthchecker"
_PREFIX6 = "2001:db8:53::53"
_LIBRARY, _STATE, _BIRD = "/opt/peer/lib", "/var/lib/peer", "/etc/bird/bird.conf"
_CHECK = f"""#!/bin/sh
dig +time=1 +tries=1 +norecurse "@$1" {ZONE} SOA | grep -q 'status: NOERROR'
"""
_CONFIG = f"""[DEFAULT]
interface = lo
[daemon]
pidfile = /run/peer.pid
ipv4 = true
ipv6 = true
bird_conf = {_STATE}/v4.conf
bird6_conf = {_STATE}/v6.conf
bird_variable = PEER_V4
bird6_variable = PEER_V6
bird_reconfigure_cmd = /usr/sbin/birdc configure
bird6_reconfigure_cmd = /usr/sbin/birdc configure
dummy_ip_prefix = 198.18.255.255/32
dummy_ip6_prefix = 2001:db8:ffff::1/128
loglevel = warning
"""
_SERVICE = """[{name}]
check_cmd = /opt/peer/check {address}
check_interval = 0.25
check_timeout = 0.22
check_rise = 5
check_fail = 3
check_disabled = false
on_disabled = withdraw
ip_check_disabled = true
ip_prefix = {prefix}
"""
_UNIT = f"""[Unit]
After=network.target bird.service
[Service]
Environment=PYTHONPATH={_LIBRARY}
ExecStart=/usr/bin/python3 /opt/peer/start -f /opt/peer/daemon.conf -d /opt/peer/services
Restart=always
RestartSec=1
[Install]
WantedBy=multi-user.target
"""


@contextmanager
def in_charge(site: Site) -> Iterator[str]:
    """It decides on all edges what is announced; yields its name and version. Raises :class:`DrillError`."""
    with tempfile.TemporaryDirectory() as folder:
        argv = [sys.executable, "-m", "pip", "install", "-q", "--target", f"{folder}/lib", NAME]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        if done.returncode:
            raise DrillError(f"{NAME} cannot be installed: {done.stderr.strip()[-300:]}")
        version = next(one.version for one in distributions(path=[f"{folder}/lib"]) if one.metadata["Name"] == NAME)
        content = _content(Path(folder))
    ours, unit = site.health_unit, f"{NAME}.service"
    try:
        for edge in site.edges:
            _send(edge, content, "tar", "x", "-C", "/")
            _birds(site, edge)
            site.on(
                edge, f"systemctl disable -q --now {ours}; systemctl daemon-reload; systemctl enable -q --now {unit}"
            )
            site.on(edge, f"birdc configure && sleep 3 && systemctl is-active {unit}")
        site.health_unit = NAME
        site.settle()
        yield f"{NAME} {version}"
    finally:
        site.health_unit = ours
        for edge in site.edges:
            site.on(edge, f"systemctl disable -q --now {unit}; rm -rf /opt/peer {_STATE} /etc/systemd/system/{unit}")
            site.on(edge, f"mv {_BIRD}.kept {_BIRD}; birdc configure; systemctl daemon-reload")
            site.on(edge, f"systemctl enable -q --now {ours}")
        site.settle()


def _content(folder: Path) -> bytes:
    """What an edge gets, as a tar file of its root."""
    files = {
        "opt/peer/check": _CHECK,
        "opt/peer/start": "from anycast_healthchecker.main import main\nmain()\n",
        "opt/peer/daemon.conf": _CONFIG,
        f"etc/systemd/system/{NAME}.service": _UNIT,
    }
    for version, address, length in (("4", PREFIX, 32), ("6", _PREFIX6, 128)):
        service = _SERVICE.format(name=f"dns{version}", address=address, prefix=f"{address}/{length}")
        files[f"opt/peer/services/dns{version}.conf"] = service
        files[f"{_STATE}/v{version}.conf".lstrip("/")] = f"define PEER_V{version} = [ {address}/{length} ];\n"
    made = BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        tar.add(folder / "lib", _LIBRARY.lstrip("/"))
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text.encode()), 0o755
            tar.addfile(entry, BytesIO(text.encode()))
    return made.getvalue()


def _send(edge: str, content: bytes, *command: str) -> None:
    """Run a command on an edge with *content* as its standard input."""
    argv = [str(ROOT / "tests/lab/lab"), "exec", edge, "--", *command]
    done = subprocess.run(argv, input=content, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    if done.returncode:
        raise DrillError(f"{edge}: {done.stderr.decode().strip()}")


def _birds(site: Site, edge: str) -> None:
    """BIRD's configuration as it is, except for what decides about the export."""
    site.on(edge, f"cp -a {_BIRD} {_BIRD}.kept")
    text = site.on(edge, f"cat {_BIRD}.kept")
    lists = routes = ""
    for version, address, length in (("4", PREFIX, 32), ("6", _PREFIX6, 128)):
        ours = f"export filter arca_export_ipv{version}_external;"
        if ours not in text:
            raise DrillError(f"{edge}: {_BIRD} is not as it was expected")
        text = text.replace(ours, f"export where net ~ PEER_V{version};")
        lists += f'include "{_STATE}/v{version}.conf";\n'
        routes += f"protocol static peer_v{version} {{ ipv{version}; route {address}/{length} blackhole; }}\n"
    _send(edge, (lists + text + routes).encode(), "tee", _BIRD)
