# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0
"""Signing a zone: ours beside the signers of other servers, in turn, each in a process of its own.

A first signing begins with a zone file; ours ends with the signed tree, the others' with a zone file. "Through the
service" is the same until a head is published, every signature verified by the independent verifier. One change,
1,000 changes and the renewal of a tenth of the signatures are measured in the process that signed first; one change
through the service (plan, signing, verification, commit, head) stands beside a DNS UPDATE to BIND and to Knot. The
ratio is the time of kzonesign over that of the row; the share is that of the signatures that ``openssl speed`` makes on
all cores. Memory is the peak of the process tree while the job lasts; pages that processes share count once. Load is
the load average when the job ended: far above the number of cores, others were at work too. A peer that fails is named,
and the rest goes on.
Kinds, denials and sizes may be given: ``signing.py host nsec 1000 100000``.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from typing import NamedTuple

from bench_parse import zone
from support.live_signers import changes

SIZES = (1_000, 20_000)
FULL = (1_000, 100_000, 1_000_000)
LIVE_CHANGES = 30
KINDS = ("host", "tld")
DENIALS = ("nsec", "nsec3")
ROUNDS = 3
PEER = "kzonesign"
_RRSIG = re.compile(rb"\sRRSIG\s+\S+\s+13\s")
# Prints a line for each job: its name, wall and CPU seconds, the RRSIGs made.
OURS = """
import resource, sys, time
from pathlib import Path
from arca_dns.dnssec.keys import generate_keys
from arca_dns.dnssec.policy import Policy
from arca_dns.dnssec.signer import resign, sign_zone
from arca_dns.dnssec.verifier import verify_change, verify_zone
from arca_dns.dnssec.window import epoch_of
from arca_dns.zone import rr
from arca_dns.zone.text import parse
from arca_dns.zone.tree import Blobs, ZoneRoot
from arca_dns_controller.workers import Processes

def cpu():
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(used.ru_utime + used.ru_stime for used in spent)

def timed(name, work):
    wall, used = time.perf_counter(), cpu()
    result = work()
    print(f"{name};{time.perf_counter() - wall};{cpu() - used};{made(result)}", flush=True)
    return result

def count(data):
    return sum(record.rdtype == rr.RRSIG for record in rr.iterate(data)) if data else 0

def made(zone):
    if not isinstance(zone, ZoneRoot):
        return 0
    if last is None:
        return sum(count(data) for _owner, data in zone.items())
    return sum(fresh(old, new) for _owner, old, new in last.diff(zone))

def fresh(old, new):
    held = {r.rdata for r in rr.iterate(old or b"") if r.rdtype == rr.RRSIG}
    return sum(r.rdtype == rr.RRSIG and r.rdata not in held for r in rr.iterate(new or b""))

def read():
    return parse(Path(sys.argv[1]).read_bytes())

def first():
    parsed = read()
    source = ZoneRoot.build(blobs, parsed.origin, parsed.nodes())
    del parsed
    sources.append(source)
    return sign_zone(blobs, source, keys, policy, epoch, 1, workers=workers)

last, sources = None, []
workers = Processes()
blobs = Blobs.memory()
policy = Policy(denial=sys.argv[2])
keys = generate_keys(policy, b"\\x07example\\0")
epoch = epoch_of(policy, int(time.time()))
timed("parsing", read)
signed = timed("first signing", first)
source = sources[0]
timed("verification", lambda: verify_zone(signed, int(time.time()), workers=workers))

def changed(number):
    edits = {}
    for i in range(number):
        label = b"new-%d" % i
        owner = bytes((len(label),)) + label + source.origin
        edits[owner] = rr.RRset(owner, rr.A, 3600, (b"\\xc0\\0\\2\\1",)).wire()
    return source.update(edits)

last = signed
for number in (1, 1000):
    after = changed(number)
    work = lambda: resign(blobs, source, after, signed, keys, policy, epoch, 2)
    name = f"{number:,} new names" if number > 1 else "one new name"
    new = timed(name, work)
    timed(f"{name}, verification", lambda: verify_change(signed, new, int(time.time())))
