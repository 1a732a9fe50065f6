"""Binance market streams: which exist, how a stream is named, and how the tape becomes its messages.

A stream is a row of a table: a declared message, the rows of the tape that fill it, and its cadences. Stream names come
from clients, so parsing them judges; everything else trusts the tape.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Protocol, TypeAlias

import numpy as np

from reactor.book import Ladder
from reactor.single_asset import HyperSynthReactor
from reactor.types import MS_NS, SECOND_NS, TICK_NS, BookSide, Column, Instrument, Side
from venues.base import PAGE_NS, Page, Topic, VenueError
from venues.wire import Choice, Decimal, Each, Int, Part, Ragged, Scale, Values, declare, encode, pack

US_NS = 1_000

# what else changes the bytes of a stream: the envelope that names it, and the unit of its times
COMBINED = "combined"
MICROSECONDS = "microseconds"

# the unit of times as a client may spell it: .../web-socket-streams.md#general-wss-information, 2026-07-21
TIME_UNITS_NS = {"MILLISECOND": MS_NS, "millisecond": MS_NS, "MICROSECOND": US_NS, "microsecond": US_NS}

Parts: TypeAlias = tuple[Part, ...]
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


def parts_of(text: str, instrument: Instrument, decimals: int, unit_ns: int) -> Parts:
    """A message of this instrument, its numbers padded to at least so many decimals, its times in units of unit_ns."""

    def scale(frac: int, step: int) -> Callable[[str], Part]:
        return partial(Decimal, scale=Scale(frac, max(frac, decimals), step))

    price_frac, qty_frac = instrument.price_decimals, instrument.qty_decimals
    kinds: dict[str, Callable[[str], Part]] = {
        "symbol": lambda _: instrument.symbol,
        "time": partial(Int, per=unit_ns),
        "flag": Choice,
        "price": scale(price_frac, instrument.tick_size),
        "qty": scale(qty_frac, instrument.lot_size),
        "quote": scale(price_frac + qty_frac, instrument.tick_size * instrument.lot_size),
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
    prints = market.window(start_ns, start_ns + PAGE_NS).prints
    due = _boundary(prints.ts_ns, cadence_ns)
    return due, {
        "E": due,
        "t": prints.trade_id,
        "p": prints.price_ticks,
        "q": prints.qty_lots,
        "T": prints.ts_ns,
        "m": (prints.side == Side.SELL).astype(np.int64),
    }


def aggregate_trades(market: HyperSynthReactor, start_ns: int, cadence_ns: int) -> Rows:
    """Neighbouring prints of one taker order at one price, as one."""
    prints = market.window(start_ns, start_ns + PAGE_NS).prints
    first = np.flatnonzero(np.diff(prints.agg_id, prepend=prints.agg_id[:1] - 1))
    last = np.append(first[1:], len(prints))[: len(first)] - 1
    due = _boundary(prints.ts_ns[first], cadence_ns)
    return due, {
        "E": due,
        "a": prints.agg_id[first],
        "p": prints.price_ticks[first],
        "q": np.add.reduceat(prints.qty_lots, first),
        "f": prints.trade_id[first],
        "l": prints.trade_id[last],
        "T": prints.ts_ns[first],
        "m": (prints.side[first] == Side.SELL).astype(np.int64),
    }


def best_quotes(market: HyperSynthReactor, start_ns: int, cadence_ns: int) -> Rows:
    """Every change of the best bid or offer, at the end of its tick."""
    quotes = market.window(start_ns, start_ns + PAGE_NS).quotes
    return _boundary(quotes.ts_ns, cadence_ns), {
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
    levels = market.window(start_ns, start_ns + PAGE_NS).levels
    window_of = _boundary(levels.tick * TICK_NS, cadence_ns)
    due, ends = _windows(window_of)
    last_id = levels.update_id[ends - 1]
    first_id = np.append(market.update_id(start_ns), last_id)[: len(due)] + 1

    away = np.where(levels.side == BookSide.BID, -levels.price_ticks, levels.price_ticks)
    order = np.lexsort((levels.tick, away, levels.side, window_of))
    key = np.stack((window_of, levels.side, away))[:, order]
    final = order[np.any(np.diff(key, append=-1) != 0, axis=0)]
    return due, {
        "E": due,
        "U": first_id,
        "u": last_id,
        **{
            name: Ragged(
                np.searchsorted(window_of[rows], due, side="right"),
                {"price": levels.price_ticks[rows], "qty": levels.qty_lots[rows]},
            )
            for name, rows in (
                ("b", final[levels.side[final] == BookSide.BID]),
                ("a", final[levels.side[final] == BookSide.ASK]),
            )
        },
    }


def best_levels(n: int, market: HyperSynthReactor, start_ns: int, cadence_ns: int) -> Rows:
    """The best n levels of both sides at each boundary before which the book changed."""
    levels = market.window(start_ns, start_ns + PAGE_NS).levels
    due, ends = _windows(_boundary(levels.tick * TICK_NS, cadence_ns))
    ladder = Ladder(market.book(start_ns))
    sides: tuple[list[list[tuple[int, int]]], ...] = ([], [])
    for start, stop in pairwise([0, *ends.tolist()]):
        ladder.apply(levels.cut(start, stop))
        for side in BookSide:
            sides[side].append(ladder.top(side, n))
    return due, {
        "lastUpdateId": levels.update_id[ends - 1],
        "bids": ragged(sides[BookSide.BID]),
        "asks": ragged(sides[BookSide.ASK]),
    }


def ragged(lists: Sequence[Sequence[tuple[int, int]]]) -> Ragged:
    """Lists of (price_ticks, qty_lots) as columns."""
    rows = np.array([row for rows in lists for row in rows], dtype=np.int64).reshape(-1, 2)
    return Ragged(
        np.cumsum([len(rows) for rows in lists], dtype=np.int64), {"price": rows[:, 0], "qty": rows[:, 1]}
    )


def _boundary(ts_ns: Column, cadence_ns: int) -> Column:
    """The first multiple of the cadence after each instant: what happens in a window is due at its end."""
    return (ts_ns // cadence_ns + 1) * cadence_ns


def _windows(window_of: Column) -> tuple[Column, Column]:
    """The distinct values of an ascending column, and where the rows of each end."""
    due = np.unique(window_of)
    return due, np.searchsorted(window_of, due, side="right")


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
# 1000 ms may be spelt out, though only 100ms is documented
SPOT_DEPTH_CADENCES = {"": SECOND_NS, "1000ms": SECOND_NS, "100ms": 100 * MS_NS}

SPOT_STREAMS: Mapping[str, Stream] = {
    "trade": Stream(SPOT_TRADE, trades, REAL_TIME),
    "aggTrade": Stream(SPOT_AGG_TRADE, aggregate_trades, REAL_TIME),
    "bookTicker": Stream(SPOT_BOOK_TICKER, best_quotes, REAL_TIME),
    "depth": Stream(SPOT_DEPTH_UPDATE, depth_changes, SPOT_DEPTH_CADENCES),
    **{f"depth{n}": Stream(SPOT_BOOK, partial(best_levels, n), SPOT_DEPTH_CADENCES) for n in (5, 10, 20)},
}

_NAME = re.compile(r"([^@\s/]{1,50})@([^@]+)(?:@([^@]+))?")


def stream_topic(
    name: str, streams: Mapping[str, Stream], symbols: Container[str], dress: tuple[str, ...]
) -> Topic | None:
    """The topic of a stream name; None when it names no listed symbol, which is no error: such a stream is silent.

    Symbols are lower-case in stream names, another spelling is another symbol. Raises VenueError on a malformed name.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise VenueError("INVALID_STREAM")
    symbol, channel, option = match.groups(default="")
    if channel not in streams or option not in streams[channel].cadences_ns:
        raise VenueError("INVALID_STREAM")
    if symbol != symbol.lower() or symbol.upper() not in symbols:
        return None
    return Topic(channel, symbol.upper(), (option,) if option else (), dress)


class StreamChannel:
    """The frames of one topic. A subscriber gets no snapshot: on this venue it asks for one over REST."""

    def __init__(self, topic: Topic, stream: Stream, market: HyperSynthReactor, decimals: int) -> None:
        unit_ns = US_NS if MICROSECONDS in topic.dress else MS_NS
        parts = parts_of(stream.text, market.instrument, decimals, unit_ns)
        if COMBINED in topic.dress:
            name = "@".join((topic.symbol.lower(), topic.channel, *topic.options))
            parts = (f'{{"stream":"{name}","data":', *parts, "}")
        self._parts = parts
        self._rows = partial(stream.rows, market, cadence_ns=stream.cadences_ns["".join(topic.options)])

    def page(self, start_ns: int) -> Page:
        due_ns, columns = self._rows(start_ns=start_ns)
        return pack(start_ns, due_ns, encode(self._parts, columns))

    def snapshot(self, now_ns: int) -> Sequence[bytes]:  # noqa: ARG002
        return ()
