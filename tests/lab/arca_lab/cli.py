# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0
"""The command line: ``tests/lab/lab``. Arguments in, calls of `arca_lab.api.Lab`, text out."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from . import disk, ssh
from .api import HostStatus, Lab
from .errors import LabError
from .shell import Progress
from .topology import MAX_EDGES

DESCRIPTION = """\
The lab: a small network of real Debian hosts on this machine. Each is a systemd-nspawn container with its own systemd,
sshd and network: controller, edge1, edge2 …, router, client. Nothing of it touches the machine's own network.
"""
EPILOG = """\
examples:
  lab up                                     all hosts; quick when they are up
  lab exec edge1 -- systemctl status nsd     words are kept as they are
  lab exec client -- 'dig @203.0.113.53 example.org | head'   one word is a shell line
  lab run -- curl -s http://10.99.0.10:8053/health            from the control node, inside the lab's network
  lab cut edge1; lab heal edge1              a link that dies silently, and comes back
  rsync -e "ssh -F $(lab ssh-config --path)" notes client:   plain ssh, scp and rsync work too

ARCA_LAB_DIR says where disks and caches are kept (default /var/lib/arca-lab).
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command of the lab; returns the exit status."""
    options = _parser().parse_args(arguments)
    lab = Lab(progress=Progress(quiet=getattr(options, "quiet", False)))
    try:
        return int(options.action(lab, options))
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lab", description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    up = commands.add_parser("up", help="build what is missing and boot every host that is not up")
    up.add_argument("--edges", type=int, metavar="N", help=f"how many edges, 1 to {MAX_EDGES} (as now, or 2)")
    up.add_argument(
        "--packages", action="append", default=[], metavar="LIST", help="offer tests/lab/packages/LIST.txt to hosts too"
    )
    up.add_argument("--quiet", action="store_true", help="no progress lines")
    up.set_defaults(action=_up)

    down = commands.add_parser("down", help="remove every trace of the lab; base root, packages and wheels stay cached")
    down.add_argument("--purge", action="store_true", help="the caches too")
    down.set_defaults(action=_down)

    status = commands.add_parser("status", help="one line per host; exit status 1 unless all are up and healthy")
    status.add_argument("--json", action="store_true", help="for programs")
    status.set_defaults(action=_status)

    execute = commands.add_parser("exec", help="run a command on a host; its exit status is passed on")
    execute.add_argument("host", metavar="HOST")
    execute.add_argument("command", metavar="CMD", nargs=argparse.REMAINDER, help="-- CMD…; none: a login shell")
    execute.set_defaults(action=_exec)

    run = commands.add_parser("run", help="run a command of this machine inside the lab's management network")
    run.add_argument("command", metavar="CMD", nargs=argparse.REMAINDER)
    run.set_defaults(action=_run)

    for name, text in (
        ("cut", "let a host's uplink die silently: its carrier stays up"),
        ("heal", "bring a cut uplink back"),
        ("reboot", "shut a host down in good order and boot it again"),
        ("kill", "kill -9 a host's PID 1; its disk stays"),
        ("start", "boot a host that is down, with the disk that it has"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("host", metavar="HOST")
        command.set_defaults(action=_break_or_repair, verb=name)

    logs = commands.add_parser("logs", help="a host's journal; for a host that is down, the one on its disk")
    logs.add_argument("host", metavar="HOST")
    logs.add_argument("--console", action="store_true", help="what it printed on its console instead")
    logs.add_argument("journalctl", metavar="ARG", nargs="*", help="after --, arguments of journalctl: -- -u nsd -f")
    logs.set_defaults(action=_logs)

    config = commands.add_parser("ssh-config", help="print the ssh client configuration that reaches the hosts")
    config.add_argument("--path", action="store_true", help="print the name of the file that holds it")
    config.set_defaults(action=_ssh_config)

    wheels = commands.add_parser("wheels", help="rebuild the project's wheel for the hosts if its sources changed")
    wheels.set_defaults(action=_wheels)
    return parser


def _up(lab: Lab, options: argparse.Namespace) -> int:
    lab.up(options.edges, lists=options.packages)
    return 0


def _down(lab: Lab, options: argparse.Namespace) -> int:
    lab.down(purge=options.purge)
    return 0


def _status(lab: Lab, options: argparse.Namespace) -> int:
    hosts = lab.status()
    print(json.dumps([asdict(host) for host in hosts], indent=2) if options.json else table(hosts))
    return 0 if all(host.is_up for host in hosts) else 1


def table(hosts: Sequence[HostStatus]) -> str:
    """The hosts as an aligned table."""
    rows = [("HOST", "STATE", "ADDRESS", "UPLINK", "UPTIME", "MEMORY")]
    for host in hosts:
        uptime = "-" if host.uptime_seconds is None else _duration(host.uptime_seconds)
        memory = "-" if host.memory_bytes is None else f"{host.memory_bytes / 2**20:.0f} MiB"
        rows.append((host.name, host.state, host.address, host.uplink, uptime, memory))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _duration(seconds: float) -> str:
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _words(command: list[str]) -> list[str]:
    """What stands after the ``--``."""
    return command[1:] if command[:1] == ["--"] else command


def _exec(lab: Lab, options: argparse.Namespace) -> int:
    words = _words(options.command) or ["exec bash -l"]
    tty = sys.stdin.isatty() and sys.stdout.isatty()
    host = lab.topology.host(options.host)
    argv = ssh.argv(lab.settings, host, words[0] if len(words) == 1 else words, tty=tty)
    return _become(argv)


def _run(lab: Lab, options: argparse.Namespace) -> int:
    words = _words(options.command)
    if not words:
        raise LabError("run what? lab run -- CMD…")
    return _become(lab.run_argv(words))


def _become(argv: list[str]) -> int:
    """Replace this process, so that standard input, signals and the exit status are the command's own."""
    sys.stdout.flush()
    os.execvp(argv[0], argv)


def _break_or_repair(lab: Lab, options: argparse.Namespace) -> int:
    getattr(lab, options.verb)(options.host)
    return 0


def _logs(lab: Lab, options: argparse.Namespace) -> int:
    host = lab.topology.host(options.host)
    place = disk.disk_of(lab.settings, host)
    words = _words(options.journalctl)
    if options.console:
        return _become(["cat", str(place.console)])
    if lab.is_running(host):
        return _become(ssh.argv(lab.settings, host, ["journalctl", "--no-pager", *words]))
    journal: Path = place.upper / "var/log/journal"
    if not journal.is_dir():
        raise LabError(f"{host.name} wrote no journal; its console log is {place.console}")
    return _become(["journalctl", "--no-pager", f"--directory={journal}", *words])


def _ssh_config(lab: Lab, options: argparse.Namespace) -> int:
    lab.topology  # noqa: B018 - raises if the lab is down
    path = ssh.config_path(lab.settings)
    print(path if options.path else path.read_text(encoding="utf-8"), end="\n" if options.path else "")
    return 0


def _wheels(lab: Lab, options: argparse.Namespace) -> int:
    wheel = lab.build_wheels()
    print(f"{wheel.sha256}  {wheel.name}")
    return 0
