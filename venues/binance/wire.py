"""Binance market streams: which exist, how a stream is named, and how the tape becomes its messages.

A stream is a row of a table: a declared message, the rows of the tape that fill it, and its cadences. Stream names come
from clients, so parsing them judges; everything else trusts the tape.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from math import gcd
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from reactor.bars import Bars, Interval
from reactor.clock import Latency
from reactor.fixed import begins, ends, increments, stable_order
from reactor.single_asset import HyperSynthReactor
from reactor.types import (
    BLOCK_NS,
    DAY_NS,
    MS_NS,
    SECOND_NS,
    TICK_NS,
    Block,
    BookSide,
    Column,
    Instrument,
    Prints,
    Quotes,
    Side,
)
from reactor.values import dataclass
from venues.base import PAGE_NS, Exchange, Page, Topic, VenueError
from venues.books import BestLevels
from venues.sheets import revision_of, shared, shared_by_kind
from venues.wire import (
    Choice,
    Decimal,
    Draft,
    Each,
    Framed,
    Int,
    Message,
    Part,
    Picked,
    Ragged,
    Scale,
    Table,
    Values,
    cut,
    declare,
    form_of,
    pack,
    page_of,
    write,
)

US_NS = 1_000
HOUR_NS = 3_600 * SECOND_NS

# https://github.com/binance/binance-spot-api-docs/blob/master/web-socket-streams.md#kline-intervals, 2026-07-21.
# Weeks open on Mondays, and the epoch was a Thursday.
INTERVALS: Mapping[str, Interval] = {
    "1s": Interval(SECOND_NS),
    **{f"{n}m": Interval(n * BLOCK_NS) for n in (1, 3, 5, 15, 30)},
    **{f"{n}h": Interval(n * HOUR_NS) for n in (1, 2, 4, 6, 8, 12)},
    **{f"{n}d": Interval(n * DAY_NS) for n in (1, 3)},
    "1w": Interval(7 * DAY_NS, anchor_ns=4 * DAY_NS),
    "1M": Interval(0),
}
ZONE_NS = 8 * HOUR_NS  # of the one other zone that klines are told in
DAY_MINUTES = 1440
AVERAGE_MINUTES = 5

# what else changes the bytes of a stream: the envelope that names it, and the unit of its times
COMBINED = "combined"
MICROSECONDS = "microseconds"

# the unit of times as a client may spell it: .../web-socket-streams.md#general-wss-information, 2026-07-21
TIME_UNITS_NS = {"MILLISECOND": MS_NS, "millisecond": MS_NS, "MICROSECOND": US_NS, "microsecond": US_NS}

Rows: TypeAlias = tuple[Column, Mapping[str, Values]]  # when each message is due, and its columns


# ---------------------------------------------------------------- the messages
# https://github.com/binance/binance-spot-api-docs/blob/master/web-socket-streams.md, 2026-07-21
LEVEL = '["<price:price>","<qty:qty>"]'
# the order ids b and a went on 2024-06-18
SPOT_TRADE = (
    '{"e":"trade","E":<E:time>,"s":"<s:symbol>","t":<t>,"p":"<p:price>","q":"<q:qty>",'
    '"T":<T:time>,"m":<m:flag>,"M":true}'
)
SPOT_AGG_TRADE = (
    '{"e":"aggTrade","E":<E:time>,"s":"<s:symbol>","a":<a>,"p":"<p:price>","q":"<q:qty>","f":<f>,"l":<l>,'
    '"T":<T:time>,"m":<m:flag>,"M":true}'
)
SPOT_BOOK_TICKER = '{"u":<u>,"s":"<s:symbol>","b":"<b:price>","B":"<B:qty>","a":"<a:price>","A":"<A:qty>"}'
SPOT_DEPTH_UPDATE = (
    '{"e":"depthUpdate","E":<E:time>,"s":"<s:symbol>","U":<U>,"u":<u>,"b":[<b:levels>],"a":[<a:levels>]}'
)
SPOT_BOOK = '{"lastUpdateId":<lastUpdateId>,"bids":[<bids:levels>],"asks":[<asks:levels>]}'
SPOT_KLINE = (
    '{"e":"kline","E":<E:time>,"s":"<s:symbol>","k":{"t":<t:time>,"T":<T:time>,"s":"<s:symbol>","i":"INTERVAL",'
    '"f":<f>,"L":<L>,"o":"<o:price>","c":"<c:price>","h":"<h:price>","l":"<l:price>","v":"<v:qty>","n":<n>,'
    '"x":<x:flag>,"q":"<q:quote>","V":"<V:qty>","Q":"<Q:quote>","B":"0"}}'
)
SPOT_MINI_TICKER = (
    '{"e":"24hrMiniTicker","E":<E:time>,"s":"<s:symbol>","c":"<c:price>","o":"<o:price>","h":"<h:price>",'
    '"l":"<l:price>","v":"<v:qty>","q":"<q:quote>"}'
)
SPOT_TICKER = (
    '{"e":"24hrTicker","E":<E:time>,"s":"<s:symbol>","p":"<p:price>","P":"<P:percent>","w":"<w:average>",'
    '"x":"<x:price>","c":"<c:price>","Q":"<Q:qty>","b":"<b:price>","B":"<B:qty>","a":"<a:price>","A":"<A:qty>",'
    '"o":"<o:price>","h":"<h:price>","l":"<l:price>","v":"<v:qty>","q":"<q:quote>",'
    '"O":<O:time>,"C":<C:time>,"F":<F>,"L":<L>,"n":<n>}'
)
SPOT_WINDOW_TICKER = (
    '{"e":"WINDOWTicker","E":<E:time>,"s":"<s:symbol>","p":"<p:price>","P":"<P:percent>",'
    '"o":"<o:price>","h":"<h:price>","l":"<l:price>","c":"<c:price>","w":"<w:average>","v":"<v:qty>","q":"<q:quote>",'
    '"O":<O:time>,"C":<C:time>,"F":<F>,"L":<L>,"n":<n>}'
)
SPOT_AVERAGE_PRICE = '{"e":"avgPrice","E":<E:time>,"s":"<s:symbol>","i":"5m","w":"<w:average>","T":<T:time>}'


@lru_cache(1_024)
def parts_of(text: str, instrument: Instrument, decimals: int, unit_ns: int) -> Message:
    """A message of this instrument, its numbers padded to at least so many decimals, its times in units of unit_ns."""

    def scale(frac: int, step: int) -> Callable[[str], Part]:
        return partial(Decimal, scale=Scale(frac, max(frac, decimals), step))

    price_frac, qty_frac = instrument.price_decimals, instrument.qty_decimals
    least_frac = max(price_frac, decimals)
    quote_step, quote_per = instrument.tick_size * instrument.lot_size, 10**qty_frac
    common = gcd(quote_step, quote_per)
    kinds: dict[str, Callable[[str], Part]] = {
        "symbol": lambda _: instrument.symbol,
        "dollars": lambda _: f"{instrument.base}USD",
        "time": partial(Int, per=unit_ns),
        "flag": Choice,
        "side": partial(Choice, texts=("BUY", "SELL")),
        "price": scale(price_frac, instrument.tick_size),
        "qty": scale(qty_frac, instrument.lot_size),
        "quote": scale(price_frac + qty_frac, quote_step),
        "cash": partial(
            Decimal, scale=Scale(price_frac, least_frac, quote_step // common), per=quote_per // common
        ),
        "e8": partial(Decimal, scale=Scale(8, 8)),
        "e4": partial(Decimal, scale=Scale(4, 4)),
        "percent": partial(Decimal, scale=Scale(3, 3)),
        "average": partial(Decimal, scale=Scale(least_frac, least_frac), per=10 ** (12 - least_frac)),
        "levels": lambda name: Each(name, declare(LEVEL, kinds)),
    }
    return declare(text, kinds)


def time_unit(wanted: str | None) -> int:
    """The unit of times a client asked for, in nanoseconds; milliseconds if it did not. Raises VenueError."""
    unit_ns = TIME_UNITS_NS.get(wanted or "MILLISECOND")
    if unit_ns is None:
        raise VenueError("BAD_TIME_UNIT")
    return unit_ns


# ---------------------------------------------------------------- the rows of a page
def trades(market: HyperSynthReactor, start_ns: int, cadence_ns: int) -> Rows:
    """Every print, at the end of its tick."""
    prints = _prints(market, start_ns)
    due = boundary(prints.ts_ns, cadence_ns)
    return due, {"E": due, **trade_columns(prints)}


def aggregate_trades(market: HyperSynthReactor, start_ns: int, cadence_ns: int) -> Rows:
    """Neighbouring prints of one taker order at one price, as one."""
    columns = aggregate_columns(_prints(market, start_ns))
    due = boundary(columns["T"], cadence_ns)
    return due, {"E": due, **columns}


def best_quotes(market: HyperSynthReactor, start_ns: int, cadence_ns: int) -> Rows:
    """Every change of the best bid or offer, at the end of its tick."""
    quotes = page_block(market, start_ns).quotes
    return boundary(quotes.ts_ns, cadence_ns), {
        "u": quotes.update_id,
        "b": quotes.bid_ticks,
        "B": quotes.bid_lots,
        "a": quotes.ask_ticks,
        "A": quotes.ask_lots,
    }


def depth_changes(market: HyperSynthReactor, start_ns: int, cadence_ns: int) -> Rows:
    """Every level touched since the boundary before, with its last quantity; a window without changes has no row.

    U continues the window before, so ids are contiguous whatever was skipped. Bids descend from the best, asks ascend.
    """
    levels = page_block(market, start_ns).levels
    window_of, due, last = level_windows(market, start_ns, cadence_ns)
    last_id = levels.update_id[last]
    first_id = np.append(market.update_id(start_ns), last_id)[: len(due)] + 1

    if not len(levels):
        return due, {"E": due, "U": first_id, "u": last_id, **dict.fromkeys("ba", ragged([]))}
    away = np.where(levels.side == BookSide.BID, -levels.price_ticks, levels.price_ticks)
    away -= away.min()
    window = (window_of - window_of[0]) // cadence_ns
    key = (window * 2 + levels.side) << int(away.max()).bit_length() | away
    order = stable_order(key)
    final = order[ends(key[order])]
    sides = levels.side[final]
    changes = shared(
        market, start_ns, "changes", lambda: Table({"price": levels.price_ticks, "qty": levels.qty_lots})
    )

    def told(side: BookSide) -> Picked:
        rows = final[sides == side]
        return Picked(np.searchsorted(window_of[rows], due, side="right"), rows, changes)

    return due, {
        "E": due,
        "U": first_id,
        "u": last_id,
        "b": told(BookSide.BID),
        "a": told(BookSide.ASK),
    }


def best_levels(n: int, grid_ns: int, market: HyperSynthReactor, start_ns: int, cadence_ns: int) -> Rows:
    """The best n levels of both sides at each boundary before which the book changed; cadences are whole grid_ns."""
    _, due, last = level_windows(market, start_ns, cadence_ns)
    levels = page_block(market, start_ns).levels

    def made() -> tuple[BestLevels, Table]:
        grid = np.arange(start_ns, start_ns + PAGE_NS + 1, grid_ns)
        best = BestLevels(market.book(start_ns), levels, grid, MOST_LEVELS)
        return best, Table({"price": best.price_ticks, "qty": best.qty_lots})

    best, table = shared(market, start_ns, ("best", grid_ns), made)
    at = (due - start_ns) // grid_ns
    bids, asks = (Picked(*best.rows(side, at, n), table) for side in (BookSide.BID, BookSide.ASK))
    return due, {"lastUpdateId": levels.update_id[last], "bids": bids, "asks": asks}


MOST_LEVELS = 20  # that a stream of the best ones has


def klines(interval: Interval, market: HyperSynthReactor, start_ns: int, cadence_ns: int) -> Rows:
    """The running bar at every boundary before which something traded, and every bar at its end.

    "It pushes data every 2s if there is anything new": https://github.com/ccxt/node-binance-api/issues/509, 2020-10.
    """

    def rows(intervals: Sequence[Interval]) -> list[Rows]:
        due = boundaries(start_ns, cadence_ns)
        traded = happened(_prints(market, start_ns).ts_ns, start_ns, due)
        return [_klines(bars, due, traded) for bars in market.bars.running_each(intervals, due)]

    return shared_by_kind(market, start_ns, ("klines", cadence_ns), interval, rows)


def _klines(bars: Bars, due: Column, traded: NDArray[np.bool_]) -> Rows:
    closed = bars.close_ns == due
    told = np.flatnonzero(closed | traded)
    return due[told], {"E": due[told], "x": closed[told].astype(np.int64), **kline_columns(bars.take(told))}


def window_tickers(minutes: int, market: HyperSynthReactor, start_ns: int, cadence_ns: int) -> Rows:
    """Statistics of the last so many minutes, at every boundary before which something traded.

    What only leaves the window is told with the next print.
    """
    due = boundaries(start_ns, cadence_ns)
    told = np.flatnonzero(happened(_prints(market, start_ns).ts_ns, start_ns, due))
    bars = statistics(market, minutes, due).take(told)
    return due[told], {"E": due[told], **ticker_columns(market, bars, due[told])}


def day_tickers(market: HyperSynthReactor, start_ns: int, cadence_ns: int) -> Rows:
    """24 h statistics with the newest print and the best quotes, at every boundary before which these moved."""
    due = boundaries(start_ns, cadence_ns)
    block = page_block(market, start_ns)
    prints, quotes = block.prints, block.quotes
    told = np.flatnonzero(happened(prints.ts_ns, start_ns, due) | happened(quotes.ts_ns, start_ns, due))
    bars = statistics(market, DAY_MINUTES, due)
    before, bars, due = closes_before(market, bars)[told], bars.take(told), due[told]
    lots = np.append(last_lots(market, start_ns), prints.qty_lots)
    best = Quotes.join([market.quote(start_ns), quotes])
    return due, {
        "E": due,
        **ticker_columns(market, bars, due),
        "x": before,
        "Q": lots[np.searchsorted(prints.ts_ns, due)],
        **quote_columns(best.take(np.searchsorted(quotes.ts_ns, due))),
    }


def average_prices(market: HyperSynthReactor, start_ns: int, cadence_ns: int) -> Rows:
    """The average price at every boundary before which something traded."""
    due = boundaries(start_ns, cadence_ns)
    times = _prints(market, start_ns).ts_ns
    told = np.flatnonzero(happened(times, start_ns, due))
    average = average_price_e12(market, due)[told]
    due = due[told]
    return due, {"E": due, "w": average, "T": times[np.searchsorted(times, due) - 1]}


def nothing(market: HyperSynthReactor, start_ns: int, cadence_ns: int) -> Rows:  # noqa: ARG001
    """No rows, of a stream that exists and has nothing to say."""
    return np.zeros(0, dtype=np.int64), {}


def ragged(lists: Sequence[Sequence[tuple[int, int]]]) -> Ragged:
    """Lists of (price_ticks, qty_lots) as columns."""
    rows = np.array([row for rows in lists for row in rows], dtype=np.int64).reshape(-1, 2)
    return Ragged(
        np.cumsum([len(rows) for rows in lists], dtype=np.int64), {"price": rows[:, 0], "qty": rows[:, 1]}
    )


# ---------------------------------------------------------------- prints and bars, under the names of fields
def statistics(market: HyperSynthReactor, minutes: int, at_ns: Column) -> Bars:
    """What traded in the last so many minutes, at ascending instants within one minute (start, end].

    Windows open on a minute, so they are up to 59,999 ms wider than their name:
    https://github.com/binance/binance-spot-api-docs/blob/master/rest-api.md#rolling-window-price-change-statistics,
    2026-07-21. 24 h windows, of which the venue says no such thing, are counted alike.
    """
    whole = at_ns % BLOCK_NS == 0  # at a minute's end that minute is one of them, else it is on top of them
    return Bars.join(
        [market.bars.rolling(minutes - k, at_ns[whole == k]) for k in (0, 1) if np.any(whole == k)]
    )


def trade_columns(prints: Prints) -> dict[str, Column]:
    """Prints under the names of a trade's fields; `quote` is what was paid, in ticks * lots."""
    return {
        "t": prints.trade_id,
        "p": prints.price_ticks,
        "q": prints.qty_lots,
        "quote": prints.price_ticks * prints.qty_lots,
        "T": prints.ts_ns,
        "m": (prints.side == Side.SELL).astype(np.int64),
    }


