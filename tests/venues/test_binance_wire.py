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
from tests.venues.spot import (
    ASK,
    BID,
    BUY,
    DAY,
    INSTRUMENT,
    SELL,
    T0,
    TICK0,
    TWO,
    day_of,
    exchange,
    get,
    market,
    stream,
    texts,
)
from venues.base import PAGE_NS, Topic, VenueError
from venues.binance import BINANCE
from venues.binance.wire import COMBINED, MICROSECONDS, SPOT_STREAMS, parts_of, stream_topic
from venues.wire import Ragged, Values, encode

SYMBOLS = {"BTCUSDT", "ETHUSDT"}


def column(*values: int) -> Any:
    return np.array(values, dtype=np.int64)


def named(channel: str, *options: str, dress: tuple[str, ...] = ()) -> Topic:
    """The topic of BTCUSDT's stream, or of all markets'."""
    return Topic(channel, "" if channel.startswith("!") else "BTCUSDT", options, dress)


def said(market: HandmadeMarket, channel: str, *options: str, dress: tuple[str, ...] = ()) -> list[str]:
    return [text.decode() for _, text in stream(market, named(channel, *options, dress=dress))]


def said_after(market: HandmadeMarket, channel: str, start_s: int) -> dict[int, str]:
    """What is said in the ten seconds from so many after T0, by the second it is due in."""
    sent = stream(market, named(channel), T0 + start_s * SECOND_NS)
    assert [due_ns % SECOND_NS for due_ns, _ in sent] == [0] * len(sent)
    by_second = {(due_ns - T0) // SECOND_NS: text.decode() for due_ns, text in sent}
    assert len(by_second) == len(sent)
    return by_second


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
    pytest.param(
        "kline_1m",
        {"symbol": "LRCBTC", "price_decimals": 8, "qty_decimals": 0},
        {
            "E": column(1633998534486 * MS_NS),
            "t": column(1633998480000 * MS_NS),
            "T": column(1633998540000 * MS_NS - 1),
            **{key: column(12368013) for key in "fL"},
            **{key: column(638) for key in "ochl"},
            **{key: column(177) for key in "vV"},
            "n": column(1),
            "x": column(0),
            **{key: column(638 * 177) for key in "qQ"},
        },
        '{"e":"kline","E":1633998534486,"s":"LRCBTC","k":{"t":1633998480000,"T":1633998539999,"s":"LRCBTC","i":"1m",'
        '"f":12368013,"L":12368013,"o":"0.00000638","c":"0.00000638","h":"0.00000638","l":"0.00000638",'
        '"v":"177.00000000","n":1,"x":false,"q":"0.00112926","V":"177.00000000","Q":"0.00112926","B":"0"}}',
        id="kline, bmoscon/cryptofeed sample_data/BINANCE.ws.1.0, 2021-10-12",
    ),
    pytest.param(
        "miniTicker",
        {},
        {
            "E": column(1768627410022 * MS_NS),
            "c": column(9531163),
            "o": column(9531013),
            "h": column(9587147),
            "l": column(9429346),
            "v": column(974453927),
            "q": column(9280973620824487),
        },
        '{"e":"24hrMiniTicker","E":1768627410022,"s":"BTCUSDT","c":"95311.63000000","o":"95310.13000000",'
        '"h":"95871.47000000","l":"94293.46000000","v":"9744.53927000","q":"928097362.08244870"}',
        id="24hrMiniTicker, roq-trading/roq-binance test/json_mini_ticker.cpp, 2026-01-17",
    ),
    pytest.param(
        "ticker",
        {"symbol": "DOGEBNB", "price_decimals": 8, "qty_decimals": 0},
        {
            "E": column(1569805259092 * MS_NS),
            "p": column(291),
            "P": column(2068),
            "w": column(2839_62578157 * 10**4 // 20014582),
            "x": column(14069),
            "c": column(14360),
            "Q": column(51135),
            "b": column(14365),
            "B": column(7080),
            "a": column(14498),
            "A": column(275033),
            "o": column(14069),
            "h": column(14550),
            "l": column(13851),
            "v": column(20014582),
            "q": column(283962578157),
            "O": column(1569718859088 * MS_NS),
            "C": column(1569805259092 * MS_NS),
            "F": column(64171),
            "L": column(64684),
            "n": column(514),
        },
        '{"e":"24hrTicker","E":1569805259092,"s":"DOGEBNB","p":"0.00000291","P":"2.068","w":"0.00014188",'
        '"x":"0.00014069","c":"0.00014360","Q":"51135.00000000","b":"0.00014365","B":"7080.00000000",'
        '"a":"0.00014498","A":"275033.00000000","o":"0.00014069","h":"0.00014550","l":"0.00013851",'
        '"v":"20014582.00000000","q":"2839.62578157","O":1569718859088,"C":1569805259092,"F":64171,"L":64684,"n":514}',
        id="24hrTicker, tardis-dev/tardis-node test/mappers.test.ts, 2019-09-30",
    ),
    pytest.param(
        "avgPrice",
        {},
        {
            "E": column(1693907033000 * MS_NS),
            "w": column(25776_860000000000),
            "T": column(1693907032213 * MS_NS),
        },
        '{"e":"avgPrice","E":1693907033000,"s":"BTCUSDT","i":"5m","w":"25776.86000000","T":1693907032213}',
        id="avgPrice, binance-spot-api-docs web-socket-streams.md, 2026-07-21",
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


# ---------------------------------------------------------------- klines
BARS = market(
    prints=[
        # the first minute ends 40 s after T0
        (T0 + 31_500 * MS_NS, 6_500_000, 1_000, BUY, 201, 61, 41),
        (T0 + 31_900 * MS_NS, 6_500_200, 500, SELL, 202, 62, 42),
        (T0 + 38_000 * MS_NS, 6_499_900, 2_000, BUY, 203, 63, 43),
        (T0 + 41_000 * MS_NS, 6_499_950, 10, SELL, 204, 64, 44),
        # nothing in the third minute
    ]
)


def test_a_kline_is_said_when_something_traded_and_at_its_end() -> None:
    """Every 2 s, unless nothing did; the end is said once, with x, as of a millisecond after T."""
    assert said_after(BARS, "kline_1m", 30) == {
        32: (
            '{"e":"kline","E":1700000032000,"s":"BTCUSDT","k":{"t":1699999980000,"T":1700000039999,"s":"BTCUSDT",'
            '"i":"1m","f":201,"L":202,"o":"65000.00000000","c":"65002.00000000","h":"65002.00000000",'
            '"l":"65000.00000000","v":"0.01500000","n":2,"x":false,"q":"975.01000000","V":"0.01000000",'
            '"Q":"650.00000000","B":"0"}}'
        ),
        40: (
            '{"e":"kline","E":1700000040000,"s":"BTCUSDT","k":{"t":1699999980000,"T":1700000039999,"s":"BTCUSDT",'
            '"i":"1m","f":201,"L":203,"o":"65000.00000000","c":"64999.00000000","h":"65002.00000000",'
            '"l":"64999.00000000","v":"0.03500000","n":3,"x":true,"q":"2274.99000000","V":"0.03000000",'
            '"Q":"1949.98000000","B":"0"}}'
        ),
    }
    second = (
        '"s":"BTCUSDT","k":{"t":1700000040000,"T":1700000099999,"s":"BTCUSDT","i":"1m","f":204,"L":204,'
        '"o":"64999.50000000","c":"64999.50000000","h":"64999.50000000","l":"64999.50000000","v":"0.00010000","n":1,'
        '"x":%s,"q":"6.49995000","V":"0.00000000","Q":"0.00000000","B":"0"}}'
    )
    assert said_after(BARS, "kline_1m", 40) == {42: '{"e":"kline","E":1700000042000,' + second % "false"}
    assert said_after(BARS, "kline_1m", 50) == {}
    assert said_after(BARS, "kline_1m", 90) == {100: '{"e":"kline","E":1700000100000,' + second % "true"}


def test_a_kline_without_trades_holds_the_price_before() -> None:
    """No trade, so no ids: f and L are -1."""
    assert said_after(BARS, "kline_1m", 150) == {
        160: (
            '{"e":"kline","E":1700000160000,"s":"BTCUSDT","k":{"t":1700000100000,"T":1700000159999,"s":"BTCUSDT",'
            '"i":"1m","f":-1,"L":-1,"o":"64999.50000000","c":"64999.50000000","h":"64999.50000000",'
            '"l":"64999.50000000","v":"0.00000000","n":0,"x":true,"q":"0.00000000","V":"0.00000000",'
            '"Q":"0.00000000","B":"0"}}'
        )
    }


def test_a_kline_of_a_second_is_said_every_second() -> None:
    """At its end, so it is always closed; empty seconds too."""
    sent = said_after(BARS, "kline_1s", 30)
    assert list(sent) == list(range(31, 41))
    assert all('"x":true' in text for text in sent.values())
    assert sent[32] == (
        '{"e":"kline","E":1700000032000,"s":"BTCUSDT","k":{"t":1700000031000,"T":1700000031999,"s":"BTCUSDT",'
        '"i":"1s","f":201,"L":202,"o":"65000.00000000","c":"65002.00000000","h":"65002.00000000",'
        '"l":"65000.00000000","v":"0.01500000","n":2,"x":true,"q":"975.01000000","V":"0.01000000",'
        '"Q":"650.00000000","B":"0"}}'
    )
    assert '"f":-1,"L":-1,"o":"65002.00000000"' in sent[33]


@pytest.mark.parametrize(
    ("channel", "opens", "closes"),
    [
        # T0 is 2023-11-14 22:13:20 UTC, a Tuesday
        ("kline_1s", 1700000031000, 1700000031999),
        ("kline_1h", 1699999200000, 1700002799999),
        ("kline_4h", 1699992000000, 1700006399999),
        ("kline_12h@+08:00", 1699977600000, 1700020799999),
        ("kline_1d", 1699920000000, 1700006399999),
        ("kline_1d@+08:00", 1699977600000, 1700063999999),
        ("kline_3d", 1699833600000, 1700092799999),
        ("kline_1w", 1699833600000, 1700438399999),
        ("kline_1w@+08:00", 1699804800000, 1700409599999),
        ("kline_1M", 1698796800000, 1701388799999),
        ("kline_1M@+08:00", 1698768000000, 1701359999999),
    ],
)
def test_intervals_open_where_the_calendar_or_the_zone_has_it(channel: str, opens: int, closes: int) -> None:
    """Days at midnight, weeks on Mondays, months on the first; of UTC+8 where the name says so. Times stay in UTC."""
    kline = json.loads(said_after(BARS, channel, 30)[32])["k"]
    interval = channel.removeprefix("kline_").removesuffix("@+08:00")
    assert (kline["t"], kline["T"], kline["i"]) == (opens, closes, interval)


def test_a_klines_name_and_times_in_the_envelope() -> None:
    """The zone is part of the name; a kline ends a microsecond before the next where microseconds are asked for."""
    dress = (COMBINED, MICROSECONDS)
    first = said(market(prints=[(T0, 1, 1, BUY, 1, 1, 1)]), "kline_1d@+08:00", dress=dress)[0]
    assert first.startswith(
        '{"stream":"btcusdt@kline_1d@+08:00","data":{"e":"kline","E":1700000002000000,"s":"BTCUSDT",'
        '"k":{"t":1699977600000000,"T":1700063999999999,'
    )


# ---------------------------------------------------------------- tickers
def test_mini_ticker_says_24_hours_when_something_traded() -> None:
    """A second without a trade is silent, whatever the quotes do."""
    assert said_after(DAY, "miniTicker", 0) == {
        1: (
            '{"e":"24hrMiniTicker","E":1700000001000,"s":"BTCUSDT","c":"65001.00000000","o":"64200.00000000",'
            '"h":"65001.00000000","l":"64200.00000000","v":"4.50000000","q":"290100.50000000"}'
        )
    }


def test_ticker_says_24_hours_the_newest_trade_and_the_best_quotes() -> None:
    """x is the price before the window, w the quotient half up; another quote is another message."""
    sent = said_after(DAY, "ticker", 0)
    assert sent == {
        n: (
            f'{{"e":"24hrTicker","E":170000000{n}000,"s":"BTCUSDT","p":"801.00000000","P":"1.248",'
            f'"w":"64466.77777778","x":"64000.00000000","c":"65001.00000000","Q":"0.50000000",{quotes},'
            f'"o":"64200.00000000","h":"65001.00000000","l":"64200.00000000","v":"4.50000000",'
            f'"q":"290100.50000000","O":1699913580000,"C":170000000{n}000,"F":101,"L":103,"n":3}}'
        )
        for n, quotes in (
            (1, '"b":"65000.00000000","B":"0.00007000","a":"65001.00000000","A":"0.00009000"'),
            (3, '"b":"64999.00000000","B":"0.00008000","a":"65001.00000000","A":"0.00009000"'),
        )
    }


def test_a_windowed_ticker_says_what_is_in_its_window() -> None:
    """The hour opens on a minute and closes now."""
    assert said_after(DAY, "ticker_1h", 0) == {
        1: (
            '{"e":"1hTicker","E":1700000001000,"s":"BTCUSDT","p":"1.00000000","P":"0.002","o":"65000.00000000",'
            '"h":"65001.00000000","l":"65000.00000000","c":"65001.00000000","w":"65000.33333333","v":"1.50000000",'
            '"q":"97500.50000000","O":1699996380000,"C":1700000001000,"F":102,"L":103,"n":2}'
        )
    }
    for window in ("4h", "1d"):
        (message,) = said_after(DAY, f"ticker_{window}", 0).values()
        assert message.startswith(f'{{"e":"{window}Ticker",')


@pytest.mark.parametrize(("channel", "hours"), [("ticker_1h", 1), ("ticker_4h", 4), ("ticker_1d", 24)])
def test_a_window_is_wider_than_its_name_by_less_than_a_minute(channel: str, hours: int) -> None:
    """By up to 59,999 ms, web-socket-streams.md, 2026-07-21; at the end of a minute by nothing."""
    busy = day_of(prints=[(T0 + n * SECOND_NS // 2, 100, 1, BUY, n, n, n) for n in range(200)])
    sent = [
        json.loads(text)
        for page_s in range(0, 100, 10)
        for text in said_after(busy, channel, page_s).values()
    ]
    assert len(sent) == 100
    wider = [ticker["C"] - ticker["O"] - hours * 3_600_000 for ticker in sent]
    assert all(ticker["O"] % 60_000 == 0 for ticker in sent)
    assert (min(wider), max(wider)) == (0, 59_000)


def test_a_loss_is_negative() -> None:
    """The change and its percentage, rounded away from zero at the half: -0.0125 % is -0.013."""
    down = day_of(
        prints=[(T0 - 3600 * SECOND_NS, 800_000, 1, BUY, 1, 1, 1), (T0, 799_900, 1, SELL, 2, 2, 2)],
        start_bids=[(1, 1)],
        start_asks=[(2, 1)],
    )
    assert '"p":"-1.00000000","P":"-0.013",' in said_after(down, "ticker", 0)[1]


def test_a_ticker_opens_with_the_market_where_that_is_younger_than_a_day() -> None:
    """Nothing was before, so x is the open."""
    young = market(prints=[(T0, 700, 5, BUY, 1, 1, 1), (T0 + 1, 800, 5, BUY, 2, 2, 2)])
    ticker = json.loads(said_after(young, "ticker", 0)[1])
    assert (ticker["x"], ticker["o"], ticker["O"]) == ("7.00000000", "7.00000000", 1699999980000)


def test_average_price_is_that_of_five_minutes() -> None:
    """And T the time of the last trade."""
    assert said_after(DAY, "avgPrice", 0) == {
        1: '{"e":"avgPrice","E":1700000001000,"s":"BTCUSDT","i":"5m","w":"65000.33333333","T":1700000000700}'
    }


# ---------------------------------------------------------------- streams of all markets
def test_a_stream_of_all_markets_says_who_changed() -> None:
    """One array for an instant, in the order of listing, of those that traded since the instant before."""
    assert stream(TWO, Topic("!miniTicker@arr", "")) == [
        (
            T0 + SECOND_NS,
            (
                b'[{"e":"24hrMiniTicker","E":1700000001000,"s":"BTCUSDT","c":"65001.00000000","o":"64200.00000000",'
                b'"h":"65001.00000000","l":"64200.00000000","v":"4.50000000","q":"290100.50000000"},'
                b'{"e":"24hrMiniTicker","E":1700000001000,"s":"ETHUSDT","c":"3200.00000000","o":"3200.00000000",'
                b'"h":"3200.00000000","l":"3200.00000000","v":"1.00000000","q":"3200.00000000"}]'
            ),
        ),
        (
            T0 + 3 * SECOND_NS,
            (
                b'[{"e":"24hrMiniTicker","E":1700000003000,"s":"ETHUSDT","c":"3201.00000000","o":"3200.00000000",'
                b'"h":"3201.00000000","l":"3200.00000000","v":"2.00000000","q":"6401.00000000"}]'
            ),
        ),
    ]


@pytest.mark.parametrize(
    ("channel", "of_one"),
    [
        ("!miniTicker@arr", "miniTicker"),
        ("!ticker_1h@arr", "ticker_1h"),
        ("!ticker_4h@arr", "ticker_4h"),
        ("!ticker_1d@arr", "ticker_1d"),
    ],
)
def test_an_array_is_what_its_markets_say(channel: str, of_one: str) -> None:
    """Its elements are single symbols' payloads, web-socket-streams.md, 2026-07-21; the envelope is around it."""
    alone = [dict(stream(TWO, Topic(of_one, symbol))) for symbol in ("BTCUSDT", "ETHUSDT")]
    arrays = {
        due_ns: b'{"stream":"%s","data":[%s]}'
        % (channel.encode(), b",".join(sent[due_ns] for sent in alone if due_ns in sent))
        for due_ns in sorted({due_ns for sent in alone for due_ns in sent})
    }
    assert dict(stream(TWO, Topic(channel, "", (), (COMBINED,)))) == arrays
    assert len(arrays) == 2
    assert BINANCE.channel(Topic(channel, ""), TWO).snapshot(T0) == ()


# ---------------------------------------------------------------- what holds for every tape
LEVELS = st.lists(
    st.tuples(st.integers(0, 1_999), st.sampled_from([BID, ASK]), st.integers(1, 15)), max_size=120
)


TRADES = st.lists(
    st.tuples(st.integers(0, 19_999), st.integers(1, 15), st.integers(1, 99), st.sampled_from([BUY, SELL])),
    max_size=20,
)


@st.composite
def tapes(draw: st.DrawFn) -> HandmadeMarket:
    """Twenty seconds of level changes, many of them in few ticks, and of prints."""
    spread = draw(st.sampled_from([1, 10, 137]))
    rows = sorted({(TICK0 + tick // spread * spread, side, price) for tick, side, price in draw(LEVELS)})
    lots = draw(st.lists(st.integers(0, 9), min_size=len(rows), max_size=len(rows)))
    ids = {tick: 50 + 3 * i for i, tick in enumerate(sorted({tick for tick, _, _ in rows}))}
    return market(
        levels=[(*row, n, ids[row[0]]) for row, n in zip(rows, lots, strict=True)],
        start_bids=[(7, 1), (3, 2)],
        start_asks=[(9, 1)],
        start_update_id=40,
        prints=[
            (T0 + ms * MS_NS, *row, n, n, n) for n, (ms, *row) in enumerate(sorted(draw(TRADES)), start=1)
        ],
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
    raw = stream(tape, named(channel, *options))
    combined = stream(tape, named(channel, *options, dress=(COMBINED,)))
    symbol = () if channel.startswith("!") else ("btcusdt",)
    head = '{"stream":"' + "@".join((*symbol, channel, *options)) + '","data":'
    assert combined == [(due_ns, head.encode() + text + b"}") for due_ns, text in raw]


@given(tapes(), st.sampled_from(sorted(SPOT_STREAMS)), st.lists(st.integers(0, 1_000), max_size=6))
def test_a_page_cut_anywhere_loses_nothing(tape: HandmadeMarket, channel: str, cuts: list[int]) -> None:
    """The pieces are whole frames and together the page; E is the boundary a message is due at."""
    page = BINANCE.channel(named(channel), exchange(tape)).page(T0)
    edges = [T0 + cut * TICK_NS for cut in sorted({0, *cuts, 1_000})]
    pieces = [page.cut(a, b) for a, b in pairwise(edges)]
    assert b"".join(pieces) == page.buffer
    assert sum(len(list(texts(piece))) for piece in pieces) == page.frames
    for due_ns, text in stream(tape, named(channel)):
        message = json.loads(text)
        for one in message if isinstance(message, list) else [message]:
            assert one.get("E", due_ns // MS_NS) == due_ns // MS_NS


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
        ("ethusdt@kline_1M", Topic("kline_1M", "ETHUSDT")),
        ("btcusdt@kline_1s@+08:00", Topic("kline_1s@+08:00", "BTCUSDT")),
        ("btcusdt@ticker_4h", Topic("ticker_4h", "BTCUSDT")),
        ("btcusdt@blockTrade", Topic("blockTrade", "BTCUSDT")),
        ("btcusdt@referencePrice", Topic("referencePrice", "BTCUSDT")),
        ("!miniTicker@arr", Topic("!miniTicker@arr", "")),
        ("!ticker_1h@arr", Topic("!ticker_1h@arr", "")),
        ("!bookTicker", None),
        ("!ticker@arr", None),
        ("nosuch@trade", None),
        ("BTCUSDT@trade", None),
    ],
)
def test_a_name_means_a_topic(name: str, topic: Topic | None) -> None:
    """Unlisted symbols, symbols in capitals and retired streams are well-formed names of nothing.

    !bookTicker was removed on 2022-12-07, !ticker@arr on 2026-03-26: binance-spot-api-docs CHANGELOG.md.
    """
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
        "btcusdt@kline_2m",
        "btcusdt@kline_1m@08:00",
        "btcusdt@kline_1m@+09:00",
        "btcusdt@kline_1m@+08:00@",
        "btcusdt@!miniTicker@arr",
        "!miniTicker",
        "!miniTicker@arr@2000ms",
        "!ticker@arr@1000ms",
        "!btcusdt@trade",
        "!",
        "x" * 51 + "@trade",
    ],
)
def test_a_malformed_name_is_refused(name: str) -> None:
    """Not a symbol, a stream there is, and one of its options."""
    with pytest.raises(VenueError, match="INVALID_STREAM"):
        stream_topic(name, SPOT_STREAMS, SYMBOLS, ())
