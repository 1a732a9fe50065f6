"""Hyperliquid's words: the tape as its messages.

The channels (`CHANNELS`) and the values REST shares with them. Events are grouped by chain block: what happened in a
block shows at its end and is dated its last millisecond, so that a minute's trades carry times of that minute. Nothing
here reads a request.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from hashlib import blake2b
from itertools import pairwise
from typing import Any, Final, TypeAlias

import numpy as np
import orjson

from reactor.bars import Bars, Interval
from reactor.fixed import begins, distinct, nearest
from reactor.single_asset import HyperSynthReactor
from reactor.types import (
    BLOCK_NS,
    DAY_NS,
    MS_NS,
    SECOND_NS,
    BookSide,
    BookSnapshot,
    Column,
    Instrument,
    Kind,
    Prints,
    Quotes,
    Side,
)
from reactor.values import dataclass
from venues.base import PAGE_NS, Exchange, FundingPayments, Page, Topic
from venues.books import BestLevels
from venues.hyperliquid.channel import HyperliquidChannel, LateChannel
from venues.hyperliquid.oracle import days_at, oracle_decimals, oracle_step_e8, updates_at
from venues.hyperliquid.rules import (
    CHAIN_BLOCK_NS,
    IDLE_NS,
    INTERVALS,
    MAIN_DEX,
    Card,
    Perp,
    Spot,
    decimal_places,
    dex_of,
    dexs_of,
    funding_of,
    offered,
    perps_of,
)
from venues.sheets import shared_by_kind
from venues.wire import (
    Choice,
    Decimal,
    Draft,
    Each,
    Int,
    Message,
    Part,
    Picked,
    Ragged,
    Scale,
    Table,
    Text,
    Values,
    declare,
    encode,
    pack,
    page_of,
    payloads_of,
    write,
)

RECENT_TRADES = 10  # in `recentTrades`; no published number
REPLAYED_TRADES = (
    30  # to a new subscriber: "exactly 30, for every (re)subscribe measured", testnet, 2026-07-28
)


# ---------------------------------------------------------------- the messages
# https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/websocket/subscriptions (2026-11); order of keys as
# in captures of 2025-12-16 (trades) and 2026-08-19 (l2Book, bbo). `users` are buyer and seller. A grouped book ends
# with the spread of the whole one (2026-10-06, gocryptotrader exchanges/hyperliquid), a fast one says that it is.
LEVEL = '{"px":"<px:price>","sz":"<sz:size>","n":<n>}'
BOOK = '{"coin":"<coin:coin>","time":<time:time>,"levels":[[<bids:levels>],[<asks:levels>]]<tail:text>}'
TRADE = (
    '{"coin":"<coin:coin>","side":"<side:side>","px":"<px:price>","sz":"<sz:size>","time":<time:time>,'
    '"hash":"<hash:text>","tid":<tid>,"users":["<buyer:text>","<seller:text>"]}'
)
L2_BOOK = f'{{"channel":"l2Book","data":{BOOK}}}'
FAST = ',"fast":true'
BBO = '{"channel":"bbo","data":{"coin":"<coin:coin>","time":<time:time>,"bbo":[<bid:text>,<ask:text>]}}'
TRADES = '{"channel":"trades","data":[<trades:trades>]}'
CANDLE = (
    '{"t":<open:time>,"T":<close:time>,"s":"<coin:coin>","i":"<interval:text>","o":"<first:price>","c":"<last:price>",'
    '"h":"<high:price>","l":"<low:price>","v":"<volume:size>","n":<n>}'
)
# Contexts as in captures of 2026-09-25 (BTC) and 2026-10 (spot, gocryptotrader exchanges/hyperliquid).
PERP_CONTEXT = (
    '{"funding":"<funding:rate>","openInterest":"<open_interest:size>","prevDayPx":"<previous:price>",'
    '"dayNtlVlm":"<quote:value>","premium":"<premium:rate>","oraclePx":"<oracle:oracle>","markPx":"<mark:price>",'
    '"midPx":"<mid:mid>","impactPxs":["<impact_bid:impact>","<impact_ask:impact>"],"dayBaseVlm":"<base:size>"}'
)
SPOT_CONTEXT = (
    '{"prevDayPx":"<previous:price>","dayNtlVlm":"<quote:value>","markPx":"<mark:price>","midPx":"<mid:mid>",'
    '"circulatingSupply":"<circulating:text>","coin":"<coin:coin>","totalSupply":"<total:text>",'
    '"dayBaseVlm":"<base:size>"}'
)
FUNDING_RECORD = (
    '{"coin":"<coin:coin>","fundingRate":"<funding:rate>","premium":"<premium:rate>","time":<time:time>}'
)


def price_scale(instrument: Instrument) -> Scale:
    """Ticks as this venue writes them: no padding, but at least one decimal ("65000.0", "128.45")."""
    return Scale(instrument.price_decimals, 1, instrument.tick_size)


def size_scale(instrument: Instrument) -> Scale:
    """Lots, likewise."""
    return Scale(instrument.qty_decimals, 1, instrument.lot_size)


def mid_scale(instrument: Instrument) -> Scale:
    """Half ticks: the middle between two prices."""
    return Scale(instrument.price_decimals + 1, 1, 5 * instrument.tick_size)


def oracle_scale(instrument: Instrument) -> Scale:
    """Oracle prices, which have a decimal even where the market's have none (BTC: "83778.1")."""
    return Scale(oracle_decimals(instrument), 1)


