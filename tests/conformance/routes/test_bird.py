# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What role bird configures, between real BIRDs: who gets which route in which mode, and what a reload leaves alone."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from arca_dns_health.modes import Mode
from running_bird import Node, render, until
from running_nsd import tool

V4, OTHER = "203.0.113.53/32", "203.0.113.54/32"
OWN, ROUTER = 64601, 64600


def edge_settings(asn: int = OWN, **more: Any) -> dict[str, Any]:
    """An edge whose router is at 10.98.1.1."""
    neighbor = {"name": "router_v4", "address": "10.98.1.1", "asn": ROUTER, "password": "between us"}
    return {"asn": asn, "anycast_prefixes": [V4], "neighbors": [neighbor], "communities": ["64601:1"], **more}


def router_settings(edge: int = OWN, **more: Any) -> dict[str, Any]:
    """Its router."""
    neighbor = {"name": "edge1", "address": "10.98.1.2", "asn": edge, "password": "between us"}
    accepted = {"accepted_prefixes": [V4, OTHER]}
    return {"mode": "router", "asn": ROUTER, "neighbors": [neighbor], **accepted, **more}


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[dict[str, Node]]:
    """An edge, its router, and another router behind that one."""
    made: dict[str, Node] = {}
    try:
        for name in ("edge", "router", "beyond-it"):
            made[name] = Node(name, tmp_path)
        made["router"].link(made["edge"], 1)
        made["router"].link(made["beyond-it"], 2)
        yield made
    finally:
        for node in made.values():
            node.close()


def start(hosts: dict[str, Node], edge: dict[str, Any], router: dict[str, Any]) -> tuple[Node, Node]:
    hosts["edge"].write(**edge)
    hosts["router"].write(**router)
    for name in ("router", "edge"):
        hosts[name].start()
    until("the session is up", lambda: hosts["router"].session("edge1")[0] == "Established")
    return hosts["edge"], hosts["router"]


def test_a_mode_changes_the_route_and_never_takes_it_away(hosts: dict[str, Node]) -> None:
    degraded = {"degraded_prepends": 2, "degraded_communities": ["64601:1:9", "rt:64601:7"]}
    edge, router = start(hosts, edge_settings(**degraded), router_settings())
    assert router.route(V4) == {}, "nothing is announced until the health check says so"
    edge.bring(V4, Mode.ANNOUNCED)
    until("the prefix is announced", lambda: router.route(V4))
    route = router.route(V4)
    assert (route["as_path"], route["community"], route["next_hop"]) == ("64601", "(64601,1)", "10.98.1.2")
    edge.bring(V4, Mode.DEGRADED)
    until("it is degraded", lambda: router.route(V4).get("med") == "100")
    route = router.route(V4)
    assert route["as_path"] == "64601 64601 64601"
    assert route["large_community"] == "(64601, 1, 9)"
    assert route["ext_community"] == "(rt, 64601, 7)"
    edge.bring(V4, Mode.DRAINING)
    until("it is draining", lambda: router.route(V4).get("med") == "200")
    route = router.route(V4)
    assert "(65535,0)" in route["community"]
    assert route["local_pref"] == "0", "the router honours GRACEFUL_SHUTDOWN"
    edge.bring(V4, Mode.ANNOUNCED)
    until("it is announced again", lambda: router.route(V4).get("med") is None)
    assert router.withdrawals("edge1") == 0
    edge.bring(V4, Mode.WITHDRAWN)
    until("it is withdrawn", lambda: router.route(V4) == {})
    assert router.withdrawals("edge1") == 1


def test_a_reload_keeps_sessions_and_prefixes(hosts: dict[str, Node]) -> None:
    edge, router = start(hosts, edge_settings(), router_settings())
    edge.bring(V4, Mode.ANNOUNCED)
    until("the prefix is announced", lambda: router.route(V4))
    since = edge.session("router_v4"), router.session("edge1")
    more = edge_settings(anycast_prefixes=[V4, OTHER], communities=["64601:1", "64601:2"], degraded_med=7)
    more["neighbors"].append({"name": "second", "address": "10.98.7.1", "asn": ROUTER, "multihop": 2, "bfd": False})
    edge.configure(**more)
    until("the new community is there", lambda: "(64601,2)" in router.route(V4)["community"])
    edge.bring(OTHER, Mode.ANNOUNCED)
    until("the new prefix is announced", lambda: router.route(OTHER))
    router.configure(**router_settings(multipath_limit=8, import_limit=5))
    assert (edge.session("router_v4"), router.session("edge1")) == since
    assert router.withdrawals("edge1") == 0
    edge.configure(**edge_settings(anycast_prefixes=[OTHER]))
    until("the old prefix is gone", lambda: router.route(V4) == {})
    assert router.route(OTHER)
    assert (edge.session("router_v4"), router.session("edge1")) == since


