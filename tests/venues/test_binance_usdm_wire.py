"""Binance USD-M's market streams: exact bytes from tapes written by hand, and what holds for every tape."""

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

from reactor.types import BLOCK_NS, DAY_NS, MS_NS, SECOND_NS, TICK_NS
from reactor.unified_market import Fate
from reactor.veils import Closing, Opening
from tests import worlds
from tests.venues.spot import ASK, BID, BUY, SELL, T0, TICK0, exchange
from tests.venues.usdm import ETH, INSTRUMENT, SOL, HandmadePerpetual, get, market, stream
from venues.base import PAGE_NS, Exchange, Topic, VenueError
from venues.binance import BINANCE_USDM
from venues.binance.usdm_wire import USDM_CATEGORIES, USDM_STREAMS, usdm_topic
from venues.binance.wire import COMBINED, parts_of
from venues.wire import Ragged, Values, encode, payloads

SYMBOLS = {"BTCUSDT", "ETHUSDT"}


def column(*values: int) -> Any:
    return np.array(values, dtype=np.int64)


def said(on: HandmadePerpetual | Exchange, channel: str, *options: str, symbol: str = "BTCUSDT") -> list[str]:
    return [text for _, text in stream(on, Topic(channel, symbol, options))]


# ---------------------------------------------------------------- recorded messages
# Captured from fstream.binance.com; those of 2026 stand in tests of public repositories that were written against it.
RECORDED = [
    pytest.param(
        "trade",
        {},
        {
            "E": column(1785701708157 * MS_NS),
            "T": column(1785701708156 * MS_NS),
            "t": column(7947574407),
            "p": column(634373),
            "q": column(3),
            "m": column(0),
        },
        '{"e":"trade","E":1785701708157,"T":1785701708156,"s":"BTCUSDT","t":7947574407,"p":"63437.30","q":"0.003",'
        '"X":"MARKET","m":false,"st":1}',
        id="trade, 2026-08-02",
    ),
    pytest.param(
        "aggTrade",
        {},
        {
            "E": column(1790526539033 * MS_NS),
            "a": column(3466782974),
            "p": column(845511),
            "q": column(30),
            "f": column(8123344783),
            "l": column(8123344783),
            "T": column(1790526538883 * MS_NS),
            "m": column(0),
        },
        '{"e":"aggTrade","E":1790526539033,"a":3466782974,"s":"BTCUSDT","p":"84551.10","q":"0.030","nq":"0.030",'
        '"f":8123344783,"l":8123344783,"T":1790526538883,"m":false,"st":1}',
        id="aggTrade, 2026-09-27",
    ),
    pytest.param(
        "bookTicker",
        {},
        {
            "u": column(11671659685961),
            "b": column(845510),
            "B": column(2646),
            "a": column(845511),
            "A": column(5302),
            "T": column(1790526538939 * MS_NS),
            "E": column(1790526538940 * MS_NS),
        },
        '{"e":"bookTicker","u":11671659685961,"s":"BTCUSDT","ps":"BTCUSDT","b":"84551.00","B":"2.646",'
        '"a":"84551.10","A":"5.302","T":1790526538939,"E":1790526538940,"st":1}',
        id="bookTicker, 2026-09-27",
    ),
    pytest.param(
        "depth",
        {"tick_size": 1, "price_decimals": 1},
        {
            "E": column(1790143908674 * MS_NS),
            "T": column(1790143908673 * MS_NS),
            "U": column(11633556069952),
            "u": column(11633556076016),
            "pu": column(11633556069840),
            "b": Ragged(column(2), {"price": column(865195, 865196), "qty": column(19, 130)}),
            "a": Ragged(column(1), {"price": column(865202), "qty": column(3096)}),
        },
        '{"e":"depthUpdate","E":1790143908674,"T":1790143908673,"s":"BTCUSDT","ps":"BTCUSDT","U":11633556069952,'
        '"u":11633556076016,"pu":11633556069840,"b":[["86519.5","0.019"],["86519.6","0.130"]],'
        '"a":[["86520.2","3.096"]],"st":1}',
        id="depthUpdate, 2026-09-23, shortened",
    ),
    pytest.param(
        "ticker",
        {},
        {
            "E": column(1787492324172 * MS_NS),
            "p": column(3555),
            "P": column(461),
            "w": column(76764_070000000000),
            "c": column(774900),
            "Q": column(1),
            "o": column(771345),
            "h": column(777716),
            "l": column(755880),
            "v": column(115619606),
            "q": column(88754313142045),
            "O": column(1787405880000 * MS_NS),
            "C": column(1787492324171 * MS_NS),
            "F": column(8003360342),
            "L": column(8006170931),
            "n": column(2798861),
        },
        '{"e":"24hrTicker","E":1787492324172,"s":"BTCUSDT","ps":"BTCUSDT","p":"355.50","P":"0.461","w":"76764.07",'
        '"c":"77490.00","Q":"0.001","o":"77134.50","h":"77771.60","l":"75588.00","v":"115619.606","q":"8875431314.20",'
        '"O":1787405880000,"C":1787492324171,"F":8003360342,"L":8006170931,"n":2798861,"st":1}',
        id="24hrTicker, 2026-08-23",
    ),
    pytest.param(
        "markPrice",
        {},
        {
            "E": column(1790526539000 * MS_NS),
            "p": column(84551_10762319),
            "P": column(84559_09090930),
            "i": column(84590_87304348),
            "r": column(801),
            "T": column(1790553600000 * MS_NS),
        },
        '{"e":"markPriceUpdate","E":1790526539000,"s":"BTCUSDT","p":"84551.10762319","ap":"84551.10762319",'
        '"P":"84559.09090930","i":"84590.87304348","r":"0.00000801","T":1790553600000,"st":1}',
        id="markPriceUpdate, 2026-09-27",
    ),
    pytest.param(
        "kline_1m",
        {},
        {
            "E": column(1790771371858 * MS_NS),
            "t": column(1790771340000 * MS_NS),
            "T": column(1790771400000 * MS_NS - 1),
            "f": column(8132503391),
            "L": column(8132505633),
            "o": column(838964),
            "c": column(838602),
            "h": column(839200),
            "l": column(838601),
            "v": column(114602),
            "n": column(2239),
            "x": column(0),
            "q": column(96155386678),
            "V": column(48488),
            "Q": column(40687221036),
        },
        '{"e":"kline","E":1790771371858,"s":"BTCUSDT","k":{"t":1790771340000,"T":1790771399999,"s":"BTCUSDT","i":"1m",'
        '"f":8132503391,"L":8132505633,"o":"83896.40","c":"83860.20","h":"83920.00","l":"83860.10","v":"114.602",'
        '"n":2239,"x":false,"q":"9615538.66780","V":"48.488","Q":"4068722.10360","B":"0"}}',
        id="kline, 2026-09-30",
    ),
    pytest.param(
        "continuousKline_1m",
        {"symbol": "ILVUSDT", "price_decimals": 5, "tick_size": 1_000, "qty_decimals": 1},
        {
            "E": column(1706144867564 * MS_NS),
            "t": column(1706144820000 * MS_NS),
            "T": column(1706144880000 * MS_NS - 1),
            "f": column(3883429994698),
            "L": column(3883432678663),
            "o": column(7343),
            "c": column(7348),
            "h": column(7351),
            "l": column(7342),
            "v": column(619),
            "n": column(75),
            "x": column(0),
            "q": column(4548372),
            "V": column(597),
            "Q": column(4386822),
        },
        '{"e":"continuous_kline","E":1706144867564,"ps":"ILVUSDT","ct":"PERPETUAL","k":{"t":1706144820000,'
        '"T":1706144879999,"i":"1m","f":3883429994698,"L":3883432678663,"o":"73.43000","c":"73.48000","h":"73.51000",'
        '"l":"73.42000","v":"61.9","n":75,"x":false,"q":"4548.372000","V":"59.7","Q":"4386.822000","B":"0"}}',
        id="continuous_kline, 2024-01-25",
    ),
]


