"""Runs without sockets say what sockets are told, at once or in their time."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Sequence
from contextlib import closing
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.config import Layer, load, resolve
from emulator.driver import run_batch, run_stream
from emulator.run import channels, exchanges
from emulator.sdk import DEFAULTS, Emulator
from reactor.clock import FASTEST, Chronometer
from reactor.types import MS_NS, SECOND_NS, TICK_NS
from tests.emulator.conftest import RawClient
from tests.emulator.toy import START_NS, Counter
from venues.base import Channel
from venues.registry import VENUES

COUNTERS = (Counter("a", 250, 0), Counter("b", 10, 0), Counter("c", 1_000, 0))
SUBSCRIPTIONS = ({"type": "trades", "coin": "BTC"}, {"type": "candle", "coin": "ETH", "interval": "1m"})
ASKS = {
    "binance": ("/stream?streams=btcusdt@trade/btcusdt@depth@100ms/ethusdt@kline_1m", ()),
    "binance-usdm": ("/market/stream?streams=btcusdt@markPrice@1s/btcusdt@aggTrade", ()),
    "hyperliquid": (
        "/ws",
        [json.dumps({"method": "subscribe", "subscription": row}) for row in SUBSCRIPTIONS],
    ),
}
SECONDS = 25


def heard_by(venue_id: str) -> Sequence[Channel]:
    """The channels of a client of this venue, in a run as the SDK starts it."""
    config = load([Layer(str, DEFAULTS)], VENUES)
    _, origin_ns = resolve(config, 0)
    (view,) = [view for view in exchanges(config, VENUES, origin_ns) if view[0].id == venue_id]
    return channels(*view, *ASKS[venue_id])


PING, PONG = b"\x89\x84\0\0\0\0done", b"\x8a\x04done"


def everything(client: RawClient) -> bytes:
    """All that was sent until now: the answer to a ping comes after it."""
    client.socket.sendall(PING)
    data = b""
    while not data.endswith(PONG):
        more = client.socket.recv(1 << 16)
        assert more, "it ended"
        data += more
    return data.removesuffix(PONG)


@pytest.mark.parametrize("venue_id", ASKS)
def test_a_batch_is_what_a_socket_receives(venue_id: str) -> None:
    """Byte for byte, headers included."""
    batch = b"".join(run_batch(heard_by(venue_id), START_NS, START_NS + SECONDS * SECOND_NS))
    path, messages = ASKS[venue_id]
    with Emulator() as exchange, closing(RawClient(exchange.url(venue_id), path)) as client:
        client.upgrade()
        for message in messages:
            client.send(message)
        everything(client)  # acknowledgements, and what only a new subscriber is told
        exchange.clock.advance(SECONDS)
        received = everything(client)
    assert batch.count(b'"') > 100 * SECONDS
    assert sha256(received).digest() == sha256(batch).digest()


@given(st.lists(st.integers(0, 3_000), max_size=6))
def test_it_does_not_matter_how_a_batch_is_cut(cuts: list[int]) -> None:
    """Spans one after another say what the whole says, in the middle of pages too."""
    edges = [START_NS + tick * TICK_NS for tick in sorted({0, *cuts, 3_000})]
    parts = [b"".join(run_batch(COUNTERS, a, b)) for a, b in pairwise(edges)]
    assert b"".join(parts) == b"".join(run_batch(COUNTERS, START_NS, edges[-1]))


@pytest.mark.parametrize("speed", [100.0, 10_000.0, FASTEST])
async def test_a_stream_is_a_batch_in_its_time(speed: float) -> None:
    """The same bytes, no earlier than the pace has them; at the fastest when they are asked for."""
    clock, end_ns = Chronometer(START_NS, speed), START_NS + 61_230 * MS_NS
    began_ns, pieces = time.monotonic_ns(), []
    async for frames in run_stream(COUNTERS, clock, end_ns):
        assert clock.now_ns - START_NS <= (time.monotonic_ns() - began_ns) * speed
        pieces.append(frames)
    assert clock.now_ns == end_ns
    assert len(pieces) > 5
    assert b"".join(pieces) == b"".join(run_batch(COUNTERS, START_NS, end_ns))


async def test_a_paused_stream_waits() -> None:
    """Nothing comes of it until its clock runs again, and then what is due since."""
    began_ns = time.monotonic_ns()
    clock = Chronometer(START_NS, paused=True)
    stream = run_stream(COUNTERS, clock, START_NS + 60 * SECOND_NS)
    first = asyncio.ensure_future(anext(stream))
    done, _ = await asyncio.wait([first], timeout=1)
    assert not done
    clock.paused = False
    assert b"b " in await first
    assert clock.now_ns - START_NS < time.monotonic_ns() - began_ns - SECOND_NS // 2


def test_the_example_in_the_documents_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """It prints a line for each page of a minute."""
    page = (Path(__file__).parents[2] / "docs" / "time.md").read_text()
    (example,) = re.findall(r"```python\n(from [^`]*)```", page)
    exec(example, {})
    assert len(re.findall(r"^\d{4,} bytes of WebSocket frames$", capsys.readouterr().out, re.MULTILINE)) == 6


def test_a_socket_that_a_venue_refuses_is_an_error() -> None:
    """There is nothing to hear where nobody is let in."""
    config = load([Layer(str, DEFAULTS)], VENUES)
    for venue, exchange in exchanges(config, VENUES, START_NS):
        with pytest.raises(ValueError, match="refuses /nowhere with 404"):
            channels(venue, exchange, "/nowhere?x=1")
