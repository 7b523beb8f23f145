# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Asks the service address at a steady rate and says who answered; run in the client's network.

``load.py RATE SECONDS``, which SIGTERM ends early, prints in the end one JSON line a query: ``[sent (unix time),
seconds or null if unanswered, NSID]``.
Each query has a source port of its own, so that the router's flow hash spreads them over the edges.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time

import dns.edns
import dns.exception
import dns.flags
import dns.message

ADDRESS = ("203.0.113.53", 53)
TIMEOUT = 1.0


class _Question(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: object) -> None:
        if not self.answer.done():
            self.answer.set_result(data)

    def error_received(self, exc: Exception) -> None:
        pass  # an ICMP error is no answer: the time-out says so


def nsid(wire: bytes) -> str:
    """The server's name in the answer."""
    message = dns.message.from_wire(wire)
    for option in message.options:
        if option.otype == dns.edns.OptionType.NSID:
            return option.to_wire().decode("ascii", "replace")
    return ""


async def one() -> tuple[float, float | None, str]:
    """One query from a port of its own."""
    query = dns.message.make_query(
        "arca.example.", "SOA", use_edns=0, options=[dns.edns.GenericOption(dns.edns.OptionType.NSID, b"")]
    )
    sent = time.time()
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(_Question, remote_addr=ADDRESS)
    try:
        transport.sendto(query.to_wire())
        wire = await asyncio.wait_for(protocol.answer, TIMEOUT)
        return sent, time.time() - sent, nsid(wire)
    except (TimeoutError, OSError):
        return sent, None, ""
    finally:
        transport.close()


async def main(rate: float, seconds: float) -> None:
    """*rate* queries a second for *seconds*."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    tasks = []
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    for i in range(int(rate * seconds)):
        if ended.is_set():
            break
        await asyncio.sleep(max(0.0, start + i / rate - loop.time()))
        tasks.append(asyncio.create_task(one()))
    for record in await asyncio.gather(*tasks):
        sys.stdout.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]), float(sys.argv[2])))