@pytest.mark.parametrize(("channel", "contract", "columns", "expected"), RECORDED)
def test_a_recorded_message_is_made_again(
    channel: str, contract: Mapping[str, Any], columns: Mapping[str, Values], expected: str
) -> None:
    """The declared message, given the numbers of a real one, is that one byte for byte."""
    parts = parts_of(USDM_STREAMS[channel].text, replace(INSTRUMENT, **contract), 0, MS_NS)
    assert encode(parts, columns) == [expected.encode()]


def test_a_symbol_has_decimals_of_its_own() -> None:
    """Prices and quantities to the symbol's precision; quote volume of the day to the price's, of bars to both."""
    sol = market(
        SOL,
        prints=[(T0 + MS_NS, 15_007, 123, BUY, 1, 1, 1), (T0 + 2 * MS_NS, 15_006, 1, SELL, 2, 2, 2)],
    )
    day = json.loads(said(sol, "ticker", symbol="SOLUSDT")[0])
    assert (day["c"], day["w"], day["v"], day["q"]) == ("150.0600", "150.0699", "1.24", "186.0867")
    bar = json.loads(said(sol, "kline_1m", symbol="SOLUSDT")[0])["k"]
    assert (bar["o"], bar["V"], bar["q"]) == ("150.0700", "1.23", "186.086700")


