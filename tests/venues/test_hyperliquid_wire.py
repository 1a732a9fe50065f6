"""Hyperliquid's channels: exact bytes from tapes written by hand, recorded messages, and what holds for every tape."""

from __future__ import annotations

import json
import zlib
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from itertools import pairwise
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.single_asset import HyperSynthReactor
from reactor.types import BLOCK_NS, DAY_NS, MS_NS, SECOND_NS, TICK_NS, Block, BookSide, Kind
from tests import worlds
from tests.handmade import HandmadeMarket
from tests.venues.perp import (
    BLOCK,
    BUY,
    INSTRUMENT,
    PURR,
    QUIET,
    SELL,
    T0,
    TSLA,
    exchange,
    info,
    market,
    snapshot,
    stream,
)
from venues.base import PAGE_NS, Exchange, Topic
from venues.hyperliquid import HYPERLIQUID, PROFILES
from venues.hyperliquid.rules import INTERVALS, ORACLE_NS, BookFeed
from venues.hyperliquid.wire import (
    BBO,
    CANDLE,
    FUNDING_RECORD,
    L2_BOOK,
    LEVEL,
    PERP_CONTEXT,
    SPOT_CONTEXT,
    TRADES,
    Grouping,
    order_counts,
    parts_of,
    stored,
    trade_ids,
)
from venues.wire import Ragged, Values, encode

BOOK_TOPIC = Topic("l2Book", "BTC", ("null", "null", "false"))
FAST_TOPIC = Topic("l2Book", "BTC", ("null", "null", "true"))
BBO_TOPIC = Topic("bbo", "BTC")
TRADES_TOPIC = Topic("trades", "BTC")
BID, ASK = int(BookSide.BID), int(BookSide.ASK)


def column(*values: int) -> Any:
    return np.array(values, dtype=np.int64)


# ---------------------------------------------------------------- recorded messages
def level_rows(px: tuple[int, ...], sz: tuple[int, ...], n: tuple[int, ...]) -> Ragged:
    return Ragged(column(len(px)), {"px": column(*px), "sz": column(*sz), "n": column(*n)})


RECORDED = [
    pytest.param(
        L2_BOOK,
        {"symbol": "BTC", "price_decimals": 0, "qty_decimals": 5},
        {
            "time": column(1787195067883 * MS_NS),
            "tail": [""],
            "bids": level_rows((69172, 69171), (121098, 35315), (5, 2)),
            "asks": level_rows((69173, 69174), (845682, 63175), (30, 5)),
        },
        '{"channel":"l2Book","data":{"coin":"BTC","time":1787195067883,"levels":[[{"px":"69172.0","sz":"1.21098","n":5},'
        '{"px":"69171.0","sz":"0.35315","n":2}],[{"px":"69173.0","sz":"8.45682","n":30},'
        '{"px":"69174.0","sz":"0.63175","n":5}]]}}',
        id="l2Book, live probe of 2026-08-19",
    ),
    pytest.param(
        L2_BOOK,
        {"symbol": "BANANA", "price_decimals": 3, "qty_decimals": 1},
        {
            "time": column(1730160007687 * MS_NS),
            "tail": [""],
            "bids": level_rows((59800, 59778), (34, 16), (1, 1)),
            "asks": level_rows((59811, 59832), (29, 176), (1, 1)),
        },
        '{"channel":"l2Book","data":{"coin":"BANANA","time":1730160007687,"levels":[[{"px":"59.8","sz":"3.4","n":1},'
        '{"px":"59.778","sz":"1.6","n":1}],[{"px":"59.811","sz":"2.9","n":1},{"px":"59.832","sz":"17.6","n":1}]]}}',
        id="l2Book, tardis-node test/mappers.test.ts, 2024-10-29",
    ),
    pytest.param(
        L2_BOOK,
        {"symbol": "SHIA", "price_decimals": 3, "qty_decimals": 1},
        {
            "time": column(1730160007687 * MS_NS),
            "tail": [""],
            "bids": level_rows((), (), ()),
            "asks": level_rows((), (), ()),
        },
        '{"channel":"l2Book","data":{"coin":"SHIA","time":1730160007687,"levels":[[],[]]}}',
        id="an empty l2Book, tardis-node test/mappers.test.ts, 2024-10-29",
    ),
    pytest.param(
        TRADES,
        {"symbol": "SOL", "price_decimals": 2, "qty_decimals": 2},
        {
            "trades": Ragged(
                column(1),
                {
                    "side": column(0),
                    "px": column(12850),
                    "sz": column(42),
                    "time": column(1765887848009 * MS_NS),
                    "hash": ["0xab7ac612399342b1acf4041c880dcd011800ddf7d49661834f437164f8971c9c"],
                    "tid": column(867891549538215),
                    "buyer": ["0x768484f7e2ebb675c57838366c02ae99ba2a9b08"],
                    "seller": ["0xbb05602d74778f4a42dcee87d14051572bb9ec78"],
                },
            )
        },
        '{"channel":"trades","data":[{"coin":"SOL","side":"A","px":"128.5","sz":"0.42","time":1765887848009,'
        '"hash":"0xab7ac612399342b1acf4041c880dcd011800ddf7d49661834f437164f8971c9c","tid":867891549538215,'
        '"users":["0x768484f7e2ebb675c57838366c02ae99ba2a9b08","0xbb05602d74778f4a42dcee87d14051572bb9ec78"]}]}',
        id="trades, roq-hyperliquid test/json_trades.cpp, 2025-12-16",
    ),
    pytest.param(
        BBO,
        {"symbol": "@162"},
        {
            "time": column(1750948919838 * MS_NS),
            "bid": ['{"px":"0.97925","sz":"4144.6","n":1}'],
            "ask": ['{"px":"0.97934","sz":"50.0","n":1}'],
        },
        '{"channel":"bbo","data":{"coin":"@162","time":1750948919838,"bbo":[{"px":"0.97925","sz":"4144.6","n":1},'
        '{"px":"0.97934","sz":"50.0","n":1}]}}',
        id="bbo, tardis-node test/mappers.test.ts, 2025-06-26",
    ),
    pytest.param(
        CANDLE,
        {"symbol": "BTC", "price_decimals": 0, "qty_decimals": 5},
        {
            "open": column(1790358600000 * MS_NS),
            "close": column(1790358660000 * MS_NS - 1),
            "interval": ["1m"],
            "first": column(83765),
            "last": column(83765),
            "high": column(83770),
            "low": column(83756),
            "volume": column(33170),
            "n": column(36),
        },
        '{"t":1790358600000,"T":1790358659999,"s":"BTC","i":"1m","o":"83765.0","c":"83765.0","h":"83770.0",'
        '"l":"83756.0","v":"0.3317","n":36}',
        id="a candle, captured on 2026-09-25",
    ),
    pytest.param(
        PERP_CONTEXT,
        {"symbol": "BTC", "price_decimals": 0, "qty_decimals": 5},
        {
            "funding": column(125000),
            "open_interest": column(3452451236),
            "previous": column(64319),
            "quote": column(569103698781000),
            "premium": column(-1329822),
            "oracle": column(691822),
            "mark": column(69172),
            "mid": column(69172 + 69173),
            "impact_bid": column(691720),
            "impact_ask": column(691730),
            "base": column(8449656164),
        },
        '{"funding":"0.0000125","openInterest":"34524.51236","prevDayPx":"64319.0","dayNtlVlm":"5691036987.81",'
        '"premium":"-0.0001329822","oraclePx":"69182.2","markPx":"69172.0","midPx":"69172.5",'
        '"impactPxs":["69172.0","69173.0"],"dayBaseVlm":"84496.56164"}',
        id="a perpetual's context, live probe of 2026-08-19",
    ),
    pytest.param(
        SPOT_CONTEXT,
        {"symbol": "PURR/USDC", "kind": Kind.SPOT, "price_decimals": 5, "qty_decimals": 0},
        {
            "previous": column(21080),
            "quote": column(1435074792152),
            "mark": column(22695),
            "mid": column(45360),
            "circulating": ["597683272.12003005"],
            "total": ["597683276.64275002"],
            "base": column(65824101),
        },
        '{"prevDayPx":"0.2108","dayNtlVlm":"14350747.92152","markPx":"0.22695","midPx":"0.2268",'
        '"circulatingSupply":"597683272.12003005","coin":"PURR/USDC","totalSupply":"597683276.64275002",'
        '"dayBaseVlm":"65824101.0"}',
        id="a spot pair's context, HyperLiquid.Net UnitTests/Endpoints/Spot/ExchangeData/GetExchangeInfoAndTickers.txt",
    ),
    pytest.param(
        FUNDING_RECORD,
        {"symbol": "BTC"},
        {
            "funding": column(125000),
            "premium": column(-1875303),
            "time": column(1790352000015 * MS_NS),
        },
        '{"coin":"BTC","fundingRate":"0.0000125","premium":"-0.0001875303","time":1790352000015}',
        id="a settlement, captured on 2026-09-25",
    ),
    pytest.param(
        LEVEL,
        {"price_decimals": 5, "qty_decimals": 1},
        {"px": column(97934), "sz": column(500), "n": column(1)},
        '{"px":"0.97934","sz":"50.0","n":1}',
        id="a level of that bbo",
    ),
]


