"""Looks at the venues of a run without being a client of theirs: true books, trades, orders and fills, at instants.

Names of venues and markets are judged here; what is wrong with one is a ValueError of one line.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from emulator.config import nearest
from emulator.driver import Driver
from emulator.gateway.connection import Port
from emulator.truth import (
    TrueBook,
    TrueFill,
    TrueOrder,
    TrueTrade,
    true_book,
    true_fill,
    true_order,
    true_trades,
)
from emulator.witness import Placed
from reactor.exchange.floor import Floor
from reactor.single_asset import HyperSynthReactor
from reactor.types import TICK_NS, Instrument, Prints

ROWS_MAX = 10_000  # of trades, orders or fills told at a time


class NoSuchError(ValueError):
    """There is no account, or no order, of this name."""


class Inspector:
    """Looks at the ports of a run that began at `start_ns`. Instants are boundaries that have passed; now if None."""

    def __init__(self, ports: Sequence[Port], driver: Driver, start_ns: int) -> None:
        self._ports = {port.venue.id: port for port in ports}
        self._driver = driver
        self._start_ns = start_ns

    def port(self, venue: str, symbol: str | None = None) -> Port:
        """A venue; one that lists a market, where that is given."""
        if venue not in self._ports:
            raise ValueError(f"venue: {venue!r} is not served{nearest(venue, self._ports)}")
        port = self._ports[venue]
        if symbol is not None and symbol not in port.exchange.markets:
            raise ValueError(f"symbol: {symbol!r} is not listed{nearest(symbol, port.exchange.markets)}")
        return port

    # ------------------------------------------------------------ markets
    def book(self, venue: str, symbol: str, at_ns: int | None = None) -> TrueBook:
        """The whole book of a market."""
        market, at_ns = self._market(venue, symbol, at_ns)
        return true_book(market, at_ns)

    def sequence(self, venue: str, symbol: str, at_ns: int | None = None) -> int:
        """The id of the last change of a market's book: what the venue's own sequence numbers are views of."""
        market, at_ns = self._market(venue, symbol, at_ns)
        return market.update_id(at_ns)

    def trades(
        self,
        venue: str,
        symbol: str,
        after_ns: int | None = None,
        upto_ns: int | None = None,
        limit: int = ROWS_MAX,
    ) -> list[TrueTrade]:
        """The newest trades of a market in (after_ns, upto_ns], oldest first; from the start of the run if None."""
        _limited(limit)
        market, upto_ns = self._market(venue, symbol, upto_ns)
        after_ns = self._start_ns if after_ns is None else after_ns
        if not 0 <= after_ns <= upto_ns:
            raise ValueError(f"after_ns: {after_ns} is out of range; allowed: 0 to {upto_ns}")
        prints = market.prints_in(after_ns + 1, upto_ns + 1) if after_ns < upto_ns else Prints.none()
        return true_trades(market.instrument, prints.cut(max(len(prints) - limit, 0), len(prints)))

    def books_told_ns(self, venue: str, symbol: str) -> list[int]:
        """The instants up to which the open sockets were told of a market's book, the newest socket first; now if there
        are none.
        """
        port = self.port(venue, symbol)
        newest = sorted(port.connections, key=lambda connection: -connection.number)
        told = [at_ns for connection in newest for at_ns in connection.books_told_ns(symbol)]
        return told or [self._driver.stamp()[0]]

    def _market(self, venue: str, symbol: str, at_ns: int | None) -> tuple[HyperSynthReactor, int]:
        """A market, brought to the present, and the instant that is asked for."""
        port = self.port(venue, symbol)
        at_ns = self._at(port, at_ns)
        market = port.exchange.market(symbol)
        assert market is not None
        return market, at_ns

    def _at(self, port: Port, at_ns: int | None) -> int:
        now_ns, _ = self._driver.stamp()
        at_ns = now_ns if at_ns is None else at_ns
        if not self._start_ns <= at_ns <= now_ns or at_ns % TICK_NS:
            raise ValueError(f"at_ns: {at_ns} is no boundary of a tick between the start and now")
        if port.desk is not None:
            port.desk.reach(now_ns)
        return at_ns

    # ------------------------------------------------------------ accounts
    def orders(
        self,
        venue: str,
        account: str | None = None,
        symbol: str | None = None,
        *,
        only_open: bool = True,
        limit: int = ROWS_MAX,
    ) -> list[TrueOrder]:
        """The newest orders of an account, or of all, in the order of their ids, those that wait among them; also those
        that ended, as far as the floor keeps them, unless `only_open`.
        """
        _limited(limit)
        floor, accounts, market = self._floor(venue, account, symbol)
        looks = (floor.open_orders, floor.waiting_orders) if only_open else (floor.orders,)
        orders = chain.from_iterable(look(each, market) for look in looks for each in accounts)
        newest = sorted(orders, key=lambda order: order.id)[-limit:]
        return [true_order(self._instrument(venue, order.asked.market), order) for order in newest]

    def fills(
        self,
        venue: str,
        account: str | None = None,
        symbol: str | None = None,
        upto_ns: int | None = None,
        limit: int = ROWS_MAX,
    ) -> list[TrueFill]:
        """The newest fills of an account, or of all, up to an instant, oldest first; as far as the floor keeps them."""
        _limited(limit)
        floor, accounts, market = self._floor(venue, account, symbol)
        upto_ns = self._at(self.port(venue), upto_ns)
        fills = chain.from_iterable(floor.fills(each, market) for each in accounts)
        newest = sorted((fill for fill in fills if fill.ts_ns <= upto_ns), key=lambda fill: fill.ts_ns)
        return [true_fill(self._instrument(venue, fill.market), fill) for fill in newest[-limit:]]

    def order(self, placed: Placed) -> TrueOrder:
        """An order that the witness saw, as it now stands; as it was then, where the floor has forgotten it."""
        floor, asked = self._floor(placed.venue)[0], placed.order.asked
        order = floor.order(asked.account, asked.market, placed.order.id) or placed.order
        return true_order(self._instrument(placed.venue, asked.market), order)

    def _floor(
        self, venue: str, account: str | None = None, symbol: str | None = None
    ) -> tuple[Floor, Sequence[str], str | None]:
        """A venue's floor, brought to the present, the accounts and the market that are asked for."""
        port = self.port(venue, symbol)
        if port.desk is None:
            raise ValueError(f"venue: {venue!r} has no accounts")
        self._at(port, None)
        floor = port.desk.floor
        accounts = floor.accounts()
        if account is not None and account not in accounts:
            raise ValueError(f"account: {account!r} is none of {venue}'s{nearest(account, accounts)}")
        market = None if symbol is None else port.exchange.markets[symbol]
        return floor, accounts if account is None else [account], market

    def _instrument(self, venue: str, market: str) -> Instrument:
        return self._ports[venue].exchange.world.instrument(market)


def _limited(limit: int) -> None:
    if not 1 <= limit <= ROWS_MAX:
        raise ValueError(f"limit: {limit} is out of range; allowed: 1 to {ROWS_MAX}")