def aggregate_columns(prints: Prints) -> dict[str, Column]:
    """The aggregates of prints under the names of an aggregate trade's fields."""
    first = np.flatnonzero(begins(prints.agg_id))
    last = np.append(first[1:], len(prints))[: len(first)] - 1
    return {
        "a": prints.agg_id[first],
        "p": prints.price_ticks[first],
        "q": np.add.reduceat(prints.qty_lots, first),
        "f": prints.trade_id[first],
        "l": prints.trade_id[last],
        "T": prints.ts_ns[first],
        "m": (prints.side[first] == Side.SELL).astype(np.int64),
    }


def kline_columns(bars: Bars) -> dict[str, Column]:
    """Bars under the names of a kline's fields."""
    return {
        "t": bars.open_ns,
        "T": bars.close_ns - 1,
        "f": bars.first_trade_id,
        "L": bars.last_trade_id,
        "o": bars.open_ticks,
        "c": bars.close_ticks,
        "h": bars.high_ticks,
        "l": bars.low_ticks,
        "v": bars.volume_lots,
        "n": bars.n_prints,
        "q": bars.quote_units,
        "V": bars.taker_buy_lots,
        "Q": bars.taker_buy_quote_units,
    }


def ticker_columns(market: HyperSynthReactor, bars: Bars, closed_ns: Column) -> dict[str, Column]:
    """Statistics under the names of a ticker's fields; P is in 1e-3 percent, halves away from zero."""
    change = bars.close_ticks - bars.open_ticks
    milli_percent = (np.abs(change) * 200_000 + bars.open_ticks) // (2 * bars.open_ticks)
    return {
        "p": change,
        "P": np.sign(change) * milli_percent,
        "w": average_e12(market.instrument, bars),
        "o": bars.open_ticks,
        "h": bars.high_ticks,
        "l": bars.low_ticks,
        "c": bars.close_ticks,
        "v": bars.volume_lots,
        "q": bars.quote_units,
        "O": bars.open_ns,
        "C": closed_ns,
        "F": bars.first_trade_id,
        "L": bars.last_trade_id,
        "n": bars.n_prints,
    }