def impact_scale(instrument: Instrument) -> Scale:
    """Impact prices: averages over the book, so not on its ticks."""
    return Scale(decimal_places(instrument), 1)


RATE = Scale(10, 1)  # of funding and premium


@lru_cache(1_024)
def parts_of(text: str, instrument: Instrument) -> Message:
    """A message about this instrument."""
    price, size = price_scale(instrument), size_scale(instrument)
    value = Scale(price.frac + size.frac, 1, price.step * size.step)  # ticks * lots
    kinds: dict[str, Callable[[str], Part]] = {
        "coin": lambda _: instrument.symbol,
        "time": partial(Int, per=MS_NS),
        "text": Text,
        "side": partial(Choice, texts=("A", "B")),
        "price": partial(Decimal, scale=price),
        "size": partial(Decimal, scale=size),
        "value": partial(Decimal, scale=value),
        "mid": partial(Decimal, scale=mid_scale(instrument)),
        "oracle": partial(Decimal, scale=oracle_scale(instrument)),
        "impact": partial(Decimal, scale=impact_scale(instrument)),
        "rate": partial(Decimal, scale=RATE),
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


def digest(words: str, size: int) -> str:
    """So many bytes in hex that stand for what there is no chain to make."""
    return "0x" + blake2b(words.encode(), digest_size=size).hexdigest()


@lru_cache(_MAKERS + _TAKERS)
def _account(kind: str, number: int) -> str:
    return digest(f"{kind}:{number}", 20)


def _accounts(kind: str, ids: Column, of: int) -> list[str]:
    numbers = (ids.astype(np.uint64) * _ODD[1] >> np.uint64(32)) % np.uint64(of)
    return [_account(kind, number) for number in numbers.tolist()]


# ---------------------------------------------------------------- trades
def trade_columns(prints: Prints, instrument: Instrument) -> dict[str, Values]:
    """The columns of TRADE. Prints of one market order share a transaction, so hash and taker."""
    transactions = prints.order_id.tolist()
    hashes = {number: digest(f"{instrument.market}:{number}", 32) for number in set(transactions)}
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


def recent_trades(market: HyperSynthReactor, now_ns: int, count: int) -> list[bytes]:
    """The newest trades of finished blocks, so many at most, oldest first."""
    prints = market.prints_before(block_end(now_ns), count)
    return encode(parts_of(TRADE, market.instrument), trade_columns(prints, market.instrument))


@dataclass(frozen=True, slots=True)
class Trades:
    """The trades of each block, in one message; first a replay of recent ones."""

    market: HyperSynthReactor

    def page(self, start_ns: int) -> Page:
        instrument = self.market.instrument
        prints = self.market.prints_in(start_ns, start_ns + PAGE_NS)
        due_of = block_ends(prints.ts_ns)
        due = np.unique(due_of)
        trades = Ragged(np.searchsorted(due_of, due, side="right"), trade_columns(prints, instrument))
        return page_of(start_ns, due, *write([Draft(parts_of(TRADES, instrument), {"trades": trades})]))

    def snapshot(self, now_ns: int) -> Sequence[bytes]:
        trades = recent_trades(self.market, now_ns, REPLAYED_TRADES)
        return [b'{"channel":"trades","data":[%b]}' % b",".join(trades)] if trades else []

    def last_due_ns(self, now_ns: int) -> int:
        return _last(self.market.prints_in(block_end(now_ns - IDLE_NS), block_end(now_ns)).ts_ns)


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
    market: HyperSynthReactor, ends_ns: Sequence[int], levels: int, grouping: Grouping, fast: bool
) -> dict[str, Values]:
    """The columns of BOOK: of so many levels a side, at these ascending ends of blocks."""
    time, fasts = np.array(ends_ns) - 1, FAST * fast
    if grouping.n_sig_figs is None and len(ends_ns) > 1:
        return {"time": time, **_best_levels(market, ends_ns, levels), "tail": [fasts] * len(ends_ns)}
    books = [market.book(end_ns) for end_ns in ends_ns]
    bids = [(book.bid_ticks, book.bid_lots, grouping.prices(book.bid_ticks, up=False)) for book in books]
    asks = [(book.ask_ticks, book.ask_lots, grouping.prices(book.ask_ticks, up=True)) for book in books]
    return {
        "time": time,
        "bids": _levels(bids, levels, market.instrument),
        "asks": _levels(asks, levels, market.instrument),
        "tail": [_spread(book, grouping, market.instrument) + fasts for book in books],
    }


