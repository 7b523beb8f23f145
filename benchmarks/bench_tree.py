# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0
"""The zone tree: what building, one change, a diff and a look-up cost as a zone grows.

The peer is the same content as one flat list: what every change would cost if a version were a file.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable

from arca_dns.zone.names import sort_key
from arca_dns.zone.rr import RRset
from arca_dns.zone.tree import Blobs, Tree, diff

SIZES = (1_000, 10_000, 100_000)
ROUNDS = 20
A = 1


def owner(number: int) -> bytes:
    """A host name below example., as long as people's are."""
    label = f"host-{hashlib.sha256(b'%d' % number).hexdigest()[:10]}".encode()
    return bytes((len(label),)) + label + b"\x07example\x00"


def records(name: bytes, address: int) -> bytes:
    """One A record."""
    return RRset(name, A, 3600, (address.to_bytes(4, "big"),)).wire()


def seconds(work: Callable[[], object], rounds: int = 1) -> float:
    """The best of some rounds."""
    best = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def row(size: int) -> tuple[str, ...]:
    """One line of the table."""
    items = [(name, records(name, number)) for number, name in enumerate(sorted(map(owner, range(size)), key=sort_key))]
    blobs = Blobs.memory()
    built = seconds(lambda: Tree.build(blobs, items))
    tree = Tree.build(blobs, items)
    changed = items[size // 2][0]
    edits = {changed: records(changed, 0xC0000201)}
    before = set(blobs.pending)
    other = tree.update(edits)
    fresh = [data for digest, data in blobs.pending.items() if digest not in before]
    flat = seconds(lambda: hashlib.sha256(b"".join(data for _, data in items)).hexdigest(), ROUNDS)
    return (
        f"{size:,}",
        f"{built:.2f}",
        f"{size / built / 1000:.0f}k",
        f"{seconds(lambda: tree.update(edits), ROUNDS) * 1e3:.2f}",
        f"{flat * 1e3:.2f}",
        f"{len(fresh)}",
        f"{sum(map(len, fresh)) / 1024:.1f}",
        f"{seconds(lambda: list(diff(tree, other)), ROUNDS) * 1e3:.2f}",
        f"{seconds(lambda: tree.get(changed), ROUNDS) * 1e6:.0f}",
    )


def main() -> None:
    """Prints the table."""
    titles = ("names", "build s", "names/s", "change ms", "flat ms", "new blobs", "new KiB", "diff ms", "get µs")
    table = [titles, *(row(size) for size in SIZES)]
    widths = [max(len(line[column]) for line in table) for column in range(len(titles))]
    for line in table:
        print("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))


if __name__ == "__main__":
    main()