# ---------------------------------------------------------------- trades
PRINTS = market(
    prints=[
        # ts_ns, price, lots, side, trade_id, agg_id, order_id: one buyer at two prices, then a seller in the next tick
        (T0 + 3 * MS_NS, 650_012, 1_000, BUY, 101, 51, 31),
        (T0 + 3 * MS_NS, 650_012, 250, BUY, 102, 51, 31),
        (T0 + 3 * MS_NS, 650_100, 7, BUY, 103, 52, 31),
        (T0 + 12_345_678, 649_999, 123_456, SELL, 104, 53, 32),
    ]
)


def test_trade_says_every_print_at_the_end_of_its_tick() -> None:
    """With the transaction's time beside the event's, and what kind of trade it was."""
    assert stream(PRINTS, Topic("trade", "BTCUSDT"))[1:] == [
        (
            10 * MS_NS,
            (
                '{"e":"trade","E":1700000000010,"T":1700000000003,"s":"BTCUSDT","t":102,"p":"65001.20","q":"0.250",'
                '"X":"MARKET","m":false,"st":1}'
            ),
        ),
        (
            10 * MS_NS,
            (
                '{"e":"trade","E":1700000000010,"T":1700000000003,"s":"BTCUSDT","t":103,"p":"65010.00","q":"0.007",'
                '"X":"MARKET","m":false,"st":1}'
            ),
        ),
        (
            20 * MS_NS,
            (
                '{"e":"trade","E":1700000000020,"T":1700000000012,"s":"BTCUSDT","t":104,"p":"64999.90","q":"123.456",'
                '"X":"MARKET","m":true,"st":1}'
            ),
        ),
    ]


def test_aggregates_are_told_every_100_ms() -> None:
    """All at the end of the window they fell into, each with its own time."""
    assert stream(PRINTS, Topic("aggTrade", "BTCUSDT")) == [
        (100 * MS_NS, text)
        for text in (
            (
                '{"e":"aggTrade","E":1700000000100,"a":51,"s":"BTCUSDT","p":"65001.20","q":"1.250","nq":"1.250",'
                '"f":101,"l":102,"T":1700000000003,"m":false,"st":1}'
            ),
            (
                '{"e":"aggTrade","E":1700000000100,"a":52,"s":"BTCUSDT","p":"65010.00","q":"0.007","nq":"0.007",'
                '"f":103,"l":103,"T":1700000000003,"m":false,"st":1}'
            ),
            (
                '{"e":"aggTrade","E":1700000000100,"a":53,"s":"BTCUSDT","p":"64999.90","q":"123.456","nq":"123.456",'
                '"f":104,"l":104,"T":1700000000012,"m":true,"st":1}'
            ),
        )
    ]


# ---------------------------------------------------------------- the book
BOOK = market(
    quotes=[
        # ts_ns, bid, bid_lots, ask, ask_lots, update_id
        (T0 + 1 * MS_NS, 650_000, 150_000, 650_001, 20_000, 1_001),
        (T0 + 9_999_999, 650_000, 149_000, 650_001, 20_000, 1_002),
        (T0 + 4_995 * MS_NS, 649_999, 5, 650_001, 20_000, 1_003),
    ],
    levels=[
        # tick, side, price, lots, update_id
        (TICK0, BID, 650_000, 149_000, 1_002),
        (TICK0, ASK, 650_007, 0, 1_002),
        (TICK0 + 1, BID, 649_000, 31, 1_007),
        (TICK0 + 6, BID, 649_000, 30, 1_008),
        # nothing in the window that ends at 200 ms
        (TICK0 + 22, ASK, 650_001, 1, 1_011),
    ],
    start_bids=[(650_000, 150_000), (649_000, 30)],
    start_asks=[(650_001, 20_000), (650_007, 3)],
    start_update_id=1_000,
)


