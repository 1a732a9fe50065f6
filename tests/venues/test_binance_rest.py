"""Binance spot over REST: answers, errors in the venue's words, weights; and that no request makes it stumble."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from itertools import compress
from typing import Any
from urllib.parse import quote, urlencode

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.types import BLOCK_NS, DAY_NS, MS_NS, SECOND_NS, TICK_NS, Block, Minutes
from tests import worlds
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
)
from venues.base import PAGE_NS, Exchange, HttpRequest, Topic, VenueProtocol
from venues.binance import BINANCE
from venues.binance.rest import SPOT_ROUTES
from venues.binance.rules import ERRORS
from venues.binance.wire import INTERVALS

TAPE = market(
    quotes=[(T0 + MS_NS, 6_500_000, 150_000, 6_500_001, 20_000, 1_001)],
    prints=[
        (T0 + 3 * MS_NS, 6_500_001, 1_000, BUY, 101, 51, 31),
        (T0 + 12_345_678, 6_500_000, 123_456, SELL, 102, 52, 32),
        (T0 + 80 * MS_NS, 6_500_001, 7, BUY, 103, 53, 33),
    ],
    levels=[
        (TICK0, BID, 6_500_000, 149_000, 1_002),
        (TICK0 + 9, ASK, 6_500_001, 0, 1_005),
        (TICK0 + 12, BID, 1, 1, 1_006),
    ],
    start_bids=[(6_500_000, 150_000), (6_499_999, 5)],
    start_asks=[(6_500_001, 20_000), (6_500_007, 3)],
    start_update_id=1_000,
)
EXCHANGE = exchange(TAPE)
ROUTES = [route for methods in SPOT_ROUTES.values() for route in methods.values()]


def body(path: str, query: str = "", now_ns: int = T0 + SECOND_NS, **headers: str) -> str:
    answer = get(EXCHANGE, path, query, now_ns, **headers)
    assert (answer.status, answer.content_type) == (200, "application/json;charset=UTF-8"), answer
    return answer.body.decode()


# ---------------------------------------------------------------- answers
def test_ping_and_time() -> None:
    """https://github.com/binance/binance-spot-api-docs rest-api.md, 2026-07-21; the time is the virtual clock's."""
    assert body("/api/v3/ping") == "{}"
    assert body("/api/v3/time") == '{"serverTime":1700000001000}'
    assert body("/api/v3/time", x_mbx_time_unit="MICROSECOND") == '{"serverTime":1700000001000000}'


def test_depth_is_dated_at_the_last_100_ms_boundary() -> None:
    """What changed since then is for the next event to say, so the snapshot joins the stream without a gap."""
    for now_ns in (T0 + 100 * MS_NS, T0 + 190 * MS_NS):
        assert body("/api/v3/depth", "symbol=BTCUSDT", now_ns) == (
            '{"lastUpdateId":1005,"bids":[["65000.00000000","1.49000000"],["64999.99000000","0.00005000"]],'
            '"asks":[["65000.07000000","0.00003000"]]}'
        )
    second = json.loads(stream(TAPE, Topic("depth", "BTCUSDT", ("100ms",)))[1][1])
    assert second["U"] == 1_006
    assert json.loads(body("/api/v3/depth", "symbol=BTCUSDT", T0 + 99 * MS_NS))["lastUpdateId"] == 1_000


@pytest.mark.parametrize(
    ("query", "levels"), [("", 100), ("&limit=7", 7), ("&limit=5000", 5000), ("&limit=6000", 5000)]
)
def test_depth_has_as_many_levels_as_asked(query: str, levels: int) -> None:
    """100 unless asked, 5000 at most, more is silently that many."""
    deep = market(
        start_bids=[(p, 1) for p in range(9000, 0, -1)], start_asks=[(p, 1) for p in range(9001, 18000)]
    )
    book = json.loads(get(exchange(deep), "/api/v3/depth", "symbol=BTCUSDT" + query).body)
    assert (len(book["bids"]), len(book["asks"])) == (levels, levels)
    assert (book["bids"][0], book["asks"][0]) == (
        ["90.00000000", "0.00001000"],
        ["90.01000000", "0.00001000"],
    )


def test_trades_are_the_newest_oldest_first() -> None:
    """Ascending, in virtual time; quoteQty is the exact product."""
    first = (
        '{"id":101,"price":"65000.01000000","qty":"0.01000000","quoteQty":"650.00010000","time":1700000000003,'
        '"isBuyerMaker":false,"isBestMatch":true}'
    )
    second = (
        '{"id":102,"price":"65000.00000000","qty":"1.23456000","quoteQty":"80246.40000000","time":1700000000012,'
        '"isBuyerMaker":true,"isBestMatch":true}'
    )
    assert body("/api/v3/trades", "symbol=BTCUSDT", T0 + 50 * MS_NS) == f"[{first},{second}]"
    assert body("/api/v3/trades", "symbol=BTCUSDT&limit=1", T0 + 50 * MS_NS) == f"[{second}]"
    assert body("/api/v3/trades", "symbol=BTCUSDT", T0) == "[]"
    micro = body("/api/v3/trades", "symbol=BTCUSDT&limit=1", T0 + 50 * MS_NS, x_mbx_time_unit="microsecond")
    assert '"time":1700000000012345,' in micro


def test_trades_are_a_thousand_at_most() -> None:
    """500 unless asked; more than 1000 is silently that many."""
    busy = exchange(market(prints=[(T0 + i, 100, 1, BUY, i, i, i) for i in range(1_200)]))
    for query, first in (("", 700), ("&limit=1000", 200), ("&limit=1001", 200)):
        trades = json.loads(get(busy, "/api/v3/trades", "symbol=BTCUSDT" + query, T0 + SECOND_NS).body)
        assert (trades[0]["id"], trades[-1]["id"]) == (first, 1_199)


# ---------------------------------------------------------------- trades of the past
PAST = exchange(
    market(
        prints=[
            (T0 + 3 * MS_NS, 6_500_012, 1_000, BUY, 101, 51, 31),
            (T0 + 3 * MS_NS, 6_500_012, 250, BUY, 102, 51, 31),
            (T0 + 3 * MS_NS, 6_500_100, 7, BUY, 103, 52, 31),
            (T0 + 12_345_678, 6_499_999, 123_456, SELL, 104, 53, 32),
            (T0 + 65 * SECOND_NS, 6_500_000, 1, SELL, 105, 54, 33),
            (T0 + 66 * SECOND_NS, 6_500_000, 1, SELL, 106, 55, 34),
        ]
    )
)
SEEN_NS = T0 + 120 * SECOND_NS


def past(path: str, query: str, now_ns: int = SEEN_NS) -> Any:
    answer = get(PAST, path, "symbol=BTCUSDT" + query, now_ns)
    assert answer.status == 200, answer
    return json.loads(answer.body)


