"""A bot on Hyperliquid with its SDK: one resting order to buy a perpetual below the market, which follows it up."""

import time

from hyperliquid.utils.error import ClientError, ServerError
from hyperliquid.utils.types import Cloid
from requests import RequestException

TROUBLE = (ServerError, ClientError, RequestException, ValueError)  # no answer, or none that can be read


class DipBuyer:
    """Wants `size` of a coin at `edge` (a share of the price) below the mid. `exchange` and `info` are the SDK's.

    Each order has a name of its own: after an answer that did not come, the venue is asked for it by that.
    """

    def __init__(self, exchange, info, coin, size, edge=0.002, patience_s=0.05):
        self.exchange, self.info, self.coin, self.size, self.edge = exchange, info, coin, size, edge
        self.address = exchange.wallet.address
        self.patience_s = patience_s
        self.resting = None  # the name of the order that is open, and its price
        self._placed = 0

    def step(self):
        """Look at the market once, and have the right order open."""
        mid = float(self.ask(self.info.all_mids)[self.coin])
        price = round(mid * (1 - self.edge))
        if self.resting is not None:
            name, at = self.resting
            if self.status(name) != "open":
                self.resting = None  # filled: there is something to be glad of
            elif price > at:
                self.cancel(name)
        if self.resting is None:
            self.place(price)

    def place(self, price):
        self._placed += 1
        name = Cloid.from_int(self._placed)
        while self.status(name) == "unknown":
            try:
                self.exchange.order(self.coin, True, self.size, price, {"limit": {"tif": "Gtc"}}, cloid=name)
                break
            except TROUBLE:
                time.sleep(self.patience_s)
        self.resting = name, price

    def cancel(self, name):
        while self.status(name) == "open":
            try:
                self.exchange.cancel_by_cloid(self.coin, name)
            except TROUBLE:
                time.sleep(self.patience_s)
        self.resting = None

    def status(self, name):
        """What has become of an order: "unknown" where the venue has never heard of it."""
        found = self.ask(lambda: self.info.query_order_by_cloid(self.address, name))
        return found["order"]["status"] if found["status"] == "order" else "unknown"

    def ask(self, question):
        """An answer, however often it takes to get one."""
        while True:
            try:
                return question()
            except TROUBLE:
                time.sleep(self.patience_s)