def _best_levels(market: HyperSynthReactor, ends_ns: Sequence[int], levels: int) -> dict[str, Values]:
    """So many levels a side of whole books, none of which is made but the first."""
    ends, first_ns, last_ns = np.array(ends_ns), ends_ns[0], ends_ns[-1]
    best = BestLevels(market.book(first_ns), market.window(first_ns, last_ns).levels, ends, levels)
    px, sz = best.price_ticks, best.qty_lots
    table = Table({"px": px, "sz": sz, "n": order_counts(px, sz, market.instrument)})
    bids, asks = (
        Picked(*best.rows(side, np.arange(len(ends)), levels), table) for side in (BookSide.BID, BookSide.ASK)
    )
    return {"bids": bids, "asks": asks}


def _spread(book: BookSnapshot, grouping: Grouping, instrument: Instrument) -> str:
    """What a grouped book tells of the whole one; nothing where a side is empty, of which nothing is known."""
    if grouping.n_sig_figs is None or not (len(book.bid_ticks) and len(book.ask_ticks)):
        return ""
    return f',"spread":"{price_scale(instrument).text(int(book.ask_ticks[0] - book.bid_ticks[0]))}"'


def _levels(sides: Sequence[tuple[Column, Column, Column]], levels: int, instrument: Instrument) -> Ragged:
    """The best levels of each side, given as ticks, lots and rounded ticks; equal rounded ticks make one level."""
    rows = []
    for ticks, lots, rounded in sides:
        if rounded is ticks:  # nothing merges, so nothing beyond these matters
            ticks, lots, rounded = ticks[:levels], lots[:levels], ticks[:levels]  # noqa: PLW2901
        firsts = np.flatnonzero(begins(rounded))
        counts = order_counts(ticks, lots, instrument)
        merged = rounded[firsts], np.add.reduceat(lots, firsts), np.add.reduceat(counts, firsts)
        rows.append([column[:levels] for column in merged])
    px, sz, n = (np.concatenate([row[i] for row in rows]) for i in range(3))
    return Ragged(np.cumsum([len(row[0]) for row in rows]), {"px": px, "sz": sz, "n": n})


def book(market: HyperSynthReactor, now_ns: int, levels: int, grouping: Grouping) -> bytes:
    """The book at the end of the last finished block."""
    columns = book_columns(market, [block_end(now_ns)], levels, grouping, fast=False)
    return encode(parts_of(BOOK, market.instrument), columns)[0]


def book_messages(
    market: HyperSynthReactor, levels: int, grouping: Grouping, fast: bool, ends_ns: Sequence[int]
) -> list[bytes]:
    """l2Book at these ends of blocks."""
    columns = book_columns(market, ends_ns, levels, grouping, fast)
    return payloads_of(Draft(parts_of(L2_BOOK, market.instrument), columns))


# ---------------------------------------------------------------- candles
def running_bars(
    market: HyperSynthReactor, intervals: Sequence[Interval], ends_ns: Sequence[int]
) -> list[Bars]:
    """Of each interval, the bar of the instant before each of these ascending ones, so far."""
    ends = np.array(ends_ns)
    minute = (ends - 1) // BLOCK_NS
    parts = [market.bars.running_each(intervals, ends[minute == m]) for m in distinct(minute).tolist()]
    return [Bars.join([*of_one]) for of_one in zip(*parts, strict=True)] if len(parts) > 1 else parts[0]


