"""A market maker on Binance USD-M with ccxt: a bid and an ask around the mid, which follow it."""

import asyncio
import itertools

import ccxt.pro


class MarketMaker:
    """Quotes `size` at `edge` (a share of the price) on both sides of the mid, and moves when that has moved by a third
    of it. `client` is a ccxt.pro exchange.

    It names its orders itself, so that it can ask for one whose answer never came.
    """

    def __init__(self, client, symbol, size=0.01, edge=0.0005, patience_s=0.2):
        self.client, self.symbol, self.size, self.edge, self.patience_s = (
            client,
            symbol,
            size,
            edge,
            patience_s,
        )
        self.quoted = None  # the mid that the quotes are around
        self._numbers = itertools.count(1)

    async def run(self):
        """Until it is cancelled."""
        while True:
            try:
                book = await self.client.watch_order_book(self.symbol)
                mid = (book["bids"][0][0] + book["asks"][0][0]) / 2
                if self.quoted is None or abs(mid / self.quoted - 1) > self.edge / 3:
                    await self.quote(mid)
            except (
                ccxt.NetworkError,
                ccxt.ChecksumError,
            ):  # ccxt connects and subscribes anew at the next call
                await asyncio.sleep(self.patience_s)

    async def quote(self, mid):
        """Both sides anew. Unless all went well nothing counts as quoted, and the next book has it tried again."""
        self.quoted = None
        await self.client.cancel_all_orders(self.symbol)
        await self.place("buy", mid * (1 - self.edge))
        await self.place("sell", mid * (1 + self.edge))
        self.quoted = mid

    async def place(self, side, price):
        """One order, once: where the answer does not come, whether it is there is asked before it is placed again."""
        name = f"mm-{next(self._numbers)}"
        price = float(self.client.price_to_precision(self.symbol, price))
        order = (self.symbol, "limit", side, self.size, price, {"clientOrderId": name, "postOnly": True})
        while True:
            try:
                return await self.client.create_order(*order)
            except ccxt.OrderImmediatelyFillable:  # the market came to meet it: the next book moves the quote
                return None
            except ccxt.NetworkError:
                await asyncio.sleep(self.patience_s)
                found = await self.find(name)
                if found is not None:
                    return found

    async def find(self, name):
        """The order of this name, whatever has become of it; None if the venue has never heard of it."""
        while True:
            try:
                return await self.client.fetch_order(None, self.symbol, {"clientOrderId": name})
            except ccxt.OrderNotFound:
                return None
            except ccxt.NetworkError:
                await asyncio.sleep(self.patience_s)
