"""Binance spot's market streams: exact bytes from tapes written by hand, and what holds for every tape."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.types import MS_NS, SECOND_NS, TICK_NS
from tests.handmade import HandmadeMarket
from tests.venues.spot import ASK, BID, BUY, INSTRUMENT, SELL, T0, TICK0, exchange, get, market, stream, texts
from venues.base import PAGE_NS, Topic, VenueError
from venues.binance import BINANCE
from venues.binance.wire import COMBINED, MICROSECONDS, SPOT_STREAMS, parts_of, stream_topic
from venues.wire import Ragged, Values, encode

SYMBOLS = {"BTCUSDT", "ETHUSDT"}


def column(*values: int) -> Any:
    return np.array(values, dtype=np.int64)


def said(market: HandmadeMarket, channel: str, *options: str, dress: tuple[str, ...] = ()) -> list[str]:
    return [text.decode() for _, text in stream(market, Topic(channel, "BTCUSDT", options, dress))]


# ---------------------------------------------------------------- recorded messages
RECORDED = [
    pytest.param(
        "aggTrade",
        {"symbol": "NKNUSDT", "price_decimals": 4, "qty_decimals": 0},
        {
            "E": column(1633998523963 * MS_NS),
            "a": column(15683430),
            "p": column(3528),
            "q": column(58),
            "f": column(19862790),
            "l": column(19862790),
            "T": column(1633998523963 * MS_NS),
            "m": column(0),
        },
        '{"e":"aggTrade","E":1633998523963,"s":"NKNUSDT","a":15683430,"p":"0.35280000","q":"58.00000000",'
        '"f":19862790,"l":19862790,"T":1633998523963,"m":false,"M":true}',
        id="aggTrade, bmoscon/cryptofeed sample_data/BINANCE.ws.1.0, 2021-10-12",
    ),
    pytest.param(
        "bookTicker",
        {"symbol": "LRCBTC", "price_decimals": 8, "qty_decimals": 0},
        {"u": column(259345545), "b": column(637), "B": column(6500), "a": column(638), "A": column(27122)},
        '{"u":259345545,"s":"LRCBTC","b":"0.00000637","B":"6500.00000000","a":"0.00000638","A":"27122.00000000"}',
        id="bookTicker, bmoscon/cryptofeed sample_data/BINANCE.ws.1.0, 2021-10-12",
    ),
    pytest.param(
        "depth",
        {"symbol": "RUNEEUR", "price_decimals": 3, "qty_decimals": 1},
        {
            "E": column(1633998541982 * MS_NS),
            "U": column(15602512),
            "u": column(15602513),
            "b": Ragged(column(2), {"price": column(6248, 6084), "qty": column(480, 4143)}),
            "a": Ragged(column(0), {"price": column(), "qty": column()}),
        },
        '{"e":"depthUpdate","E":1633998541982,"s":"RUNEEUR","U":15602512,"u":15602513,'
        '"b":[["6.24800000","48.00000000"],["6.08400000","414.30000000"]],"a":[]}',
        id="depthUpdate, bmoscon/cryptofeed sample_data/BINANCE.ws.1.0, 2021-10-12",
    ),
    pytest.param(
        "trade",
        {"symbol": "BNBBTC", "price_decimals": 3, "qty_decimals": 0},
        {
            "E": column(1672515782136 * MS_NS),
            "t": column(12345),
            "p": column(1),
            "q": column(100),
            "T": column(1672515782136 * MS_NS),
            "m": column(1),
        },
        '{"e":"trade","E":1672515782136,"s":"BNBBTC","t":12345,"p":"0.00100000","q":"100.00000000",'
        '"T":1672515782136,"m":true,"M":true}',
        id="trade, binance-spot-api-docs web-socket-streams.md, 2026-07-21, decimals as recorded",
    ),
]


@pytest.mark.parametrize(("channel", "contract", "columns", "expected"), RECORDED)
def test_a_recorded_message_is_made_again(
    channel: str, contract: Mapping[str, Any], columns: Mapping[str, Values], expected: str
) -> None:
    """The declared message, given the numbers of a real one, is that one byte for byte."""
    parts = parts_of(SPOT_STREAMS[channel].text, replace(INSTRUMENT, **contract), 8, MS_NS)
    assert encode(parts, columns) == [expected.encode()]


# ---------------------------------------------------------------- trades
PRINTS = market(
    prints=[
        # ts_ns, price, lots, side, trade_id, agg_id, order_id: one buyer at two prices, then a seller in the next tick
        (T0 + 3 * MS_NS, 6_500_012, 1_000, BUY, 101, 51, 31),
        (T0 + 3 * MS_NS, 6_500_012, 250, BUY, 102, 51, 31),
        (T0 + 3 * MS_NS, 6_500_100, 7, BUY, 103, 52, 31),
        (T0 + 12_345_678, 6_499_999, 123_456, SELL, 104, 53, 32),
    ]
)


def test_trade_says_every_print_at_the_end_of_its_tick() -> None:
    """E is the push, T the trade; the buyer is the maker when a seller took."""
    assert said(PRINTS, "trade") == [
        (
            '{"e":"trade","E":1700000000010,"s":"BTCUSDT","t":101,"p":"65000.12000000","q":"0.01000000",'
            '"T":1700000000003,"m":false,"M":true}'
        ),
        (
            '{"e":"trade","E":1700000000010,"s":"BTCUSDT","t":102,"p":"65000.12000000","q":"0.00250000",'
            '"T":1700000000003,"m":false,"M":true}'
        ),
        (
            '{"e":"trade","E":1700000000010,"s":"BTCUSDT","t":103,"p":"65001.00000000","q":"0.00007000",'
            '"T":1700000000003,"m":false,"M":true}'
        ),
        (
            '{"e":"trade","E":1700000000020,"s":"BTCUSDT","t":104,"p":"64999.99000000","q":"1.23456000",'
            '"T":1700000000012,"m":true,"M":true}'
        ),
    ]


def test_agg_trade_joins_what_one_order_filled_at_one_price() -> None:
    """Quantities add up, f and l are the first and last print, and another price is another message."""
    assert said(PRINTS, "aggTrade") == [
        (
            '{"e":"aggTrade","E":1700000000010,"s":"BTCUSDT","a":51,"p":"65000.12000000","q":"0.01250000",'
            '"f":101,"l":102,"T":1700000000003,"m":false,"M":true}'
        ),
        (
            '{"e":"aggTrade","E":1700000000010,"s":"BTCUSDT","a":52,"p":"65001.00000000","q":"0.00007000",'
            '"f":103,"l":103,"T":1700000000003,"m":false,"M":true}'
        ),
        (
            '{"e":"aggTrade","E":1700000000020,"s":"BTCUSDT","a":53,"p":"64999.99000000","q":"1.23456000",'
            '"f":104,"l":104,"T":1700000000012,"m":true,"M":true}'
        ),
    ]


def test_the_envelope_names_the_stream_as_it_was_asked_for() -> None:
    """{"stream","data"}, https://github.com/binance/binance-spot-api-docs web-socket-streams.md, 2026-07-21."""
    raw, combined = said(PRINTS, "trade"), said(PRINTS, "trade", dress=(COMBINED,))
    assert combined == [f'{{"stream":"btcusdt@trade","data":{payload}}}' for payload in raw]