def candle_texts(instrument: Instrument, names: Sequence[str], bars: Bars) -> list[bytes]:
    """Bars, each of the interval of its name, in the venue's JSON."""
    columns: dict[str, Values] = {
        "open": bars.open_ns,
        "close": bars.close_ns - 1,
        "interval": names,
        "first": bars.open_ticks,
        "last": bars.close_ticks,
        "high": bars.high_ticks,
        "low": bars.low_ticks,
        "volume": bars.volume_lots,
        "n": bars.n_prints,
    }
    return payloads_of(Draft(parts_of(CANDLE, instrument), columns))


def last_candles(
    market: HyperSynthReactor, ends_ns: Sequence[int], names: Sequence[str]
) -> list[list[bytes]]:
    """Of each interval of these names, at each of these ascending ends of blocks, the candle that the last trade before
    it fell into, so far, as it is told.

    Empty where there was no trade for a day.
    """
    count, told = len(ends_ns), running_bars(market, [INTERVALS[name] for name in names], ends_ns)
    said = candle_texts(market.instrument, [name for name in names for _ in ends_ns], Bars.join(told))
    found = []
    for i, (name, bars) in enumerate(zip(names, told, strict=True)):
        texts = said[i * count : (i + 1) * count]
        for k in np.flatnonzero(bars.n_prints == 0).tolist():
            texts[k] = texts[k - 1] if k else _earlier_candle(market, name, ends_ns[0])
        found.append([text and b'{"channel":"candle","data":%b}' % text for text in texts])
    return found


def _earlier_candle(market: HyperSynthReactor, name: str, end_ns: int) -> bytes:
    interval = INTERVALS[name]
    bars = market.bars.bars(interval, interval.start(end_ns - DAY_NS), end_ns, end_ns)
    traded = bars.take(np.flatnonzero(bars.n_prints)[-1:])
    return b"".join(candle_texts(market.instrument, [name] * len(traded), traded))


def candles(
    market: HyperSynthReactor, name: str, first_ns: int, stop_ns: int, kept: int, now_ns: int
) -> list[bytes]:
    """The candles that open in [first_ns, stop_ns), of the newest `kept` there are; the last one as far as it goes.

    A candle without a trade is flat. Such candles appear with the next trade, not before:
    https://github.com/enarjord/passivbot/pull/1410, 2026-07-26.
    """
    interval, end_ns = INTERVALS[name], block_end(now_ns)
    oldest_ns = interval.start(end_ns - 1) - (kept - 1) * interval.length_ns if interval.length_ns else 0
    bars = market.bars.bars(interval, max(first_ns, oldest_ns), end_ns, end_ns)
    traded = np.flatnonzero(bars.n_prints)
    known = traded[-1] + 1 if len(traded) else 0
    asked = np.searchsorted(bars.open_ns, stop_ns)
    bars = bars.cut(0, int(min(known, asked)))
    return candle_texts(market.instrument, [name] * len(bars), bars)


# ---------------------------------------------------------------- funding
def settled_ns(market: str, settlement_ns: int) -> int:
    """When a settlement is recorded: 10 to 60 ms after its hour (15, 45 and 46 ms in a capture of 2026-09-25)."""
    words = f"{market}:{settlement_ns}".encode()
    return settlement_ns + (10 + blake2b(words, digest_size=1).digest()[0] % 51) * MS_NS


def funding_records(market: HyperSynthReactor, start_ns: int, stop_ns: int, limit: int) -> list[bytes]:
    """The oldest `limit` settlements recorded in [start_ns, stop_ns), with the hour's mean premium."""
    funding = funding_of(market.instrument)
    first_ns = max(start_ns - SECOND_NS, market.listed_ns)
    last_ns = min(stop_ns, first_ns + (limit + 2) * funding.interval_ns)
    name = market.instrument.market
    rows = funding.settlements(market, first_ns, last_ns)
    time = np.array([settled_ns(name, at_ns) for at_ns in rows.ts_ns.tolist()], dtype=np.int64)
    told = np.flatnonzero((start_ns <= time) & (time < stop_ns))[:limit]
    columns: dict[str, Values] = {
        "time": time[told],
        "funding": nearest(rows.rate_e12[told], 100),
        "premium": nearest(rows.premium_e12[told], 100),
    }
    return encode(parts_of(FUNDING_RECORD, market.instrument), columns)