def test_book_ticker_says_every_change_of_the_best() -> None:
    """Two changes in a tick are two messages, each with its own time."""
    first, second, third = stream(BOOK, Topic("bookTicker", "BTCUSDT"))
    assert first == (
        10 * MS_NS,
        (
            '{"e":"bookTicker","u":1001,"s":"BTCUSDT","ps":"BTCUSDT","b":"65000.00","B":"150.000","a":"65000.10",'
            '"A":"20.000","T":1700000000001,"E":1700000000010,"st":1}'
        ),
    )
    assert second[1].endswith('"A":"20.000","T":1700000000009,"E":1700000000010,"st":1}')
    assert third[0] == 5_000 * MS_NS


def test_the_tickers_of_all_books_come_every_5_seconds_one_by_one() -> None:
    """The newest of each symbol that changed, in the order of listing; the envelope names the stream of all."""
    eth = market(ETH, quotes=[(T0 + 6 * SECOND_NS, 320_000, 7, 320_001, 9, 77)])
    both = exchange(BOOK, eth)
    assert stream(both, Topic("!bookTicker", "", (), (COMBINED,))) == [
        (
            5 * SECOND_NS,
            (
                '{"stream":"!bookTicker","data":{"e":"bookTicker","u":1003,"s":"BTCUSDT","ps":"BTCUSDT","b":"64999.90",'
                '"B":"0.005","a":"65000.10","A":"20.000","T":1700000004995,"E":1700000005000,"st":1}}'
            ),
        ),
        (
            10 * SECOND_NS,
            (
                '{"stream":"!bookTicker","data":{"e":"bookTicker","u":77,"s":"ETHUSDT","ps":"ETHUSDT","b":"3200.00",'
                '"B":"0.007","a":"3200.01","A":"0.009","T":1700000006000,"E":1700000010000,"st":1}}'
            ),
        ),
    ]
    assert BINANCE_USDM.channel(Topic("!bookTicker", ""), both).snapshot(T0) == ()


