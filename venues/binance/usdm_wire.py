"""Binance USD-M market streams: what they say, which rows fill them, and how they are named.

Rows that both markets of the family tell alike come from `wire`; here is what futures add: event and transaction
times, the previous update id, marks, contracts named by pair and type, and streams of all markets that speak one
symbol at a time.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping, Sequence
from functools import partial

import numpy as np

from reactor.bars import Interval
from reactor.fixed import ends
from reactor.single_asset import HyperSynthReactor
from reactor.types import MS_NS, SECOND_NS, TICK_NS, Column, Side
from venues.base import PAGE_NS, Exchange, Page, Topic
from venues.binance.mark import mark_prices
from venues.binance.usdm_rules import MARKET, NEVER_MS, PUBLIC, USDM_PHASES, contract_of
from venues.binance.wire import (
    DAY_MINUTES,
    EVERY_SECOND,
    EVERY_TWO_SECONDS,
    INTERVALS,
    REAL_TIME,
    SILENT,
    AllMarkets,
    Rows,
    RowSource,
    Stream,
    aggregate_trades,
    average_paid_e12,
    best_levels,
    best_quotes,
    boundaries,
    boundary,
    day_tickers,
    depth_changes,
    envelope,
    happened,
    klines,
    level_windows,
    nothing,
    page_block,
    quote_columns,
    stream_topic,
    trades,
    window_tickers,
)
from venues.sheets import shared
from venues.wire import frame_all, page_of

# ---------------------------------------------------------------- the messages
# Keys and their order as recorded from fstream.binance.com: trade 2026-08-02, aggTrade, bookTicker, depthUpdate and
# markPriceUpdate 2026-09-27, 24hrTicker 2026-08-23, kline 2026-09-30; pair and contract type ("ps", "st") came on
# 2026-06-30. 24hrMiniTicker is as recorded for a coin-margined symbol on 2021-12-23, continuous_kline as documented.
USDM_TRADE = (
    '{"e":"trade","E":<E:time>,"T":<T:time>,"s":"<s:symbol>","t":<t>,"p":"<p:price>","q":"<q:qty>",'
    '"X":"MARKET","m":<m:flag>,"st":1}'
)
USDM_AGG_TRADE = (
    '{"e":"aggTrade","E":<E:time>,"a":<a>,"s":"<s:symbol>","p":"<p:price>","q":"<q:qty>","nq":"<q:qty>",'
    '"f":<f>,"l":<l>,"T":<T:time>,"m":<m:flag>,"st":1}'
)
USDM_BOOK_TICKER = (
    '{"e":"bookTicker","u":<u>,"s":"<s:symbol>","ps":"<s:symbol>","b":"<b:price>","B":"<B:qty>","a":"<a:price>",'
    '"A":"<A:qty>","T":<T:time>,"E":<E:time>,"st":1}'
)
USDM_DEPTH_UPDATE = (
    '{"e":"depthUpdate","E":<E:time>,"T":<T:time>,"s":"<s:symbol>","ps":"<s:symbol>","U":<U>,"u":<u>,"pu":<pu>,'
    '"b":[<b:levels>],"a":[<a:levels>],"st":1}'
)
_KLINE_FIELDS = (
    '"i":"INTERVAL","f":<f>,"L":<L>,"o":"<o:price>","c":"<c:price>","h":"<h:price>","l":"<l:price>","v":"<v:qty>",'
    '"n":<n>,"x":<x:flag>,"q":"<q:quote>","V":"<V:qty>","Q":"<Q:quote>","B":"0"'
)
USDM_KLINE = (
    '{"e":"kline","E":<E:time>,"s":"<s:symbol>","k":{"t":<t:time>,"T":<T:time>,"s":"<s:symbol>",'
    + _KLINE_FIELDS
    + "}}"
)
USDM_CONTINUOUS_KLINE = (
    '{"e":"continuous_kline","E":<E:time>,"ps":"<s:symbol>","ct":"PERPETUAL","k":{"t":<t:time>,"T":<T:time>,'
    + _KLINE_FIELDS
    + "}}"
)
USDM_MINI_TICKER = (
    '{"e":"24hrMiniTicker","E":<E:time>,"s":"<s:symbol>","ps":"<s:symbol>","c":"<c:price>","o":"<o:price>",'
    '"h":"<h:price>","l":"<l:price>","v":"<v:qty>","q":"<q:cash>","st":1}'
)
USDM_TICKER = (
    '{"e":"24hrTicker","E":<E:time>,"s":"<s:symbol>","ps":"<s:symbol>","p":"<p:price>","P":"<P:percent>",'
    '"w":"<w:average>","c":"<c:price>","Q":"<Q:qty>","o":"<o:price>","h":"<h:price>","l":"<l:price>","v":"<v:qty>",'
    '"q":"<q:cash>","O":<O:time>,"C":<C:time>,"F":<F>,"L":<L>,"n":<n>,"st":1}'
)
# "ap", the average of the mark price, has been equal to it in every recorded message
USDM_MARK_PRICE = (
    '{"e":"markPriceUpdate","E":<E:time>,"s":"<s:symbol>","p":"<p:e8>","ap":"<p:e8>","P":"<P:e8>","i":"<i:e8>",'
    '"r":"<r:e8>","T":<T:time>,"st":1}'
)

# .../usds-margined-futures/websocket-market-streams, 2026-08, and so recorded (a symbol's) on 2020-03-13
USDM_FORCE_ORDER = (
    '{"e":"forceOrder","E":<E:time>,"o":{"s":"<s:symbol>","S":"<S:side>","o":"LIMIT","f":"IOC","q":"<q:qty>",'
    '"p":"<p:price>","ap":"<ap:average>","X":"FILLED","l":"<l:qty>","z":"<q:qty>","T":<T:time>}}'
)
USDM_FORCE_ORDER_OF_ALL = USDM_FORCE_ORDER[:-1] + ',"ps":"<s:symbol>","st":1}'
# as recorded on 2026-07-20, when coins other than tether had no buffers
USDM_ASSET_INDEX = (
    '{"e":"assetIndexUpdate","E":<E:time>,"s":"<s:dollars>","i":"<i:e8>","b":"0.00000000","a":"0.00000000",'
    '"B":"<i:e8>","A":"<i:e8>","q":"0.00000000","g":"0.00000000","Q":"<i:e8>","G":"<i:e8>"}'
)
# .../usds-margined-futures/websocket-market-streams/Contract-Info-Stream, 2026-08; `st` as in binance-connector-python,
# 2026-08-21. Brackets are only told when they change, which they never do.
USDM_CONTRACT_INFO = (
    '{"e":"contractInfo","E":%d,"s":"%s","ps":"%s","ct":"PERPETUAL","dt":%d,"ot":%d,"cs":"%s","st":1}'
)


# ---------------------------------------------------------------- the rows of a page
def dated_quotes(market: HyperSynthReactor, start_ns: int, cadence_ns: int) -> Rows:
    """Every change of the best bid or offer, with its own time."""
    due, columns = best_quotes(market, start_ns, cadence_ns)
    times = page_block(market, start_ns).quotes.ts_ns
    return due, {"E": due, "T": times, **columns}


def sampled_quotes(market: HyperSynthReactor, start_ns: int, cadence_ns: int) -> Rows:
    """The best bid and offer at every boundary before which they changed."""
    due = boundaries(start_ns, cadence_ns)
    quotes = page_block(market, start_ns).quotes
    due = due[happened(quotes.ts_ns, start_ns, due)]
    last = quotes.take(np.searchsorted(quotes.ts_ns, due) - 1)
    return due, {"E": due, "T": last.ts_ns, "u": last.update_id, **quote_columns(last)}


def chained_depth(market: HyperSynthReactor, start_ns: int, cadence_ns: int) -> Rows:
    """Depth changes with the time of the last one, and the update id that the event before ended with.

    The venue's ids are shared by many symbols, so it leaves gaps between events; here U is always pu + 1.
    """
    due, columns = depth_changes(market, start_ns, cadence_ns)
    return due, {**columns, **_chain(market, start_ns, cadence_ns)}


def chained_levels(n: int, market: HyperSynthReactor, start_ns: int, cadence_ns: int) -> Rows:
    """The best n levels of both sides, told like changes of the book."""
    due, columns = best_levels(n, 50 * MS_NS, market, start_ns, cadence_ns)
    rows = {"E": due, "u": columns["lastUpdateId"], "b": columns["bids"], "a": columns["asks"]}
    return due, {**rows, **_chain(market, start_ns, cadence_ns)}


def _chain(market: HyperSynthReactor, start_ns: int, cadence_ns: int) -> dict[str, Column]:
    """What ties the event due at each of the boundaries at which a level changed to the one before: T, U and pu."""

    def chain() -> dict[str, Column]:
        levels = page_block(market, start_ns).levels
        _, _, last = level_windows(market, start_ns, cadence_ns)
        before = np.append(market.update_id(start_ns), levels.update_id[last])[: len(last)]
        return {"T": levels.tick[last] * TICK_NS, "U": before + 1, "pu": before}

    return shared(market, start_ns, ("chain", cadence_ns), chain)


def mark_updates(market: HyperSynthReactor, start_ns: int, cadence_ns: int) -> Rows:
    """Mark, index and funding at every boundary, as of that very second."""
    due = boundaries(start_ns, cadence_ns)
    marks = mark_prices(market, start_ns + SECOND_NS, start_ns + PAGE_NS + SECOND_NS)
    told = (due - start_ns) // SECOND_NS - 1
    return due, {
        "E": due,
        "p": marks.mark_e8[told],
        "P": marks.settle_e8[told],
        "i": marks.index_e8[told],
        "r": marks.rate_e8[told],
        "T": marks.next_funding_ns[told],
    }


def liquidation_orders(market: HyperSynthReactor, start_ns: int, cadence_ns: int) -> Rows:
    """At every boundary, the last of the liquidations since the one before, if there was any."""
    rows = market.liquidations(start_ns, start_ns + PAGE_NS)
    due = boundary(rows.ts_ns, cadence_ns)
    last = np.flatnonzero(ends(due))
    rows, due = rows.take(last), due[last]
    return due, {
        "E": due,
        "S": (rows.side == Side.SELL).astype(np.int64),
        "p": rows.price_ticks,
        "ap": average_paid_e12(market.instrument, rows.quote_units, rows.qty_lots),
        "q": rows.qty_lots,
        "l": rows.last_qty_lots,
        "T": rows.ts_ns,
    }


def asset_indexes(market: HyperSynthReactor, start_ns: int, cadence_ns: int) -> Rows:
    """The index of a market's asset in dollars, of which a tether is one, at every boundary, as of that very second."""
    due = boundaries(start_ns, cadence_ns)
    index_e8 = market.seconds(start_ns + SECOND_NS, start_ns + PAGE_NS + SECOND_NS).index_e8
    return due, {"E": due, "i": index_e8[(due - start_ns) // SECOND_NS - 1]}


# ---------------------------------------------------------------- the table of streams
# "0ms" is not documented; it pushed every 50 ms when it was measured (2024-08). 250 ms may be spelt out.
USDM_DEPTH_CADENCES = {
    "": 250 * MS_NS,
    "250ms": 250 * MS_NS,
    "500ms": 500 * MS_NS,
    "100ms": 100 * MS_NS,
    "0ms": 50 * MS_NS,
}
MARK_CADENCES = {"": 3 * SECOND_NS, "1s": SECOND_NS}
CONTRACTS = "!contractInfo"
PERPETUAL = "_PERPETUAL"  # what a pair is followed by where a stream is of a pair's contract

# an aggregate is one order's at one price; the venue also joins orders of the same side and price within the 100 ms
_PUBLIC: Mapping[str, Stream] = {
    "trade": Stream(USDM_TRADE, trades, REAL_TIME),
    "bookTicker": Stream(USDM_BOOK_TICKER, dated_quotes, REAL_TIME),
    "!bookTicker": Stream(USDM_BOOK_TICKER, sampled_quotes, {"": 5 * SECOND_NS}),
    "depth": Stream(USDM_DEPTH_UPDATE, chained_depth, USDM_DEPTH_CADENCES),
    **{
        f"depth{n}": Stream(USDM_DEPTH_UPDATE, partial(chained_levels, n), USDM_DEPTH_CADENCES)
        for n in (5, 10, 20)
    },
    # no order of the tape is hidden from the book as those of retail price improvement are
    "rpiDepth": Stream(USDM_DEPTH_UPDATE, chained_depth, {"500ms": 500 * MS_NS}),
}


def _klines(text: str, name: str, interval: Interval) -> Stream:
    return Stream(text.replace("INTERVAL", name), partial(klines, interval), {"": 250 * MS_NS})


_MINI: RowSource = partial(window_tickers, DAY_MINUTES)
_MARKET: Mapping[str, Stream] = {
    "aggTrade": Stream(USDM_AGG_TRADE, aggregate_trades, {"": 100 * MS_NS}),
    "markPrice": Stream(USDM_MARK_PRICE, mark_updates, MARK_CADENCES),
    "!markPrice@arr": Stream(USDM_MARK_PRICE, mark_updates, MARK_CADENCES),
    "miniTicker": Stream(USDM_MINI_TICKER, _MINI, EVERY_TWO_SECONDS),
    "!miniTicker@arr": Stream(USDM_MINI_TICKER, _MINI, EVERY_SECOND),
    "ticker": Stream(USDM_TICKER, day_tickers, EVERY_TWO_SECONDS),
    "!ticker@arr": Stream(USDM_TICKER, day_tickers, EVERY_SECOND),
    "forceOrder": Stream(USDM_FORCE_ORDER, liquidation_orders, EVERY_SECOND),
    "!forceOrder@arr": Stream(USDM_FORCE_ORDER_OF_ALL, liquidation_orders, EVERY_SECOND),
    "assetIndex": Stream(USDM_ASSET_INDEX, asset_indexes, EVERY_SECOND),
    "!assetIndex@arr": Stream(USDM_ASSET_INDEX, asset_indexes, EVERY_SECOND),
    CONTRACTS: Stream(USDM_CONTRACT_INFO, nothing, REAL_TIME),
    "compositeIndex": SILENT,  # no contract is of several coins
    **{f"kline_{name}": _klines(USDM_KLINE, name, row) for name, row in INTERVALS.items() if name != "1s"},
    **{
        f"continuousKline_{name}": _klines(USDM_CONTINUOUS_KLINE, name, row)
        for name, row in INTERVALS.items()
    },
}

USDM_STREAMS: Mapping[str, Stream] = {**_PUBLIC, **_MARKET}
USDM_CATEGORIES = {name: PUBLIC if name in _PUBLIC else MARKET for name in USDM_STREAMS}
ONE_BY_ONE = frozenset(("!bookTicker", "!forceOrder@arr"))  # streams of all markets that are no arrays


SESSIONS = "tradingSession"  # of what is not traded around the clock: nothing here
# A user's stream, named by its key.
_LISTEN_KEY = re.compile(r"[A-Za-z0-9]{64}")


def usdm_topic(
    name: str, streams: Mapping[str, Stream], symbols: Container[str], dress: tuple[str, ...]
) -> Topic | None:
    """The topic of a stream name; None when there is nothing to hear: no such symbol, or a user's stream.

    Raises VenueError on a malformed name.
    """
    if _LISTEN_KEY.fullmatch(name) or name == SESSIONS:
        return None
    return stream_topic(name, streams, symbols, dress, meant_symbol)


def meant_symbol(channel: str, word: str) -> str:
    """The market that a stream is of, by the word before its channel; "" for none.

    A continuous kline is of a pair's contract ("BTCUSDT_PERPETUAL"), an asset's index of its price ("BTCUSD").
    """
    if channel.startswith("continuousKline"):
        return word.removesuffix(PERPETUAL) if word.endswith(PERPETUAL) else ""
    if channel == "assetIndex":
        return f"{word}T" if word.endswith("USD") else ""
    return word


class ContractChannel:
    """What becomes of contracts: listed, halted, taken off. It is seen at the end of the tick in which it happens."""

    def __init__(self, topic: Topic, stream: Stream, exchange: Exchange) -> None:
        self._text, self._exchange = stream.text, exchange
        self._envelope = envelope(topic)

    def page(self, start_ns: int) -> Page:
        told = list(self._messages(start_ns))
        framed = frame_all([text for _, text in told], *self._envelope)
        return page_of(start_ns, [due for due, _ in told], framed)

    def _messages(self, start_ns: int) -> Iterator[tuple[int, bytes]]:
        world = self._exchange.world
        for at_ns, market in self._exchange.turns(start_ns, start_ns + PAGE_NS):
            before, now = (USDM_PHASES.get(world.phase(market, when_ns)) for when_ns in (at_ns - 1, at_ns))
            if now is not None and now != before:
                contract, due_ns = world.instrument(market), at_ns + TICK_NS
                times = due_ns // MS_NS, contract_of(contract).onboard_ms
                names = contract.symbol, contract.symbol
                yield due_ns, (self._text % (times[0], *names, NEVER_MS, times[1], now)).encode()

    def snapshot(self, now_ns: int) -> Sequence[bytes]:  # noqa: ARG002
        return ()


class MergedChannel:
    """The frames of a stream of all markets, each message on its own."""

    def __init__(self, topic: Topic, stream: Stream, exchange: Exchange, decimals: int) -> None:
        self._markets = AllMarkets(topic, stream, exchange, decimals)
        self._envelope = envelope(topic)

    def page(self, start_ns: int) -> Page:
        # stable: at an instant, in the order of listing
        told = sorted(self._markets.messages(start_ns), key=lambda row: row[0])
        framed = frame_all([text for _, text in told], *self._envelope)
        return page_of(start_ns, [due for due, _ in told], framed)

    def snapshot(self, now_ns: int) -> Sequence[bytes]:  # noqa: ARG002
        return ()
