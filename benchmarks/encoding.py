"""What it costs to write pages of messages, from columns to finished frames, beside dictionaries and a JSON library.

Columns are those of a market's pages, so each message says what the tape says. The references write the same messages,
a row at a time, and do not frame them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import orjson

from benchmarks.harness import Bound, Row, in_turns
from benchmarks.markets import ORIGIN_NS, exchange
from benchmarks.references import naive_exchange
from reactor.single_asset import HyperSynthReactor
from reactor.types import MS_NS, SECOND_NS, TICK_NS
from venues.base import PAGE_NS, Topic
from venues.binance.usdm_wire import (
    USDM_AGG_TRADE,
    USDM_BOOK_TICKER,
    USDM_DEPTH_UPDATE,
    USDM_TRADE,
    chained_depth,
    dated_quotes,
)
from venues.binance.wire import RowSource, aggregate_trades, trades
from venues.binance.wire import parts_of as binance_parts
from venues.hyperliquid.wire import L2_BOOK, TRADES, Grouping, block_ends, book_columns, trade_columns
from venues.hyperliquid.wire import parts_of as hyperliquid_parts
from venues.registry import VENUES
from venues.wire import Draft, Part, Picked, Ragged, Values, cut, encode, frame_all, joined, payloads, write

Said: TypeAlias = Iterator[dict[str, Any]]  # the messages of a page, as dictionaries
Dumps: TypeAlias = Callable[[Any], bytes]

MANY = 5_000  # messages, levels or prints that are written at once, at least, as in a burst
REPEATS = 3
CARDS = {venue.id: venue for venue in VENUES}
MINUTES, ALONE = 60, 300


def encoding(runs: int) -> Iterator[Row]:
    """Pages of BTC on Binance USD-M and Hyperliquid, from columns to frames; then with the market that they tell of.

    Pages of ten seconds as they come in an ordinary minute, those with many rows with bounds; pages with MANY of what
    is counted, as in a burst, with bounds; and a message by itself, beside the template that it is written by.
    """
    for case in _cases():
        yield from _measured(case, runs)
    yield from generating(runs)


@dataclass(frozen=True, slots=True)
class _Case:
    """Pages of one kind of message, how a reference says them, and what is counted."""

    workload: str
    counts: Callable[[Draft], int]
    of: str
    pages: Sequence[Draft]
    said: Callable[[Mapping[str, Any]], Said]
    bound: Bound
    full: bool = False  # whether pages have rows enough to be within it as they come

    def write(self, drafts: Sequence[Draft]) -> None:
        """As a channel does."""
        for draft in drafts:
            write([draft])

    def template(self, drafts: Sequence[Draft]) -> None:
        """By the other encoder."""
        for draft in drafts:
            frame_all(encode(draft.parts, draft.columns))

    def dump(self, dumps: Dumps, drafts: Sequence[Draft]) -> None:
        """As dictionaries."""
        for draft in drafts:
            _texts(self, draft, dumps)


def _measured(case: _Case, runs: int) -> Iterator[Row]:
    many, page = _many(case), case.pages[0]
    single = Draft(page.parts, cut(page.columns, 0, 1))
    assert _texts(case, many, orjson.dumps) == write([many])[0].payloads(), case.workload
    references: Mapping[str, Callable[[Sequence[Draft]], None]] = {
        "dict + orjson": partial(case.dump, orjson.dumps),
        "f-string + json.dumps": partial(case.dump, _json),
        "template": case.template,
    }
    workloads: Sequence[tuple[str, Sequence[Draft], Mapping[str, Bound | None]]] = (
        ("pages of 10 s", case.pages, {"dict + orjson": case.bound if case.full else None, "template": None}),
        (f"{case.counts(many):,} at once", [many], dict.fromkeys(references) | {"dict + orjson": case.bound}),
        ("one message", [single] * ALONE, {"template": Bound(1.1)}),
    )
    for size, drafts, beside in workloads:
        counted = sum(map(case.counts, drafts)) if drafts[0] is not single else ALONE
        works: list[Callable[[Sequence[Draft]], None]] = [case.write, *(references[name] for name in beside)]
        mine, *costs = in_turns(runs, *(partial(_ns, partial(work, drafts), counted) for work in works))
        unit = f"ns/{case.of if drafts[0] is not single else 'message'}"
        for (name, bound), cost in zip(beside.items(), costs, strict=True):
            yield Row.of("encode", f"{case.workload}, {size}", unit, mine, name, cost, bound)


def _many(case: _Case) -> Draft:
    """So many pages as one that there are MANY of what is counted."""
    totals = np.cumsum([case.counts(page) for page in case.pages])
    return joined(case.pages[: int(np.searchsorted(totals, MANY)) + 1])


def _texts(case: _Case, page: Draft, dumps: Dumps) -> list[bytes]:
    return [dumps(message) for message in case.said(page.columns)]


def _json(message: dict[str, Any]) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode()


def _ns(work: Callable[[], object], counted: int) -> float:
    """CPU time for each of what is counted."""
    start_ns = time.process_time_ns()
    for _ in range(REPEATS):
        work()
    return (time.process_time_ns() - start_ns) / (REPEATS * counted)


# ---------------------------------------------------------------- the messages, and how a reference says them
def _lists(columns: Mapping[str, Any], *names: str) -> Iterator[tuple[int, ...]]:
    return zip(*(columns[name].tolist() for name in names), strict=True)


def _trades(columns: Mapping[str, Any]) -> Said:
    for event, time_ns, number, price, lots, maker in _lists(columns, "E", "T", "t", "p", "q", "m"):
        yield {
            "e": "trade",
            "E": event // MS_NS,
            "T": time_ns // MS_NS,
            "s": "BTCUSDT",
            "t": number,
            "p": f"{price / 10:.2f}",
            "q": f"{lots / 1_000:.3f}",
            "X": "MARKET",
            "m": bool(maker),
            "st": 1,
        }


def _aggregates(columns: Mapping[str, Any]) -> Said:
    names = ("E", "a", "p", "q", "f", "l", "T", "m")
    for event, number, price, lots, first, last, time_ns, maker in _lists(columns, *names):
        qty = f"{lots / 1_000:.3f}"
        yield {
            "e": "aggTrade",
            "E": event // MS_NS,
            "a": number,
            "s": "BTCUSDT",
            "p": f"{price / 10:.2f}",
            "q": qty,
            "nq": qty,
            "f": first,
            "l": last,
            "T": time_ns // MS_NS,
            "m": bool(maker),
            "st": 1,
        }


def _tickers(columns: Mapping[str, Any]) -> Said:
    for update, bid, bids, ask, asks, time_ns, event in _lists(columns, "u", "b", "B", "a", "A", "T", "E"):
        yield {
            "e": "bookTicker",
            "u": update,
            "s": "BTCUSDT",
            "ps": "BTCUSDT",
            "b": f"{bid / 10:.2f}",
            "B": f"{bids / 1_000:.3f}",
            "a": f"{ask / 10:.2f}",
            "A": f"{asks / 1_000:.3f}",
            "T": time_ns // MS_NS,
            "E": event // MS_NS,
            "st": 1,
        }


def _depths(columns: Mapping[str, Any]) -> Said:
    sides = [
        _split(columns[side], [f"{price / 10:.2f}" for price in prices], [f"{q / 1_000:.3f}" for q in lots])
        for side in "ba"
        for prices, lots in [(columns[side].columns["price"].tolist(), columns[side].columns["qty"].tolist())]
    ]
    rows = _lists(columns, "E", "T", "U", "u", "pu")
    for (event, time_ns, first, last, before), bids, asks in zip(rows, *sides, strict=True):
        yield {
            "e": "depthUpdate",
            "E": event // MS_NS,
            "T": time_ns // MS_NS,
            "s": "BTCUSDT",
            "ps": "BTCUSDT",
            "U": first,
            "u": last,
            "pu": before,
            "b": bids,
            "a": asks,
            "st": 1,
        }


def _books(columns: Mapping[str, Any]) -> Said:
    sides = [
        [
            [
                {"px": f"{px}.0", "sz": _trimmed(sz), "n": n}
                for px, sz, n in _lists(cut(levels.columns, start, stop), "px", "sz", "n")
            ]
            for start, stop in pairwise([0, *levels.ends.tolist()])
        ]
        for levels in (columns["bids"], columns["asks"])
    ]
    for time_ns, bids, asks in zip(columns["time"].tolist(), *sides, strict=True):
        book = {"coin": "BTC", "time": time_ns // MS_NS, "levels": [bids, asks]}
        yield {"channel": "l2Book", "data": book}


def _prints(columns: Mapping[str, Any]) -> Said:
    trades = columns["trades"]
    names = ("side", "px", "sz", "time", "tid")
    numbers = _lists(trades.columns, *names)
    texts = (trades.columns[name] for name in ("hash", "buyer", "seller"))
    told = [
        {
            "coin": "BTC",
            "side": "B" if side else "A",
            "px": f"{px}.0",
            "sz": _trimmed(sz),
            "time": time_ns // MS_NS,
            "hash": transaction,
            "tid": tid,
            "users": [buyer, seller],
        }
        for (side, px, sz, time_ns, tid), transaction, buyer, seller in zip(numbers, *texts, strict=True)
    ]
    for start, stop in pairwise([0, *trades.ends.tolist()]):
        yield {"channel": "trades", "data": told[start:stop]}


def _split(lists: Any, *columns: Sequence[str]) -> list[list[list[str]]]:
    rows = list(map(list, zip(*columns, strict=True)))
    return [rows[start:stop] for start, stop in pairwise([0, *lists.ends.tolist()])]


def _trimmed(lots: int) -> str:
    text = f"{lots / 100_000:.5f}".rstrip("0")
    return text + "0" * text.endswith(".")


# ---------------------------------------------------------------- the pages
def _busiest(market: HyperSynthReactor) -> int:
    """The start of the minute of an hour with the most trades."""
    rows = market.minutes(ORIGIN_NS, ORIGIN_NS + MINUTES * 60 * SECOND_NS)
    return int(rows.start_ns[np.argmax(rows.n_prints)])


def _cases() -> Iterator[_Case]:
    market = next(iter(exchange(CARDS["binance-usdm"])))
    start_ns = _busiest(market)
    quarter, eighth = Bound(1 / 4), Bound(1 / 8)

    def pages(n: int, text: str, rows: RowSource, cadence_ns: int) -> list[Draft]:
        parts = binance_parts(text, market.instrument, 0, MS_NS)
        columns = [rows(market, start_ns + k * PAGE_NS, cadence_ns)[1] for k in range(n)]
        return [_draft(parts, page) for page in columns]

    for name, n, text, rows, cadence_ns, said in (
        ("trade", 24, USDM_TRADE, trades, TICK_NS, _trades),
        ("aggTrade", 120, USDM_AGG_TRADE, aggregate_trades, 100 * MS_NS, _aggregates),
        ("bookTicker", 12, USDM_BOOK_TICKER, dated_quotes, TICK_NS, _tickers),
    ):
        made = pages(n, text, rows, cadence_ns)
        yield _Case(f"usdm {name}", _messages, "message", made, said, quarter, full=name == "bookTicker")
    made = pages(6, USDM_DEPTH_UPDATE, chained_depth, 100 * MS_NS)
    yield _Case("usdm depth@100ms", _items, "level", made, _depths, eighth, full=True)

    market = next(iter(exchange(CARDS["hyperliquid"])))
    start_ns = _busiest(market)
    parts, made = hyperliquid_parts(L2_BOOK, market.instrument), []
    for at_ns in range(start_ns, start_ns + 18 * PAGE_NS, PAGE_NS):
        ends = list(range(at_ns + 500 * MS_NS, at_ns + PAGE_NS + 1, 500 * MS_NS))
        made.append(_draft(parts, book_columns(market, ends, 20, Grouping(), fast=False)))
    yield _Case("hyperliquid l2Book", _items, "level", made, _books, eighth)
    parts, made = hyperliquid_parts(TRADES, market.instrument), []
    for at_ns in range(start_ns, start_ns + 240 * PAGE_NS, PAGE_NS):
        prints = market.prints_in(at_ns, at_ns + PAGE_NS)
        if len(prints):
            due_of = block_ends(prints.ts_ns)
            ends_of = np.searchsorted(due_of, np.unique(due_of), side="right")
            told = Ragged(ends_of, trade_columns(prints, market.instrument))
            made.append(Draft(parts, {"trades": told}))
    yield _Case("hyperliquid trades", _items, "print", made, _prints, Bound(1 / 3))


def _draft(parts: Sequence[Part], columns: Mapping[str, Values]) -> Draft:
    return Draft(parts, {name: _alone(values) for name, values in columns.items()})


def _alone(values: Values) -> Values:
    """Lists with rows of their own, so that no text is shared with another run."""
    if not isinstance(values, Picked):
        return values
    return Ragged(values.ends, {name: column[values.rows] for name, column in values.table.columns.items()})


def _messages(page: Draft) -> int:
    return page.count


def _items(page: Draft) -> int:
    return sum(int(values.ends[-1]) for values in page.columns.values() if isinstance(values, Ragged))


# ---------------------------------------------------------------- a market and its frames
STREAMS = (("depth", ("100ms",)), ("trade", ()), ("bookTicker", ()))
MARKET_MINUTES = 2


def generating(runs: int) -> Iterator[Row]:
    """Levels and messages that a core makes in a second of one busy market: the tape, and its frames, and no socket.

    The levels of a best bid and offer are two. The reference is a loop that moves a price at random, keeps a book of
    twenty levels a side in dictionaries, and dumps what it tells as JSON.
    """
    venue = CARDS["binance-usdm"]
    made = exchange(venue)
    minute = iter(range(1, 10_000))
    channels = [venue.channel(Topic(name, "BTCUSDT", options), made) for name, options in STREAMS]
    for channel in channels:
        channel.page(ORIGIN_NS)
    told: list[tuple[float, float, float, float]] = []
    for _ in range(runs):
        start_ns = ORIGIN_NS + next(minute) * MARKET_MINUTES * 60 * SECOND_NS
        pages, cpu_s = [], time.process_time()
        for at_ns in range(start_ns, start_ns + MARKET_MINUTES * 60 * SECOND_NS, PAGE_NS):
            pages += [channel.page(at_ns) for channel in channels]
        cpu_s = time.process_time() - cpu_s
        levels, messages = _counted([page.buffer for page in pages])
        naive_s = time.process_time()
        texts = naive_exchange(NAIVE_STEPS)
        naive_s = time.process_time() - naive_s
        naive_levels, naive_messages = _counted_texts(texts)
        told.append((levels / cpu_s, naive_levels / naive_s, messages / cpu_s, naive_messages / naive_s))
    levels_s, naive_levels_s, messages_s, naive_messages_s = zip(*told, strict=True)
    loop, bound = "loop of dicts + json.dumps", Bound(4, at_least=True)
    workload = "generate + encode, usdm depth@100ms, trade, bookTicker"
    yield Row.of("encode", workload, "levels/s", levels_s, loop, naive_levels_s, bound)
    yield Row.of("encode", workload, "messages/s", messages_s, loop, naive_messages_s)


NAIVE_STEPS = 2_000


def _counted(buffers: Sequence[bytes]) -> tuple[int, int]:
    return _counted_texts([text for buffer in buffers for text in payloads(buffer)])


def _counted_texts(texts: Sequence[bytes]) -> tuple[int, int]:
    """How many levels and messages these are."""
    messages = list(map(orjson.loads, texts))
    levels = sum(
        2 if message["e"] == "bookTicker" else len(message["b"]) + len(message["a"])
        for message in messages
        if message["e"] != "trade"
    )
    return levels, len(messages)