def test_times_are_microseconds_for_who_asked() -> None:
    """Every time of the message, and nothing else."""
    assert said(PRINTS, "trade", dress=(MICROSECONDS,))[-1] == (
        '{"e":"trade","E":1700000000020000,"s":"BTCUSDT","t":104,"p":"64999.99000000","q":"1.23456000",'
        '"T":1700000000012345,"m":true,"M":true}'
    )


# ---------------------------------------------------------------- the book
BOOK = market(
    quotes=[
        # ts_ns, bid, bid_lots, ask, ask_lots, update_id
        (T0 + 1 * MS_NS, 6_500_000, 150_000, 6_500_001, 20_000, 1_001),
        (T0 + 9_999_999, 6_500_000, 149_000, 6_500_001, 20_000, 1_002),
        (T0 + 10 * MS_NS, 6_499_999, 5, 6_500_001, 20_000, 1_003),
    ],
    levels=[
        # tick, side, price, lots, update_id
        (TICK0, BID, 6_500_000, 149_000, 1_002),
        (TICK0, ASK, 6_500_007, 0, 1_002),
        (TICK0 + 1, BID, 6_499_000, 31, 1_007),
        (TICK0 + 1, BID, 6_500_000, 0, 1_007),
        (TICK0 + 9, BID, 6_499_000, 30, 1_008),
        (TICK0 + 9, ASK, 6_500_001, 1, 1_008),
        (TICK0 + 9, ASK, 6_600_000, 2, 1_008),
        (TICK0 + 10, BID, 6_499_999, 4, 1_009),
        # nothing in the window that ends at 300 ms
        (TICK0 + 30, ASK, 6_500_001, 1, 1_011),
    ],
    start_bids=[(6_500_000, 150_000), (6_499_999, 5), (6_499_000, 30)],
    start_asks=[(6_500_001, 20_000), (6_500_007, 3)],
    start_update_id=1_000,
)


