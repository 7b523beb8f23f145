# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The end of ``make demo``: what each edge announces, attests and serves, and a validated answer as the client gets it.

Ends with an error if the site does not work: a demo that shows nothing must not look like one that does.
"""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))

from support import PREFIXES, announced, api, on, until

console = Console(width=None if sys.stdout.isatty() else 120)
NAME = "www.arca.example"


def edges() -> list[dict]:  # type: ignore[type-arg]
    """Attestations of edges that serve the controller's head."""
    head = api("GET", "/status").json()["head"]
    found: list[dict] = api("GET", "/edges").json()["edges"]  # type: ignore[type-arg]
    return found if found and all(edge["head"] == head for edge in found) else []


def show_edges() -> None:
    """The table of edges."""
    found = until("every edge attests the current head", edges, seconds=60, every=0.5)
    table = Table(title="Edges", show_lines=True)
    for column in (
        "edge",
        "prefixes at the router",
        "head attested",
        "zones served, serials",
    ):
        table.add_column(column, no_wrap=True)
    for edge in sorted(found, key=lambda edge: str(edge["edge"])):
        name = str(edge["edge"])
        prefixes = until(f"{name} announces {', '.join(PREFIXES)}", lambda name=name: announced(name), seconds=60)
        zones = "\n".join(f"{zone['name']} {zone['serial']}" for zone in edge["zones"])
        table.add_row(name, "\n".join(sorted(prefixes)), str(edge["head"]), zones)
    console.print(table)


def validated() -> str:
    """dig's answer through the client's validating Unbound, once it has the AD flag."""
    out = on("client", "dig", "@127.0.0.1", "+dnssec", NAME, "A", check=False).out
    flags = next((line for line in out.splitlines() if line.startswith(";; flags:")), "")
    return out if " ad" in flags.split(";")[2] and "status: NOERROR" in out else ""


def main() -> int:
    """Show it; 1 if it does not work."""
    try:
        show_edges()
        console.print(f"\nOn the client: [bold]dig @127.0.0.1 +dnssec {NAME} A[/bold] (a validating Unbound)\n")
        console.print(until("a validated answer on the client", validated, seconds=30, every=0.5), highlight=False)
    except AssertionError as error:
        console.print(f"[red]The demo does not work:[/red] {error}", highlight=False)
        return 1
    console.print("[green]Signed, validated (flag [bold]ad[/bold]), from the anycast address.[/green] Try next:\n")
    for command in (
        "tests/lab/lab exec client -- dig @203.0.113.53 +dnssec no-such-name.arca.example",
        "tests/lab/lab exec edge1 -- systemctl stop nsd  # edge1 withdraws, edge2 answers; `start nsd`: back",
        "$EDITOR inventories/lab/zones/arca.example.zone"
        " && .venv/bin/ansible-playbook -i inventories/lab playbooks/zones.yml --diff",
    ):
        console.print(f"  {command}", highlight=False, soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
