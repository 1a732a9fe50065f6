"""What an operator does to the accounts of a run: open them, give them money, freeze them, cancel their orders.

All of it is commands to the floors, journaled and logged like those of clients. What cannot be is a ValueError of one
line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal, InvalidOperation

import orjson

from emulator.config import ACCOUNTS, Account, account_of, nearest
from emulator.driver import Driver
from emulator.gateway.connection import Port
from emulator.gateway.desk import KEY_FACT, Desk, opening
from emulator.gateway.inspector import Inspector, NoSuchError
from emulator.truth import TrueOrder, true_order
from reactor.exchange.orders import (
    E8,
    FROZEN,
    CancelAll,
    CancelOrder,
    Command,
    Deposit,
    Done,
    Refused,
    Remember,
)
from reactor.exchange.terms import House
from reactor.values import dataclass
from venues.base import Trading

ACCOUNTS_MAX = 1_000  # of a venue, beyond which none are opened here
KEYS_MAX = 10  # of an account
NAME = re.compile(r"[\w.-]{1,64}")
AMOUNT_MAX = 10**9


@dataclass(frozen=True, slots=True)
class Money:
    """What an account has of an asset in a wallet of a venue; `locked` is held for open orders."""

    venue: str
    wallet: str
    asset: str
    total: str
    locked: str


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account as it is listed: the API keys that it may use, on which venues it is, and what it has there."""

    name: str
    keys: tuple[str, ...]
    venues: tuple[str, ...]
    frozen: bool
    money: tuple[Money, ...]