def test_book_ticker_says_every_change_of_the_best() -> None:
    """Neither event nor time; two changes in a tick are two messages."""
    assert stream(BOOK, Topic("bookTicker", "BTCUSDT")) == [
        (
            T0 + 10 * MS_NS,
            b'{"u":1001,"s":"BTCUSDT","b":"65000.00000000","B":"1.50000000","a":"65000.01000000","A":"0.20000000"}',
        ),
        (
            T0 + 10 * MS_NS,
            b'{"u":1002,"s":"BTCUSDT","b":"65000.00000000","B":"1.49000000","a":"65000.01000000","A":"0.20000000"}',
        ),
        (
            T0 + 20 * MS_NS,
            b'{"u":1003,"s":"BTCUSDT","b":"64999.99000000","B":"0.00005000","a":"65000.01000000","A":"0.20000000"}',
        ),
    ]


def test_depth_says_the_last_quantity_of_every_touched_level() -> None:
    """Removals of what the window emptied, levels that came back to what they were, ids contiguous over silence."""
    assert stream(BOOK, Topic("depth", "BTCUSDT", ("100ms",))) == [
        (
            T0 + 100 * MS_NS,
            (
                b'{"e":"depthUpdate","E":1700000000100,"s":"BTCUSDT","U":1001,"u":1008,'
                b'"b":[["65000.00000000","0.00000000"],["64990.00000000","0.00030000"]],'
                b'"a":[["65000.01000000","0.00001000"],["65000.07000000","0.00000000"],["66000.00000000","0.00002000"]]}'
            ),
        ),
        (
            T0 + 200 * MS_NS,
            (
                b'{"e":"depthUpdate","E":1700000000200,"s":"BTCUSDT","U":1009,"u":1009,'
                b'"b":[["64999.99000000","0.00004000"]],"a":[]}'
            ),
        ),
        (
            T0 + 400 * MS_NS,
            (
                b'{"e":"depthUpdate","E":1700000000400,"s":"BTCUSDT","U":1010,"u":1011,'
                b'"b":[],"a":[["65000.01000000","0.00001000"]]}'
            ),
        ),
    ]


@pytest.mark.parametrize("options", [(), ("1000ms",)])
def test_depth_is_a_second_unless_asked_faster(options: tuple[str, ...]) -> None:
    """The default cadence, also when it is spelt out."""
    assert stream(BOOK, Topic("depth", "BTCUSDT", options)) == [
        (
            T0 + SECOND_NS,
            (
                b'{"e":"depthUpdate","E":1700000001000,"s":"BTCUSDT","U":1001,"u":1011,'
                b'"b":[["65000.00000000","0.00000000"],["64999.99000000","0.00004000"],["64990.00000000","0.00030000"]],'
                b'"a":[["65000.01000000","0.00001000"],["65000.07000000","0.00000000"],["66000.00000000","0.00002000"]]}'
            ),
        )
    ]


def test_partial_depth_says_the_best_levels_when_the_book_changed() -> None:
    """As of each boundary; shorter than asked where the book is, no message where nothing moved."""
    assert stream(BOOK, Topic("depth5", "BTCUSDT", ("100ms",), (COMBINED,))) == [
        (
            T0 + 100 * MS_NS,
            (
                b'{"stream":"btcusdt@depth5@100ms","data":{"lastUpdateId":1008,'
                b'"bids":[["64999.99000000","0.00005000"],["64990.00000000","0.00030000"]],'
                b'"asks":[["65000.01000000","0.00001000"],["66000.00000000","0.00002000"]]}}'
            ),
        ),
        (
            T0 + 200 * MS_NS,
            (
                b'{"stream":"btcusdt@depth5@100ms","data":{"lastUpdateId":1009,'
                b'"bids":[["64999.99000000","0.00004000"],["64990.00000000","0.00030000"]],'
                b'"asks":[["65000.01000000","0.00001000"],["66000.00000000","0.00002000"]]}}'
            ),
        ),
        (
            T0 + 400 * MS_NS,
            (
                b'{"stream":"btcusdt@depth5@100ms","data":{"lastUpdateId":1011,'
                b'"bids":[["64999.99000000","0.00004000"],["64990.00000000","0.00030000"]],'
                b'"asks":[["65000.01000000","0.00001000"],["66000.00000000","0.00002000"]]}}'
            ),
        ),
    ]


