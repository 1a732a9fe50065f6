"""Hyperliquid's words: the tape as its messages.

The channels (`CHANNELS`) and the values REST shares with them. Events are grouped by chain block: what happened in a
block shows at its end and is dated its last millisecond, so that a minute's trades carry times of that minute. Nothing
here reads a request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from hashlib import blake2b
from typing import Any, Final, Protocol, TypeAlias

import numpy as np
import orjson

from reactor.single_asset import HyperSynthReactor
from reactor.types import (
    BLOCK_NS,
    DAY_NS,
    MS_NS,
    SECOND_NS,
    Column,
    Instrument,
    Prints,
    Quotes,
    Side,
)
from venues.base import PAGE_NS, Channel, Page, Topic
from venues.hyperliquid.rules import (
    CHAIN_BLOCK_NS,
    FUNDING,
    IDLE_NS,
    MARK_WINDOW_S,
    ORACLE_NS,
    BookFeed,
    Profile,
    decimal_places,
    impact_prices,
    mark_price,
    nearest,
    premium,
)
from venues.wire import Choice, Decimal, Each, Int, Part, Ragged, Scale, Text, Values, declare, encode, pack

RECENT_TRADES = 10  # trades replayed to a new subscriber, and in `recentTrades`

Parts: TypeAlias = tuple[Part, ...]


# ---------------------------------------------------------------- the messages
# https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/websocket/subscriptions (2026-11); order of keys as
# in captures of 2025-12-16 (trades) and 2026-08-19 (l2Book, bbo). `users` are buyer and seller.
LEVEL = '{"px":"<px:price>","sz":"<sz:size>","n":<n>}'
BOOK = '{"coin":"<coin:coin>","time":<time:time>,"levels":[[<bids:levels>],[<asks:levels>]]}'
TRADE = (
    '{"coin":"<coin:coin>","side":"<side:side>","px":"<px:price>","sz":"<sz:size>","time":<time:time>,'
    '"hash":"<hash:text>","tid":<tid>,"users":["<buyer:text>","<seller:text>"]}'
)
L2_BOOK = f'{{"channel":"l2Book","data":{BOOK}}}'
FAST_L2_BOOK = f'{{"channel":"l2Book","data":{BOOK[:-1]},"fast":true}}}}'
BBO = '{"channel":"bbo","data":{"coin":"<coin:coin>","time":<time:time>,"bbo":[<bid:text>,<ask:text>]}}'
TRADES = '{"channel":"trades","data":[<trades:trades>]}'


def price_scale(instrument: Instrument) -> Scale:
    """Ticks as this venue writes them: no padding, but at least one decimal ("65000.0", "128.45")."""
    return Scale(instrument.price_decimals, 1, instrument.tick_size)


def size_scale(instrument: Instrument) -> Scale:
    """Lots, likewise."""
    return Scale(instrument.qty_decimals, 1, instrument.lot_size)


def parts_of(text: str, instrument: Instrument) -> Parts:
    """A message about this instrument."""
    kinds: dict[str, Callable[[str], Part]] = {
        "coin": lambda _: instrument.symbol,
        "time": partial(Int, per=MS_NS),
        "text": Text,
        "side": partial(Choice, texts=("A", "B")),
        "price": partial(Decimal, scale=price_scale(instrument)),
        "size": partial(Decimal, scale=size_scale(instrument)),
        "levels": lambda name: Each(name, declare(LEVEL, kinds)),
        "trades": lambda name: Each(name, declare(TRADE, kinds)),
    }
    return declare(text, kinds)


# ---------------------------------------------------------------- blocks of the chain
def block_end(at_ns: int) -> int:
    """The end of the last block finished at at_ns."""
    return at_ns // CHAIN_BLOCK_NS * CHAIN_BLOCK_NS


def block_ends(ts_ns: Column) -> Column:
    """The end of the block each instant lies in."""
    return (ts_ns // CHAIN_BLOCK_NS + 1) * CHAIN_BLOCK_NS


# ---------------------------------------------------------------- what the tape does not say
# Order counts, trade ids, hashes and addresses are not on the tape: they are hashes of what is, the same in every run.
_TID_BITS = np.uint64((1 << 50) - 1)
_TID_FOLD = np.uint64(25)
_ODD = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9))
_MAKERS, _TAKERS = 64, 4_096  # accounts that quote, accounts that take


def order_counts(ticks: Column, lots: Column, instrument: Instrument) -> Column:
    """Orders resting at each level: one, and one more per some 8,000 to 24,000 quote units shown, by price."""
    units = 10 ** (instrument.price_decimals + instrument.qty_decimals)
    shown = ticks * instrument.tick_size * lots * instrument.lot_size // units
    typical = 8_192 + (ticks.astype(np.uint64) * _ODD[0] >> np.uint64(50)).astype(np.int64)
    counts: Column = 1 + shown // typical
    return counts


def trade_ids(trade_id: Column, market: str) -> Column:
    """`tid`s: a permutation of the 50-bit integers, another one for each market, so unique and without order."""
    key = np.uint64(int.from_bytes(blake2b(market.encode(), digest_size=6).digest()))
    tid = trade_id.astype(np.uint64) + key & _TID_BITS
    for odd in _ODD:
        tid = (tid ^ tid >> _TID_FOLD) * odd & _TID_BITS
    return (tid ^ tid >> _TID_FOLD).astype(np.int64)


def _digest(words: str, size: int) -> str:
    return "0x" + blake2b(words.encode(), digest_size=size).hexdigest()


@lru_cache(_MAKERS + _TAKERS)
def _account(kind: str, number: int) -> str:
    return _digest(f"{kind}:{number}", 20)


def _accounts(kind: str, ids: Column, of: int) -> list[str]:
    numbers = (ids.astype(np.uint64) * _ODD[1] >> np.uint64(32)) % np.uint64(of)
    return [_account(kind, number) for number in numbers.tolist()]


# ---------------------------------------------------------------- trades
def trade_columns(prints: Prints, instrument: Instrument) -> dict[str, Values]:
    """The columns of TRADE. Prints of one market order share a transaction, so hash and taker."""
    transactions = prints.order_id.tolist()
    hashes = {number: _digest(f"{instrument.market}:{number}", 32) for number in set(transactions)}
    takers = _accounts("taker", prints.order_id, _TAKERS)
    makers = _accounts("maker", prints.trade_id, _MAKERS)
    bought = prints.side == Side.BUY
    users = [(t, m) if b else (m, t) for b, t, m in zip(bought.tolist(), takers, makers, strict=True)]
    return {
        "side": bought.astype(np.int64),
        "px": prints.price_ticks,
        "sz": prints.qty_lots,
        "time": block_ends(prints.ts_ns) - 1,
        "hash": [hashes[number] for number in transactions],
        "tid": trade_ids(prints.trade_id, instrument.market),
        "buyer": [buyer for buyer, _ in users],
        "seller": [seller for _, seller in users],
    }


def recent_trades(market: HyperSynthReactor, now_ns: int) -> list[bytes]:
    """The newest trades of finished blocks, oldest first."""
    prints = market.prints_before(block_end(now_ns), RECENT_TRADES)
    return encode(parts_of(TRADE, market.instrument), trade_columns(prints, market.instrument))


@dataclass(frozen=True, slots=True)
class Trades:
    """The trades of each block, in one message; first a replay of recent ones."""

    market: HyperSynthReactor

    def page(self, start_ns: int) -> Page:
        instrument = self.market.instrument
        prints = self.market.window(start_ns, start_ns + PAGE_NS).prints
        due_of = block_ends(prints.ts_ns)
        due = np.unique(due_of)
        trades = Ragged(np.searchsorted(due_of, due, side="right"), trade_columns(prints, instrument))
        return pack(start_ns, due, encode(parts_of(TRADES, instrument), {"trades": trades}))

    def snapshot(self, now_ns: int) -> Sequence[bytes]:
        trades = recent_trades(self.market, now_ns)
        return [b'{"channel":"trades","data":[%b]}' % b",".join(trades)] if trades else []

    def last_due_ns(self, now_ns: int) -> int:
        return _last(self.market.prints_before(block_end(now_ns), 1).ts_ns)


def _last(ts_ns: Column) -> int:
    """The end of the block of the last of these instants; 0 if there is none."""
    return int(block_ends(ts_ns[-1:]).sum())


# ---------------------------------------------------------------- best bid and offer
@dataclass(frozen=True, slots=True)
class BestOffer:
    """The best bid and offer at the end of each block that left it changed."""

    market: HyperSynthReactor

    def page(self, start_ns: int) -> Page:
        quotes = self.market.window(start_ns, start_ns + PAGE_NS).quotes
        due_of = block_ends(quotes.ts_ns)
        due = np.unique(due_of)
        offers = _offers(quotes)[np.searchsorted(due_of, due, side="right") - 1]
        before = np.zeros((1, 4), np.int64), _offers(self.market.quote(start_ns))
        history = np.concatenate([*before, offers])[-len(offers) - 1 :]
        changed = np.any(history[1:] != history[:-1], axis=1)
        return pack(start_ns, due[changed], self._encode(due[changed], offers[changed]))

    def snapshot(self, now_ns: int) -> Sequence[bytes]:
        offers = _offers(self.market.quote(block_end(now_ns)))
        return self._encode(np.full(len(offers), block_end(now_ns)), offers)

    def last_due_ns(self, now_ns: int) -> int:
        return _last(self.market.window(block_end(now_ns - IDLE_NS), block_end(now_ns)).quotes.ts_ns)

    def _encode(self, due_ns: Column, offers: Column) -> list[bytes]:
        bid_ticks, bid_lots, ask_ticks, ask_lots = offers.T
        instrument = self.market.instrument
        columns: dict[str, Values] = {
            "time": due_ns - 1,
            "bid": _level_texts(bid_ticks, bid_lots, instrument),
            "ask": _level_texts(ask_ticks, ask_lots, instrument),
        }
        return encode(parts_of(BBO, instrument), columns)


def _offers(quotes: Quotes) -> Column:
    """One row of bid ticks, bid lots, ask ticks, ask lots per quote."""
    return np.stack([quotes.bid_ticks, quotes.bid_lots, quotes.ask_ticks, quotes.ask_lots], axis=1)


def _level_texts(ticks: Column, lots: Column, instrument: Instrument) -> list[str]:
    """Each level, null where it is empty."""
    columns = {"px": ticks, "sz": lots, "n": order_counts(ticks, lots, instrument)}
    texts = encode(parts_of(LEVEL, instrument), columns)
    return [text.decode() if n else "null" for text, n in zip(texts, lots.tolist(), strict=True)]


# ---------------------------------------------------------------- books
_POWERS: Column = 10 ** np.arange(19, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Grouping:
    """How levels merge: prices rounded away from the spread to so many figures, the last in steps of `mantissa`."""

    n_sig_figs: int | None = None
    mantissa: int | None = None

    def prices(self, ticks: Column, *, up: bool) -> Column:
        """Each price rounded. On this venue a tick is a power of ten: figures of the ticks are figures of the price."""
        if self.n_sig_figs is None:
            return ticks
        excess = np.searchsorted(_POWERS, ticks, side="right") - self.n_sig_figs
        step = np.where(excess < 0, 1, _POWERS[np.maximum(excess, 0)] * (self.mantissa or 1))
        rounded: Column = -(-ticks // step) * step if up else ticks // step * step
        return rounded


def book_columns(
    market: HyperSynthReactor, ends_ns: Sequence[int], levels: int, grouping: Grouping
) -> dict[str, Values]:
    """The columns of BOOK: of so many levels a side, at these ends of blocks."""
    books = [market.book(end_ns) for end_ns in ends_ns]
    bids = [(book.bid_ticks, book.bid_lots, grouping.prices(book.bid_ticks, up=False)) for book in books]
    asks = [(book.ask_ticks, book.ask_lots, grouping.prices(book.ask_ticks, up=True)) for book in books]
    return {
        "time": np.array(ends_ns) - 1,
        "bids": _levels(bids, levels, market.instrument),
        "asks": _levels(asks, levels, market.instrument),
    }


def _levels(sides: Sequence[tuple[Column, Column, Column]], levels: int, instrument: Instrument) -> Ragged:
    """The best levels of each side, given as ticks, lots and rounded ticks; equal rounded ticks make one level."""
    rows = []
    for ticks, lots, rounded in sides:
        firsts = np.flatnonzero(np.diff(rounded, prepend=0))
        counts = order_counts(ticks, lots, instrument)
        merged = rounded[firsts], np.add.reduceat(lots, firsts), np.add.reduceat(counts, firsts)
        rows.append([column[:levels] for column in merged])
    px, sz, n = (np.concatenate([row[i] for row in rows]) for i in range(3))
    return Ragged(np.cumsum([len(row[0]) for row in rows]), {"px": px, "sz": sz, "n": n})


def book(market: HyperSynthReactor, now_ns: int, levels: int, grouping: Grouping) -> bytes:
    """The book at the end of the last finished block."""
    columns = book_columns(market, [block_end(now_ns)], levels, grouping)
    return encode(parts_of(BOOK, market.instrument), columns)[0]


@dataclass(frozen=True, slots=True)
class Books:
    """The whole book at the last block end of each period, every coin in step."""

    market: HyperSynthReactor
    feed: BookFeed
    grouping: Grouping
    fast: bool

    def page(self, start_ns: int) -> Page:
        every = self.feed.every_ns
        due = [block_end(start_ns + i * every) for i in range(1, PAGE_NS // every + 1)]
        return pack(start_ns, due, self._encode(due))

    def snapshot(self, now_ns: int) -> Sequence[bytes]:
        return self._encode([self.last_due_ns(now_ns)])

    def last_due_ns(self, now_ns: int) -> int:
        period = now_ns // self.feed.every_ns
        begun, ending = (block_end(i * self.feed.every_ns) for i in (period, period + 1))
        return ending if ending <= now_ns else begun

    def _encode(self, due_ns: Sequence[int]) -> list[bytes]:
        columns = book_columns(self.market, due_ns, self.feed.levels, self.grouping)
        return encode(parts_of(FAST_L2_BOOK if self.fast else L2_BOOK, self.market.instrument), columns)


# ---------------------------------------------------------------- channels by name
class HyperliquidChannel(Channel, Protocol):
    """A channel that can also say when it spoke last: this venue closes sockets it has had nothing to tell."""

    def last_due_ns(self, now_ns: int) -> int:
        """The boundary of the last frame due by now; 0 if there was none of late."""
        ...


def _books(
    market: HyperSynthReactor,
    profile: Profile,
    n_sig_figs: int | None,
    mantissa: int | None,
    fast: bool = False,
) -> Books:
    return Books(market, profile.books[fast], Grouping(n_sig_figs, mantissa), fast)


CHANNELS: Final[Mapping[str, Callable[..., HyperliquidChannel]]] = {
    "l2Book": _books,
    "bbo": lambda market, _profile: BestOffer(market),
    "trades": lambda market, _profile: Trades(market),
}


def topic(channel: str, fields: Mapping[str, Any]) -> Topic:
    """The topic of a subscription's fields: options are the JSON of all but the coin, in order."""
    options = (orjson.dumps(value).decode() for name, value in fields.items() if name != "coin")
    return Topic(channel, fields["coin"], tuple(options))


