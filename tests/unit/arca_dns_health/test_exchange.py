# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Questions over loopback: an answer comes, and where nobody listens that is known at once."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address

import dns.message
import pytest

from arca_dns_health.probe import Target, exchange

QUERY = dns.message.make_query("example.com.", "SOA")


class Echo(asyncio.DatagramProtocol):
    """Answers every question."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = dns.message.make_response(dns.message.from_wire(data))
        self.transport.sendto(answer.to_wire(), addr)  # type: ignore[attr-defined]


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("local", [True, False])
def test_an_answer_comes_over_udp(address: str, local: bool) -> None:
    async def main() -> dns.message.Message:
        loop = asyncio.get_running_loop()
        transport, _protocol = await loop.create_datagram_endpoint(Echo, local_addr=(address, 0))
        port = transport.get_extra_info("sockname")[1]
        try:
            return await exchange(QUERY, Target(ip_address(address), port, local), "udp", 5.0)
        finally:
            transport.close()

    assert QUERY.is_response(asyncio.run(main()))


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_where_nobody_listens_no_time_is_lost(transport: str) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        endpoint, _protocol = await loop.create_datagram_endpoint(Echo, local_addr=("127.0.0.1", 0))
        port = endpoint.get_extra_info("sockname")[1]
        endpoint.close()
        await asyncio.sleep(0)
        await exchange(QUERY, Target(ip_address("127.0.0.1"), port, True), transport, 3600.0)  # type: ignore[arg-type]

    with pytest.raises(ConnectionRefusedError):
        asyncio.run(main())