def test_aggregate_trades_join_what_one_order_filled_at_one_price() -> None:
    """As in the stream, without event and symbol."""
    answer = get(PAST, "/api/v3/aggTrades", "symbol=BTCUSDT&limit=500", T0 + SECOND_NS)
    assert answer.body == (
        b'[{"a":51,"p":"65000.12000000","q":"0.01250000","f":101,"l":102,"T":1700000000003,"m":false,"M":true},'
        b'{"a":52,"p":"65001.00000000","q":"0.00007000","f":103,"l":103,"T":1700000000003,"m":false,"M":true},'
        b'{"a":53,"p":"64999.99000000","q":"1.23456000","f":104,"l":104,"T":1700000000012,"m":true,"M":true}]'
    )


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", [51, 52, 53, 54, 55]),
        ("&limit=2", [54, 55]),
        ("&fromId=53", [53, 54, 55]),
        ("&fromId=53&limit=2", [53, 54]),
        ("&fromId=0&limit=2", [51, 52]),
        ("&fromId=56", []),
        ("&fromId=99999999999999999999", []),
        ("&startTime=1700000000003", [51, 52, 53, 54, 55]),
        ("&startTime=1700000000004", [53, 54, 55]),
        ("&startTime=1700000000004&limit=1", [53]),
        ("&startTime=1700000066001", []),
        ("&startTime=0&limit=1", [51]),
        ("&startTime=9999999999999", []),
        ("&endTime=1700000000003", [51, 52]),
        ("&endTime=1700000000012&limit=1", [53]),
        ("&endTime=9999999999999&limit=1", [55]),
        ("&endTime=0", []),
        ("&startTime=1700000000004&endTime=1700000065000", [53, 54]),
        ("&startTime=1700000000004&endTime=1700000065000&limit=1", [53]),
        ("&startTime=1700000065000&endTime=1700000065000", [54]),
        ("&startTime=1700000065000&endTime=1700000000003", []),
        # microseconds
        ("&startTime=1700000000012345&limit=1", [53]),
        ("&startTime=1700000000012346&limit=1", [54]),
        ("&endTime=1700000000012345", [51, 52, 53]),
        ("&endTime=1700000000012344", [51, 52]),
    ],
)
def test_aggregate_trades_of_a_time_or_from_an_id(query: str, ids: list[int]) -> None:
    """Both times are part of it; the limit counts from the start where there is one, else from the end."""
    assert [row["a"] for row in past("/api/v3/aggTrades", query)] == ids


def test_nothing_is_told_before_its_time() -> None:
    """Ids and times of what is yet to come find nothing."""
    now_ns = T0 + 20 * SECOND_NS
    for query in ("&fromId=54", "&startTime=1700000065000", "&startTime=1700000000100"):
        assert past("/api/v3/aggTrades", query, now_ns) == []
    assert [row["a"] for row in past("/api/v3/aggTrades", "&endTime=1700000065000", now_ns)] == [51, 52, 53]
    assert past("/api/v3/historicalTrades", "&fromId=105", now_ns) == []


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", [101, 102, 103, 104, 105, 106]),
        ("&limit=2", [105, 106]),
        ("&fromId=102&limit=3", [102, 103, 104]),
        ("&fromId=0&limit=1", [101]),
        ("&fromId=107", []),
    ],
)
def test_historical_trades_go_on_from_an_id(query: str, ids: list[int]) -> None:
    """The oldest there are if the id is older; without an id they are the trades."""
    rows = past("/api/v3/historicalTrades", query)
    assert [row["id"] for row in rows] == ids
    assert all(row in past("/api/v3/trades", "") for row in rows)


# ---------------------------------------------------------------- klines
def test_klines_are_twelve_values() -> None:
    """https://github.com/binance/binance-spot-api-docs rest-api.md, 2026-07-21; the running one as far as it goes."""
    bar = (
        '[1699999980000,"65000.01000000","65000.01000000","65000.00000000","65000.01000000","1.24463000",'
        '1700000039999,"80900.95010070",3,"0.01007000","654.55010070","0"]'
    )
    query = "symbol=BTCUSDT&interval=1m"
    assert body("/api/v3/klines", query) == body("/api/v3/uiKlines", query) == f"[{bar}]"
    micro = body("/api/v3/klines", query, x_mbx_time_unit="MICROSECOND")
    assert micro == f"[{bar.replace('980000,', '980000000,').replace('039999,', '039999999,')}]"


HOUR = exchange(market(prints=[(T0 + k * BLOCK_NS, 100 + k, 1, BUY, k, k, k) for k in range(31)]))
HOUR_END_NS = T0 + 40 * SECOND_NS + 30 * BLOCK_NS  # the end of the last of them
HOUR_MS = 3_600_000


def minute_ms(k: int) -> int:
    """When the k-th minute of HOUR opens; the market was listed with the first."""
    return 1_699_999_980_000 + k * 60_000


def opens(query: str, now_ns: int = HOUR_END_NS) -> list[int]:
    answer = get(HOUR, "/api/v3/klines", "symbol=BTCUSDT&" + query, now_ns)
    assert answer.status == 200, answer
    return [row[0] for row in json.loads(answer.body)]


@pytest.mark.parametrize(
    ("query", "minutes"),
    [
        ("", range(31)),
        ("&limit=2", [29, 30]),
        (f"&startTime={minute_ms(5)}&limit=2", [5, 6]),
        (f"&startTime={minute_ms(5) + 1}&limit=2", [6, 7]),
        (f"&startTime={minute_ms(28)}", [28, 29, 30]),
        (f"&endTime={minute_ms(5)}&limit=2", [4, 5]),
        (f"&endTime={minute_ms(5) - 1}&limit=2", [3, 4]),
        (f"&startTime={minute_ms(5)}&endTime={minute_ms(7)}", [5, 6, 7]),
        (f"&startTime={minute_ms(5)}&endTime={minute_ms(7)}&limit=2", [5, 6]),
        (f"&startTime={minute_ms(5)}&endTime={minute_ms(5)}", [5]),
        (f"&startTime={minute_ms(7)}&endTime={minute_ms(5)}", []),
        ("&startTime=0&limit=1", [0]),
        ("&startTime=99999999999999999999", []),
        ("&endTime=0", []),
        ("&endTime=99999999999999999999&limit=1", [30]),
        (f"&startTime={minute_ms(5)}000&endTime={minute_ms(6)}000", [5, 6]),
        (f"&startTime={minute_ms(5)}001&endTime={minute_ms(6)}000", [6]),
    ],
)
def test_klines_of_a_time(query: str, minutes: list[int]) -> None:
    """Chosen by when they open; the limit counts from startTime where there is one, else from the end."""
    assert opens("interval=1m" + query) == [minute_ms(k) for k in minutes]