def payments(market: HyperSynthReactor, start_ns: int, end_ns: int) -> FundingPayments:
    """The settlements in [start_ns, end_ns) as positions pay them: their value is taken at the oracle price.

    https://hyperliquid.gitbook.io/hyperliquid-docs/trading/funding (2026-11)
    """
    instrument = market.instrument
    rows = funding_of(instrument).settlements(market, start_ns, end_ns)
    if not len(rows):
        return FundingPayments.none()
    price_e8 = updates_at(market, rows.ts_ns).oracle * oracle_step_e8(instrument)
    recorded = [settled_ns(instrument.market, at_ns) for at_ns in rows.ts_ns.tolist()]
    rate_e12 = nearest(rows.rate_e12, 100) * 100
    return FundingPayments(rows.ts_ns, rate_e12, price_e8, np.array(recorded, np.int64))


def predicted_funding(market: HyperSynthReactor, now_ns: int) -> dict[str, Any]:
    """What would be settled now; keys as in a capture of 2026-07-30 (docs.blockpi.io).

    What the venue calls the next funding is the one that has just been: 06:00 on all of 234 coins, at 06:36 and 06:40
    (a probe of 2026-09-24).
    """
    funding = funding_of(market.instrument)
    return {
        "fundingRate": RATE.text(int(updates_at(market, np.array([block_end(now_ns)])).funding[0])),
        "nextFundingTime": funding.period(market, now_ns).start_ns // MS_NS,
        "fundingIntervalHours": funding.interval_h,
    }


# ---------------------------------------------------------------- contexts of assets
# The tape knows no open interest. It is taken as a fixed share of the day's volume, the one a capture of 2026-09-25
# shows for BTC: 39338.76246 open, 36757.56691 traded.
_OPEN_INTEREST = (107, 100)


def mids(market: HyperSynthReactor, ends_ns: Sequence[int]) -> Column:
    """The middle of the best bid and offer at these ends of blocks, in half ticks."""
    quotes = Quotes.join([market.quote(end_ns) for end_ns in ends_ns])
    return quotes.bid_ticks + quotes.ask_ticks


def all_mids(exchange: Exchange, now_ns: int, dex: str) -> dict[str, str]:
    """The mid price of every coin of a dex, in the order of their names (as in a recording of 2023-07-17); the main
    dex's include the spot pairs'.
    """
    texts = {
        market.instrument.symbol: mid_scale(market.instrument).text(int(mids(market, [block_end(now_ns)])[0]))
        for market in exchange
        if dex_of(market.instrument.symbol) == dex
    }
    return dict(sorted(texts.items()))


def _day(market: HyperSynthReactor, ends_ns: Sequence[int]) -> dict[str, Values]:
    """The price a day ago and what was traded since then, by whole minutes."""
    days = days_at(market, np.array(ends_ns))
    return {"previous": days.previous_ticks, "base": days.base_lots, "quote": days.quote_units}


