"""Streams that tell of things late: when each message comes, and that nothing else about it changes."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from reactor.clock import LatencyModel
from reactor.types import MS_NS, SECOND_NS, TICK_NS
from tests import worlds
from tests.venues.spot import BUY, T0, market, texts
from venues.base import PAGE_NS, Exchange, Page, Topic
from venues.binance import BINANCE, BINANCE_USDM, Binance
from venues.binance.wire import SPOT_STREAMS, StreamChannel

PAGES = range(-1, 5)
MODELS = {
    "fixed": LatencyModel.fixed(25 * MS_NS),
    "jittery": LatencyModel.jittery(0, 3 * MS_NS),
    "log-normal": LatencyModel.log_normal(40 * MS_NS, 1.0, 2 * SECOND_NS),
}
SUBJECTS = [
    (venue, channel, option)
    for venue in (BINANCE, BINANCE_USDM)
    for channel, option in (
        ("trade", ""),
        ("aggTrade", ""),
        ("bookTicker", ""),
        ("depth", "100ms"),
        ("depth5", "100ms"),
        ("kline_1m", ""),
        ("ticker", ""),
        *([("markPrice", "1s")] if venue is BINANCE_USDM else [("avgPrice", "")]),
    )
]


def frames(page: Page) -> list[tuple[int, bytes]]:
    """When each message of a page is due, and its text."""
    return [(due_ns, text) for due_ns in page.due_ns for text in texts(page.cut(due_ns - TICK_NS, due_ns))]


def told(venue: Binance, topic: Topic, exchange: Exchange) -> list[tuple[int, bytes]]:
    channel = venue.channel(topic, exchange)
    return [row for n in PAGES for row in frames(channel.page(worlds.ORIGIN_NS + n * PAGE_NS))]


def undated(text: bytes) -> str:
    return re.sub(r'"E":\d+', "", text.decode())


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize(
    ("venue", "channel", "option"), SUBJECTS, ids=lambda value: getattr(value, "id", value)
)
def test_late_is_the_same_later(venue: Binance, channel: str, option: str, model: LatencyModel) -> None:
    """Every message once, in its order, with nothing changed but its event time; none earlier, none too late."""
    topic = Topic(channel, "BTCUSDT", (option,) if option else ())
    prompt = told(venue, topic, worlds.exchange(venue))
    late = told(venue, topic, Exchange(**_late(worlds.exchange(venue), model)))
    first = next(
        i
        for i, (due_ns, _) in enumerate(late)
        if due_ns > worlds.ORIGIN_NS + PAGES[0] * PAGE_NS + 3 * SECOND_NS
    )
    start = [undated(text) for _, text in prompt].index(undated(late[first][1]))
    pairs = list(zip(prompt[start:], late[first:], strict=False))
    assert len(pairs) > 5
    assert [undated(a) for (_, a), _ in pairs] == [undated(b) for _, (_, b) in pairs]
    assert all(0 <= late_ns - due_ns <= model.bound_ns + TICK_NS for (due_ns, _), (late_ns, _) in pairs)
    assert all(a <= b for (a, _), (b, _) in pairwise(late))
    for _, (due_ns, text) in pairs:
        event: dict[str, Any] = json.loads(text)
        if "E" in event:
            assert due_ns - TICK_NS <= event["E"] * MS_NS + MS_NS - 1
            assert event["E"] * MS_NS <= due_ns
            if channel == "trade":
                assert event["T"] * MS_NS - MS_NS <= event["E"] * MS_NS - model.delays_ns[0]


def _late(exchange: Exchange, model: LatencyModel) -> dict[str, Any]:
    return {"world": exchange.world, "markets": exchange.markets, "lateness": lambda _: model}


def test_event_time_minus_trade_time_is_the_latency() -> None:
    """Of a trade to the millisecond, over the end of a page; of what is told at a cadence from its boundary on."""
    prints = [(T0 + ms * MS_NS, 6_500_000, 1, BUY, n, n, n) for n, ms in enumerate((3, 17, 9_990))]
    tape: Any = market(prints=prints, start_bids=[(1, 1)], start_asks=[(2, 1)])
    latency = LatencyModel.fixed(25 * MS_NS).of(1, "market", "trade")
    trade = StreamChannel(Topic("trade", "BTCUSDT"), SPOT_STREAMS["trade"], tape, 8, latency)
    said = [
        (due_ns - T0, json.loads(text))
        for n in (0, 1)
        for due_ns, text in frames(trade.page(T0 + n * PAGE_NS))
    ]
    assert [
        (due_ns // MS_NS, event["E"] - T0 // MS_NS, event["T"] - T0 // MS_NS) for due_ns, event in said
    ] == [
        (30, 28, 3),
        (50, 42, 17),
        (10_020, 10_015, 9_990),
    ]
    mini = StreamChannel(Topic("miniTicker", "BTCUSDT"), SPOT_STREAMS["miniTicker"], tape, 8, latency)
    said = [
        (due_ns - T0, json.loads(text))
        for n in (0, 1)
        for due_ns, text in frames(mini.page(T0 + n * PAGE_NS))
    ]
    assert [(due_ns // MS_NS, event["E"] - T0 // MS_NS) for due_ns, event in said] == [
        (1_030, 1_025),
        (10_030, 10_025),
    ]


def test_an_envelope_or_a_unit_of_time_changes_no_time() -> None:
    """The same stream in another dress comes at the same instants."""
    exchange = Exchange(**_late(worlds.exchange(BINANCE), MODELS["log-normal"]))
    dresses: list[tuple[str, ...]] = [(), ("combined",), ("microseconds",)]
    dues = [
        [due_ns for due_ns, _ in told(BINANCE, Topic("trade", "BTCUSDT", (), dress), exchange)]
        for dress in dresses
    ]
    assert dues[0] == dues[1] == dues[2]
    assert np.all(np.diff(dues[0]) >= 0)
