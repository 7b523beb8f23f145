# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0
"""How fast a change is served by name servers, beside other ways to feed them, and how fast very many agents follow.

The first table is of zones of several sizes, through arca.dns, from Knot as a primary, and from a zone file
(support/propagation_servers.py says how). The second is of one controller with a thousand simulated agents
(support/propagation_agents.py).

``propagation.py [--names 10,100000,1000000] [--agents 1000] [--changes 10] [--only servers|agents]``; needs no root.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "support"))

import propagation_agents
import propagation_servers


def main() -> None:
    """Print what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--names", default="10,100000,1000000", help="sizes of the zones")
    parser.add_argument("--agents", type=int, default=1000)
    parser.add_argument("--changes", type=int, default=10, help="that the agents follow")
    parser.add_argument("--only", choices=["servers", "agents"])
    options = parser.parse_args()
    if options.only != "agents":
        propagation_servers.table([int(size) for size in options.names.split(",")])
    if options.only != "servers":
        propagation_agents.table(options.agents, options.changes)


if __name__ == "__main__":
    main()
