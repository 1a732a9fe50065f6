"""A soak: local books of every venue, kept by the venues' own rules for hours of virtual time, without a resync.

`python -m tests.soak` serves with the venues' limits at a pace, follows every depth stream as the manuals say, and
counts what a client would have to begin anew for: a gap, a crossed book, a socket that ended, a book that stood still.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Mapping
from itertools import count
from typing import Any

import orjson
from websockets.asyncio.client import connect

from tests.serving import Served, serving

HOUR_MS = 3_600_000
Side = dict[float, float]


class Book:
    """One local book, and what has become of it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.bids: Side = {}
        self.asks: Side = {}
        self.last_id = 0
        self.time_ms = 0
        self.counts: Counter[str] = Counter()

    def take(self, bids: Any, asks: Any) -> None:
        """Levels by price; none left takes one away."""
        for side, levels in ((self.bids, bids), (self.asks, asks)):
            for price, qty in levels:
                if float(qty):
                    side[float(price)] = float(qty)
                else:
                    side.pop(float(price), None)
        self.counts["events"] += 1
        if self.counts["events"] % 50 == 0 and self.bids and self.asks:
            self.counts["crossed"] += max(self.bids) >= min(self.asks)


async def get(url: str) -> Any:
    """The JSON answer to a request."""
    read = lambda: urllib.request.urlopen(url, timeout=60).read()
    return orjson.loads(await asyncio.to_thread(read))


async def follow_updates(
    urls: Mapping[str, str], symbol: str, perpetual: bool, end_ms: int, book: Book
) -> None:
    """Binance's manuals: spot's events follow on each other's last ids, those of USD-M name the one before."""
    path = f"/{'public/' * perpetual}ws/{symbol.lower()}@depth@100ms"
    api = f"{'/fapi/v1' if perpetual else '/api/v3'}/depth?symbol={symbol}&limit=1000"
    async with connect(urls["ws"] + path, max_size=None, max_queue=None, compression=None) as socket:
        snapshot: Any = None
        begun = False
        async for message in socket:
            event = orjson.loads(message)
            book.time_ms = event["E"]
            if snapshot is None:
                snapshot = await get(urls["http"] + api)
                book.last_id = snapshot["lastUpdateId"]
                book.take(snapshot["bids"], snapshot["asks"])
            if event["u"] <= book.last_id:
                continue
            joined = event["pu"] == book.last_id if perpetual else event["U"] == book.last_id + 1
            if not joined and (begun or not event["U"] <= book.last_id + 1 <= event["u"]):
                book.counts["resyncs"] += 1
            begun, book.last_id = True, event["u"]
            book.take(event["b"], event["a"])
            if book.time_ms >= end_ms:
                return
    book.counts["closes"] += 1


async def follow_books(urls: Mapping[str, str], coin: str, end_ms: int, book: Book) -> None:
    """Hyperliquid's books come whole: each must be later than the one before, and not much."""
    async with connect(urls["ws"] + "/ws", max_size=None, max_queue=None, compression=None) as socket:
        asked = {"type": "l2Book", "coin": coin, "fast": True}
        await socket.send(orjson.dumps({"method": "subscribe", "subscription": asked}).decode())
        async for message in socket:
            told = orjson.loads(message)
            if told["channel"] != "l2Book":
                continue
            data = told["data"]
            if book.time_ms and not 0 < data["time"] - book.time_ms <= 2_000:
                book.counts["resyncs"] += 1
            book.time_ms = data["time"]
            book.bids.clear()
            book.asks.clear()
            book.take(*([(level["px"], level["sz"]) for level in side] for side in data["levels"]))
            if book.time_ms >= end_ms:
                return
    book.counts["closes"] += 1


async def soak(served: Served, hours: float) -> list[Book]:
    """Keep all books for so long."""
    now_ms = served.get("/clock")["now_ns"] // 1_000_000
    end_ms = now_ms + int(hours * HOUR_MS)
    books, tasks = [], []
    for venue, urls in served.venues.items():
        for asset in ("BTC", "ETH", "SOL"):
            book = Book(f"{venue} {asset}")
            books.append(book)
            if "info" in KINDS[venue]:
                tasks.append(follow_books(urls, asset, end_ms, book))
            else:
                tasks.append(follow_updates(urls, f"{asset}USDT", "perpetual" in KINDS[venue], end_ms, book))
    reports = asyncio.create_task(_report(now_ms, books))
    await asyncio.gather(*tasks)
    reports.cancel()
    return books


async def _report(start_ms: int, books: list[Book]) -> None:
    """A line every half hour of virtual time."""
    for half_hour in count(1):
        while min(book.time_ms for book in books) < start_ms + half_hour * HOUR_MS // 2:  # noqa: ASYNC110
            await asyncio.sleep(1)
        sys.stdout.write(f"{half_hour / 2:g} h: {said(books)}\n")
        sys.stdout.flush()


def said(books: list[Book]) -> str:
    """What has become of them all."""
    total = sum((book.counts for book in books), Counter[str]())
    return ", ".join(f"{total[name]} {name}" for name in ("events", *TROUBLES))


TROUBLES = ("resyncs", "crossed", "closes")
KINDS = {"binance": "updates", "binance-usdm": "updates of a perpetual", "hyperliquid": "info"}


def main() -> int:
    """1 when anything had to begin anew."""
    parser = argparse.ArgumentParser(prog="scripts/soak", description=__doc__.partition("\n")[0])
    parser.add_argument("--hours", type=float, default=6.0, help="of virtual time")
    parser.add_argument("--speed", default="60", help="virtual seconds per second")
    asked = parser.parse_args()
    started_s = time.monotonic()
    with serving("--seed", "5", "--speed", asked.speed, history=True) as served:
        books = asyncio.run(soak(served, asked.hours))
    for book in books:
        sys.stdout.write(f"{book.name}: {dict(book.counts)}\n")
    taken_s = time.monotonic() - started_s
    sys.stdout.write(f"{asked.hours:g} h at speed {asked.speed} in {taken_s:.0f} s: {said(books)}\n")
    return int(any(book.counts[name] for book in books for name in TROUBLES))


if __name__ == "__main__":
    sys.exit(main())