def test_the_running_kline_is_the_last() -> None:
    """Until its end, and the next one from its first moment on."""
    assert opens("interval=1m&limit=2", HOUR_END_NS - 20 * BLOCK_NS - 10 * MS_NS) == [
        minute_ms(9),
        minute_ms(10),
    ]
    assert opens("interval=1m&limit=2", HOUR_END_NS - 20 * BLOCK_NS) == [minute_ms(9), minute_ms(10)]
    assert opens("interval=1m&limit=2", HOUR_END_NS - 20 * BLOCK_NS + 10 * MS_NS) == [
        minute_ms(10),
        minute_ms(11),
    ]


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("interval=1s&limit=1", 1_700_001_839_000),
        ("interval=1h", 1_699_999_200_000),
        ("interval=1h&timeZone=0", 1_699_999_200_000),
        ("interval=1h&timeZone=05:45", 1_699_996_500_000),
        ("interval=1h&timeZone=-3:30", 1_699_997_400_000),
        ("interval=1d&timeZone=8", 1_699_977_600_000),
        ("interval=1d&timeZone=%2B08:00", 1_699_977_600_000),
        ("interval=1d&timeZone=-12:00", 1_699_963_200_000),
        ("interval=1d&timeZone=14:00", 1_699_956_000_000),
        ("interval=1w", 1_699_833_600_000),
        ("interval=1M", 1_698_796_800_000),
        ("interval=1M&startTime=1698796800000", 1_698_796_800_000),
    ],
)
def test_klines_of_a_zone(query: str, first: int) -> None:
    """The cuts are those of the zone, the times stay in UTC; T0 is 2023-11-14 22:13:20."""
    assert opens(query)[0] == first


@pytest.mark.parametrize(("query", "rows"), [("", 500), ("&limit=1000", 1000), ("&limit=1500", 1000)])
def test_klines_are_a_thousand_at_most(query: str, rows: int) -> None:
    """500 unless asked; more than 1000 is silently that many."""
    now_ns = OLD.listed_ns + 2000 * BLOCK_NS
    for more in ("", "&startTime=0"):
        answer = get(exchange(OLD), "/api/v3/klines", f"symbol=BTCUSDT&interval=1m{query}{more}", now_ns)
        assert len(json.loads(answer.body)) == rows