def quote_columns(quotes: Quotes) -> dict[str, Column]:
    """Quotes under the names of a ticker's fields."""
    return {"b": quotes.bid_ticks, "B": quotes.bid_lots, "a": quotes.ask_ticks, "A": quotes.ask_lots}


def average_e12(instrument: Instrument, bars: Bars) -> Column:
    """Quote volume by volume, in 1e-12 quote units, rounded down; 0 where nothing traded."""
    return average_paid_e12(instrument, bars.quote_units, bars.volume_lots)


def average_paid_e12(instrument: Instrument, quote_units: Column, lots: Column) -> Column:
    """What was paid (ticks * lots) by how much was bought for it, in 1e-12 quote units, rounded down; 0 for nothing."""
    per_tick = instrument.tick_size * 10 ** (12 - instrument.price_decimals)
    pairs = zip(quote_units.tolist(), lots.tolist(), strict=True)
    # by Python's integers, which do not overflow
    return np.array([units * per_tick // max(bought, 1) for units, bought in pairs], dtype=np.int64)


def average_price_e12(market: HyperSynthReactor, at_ns: Column) -> Column:
    """The average price of the last AVERAGE_MINUTES, in 1e-12 quote units; the last price if nothing traded."""
    bars = statistics(market, AVERAGE_MINUTES, at_ns)
    last = bars.close_ticks * market.instrument.tick_size * 10 ** (12 - market.instrument.price_decimals)
    return np.where(bars.volume_lots > 0, average_e12(market.instrument, bars), last)


def closes_before(market: HyperSynthReactor, bars: Bars) -> Column:
    """The last price before each of these bars, in time order; the first one's open if the market is no older."""
    rows = market.minutes(int(bars.open_ns[0]) - BLOCK_NS, int(bars.open_ns[-1]))
    known = np.append(rows.close_ticks, bars.open_ticks[0])
    return known[np.searchsorted(rows.start_ns, bars.open_ns) - 1]


def last_lots(market: HyperSynthReactor, at_ns: int) -> int:
    """The quantity of the newest print before an instant, 0 if there is none."""
    return int(market.prints_before(at_ns, 1).qty_lots.sum())


# ---------------------------------------------------------------- boundaries
def page_block(market: HyperSynthReactor, start_ns: int) -> Block:
    """What happens in a page."""
    return shared(market, start_ns, "block", lambda: market.window(start_ns, start_ns + PAGE_NS))


def _prints(market: HyperSynthReactor, start_ns: int) -> Prints:
    return shared(market, start_ns, "prints", lambda: market.prints_in(start_ns, start_ns + PAGE_NS))


def boundaries(start_ns: int, cadence_ns: int) -> Column:
    """The multiples of the cadence in the page's (start_ns, start_ns + PAGE_NS]."""
    return np.arange(start_ns // cadence_ns + 1, (start_ns + PAGE_NS) // cadence_ns + 1) * cadence_ns


def happened(ts_ns: Column, start_ns: int, due: Column) -> NDArray[np.bool_]:
    """Whether something happened between each boundary and the one before it, the first after start_ns."""
    return increments(np.searchsorted(ts_ns, due), int(np.searchsorted(ts_ns, start_ns))) > 0


def boundary(ts_ns: Column, cadence_ns: int) -> Column:
    """The first multiple of the cadence after each instant: what happens in a window is due at its end."""
    return (ts_ns // cadence_ns + 1) * cadence_ns


def level_windows(market: HyperSynthReactor, start_ns: int, cadence_ns: int) -> tuple[Column, Column, Column]:
    """At which boundary each change of a level in a page is told; the boundaries at which any is, and the last change
    that is told at each.
    """

    def windows() -> tuple[Column, Column, Column]:
        window_of = boundary(page_block(market, start_ns).levels.tick * TICK_NS, cadence_ns)
        last = np.flatnonzero(ends(window_of))
        return window_of, window_of[last], last

    return shared(market, start_ns, ("windows", cadence_ns), windows)


# ---------------------------------------------------------------- the table of streams
class RowSource(Protocol):
    """The rows of the page from start_ns, as they are due at multiples of the cadence."""

    def __call__(self, market: HyperSynthReactor, start_ns: int, cadence_ns: int) -> Rows: ...


@dataclass(frozen=True, slots=True)
class Stream:
    """What a stream says, which rows fill it, and its cadences by option ("" is what a name without option means)."""

    text: str
    rows: RowSource
    cadences_ns: Mapping[str, int]


REAL_TIME = {"": TICK_NS}
EVERY_SECOND = {"": SECOND_NS}
SILENT = Stream("", nothing, REAL_TIME)
EVERY_TWO_SECONDS = {"": 2 * SECOND_NS}
# 1000 ms may be spelt out, though only 100ms is documented
SPOT_DEPTH_CADENCES = {"": SECOND_NS, "1000ms": SECOND_NS, "100ms": 100 * MS_NS}
# undocumented and widely asked for: by python-binance 1.0.37 (ws/streams.py, miniticker_socket), and nothing else
SPOT_MINI_CADENCES = {"": SECOND_NS, "1000ms": SECOND_NS, "3000ms": 3 * SECOND_NS}


def _kline_streams(name: str, interval: Interval) -> dict[str, Stream]:
    """The streams of an interval. The zone belongs to the name, and there is this one only."""
    cadences = EVERY_SECOND if name == "1s" else EVERY_TWO_SECONDS
    text = SPOT_KLINE.replace("INTERVAL", name)
    here = Stream(text, partial(klines, interval), cadences)
    there = Stream(text, partial(klines, interval.shifted(ZONE_NS)), cadences)
    same = interval.length_ns > 0 and ZONE_NS % interval.length_ns == 0  # a zone does not move short bars
    return {f"kline_{name}": here, f"kline_{name}@+08:00": here if same else there}


SPOT_STREAMS: Mapping[str, Stream] = {
    "trade": Stream(SPOT_TRADE, trades, REAL_TIME),
    "aggTrade": Stream(SPOT_AGG_TRADE, aggregate_trades, REAL_TIME),
    "bookTicker": Stream(SPOT_BOOK_TICKER, best_quotes, REAL_TIME),
    "depth": Stream(SPOT_DEPTH_UPDATE, depth_changes, SPOT_DEPTH_CADENCES),
    **{
        f"depth{n}": Stream(SPOT_BOOK, partial(best_levels, n, 100 * MS_NS), SPOT_DEPTH_CADENCES)
        for n in (5, 10, 20)
    },
    **{
        key: row
        for name, interval in INTERVALS.items()
        for key, row in _kline_streams(name, interval).items()
    },
    "ticker": Stream(SPOT_TICKER, day_tickers, EVERY_SECOND),
    # no trades are agreed on beside the book, and no symbol has a reference price
    **dict.fromkeys(("blockTrade", "referencePrice"), SILENT),
    "avgPrice": Stream(SPOT_AVERAGE_PRICE, average_prices, EVERY_SECOND),
    "miniTicker": Stream(SPOT_MINI_TICKER, partial(window_tickers, DAY_MINUTES), EVERY_SECOND),
    "!miniTicker@arr": Stream(SPOT_MINI_TICKER, partial(window_tickers, DAY_MINUTES), SPOT_MINI_CADENCES),
    **{
        name: Stream(
            SPOT_WINDOW_TICKER.replace("WINDOW", window), partial(window_tickers, minutes), EVERY_SECOND
        )
        for window, minutes in (("1h", 60), ("4h", 240), ("1d", DAY_MINUTES))
        for name in (f"ticker_{window}", f"!ticker_{window}@arr")
    },
}

# Streams that were there until 2022-12-07 and 2026-03-26: still acknowledged, and silent.
# https://github.com/JKorf/Binance.Net/issues/1195, 2023-02-04.
RETIRED = ("!bookTicker", "!ticker@arr")

# A stream of one symbol, or of all: these begin with an exclamation mark.
_NAME = re.compile(r"(?:([^@\s/!]{1,50})@(?!!)|(?=!))([^@]+(?:@[^@]+)*)")


def stream_topic(
    name: str,
    streams: Mapping[str, Stream],
    symbols: Container[str],
    dress: tuple[str, ...],
    meant: Callable[[str, str], str] = lambda _, word: word,
) -> Topic | None:
    """The topic of a stream name; None when it is silent, which is no error: no listed symbol's, or retired.

    Symbols are lower-case in stream names, another spelling is another symbol; a stream of all markets has the
    symbol "". `meant` tells the symbol that a channel's word stands for. Raises VenueError on a malformed name.
    """
    if name in RETIRED and name not in streams:
        return None
    match = _NAME.fullmatch(name)
    if match is None:
        raise VenueError("INVALID_STREAM")
    symbol, channel = match.groups(default="")
    option = ""
    if channel not in streams:
        channel, _, option = channel.rpartition("@")
    if channel not in streams or option not in streams[channel].cadences_ns:
        raise VenueError("INVALID_STREAM")
    if symbol and (symbol != symbol.lower() or meant(channel, symbol.upper()) not in symbols):
        return None
    return Topic(channel, symbol.upper(), (option,) if option else (), dress)


def late(before: Rows, rows: Rows, latency: Latency, start_ns: int) -> list[Rows]:
    """What of two pages' rows is told in the second, which starts at start_ns: each row later by its latency.

    A row is ready at the time "T" it tells of, if that lies in the last tick before it was due, else when it was due.
    It is told, at its new event time "E", so much later, and due at the end of that tick.
    """
    ready_ns = np.concatenate([_ready_ns(*page) for page in (before, rows)])
    run, told_ns = latency.told(ready_ns, ready_ns // TICK_NS, start_ns, start_ns + PAGE_NS)
    parts: list[Rows] = []
    first = 0
    for due, columns in (before, rows):
        start, stop = (min(max(edge - first, 0), len(due)) for edge in (run.start, run.stop))
        told = told_ns[first + start - run.start : first + stop - run.start]
        dated: dict[str, Values] = {"E": told + 1} if "E" in columns else {}
        parts.append((boundary(told, TICK_NS), {**cut(columns, start, stop), **dated}))
        first += len(due)
    return parts


def _ready_ns(due: Column, columns: Mapping[str, Values]) -> Column:
    """Just before a boundary, where something is due there without a time of its own."""
    happened_ns = np.asarray(columns.get("T", due))
    return np.where((due - TICK_NS <= happened_ns) & (happened_ns < due), happened_ns, due - 1)


class StreamChannel:
    """The frames of one market's stream, told at once or late.

    A subscriber gets no snapshot: on this venue it asks for one over REST.
    """

    def __init__(
        self,
        topic: Topic,
        stream: Stream,
        market: HyperSynthReactor,
        decimals: int,
        latency: Latency | None = None,
    ) -> None:
        unit_ns = US_NS if MICROSECONDS in topic.dress else MS_NS
        parts = parts_of(stream.text, market.instrument, decimals, unit_ns)
        rows = partial(stream.rows, cadence_ns=stream.cadences_ns["".join(topic.options)])
        self._told = _Told(rows, parts, envelope(topic))
        self._shape = form_of(parts)
        self._market, self._latency = market, latency
        self._rows = lru_cache(2)(lambda start_ns, _revision: rows(market, start_ns=start_ns))

    def messages(self, start_ns: int) -> tuple[Column, list[bytes]]:
        """When each message of a page is due, and its text without the envelope."""
        due_ns, framed = self._written(start_ns)
        return due_ns, framed.payloads()

    def page(self, start_ns: int) -> Page:
        due_ns, framed = self._written(start_ns)
        return page_of(start_ns, due_ns, framed)

    def _written(self, start_ns: int) -> tuple[Column, Framed]:
        """When each message of a page is due, and their frames; channels of one shape are written in one pass."""
        if self._latency is None:
            write_all = partial(_write_all, self._market, start_ns)
            return shared_by_kind(self._market, start_ns, self._shape, self._told, write_all)
        revision = revision_of(self._market)
        before, rows = self._rows(start_ns - PAGE_NS, revision), self._rows(start_ns, revision)
        parts = late(before, rows, self._latency, start_ns)
        framed = [write([self._told.draft(columns)])[0] for _, columns in parts]
        return np.concatenate([due_ns for due_ns, _ in parts]), Framed.join(framed)

    def snapshot(self, now_ns: int) -> Sequence[bytes]:  # noqa: ARG002
        return ()


@dataclass(frozen=True, slots=True, eq=False)
class _Told:
    """What a stream tells, of whichever market. It names what is kept of a market, and so must not hold one."""

    rows: Callable[..., Rows]  # of a market and the page that starts at start_ns
    parts: Sequence[Part]
    envelope: tuple[bytes, bytes]

    def draft(self, columns: Mapping[str, Values]) -> Draft:
        return Draft(self.parts, columns, *self.envelope)


def _write_all(
    market: HyperSynthReactor, start_ns: int, streams: Sequence[_Told]
) -> list[tuple[Column, Framed]]:
    """When each message of these streams' pages is due, and their frames."""
    pages = [stream.rows(market, start_ns=start_ns) for stream in streams]
    drafts = [stream.draft(columns) for stream, (_, columns) in zip(streams, pages, strict=True)]
    return [(due_ns, framed) for (due_ns, _), framed in zip(pages, write(drafts), strict=True)]


class AllMarkets:
    """What the markets of an exchange say on a stream of all of them, until they close for good."""

    def __init__(self, topic: Topic, stream: Stream, exchange: Exchange, decimals: int) -> None:
        self._channels = [
            (StreamChannel(topic, stream, market, decimals), exchange.closes_ns(market.instrument.symbol))
            for market in exchange
        ]

    def messages(self, start_ns: int) -> Iterator[tuple[int, bytes]]:
        """When each of a page is due, and its text: market by market, in the order of listing."""
        for channel, closes_ns in self._channels:
            due_ns, texts = channel.messages(start_ns)
            for at_ns, text in zip(due_ns.tolist(), texts, strict=True):
                if closes_ns is None or at_ns <= closes_ns:
                    yield at_ns, text


class ArrayChannel:
    """The frames of a stream of all markets: what those say that say something at an instant, as one array."""

    def __init__(self, topic: Topic, stream: Stream, exchange: Exchange, decimals: int) -> None:
        self._markets = AllMarkets(topic, stream, exchange, decimals)
        head, tail = envelope(topic)
        self._form = b"%s[%%s]%s" % (head, tail)

    def page(self, start_ns: int) -> Page:
        said: dict[int, list[bytes]] = {}
        for at_ns, text in self._markets.messages(start_ns):
            said.setdefault(at_ns, []).append(text)
        due = sorted(said)
        return pack(start_ns, due, [self._form % b",".join(said[at_ns]) for at_ns in due])

    def snapshot(self, now_ns: int) -> Sequence[bytes]:  # noqa: ARG002
        return ()


def envelope(topic: Topic) -> tuple[bytes, bytes]:
    """What stands around the messages of a topic."""
    if COMBINED not in topic.dress:
        return b"", b""
    name = "@".join(filter(None, (topic.symbol.lower(), topic.channel, *topic.options)))
    return f'{{"stream":"{name}","data":'.encode(), b"}"