later = epoch_of(policy, epoch + policy.period // 10)
timed("a tenth renewed", lambda: resign(blobs, source, source, signed, keys, policy, later, 2))
"""

# The whole service: its first version of the zone, then single changes, each until its head is published.
SERVICE = """
import resource, sys, time
from pathlib import Path
from statistics import median
from arca_dns.dnssec.envelope import MasterKey
from arca_dns.dnssec.keystore import DirectoryKeyStore
from arca_dns.dnssec.policy import Policy
from arca_dns.publish.head import HeadKey
from arca_dns.service import Service
from arca_dns.store.open import open_store
from arca_dns.zone import rr
from arca_dns.zone.changes import Change
from arca_dns.zone.text import parse
from arca_dns_controller.workers import Processes

folder = Path(sys.argv[3])
service = Service(
    open_store("sqlite", {"path": str(folder / "store.sqlite")}),
    DirectoryKeyStore(folder / "keys", MasterKey.obtain({}, folder / "master.key", create=True)),
    HeadKey.load_or_create(folder / "head.key"),
    policy=Policy(denial=sys.argv[2]),
    workers=Processes(),
)

def cpu():
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(used.ru_utime + used.ru_stime for used in spent)

wall, used = time.perf_counter(), cpu()
parsed = parse(Path(sys.argv[1]).read_bytes())
origin = parsed.origin
outcome = service.create_zone(origin, parsed.rrsets, actor="bench")
if outcome.problem:
    raise SystemExit(outcome.problem)
print(f"through the service;{time.perf_counter() - wall};{cpu() - used};0", flush=True)
del parsed
walls, useds = [], []
for number in range(int(sys.argv[4])):
    label = b"zz-%x" % (number * 7919)
    owner = bytes((len(label),)) + label + origin
    change = Change(owner, rr.A, rr.RRset(owner, rr.A, 300, (bytes((192, 0, 2, number % 250 + 1)),)))
    wall, used = time.perf_counter(), cpu()
    service.change_zone(origin, [change], if_version=None, actor="bench")
    walls.append(time.perf_counter() - wall)
    useds.append(cpu() - used)
print(f"one change, live;{median(walls[3:])};{median(useds[3:])};0")
service.close()
"""


COLUMNS = (
    *(("zone", 10), ("names", 9), ("job", 28), ("tool", 15), ("s", 8), ("CPU s", 8), ("RRSIGs", 9)),
    *(("ratio", 5), ("CPU ratio", 9), ("of OpenSSL", 10), ("peak MiB", 8), ("load", 5)),
)


class Cost(NamedTuple):
    """What one job took; *signatures* is 0 where they are not counted."""

    seconds: float
    cpu: float
    peak: float  # MiB
    signatures: int = 0
    failure: str = ""


class Failed(Exception):
    """A command that is measured failed; says why."""


def peers(kind: str, denial: str, size: int, folder: Path) -> dict[str, list[str]]:
    """The commands that sign the zone file in *folder*, by name; their keys are made here."""
    source = folder / f"{kind}-{size}.zone"
    signed = folder / "signed"
    signed.mkdir(exist_ok=True)
    found = {name: _tool(name) for name in (PEER, "ldns-signzone", "dnssec-signzone", "dnssec-keygen")}
    nsec3 = denial == "nsec3"
    config = folder / "knot.conf"
    config.write_text(
        f"database:\n  storage: {folder}\n"
        f"policy:\n  - id: bench\n    algorithm: ecdsap256sha256\n    nsec3: {'on' if nsec3 else 'off'}\n"
        f"    nsec3-iterations: 0\n    nsec3-salt-length: 0\n    signing-threads: {os.cpu_count()}\n"
        f"zone:\n  - domain: example.\n    file: {source}\n    dnssec-signing: on\n    dnssec-policy: bench\n"
    )
    keys = _bind_keys(found["dnssec-keygen"], folder)
    return {
        PEER: [found[PEER], "-c", str(config), "-o", str(signed), "example."],
        "ldns-signzone": [
            found["ldns-signzone"],
            *(["-n", "-t", "0"] if nsec3 else []),
            *["-o", "example.", "-f", str(signed / "ldns"), str(source)],
            *map(str, keys),
        ],
        "dnssec-signzone": [
            found["dnssec-signzone"],
            *(["-3", "-", "-H", "0"] if nsec3 else []),
            *["-P", "-Q", "-S", "-K", str(folder), "-n", str(os.cpu_count()), "-o", "example."],
            *["-f", str(signed / "bind"), str(source)],
        ],
    }


def _tool(name: str) -> str:
    tool = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if tool is None:
        raise SystemExit(f"{name} is missing; requirements/apt.txt has its package")
    return tool


def _bind_keys(keygen: str, folder: Path) -> list[Path]:
    if not any(folder.glob("Kexample.*.private")):
        for flags in ([], ["-f", "KSK"]):
            command = [keygen, "-q", "-a", "ECDSAP256SHA256", *flags, "-K", str(folder), "example."]
            subprocess.run(command, check=True, capture_output=True)
    return sorted(file.with_suffix("") for file in folder.glob("Kexample.*.private"))


class Run:
    """One run of a command: its lines as it prints them, and what memory it took."""

    def __init__(self, command: list[str], folder: Path) -> None:
        self._name = Path(command[0]).name
        self._said = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the run
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self._said, text=True, cwd=folder)
        self._peaks = [0.0]
        self._done = Event()
        self._watcher = Thread(target=_watch, args=(self._process.pid, self._done, self._peaks))
        self._watcher.start()

    def lines(self) -> Iterator[str]:
        """What it prints, until it ends. Raises :class:`Failed`."""
        try:
            yield from self._process.stdout or ()
            self._process.wait()
        finally:
            self._process.kill()
            self._process.wait()
            self._done.set()
            self._watcher.join()
        self._said.seek(0)
        said = self._said.read().strip().splitlines()
        self._said.close()
        if self._process.returncode:
            raise Failed(f"{self._name} failed: {said[-1] if said else self._process.returncode}")

    def peak(self) -> float:
        """The most MiB that it took since this was last asked."""
        found, self._peaks[0] = self._peaks[0], 0.0
        return found


def whole(command: list[str], folder: Path) -> Cost:
    """What all of *command* costs. Raises :class:`Failed`."""
    start, before = time.perf_counter(), cpu_of_children()
    run = Run(command, folder)
    for _line in run.lines():
        pass
    return Cost(time.perf_counter() - start, cpu_of_children() - before, run.peak())


def parts(command: list[str], folder: Path) -> Iterator[tuple[str, Cost]]:
    """The jobs that *command*, one of ours, tells as it ends each. Raises :class:`Failed`."""
    run = Run(command, folder)
    for line in run.lines():
        job, seconds, cpu, signatures = line.split(";")
        yield job, Cost(float(seconds), float(cpu), run.peak(), int(signatures))


def _watch(pid: int, done: Event, peaks: list[float]) -> None:
    while not done.wait(0.1):
        peaks[0] = max(peaks[0], sum(_held(process) for process in _family(pid)))


def _family(pid: int) -> Iterator[int]:
    yield pid
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = file.read_text().split()
        except OSError:  # it has just ended
            continue
        for child in children:
            yield from _family(int(child))


def _held(pid: int) -> float:
    """MiB of *pid*'s memory; what several processes share counts for each in part."""
    try:
        found = re.search(r"^Pss: +(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    except OSError:  # it has just ended
        return 0.0
    return int(found[1]) / 1024 if found else 0.0


def cpu_of_children() -> float:
    """CPU seconds of all processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def jobs(kind: str, denial: str, size: int, folder: Path) -> Iterator[tuple[str, str, Cost]]:
    """(job, tool, its cost), each once."""
    source = str(folder / f"{kind}-{size}.zone")
    signers = peers(kind, denial, size, folder)
    for tool, command in ("kzonecheck", [_tool("kzonecheck"), "-o", "example.", source]), *signers.items():
        job = "first signing" if tool in signers else "parsing"
        try:
            cost = whole(command, folder)
            if tool in signers:
                cost = cost._replace(signatures=_made(folder / "signed"))
        except Failed as error:
            cost = Cost(0, 0, 0, failure=str(error))
        yield job, tool, cost
    with tempfile.TemporaryDirectory(dir=folder) as place:
        service = [sys.executable, "-c", SERVICE, source, denial, place, str(LIVE_CHANGES)]
        for command in [sys.executable, "-c", OURS, source, denial], service:
            for job, cost in parts(command, folder):
                yield job, "arca.dns", cost


def _made(folder: Path) -> int:
    """The RRSIGs in the zone files in *folder*, which are removed."""
    found = 0
    for file in folder.iterdir():
        with file.open("rb") as stream:
            found += sum(1 for line in stream if _RRSIG.search(line))
        file.unlink()
    return found


def openssl_limit() -> float:
    """The P-256 signatures that OpenSSL makes in a second on all cores."""
    command = [_tool("openssl"), "speed", "-seconds", "2", "-multi", str(os.cpu_count()), "ecdsap256"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found = re.search(r"ecdsa \(nistp256\)\s+\S+\s+\S+\s+([\d.]+)", done.stdout)
    if found is None:
        raise SystemExit("openssl speed printed no figure for P-256")
    return float(found[1])


def rows(kind: str, denial: str, size: int, folder: Path) -> Iterator[tuple[str, ...]]:
    """The lines of the table for one zone."""
    with (folder / f"{kind}-{size}.zone").open("w") as stream:
        stream.writelines(zone(kind, size))
    limit = openssl_limit()
    best: dict[tuple[str, str], Cost] = {}
    rounds = ROUNDS if size < 100_000 else 1
    for number in range(rounds):
        for job, tool, cost in jobs(kind, denial, size, folder):
            held = best.get((job, tool))
            if held is None or held.failure or (not cost.failure and cost.cpu < held.cpu):
                best[job, tool] = cost
            if number == rounds - 1:
                yield _row(f"{kind} {denial}", size, job, tool, best, limit)
    for server, seconds, failure in changes(folder / f"{kind}-{size}.zone", folder, denial, LIVE_CHANGES):
        best["one change, live", server] = Cost(seconds, 0, 0, failure=failure)
        yield _row(f"{kind} {denial}", size, "one change, live", server, best, limit)


def _row(name: str, size: int, job: str, tool: str, best: dict[tuple[str, str], Cost], limit: float) -> tuple[str, ...]:
    cost = best[job, tool]
    if cost.failure:
        return name, f"{size:,}", job, tool, cost.failure
    first = job in ("first signing", "through the service")
    peer = best.get(("first signing", PEER))
    if peer is not None and peer.failure:
        peer = None
    made = best["first signing", "arca.dns"].signatures if job == "through the service" else cost.signatures
    return (
        name,
        f"{size:,}",
        job,
        tool,
        f"{cost.seconds:.3f}",
        f"{cost.cpu:.3f}" if cost.cpu else "",
        f"{made:,}" if made else "",
        f"{peer.seconds / cost.seconds:.2f}" if first and peer else "",
        f"{peer.cpu / cost.cpu:.2f}" if first and peer else "",
        f"{made / cost.seconds / limit:.0%}" if made else "",
        f"{cost.peak:.0f}" if cost.peak else "",
        f"{os.getloadavg()[0]:.1f}",
    )


def main() -> None:
    """Prints the table, each line as soon as it is measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "what", nargs="*", metavar="KIND|DENIAL|NAMES", help="only these: host, tld, nsec, nsec3, 1000 …"
    )
    parser.add_argument("--full", action="store_true", help=f"zones of {', '.join(f'{size:,}' for size in FULL)} names")
    given = parser.parse_args()
    unknown = [word for word in given.what if not word.isdigit() and word not in (*KINDS, *DENIALS)]
    if unknown:
        parser.error(
            f"{unknown[0]!r} is neither a kind ({', '.join(KINDS)}), a denial ({', '.join(DENIALS)}) nor a size"
        )
    sizes = tuple(int(word) for word in given.what if word.isdigit()) or (FULL if given.full else SIZES)
    kinds = tuple(word for word in given.what if word in KINDS) or KINDS
    denials = tuple(word for word in given.what if word in DENIALS) or DENIALS
    _print(*(head for head, _width in COLUMNS))
    for size in sizes:
        for kind in kinds:
            for denial in denials:
                with tempfile.TemporaryDirectory() as folder:
                    for line in rows(kind, denial, size, Path(folder)):
                        _print(*line)
    print(f"{os.cpu_count()} cores")


def _print(*cells: str) -> None:
    print("  ".join(cell.rjust(width) for cell, (_head, width) in zip(cells, COLUMNS, strict=False)), flush=True)


if __name__ == "__main__":
    main()
