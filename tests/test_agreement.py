"""What clients work out for themselves is what the venue says: bars from trades, books from changes, nothing missing.

One run in stepped time, watched by a client of every market of every venue. Now and then, at random instants, it
compares the book it keeps with the one it is answered; in the end, its own bars with the streamed and the answered.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from random import Random
from typing import Any, Protocol, TypeAlias
from urllib.parse import urlencode

import pytest

from tests.listening import Listener, listening
from tests.serving import ask, serving

START, START_MS = "2026-01-05T23:55:00Z", 1_767_657_300_000
TICKS_A_SECOND = 100
INSTANTS = 200
BUSY = 9  # markets that trade every minute
LEVELS = 500  # compared a side, where there are so many
MINUTE_MS = 60_000
INTERVALS_MS = {"1m": MINUTE_MS, "5m": 5 * MINUTE_MS, "1h": 60 * MINUTE_MS}

Side: TypeAlias = dict[Decimal, Decimal]  # quantity by price
Levels: TypeAlias = list[tuple[Decimal, Decimal]]
Bars: TypeAlias = "dict[tuple[str, int], Bar]"  # by interval and opening time


# ---------------------------------------------------------------- what a client keeps
@dataclass(frozen=True, slots=True)
class Trade:
    """A trade as a client reads it; `number` where the venue numbers them, `bought` by the taker."""

    time_ms: int
    price: Decimal
    quantity: Decimal
    bought: bool
    number: int | None = None


@dataclass(slots=True)
class Bar:
    """A bar. `money` is what not every venue tells: what was paid, what takers bought, and what they paid for it."""

    open_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal = Decimal(0)
    trades: int = 0
    money: list[Decimal] | None = None

    def add(self, trade: Trade) -> None:
        self.high, self.low = max(self.high, trade.price), min(self.low, trade.price)
        self.close = trade.price
        self.volume += trade.quantity
        self.trades += 1
        if self.money is not None:
            paid = trade.price * trade.quantity
            self.money[0] += paid
            if trade.bought:
                self.money[1] += trade.quantity
                self.money[2] += paid


@dataclass(slots=True)
class Market:
    """All that a client keeps of a market."""

    symbol: str
    money: bool
    counted: Bars = field(default_factory=dict)
    streamed: Bars = field(default_factory=dict)
    answered: Bars = field(default_factory=dict)
    trade: Trade | None = None  # the last one
    bids: Side = field(default_factory=dict)
    asks: Side = field(default_factory=dict)
    book_id: int = 0  # the number of the kept book; for a book that comes whole, its time
    gaps: list[str] = field(default_factory=list)
    books_equal: int = 0
    books_unequal: list[str] = field(default_factory=list)

    def count(self, trade: Trade) -> None:
        if (
            trade.number is not None
            and self.trade is not None
            and trade.number != (self.trade.number or 0) + 1
        ):
            self.gaps.append(f"trade {trade.number} after {self.trade.number}")
        self.trade = trade
        for name, length_ms in INTERVALS_MS.items():
            key = name, trade.time_ms - trade.time_ms % length_ms
            if key not in self.counted:
                money = [Decimal(0)] * 3 if self.money else None
                price = trade.price
                self.counted[key] = Bar(key[1], price, price, price, price, money=money)
            self.counted[key].add(trade)

    def best(self) -> tuple[Levels, Levels]:
        bids, asks = sorted(self.bids.items(), reverse=True), sorted(self.asks.items())
        return bids[:LEVELS], asks[:LEVELS]

    def compare(self, bids: Levels, asks: Levels, book_id: int) -> None:
        same = self.book_id == book_id and self.best() == (bids, asks)
        if same:
            self.books_equal += 1
        else:
            self.books_unequal.append(f"{self.book_id} kept, {book_id} answered")


def bar(open_ms: int, ohlcv: Sequence[str], trades: int, money: Sequence[str] | None = None) -> Bar:
    first, high, low, last, volume = map(Decimal, ohlcv)
    paid = None if money is None else [*map(Decimal, money)]
    return Bar(open_ms, first, high, low, last, volume, trades, paid)


def levels(rows: Any) -> Levels:
    return [(Decimal(price), Decimal(quantity)) for price, quantity, *_ in rows]


# ---------------------------------------------------------------- the words of a venue
class Dialect(Protocol):
    """How a venue tells what a client wants to know."""

    @property
    def symbols(self) -> tuple[str, ...]: ...
    def market(self, symbol: str) -> Market: ...
    def streams(self, symbol: str) -> list[str]: ...
    def begin(self, market: Market, http: str) -> None:
        """Start a book, after the streams."""
        ...

    def hear(self, stream: str, message: Any, markets: Mapping[str, Market]) -> None: ...
    def compare(self, market: Market, http: str) -> None:
        """The book kept, and the one answered."""
        ...

    def bars(self, market: Market, http: str, name: str, end_ms: int) -> list[Bar]:
        """The bars answered of those that open in [START_MS, end_ms)."""
        ...


@dataclass(frozen=True)
class Binance:
    """Both markets of the family; `chain` is the field that ties a change of the book to the one before it."""

    api: str
    depth_limit: int
    chain: str
    symbols: tuple[str, ...] = ("BTCUSDT", "ETHUSDT", "SOLUSDT")

    def market(self, symbol: str) -> Market:
        return Market(symbol, money=True)

    def streams(self, symbol: str) -> list[str]:
        kinds = ("trade", "depth@100ms", *(f"kline_{name}" for name in INTERVALS_MS))
        return [f"{symbol.lower()}@{kind}" for kind in kinds]

    def begin(self, market: Market, http: str) -> None:
        book = self._depth(market, http)
        market.book_id = book["lastUpdateId"]
        market.bids, market.asks = dict(levels(book["bids"])), dict(levels(book["asks"]))

    def hear(self, stream: str, message: Any, markets: Mapping[str, Market]) -> None:
        data = message["data"]
        market = markets[data["s"]]
        if "@trade" in stream:
            bought = not data["m"]
            market.count(Trade(data["T"], Decimal(data["p"]), Decimal(data["q"]), bought, data["t"]))
        elif "@depth" in stream:
            self._change(market, data)
        elif data["k"]["x"]:
            k = data["k"]
            row = (k["t"], *(k[key] for key in "ohlcv"), k["T"], k["q"], k["n"], k["V"], k["Q"])
            market.streamed[k["i"], k["t"]] = self._bar(row)

    def _change(self, market: Market, event: Any) -> None:
        """By the venue's rules.

        https://github.com/binance/binance-spot-api-docs/blob/master/web-socket-streams.md#how-to-manage-a-local-order-book-correctly
        """
        before = event[self.chain] - (self.chain == "U")
        if event["u"] <= market.book_id:
            return  # older than the book that was asked for
        if before != market.book_id:
            market.gaps.append(f"changes from {before} on, after {market.book_id}")
        market.book_id = event["u"]
        for side, changes in ((market.bids, event["b"]), (market.asks, event["a"])):
            for price, quantity in levels(changes):
                if quantity:
                    side[price] = quantity
                else:
                    side.pop(price, None)

    def compare(self, market: Market, http: str) -> None:
        book = self._depth(market, http)
        market.compare(levels(book["bids"])[:LEVELS], levels(book["asks"])[:LEVELS], book["lastUpdateId"])

    def _depth(self, market: Market, http: str) -> Any:
        return ask(f"{http}{self.api}/depth?symbol={market.symbol}&limit={self.depth_limit}")

    def bars(self, market: Market, http: str, name: str, end_ms: int) -> list[Bar]:
        query = {"symbol": market.symbol, "interval": name, "startTime": START_MS, "endTime": end_ms - 1}
        return [
            self._bar(row) for row in ask(f"{http}{self.api}/klines?{urlencode(query | {'limit': 1000})}")
        ]

    @staticmethod
    def _bar(row: Any) -> Bar:
        """A row of klines."""
        quote, trades, taker_base, taker_quote = row[7:11]
        return bar(row[0], row[1:6], trades, (quote, taker_base, taker_quote))


class Hyperliquid:
    """Books come whole here, every few seconds; the best of both sides with every block of the chain."""

    symbols: tuple[str, ...] = ("BTC", "ETH", "SOL", "PURR/USDC", "@1")

    def __init__(self) -> None:
        self._best: dict[str, tuple[Levels, Levels]] = {}

    def market(self, symbol: str) -> Market:
        return Market(symbol, money=False)

    def streams(self, symbol: str) -> list[str]:
        kinds = ("trades", "l2Book", "bbo")
        return [f"{kind}:{symbol}" for kind in kinds] + [f"candle:{symbol}:{name}" for name in INTERVALS_MS]

    def begin(self, market: Market, http: str) -> None:
        """The streams begin with a book."""

    def hear(self, stream: str, message: Any, markets: Mapping[str, Market]) -> None:
        kind, symbol = stream.split(":")[:2]
        market, data = markets[symbol], message["data"]
        if kind == "trades":
            for row in data:
                if row["time"] >= START_MS:  # the first message tells of trades before
                    bought = row["side"] == "B"
                    market.count(Trade(row["time"], Decimal(row["px"]), Decimal(row["sz"]), bought))
        elif kind == "candle":
            market.streamed[data["i"], data["t"]] = self._bar(data)  # the last word counts
        elif kind == "bbo":
            bid, ask = (self._levels([level]) if level else [] for level in data["bbo"])
            self._best[symbol] = bid, ask
        else:
            market.book_id = data["time"]
            market.bids, market.asks = (dict(self._levels(side)) for side in data["levels"])

    def compare(self, market: Market, http: str) -> None:
        book = ask(f"{http}/info", {"type": "l2Book", "coin": market.symbol})
        bids, asks = (self._levels(side) for side in book["levels"])
        if book["time"] == market.book_id:
            market.compare(bids, asks, book["time"])
        if self._best[market.symbol] == (bids[:1], asks[:1]):
            market.books_equal += 1
        else:
            market.books_unequal.append(f"best of {book['time']}")

    def bars(self, market: Market, http: str, name: str, end_ms: int) -> list[Bar]:
        asked = {"coin": market.symbol, "interval": name, "startTime": START_MS, "endTime": end_ms - 1}
        return [self._bar(row) for row in ask(f"{http}/info", {"type": "candleSnapshot", "req": asked})]

    @staticmethod
    def _levels(rows: Any) -> Levels:
        return levels((row["px"], row["sz"]) for row in rows)

    @staticmethod
    def _bar(row: Any) -> Bar:
        return bar(row["t"], [row[key] for key in "ohlcv"], row["n"])


# ---------------------------------------------------------------- the run
@dataclass(frozen=True, slots=True)
class Watch:
    """What became of it."""

    minutes: int
    markets: Mapping[tuple[str, str], Market]  # by venue and symbol

    @property
    def end_ms(self) -> int:
        return START_MS + self.minutes * MINUTE_MS

    def closed(self, bars: Bars) -> Bars:
        """Those that opened and closed meanwhile, if anything traded in them."""
        return {
            (name, at): bar
            for (name, at), bar in bars.items()
            if bar.trades and at >= START_MS and at + INTERVALS_MS[name] <= self.end_ms
        }


def hear(dialect: Dialect, listener: Listener, markets: Mapping[str, Market]) -> None:
    listener.collect()
    for stream, payloads in listener.told.items():
        for payload in payloads:
            dialect.hear(stream, json.loads(payload), markets)
    listener.told.clear()


LONG = (pytest.mark.long, pytest.mark.timeout(1_800))


@pytest.fixture(
    scope="module",
    params=[pytest.param(6, id="six minutes"), pytest.param(120, id="two hours", marks=LONG)],
)
def watch(request: pytest.FixtureRequest) -> Watch:
    dialects: dict[str, Dialect] = {
        "binance": Binance("/api/v3", 5000, "U"),
        "binance-usdm": Binance("/fapi/v1", 1000, "pu"),
        "hyperliquid": Hyperliquid(),
    }
    markets = {id_: {name: each.market(name) for name in each.symbols} for id_, each in dialects.items()}
    watch = Watch(request.param, {(id_, name): m for id_, row in markets.items() for name, m in row.items()})
    end_tick, random = watch.minutes * 60 * TICKS_A_SECOND, Random(3)
    instants = sorted(random.sample(range(1, end_tick), INSTANTS))
    with (
        serving("--seed", "13", "--start", START, "--paused", "--limits", "off") as served,
        ExitStack() as sockets,
    ):
        assert list(served.venues) == list(dialects), "a venue nobody watches"
        https = {id_: urls["http"] for id_, urls in served.venues.items()}
        listeners = {id_: sockets.enter_context(listening(served, id_)) for id_ in dialects}
        for id_, dialect in dialects.items():
            for name in dialect.symbols:
                listeners[id_].subscribe(dialect.streams(name))
            listeners[id_].collect()
            for market in markets[id_].values():
                dialect.begin(market, https[id_])
        for before, tick in pairwise([0, *instants, end_tick]):
            served.post("/clock/advance", seconds=(tick - before) / TICKS_A_SECOND)
            for id_, dialect in dialects.items():
                hear(dialect, listeners[id_], markets[id_])
                dialect.compare(random.choice(list(markets[id_].values())), https[id_])
        for (id_, _), market in watch.markets.items():
            for name in INTERVALS_MS:
                bars = dialects[id_].bars(market, https[id_], name, watch.end_ms)
                market.answered |= {(name, bar.open_ms): bar for bar in bars}
    return watch


# ---------------------------------------------------------------- what must hold
def test_bars_counted_streamed_and_answered_are_the_same(watch: Watch) -> None:
    """Every bar that closed, of every interval and market: prices, volumes, counts and, where told, money, exactly."""
    total = 0
    for key, market in watch.markets.items():
        counted = watch.closed(market.counted)
        total += len(counted)
        assert watch.closed(market.streamed) == counted, key
        assert watch.closed(market.answered) == counted, key
    assert total > BUSY * watch.minutes


def test_bars_without_a_trade_hold_the_price(watch: Watch) -> None:
    """Bars are answered one after another; where nothing traded, all four prices are the close before."""
    for key, market in watch.markets.items():
        for name, length_ms in INTERVALS_MS.items():
            bars = [bar for (of, _), bar in market.answered.items() if of == name]
            for before, bar in pairwise(bars):
                assert bar.open_ms == before.open_ms + length_ms, key
                if not bar.trades:
                    assert {bar.open, bar.high, bar.low, bar.close} == {before.close}, key


def test_books_kept_and_answered_are_the_same(watch: Watch) -> None:
    """At random instants, the book that a client keeps from a stream is the one that REST answers, level by level."""
    assert [
        (key, market.books_unequal) for key, market in watch.markets.items() if market.books_unequal
    ] == []
    for venue in {venue for venue, _ in watch.markets}:
        compared = sum(market.books_equal for (of, _), market in watch.markets.items() if of == venue)
        assert compared >= INSTANTS, venue


def test_nothing_is_missing(watch: Watch) -> None:
    """No trade and no change of a book is left out, of any market."""
    assert [(key, market.gaps) for key, market in watch.markets.items() if market.gaps] == []