class BackOffice:
    """The accounts of a run's venues."""

    def __init__(self, ports: Sequence[Port], inspector: Inspector, driver: Driver) -> None:
        self._inspector = inspector
        self._driver = driver
        self._desks: dict[str, tuple[Desk, Trading]] = {
            port.venue.id: (port.desk, port.exchange.trading)
            for port in ports
            if port.desk is not None and port.exchange.trading is not None
        }

    # ------------------------------------------------------------ accounts
    def accounts(self) -> list[AccountRow]:
        """All there are, in the order of their opening."""
        self._reach()
        names = dict.fromkeys(name for desk, _ in self._desks.values() for name in desk.floor.accounts())
        return [self._row(name) for name in names]

    def account(self, name: str) -> AccountRow:
        """One of them."""
        self._reach()
        self._venues(name)
        return self._row(name)

    def open(self, name: str, row: Mapping[str, object]) -> AccountRow:
        """An account of every venue, as the setting `accounts` has them: keys, balances."""
        if not NAME.fullmatch(name):
            raise ValueError(f"name: {name!r} is not allowed; allowed: up to 64 letters, digits and . _ -")
        try:
            account = account_of(name, row)
        except (TypeError, ValueError, OverflowError):
            raise ValueError(
                f"account: {dict(row)!r} is not allowed; allowed: a row of {ACCOUNTS.allowed}"
            ) from None
        self._reach()
        self._check(account)
        for desk, trading in self._desks.values():
            for wallet, asset, amount_e8 in opening(account, _house(trading)):
                self._do(desk, Deposit(name, wallet, asset, amount_e8))
            for key in account.keys:
                self._do(desk, Remember(name, KEY_FACT + key.key, orjson.dumps(asdict(key)).decode()))
        return self._row(name)

    def _check(self, account: Account) -> None:
        if not self._desks:
            raise ValueError("no venue here has accounts")
        if len(account.keys) > KEYS_MAX:
            raise ValueError(f"keys: at most {KEYS_MAX}")
        keys = [key.key for key in account.keys]
        for desk, trading in self._desks.values():
            if desk.floor.exists(account.name):
                raise ValueError(f"name: there is an account {account.name!r} already")
            if len(desk.floor.accounts()) >= ACCOUNTS_MAX:
                raise ValueError(f"there are {ACCOUNTS_MAX} accounts already")
            known = [key for key in keys if key in trading.keys or keys.count(key) > 1]
            if known:
                raise ValueError(f"keys: {known[0]!r} is another's")

    def fund(self, name: str, venue: str, wallet: str, asset: str, amount: str) -> AccountRow:
        """Give an account money on one venue, or below 0 take some away that is free."""
        self._inspector.port(venue)
        self._reach()
        if venue not in self._venues(name):
            raise ValueError(f"account: {name!r} is none of {venue}'s")
        desk, trading = self._desks[venue]
        known = list(_house(trading).opening)
        if (wallet, asset) not in known:
            said = ", ".join(f"{wallet} {asset}" for wallet, asset in known)
            raise ValueError(f"wallet: {venue} has no {wallet} {asset}; known: {said}")
        try:
            amount_e8 = Decimal(amount) * E8
        except InvalidOperation:
            raise ValueError(f"amount: {amount!r} is no number") from None
        if not amount_e8.is_finite() or amount_e8 % 1 or abs(amount_e8) > AMOUNT_MAX * E8:
            raise ValueError(
                f"amount: {amount!r} is not allowed; allowed: at most {AMOUNT_MAX:,}, with 8 decimals"
            )
        self._do(desk, Deposit(name, wallet, asset, int(amount_e8)))
        return self._row(name)

    def freeze(self, name: str, *, frozen: bool) -> AccountRow:
        """Have an account's orders and amendments refused, or taken again; what is open stays, and may be cancelled."""
        self._reach()
        for venue in self._venues(name):
            self._do(self._desks[venue][0], Remember(name, FROZEN, "yes" if frozen else None))
        return self._row(name)

    # ------------------------------------------------------------ orders
    def cancel(self, venue: str, order_id: int) -> TrueOrder:
        """Cancel an open order, or one that waits, as if its owner had."""
        port = self._inspector.port(venue)
        self._reach()
        floor = self._floor(venue).floor
        orders = (
            order
            for name in floor.accounts()
            for order in (*floor.open_orders(name), *floor.waiting_orders(name))
            if order.id == order_id
        )
        order = next(orders, None)
        if order is None:
            raise NoSuchError(f"order: {venue} has no open order {order_id}")
        market = order.asked.market
        done = self._do(self._floor(venue), CancelOrder(order.asked.account, market, order_id))
        return true_order(port.exchange.world.instrument(market), done.order)

    def cancel_all(
        self, venue: str, account: str | None = None, symbol: str | None = None
    ) -> list[TrueOrder]:
        """Cancel the open orders of an account, or of all, of a market or of all, and those that wait."""
        names = dict.fromkeys(order.account for order in self._inspector.orders(venue, account, symbol))
        port = self._inspector.port(venue, symbol)
        market = None if symbol is None else port.exchange.markets[symbol]
        done = [
            self._do(self._floor(venue), CancelAll(name, market, waiting))
            for name in names
            for waiting in (False, True)
        ]
        instrument = port.exchange.world.instrument
        return [true_order(instrument(order.asked.market), order) for each in done for order in each.orders]

    # ------------------------------------------------------------ inside
    def _floor(self, venue: str) -> Desk:
        return self._desks[venue][0]

    def _reach(self) -> None:
        """Bring all floors to the present."""
        now_ns, _ = self._driver.stamp()
        for desk, _ in self._desks.values():
            desk.reach(now_ns)

    def _do(self, desk: Desk, command: Command) -> Done:
        outcome = desk.execute(command, self._driver.now_ns)
        if isinstance(outcome, Refused):
            raise ValueError(f"{desk.venue} refuses: {outcome.refusal.replace('_', ' ')}")  # noqa: TRY004  # it is about what was asked
        return outcome

    def _venues(self, name: str) -> list[str]:
        """Where an account is."""
        venues = [venue for venue, (desk, _) in self._desks.items() if desk.floor.exists(name)]
        if not venues:
            known = [each for desk, _ in self._desks.values() for each in desk.floor.accounts()]
            raise NoSuchError(f"account: there is no {name!r}{nearest(name, known)}")
        return venues

    def _row(self, name: str) -> AccountRow:
        venues = self._venues(name)
        keys = {
            key.key
            for _, trading in self._desks.values()
            for key in trading.keys.values()
            if key.account == name
        }
        frozen = any(self._floor(venue).floor.remembered(name, FROZEN) for venue in venues)
        money = tuple(
            Money(venue, row.wallet, row.asset, _amount(row.total_e8), _amount(row.locked_e8))
            for venue in venues
            for row in self._floor(venue).floor.balances(name)
        )
        return AccountRow(name, tuple(sorted(keys)), tuple(venues), frozen, money)


def _house(trading: Trading) -> House:
    assert trading.house is not None
    return trading.house


def _amount(amount_e8: int) -> str:
    return f"{Decimal(amount_e8).scaleb(-8):f}"
