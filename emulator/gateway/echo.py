"""An echo server, for conformance suites of WebSockets: `python -m emulator.gateway.echo --port P`.

It sends every message back, text as text and binary as binary, until it is interrupted: the whole gateway over a card
that says nothing of its own. The control API is a port below.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from uvicorn.loops.auto import auto_loop_factory

from emulator.config import Layer, load
from emulator.gateway.server import Gateway
from reactor.exchange.orders import Told
from reactor.exchange.terms import House
from reactor.profiles import Assets
from venues.base import (
    Action,
    Anatomy,
    Channel,
    Close,
    Exchange,
    FundingPayments,
    HttpRequest,
    HttpResponse,
    Listing,
    Occasion,
    Quirk,
    Reply,
    Session,
    SocketRules,
    Topic,
)

RULES = SocketRules(16 << 20, outbox_bytes=32 << 20, slow_consumer=Close(1008, "Slow consumer"))


class Echo:
    """Sends back what it is sent."""

    def open(self, now_ns: int, wall_ns: int) -> Sequence[Action]:
        return ()

    def receive(self, data: str | bytes, now_ns: int, wall_ns: int) -> Sequence[Action]:
        return [Reply(data.encode()) if isinstance(data, str) else Reply(data, binary=True)]

    def ping(self, now_ns: int, wall_ns: int) -> Sequence[Action]:
        return ()

    def pong(self, payload: bytes, now_ns: int, wall_ns: int) -> Sequence[Action]:
        return ()

    def hear(self, told: Sequence[Told], now_ns: int) -> Sequence[Action]:
        return ()

    def tick(self, now_ns: int, wall_ns: int) -> Sequence[Action]:
        return ()

    def farewell(self, now_ns: int) -> Sequence[Action]:
        return ()

    def closed(self) -> None:
        """Nothing is held."""


@dataclass(frozen=True)
class EchoVenue:
    """The card: no markets, no endpoints, one kind of socket on every path."""

    id: str = "echo"
    port_offset: int = 1
    listings: Sequence[Listing] = ()
    profiles: Mapping[str, str] = field(default_factory=lambda: {"2026-11": "it echoes"})
    quirks: Mapping[str, Quirk] = field(default_factory=dict)
    key_header: str = ""
    fixed_ticks: str = "it has no markets"
    socket_rules: SocketRules = RULES

    def with_assets(self, assets: Assets) -> Self:
        return self

    def with_profile(self, name: str) -> Self:
        return self

    def with_quirks(self, changes: Mapping[str, bool]) -> Self:
        return self

    def session(self, request: HttpRequest, exchange: Exchange) -> Session | HttpResponse:
        return Echo()

    def channel(self, topic: Topic, exchange: Exchange) -> Channel:
        raise NotImplementedError  # no session of it subscribes

    def anatomy(self, topic: Topic) -> Anatomy:
        return Anatomy()

    def handle(self, request: HttpRequest, exchange: Exchange, now_ns: int) -> HttpResponse:
        return HttpResponse(404, b"")

    def house(self, exchange: Exchange) -> House | None:
        return None

    def next_instant(
        self,
        occasion: Occasion,
        symbol: str,
        interval: str,
        exchange: Exchange,
        now_ns: int,
    ) -> int | None:
        return None

    def settlements(
        self,
        symbol: str,
        exchange: Exchange,
        after_ns: int,
        upto_ns: int,
    ) -> FundingPayments:
        return FundingPayments.none()


async def _until_interrupted(gateway: Gateway) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await gateway.serve(stop, lambda: None)


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m emulator.gateway.echo", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="where to listen, on this machine")
    asked = parser.parse_args()
    registry = [EchoVenue()]
    gateway = Gateway(load([Layer(str, {"base_port": asked.port - 1})], registry), registry)
    with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
        runner.run(_until_interrupted(gateway))


if __name__ == "__main__":
    main()