def perp_context(market: HyperSynthReactor, ends_ns: Sequence[int]) -> dict[str, Values]:
    """The columns of PERP_CONTEXT at these ends of blocks.

    None of them needs the tape: the mid is that of the last second of the market's 1 s grid, a tick above its bid being
    the ask; where a second ends within half a block, that one. What happens this very instant is told by the channels
    that watch the book.
    """
    ends = np.array(ends_ns)
    now, day = updates_at(market, ends), days_at(market, ends)
    seconds = (ends + CHAIN_BLOCK_NS // 2) // SECOND_NS * SECOND_NS
    grid = market.seconds(int(seconds[0]), int(seconds[-1]) + SECOND_NS)
    bid_ticks = grid.bid_ticks[np.searchsorted(grid.ts_ns, seconds)]
    return {
        "previous": day.previous_ticks,
        "base": day.base_lots,
        "quote": day.quote_units,
        "funding": now.funding,
        "premium": now.premium,
        "oracle": now.oracle,
        "mark": now.mark,
        "impact_bid": now.impact_bid,
        "impact_ask": now.impact_ask,
        "open_interest": day.base_lots * _OPEN_INTEREST[0] // _OPEN_INTEREST[1],
        "mid": 2 * bid_ticks + 1,
    }


def spot_context(market: HyperSynthReactor, spot: Spot, ends_ns: Sequence[int]) -> dict[str, Values]:
    """The columns of SPOT_CONTEXT at these ends of blocks.

    How the venue marks a spot pair is not published; recorded marks are prices it could have traded at, where the mid
    beside them is not. Here it is the last trade's. Supplies do not change.
    """
    return {
        **_day(market, ends_ns),
        "mark": running_bars(market, [INTERVALS["1m"]], ends_ns)[0].close_ticks,
        "mid": mids(market, ends_ns),
        "circulating": [spot.circulating_supply] * len(ends_ns),
        "total": [spot.total_supply] * len(ends_ns),
    }


def contexts(row: Perp | Spot, exchange: Exchange, ends_ns: Sequence[int]) -> list[bytes]:
    """The context of a coin at these ends of blocks."""
    instrument = row.instrument
    market = exchange.world.market(instrument.market)
    if isinstance(row, Perp):
        return encode(parts_of(PERP_CONTEXT, instrument), perp_context(market, ends_ns))
    return encode(parts_of(SPOT_CONTEXT, instrument), spot_context(market, row, ends_ns))


# ---------------------------------------------------------------- what is pushed whole
SOUGHT_AT_ONCE = 30  # periods in which a state's last change is looked for


@dataclass(frozen=True, slots=True)
class Pushed:
    """A state, told whole at the last block end of each period that left it changed: every coin in step.

    `states` is the message at each of ascending ends of blocks, empty where there is nothing to tell; `paged` the same
    of a page, where others share in the making. A new subscriber gets the state that was told last or, with `fresh`,
    that of now.
    """

    every_ns: int
    states: Callable[[Sequence[int]], Sequence[bytes]]
    fresh: bool = False
    paged: Callable[[int, Sequence[int]], Sequence[bytes]] | None = None

    def page(self, start_ns: int) -> Page:
        ends = [self._end(i) for i in self._periods(start_ns)]
        states = self.paged(start_ns, ends) if self.paged else self.states(ends)
        told = [i for i in range(1, len(ends)) if states[i] not in (states[i - 1], b"")]
        return pack(start_ns, [ends[i] for i in told], [states[i] for i in told])

    def snapshot(self, now_ns: int) -> Sequence[bytes]:
        end_ns = block_end(now_ns) if self.fresh else self._end(self._period(now_ns))
        return [state for state in self.states([end_ns]) if state]

    def last_due_ns(self, now_ns: int) -> int:
        stop = self._period(now_ns) + 1
        oldest = stop - IDLE_NS // self.every_ns
        while stop > oldest:
            start = max(stop - SOUGHT_AT_ONCE, oldest)
            ends = [self._end(i) for i in range(start - 1, stop)]
            changed = zip(ends[1:], pairwise(self.states(ends)), strict=True)
            told = [end for end, (before, state) in changed if state not in (before, b"")]
            if told:
                return told[-1]
            stop = start
        return 0

    def _periods(self, start_ns: int) -> range:
        """The last period that has ended when a page starts, and those that end in it."""
        return range(start_ns // self.every_ns, (start_ns + PAGE_NS) // self.every_ns + 1)

    def _end(self, period: int) -> int:
        return block_end(period * self.every_ns)

    def _period(self, now_ns: int) -> int:
        """The last one whose end has come."""
        begun = now_ns // self.every_ns
        return begun + 1 if self._end(begun + 1) <= now_ns else begun


# ---------------------------------------------------------------- channels by name
def _market(exchange: Exchange, coin: str) -> HyperSynthReactor:
    market = exchange.market(coin)
    assert market is not None, coin
    return market


def _books(
    card: Card,
    exchange: Exchange,
    coin: str,
    n_sig_figs: int | None,
    mantissa: int | None,
    fast: bool = False,
) -> Pushed:
    feed, grouping = card.profile.books[fast], Grouping(n_sig_figs, mantissa)
    states = partial(book_messages, _market(exchange, coin), feed.levels, grouping, fast)
    return Pushed(feed.every_ns, states, fresh=True)


def _candles(card: Card, exchange: Exchange, coin: str, interval: str) -> Pushed:
    market = _market(exchange, coin)

    def states(ends_ns: Sequence[int]) -> list[bytes]:
        return last_candles(market, ends_ns, [interval])[0]

    def paged(start_ns: int, ends_ns: Sequence[int]) -> list[bytes]:
        return shared_by_kind(market, start_ns, "candles", interval, partial(last_candles, market, ends_ns))

    return Pushed(card.profile.candles_ns, states, paged=paged)


_ACTIVE_CONTEXT: Final = {Kind.PERP: "activeAssetCtx", Kind.SPOT: "activeSpotAssetCtx"}


def _active_context(card: Card, exchange: Exchange, coin: str) -> Pushed:
    (row,) = (row for row in card.rows if row.instrument.symbol == coin)
    head = f'{{"channel":"{_ACTIVE_CONTEXT[row.instrument.kind]}","data":{{"coin":"{coin}","ctx":'.encode()

    def states(ends_ns: Sequence[int]) -> list[bytes]:
        return [head + text + b"}}" for text in contexts(row, exchange, ends_ns)]

    return Pushed(card.profile.contexts_ns, states)


def _context_lists(
    rows: Sequence[Perp] | Sequence[Spot], exchange: Exchange, ends_ns: Sequence[int]
) -> list[bytes]:
    """The contexts of all of these, as one array, at each of these ends of blocks."""
    by_coin = [contexts(row, exchange, ends_ns) for row in rows]
    return [b"[%b]" % b",".join(texts[i] for texts in by_coin) for i in range(len(ends_ns))]


def _asset_contexts(card: Card, exchange: Exchange, dex: str) -> Pushed:
    rows, head = (
        perps_of(card, exchange, dex),
        f'{{"channel":"assetCtxs","data":{{"dex":"{dex}","ctxs":'.encode(),
    )

    def states(ends_ns: Sequence[int]) -> list[bytes]:
        return [head + texts + b"}}" for texts in _context_lists(rows, exchange, ends_ns)]

    return Pushed(card.profile.all_contexts_ns, states)


def _all_dexs_contexts(card: Card, exchange: Exchange) -> Pushed:
    names = [MAIN_DEX, *(dex.name for dex in dexs_of(card, exchange))]

    def states(ends_ns: Sequence[int]) -> list[bytes]:
        lists = [_context_lists(perps_of(card, exchange, name), exchange, ends_ns) for name in names]
        pairs = [
            b",".join(
                b'["%b",%b]' % (name.encode(), texts[i]) for name, texts in zip(names, lists, strict=True)
            )
            for i in range(len(ends_ns))
        ]
        return [b'{"channel":"allDexsAssetCtxs","data":{"ctxs":[%b]}}' % text for text in pairs]

    return Pushed(card.profile.all_contexts_ns, states)


def _spot_contexts(card: Card, exchange: Exchange) -> Pushed:
    def states(ends_ns: Sequence[int]) -> list[bytes]:
        lists = _context_lists(offered(card.spots, exchange), exchange, ends_ns)
        return [b'{"channel":"spotAssetCtxs","data":%b}' % texts for texts in lists]

    return Pushed(card.profile.all_contexts_ns, states)


def _all_mids(card: Card, exchange: Exchange, dex: str) -> Pushed:
    """A builder's dex is named, and comes first (a probe of 2026-09-24)."""
    head = b'{"channel":"allMids","data":{' + (f'"dex":"{dex}",'.encode() if dex != MAIN_DEX else b"")

    def states(ends_ns: Sequence[int]) -> list[bytes]:
        maps = [orjson.dumps(all_mids(exchange, end_ns, dex)) for end_ns in ends_ns]
        return [b'%b"mids":%b}}' % (head, prices) for prices in maps]

    return Pushed(card.profile.mids_ns, states)


# ---------------------------------------------------------------- prices of all coins, in short
FAST_CONTEXTS_NS = SECOND_NS  # measured on 2026-09-24


@dataclass(frozen=True, slots=True)
class FastContexts:
    """fastAssetCtxs: mark and mid of every coin, each second those that have changed; first all of them.

    {"channel":"fastAssetCtxs","data":"<base64 of raw deflate>"}, of {"BTC":{"markPx":"84148.0","midPx":"84143.5"}, ...}
    (a probe of 2026-09-24). The deflate here has only stored blocks: what a compressor makes of a text is not the same
    on every machine.
    """

    rows: Sequence[Perp | Spot]
    exchange: Exchange

    def page(self, start_ns: int) -> Page:
        ends = [block_end(end_ns) for end_ns in range(start_ns, start_ns + PAGE_NS + 1, FAST_CONTEXTS_NS)]
        changes = [_changes(before, after) for before, after in pairwise(self._states(ends))]
        told = [i for i, changed in enumerate(changes) if changed]
        return pack(start_ns, [ends[i + 1] for i in told], [_fast_contexts(changes[i]) for i in told])

    def snapshot(self, now_ns: int) -> Sequence[bytes]:
        return [_fast_contexts(self._states([self._last_end(now_ns)])[0])]

    def last_due_ns(self, now_ns: int) -> int:
        ends = [
            self._last_end(now_ns - i * FAST_CONTEXTS_NS) for i in range(IDLE_NS // FAST_CONTEXTS_NS, -1, -1)
        ]
        changed = zip(ends[1:], pairwise(self._states(ends)), strict=True)
        return max((end for end, (before, after) in changed if before != after), default=0)

    def _last_end(self, now_ns: int) -> int:
        """When the last push by now was."""
        upcoming = block_end((now_ns // FAST_CONTEXTS_NS + 1) * FAST_CONTEXTS_NS)
        return upcoming if upcoming <= now_ns else block_end(now_ns // FAST_CONTEXTS_NS * FAST_CONTEXTS_NS)

    def _states(self, ends_ns: Sequence[int]) -> list[Prices]:
        """Mark and mid by coin, at each of these ascending ends of blocks."""
        told = {
            row.instrument.symbol: [orjson.loads(text) for text in contexts(row, self.exchange, ends_ns)]
            for row in self.rows
        }
        return [
            {coin: {key: column[i][key] for key in ("markPx", "midPx")} for coin, column in told.items()}
            for i in range(len(ends_ns))
        ]


Prices: TypeAlias = dict[str, dict[str, str]]


def _changes(before: Prices, after: Prices) -> Prices:
    """What is not as it was, coins and keys."""
    found = {
        coin: {key: price for key, price in prices.items() if price != before[coin][key]}
        for coin, prices in after.items()
    }
    return {coin: prices for coin, prices in found.items() if prices}


def _fast_contexts(prices: Prices) -> bytes:
    return b'{"channel":"fastAssetCtxs","data":"%b"}' % b64encode(stored(orjson.dumps(prices)))


def stored(data: bytes) -> bytes:
    """Raw deflate without compression: blocks of a byte that tells the last one, the length, its complement, the data.

    RFC 1951 section 3.2.4, https://www.rfc-editor.org/rfc/rfc1951, 1996-05.
    """
    most = (1 << 16) - 1
    blocks = []
    for start in range(0, len(data), most):
        piece = data[start : start + most]
        size = len(piece)
        blocks.append(bytes([start + size == len(data)]))
        blocks.append(size.to_bytes(2, "little") + (size ^ most).to_bytes(2, "little") + piece)
    return b"".join(blocks)


@dataclass(frozen=True, slots=True)
class Silent:
    """A channel of things that do not happen here."""

    def page(self, start_ns: int) -> Page:
        return pack(start_ns, [], [])

    def snapshot(self, now_ns: int) -> Sequence[bytes]:  # noqa: ARG002
        return []

    def last_due_ns(self, now_ns: int) -> int:  # noqa: ARG002
        return 0


# ---------------------------------------------------------------- the table of channels
# Of a coin ("" for all of them) and the values of a subscription's other fields.
CHANNELS: Final[Mapping[str, Callable[..., HyperliquidChannel]]] = {
    "l2Book": _books,
    "bbo": lambda _card, exchange, coin: BestOffer(_market(exchange, coin)),
    "trades": lambda _card, exchange, coin: Trades(_market(exchange, coin)),
    "candle": _candles,
    "activeAssetCtx": _active_context,
    "allMids": lambda card, exchange, _coin, dex: _all_mids(card, exchange, dex),
    "assetCtxs": lambda card, exchange, _coin, dex: _asset_contexts(card, exchange, dex),
    "allDexsAssetCtxs": lambda card, exchange, _coin: _all_dexs_contexts(card, exchange),
    "spotAssetCtxs": lambda card, exchange, _coin: _spot_contexts(card, exchange),
    "fastAssetCtxs": lambda card, exchange, _coin: FastContexts(
        [*offered(card.perps, exchange), *offered(card.spots, exchange)], exchange
    ),
    "outcomeMetaUpdates": lambda _card, _exchange, _coin: Silent(),
}


def topic(channel: str, fields: Mapping[str, Any]) -> Topic:
    """The topic of a subscription's fields: options are the JSON of all but the coin, in order."""
    options = (orjson.dumps(value).decode() for name, value in fields.items() if name != "coin")
    return Topic(channel, fields.get("coin", ""), tuple(options))


def make_channel(of: Topic, exchange: Exchange, card: Card) -> HyperliquidChannel:
    """The channel of a topic made by `topic`; late, where it is of a market whose news are."""
    channel = CHANNELS[of.channel](card, exchange, of.symbol, *map(orjson.loads, of.options))
    market = exchange.market(of.symbol)
    latency = exchange.latency(market, of.channel, *of.options) if market else None
    return LateChannel(channel, latency) if latency else channel