@pytest.mark.parametrize(("text", "contract", "columns", "expected"), RECORDED)
def test_a_recorded_message_is_made_again(
    text: str, contract: Mapping[str, Any], columns: Mapping[str, Values], expected: str
) -> None:
    """The declared message, given the numbers of a real one, is that one byte for byte."""
    assert encode(parts_of(text, replace(INSTRUMENT, **contract)), columns) == [expected.encode()]


# ---------------------------------------------------------------- books
BOOK = market(
    start_bids=[(65_000, 100_000), (64_999, 7)],
    start_asks=[(65_001, 50_000)],
    levels=[
        # tick, side, price, lots, update_id: the ask goes at 3.1 s, a bid in a block's last tick, at 4.95 s
        (T0 // TICK_NS + 310, ASK, 65_001, 0, 11),
        (T0 // TICK_NS + 310, ASK, 65_002, 20_000, 11),
        (T0 // TICK_NS + 495, BID, 64_999, 0, 12),
    ],
)


def levels(*rows: tuple[str, str, int]) -> str:
    return ",".join(f'{{"px":"{px}","sz":"{sz}","n":{n}}}' for px, sz, n in rows)


def test_l2_book_is_the_whole_book_every_five_seconds() -> None:
    """Pushed at the last block end of each 5 s (t.me/hyperliquid_api of 2026-07), dated the block's last millisecond.

    One order per some 16,000 of value shown: 65,000 is 5 of them, give or take, at any price.
    """
    first, second = stream(BOOK, BOOK_TOPIC)
    assert (first[0], second[0]) == (4_960 * MS_NS, 10_000 * MS_NS)
    n_bid, n_ask = (
        int(order_counts(column(px), column(lots), INSTRUMENT)[0])
        for px, lots in ((65_000, 100_000), (65_002, 20_000))
    )
    for text, time in ((first[1], 1790352004959), (second[1], 1790352009999)):
        assert text == (
            f'{{"channel":"l2Book","data":{{"coin":"BTC","time":{time},'
            f'"levels":[[{levels(("65000.0", "1.0", n_bid))}],[{levels(("65002.0", "0.2", n_ask))}]]}}}}'
        )


def test_a_fast_book_is_short_and_frequent() -> None:
    """`fast`: five levels, about every half second, in step with the chain's blocks, and it says so."""
    deep = market(
        start_bids=[(65_000 - i, 1) for i in range(30)], start_asks=[(65_001 + i, 1) for i in range(30)]
    )
    pushes = stream(deep, FAST_TOPIC)
    assert [due // MS_NS for due, _ in pushes[:5]] == [480, 960, 1_440, 2_000, 2_480]
    assert len(pushes) == 20
    assert pushes[0][1] == (
        '{"channel":"l2Book","data":{"coin":"BTC","time":1790352000479,"levels":['
        f"[{levels(*((f'{65_000 - i}.0', '0.00001', 1) for i in range(5)))}],"
        f"[{levels(*((f'{65_001 + i}.0', '0.00001', 1) for i in range(5)))}]"
        '],"fast":true}}'
    )
    assert all('"fast":true' in text for _, text in pushes)
    slow = json.loads(stream(deep, BOOK_TOPIC)[0][1])["data"]
    assert [len(side) for side in slow["levels"]] == [20, 20]
    assert "fast" not in slow


@pytest.mark.parametrize(
    ("profile", "pushes"),
    [("2026-05", 20), ("2026-06", 5), ("2026-11", 2)],
    ids=["half a second", "2 s", "5 s"],
)
def test_the_cadence_is_the_profiles(profile: str, pushes: int) -> None:
    """What l2Book did at a date is a row of the card (0.5 s, 2 s from 2026-06, 5 s from 2026-07-25)."""
    venue = replace(HYPERLIQUID, card=replace(HYPERLIQUID.card, profile=PROFILES[profile]))
    topic = replace(BOOK_TOPIC, options=BOOK_TOPIC.options[: 2 + (True in PROFILES[profile].books)])
    assert len(stream(BOOK, topic, venue=venue)) == pushes


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_every_cadence_fits_pages_and_blocks(profile: Any) -> None:
    """A page is a whole number of pushes and of blocks, and no two pushes fall in one block."""
    assert PAGE_NS % BLOCK == BLOCK % TICK_NS == 0
    for feed in profile.books.values():
        assert PAGE_NS % feed.every_ns == 0
        assert feed.every_ns >= BLOCK


@pytest.mark.parametrize(
    ("grouping", "down", "up"),
    [
        (Grouping(), 65_432, 65_433),
        (Grouping(5), 65_432, 65_433),
        (Grouping(5, 1), 65_432, 65_433),
        (Grouping(5, 2), 65_432, 65_434),
        (Grouping(5, 5), 65_430, 65_435),
        (Grouping(4), 65_430, 65_440),
        (Grouping(3), 65_400, 65_500),
        (Grouping(2), 65_000, 66_000),
    ],
)
def test_prices_are_rounded_away_from_the_spread(grouping: Grouping, down: int, up: int) -> None:
    """Bids down, asks up, to so many figures; with five, in steps of the mantissa (gitbook, info endpoint, 2026-11)."""
    assert grouping.prices(column(65_432), up=False).tolist() == [down]
    assert grouping.prices(column(65_433), up=True).tolist() == [up]


def test_a_price_of_fewer_figures_stays() -> None:
    """Figures count from the first that is not zero; what has no more of them is as it was, whatever the mantissa."""
    assert Grouping(5, 5).prices(column(9_999, 10_001), up=False).tolist() == [9_999, 10_000]
    assert Grouping(2).prices(column(9, 99, 999, 1_001), up=True).tolist() == [9, 99, 1_000, 1_100]


def test_a_grouped_book_merges_sizes_and_orders() -> None:
    """Levels that round to one price are one: sizes and order counts add up, and the depth is counted after it."""
    topic = Topic("l2Book", "BTC", ("4", "null", "false"))
    (text, *_) = snapshot(QUIET, topic, T0)
    bids, asks = json.loads(text)["data"]["levels"]
    assert [(level["px"], level["sz"]) for level in bids] == [("65000.0", "1.0"), ("64990.0", "0.20007")]
    assert [(level["px"], level["sz"]) for level in asks] == [("65010.0", "0.50004")]
    counts = order_counts(column(65_001, 65_009, 65_010), column(50_000, 1, 3), INSTRUMENT)
    assert asks[0]["n"] == counts.sum()


@given(
    rows=st.lists(
        st.tuples(st.integers(1, 10**6), st.integers(1, 10**9)), max_size=60, unique_by=lambda r: r[0]
    ),
    n_sig_figs=st.sampled_from([2, 3, 4, 5]),
    mantissa=st.sampled_from([None, 1, 2, 5]),
)
def test_grouping_loses_nothing_and_keeps_order(
    rows: list[tuple[int, int]], n_sig_figs: int, mantissa: int | None
) -> None:
    """Whatever the book, grouped levels keep the total size, stay sorted and distinct, and have few enough figures."""
    lower = [(price, lots) for price, lots in sorted(rows, reverse=True) if price < 500_000]
    upper = [(price, lots) for price, lots in sorted(rows) if price >= 500_000]
    of = market(start_bids=lower, start_asks=upper)
    step = mantissa if n_sig_figs == 5 else None
    deep = replace(PROFILES["2026-05"], books={False: BookFeed(1_000, PAGE_NS)})
    venue = replace(HYPERLIQUID, card=replace(HYPERLIQUID.card, profile=deep))
    topic = Topic("l2Book", "BTC", (json.dumps(n_sig_figs), json.dumps(step)))
    bids, asks = json.loads(stream(of, topic, venue=venue)[0][1])["data"]["levels"]
    for side, given_rows, sign in ((bids, lower, -1), (asks, upper, 1)):
        prices = [int(float(level["px"])) for level in side]
        assert sum(round(float(level["sz"]) * 10**5) for level in side) == sum(lots for _, lots in given_rows)
        assert all(sign * a < sign * b for a, b in pairwise(prices))
        assert all(len(str(price).rstrip("0")) <= n_sig_figs for price in prices)


def rounded(price: Decimal, figures: int, mantissa: int, *, up: bool) -> Decimal:
    """A price to so many significant figures, the last one a multiple of the mantissa."""
    step = Decimal(mantissa).scaleb(price.adjusted() - figures + 1)
    whole = (price / step).to_integral_value(ROUND_CEILING if up else ROUND_FLOOR)
    return whole * step


@pytest.mark.parametrize("coin", ["ETH", "SOL", "PURR/USDC", "@1"])
@pytest.mark.parametrize(
    ("n_sig_figs", "mantissa"), [(5, None), (5, 2), (5, 5), (4, None), (3, None), (2, None)]
)
def test_any_coin_groups_by_figures_of_its_price(coin: str, n_sig_figs: int, mantissa: int | None) -> None:
    """Decimals or none: the levels of a whole book, its prices rounded as decimals are, make the grouped one."""
    of = worlds.exchange(HYPERLIQUID)
    at_ns = worlds.ORIGIN_NS + 30 * SECOND_NS
    market = of.market(coin)
    assert market is not None
    whole, tick = market.book(at_ns), Decimal(1).scaleb(-market.instrument.price_decimals)
    lot = Decimal(1).scaleb(-market.instrument.qty_decimals)
    asked = info(of, at_ns, type="l2Book", coin=coin, nSigFigs=n_sig_figs, mantissa=mantissa)
    for levels, ticks, lots, up in zip(
        json.loads(asked)["levels"],
        (whole.bid_ticks, whole.ask_ticks),
        (whole.bid_lots, whole.ask_lots),
        (False, True),
        strict=True,
    ):
        grouped: dict[Decimal, Decimal] = {}
        for price, size in zip(ticks.tolist(), lots.tolist(), strict=True):
            px = rounded(price * tick, n_sig_figs, mantissa or 1, up=up)
            grouped[px] = grouped.get(px, Decimal(0)) + size * lot
        told = [(Decimal(level["px"]), Decimal(level["sz"])) for level in levels]
        assert told == list(grouped.items())[:20]


def test_a_joiner_gets_the_book_of_now() -> None:
    """Of the last block, with a time of its own; then it joins the common clock (probed on 2026-09-24)."""
    pushed = stream(BOOK, BOOK_TOPIC)
    assert snapshot(BOOK, BOOK_TOPIC, T0 + 4_970 * MS_NS) == [pushed[0][1]]
    (text,) = snapshot(BOOK, BOOK_TOPIC, T0 + 7_000 * MS_NS)
    assert json.loads(text)["data"] == json.loads(info(BOOK, T0 + 7_000 * MS_NS, type="l2Book", coin="BTC"))
    assert json.loads(text)["data"]["time"] == 1790352006959


@pytest.mark.parametrize("coin", ["BTC", "SOL", "xyz:TSLA"])
@pytest.mark.parametrize("fast", [False, True], ids=["slow", "fast"])
def test_every_book_of_a_page_is_the_one_that_rest_answers(coin: str, fast: bool) -> None:
    """At each of its instants, in a page within a minute and in the first of the next."""
    of = worlds.exchange(HYPERLIQUID)
    for start_ns in (worlds.ORIGIN_NS + 50 * SECOND_NS, worlds.ORIGIN_NS + 60 * SECOND_NS):
        books = stream(of, Topic("l2Book", coin, ("null", "null", json.dumps(fast))), start_ns)
        assert len(books) > 1
        for due_ns, text in books:
            told, whole = (
                json.loads(text)["data"],
                json.loads(info(of, T0 + due_ns, type="l2Book", coin=coin)),
            )
            assert told["time"] == whole["time"]
            assert told["levels"] == [side[: 5 if fast else 20] for side in whole["levels"]]


def test_a_grouped_book_tells_the_spread_of_the_whole_one() -> None:
    """One of the recorded prices (2026-10-06, gocryptotrader): 85,874 and 85,876 after grouping, "1.0" apart before."""
    of = market(start_bids=[(85_875, 1_786_492)], start_asks=[(85_876, 122_481)])
    (text,) = snapshot(of, Topic("l2Book", "BTC", ("5", "2", "false")), T0)
    bids, asks = json.loads(text)["data"]["levels"]
    assert (bids[0]["px"], asks[0]["px"]) == ("85874.0", "85876.0")
    assert text.endswith(']],"spread":"1.0"}}')
    (fast,) = snapshot(of, Topic("l2Book", "BTC", ("2", "null", "true")), T0)
    assert fast.endswith(']],"spread":"1.0","fast":true}}')
    one_sided = market(start_bids=[(85_875, 1)])
    (text,) = snapshot(one_sided, Topic("l2Book", "BTC", ("5", "2", "false")), T0)
    assert "spread" not in text


# ---------------------------------------------------------------- best bid and offer
QUOTES = market(
    quotes=[
        # ts_ns, bid, lots, ask, lots, update_id
        (T0 - 1, 65_000, 10_000, 65_001, 10_000, 1),
        (T0 + 10 * MS_NS, 65_000, 9_000, 65_001, 10_000, 2),
        (T0 + 79 * MS_NS, 65_000, 1_000, 65_001, 10_000, 3),  # only the state at the block's end is told
        (T0 + 90 * MS_NS, 65_000, 1, 65_001, 10_000, 4),
        (T0 + 95 * MS_NS, 65_000, 1_000, 65_001, 10_000, 5),  # and back: this block changed nothing
        (T0 + 240 * MS_NS, 65_000, 1_000, 65_001, 0, 6),
    ]
)


def test_bbo_tells_changed_blocks_only() -> None:
    """One message per block that ends with another best level than the block before; an empty side is null."""
    bid, ask = '{"px":"65000.0","sz":"0.01","n":1}', '{"px":"65001.0","sz":"0.1","n":1}'
    assert stream(QUOTES, BBO_TOPIC) == [
        (80 * MS_NS, f'{{"channel":"bbo","data":{{"coin":"BTC","time":1790352000079,"bbo":[{bid},{ask}]}}}}'),
        (320 * MS_NS, f'{{"channel":"bbo","data":{{"coin":"BTC","time":1790352000319,"bbo":[{bid},null]}}}}'),
    ]
    assert stream(QUOTES, BBO_TOPIC, T0 + PAGE_NS) == []


def test_a_joiner_gets_the_best_levels_of_the_last_block() -> None:
    """What a block in progress did is not told before its end."""
    (text,) = snapshot(QUOTES, BBO_TOPIC, T0 + 310 * MS_NS)
    assert text == (
        '{"channel":"bbo","data":{"coin":"BTC","time":1790352000239,"bbo":[{"px":"65000.0","sz":"0.01","n":1},'
        '{"px":"65001.0","sz":"0.1","n":1}]}}'
    )


def test_the_first_quote_ever_is_a_change() -> None:
    """Before it there was nothing to differ from."""
    first = market(quotes=[(T0 + 1, 65_000, 1, 65_001, 1, 1)])
    assert [due for due, _ in stream(first, BBO_TOPIC)] == [80 * MS_NS]


# ---------------------------------------------------------------- trades
PRINTS = market(
    prints=[
        # ts_ns, price, lots, side, trade_id, agg_id, order_id
        # a buyer meets two makers; a seller in the block's last nanosecond; a seller in the next block
        (T0 + 1 * MS_NS, 65_001, 1_000, BUY, 1, 1, 7),
        (T0 + 1 * MS_NS, 65_002, 50, BUY, 2, 2, 7),
        (T0 + 79_999_999, 65_000, 100_000, SELL, 3, 3, 8),
        (T0 + 80 * MS_NS, 65_000, 1, SELL, 4, 4, 9),
    ]
)


def test_trades_of_a_block_are_one_message() -> None:
    """Due at the block's end, dated its last millisecond, side of the aggressor, in the order of the tape."""
    told = [(due, json.loads(text)) for due, text in stream(PRINTS, TRADES_TOPIC)]
    assert [due for due, _ in told] == [80 * MS_NS, 160 * MS_NS]
    assert [message["channel"] for _, message in told] == ["trades", "trades"]
    keys = ("coin", "side", "px", "sz", "time")
    assert [[tuple(trade[key] for key in keys) for trade in message["data"]] for _, message in told] == [
        [
            ("BTC", "B", "65001.0", "0.01", 1790352000079),
            ("BTC", "B", "65002.0", "0.0005", 1790352000079),
            ("BTC", "A", "65000.0", "1.0", 1790352000079),
        ],
        [("BTC", "A", "65000.0", "0.00001", 1790352000159)],
    ]


def test_one_order_is_one_transaction_of_one_taker() -> None:
    """Prints of a market order share hash and taker, who buys if the order did; another order is another hash."""
    (_, first), (_, second) = stream(PRINTS, TRADES_TOPIC)
    a, b, c = json.loads(first)["data"]
    (d,) = json.loads(second)["data"]
    assert a["hash"] == b["hash"]
    assert len({a["hash"], c["hash"], d["hash"]}) == 3
    assert a["users"][0] == b["users"][0], "the buyer took"
    for trade in (a, b, c, d):
        assert len(trade["hash"]) == 66
        assert [len(user) for user in trade["users"]] == [42, 42]
        assert trade["users"][0] != trade["users"][1]
        int(trade["hash"], 16)


def test_a_joiner_gets_recent_trades_first() -> None:
    """Thirty of finished blocks (captured on testnet, 2026-07-28), oldest first, in one message; nothing at all where
    nothing was traded.
    """
    many = market(prints=[(T0 + i * BLOCK, 65_000, 1 + i, BUY, 100 + i, 100 + i, 100 + i) for i in range(50)])
    (text,) = snapshot(many, TRADES_TOPIC, T0 + 45 * BLOCK + 10 * MS_NS)
    message = json.loads(text)
    assert message["channel"] == "trades"
    assert [round(float(trade["sz"]) * 10**5) for trade in message["data"]] == list(range(16, 46))
    assert snapshot(market(), TRADES_TOPIC, T0) == []


@given(
    start=st.integers(0, 10**12),
    count=st.integers(1, 2_000),
    names=st.sampled_from(["hyperliquid:BTC", "hyperliquid:ETH"]),
)
def test_trade_ids_are_distinct_and_fit_50_bits(start: int, count: int, names: str) -> None:
    """`tid` looks like a hash but no two trades of a market share one."""
    tids = trade_ids(np.arange(start, start + count, dtype=np.int64), names).tolist()
    assert len(set(tids)) == count
    assert all(0 <= tid < 1 << 50 for tid in tids)


def test_markets_number_their_trades_apart() -> None:
    """Equal trade ids of two markets make different `tid`s."""
    same = np.arange(5_000_000_000, 5_000_001_000, dtype=np.int64)
    assert not set(trade_ids(same, "hyperliquid:BTC").tolist()) & set(
        trade_ids(same, "hyperliquid:ETH").tolist()
    )


# ---------------------------------------------------------------- candles
def candle_topic(interval: str, coin: str = "BTC") -> Topic:
    return Topic("candle", coin, (json.dumps(interval),))


def printed(*prints: tuple[int, int, int]) -> HandmadeMarket:
    """A market listed 5 minutes ago, of which only prints are known: when, in ns from T0, ticks, lots."""
    rows = [(T0 + at, price, lots, BUY, i, i, i) for i, (at, price, lots) in enumerate(prints)]
    return HandmadeMarket(INSTRUMENT, T0 - 5 * BLOCK_NS, prints=rows)


def candle(text: str) -> dict[str, Any]:
    message = json.loads(text)
    assert list(message) == ["channel", "data"]
    assert message["channel"] == "candle"
    return dict(message["data"])


def test_a_candle_is_told_as_it_forms() -> None:
    """Every half second in which something was traded, at its last block end; a print at that very instant belongs to
    the next one. Half seconds end with a block at 2 s and 8 s, in a block at 0.5 s and 2.5 s.
    """
    of = printed(
        (100 * MS_NS, 65_000, 1_000),
        (1_500 * MS_NS, 65_010, 50),
        (2_000 * MS_NS - 1, 64_990, 1),
        (2_000 * MS_NS, 65_005, 100_000),
        (7_900 * MS_NS, 65_005, 1),
    )
    head = '{"channel":"candle","data":{"t":1790352000000,"T":1790352059999,"s":"BTC","i":"1m","o":"65000.0",'
    assert stream(of, candle_topic("1m")) == [
        (480 * MS_NS, head + '"c":"65000.0","h":"65000.0","l":"65000.0","v":"0.01","n":1}}'),
        (2_000 * MS_NS, head + '"c":"64990.0","h":"65010.0","l":"64990.0","v":"0.01051","n":3}}'),
        (2_480 * MS_NS, head + '"c":"65005.0","h":"65010.0","l":"64990.0","v":"1.01051","n":4}}'),
        (8_000 * MS_NS, head + '"c":"65005.0","h":"65010.0","l":"64990.0","v":"1.01052","n":5}}'),
    ]


def test_a_candle_is_closed_by_the_next_one() -> None:
    """What was traded up to its end is in it and told then; nothing else says that it is over."""
    of = printed((59_999 * MS_NS, 65_000, 1), (60_000 * MS_NS, 65_001, 1))
    told = [row for page in (50, 60, 70) for row in stream(of, candle_topic("1m"), T0 + page * SECOND_NS)]
    assert [due // MS_NS for due, _ in told] == [60_000, 60_480]
    closed, forming = (candle(text) for _, text in told)
    assert (closed["t"], closed["T"]) == (1790352000000, 1790352059999)
    assert (forming["t"], forming["T"]) == (1790352060000, 1790352119999)
    assert [closed["n"], forming["n"], forming["o"]] == [1, 1, "65001.0"]


def test_a_joiner_gets_the_last_candle() -> None:
    """As it was told last, however long ago that is; nothing if there never was a trade."""
    of = printed((59_999 * MS_NS, 65_000, 1), (61_500 * MS_NS, 65_001, 1))
    for at_ms, first in ((60_000, 1790352000000), (61_999, 1790352000000), (62_000, 1790352060000)):
        (text,) = snapshot(of, candle_topic("1m"), T0 + at_ms * MS_NS)
        assert candle(text)["t"] == first
    hours_later = snapshot(of, candle_topic("1m"), T0 + 7_200 * SECOND_NS)
    assert hours_later == snapshot(of, candle_topic("1m"), T0 + 70 * SECOND_NS)
    assert snapshot(printed(), candle_topic("1m"), T0 + SECOND_NS) == []


def counted(candle: Mapping[str, Any], trades: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A candle as a client counts it from the trades it was told."""
    inside = [trade for trade in trades if candle["t"] <= trade["time"] <= candle["T"]]
    prices = [Decimal(trade["px"]) for trade in inside]
    return {
        "o": prices[0],
        "c": prices[-1],
        "h": max(prices),
        "l": min(prices),
        "v": sum(Decimal(trade["sz"]) for trade in inside),
        "n": len(inside),
    }


def assert_candles_are_counted(of: Exchange, coin: str, interval: str, start_ns: int, pages: int) -> None:
    """Each candle as streamed at its end, and as answered over REST, equals the count of the streamed trades."""
    starts = range(start_ns, start_ns + pages * PAGE_NS, PAGE_NS)

    def told(topic: Topic) -> list[Any]:
        return [json.loads(text)["data"] for start in starts for _, text in stream(of, topic, start)]

    trades = [trade for message in told(Topic("trades", coin)) for trade in message]
    streamed = {row["t"]: row for row in told(candle_topic(interval, coin))}
    opened_ms = INTERVALS[interval].start(start_ns) // MS_NS
    asked = {"coin": coin, "interval": interval, "startTime": opened_ms}
    answered = json.loads(info(of, starts.stop, type="candleSnapshot", req=asked))
    assert [row for row in answered if row["n"] and row["t"] in streamed] == list(streamed.values())
    assert sum(row["n"] for row in streamed.values()) == len(trades)
    for row in streamed.values():
        assert {key: row[key] if key == "n" else Decimal(row[key]) for key in "ochlvn"} == counted(
            row, trades
        )


@given(
    prints=st.lists(
        st.tuples(st.integers(0, 2 * BLOCK_NS - 1), st.integers(1, 10**6), st.integers(1, 10**9)), max_size=40
    ).map(sorted),
    interval=st.sampled_from(["1m", "3m", "1h", "3d", "1w", "1M"]),
)
def test_candles_are_what_a_client_counts(prints: list[tuple[int, int, int]], interval: str) -> None:
    """On any tape, whatever the interval."""
    assert_candles_are_counted(exchange(printed(*prints)), "BTC", interval, T0, 12)


@pytest.mark.parametrize("coin", ["BTC", "ETH", "SOL", "PURR/USDC", "@1"])
@pytest.mark.parametrize(
    ("interval", "minutes"),
    [
        ("1m", 4),
        ("3m", 6),
        pytest.param("1m", 120, marks=pytest.mark.long),
        pytest.param("1h", 120, marks=pytest.mark.long),
    ],
)
def test_candles_of_synthetic_markets_are_what_a_client_counts(
    coin: str, interval: str, minutes: int
) -> None:
    """Of every market there is, and of markets in which minutes pass without a trade."""
    of = worlds.exchange(HYPERLIQUID)
    assert_candles_are_counted(of, coin, interval, worlds.ORIGIN_NS, minutes * BLOCK_NS // PAGE_NS)


# ---------------------------------------------------------------- mids and contexts
MIDS_TOPIC = Topic("allMids", "", ('""',))
CONTEXT_TOPIC = Topic("activeAssetCtx", "BTC")
PURR_TOPIC = Topic("activeAssetCtx", "PURR/USDC")
COIN = market(
    quotes=[(T0 - 1, 65_000, 1, 65_001, 1, 1), (T0 + 4_990 * MS_NS, 65_002, 1, 65_003, 1, 2)],
    second=lambda at_ns: (65_000 + 2 * (at_ns > T0 + 5 * SECOND_NS), 65_000_50000000, 0),
)
PAIR = market(
    PURR,
    quotes=[(T0 - 1, 20_000, 1, 20_003, 1, 1)],
    prints=[(T0 + 2_500 * MS_NS, 20_003, 7, BUY, 1, 1, 1)],
    closes={T0 - DAY_NS - BLOCK_NS: 19_000, T0 - BLOCK_NS: 20_001},
    volumes={T0 - BLOCK_NS: (120, 2_400_120)},
)
BOTH = exchange(COIN, PAIR)


def test_all_mids_are_told_whole() -> None:
    """All coins by name in one map, in step with l2Book: at the last block end of each 5 s (measured 2026-08-19)."""
    maps = [(due // MS_NS, json.loads(text)["data"]["mids"]) for due, text in stream(BOTH, MIDS_TOPIC)]
    assert maps == [(10_000, {"BTC": "65002.5", "PURR/USDC": "0.200015"})]
    assert snapshot(BOTH, MIDS_TOPIC, T0 + 5 * SECOND_NS) == [
        '{"channel":"allMids","data":{"mids":{"BTC":"65000.5","PURR/USDC":"0.200015"}}}'
    ]


def test_a_builders_mids_name_their_dex() -> None:
    """First (a probe of 2026-09-24); the main dex's leave them out, and have those of pairs."""
    of = exchange(COIN, PAIR, market(TSLA, quotes=[(T0 - 1, 37_891, 1, 37_892, 1, 1)]))
    assert snapshot(of, Topic("allMids", "", ('"xyz"',)), T0) == [
        '{"channel":"allMids","data":{"dex":"xyz","mids":{"xyz:TSLA":"378.915"}}}'
    ]
    assert snapshot(of, MIDS_TOPIC, T0) == snapshot(BOTH, MIDS_TOPIC, T0)


def test_contexts_of_all_dexs_come_in_order() -> None:
    """[dex, contexts] each, the main one first by its empty name (nautilus_trader ws_all_dexs_asset_ctxs.json)."""
    of = exchange(market(TSLA), COIN)
    (text,) = snapshot(of, Topic("allDexsAssetCtxs", ""), T0)
    pairs = json.loads(text)["data"]["ctxs"]
    assert [(dex, len(contexts)) for dex, contexts in pairs] == [("", 1), ("xyz", 1)]
    for dex, contexts in pairs:
        (one,) = snapshot(of, Topic("assetCtxs", "", (json.dumps(dex),)), T0)
        assert json.loads(one) == {"channel": "assetCtxs", "data": {"dex": dex, "ctxs": contexts}}


def test_a_context_is_told_when_it_has_changed() -> None:
    """At the last block end of each second, by the 1 s grid: here the mid moved once."""
    told = [(due // MS_NS, json.loads(text)) for due, text in stream(COIN, CONTEXT_TOPIC)]
    assert [due for due, _ in told] == [6_000]
    assert told[0][1]["channel"] == "activeAssetCtx"
    assert list(told[0][1]["data"]) == ["coin", "ctx"]
    assert told[0][1]["data"]["ctx"]["midPx"] == "65002.5"
    assert stream(QUIET, CONTEXT_TOPIC) == []


def test_a_spot_context_has_a_channel_of_its_own() -> None:
    """Bytes from the tape beside it: marked at the last trade, the day's volume by whole minutes."""
    head = '{"channel":"activeSpotAssetCtx","data":{"coin":"PURR/USDC","ctx":{"prevDayPx":"0.19","dayNtlVlm":"24.0012",'
    tail = (
        '"midPx":"0.200015","circulatingSupply":"594786002.8013399839","coin":"PURR/USDC",'
        '"totalSupply":"594786014.1078599691","dayBaseVlm":"120.0"}}}'
    )
    assert snapshot(BOTH, PURR_TOPIC, T0 + SECOND_NS) == [f'{head}"markPx":"0.20001",{tail}']
    assert stream(BOTH, PURR_TOPIC) == [(2_960 * MS_NS, f'{head}"markPx":"0.20003",{tail}')]


@pytest.mark.parametrize("date", PROFILES)
def test_contexts_and_mids_keep_their_dated_pace(date: str) -> None:
    """Every second, once every 5 s (ccxt issue 27475, 2025-12-09); mids with the slow book."""
    profile = PROFILES[date]
    venue = replace(HYPERLIQUID, card=replace(HYPERLIQUID.card, profile=profile))
    of = market(
        quotes=[(T0 + i * 100 * MS_NS, 65_000 + i, 1, 65_001 + i, 1, i) for i in range(-1, 100)],
        second=lambda at_ns: (65_000 + at_ns // SECOND_NS % 60, 65_000_50000000, 0),
    )
    for topic, every_ns in (
        (CONTEXT_TOPIC, profile.contexts_ns),
        (MIDS_TOPIC, profile.mids_ns),
        (MIDS_TOPIC, profile.books[False].every_ns),
    ):
        due = [due for due, _ in stream(of, topic, venue=venue)]
        assert due == [i * every_ns // BLOCK * BLOCK for i in range(1, PAGE_NS // every_ns + 1)]


REST_OF: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "activeAssetCtx": ("metaAndAssetCtxs", lambda data: [data["ctx"]]),
    "assetCtxs": ("metaAndAssetCtxs", lambda data: data["ctxs"]),
    "allDexsAssetCtxs": ("metaAndAssetCtxs", lambda data: dict(data["ctxs"])[""]),
    "activeSpotAssetCtx": ("spotMetaAndAssetCtxs", lambda data: [data["ctx"]]),
    "spotAssetCtxs": ("spotMetaAndAssetCtxs", lambda data: data),
}


@pytest.mark.parametrize(
    "topic",
    [
        CONTEXT_TOPIC,
        PURR_TOPIC,
        Topic("assetCtxs", "", ('""',)),
        Topic("allDexsAssetCtxs", ""),
        Topic("spotAssetCtxs", ""),
    ],
    ids=lambda topic: topic.channel + topic.symbol,
)
def test_rest_and_stream_tell_one_context(topic: Topic) -> None:
    """At the instant of a push the request for it answers the same."""
    listed = worlds.exchange(HYPERLIQUID)
    of = replace(listed, markets={coin: listed.markets[coin] for coin in ("BTC", "PURR/USDC")})
    start_ns = worlds.ORIGIN_NS + 50 * SECOND_NS
    told = [row for page in range(3) for row in stream(of, topic, start_ns + page * PAGE_NS)]
    assert len(told) >= 2
    for due, text in told:
        message = json.loads(text)
        request, contexts = REST_OF[message["channel"]]
        assert json.loads(info(of, T0 + due, type=request))[1] == contexts(message["data"])


def test_a_settled_rate_is_what_was_predicted_last() -> None:
    """Contexts of an hour's last seconds tell the rate that fundingHistory then holds."""
    listed = worlds.exchange(HYPERLIQUID)
    of = replace(listed, markets={"ETH": listed.markets["ETH"]})
    for hour in range(1, 30, 7):
        settled_ns = worlds.ORIGIN_NS + hour * 3_600 * SECOND_NS
        told = stream(of, Topic("activeAssetCtx", "ETH"), settled_ns - PAGE_NS)
        due, text = [row for row in told if T0 + row[0] < settled_ns][-1]
        assert T0 + due >= settled_ns - ORACLE_NS, "told after the last sample"
        asked = {"coin": "ETH", "startTime": settled_ns // MS_NS}
        records = json.loads(info(of, settled_ns + SECOND_NS, type="fundingHistory", **asked))
        assert [row["fundingRate"] for row in records] == [json.loads(text)["data"]["ctx"]["funding"]]


# ---------------------------------------------------------------- prices of all coins, in short
FAST_PRICES = Topic("fastAssetCtxs", "")


def inflated(text: str) -> dict[str, dict[str, str]]:
    """As a client reads it: Node's inflateRawSync in the probe of 2026-09-24."""
    message = json.loads(text)
    assert list(message) == ["channel", "data"]
    assert message["channel"] == "fastAssetCtxs"
    return dict(json.loads(zlib.decompress(b64decode(message["data"]), wbits=-15)))


def test_prices_of_all_coins_are_told_in_short() -> None:
    """Mark and mid of each; then only what changed: the pair's mark with its print at 2.5 s, the mid at 4.99 s."""
    (first,) = snapshot(BOTH, FAST_PRICES, T0 + 500 * MS_NS)
    assert inflated(first) == {
        "BTC": {"markPx": "65001.0", "midPx": "65000.5"},
        "PURR/USDC": {"markPx": "0.20001", "midPx": "0.200015"},
    }
    told = [(due // MS_NS, inflated(text)) for due, text in stream(BOTH, FAST_PRICES)]
    assert told == [(2_960, {"PURR/USDC": {"markPx": "0.20003"}}), (6_000, {"BTC": {"midPx": "65002.5"}})]


def test_changes_of_prices_add_up() -> None:
    """Whoever applies them to what was told first holds what the contexts tell."""
    of = worlds.exchange(HYPERLIQUID)
    start_ns = worlds.ORIGIN_NS + 50 * SECOND_NS
    (first,) = snapshot(of, FAST_PRICES, start_ns)
    held = inflated(first)
    assert list(held) == ["BTC", "ETH", "SOL", "xyz:TSLA", "xyz:GOLD", "PURR/USDC", "@1"]
    for due, text in stream(of, FAST_PRICES, start_ns):
        changes = inflated(text)
        assert changes
        for coin, prices in changes.items():
            assert all(held[coin][key] != price for key, price in prices.items())
            held[coin].update(prices)
        for request, symbols in (
            ("metaAndAssetCtxs", ["BTC", "ETH", "SOL"]),
            ("spotMetaAndAssetCtxs", ["PURR/USDC", "@1"]),
        ):
            rows = json.loads(info(of, T0 + due, type=request))[1]
            assert [held[coin] for coin in symbols] == [
                {k: row[k] for k in ("markPx", "midPx")} for row in rows
            ]


@pytest.mark.parametrize("size", [1, 65_534, 65_535, 65_536, 200_000])
def test_stored_deflate_is_deflate(size: int) -> None:
    """Of any size: a block holds 65,535 bytes."""
    data = bytes(i % 251 for i in range(size))
    assert zlib.decompress(stored(data), wbits=-15) == data


# ---------------------------------------------------------------- what is lived through
class Recorded(HyperSynthReactor):
    """A market that remembers which minutes it was asked to live through."""

    lived: set[int]

    def block(self, k: int) -> Block:
        self.lived.add(k)
        return super().block(k)


def recorded(coin: str) -> tuple[Exchange, Recorded]:
    listed = worlds.exchange(HYPERLIQUID)
    of = listed.market(coin)
    assert of is not None
    market = Recorded(of.skeleton, worlds.SEED)
    market.lived = set()

    class World:
        def market(self, _: str) -> HyperSynthReactor:
            return market

    return Exchange(cast(Any, World()), {coin: listed.markets[coin]}), market


@pytest.mark.parametrize("coin", ["ETH", "@1"])
def test_only_the_running_minute_is_lived_through(coin: str) -> None:
    """A day's candles and everything that is known by the minute or the second need no block; a forming candle, a
    mid and a last price need the running minute's.
    """
    of, market = recorded(coin)
    now_ns = worlds.ORIGIN_NS + 90 * BLOCK_NS
    for interval in INTERVALS:
        asked = {"coin": coin, "interval": interval, "startTime": 0}
        assert json.loads(info(of, now_ns, type="candleSnapshot", req=asked))
    if market.instrument.kind is Kind.PERP:
        assert json.loads(info(of, now_ns, type="fundingHistory", coin=coin, startTime=0))
        assert json.loads(info(of, now_ns + 5 * SECOND_NS, type="predictedFundings"))
    assert market.lived == set()
    for start_ns in range(now_ns, now_ns + 3 * BLOCK_NS, PAGE_NS):
        market.lived.clear()
        for topic in (
            *(candle_topic(interval, coin) for interval in INTERVALS),
            Topic("activeAssetCtx", coin),
            MIDS_TOPIC,
        ):
            channel = HYPERLIQUID.channel(topic, of)
            channel.page(start_ns)
            channel.snapshot(start_ns + PAGE_NS)
        assert market.lived <= {(start_ns - worlds.ORIGIN_NS) // BLOCK_NS}


# ---------------------------------------------------------------- every tape
instants = st.lists(st.integers(0, 2 * PAGE_NS - 1), max_size=60).map(sorted)


@given(at=instants, sizes=st.randoms(use_true_random=False))
def test_times_of_a_coin_rise_across_pages(at: list[int], sizes: Any) -> None:
    """Over two pages of every channel dates rise strictly, and each message is due right after its date."""
    of = market(
        quotes=[(T0 - 1, 65_000, 1, 65_001, 1, 0)]
        + [(T0 + t, 65_000, sizes.randint(1, 3), 65_001, sizes.randint(1, 3), i) for i, t in enumerate(at)],
        prints=[(T0 + t, 65_000, sizes.randint(1, 9), BUY, i, i, i // 3) for i, t in enumerate(at)],
        start_bids=[(65_000, 1)],
        start_asks=[(65_001, 1)],
    )
    for topic in (BOOK_TOPIC, FAST_TOPIC, BBO_TOPIC, TRADES_TOPIC):
        told = [row for page in (T0, T0 + PAGE_NS) for row in stream(of, topic, page)]
        messages = [json.loads(text)["data"] for _, text in told]
        times = [(message[0] if isinstance(message, list) else message)["time"] for message in messages]
        assert [due for due, _ in told] == [(time + 1) * MS_NS - T0 for time in times]
        assert all(a < b for a, b in pairwise(times))
        if topic is TRADES_TOPIC:
            assert sum(len(message) for message in messages) == len(at)
        if topic is BBO_TOPIC:
            assert all(a["bbo"] != b["bbo"] for a, b in pairwise(messages))


@given(lots=st.integers(1, 10**10), more=st.integers(0, 10**10))
def test_a_level_holds_an_order_at_least(lots: int, more: int) -> None:
    """Order counts start at one and never fall as size grows."""
    few, many = (int(order_counts(column(65_000), column(n), INSTRUMENT)[0]) for n in (lots, lots + more))
    assert 1 <= few <= many


def test_listed_ticks_are_powers_of_ten() -> None:
    """Grouping counts figures of ticks as figures of the price, which holds only then."""
    assert {listing.instrument.tick_size for listing in HYPERLIQUID.listings} == {1}
    assert {listing.instrument.lot_size for listing in HYPERLIQUID.listings} == {1}