def test_only_own_prefixes_leave_an_edge_and_only_accepted_ones_come_in(hosts: dict[str, Node]) -> None:
    foreign = (
        "protocol static arca_foreign { ipv4; route 198.51.100.0/24 blackhole; route 203.0.113.0/24 blackhole; }\n"
    )
    full = "".join(f"    route 10.{n // 250}.{n % 250}.0/24 blackhole;\n" for n in range(2000))
    table = f"protocol static everything {{\n    ipv4;\n{full}}}\n"
    edge, router = start(
        hosts,
        edge_settings(anycast_prefixes=[V4, OTHER], extra_config=foreign),
        router_settings(accepted_prefixes=[V4], extra_config=table),
    )
    # A router that is not one of ours sends all it has.
    config = router.directory / "bird.conf"
    config.write_text(config.read_text().replace("export none;", "export all;"))
    router.birdc("configure")
    for prefix in (V4, OTHER):
        edge.bring(prefix, Mode.ANNOUNCED)
    until("the accepted prefix is there", lambda: router.route(V4))
    sent = edge.birdc("show route export router_v4")
    assert V4 in sent
    assert OTHER in sent
    assert "198.51.100.0" not in sent
    assert "203.0.113.0/24" not in sent
    assert router.route(OTHER) == {}
    until("the edge has heard the table", lambda: "ignored" in edge.birdc("show protocols all router_v4"))
    assert edge.birdc("show route protocol router_v4").count("/24") == 0
    assert edge.session("router_v4")[0] == "Established"


def test_inside_one_as_a_reflector_passes_routes_on(hosts: dict[str, Node]) -> None:
    reflecting = router_settings(edge=ROUTER)
    reflecting["neighbors"][0]["rr_client"] = True
    reflecting["neighbors"].append({"name": "beyond", "address": "10.98.2.2", "asn": ROUTER, "announce": True})
    beyond = {"name": "reflector", "address": "10.98.2.1", "asn": ROUTER}
    last = hosts["beyond-it"]
    interior = "protocol static interior { ipv4; route 10.98.1.0/30 via 10.98.2.1; }\n"
    last.write(mode="router", asn=ROUTER, accepted_prefixes=[V4], neighbors=[beyond], extra_config=interior)
    last.start()
    edge, router = start(hosts, edge_settings(asn=ROUTER), reflecting)
    edge.bring(V4, Mode.ANNOUNCED)
    until("it is reflected", lambda: last.route(V4))
    assert last.route(V4)["next_hop"] == "10.98.1.2"
    assert last.route(V4)["originator_id"] == "10.98.255.4"
    edge.bring(V4, Mode.DEGRADED)
    until("it is degraded", lambda: last.route(V4).get("local_pref") == "90")
    assert last.route(V4)["as_path"] == "", "the own number in the path would be a loop"
    edge.bring(V4, Mode.DRAINING)
    until("it is draining", lambda: last.route(V4).get("local_pref") == "0")
    assert router.withdrawals("edge1") == 0


def test_another_password_is_no_session(hosts: dict[str, Node]) -> None:
    wrong = router_settings()
    wrong["neighbors"][0]["password"] = "between others"
    hosts["edge"].write(**edge_settings())
    hosts["router"].write(**wrong)
    for name in ("router", "edge"):
        hosts[name].start()
    until("the edge tries", lambda: hosts["edge"].session("router_v4")[0] in ("Connect", "Active"))
    hosts["router"].configure(**router_settings())
    until("the session is up", lambda: hosts["router"].session("edge1")[0] == "Established")


@pytest.mark.parametrize(
    "settings",
    [
        edge_settings(
            neighbors=[
                {
                    "name": "far",
                    "address": "192.0.2.1",
                    "asn": ROUTER,
                    "multihop": 3,
                    "ttl_security": True,
                    "bfd": False,
                },
                {"name": "six", "address": "2001:db8::1", "asn": OWN, "local_address": "2001:db8::2"},
            ],
            anycast_prefixes=[V4, "2001:db8:53::/48"],
            communities=["64601:1", "64601:2:3", "rt:64601:4", "ro:10.0.0.1:5"],
            receive_limit=0,
            bfd=False,
        ),
        edge_settings(neighbors=[], degraded_prepends=0),
        router_settings(
            neighbors=[
                {"name": "upstream1", "address": "192.0.2.1", "asn": 64500, "accept": False, "announce": True},
                {"name": "client1", "address": "2001:db8::1", "asn": ROUTER, "rr_client": True, "add_paths": True},
                {"name": "edge2", "address": "192.0.2.9", "asn": OWN, "import_limit": 2},
            ],
            cluster_id="192.0.2.200",
            rpki_servers=[{"host": "192.0.2.3"}, {"host": "rpki.example.net", "port": 3323, "refresh": 60}],
            accepted_prefixes=[V4, "2001:db8:53::/48"],
        ),
        router_settings(accepted_prefixes=[]),
    ],
)
def test_bird_takes_all_that_can_be_set(settings: dict[str, Any], tmp_path: Path) -> None:
    config = tmp_path / "bird.conf"
    config.write_text(render(tmp_path, router_id="192.0.2.10", **settings))
    done = subprocess.run([tool("bird", "bird2"), "-p", "-c", str(config)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stderr}\n{config.read_text()}"
    assert "{%" not in config.read_text()
    assert "\n\n\n" not in config.read_text(), config.read_text()
