"""A local order book of Binance spot with python-binance, kept as the venue's documents say: a snapshot, then every
change after it, in the order of their numbers (https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams).
"""

import asyncio

from binance import BinanceSocketManager
from binance.exceptions import BinanceAPIException


class OrderBook:
    """Quantities by price, as text, and the number of the last change in them."""

    def __init__(self, snapshot):
        self.last = snapshot["lastUpdateId"]
        self.bids, self.asks = dict(snapshot["bids"]), dict(snapshot["asks"])

    def apply(self, event):
        """Take a change; whether it goes on from here."""
        if event["u"] <= self.last:
            return True
        if event["U"] > self.last + 1:
            return False
        for side, changes in ((self.bids, event["b"]), (self.asks, event["a"])):
            for price, size in changes:
                if float(size):
                    side[price] = size
                else:
                    side.pop(price, None)
        self.last = event["u"]
        return True


class BookKeeper:
    """Keeps the book of a symbol; `book` is None while it is not known."""

    def __init__(self, client, symbol, patience_s=0.1):
        self.client, self.symbol, self.patience_s = client, symbol, patience_s
        self.book = None
        self.snapshots = 0

    async def run(self):
        """Until it is cancelled. The library opens a socket that ends again, and says so; what it missed is unknown."""
        sockets = BinanceSocketManager(self.client, max_queue_size=10_000)
        async with sockets.depth_socket(self.symbol, interval=100) as stream:
            while True:
                event = await stream.recv()
                if event["e"] == "depthUpdate":
                    await self.take(event)
                else:
                    self.book = None

    async def take(self, event):
        """A change, or the snapshot that is needed to understand it."""
        while self.book is None or not self.book.apply(event):
            self.book = await self.snapshot()
            if event["U"] > self.book.last + 1:  # older than the change: ask again
                await asyncio.sleep(self.patience_s)

    async def snapshot(self):
        while True:
            try:
                self.snapshots += 1
                return OrderBook(await self.client.get_order_book(symbol=self.symbol, limit=5000))
            except BinanceAPIException:
                await asyncio.sleep(self.patience_s)