def make_channel(of: Topic, market: HyperSynthReactor, profile: Profile) -> HyperliquidChannel:
    """The channel of a topic made by `topic`."""
    return CHANNELS[of.channel](market, profile, *map(orjson.loads, of.options))


# ---------------------------------------------------------------- what REST tells of a market
def mid_price(market: HyperSynthReactor, now_ns: int) -> str:
    """The middle of the best bid and offer at the end of the last finished block."""
    quote = market.quote(block_end(now_ns))
    scale = price_scale(market.instrument)
    half_ticks = Scale(scale.frac + 1, 1, 5 * scale.step)
    return half_ticks.text(int(quote.bid_ticks[0] + quote.ask_ticks[0]))


# The tape knows no open interest. It is taken as a fixed share of the day's volume, the one a capture of 2026-09-25
# shows for BTC: 39338.76246 open, 36757.56691 traded.
_OPEN_INTEREST = (107, 100)


def asset_context(market: HyperSynthReactor, now_ns: int) -> dict[str, Any]:
    """A perpetual's context, in the venue's order of keys (capture of 2026-09-25); only midPx needs a block.

    {"funding":"0.0000125","openInterest":"39338.76246","prevDayPx":"84086.0","dayNtlVlm":"3096053627.5618200302",
    "premium":"-0.0001348801","oraclePx":"83778.1","markPx":"83757.0","midPx":"83757.5",
    "impactPxs":["83757.0","83766.8"],"dayBaseVlm":"36757.56691"}
    """
    instrument = market.instrument
    price, size = price_scale(instrument), size_scale(instrument)
    minute_ns = now_ns // BLOCK_NS * BLOCK_NS
    day = market.minutes(minute_ns - DAY_NS - BLOCK_NS, minute_ns)  # the first row is but the price before
    volume_lots, quote_units = int(day.volume_lots[1:].sum()), int(day.quote_units[1:].sum())

    # Oracle, mark and premium are of the last 3 s step; prices in 1e-8 from here on.
    at_ns = now_ns // ORACLE_NS * ORACLE_NS
    hour_ns = at_ns // FUNDING.interval_ns * FUNDING.interval_ns
    grid = market.seconds(min(hour_ns, at_ns - MARK_WINDOW_S * SECOND_NS), at_ns + SECOND_NS)
    samples = grid.premium_e8[(grid.ts_ns >= hour_ns) & (grid.ts_ns % FUNDING.sample_ns == 0)]
    rate_e12 = int(FUNDING.rates_e12(FUNDING.averages_e12(samples))[-1])
    tick = instrument.tick_size * 10 ** (8 - instrument.price_decimals)
    index = grid.index_e8[-MARK_WINDOW_S - 1 :].tolist()
    bids = (grid.bid_ticks[-MARK_WINDOW_S - 1 :] * tick).tolist()
    mark = mark_price(index, [bid + tick // 2 for bid in bids])

    oracle_scale, impact_scale = (Scale(n, 1) for n in (max(1, price.frac), decimal_places(instrument)))
    oracle_step, impact_step = (10 ** (8 - scale.frac) for scale in (oracle_scale, impact_scale))
    oracle = nearest(index[-1], oracle_step) * oracle_step
    impacts = impact_prices(oracle, bids[-1], bids[-1] + tick, int(grid.premium_e8[-1]))
    impact_bid, impact_ask = (nearest(px, impact_step) * impact_step for px in impacts)
    return {
        "funding": Scale(10, 1).text(nearest(rate_e12, 100)),
        "openInterest": size.text(volume_lots * _OPEN_INTEREST[0] // _OPEN_INTEREST[1]),
        "prevDayPx": price.text(int(day.close_ticks[0])),
        "dayNtlVlm": Scale(price.frac + size.frac, 1, price.step * size.step).text(quote_units),
        "premium": Scale(10, 1).text(premium(oracle, impact_bid, impact_ask, 10**10)),
        "oraclePx": oracle_scale.text(oracle // oracle_step),
        "markPx": price.text(nearest(mark, tick)),
        "midPx": mid_price(market, now_ns),
        "impactPxs": [impact_scale.text(px // impact_step) for px in (impact_bid, impact_ask)],
        "dayBaseVlm": size.text(volume_lots),
    }