@pytest.mark.parametrize("n", [5, 10, 20])
def test_partial_depth_stops_at_its_number_of_levels(n: int) -> None:
    """depth5, depth10 and depth20 of a book of thirty levels a side."""
    deep = market(
        levels=[(TICK0, BID, 100, 1, 1)],
        start_bids=[(p, 1) for p in range(130, 100, -1)],
        start_asks=[(p, 1) for p in range(140, 170)],
    )
    (message,) = said(deep, f"depth{n}")
    book = json.loads(message)
    assert [price for price, _ in book["bids"]] == [f"1.{30 - i:02d}000000" for i in range(n)]
    assert [price for price, _ in book["asks"]] == [f"1.{40 + i:02d}000000" for i in range(n)]


# ---------------------------------------------------------------- what holds for every tape
LEVELS = st.lists(
    st.tuples(st.integers(0, 1_999), st.sampled_from([BID, ASK]), st.integers(1, 15)), max_size=120
)


@st.composite
def tapes(draw: st.DrawFn) -> HandmadeMarket:
    """Twenty seconds of level changes, many of them in few ticks."""
    spread = draw(st.sampled_from([1, 10, 137]))
    rows = sorted({(TICK0 + tick // spread * spread, side, price) for tick, side, price in draw(LEVELS)})
    lots = draw(st.lists(st.integers(0, 9), min_size=len(rows), max_size=len(rows)))
    ids = {tick: 50 + 3 * i for i, tick in enumerate(sorted({tick for tick, _, _ in rows}))}
    return market(
        levels=[(*row, n, ids[row[0]]) for row, n in zip(rows, lots, strict=True)],
        start_bids=[(7, 1), (3, 2)],
        start_asks=[(9, 1)],
        start_update_id=40,
    )


@given(tapes(), st.sampled_from([(), ("100ms",)]), st.integers(0, 1_999))
def test_a_client_that_follows_the_manual_keeps_the_book(
    tape: HandmadeMarket, options: tuple[str, ...], joined: int
) -> None:
    """Snapshot at any moment, then every later event: no gap, and at the end the book of the exchange.

    The steps are those of "How to manage a local order book correctly", web-socket-streams.md, 2025-11-12.
    """
    topic = Topic("depth", "BTCUSDT", options)
    now_ns = T0 + joined * TICK_NS
    snapshot = json.loads(get(exchange(tape), "/api/v3/depth", "symbol=BTCUSDT&limit=5000", now_ns).body)
    events = [
        json.loads(text)
        for start_ns in (T0, T0 + PAGE_NS)
        for due_ns, text in stream(tape, topic, start_ns)
        if due_ns > now_ns  # the client subscribed before it asked for the snapshot
    ]
    last = snapshot["lastUpdateId"]
    book = {"b": dict(snapshot["bids"]), "a": dict(snapshot["asks"])}
    kept = [event for event in events if event["u"] > last]
    if options:
        assert kept == events
        assert all(event["U"] == last + 1 for event in kept[:1])
    for event in kept:
        assert event["U"] <= last + 1 <= event["u"]
        last = event["u"]
        assert event["b"] or event["a"]
        for side in ("b", "a"):
            book[side] |= dict(event[side])
    end_ns = T0 + 2 * PAGE_NS
    final = json.loads(get(exchange(tape), "/api/v3/depth", "symbol=BTCUSDT&limit=5000", end_ns).body)
    assert last == final["lastUpdateId"]
    for side, name in (("b", "bids"), ("a", "asks")):
        assert {p: q for p, q in book[side].items() if q != "0.00000000"} == dict(final[name])


@given(tapes(), st.sampled_from(["depth5", "depth10"]))
def test_partial_depth_is_the_top_of_the_book(tape: HandmadeMarket, channel: str) -> None:
    """Each message is what REST would have said at that boundary, and none is missing."""
    n = int(channel.removeprefix("depth"))
    sent = stream(tape, Topic(channel, "BTCUSDT", ("100ms",)))
    for due_ns, text in sent:
        assert text == get(exchange(tape), "/api/v3/depth", f"symbol=BTCUSDT&limit={n}", due_ns).body
    assert [due_ns for due_ns, _ in sent] == [
        due_ns for due_ns, _ in stream(tape, Topic("depth", "BTCUSDT", ("100ms",)))
    ]


@given(tapes(), st.sampled_from(sorted(SPOT_STREAMS)), st.booleans())
def test_the_envelope_changes_nothing_but_itself(tape: HandmadeMarket, channel: str, fast: bool) -> None:
    """Raw and combined say the same, at the same time."""
    options = ("100ms",) if fast and channel.startswith("depth") else ()
    raw = stream(tape, Topic(channel, "BTCUSDT", options))
    combined = stream(tape, Topic(channel, "BTCUSDT", options, (COMBINED,)))
    head = '{"stream":"' + "@".join(("btcusdt", channel, *options)) + '","data":'
    assert combined == [(due_ns, head.encode() + text + b"}") for due_ns, text in raw]


@given(tapes(), st.sampled_from(sorted(SPOT_STREAMS)), st.lists(st.integers(0, 1_000), max_size=6))
def test_a_page_cut_anywhere_loses_nothing(tape: HandmadeMarket, channel: str, cuts: list[int]) -> None:
    """The pieces are whole frames and together the page; E is the boundary a message is due at."""
    page = BINANCE.channel(Topic(channel, "BTCUSDT"), exchange(tape)).page(T0)
    edges = [T0 + cut * TICK_NS for cut in sorted({0, *cuts, 1_000})]
    pieces = [page.cut(a, b) for a, b in pairwise(edges)]
    assert b"".join(pieces) == page.buffer
    assert sum(len(list(texts(piece))) for piece in pieces) == page.frames
    for due_ns, text in stream(tape, Topic(channel, "BTCUSDT")):
        assert json.loads(text).get("E", due_ns // MS_NS) == due_ns // MS_NS


def test_an_empty_tape_says_nothing() -> None:
    """No print, no quote, no change: every page is empty, but for klines at their end."""
    for channel in SPOT_STREAMS:
        assert all('"x":true' in text for text in said(market(), channel))


def test_a_subscriber_gets_no_snapshot() -> None:
    """On this venue a client asks for one over REST."""
    assert BINANCE.channel(Topic("depth", "BTCUSDT"), exchange(BOOK)).snapshot(T0) == ()


# ---------------------------------------------------------------- names
@pytest.mark.parametrize(
    ("name", "topic"),
    [
        ("btcusdt@trade", Topic("trade", "BTCUSDT")),
        ("ethusdt@aggTrade", Topic("aggTrade", "ETHUSDT")),
        ("btcusdt@depth", Topic("depth", "BTCUSDT")),
        ("btcusdt@depth@100ms", Topic("depth", "BTCUSDT", ("100ms",))),
        ("btcusdt@depth20@1000ms", Topic("depth20", "BTCUSDT", ("1000ms",))),
        ("btcusdt@bookTicker", Topic("bookTicker", "BTCUSDT")),
        ("nosuch@trade", None),
        ("BTCUSDT@trade", None),
    ],
)
def test_a_name_means_a_topic(name: str, topic: Topic | None) -> None:
    """Unlisted symbols, and symbols in capitals, are well-formed names of nothing."""
    assert stream_topic(name, SPOT_STREAMS, SYMBOLS, ()) == topic


@pytest.mark.parametrize(
    "name",
    [
        "",
        "0",
        "btcusdt",
        "@trade",
        "btcusdt@",
        "btcusdt@trades",
        "btcusdt@trade@100ms",
        "btcusdt@depth@10ms",
        "btcusdt@depth@",
        "btcusdt@depth@100ms@100ms",
        "btcusdt@depth6",
        "btc usdt@trade",
        "btcusdt@TRADE",
        "btcusdt@trade\n",
        "x" * 51 + "@trade",
    ],
)
def test_a_malformed_name_is_refused(name: str) -> None:
    """Not a symbol, a stream there is, and one of its options."""
    with pytest.raises(VenueError, match="INVALID_STREAM"):
        stream_topic(name, SPOT_STREAMS, SYMBOLS, ())