@pytest.mark.parametrize(
    ("options", "events"),
    [
        # due, T, U, u, pu
        (
            ("0ms",),
            [(50, 10, 1_001, 1_007, 1_000), (100, 60, 1_008, 1_008, 1_007), (250, 220, 1_009, 1_011, 1_008)],
        ),
        (("100ms",), [(100, 60, 1_001, 1_008, 1_000), (300, 220, 1_009, 1_011, 1_008)]),
        (("250ms",), [(250, 220, 1_001, 1_011, 1_000)]),
        ((), [(250, 220, 1_001, 1_011, 1_000)]),
        (("500ms",), [(500, 220, 1_001, 1_011, 1_000)]),
    ],
)
@pytest.mark.parametrize("channel", ["depth", "depth5", "depth20"])
def test_events_of_the_book_are_chained(
    channel: str, options: tuple[str, ...], events: list[tuple[int, ...]]
) -> None:
    """Each says what the one before ended with, whatever was skipped; whole levels are told by the same event."""
    told = stream(BOOK, Topic(channel, "BTCUSDT", options))
    start_ms = T0 // MS_NS
    assert [
        (due // MS_NS, m["T"] - start_ms, m["U"], m["u"], m["pu"])
        for due, m in ((d, json.loads(t)) for d, t in told)
    ] == events
    assert all(json.loads(text)["e"] == "depthUpdate" for _, text in told)


def test_depth_says_the_last_quantity_of_every_touched_level() -> None:
    """Removals, levels that came back to what they were; quantities to the symbol's precision, zero among them."""
    assert said(BOOK, "depth", "100ms")[0] == (
        '{"e":"depthUpdate","E":1700000000100,"T":1700000000060,"s":"BTCUSDT","ps":"BTCUSDT","U":1001,"u":1008,'
        '"pu":1000,"b":[["65000.00","149.000"],["64900.00","0.030"]],"a":[["65000.70","0.000"]],"st":1}'
    )


def test_partial_depth_says_the_best_levels() -> None:
    """As of the boundary, shorter than asked where the book is."""
    (message,) = said(BOOK, "depth10", "500ms")
    assert message == (
        '{"e":"depthUpdate","E":1700000000500,"T":1700000000220,"s":"BTCUSDT","ps":"BTCUSDT","U":1001,"u":1011,'
        '"pu":1000,"b":[["65000.00","149.000"],["64900.00","0.030"]],"a":[["65000.10","0.001"]],"st":1}'
    )


LEVELS = st.lists(
    st.tuples(st.integers(0, 1_999), st.sampled_from([BID, ASK]), st.integers(1, 15)), max_size=120
)


@st.composite
def tapes(draw: st.DrawFn) -> HandmadePerpetual:
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


@given(tapes(), st.sampled_from([(), ("0ms",), ("100ms",), ("500ms",)]), st.integers(0, 1_999))
def test_a_client_that_follows_the_manual_keeps_the_book(
    tape: HandmadePerpetual, options: tuple[str, ...], joined: int
) -> None:
    """Snapshot at any moment, then every later event: no gap, and at the end the book of the exchange.

    The steps are those of .../websocket-market-streams/How-to-manage-a-local-order-book-correctly, 2026-08, with events
    buffered from half a second before the snapshot on; where the first one kept must reach back to the snapshot, one
    that ends with it or follows it will do.
    """
    topic = Topic("depth", "BTCUSDT", options)
    now_ns = T0 + joined * TICK_NS
    snapshot = json.loads(get(exchange(tape), "/fapi/v1/depth", "symbol=BTCUSDT&limit=1000", now_ns).body)
    events = [
        json.loads(text)
        for start_ns in (T0, T0 + PAGE_NS)
        for due_ns, text in stream(tape, topic, start_ns)
        if start_ns + due_ns > now_ns - SECOND_NS // 2
    ]
    last = snapshot["lastUpdateId"]
    book = {"b": dict(snapshot["bids"]), "a": dict(snapshot["asks"])}
    kept = [event for event in events if event["u"] >= last]
    if kept:
        assert kept[0]["U"] <= last <= kept[0]["u"] or kept[0]["pu"] == last
    assert all(event["pu"] == before["u"] for before, event in pairwise(kept))
    for event in kept:
        for side in ("b", "a"):
            book[side] |= dict(event[side])
    end_ns = T0 + 2 * PAGE_NS
    final = json.loads(get(exchange(tape), "/fapi/v1/depth", "symbol=BTCUSDT&limit=1000", end_ns).body)
    assert max([last, *(event["u"] for event in kept)]) == final["lastUpdateId"]
    for side, name in (("b", "bids"), ("a", "asks")):
        assert {p: q for p, q in book[side].items() if q != "0.000"} == dict(final[name])


# ---------------------------------------------------------------- bars, tickers, marks
DAY = market(
    origin_ns=T0 - 2 * DAY_NS,
    prints=[
        (T0 - DAY_NS, 642_000, 3_000, SELL, 101, 51, 31),
        (T0 + 500 * MS_NS, 650_000, 1_000, BUY, 102, 52, 32),
        (T0 + 700 * MS_NS, 650_100, 501, BUY, 103, 53, 33),
    ],
    second=lambda t: (650_000 + (t - T0) // SECOND_NS, 65_000_05000000 + (t - T0) // SECOND_NS, 0),
)


def test_a_bar_is_told_every_250_ms_it_grew() -> None:
    """At the end of the quarter of a second in which something traded."""
    assert stream(DAY, Topic("kline_5m", "BTCUSDT")) == [
        (
            750 * MS_NS,
            (
                '{"e":"kline","E":1700000000750,"s":"BTCUSDT","k":{"t":1699999800000,"T":1700000099999,"s":"BTCUSDT",'
                '"i":"5m","f":102,"L":103,"o":"65000.00","c":"65010.00","h":"65010.00","l":"65000.00","v":"1.501",'
                '"n":2,"x":false,"q":"97570.01000","V":"1.501","Q":"97570.01000","B":"0"}}'
            ),
        )
    ]


def test_a_closed_bar_is_told_at_its_end() -> None:
    """At the minute's end, x is true, also of a minute in which nothing was traded."""
    start_ns = T0 // BLOCK_NS * BLOCK_NS + BLOCK_NS - PAGE_NS
    told = stream(DAY, Topic("kline_1m", "BTCUSDT"), start_ns)
    assert told[-1][0] == PAGE_NS
    last = json.loads(told[-1][1])
    assert (last["E"] % 60_000, last["k"]["x"], last["k"]["n"]) == (0, True, 2)
    (idle,) = stream(DAY, Topic("kline_1m", "BTCUSDT"), start_ns + BLOCK_NS)
    row = json.loads(idle[1])["k"]
    assert (row["x"], row["n"], row["f"], row["o"], row["v"]) == (True, 0, -1, "65010.00", "0.000")


def test_a_continuous_bar_is_a_pairs() -> None:
    """Named by pair and contract in the stream, without a symbol in the bar; seconds are an interval of it."""
    told = stream(DAY, Topic("continuousKline_1s", "BTCUSDT_PERPETUAL", (), (COMBINED,)))
    assert told[0][1] == (
        '{"stream":"btcusdt_perpetual@continuousKline_1s","data":{"e":"continuous_kline","E":1700000000750,'
        '"ps":"BTCUSDT","ct":"PERPETUAL","k":{"t":1700000000000,"T":1700000000999,"i":"1s","f":102,"L":103,'
        '"o":"65000.00","c":"65010.00","h":"65010.00","l":"65000.00","v":"1.501","n":2,"x":false,"q":"97570.01000",'
        '"V":"1.501","Q":"97570.01000","B":"0"}}}'
    )


def test_tickers_come_every_two_seconds() -> None:
    """24 h statistics and the newest print; neither quotes nor the close before are in it."""
    assert stream(DAY, Topic("miniTicker", "BTCUSDT")) == [
        (
            2 * SECOND_NS,
            (
                '{"e":"24hrMiniTicker","E":1700000002000,"s":"BTCUSDT","ps":"BTCUSDT","c":"65010.00","o":"64200.00",'
                '"h":"65010.00","l":"64200.00","v":"4.501","q":"290170.01","st":1}'
            ),
        )
    ]
    assert stream(DAY, Topic("ticker", "BTCUSDT")) == [
        (
            2 * SECOND_NS,
            (
                '{"e":"24hrTicker","E":1700000002000,"s":"BTCUSDT","ps":"BTCUSDT","p":"810.00","P":"1.262",'
                '"w":"64467.90","c":"65010.00","Q":"0.501","o":"64200.00","h":"65010.00","l":"64200.00","v":"4.501",'
                '"q":"290170.01","O":1699913580000,"C":1700000002000,"F":101,"L":103,"n":3,"st":1}'
            ),
        )
    ]


def test_tickers_of_all_come_every_second_as_an_array() -> None:
    """Of those that traded."""
    both = exchange(
        DAY, market(ETH, origin_ns=T0 - 2 * DAY_NS, prints=[(T0 + SECOND_NS, 320_000, 9, BUY, 1, 1, 1)])
    )
    told = stream(both, Topic("!miniTicker@arr", ""))
    assert [(due // SECOND_NS, [row["s"] for row in json.loads(text)]) for due, text in told] == [
        (1, ["BTCUSDT"]),
        (2, ["ETHUSDT"]),
    ]
    assert [[row["e"] for row in json.loads(text)] for _, text in stream(both, Topic("!ticker@arr", ""))] == [
        ["24hrTicker"],
        ["24hrTicker"],
    ]


def test_marks_are_told_every_3_seconds_or_every_second() -> None:
    """At seconds that are multiples of three since the epoch, as of that very second.

    The contract has risen by 0.1 a second, the index by 0.00000001. So it stands at 65000.15, with its basis of the
    last 30 s at 64998.70, with the funding of 6,399 s at 65001.49: the contract is in the middle.
    """
    third, every = (stream(DAY, Topic("markPrice", "BTCUSDT", options)) for options in ((), ("1s",)))
    assert [due // SECOND_NS for due, _ in every] == list(range(1, 11))
    assert [due // SECOND_NS for due, _ in third] == [1, 4, 7, 10]
    assert third == [every[i] for i in (0, 3, 6, 9)]
    assert every[0][1] == (
        '{"e":"markPriceUpdate","E":1700000001000,"s":"BTCUSDT","p":"65000.15000000","ap":"65000.15000000",'
        '"P":"65000.04998202","i":"65000.05000001","r":"0.00010000","T":1700006400000,"st":1}'
    )
    arrays = stream(DAY, Topic("!markPrice@arr", "", ("1s",)))
    assert arrays == [(due, f"[{text}]") for due, text in every]


LIQUIDATED = market(
    liquidated=[
        # of 14, 6 at 65000.0 and 8 at 65000.1; then one that the first hides; then a buy
        (T0 + 200 * MS_NS, SELL, 650_100, 5, 3_250_500, 5, 1, 1, 1),
        (T0 + 900 * MS_NS, SELL, 649_000, 14, 6 * 650_000 + 8 * 650_001, 8, 2, 3, 2),
        (T0 + 2_000 * MS_NS, BUY, 651_000, 20, 20 * 650_010, 20, 4, 4, 3),
        (T0 + 12_000 * MS_NS, BUY, 651_000, 1, 650_000, 1, 5, 5, 4),
    ]
)


def test_liquidations_are_told_once_a_second_the_last_of_it() -> None:
    """Keys as recorded on 2020-03-13 (https://github.com/tardis-dev/tardis-node, test/mappers.test.ts); a second
    without any is silent.
    """
    first = (
        '{"e":"forceOrder","E":1700000001000,"o":{"s":"BTCUSDT","S":"SELL","o":"LIMIT","f":"IOC","q":"0.014",'
        '"p":"64900.00","ap":"65000.06","X":"FILLED","l":"0.008","z":"0.014","T":1700000000900}}'
    )
    second = (
        '{"e":"forceOrder","E":1700000003000,"o":{"s":"BTCUSDT","S":"BUY","o":"LIMIT","f":"IOC","q":"0.020",'
        '"p":"65100.00","ap":"65001.00","X":"FILLED","l":"0.020","z":"0.020","T":1700000002000}}'
    )
    told = [(SECOND_NS, first), (3 * SECOND_NS, second)]
    assert stream(LIQUIDATED, Topic("forceOrder", "BTCUSDT")) == told
    with_pair = [(due, f'{text[:-1]},"ps":"BTCUSDT","st":1}}') for due, text in told]
    assert stream(LIQUIDATED, Topic("!forceOrder@arr", "")) == with_pair


def test_indexes_of_assets_are_in_dollars() -> None:
    """Keys as recorded by https://github.com/roq-trading/roq-binance-futures on 2026-07-20."""
    told = stream(DAY, Topic("assetIndex", "BTCUSD"))
    assert [due // SECOND_NS for due, _ in told] == list(range(1, 11))
    assert told[0][1] == (
        '{"e":"assetIndexUpdate","E":1700000001000,"s":"BTCUSD","i":"65000.05000001","b":"0.00000000",'
        '"a":"0.00000000","B":"65000.05000001","A":"65000.05000001","q":"0.00000000","g":"0.00000000",'
        '"Q":"65000.05000001","G":"65000.05000001"}'
    )
    assert stream(DAY, Topic("!assetIndex@arr", "")) == [(due, f"[{text}]") for due, text in told]


def test_the_book_with_retail_orders_is_the_book() -> None:
    """The tape has no such orders."""
    depth = stream(DAY, Topic("depth", "BTCUSDT", ("500ms",)))
    assert stream(DAY, Topic("rpiDepth", "BTCUSDT", ("500ms",))) == depth


def test_what_never_changes_is_silent() -> None:
    """The streams are there; the tape has nothing for them."""
    assert said(DAY, "compositeIndex") == []
    assert said(DAY, "!contractInfo", symbol="") == []


@pytest.mark.parametrize(("month", "last"), [("2026-11", ',"st":1}'), ("2025-12", "}")])
def test_a_contract_that_changes_is_announced(month: str, last: str) -> None:
    """https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams/Contract-Info-Stream,
    2026-08, in the order of its keys; without brackets, which come only when they change.
    """
    listed = worlds.exchange(BINANCE_USDM)
    opens_ns, closes_ns = worlds.ORIGIN_NS + BLOCK_NS, worlds.ORIGIN_NS + BLOCK_NS + 2 * SECOND_NS
    listed.world.befall("binance-usdm:ETHUSDT", Fate(veils=(Opening(opens_ns),)))
    listed.world.befall("binance-usdm:SOLUSDT", Fate(veils=(Closing(closes_ns),)))
    channel = BINANCE_USDM.with_profile(month).channel(Topic("!contractInfo", ""), listed)
    texts = [text.decode() for text in payloads(channel.page(worlds.ORIGIN_NS + BLOCK_NS).buffer)]
    assert texts == [
        '{"e":"contractInfo","E":1767225660010,"s":"ETHUSDT","ps":"ETHUSDT","ct":"PERPETUAL","dt":4133404800000,'
        '"ot":1574840700000,"cs":"TRADING"' + last,
        '{"e":"contractInfo","E":1767225662010,"s":"SOLUSDT","ps":"SOLUSDT","ct":"PERPETUAL","dt":4133404800000,'
        '"ot":1600066800000,"cs":"CLOSE"' + last,
    ]


# ---------------------------------------------------------------- stream names
@pytest.mark.parametrize(
    ("name", "topic"),
    [
        ("btcusdt@trade", Topic("trade", "BTCUSDT")),
        ("ethusdt@aggTrade", Topic("aggTrade", "ETHUSDT")),
        ("btcusdt@depth@0ms", Topic("depth", "BTCUSDT", ("0ms",))),
        ("btcusdt@depth20@500ms", Topic("depth20", "BTCUSDT", ("500ms",))),
        ("btcusdt@markPrice@1s", Topic("markPrice", "BTCUSDT", ("1s",))),
        ("!markPrice@arr", Topic("!markPrice@arr", "")),
        ("!markPrice@arr@1s", Topic("!markPrice@arr", "", ("1s",))),
        ("!bookTicker", Topic("!bookTicker", "")),
        ("!forceOrder@arr", Topic("!forceOrder@arr", "")),
        ("btcusdt@kline_1M", Topic("kline_1M", "BTCUSDT")),
        ("btcusdt_perpetual@continuousKline_1s", Topic("continuousKline_1s", "BTCUSDT_PERPETUAL")),
        # silent: no such symbol, a contract of other streams, a symbol where a contract belongs, a user's key
        ("btcusd@assetIndex", Topic("assetIndex", "BTCUSD")),
        ("!assetIndex@arr", Topic("!assetIndex@arr", "")),
        ("btcusdt@rpiDepth@500ms", Topic("rpiDepth", "BTCUSDT", ("500ms",))),
        ("btcusdt@compositeIndex", Topic("compositeIndex", "BTCUSDT")),
        ("tradingSession", None),
        ("btcusdt@assetIndex", None),
        ("btc@assetIndex", None),
        ("solusdt@trade", None),
        ("BTCUSDT@trade", None),
        ("btcusdt_perpetual@trade", None),
        ("btcusdt@continuousKline_1m", None),
        ("btcusdt_current_quarter@continuousKline_1m", None),
        ("aZ09" * 16, None),
    ],
)
def test_a_name_leads_to_its_topic(name: str, topic: Topic | None) -> None:
    """Or to silence."""
    assert usdm_topic(name, USDM_STREAMS, SYMBOLS, ()) == topic


@pytest.mark.parametrize(
    "name",
    [
        "",
        "0",
        "btcusdt",
        "btcusdt@kline_1s",
        "btcusdt@depth@10ms",
        "btcusdt@markPrice@3s",
        "!trade",
        "aZ09" * 15,
    ],
)
def test_a_malformed_name_is_refused(name: str) -> None:
    """No stream there is, no option of it, a key that is too short."""
    with pytest.raises(VenueError, match="INVALID_STREAM"):
        usdm_topic(name, USDM_STREAMS, SYMBOLS, ())


def test_streams_of_books_and_trades_are_public_all_others_of_the_market() -> None:
    """https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams, 2026-04."""
    public = {name for name, category in USDM_CATEGORIES.items() if category == "public"}
    assert public == {
        "trade",
        "depth",
        "depth5",
        "depth10",
        "depth20",
        "rpiDepth",
        "bookTicker",
        "!bookTicker",
    }
    assert USDM_CATEGORIES.keys() == USDM_STREAMS.keys()
    assert set(USDM_CATEGORIES.values()) == {"public", "market"}