class OnlyRows(HandmadeMarket):
    """A market of more than a year, of which nobody may see more than the minute rows."""

    @property
    def listed_ns(self) -> int:
        return self.origin_ns // DAY_NS * DAY_NS - 400 * DAY_NS

    def window(self, start_ns: int, end_ns: int) -> Block:
        raise AssertionError("a block was generated")

    def minutes(self, start_ns: int, end_ns: int) -> Minutes:
        start = np.arange(-(-max(start_ns, self.listed_ns) // BLOCK_NS), end_ns // BLOCK_NS) * BLOCK_NS
        ones = np.ones(len(start), dtype=np.int64)
        return Minutes(*np.stack([start, *[100 * ones] * 4, *[ones] * 5, *[start // BLOCK_NS] * 3, ones]))


OLD = OnlyRows(INSTRUMENT, T0)


@pytest.mark.parametrize("interval", [name for name in INTERVALS if name != "1s"])
@pytest.mark.parametrize("query", ["", "&startTime=0", "&endTime=1699000000000", "&timeZone=-9:30"])
def test_klines_of_closed_minutes_need_no_block(interval: str, query: str) -> None:
    """A thousand rows of any interval, however old, come from what is known of minutes."""
    now_ns = (T0 // BLOCK_NS + 1) * BLOCK_NS
    query = f"symbol=BTCUSDT&interval={interval}&limit=1000{query}"
    rows = json.loads(get(exchange(OLD), "/api/v3/klines", query, now_ns).body)
    assert 13 <= len(rows) <= 1000
    assert all(Decimal(row[5]) == row[8] * Decimal("0.00001") for row in rows)


@pytest.mark.parametrize("path", ["ticker/tradingDay", "ticker", "ticker/price"])
def test_statistics_at_the_end_of_a_minute_need_no_block(path: str) -> None:
    """Neither does the last price."""
    now_ns = (T0 // BLOCK_NS + 1) * BLOCK_NS
    assert get(exchange(OLD), f"/api/v3/{path}", "symbol=BTCUSDT", now_ns).status == 200


@pytest.mark.parametrize(
    ("path", "query"),
    [
        *(("klines", f"&interval={name}&limit=1000") for name in INTERVALS if name != "1s"),
        *((f"ticker/{name}", "") for name in ("24hr", "tradingDay", "price")),
        ("ticker", "&windowSize=4h"),
        ("avgPrice", ""),
    ],
)
def test_of_the_running_minute_its_own_block_is_enough(path: str, query: str) -> None:
    """All before it comes from rows."""
    tape = day_of(
        prints=[(T0 - k * HOUR_MS * MS_NS, 100, 1, BUY, 40 - k, 40 - k, 40 - k) for k in range(30, -1, -1)]
    )
    assert get(exchange(tape), f"/api/v3/{path}", "symbol=BTCUSDT" + query, T0 + SECOND_NS).status == 200
    assert set(tape.asked) <= {T0 // BLOCK_NS * BLOCK_NS}


def test_an_id_and_a_minute_find_their_aggregates_without_a_block() -> None:
    """Ids at the start of a minute are known from its row."""
    tape = day_of(prints=[(T0, 100, 1, BUY, 9, 9, 9)])
    for query in ("&fromId=0", f"&startTime={T0 // BLOCK_NS * 60_000}"):
        answer = get(exchange(tape), "/api/v3/aggTrades", "symbol=BTCUSDT" + query, T0 + SECOND_NS)
        assert [row["a"] for row in json.loads(answer.body)] == [9]
    assert tape.asked == []


# ---------------------------------------------------------------- what a client counts itself
def random_tape(seed: int) -> HandmadeMarket:
    """Twenty-five minutes around an hour, most of their seconds without a trade and some of their minutes."""
    rng = np.random.default_rng(seed)
    start_ns, n = T0 + 40 * SECOND_NS + 35 * BLOCK_NS, 400  # from 22:49 on
    times = np.sort(rng.integers(start_ns, start_ns + 25 * BLOCK_NS, n)).tolist()
    prices = (6_500_000 + np.cumsum(rng.integers(-50, 51, n))).tolist()
    lots, sides = rng.integers(1, 500_000, n).tolist(), rng.choice([BUY, SELL], n).tolist()
    ids = range(9_001, 9_001 + n)
    rows = zip(times, prices, lots, sides, ids, ids, ids, strict=True)
    quiet = [start_ns + k * BLOCK_NS for k in (3, 4, 12)]
    kept = [row for row in rows if not any(start <= row[0] < start + BLOCK_NS for start in quiet)]
    return HandmadeMarket(
        INSTRUMENT, start_ns, prints=[(*row[:4], *[9_000 + i] * 3) for i, row in enumerate(kept)]
    )


def streamed(on: Exchange, topic: Topic, start_ns: int, end_ns: int) -> Iterator[Any]:
    for page_ns in range(start_ns, end_ns, PAGE_NS):
        yield from (json.loads(text) for _, text in stream(on, topic, page_ns))


def counted(trades: list[Any], length_ms: int, end_ms: int) -> list[list[Any]]:
    """The klines a client makes of the trades it was told, from that of the first one to the last that is over."""
    by_start: dict[int, list[Any]] = {}
    for trade in trades:
        by_start.setdefault(trade["T"] // length_ms * length_ms, []).append(trade)
    rows, last = [], ""
    for start in range(min(by_start), end_ms - length_ms + 1, length_ms):
        inside = by_start.get(start, [])
        prices = [trade["p"] for trade in inside] or [last]
        last = prices[-1]
        qty = [Decimal(trade["q"]) for trade in inside]
        paid = [Decimal(trade["p"]) * Decimal(trade["q"]) for trade in inside]
        bought = [not trade["m"] for trade in inside]
        sums = [
            f"{sum(values, Decimal(0)):.8f}"
            for values in (qty, paid, compress(qty, bought), compress(paid, bought))
        ]
        ohlc = (prices[0], max(prices, key=Decimal), min(prices, key=Decimal), last)
        ids = (inside[0]["t"], inside[-1]["t"]) if inside else (-1, -1)
        rows.append(
            [start, *ohlc, sums[0], start + length_ms - 1, sums[1], len(inside), *sums[2:], "0", *ids]
        )
    return rows


def check_three_ways(
    on: Exchange, symbol: str, start_ns: int, end_ns: int, interval: str, length_ms: int
) -> None:
    trades = list(streamed(on, Topic("trade", symbol), start_ns, end_ns))
    mine = counted(trades, length_ms, end_ns // MS_NS)
    assert mine

    klines = [message["k"] for message in streamed(on, Topic(f"kline_{interval}", symbol), start_ns, end_ns)]
    closed = [[kline[key] for key in "tohlcvTqnVQBfL"] for kline in klines if kline["x"]]
    assert [row for row in closed if row[0] >= mine[0][0]] == mine

    answered: list[list[Any]] = []
    while len(answered) < len(mine):
        first = answered[-1][0] + 1 if answered else mine[0][0]
        query = f"symbol={symbol}&interval={interval}&limit=1000&startTime={first}"
        answered += json.loads(get(on, "/api/v3/klines", query, end_ns).body)
    assert answered[: len(mine)] == [row[:12] for row in mine]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("interval", "seconds"), [("1s", 1), ("1m", 60), ("3m", 180), ("5m", 300), ("15m", 900), ("1h", 3600)]
)
def test_three_ways_to_a_kline_agree(seed: int, interval: str, seconds: int) -> None:
    """What is streamed, what is answered over REST, and what is counted from the trades that were streamed."""
    tape = random_tape(seed)
    end_ns = tape.origin_ns + 26 * BLOCK_NS
    check_three_ways(exchange(tape), "BTCUSDT", tape.origin_ns, end_ns, interval, seconds * 1000)


WORLD = worlds.exchange(BINANCE)


@pytest.mark.parametrize("symbol", [listing.instrument.symbol for listing in BINANCE.listings])
@pytest.mark.parametrize(("interval", "seconds"), [("1s", 1), ("1m", 60), ("5m", 300)])
def test_they_agree_on_synthetic_markets(symbol: str, interval: str, seconds: int) -> None:
    """Around an hour, with thousands of trades."""
    start_ns = worlds.ORIGIN_NS + 55 * BLOCK_NS
    check_three_ways(WORLD, symbol, start_ns, start_ns + 10 * BLOCK_NS, interval, seconds * 1000)


# ---------------------------------------------------------------- tickers
NOW_NS = T0 + 4 * SECOND_NS
DAY_FULL = (
    '{"symbol":"BTCUSDT","priceChange":"801.00000000","priceChangePercent":"1.248","weightedAvgPrice":"64466.77777778",'
    '"prevClosePrice":"64000.00000000","lastPrice":"65001.00000000","lastQty":"0.50000000","bidPrice":"64999.00000000",'
    '"bidQty":"0.00008000","askPrice":"65001.00000000","askQty":"0.00009000","openPrice":"64200.00000000",'
    '"highPrice":"65001.00000000","lowPrice":"64200.00000000","volume":"4.50000000","quoteVolume":"290100.50000000",'
    '"openTime":1699913580000,"closeTime":1700000004000,"firstId":101,"lastId":103,"count":3}'
)
DAY_MINI = (
    '{"symbol":"BTCUSDT","openPrice":"64200.00000000","highPrice":"65001.00000000","lowPrice":"64200.00000000",'
    '"lastPrice":"65001.00000000","volume":"4.50000000","quoteVolume":"290100.50000000",'
    '"openTime":1699913580000,"closeTime":1700000004000,"firstId":101,"lastId":103,"count":3}'
)
TODAY_MINI = (
    '{"symbol":"BTCUSDT","openPrice":"65000.00000000","highPrice":"65001.00000000","lowPrice":"65000.00000000",'
    '"lastPrice":"65001.00000000","volume":"1.50000000","quoteVolume":"97500.50000000",'
)
TODAY_FULL = TODAY_MINI.replace(
    ',"openPrice"',
    ',"priceChange":"1.00000000","priceChangePercent":"0.002","weightedAvgPrice":"65000.33333333","openPrice"',
)


@pytest.mark.parametrize(
    ("path", "query", "expected"),
    [
        ("ticker/24hr", "", DAY_FULL),
        ("ticker/24hr", "&type=FULL", DAY_FULL),
        ("ticker/24hr", "&type=MINI", DAY_MINI),
        ("ticker", "&type=MINI", DAY_MINI),
        (
            *("ticker", "&windowSize=1h"),
            TODAY_FULL
            + '"openTime":1699996380000,"closeTime":1700000004000,"firstId":102,"lastId":103,"count":2}',
        ),
        (
            *("ticker", "&windowSize=1m&type=MINI"),
            TODAY_MINI
            + '"openTime":1699999920000,"closeTime":1700000004000,"firstId":102,"lastId":103,"count":2}',
        ),
        (
            *("ticker/tradingDay", ""),
            TODAY_FULL
            + '"openTime":1699920000000,"closeTime":1700006399999,"firstId":102,"lastId":103,"count":2}',
        ),
        (
            *("ticker/tradingDay", "&type=MINI&timeZone=-1:30"),
            TODAY_MINI
            + '"openTime":1699925400000,"closeTime":1700011799999,"firstId":102,"lastId":103,"count":2}',
        ),
        ("ticker/price", "", '{"symbol":"BTCUSDT","price":"65001.00000000"}'),
        (
            *("ticker/bookTicker", "&symbolStatus=TRADING"),
            (
                '{"symbol":"BTCUSDT","bidPrice":"64999.00000000","bidQty":"0.00008000",'
                '"askPrice":"65001.00000000","askQty":"0.00009000"}'
            ),
        ),
        ("avgPrice", "", '{"mins":5,"price":"65000.33333333","closeTime":1700000000700}'),
    ],
)
def test_a_ticker_of_a_symbol(path: str, query: str, expected: str) -> None:
    """Keys in wire order, rest-api.md, 2026-07-21; the day's window opens on a minute, as the others do."""
    assert get(TWO, f"/api/v3/{path}", "symbol=BTCUSDT" + query, NOW_NS).body.decode() == expected


@pytest.mark.parametrize(
    ("query", "symbols"),
    [
        ("symbols=[%22ETHUSDT%22]", ["ETHUSDT"]),
        ('symbols=["ETHUSDT","BTCUSDT"]', ["ETHUSDT", "BTCUSDT"]),
        ("symbols=[]", []),
        ('symbols=["BTCUSDT"]&symbolStatus=HALT', []),
        ("", ["BTCUSDT", "ETHUSDT"]),
    ],
)
@pytest.mark.parametrize(
    "path", ["ticker/24hr", "ticker/price", "ticker/bookTicker", "ticker", "ticker/tradingDay"]
)
def test_tickers_of_several_symbols_are_an_array(path: str, query: str, symbols: list[str]) -> None:
    """Of those named, or of all where none need be named; each is what it is alone."""
    answer = get(TWO, f"/api/v3/{path}", query, NOW_NS)
    if not query and path in ("ticker", "ticker/tradingDay"):
        assert json.loads(answer.body) == {
            "code": -1102,
            "msg": "Param 'symbol' or 'symbols' must be sent, but both were empty/null!",
        }
        return
    alone = [get(TWO, f"/api/v3/{path}", f"symbol={symbol}", NOW_NS).body for symbol in symbols]
    assert (answer.status, answer.body) == (200, b"[%s]" % b",".join(alone))


def test_rest_and_stream_tell_the_same_ticker() -> None:
    """At the instant of a message, its numbers are those REST answers."""
    for channel, path, keys in (
        ("ticker", "ticker/24hr", "pPwxcQbBaAohlvqOCFLn"),
        ("ticker_1h", "ticker", "pPwohlcvqOCFLn"),
        ("miniTicker", "ticker/24hr", "ohlcvq"),
    ):
        due_ns, text = stream(DAY, Topic(channel, "BTCUSDT"))[0]
        query = {"ticker_1h": "&windowSize=1h", "miniTicker": "&type=MINI"}.get(channel, "")
        row = json.loads(get(TWO, f"/api/v3/{path}", "symbol=BTCUSDT" + query, due_ns).body)
        message = json.loads(text)
        assert [message[key] for key in keys] == list(row.values())[1 : len(keys) + 1], channel


@pytest.mark.parametrize(
    ("window", "opens_ms"),
    [
        # closeTime 1641287867099 (2022-01-04 09:17:47), windowSize 1d, openTime 1641201420000: rest-api.md, 2026-07-21
        ("1d", 1_641_201_420_000),
        ("59m", 1_641_284_280_000),
        ("23h", 1_641_205_020_000),
        ("7d", 1_640_683_020_000),
    ],
)
def test_windows_open_on_a_minute(window: str, opens_ms: int) -> None:
    """As in the example of the manual."""
    now_ns = 1_641_287_867_100 * MS_NS
    old = HandmadeMarket(INSTRUMENT, now_ns - 10 * DAY_NS)
    query = f"symbol=BTCUSDT&windowSize={window}"
    ticker = json.loads(get(exchange(old), "/api/v3/ticker", query, now_ns).body)
    assert (ticker["openTime"], ticker["closeTime"]) == (opens_ms, 1_641_287_867_100)


def test_the_statistics_of_nothing() -> None:
    """A market nobody has traded on: no change, no average, no ids."""
    ticker = json.loads(get(exchange(market()), "/api/v3/ticker/24hr", "symbol=BTCUSDT", NOW_NS).body)
    assert (ticker["weightedAvgPrice"], ticker["priceChangePercent"]) == ("0.00000000", "0.000")
    assert (ticker["firstId"], ticker["lastId"], ticker["count"], ticker["lastQty"]) == (
        -1,
        -1,
        0,
        "0.00000000",
    )
    average = json.loads(get(exchange(market()), "/api/v3/avgPrice", "symbol=BTCUSDT", NOW_NS).body)
    assert average == {"mins": 5, "price": "0.01000000", "closeTime": 0}


# ---------------------------------------------------------------- the rules of trading
def test_exchange_info_describes_the_symbol() -> None:
    """Key order as documented, tick and lot padded to 8 decimals, PRICE_FILTER where clients look for it."""
    info = json.loads(body("/api/v3/exchangeInfo"))
    assert list(info) == ["timezone", "serverTime", "rateLimits", "exchangeFilters", "symbols"]
    assert (info["timezone"], info["serverTime"]) == ("UTC", 1_700_000_001_000)
    assert info["rateLimits"][0] == {
        "rateLimitType": "REQUEST_WEIGHT",
        "interval": "MINUTE",
        "intervalNum": 1,
        "limit": 6000,
    }
    (symbol,) = info["symbols"]
    assert ",".join(symbol) == (
        "symbol,status,baseAsset,baseAssetPrecision,quoteAsset,quotePrecision,quoteAssetPrecision,"
        "baseCommissionPrecision,quoteCommissionPrecision,orderTypes,icebergAllowed,ocoAllowed,otoAllowed,opoAllowed,"
        "quoteOrderQtyMarketAllowed,allowTrailingStop,cancelReplaceAllowed,amendAllowed,pegInstructionsAllowed,"
        "isSpotTradingAllowed,isMarginTradingAllowed,filters,permissions,permissionSets,"
        "defaultSelfTradePreventionMode,allowedSelfTradePreventionModes"
    )
    assert (symbol["symbol"], symbol["status"], symbol["baseAsset"], symbol["quoteAsset"]) == (
        *("BTCUSDT", "TRADING"),
        *("BTC", "USDT"),
    )
    price, lot = symbol["filters"][:2]
    assert (price["filterType"], price["tickSize"]) == ("PRICE_FILTER", "0.01000000")
    assert (lot["filterType"], lot["minQty"], lot["stepSize"]) == ("LOT_SIZE", "0.00001000", "0.00001000")
    assert (symbol["permissions"], symbol["permissionSets"]) == ([], [["SPOT", "MARGIN"]])


@pytest.mark.parametrize(
    ("symbol", "tick", "lot", "max_price", "max_qty"),
    [
        # bmoscon/cryptofeed sample_data/BINANCE.0, 2021-10-12; SOLUSDT came with the decimals its trades have
        ("BTCUSDT", "0.01000000", "0.00001000", "1000000.00000000", "9000.00000000"),
        ("ETHUSDT", "0.01000000", "0.00010000", "1000000.00000000", "9000.00000000"),
        ("SOLUSDT", "0.01000000", "0.00100000", "10000.00000000", "90000.00000000"),
    ],
)
def test_every_symbol_has_its_own_filters(
    symbol: str, tick: str, lot: str, max_price: str, max_qty: str
) -> None:
    """The sizes of its ticks and lots, and the most an order may be."""
    every = exchange(*(market(listing.instrument) for listing in BINANCE.listings))
    (row,) = json.loads(get(every, "/api/v3/exchangeInfo", f"symbol={symbol}").body)["symbols"]
    assert row["filters"][:2] == [
        {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": max_price, "tickSize": tick},
        {"filterType": "LOT_SIZE", "minQty": lot, "maxQty": max_qty, "stepSize": lot},
    ]


@pytest.mark.parametrize(
    ("query", "symbols"),
    [
        ("symbol=BTCUSDT", ["BTCUSDT"]),
        ("symbols=%5B%22BTCUSDT%22%5D", ["BTCUSDT"]),
        ("symbols=[]", []),
        ("permissions=SPOT", ["BTCUSDT"]),
        ('permissions=["MARGIN","LEVERAGED"]', ["BTCUSDT"]),
        ("permissions=LEVERAGED", []),
        ("permissions=TRD_GRP_004", []),
        ("symbolStatus=TRADING", ["BTCUSDT"]),
        ("symbolStatus=HALT&permissions=SPOT", []),
        ("showPermissionSets=false", ["BTCUSDT"]),
    ],
)
def test_exchange_info_selects(query: str, symbols: list[str]) -> None:
    """By one symbol, several, permission or status."""
    info = json.loads(body("/api/v3/exchangeInfo", query))
    assert [row["symbol"] for row in info["symbols"]] == symbols
    if query == "showPermissionSets=false":
        assert info["symbols"][0]["permissionSets"] == []


SYSTEM = "/sapi/v1/system/status"


def test_the_system_is_up() -> None:
    """As documented on developers.binance.com (docs/wallet/others/system-status), 2026-01."""
    assert body(SYSTEM, "") == '{"status":0,"msg":"normal"}'


@pytest.mark.parametrize(
    "path", [path for path in SPOT_ROUTES if path.startswith("/sapi/") and path != SYSTEM]
)
def test_what_a_client_with_a_key_asks_first_is_there(path: str) -> None:
    """ccxt 4.5.90 with a key set signs these before its first subscription and is content with nothing listed."""
    assert body(path, "timestamp=1700000000000&recvWindow=10000&signature=ab") == "[]"


def test_coin_margined_futures_list_nothing() -> None:
    """ccxt 4.5.90 loads their rules beside those of spot and USD-M unless it is told not to."""
    assert json.loads(body("/dapi/v1/exchangeInfo"))["symbols"] == []


# ---------------------------------------------------------------- errors
# Texts: https://github.com/binance/binance-spot-api-docs errors.md, 2026-07-21, and what the live venue said: doubles
# https://github.com/sieblyio/binance/issues/507 (2025-01), more parameters than an endpoint has
# https://github.com/binance/binance-api-postman/issues/236 (2025-01), strangers
# https://github.com/ccxt/node-binance-api/issues/18 (2017-12), a limit of 0 or below and a symbol's legal range in
# tests of public repositories against it (2024 and 2025-12).
MANDATORY = "Mandatory parameter '{}' was not sent, was empty/null, or malformed."
NOT_A_SYMBOL = r"Illegal characters found in parameter 'symbol'; legal range is '^[\w\-._&&[^a-z]]{1,50}$'."
NOT_A_NUMBER = "Illegal characters found in parameter 'limit'; legal range is '^[0-9]{1,20}$'."


@pytest.mark.parametrize(
    ("path", "query", "code", "text"),
    [
        ("depth", "", -1102, MANDATORY.format("symbol")),
        ("trades", "limit=5", -1102, MANDATORY.format("symbol")),
        ("depth", "limit=5&colour=red", -1102, MANDATORY.format("symbol")),
        ("depth", "symbol=BTCUSDT&limit=0", -1102, MANDATORY.format("limit")),
        ("trades", "symbol=BTCUSDT&limit=0", -1102, MANDATORY.format("limit")),
        ("depth", "symbol=", -1105, "Parameter 'symbol' was empty."),
        ("depth", "symbol=BTCUSDT&limit=", -1105, "Parameter 'limit' was empty."),
        ("depth", "symbol=btcusdt", -1100, NOT_A_SYMBOL),
        ("depth", "symbol=BTC/USDT", -1100, NOT_A_SYMBOL),
        ("depth", "symbol=" + "B" * 51, -1100, NOT_A_SYMBOL),
        ("depth", "symbol=BTCUSDT&limit=-5", -1100, NOT_A_NUMBER),
        ("depth", "symbol=BTCUSDT&limit=abc", -1100, NOT_A_NUMBER),
        ("trades", "symbol=BTCUSDT&limit=1.5", -1100, NOT_A_NUMBER),
        ("depth", "symbol=NOPEUSDT", -1121, "Invalid symbol."),
        ("trades", "symbol=BTC_USDT", -1121, "Invalid symbol."),
        ("exchangeInfo", "symbol=NOPEUSDT", -1121, "Invalid symbol."),
        ("exchangeInfo", 'symbols=["BTCUSDT","NOPE"]', -1121, "Invalid symbol."),
        ("depth", "symbol=BTCUSDT&symbol=BTCUSDT", -1101, "Duplicate values for parameter 'symbol'."),
        ("ping", "symbol=BTCUSDT", -1101, "Too many parameters; expected '0' and received '1'."),
        ("time", "?", -1101, "Too many parameters; expected '0' and received '1'."),
        (
            *("trades", "symbol=BTCUSDT&limit=1&fromId=1", -1101),
            "Too many parameters; expected '2' and received '3'.",
        ),
        (
            *("depth", "symbol=BTCUSDT&depth=5", -1104),
            "Not all sent parameters were read; read '1' parameter(s) but was sent '2'.",
        ),
        (
            "exchangeInfo",
            "symbol=BTCUSDT&permissions=SPOT",
            -1128,
            "Combination of optional parameters invalid.",
        ),
        (
            "exchangeInfo",
            "symbol=BTCUSDT&symbolStatus=TRADING",
            -1128,
            "Combination of optional parameters invalid.",
        ),
        ("klines", "symbol=BTCUSDT", -1102, MANDATORY.format("interval")),
        ("klines", "interval=1m", -1102, MANDATORY.format("symbol")),
        ("klines", "symbol=BTCUSDT&interval=", -1105, "Parameter 'interval' was empty."),
        ("klines", "symbol=BTCUSDT&interval=2m", -1120, "Invalid interval."),
        ("uiKlines", "symbol=BTCUSDT&interval=1D", -1120, "Invalid interval."),
        ("klines", "symbol=NOPE&interval=1m", -1121, "Invalid symbol."),
        ("klines", "symbol=BTCUSDT&interval=1m&limit=0", -1102, MANDATORY.format("limit")),
        *(
            (path, f"{query}&timeZone={zone}", -1130, "Data sent for parameter 'timeZone' is not valid.")
            for path, query in (
                ("klines", "symbol=BTCUSDT&interval=1m"),
                ("ticker/tradingDay", "symbol=BTCUSDT"),
            )
            for zone in ("14:01", "-12:01", "15", "8:60", "8:5", "UTC", "--1", "1:00:00")
        ),
        (
            *("klines", "symbol=BTCUSDT&interval=1m&startTime=-1", -1100),
            NOT_A_NUMBER.replace("limit", "startTime"),
        ),
        (
            *("aggTrades", "symbol=BTCUSDT&fromId=1&startTime=1", -1128),
            "Combination of optional parameters invalid.",
        ),
        (
            *("aggTrades", "symbol=BTCUSDT&fromId=1&endTime=1", -1128),
            "Combination of optional parameters invalid.",
        ),
        ("historicalTrades", "fromId=1", -1102, MANDATORY.format("symbol")),
        ("historicalTrades", "symbol=BTCUSDT&fromId=x", -1100, NOT_A_NUMBER.replace("limit", "fromId")),
        ("avgPrice", "symbol=NOPE", -1121, "Invalid symbol."),
        (
            *("ticker/price", 'symbol=BTCUSDT&symbols=["BTCUSDT"]', -1128),
            "Combination of optional parameters invalid.",
        ),
        ("ticker/24hr", 'symbols=["BTCUSDT","NOPE"]', -1121, "Invalid symbol."),
        ("ticker/24hr", "symbol=BTCUSDT&type=HUGE", -1139, "Invalid ticker type."),
        ("ticker/24hr", "symbol=BTCUSDT&symbolStatus=OPEN", -1122, "Invalid symbolStatus."),
        (
            *("ticker/bookTicker", "symbol=BTCUSDT&symbolStatus=BREAK", -1220),
            "The symbol's status does not match the requested symbolStatus.",
        ),
        (
            *("ticker/bookTicker", 'symbols=["BTCUSDT","BTCUSDT"]', -1151),
            "Symbol is present multiple times in the list.",
        ),
        *(
            (
                *("ticker", f"symbol=BTCUSDT&windowSize={window}", -1130),
                "Data sent for parameter 'windowSize' is not valid.",
            )
            for window in ("0m", "60m", "24h", "8d", "1d2h", "1w", "01m")
        ),
        ("exchangeInfo", "permissions=FUTURES", -1130, "Data sent for parameter 'permissions' is not valid."),
        ("exchangeInfo", "permissions=[1]", -1130, "Data sent for parameter 'permissions' is not valid."),
        ("exchangeInfo", "permissions=[", -1130, "Data sent for parameter 'permissions' is not valid."),
        (
            "exchangeInfo",
            'symbols=["BTCUSDT","BTCUSDT"]',
            -1151,
            "Symbol is present multiple times in the list.",
        ),
        ("exchangeInfo", "symbolStatus=OPEN", -1122, "Invalid symbolStatus."),
        ("depth", "symbol=BTCUSDT&symbolStatus=OPEN", -1122, "Invalid symbolStatus."),
        (
            *("depth", "symbol=BTCUSDT&symbolStatus=HALT", -1220),
            "The symbol's status does not match the requested symbolStatus.",
        ),
    ],
)
def test_a_bad_parameter_is_named_in_the_venues_words(path: str, query: str, code: int, text: str) -> None:
    """Status 400, code and text, in the venue's key order."""
    answer = get(EXCHANGE, f"/api/v3/{path}", query)
    assert (answer.status, answer.content_type) == (400, "application/json;charset=UTF-8")
    assert answer.body.decode() == f'{{"code":{code},"msg":{json.dumps(text)}}}'


@pytest.mark.parametrize(
    "symbols", ["BTCUSDT", '["btcusdt"]', '["BTCUSDT", "ETHUSDT"]', '["BTCUSDT",]', "{}"]
)
def test_a_bad_list_of_symbols_is_told_its_legal_range(symbols: str) -> None:
    """Not a list, lower case, or a space in it; the text as the venue has printed it since symbols may be 50 long."""
    answer = json.loads(get(EXCHANGE, "/api/v3/exchangeInfo", urlencode({"symbols": symbols})).body)
    assert answer == {
        "code": -1100,
        "msg": "Illegal characters found in parameter 'symbols'; legal range is "
        r"""'^\[("[\w\-._&&[^a-z]]{1,50}"(,"[\w\-._&&[^a-z]]{1,50}"){0,}){0,1}\]$'.""",
    }


def test_a_bad_time_unit_is_refused() -> None:
    """-1194, https://github.com/binance/binance-spot-api-docs/blob/master/errors.md, 2026-07-21."""
    answer = get(EXCHANGE, "/api/v3/time", x_mbx_time_unit="NANOSECOND")
    assert (answer.status, answer.body) == (
        400,
        b'{"code":-1194,"msg":"Invalid value for time unit; expected either MICROSECOND or MILLISECOND."}',
    )


@pytest.mark.parametrize(
    ("method", "path", "status", "length"),
    [
        ("GET", "/api/v3/nope", 404, 0),
        ("GET", "/", 404, 0),
        ("GET", "/api/v3/depth/", 404, 0),
        ("POST", "/api/v3/depth", 405, 0),
        ("DELETE", "/api/v3/time", 405, 0),
        ("GET", "/api/v1/depth", 410, 136),
        ("POST", "/api/v3/userDataStream", 410, 136),
    ],
)
def test_paths_that_are_not_there(method: str, path: str, status: int, length: int) -> None:
    """Unknown, wrong method, and gone: the last two since early 2026, with the length of body clients logged then."""
    answer = BINANCE.handle(HttpRequest(method, path), EXCHANGE, T0)
    assert (answer.status, len(answer.body)) == (status, length)


def test_every_error_has_one_status_code_and_text() -> None:
    """The catalogue renders, and its codes are the client's fault."""
    for row in ERRORS.values():
        assert row.status in {400, 401, 418, 429}
        assert -2999 < row.code < -1000


# ---------------------------------------------------------------- weights
def used(answer_headers: tuple[tuple[str, str], ...]) -> int:
    headers = dict(answer_headers)
    assert headers.keys() == {"x-mbx-used-weight", "x-mbx-used-weight-1m"}
    assert headers["x-mbx-used-weight"] == headers["x-mbx-used-weight-1m"]
    return int(headers["x-mbx-used-weight-1m"])


def names(n: int) -> str:
    """A list of so many symbols."""
    return json.dumps([f"S{i}" for i in range(n)], separators=(",", ":"))


@pytest.mark.parametrize(
    ("path", "query", "weight"),
    [
        ("/api/v3/ping", "", 1),
        ("/api/v3/time", "", 1),
        ("/api/v3/exchangeInfo", "", 20),
        ("/api/v3/depth", "symbol=BTCUSDT", 5),
        ("/api/v3/depth", "symbol=BTCUSDT&limit=100", 5),
        ("/api/v3/depth", "symbol=BTCUSDT&limit=101", 25),
        ("/api/v3/depth", "symbol=BTCUSDT&limit=500", 25),
        ("/api/v3/depth", "symbol=BTCUSDT&limit=1000", 50),
        ("/api/v3/depth", "symbol=BTCUSDT&limit=1001", 250),
        ("/api/v3/depth", "symbol=BTCUSDT&limit=99999", 250),
        ("/api/v3/depth", "symbol=NOPEUSDT&limit=1000", 50),
        ("/api/v3/depth", "symbol=BTCUSDT&limit=0", 1),
        ("/api/v3/depth", "symbol=btcusdt", 1),
        ("/api/v3/trades", "symbol=BTCUSDT", 25),
        ("/api/v3/historicalTrades", "symbol=BTCUSDT", 25),
        ("/api/v3/aggTrades", "symbol=BTCUSDT", 4),
        ("/api/v3/klines", "symbol=BTCUSDT&interval=1m", 2),
        ("/api/v3/uiKlines", "symbol=BTCUSDT&interval=1m", 2),
        ("/api/v3/avgPrice", "symbol=BTCUSDT", 2),
        ("/api/v3/historicalBlockTrades", "symbol=BTCUSDT&fromId=1", 25),
        ("/api/v3/referencePrice", "symbol=BTCUSDT", 2),
        ("/api/v3/referencePrice/calculation", "symbol=BTCUSDT", 2),
        ("/api/v3/executionRules", "symbol=BTCUSDT", 2),
        ("/api/v3/executionRules", f"symbols={names(19)}", 38),
        ("/api/v3/executionRules", f"symbols={names(21)}", 40),
        ("/api/v3/executionRules", "", 40),
        ("/api/v3/ticker/24hr", "symbol=BTCUSDT", 2),
        ("/api/v3/ticker/24hr", f"symbols={names(20)}", 2),
        ("/api/v3/ticker/24hr", f"symbols={names(21)}", 40),
        ("/api/v3/ticker/24hr", f"symbols={names(100)}", 40),
        ("/api/v3/ticker/24hr", f"symbols={names(101)}", 80),
        ("/api/v3/ticker/24hr", "", 80),
        *(
            (f"/api/v3/{path}", query, weight)
            for path in ("ticker", "ticker/tradingDay")
            for query, weight in (
                ("symbol=BTCUSDT", 4),
                (f"symbols={names(3)}", 12),
                (f"symbols={names(50)}", 200),
                (f"symbols={names(51)}", 200),
            )
        ),
        *(
            (f"/api/v3/{path}", query, weight)
            for path in ("ticker/price", "ticker/bookTicker")
            for query, weight in (("symbol=BTCUSDT", 2), (f"symbols={names(1)}", 4), ("", 4))
        ),
        ("/sapi/v1/margin/allPairs", "", 0),
        ("/api/v3/nope", "", 0),
    ],
)
def test_a_request_has_its_weight(path: str, query: str, weight: int) -> None:
    """https://github.com/binance/binance-spot-api-docs/blob/master/rest-api.md, 2026-07-21."""
    assert used(get(exchange(TAPE), path, query).headers) == weight


def test_weights_add_up_by_client_and_minute() -> None:
    """Every answer says what this client has used since the minute began, errors included."""
    shared, minute = exchange(TAPE), 60 * SECOND_NS
    start = T0 // minute * minute

    def ask(client: str, path: str, now_ns: int) -> int:
        return used(BINANCE.handle(HttpRequest("GET", path, client=client), shared, now_ns).headers)

    assert ask("10.0.0.1", "/api/v3/exchangeInfo", start) == 20
    assert ask("10.0.0.1", "/api/v3/depth", start + 30 * SECOND_NS) == 21
    assert ask("10.0.0.2", "/api/v3/ping", start + 30 * SECOND_NS) == 1
    assert ask("10.0.0.1", "/api/v3/nope", start + minute - 1) == 21
    assert ask("10.0.0.1", "/api/v3/ping", start + minute) == 1
    assert used(get(exchange(TAPE), "/api/v3/ping", now_ns=start).headers) == 1


# ---------------------------------------------------------------- whatever a client asks
NAMES = st.sampled_from(sorted({name for route in ROUTES for name in route.params or ()})) | st.text()
WORDS = "5 102 SPOT TRADING true FULL MINI 1s 1m 1h 1d 1w 1M 8 -12:00 05:45 1700000000000 1700000000500000"
VALUES = st.text() | st.sampled_from(["BTCUSDT", '["BTCUSDT"]', "[]", "9" * 20, "9" * 21, *WORDS.split(" ")])


@st.composite
def queries(draw: st.DrawFn, path: str) -> str:
    """A query of what the endpoint takes, some of it not; mostly sane."""
    params = SPOT_ROUTES[path]["GET"].params or {}
    asked = draw(st.dictionaries(st.sampled_from(sorted(params) or ["x"]) | NAMES, VALUES, max_size=4))
    needed = {"symbol": "BTCUSDT", "interval": draw(st.sampled_from(sorted(INTERVALS)))}
    return urlencode({name: value for name, value in needed.items() if name in params} | asked)


@pytest.mark.parametrize("path", sorted(SPOT_ROUTES))
@given(st.data(), st.integers(T0 // TICK_NS, T0 // TICK_NS + 10_000))
def test_an_endpoint_never_stumbles(path: str, data: st.DataObject, now_tick: int) -> None:
    """Any query is answered with JSON: what was asked, or one of the venue's errors."""
    pairs = st.lists(st.tuples(NAMES, VALUES), max_size=4).map(urlencode)
    query = data.draw(st.one_of(queries(path), pairs, st.text()))
    answer = get(EXCHANGE, path, query, now_tick * TICK_NS)
    said: Any = json.loads(answer.body)
    if answer.status != 200:
        assert (answer.status, said["code"]) in {(row.status, row.code) for row in ERRORS.values()}
        assert list(said) == ["code", "msg"]


@given(st.text(), st.text(), st.text(), st.dictionaries(st.text(), st.text(), max_size=3), st.binary())
def test_no_request_makes_it_stumble(
    method: str, path: str, query: str, headers: dict[str, str], content: bytes
) -> None:
    """Whatever is sent, wherever."""
    for at in (path, "/api/v3/" + path, "/api/v3/depth"):
        request = HttpRequest(method, at, quote(query), headers, content)
        assert 400 <= BINANCE.handle(request, EXCHANGE, T0).status < 500


# ---------------------------------------------------------------- the card
def test_the_card_keeps_the_contract() -> None:
    """The object is what the emulator expects, lists Bitcoin first, and ends sockets after 24 h."""
    venue: VenueProtocol = BINANCE
    assert (venue.id, venue.port_offset, venue.listings[0].instrument) == ("binance", 1, INSTRUMENT)
    assert INSTRUMENT.market == "binance:BTCUSDT"
    assert venue.socket_rules.lifetime_ns == DAY_NS
