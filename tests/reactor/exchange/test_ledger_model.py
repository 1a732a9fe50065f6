"""The ledger against a second one: whatever is done, both agree, and every unit of every asset is accounted for.

The model counts in dollars and bitcoin, as fractions. It keeps what happened, and works everything out anew when asked.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from reactor.exchange.ledger import Ledger, Pool
from reactor.exchange.orders import E8, NewOrder, Order, OrderStatus, Refusal, Settlement
from reactor.exchange.terms import PERP, SPOT, House, MarginTier, Terms
from reactor.types import Instrument, Kind, Side

UNIT = Fraction(1, E8)
ACCOUNTS = ("ann", "bob", "cat")

# A price has two decimals, a size three. Tiers are small, so that they often change, and rates seldom divide.
PRICE, SIZE = Fraction(1, 100), Fraction(1, 1_000)
TIERS = (
    (Fraction(50), 20, Fraction(7_001, 10**6), Fraction(0)),
    (Fraction(200), 10, Fraction(31_003, 10**6), Fraction(50) * Fraction(24_002, 10**6)),
)
MAKER, TAKER, FORCED = Fraction(-13, 10**6), Fraction(457, 10**6), Fraction(12_501, 10**6)
STEP = {"spot": (1, 1_000), "perp": (100, 1), "fine": (1, 1)}  # of quote and base, in units

OPENING = {(SPOT, "USD"): 20 * E8, (SPOT, "BTC"): E8 // 2, (PERP, "USD"): 20 * E8 + 7}


def terms(market: str) -> Terms:
    quote_step, base_step = STEP[market]
    perp = market != "spot"
    return Terms(
        maker_fee_e6=int(MAKER * 10**6),
        taker_fee_e6=int(TAKER * 10**6),
        fee_in_received=True,
        quote_step_e8=quote_step,
        base_step_e8=base_step,
        liquidation_fee_e6=int(FORCED * 10**6) if perp else 0,
        margin_asset="USD" if perp else "",
        tiers=tuple(
            MarginTier(int(cap * E8), leverage, int(rate * 10**6), int(cut * E8))
            for cap, leverage, rate, cut in TIERS
        )
        if perp
        else (),
        default_leverage=10,
    )


HOUSE = House({market: terms(market) for market in STEP}, 1, str, OPENING)
INSTRUMENTS = [
    Instrument(market, market, "BTC", "BTC", "USD", Kind.PERP if market != "spot" else Kind.SPOT, 2, 1, 3, 1)
    for market in STEP
]


def up(value: Fraction, step: int = 1) -> Fraction:
    return math.ceil(value / (UNIT * step)) * UNIT * step


def down(value: Fraction) -> Fraction:
    return math.floor(value / UNIT) * UNIT


# ---------------------------------------------------------------- the model
@dataclass
class Resting:
    """An open order."""

    id: int
    account: str
    market: str
    side: int
    price: Fraction
    size: Fraction

    @property
    def locks(self) -> tuple[str, Fraction]:
        return ("USD", self.price * self.size) if self.side > 0 else ("BTC", self.size)


PERPS = ("perp", "fine")


@dataclass
class Held:
    """A position; `cost` is what it was entered for, `margin` what an isolated one has of its own."""

    size: Fraction = Fraction(0)
    cost: Fraction = Fraction(0)
    funding: Fraction = Fraction(0)
    realized: Fraction = Fraction(0)
    leverage: int = 10
    isolated: bool = False
    margin: Fraction = Fraction(0)

    def isolate(self, size: Fraction, price: Fraction) -> Fraction:
        """Before a trade: what is closed gives its share of margin back (returned), what is opened brings its own."""
        if not self.isolated:
            return Fraction(0)
        closing = min(abs(size), abs(self.size)) if self.size * size < 0 else Fraction(0)
        back = down(self.margin * closing / abs(self.size)) if closing else Fraction(0)
        self.margin += up((abs(size) - closing) * price / self.leverage) - back
        return back

    def trade(self, size: Fraction, price: Fraction) -> Fraction:
        """Average cost: closing takes a share of the cost with it. Returns the profit."""
        profit = Fraction(0)
        if self.size * size < 0:
            closing = min(abs(size), abs(self.size)) * (1 if self.size > 0 else -1)
            share = math.ceil(self.cost * closing / self.size / (PRICE * SIZE)) * PRICE * SIZE
            profit = closing * price - share
            self.cost -= share
            self.size -= closing
            size += closing
            if not self.size:
                self.funding = Fraction(0)
        self.cost += size * price
        self.size += size
        self.realized += profit
        return profit


@dataclass
class Model:
    """What everybody has."""

    marks: dict[str, Fraction]
    money: dict[tuple[str, str, str], Fraction] = field(default_factory=dict)
    orders: dict[int, Resting] = field(default_factory=dict)
    positions: dict[tuple[str, str], Held] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)

    def pay(self, account: str, wallet: str, asset: str, amount: Fraction) -> None:
        key = account, wallet, asset
        self.money[key] = self.money.get(key, Fraction(0)) + amount

    def has(self, account: str, wallet: str, asset: str) -> Fraction:
        return self.money.get((account, wallet, asset), Fraction(0))

    def locked(self, account: str, asset: str) -> Fraction:
        locks = [o.locks for o in self.orders.values() if o.account == account and o.market == "spot"]
        return sum((amount for of, amount in locks if of == asset), Fraction(0))

    def free(self, account: str, asset: str) -> Fraction:
        return self.has(account, SPOT, asset) - self.locked(account, asset)

    def held(self, account: str, market: str) -> Held:
        return self.positions.setdefault((account, market), Held())

    def value(self, account: str, market: str) -> Fraction:
        return down(self.held(account, market).size * self.marks[market])

    def unrealized(self, account: str, market: str) -> Fraction:
        return self.value(account, market) - self.held(account, market).cost

    def apart(self, account: str) -> Fraction:
        """The margin of isolated positions."""
        return sum((self.held(account, m).margin for m in PERPS), Fraction(0))

    def worth(self, account: str) -> Fraction:
        """All there is."""
        return self.has(account, PERP, "USD") + sum(self.unrealized(account, m) for m in PERPS)

    def crossed(self, account: str) -> list[str]:
        return [market for market in PERPS if not self.held(account, market).isolated]

    def equity(self, account: str, market: str = "") -> Fraction:
        """Of what is crossed, or of an isolated position."""
        if market:
            return self.held(account, market).margin + self.unrealized(account, market)
        wallet = self.has(account, PERP, "USD") - self.apart(account)
        return wallet + sum(self.unrealized(account, m) for m in self.crossed(account))

    def maintenance(self, account: str, market: str) -> Fraction:
        notional = abs(self.value(account, market))
        rate, cut = next(((r, c) for cap, _, r, c in TIERS if notional <= cap), TIERS[-1][2:])
        return up(notional * rate) - cut

    def exposure(self, account: str, market: str, *more: Resting, without: int = 0) -> Fraction:
        value = self.value(account, market)
        orders = [o for o in [*self.orders.values(), *more] if (o.account, o.market) == (account, market)]
        sums = {
            side: sum((o.price * o.size for o in orders if o.side == side and o.id != without), Fraction(0))
            for side in (1, -1)
        }
        return max(abs(value + sums[1]), abs(value - sums[-1]))

    def margin(self, account: str, market: str) -> Fraction:
        return up(self.exposure(account, market) / self.held(account, market).leverage)

    def own(self, account: str, market: str) -> Fraction:
        return up(abs(self.value(account, market)) / self.held(account, market).leverage)

    def ordered(self, account: str) -> Fraction:
        """The margin of orders for isolated positions."""
        isolated = [m for m in PERPS if self.held(account, m).isolated]
        return sum((self.margin(account, m) - self.own(account, m) for m in isolated), Fraction(0))

    def spare(self, account: str) -> Fraction:
        crossed = sum(self.margin(account, m) for m in self.crossed(account))
        return self.equity(account) - crossed - self.ordered(account)

    def withdrawable(self, account: str, wallet: str, asset: str) -> Fraction:
        if wallet == SPOT:
            return self.free(account, asset)
        if asset != "USD":
            return self.has(account, wallet, asset)
        profit = sum(self.unrealized(account, m) for m in self.crossed(account))
        return max(self.spare(account) - max(profit, Fraction(0)), Fraction(0))

    def refusal(self, order: Resting, without: int = 0) -> Refusal | None:
        account, market = order.account, order.market
        if market == "spot":
            asset, need = order.locks
            old = self.orders.get(without)
            free = self.free(account, asset) + (old.locks[1] if old else 0)
            return Refusal.INSUFFICIENT_BALANCE if need > free else None
        if account not in self.names:
            return Refusal.INSUFFICIENT_MARGIN
        before, after = self.exposure(account, market), self.exposure(account, market, order, without=without)
        leverage = self.held(account, market).leverage
        if after <= before:
            return None
        if after > max(cap for cap, most, _, _ in TIERS if leverage <= most):
            return Refusal.LEVERAGE
        worth = down(order.side * order.size * self.marks[market])
        loss = max(order.side * order.size * order.price - worth, Fraction(0))
        more = up(after / leverage) - up(before / leverage)
        return Refusal.INSUFFICIENT_MARGIN if more + loss > self.spare(account) else None

    def fill(
        self, order: Resting, size: Fraction, *, maker: bool, forced: bool = False
    ) -> tuple[Fraction, Fraction]:
        """Returns fee and profit."""
        rate = MAKER if maker else TAKER
        quote_step, base_step = STEP[order.market]
        quote = size * order.price
        if order.market == "spot":
            fee = up(size * rate, base_step) if order.side > 0 else up(quote * rate, quote_step)
            self.pay(order.account, SPOT, "USD", -order.side * quote)
            self.pay(order.account, SPOT, "BTC", order.side * size)
            self.pay(order.account, SPOT, "BTC" if order.side > 0 else "USD", -fee)
            return fee, Fraction(0)
        fee = up(quote * rate, quote_step)
        held = self.held(order.account, order.market)
        back = held.isolate(order.side * size, order.price)
        profit = held.trade(order.side * size, order.price)
        self.pay(order.account, PERP, "USD", profit - fee)
        if forced:
            left = self.has(order.account, PERP, "USD") - self.apart(order.account)
            if held.isolated:
                left = back + profit - fee
                self.pay(order.account, PERP, "USD", max(-left, Fraction(0)))
            more = min(up(quote * FORCED, quote_step), max(left, Fraction(0)))
            self.pay(order.account, PERP, "USD", -more)
            fee += more
        return fee, profit


# ---------------------------------------------------------------- the machine
names = st.sampled_from(ACCOUNTS)
markets = st.sampled_from(sorted(STEP))
perps = st.sampled_from(("perp", "fine"))
sides = st.sampled_from((Side.BUY, Side.SELL))
lots = st.one_of(st.integers(1, 9), st.integers(1, 400), st.integers(300, 1_500), st.integers(1, 4_000))
prices = st.one_of(st.integers(9_900, 10_100), st.integers(9_900, 10_100), st.integers(1, 40_000))
amounts = st.integers(-15 * E8, 15 * E8)
wallets = st.sampled_from(((SPOT, "USD"), (SPOT, "BTC"), (PERP, "USD")))


class Books(RuleBasedStateMachine):
    """Both ledgers side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Model({"perp": Fraction(100), "fine": Fraction(100)})
        self.ledger = self.made()
        self.number = 0
        self.open: dict[int, Order] = {}

    def made(self) -> Ledger:
        return Ledger(HOUSE, INSTRUMENTS, lambda market: int(self.model.marks[market] * E8))

    @initialize(poor=names, isolated=st.sets(st.tuples(names, perps)))
    def opened(self, poor: str, isolated: set[tuple[str, str]]) -> None:
        for name in ACCOUNTS:
            self.ledger.open(name, funded=name != poor)
            self.model.names.append(name)
            if name != poor:
                for (wallet, asset), amount in OPENING.items():
                    self.model.pay(name, wallet, asset, amount * UNIT)
        for name, market in sorted(isolated):
            self.isolate(name, market, isolated=True)

    @rule()
    def restart(self) -> None:
        """A ledger that goes on from the state of another."""
        state = self.ledger.state()
        self.ledger = self.made()
        self.ledger.restore(state)
        assert self.ledger.state() == state

    # ------------------------------------------------------------ money
    @rule(name=names, purse=wallets, amount=amounts)
    def deposit(self, name: str, purse: tuple[str, str], amount: int) -> None:
        fits = -amount * UNIT <= self.model.withdrawable(name, *purse)
        assert (self.ledger.deposit(name, *purse, amount) is None) == (amount >= 0 or fits)
        if amount >= 0 or fits:
            self.model.pay(name, *purse, amount * UNIT)

    @rule(
        name=names,
        to=names,
        source=wallets,
        goal=wallets,
        amount=amounts,
        beyond=st.sampled_from((None, 0, 1)),
    )
    def transfer(
        self,
        name: str,
        to: str,
        source: tuple[str, str],
        goal: tuple[str, str],
        amount: int,
        beyond: int | None,
    ) -> None:
        asset = source[1]
        most = self.model.withdrawable(name, *source)
        if beyond is not None:  # all of it, or a unit more
            amount = int(most * E8) + beyond
        done = self.ledger.transfer(name, asset, amount, source[0], goal[0], to) is None
        assert done == (0 <= amount * UNIT <= most)
        if done:
            self.model.pay(name, *source, -amount * UNIT)
            self.model.pay(to, goal[0], asset, amount * UNIT)

    # ------------------------------------------------------------ orders
    def order(self, name: str, market: str, side: Side, price: int, size: int) -> tuple[Order, Resting]:
        self.number += 1
        asked = NewOrder(name, market, side, price, size)
        order = Order(self.number, asked, OrderStatus.NEW, price, size, 0, 0, 0)
        return order, Resting(self.number, name, market, int(side), price * PRICE, size * SIZE)

    @rule(name=names, market=markets, side=sides, price=prices, size=lots)
    def rest(self, name: str, market: str, side: Side, price: int, size: int) -> None:
        order, resting = self.order(name, market, side, price, size)
        refusal = self.ledger.refusal(order.asked, price, size)
        assert refusal == self.model.refusal(resting)
        if refusal is None:
            self.ledger.hold(order)
            self.open[order.id] = order
            self.model.orders[order.id] = resting

    @rule(name=names, market=markets, side=sides, price=prices, size=lots)
    def take(self, name: str, market: str, side: Side, price: int, size: int) -> None:
        order, resting = self.order(name, market, side, price, size)
        refusal = self.ledger.refusal(order.asked, price, size)
        assert refusal == self.model.refusal(resting)
        if refusal is None:
            self.filled(order, resting, size, maker=False)

    def filled(self, order: Order, resting: Resting, size: int, *, maker: bool, forced: bool = False) -> None:
        before = self.model.held(resting.account, resting.market).size / SIZE
        fee, profit = self.model.fill(resting, size * SIZE, maker=maker, forced=forced)
        assert order.price_ticks is not None
        fill = self.ledger.fill(order, 5, 6, order.price_ticks, size, maker=maker, liquidation=forced)
        assert (fill.fee_e8 * UNIT, fill.realized_e8 * UNIT) == (fee, profit)
        assert fill.position_before_lots == before

    def pick(self, index: int) -> Order:
        return list(self.open.values())[index % len(self.open)]

    @precondition(lambda self: self.open)
    @rule(index=st.integers(0, 99), part=st.integers(1, 10))
    def make(self, index: int, part: int) -> None:
        order = self.pick(index)
        resting = self.model.orders[order.id]
        size = max(order.open_lots * part // 10, 1)
        self.filled(order, resting, size, maker=True)
        order = replace(order, filled_lots=order.filled_lots + size)
        resting.size -= size * SIZE
        self.open[order.id] = order
        if not order.open_lots:
            del self.open[order.id], self.model.orders[order.id]

    @precondition(lambda self: self.open)
    @rule(index=st.integers(0, 99))
    def cancel(self, index: int) -> None:
        order = self.pick(index)
        self.ledger.release(order.id)
        del self.open[order.id], self.model.orders[order.id]

    @precondition(lambda self: self.open)
    @rule(index=st.integers(0, 99), price=prices, size=lots)
    def amend(self, index: int, price: int, size: int) -> None:
        order = self.pick(index)
        resting = replace(self.model.orders[order.id], id=0, price=price * PRICE, size=size * SIZE)
        refusal = self.ledger.refusal(order.asked, price, size, order.id)
        assert refusal == self.model.refusal(resting, without=order.id)
        if refusal is None:
            order = replace(order, price_ticks=price, qty_lots=order.filled_lots + size)
            self.ledger.hold(order)
            self.open[order.id] = order
            self.model.orders[order.id] = replace(resting, id=order.id)

    # ------------------------------------------------------------ positions
    @rule(market=perps, mark=st.integers(50_000_000, 200_000_000), watched=st.booleans())
    def move(self, market: str, mark: int, watched: bool) -> None:
        self.model.marks[market] = Fraction(mark, 10**6)
        if watched:
            self.liquidate()

    @rule(name=names, market=perps, leverage=st.integers(0, 21))
    def lever(self, name: str, market: str, leverage: int) -> None:
        held, exposure = self.model.held(name, market), self.model.exposure(name, market)
        caps = [cap for cap, most, _, _ in TIERS if 1 <= leverage <= most]
        more = up(exposure / leverage) - up(exposure / held.leverage) if leverage else Fraction(0)
        expected = None
        if not caps or exposure > max(caps):
            expected = Refusal.LEVERAGE
        elif more > 0 and more > self.model.spare(name):
            expected = Refusal.INSUFFICIENT_MARGIN
        if held.isolated and held.size and caps and leverage < held.leverage:
            expected = Refusal.MARGIN_MODE
        assert self.ledger.set_leverage(name, market, leverage) == expected
        if expected is None:
            held.leverage = leverage

    @rule(name=names, market=perps, isolated=st.booleans())
    def isolate(self, name: str, market: str, isolated: bool) -> None:
        held = self.model.held(name, market)
        ordered = any((o.account, o.market) == (name, market) for o in self.model.orders.values())
        expected = None
        if held.isolated == isolated:
            expected = Refusal.NO_CHANGE
        elif held.size or ordered:
            expected = Refusal.MARGIN_MODE
        assert self.ledger.set_margin_mode(name, market, isolated=isolated) == expected
        if expected is None:
            held.isolated = isolated

    @rule(name=names, market=perps, amount=st.integers(-6 * E8, 6 * E8), beyond=st.sampled_from((None, 0, 1)))
    def give(self, name: str, market: str, amount: int, beyond: int | None) -> None:
        """Margin to an isolated position or back, as much as Binance's FAQ 360038447311 allows."""
        held, model = self.model.held(name, market), self.model
        crossed = sum((model.maintenance(name, m) for m in model.crossed(name)), Fraction(0))
        wallet = model.has(name, PERP, "USD") - model.apart(name) - model.ordered(name) - crossed
        most = min(wallet, model.spare(name))
        if amount < 0:
            removable = held.margin - model.maintenance(name, market)
            most = min(removable, model.equity(name, market) - model.own(name, market))
        if beyond is not None and most > 0:  # all of it, or a unit more
            amount = (int(most * E8) + beyond) * (-1 if amount < 0 else 1)
        expected = None
        if not held.size:
            expected = Refusal.NO_POSITION
        elif not held.isolated:
            expected = Refusal.MARGIN_MODE
        elif abs(amount) * UNIT > most:
            expected = Refusal.INSUFFICIENT_MARGIN
        assert self.ledger.move_margin(name, market, amount) == expected
        if expected is None:
            held.margin += amount * UNIT

    @rule(market=perps, rate=st.integers(-(10**9), 10**9), price=st.integers(50 * E8, 200 * E8))
    def settle(self, market: str, rate: int, price: int) -> None:
        payments = self.ledger.settle(market, Settlement(9, rate, price))
        paid = {payment.account: payment.paid_e8 * UNIT for payment in payments}
        expected = {}
        for name in ACCOUNTS:
            held = self.model.held(name, market)
            if held.size:
                owed = held.size * price * UNIT * Fraction(rate, 10**12)
                expected[name] = up(owed, STEP[market][0])
                held.funding += expected[name]
                held.margin -= expected[name] if held.isolated else 0
                self.model.pay(name, PERP, "USD", -expected[name])
        assert paid == expected

    @rule()
    def liquidate(self) -> None:
        """Of all that are due: orders gone, positions closed at the mark, and what is missing covered."""
        for risk in self.ledger.due():
            name = risk.account
            assert risk.equity_e8 * UNIT == self.model.equity(name, risk.market)
            assert risk.equity_e8 < risk.maintenance_e8
            meant = [risk.market] if risk.market else self.model.crossed(name)
            for order in [order for order in self.open.values() if order.asked.account == name]:
                if order.asked.market in (*meant, "spot"):
                    self.ledger.release(order.id)
                    del self.open[order.id], self.model.orders[order.id]
            for position in [each for each in self.ledger.positions(name) if each.market in meant]:
                side = Side.SELL if position.lots > 0 else Side.BUY
                price = max(int(self.model.marks[position.market] * 100), 1)
                order, resting = self.order(name, position.market, side, price, abs(position.lots))
                self.filled(order, resting, abs(position.lots), maker=False, forced=True)
            if not risk.market:
                missing = max(self.model.apart(name) - self.model.has(name, PERP, "USD"), Fraction(0))
                assert self.ledger.cover(name, "USD") * UNIT == missing
                self.model.pay(name, PERP, "USD", missing)

    # ------------------------------------------------------------ what always holds
    @invariant()
    def every_unit_is_accounted_for(self) -> None:
        for asset in ("USD", "BTC"):
            accounts = sum(
                balance.total_e8
                for name in self.ledger.accounts()
                for balance in self.ledger.balances(name)
                if balance.asset == asset
            )
            assert accounts + sum(self.ledger.pool_e8(pool, asset) for pool in Pool) == 0

    @invariant()
    def both_agree_on_money(self) -> None:
        for name in ACCOUNTS:
            for wallet, asset in ((SPOT, "USD"), (SPOT, "BTC"), (PERP, "USD")):
                balance = self.ledger.balance(name, wallet, asset)
                assert balance.total_e8 * UNIT == self.model.has(name, wallet, asset)
                locked = self.model.locked(name, asset) if wallet == SPOT else self.model.apart(name)
                assert balance.locked_e8 * UNIT == locked
                assert wallet == PERP or 0 <= balance.locked_e8 <= balance.total_e8

    @rule()
    def both_agree_on_positions(self) -> None:
        queries: list[tuple[Callable[[str, str], int], Callable[[str, str], Fraction]]] = [
            (self.ledger.unrealized_e8, self.model.unrealized),
            (self.ledger.maintenance_e8, self.model.maintenance),
        ]
        for name in ACCOUNTS:
            for market in ("perp", "fine"):
                told, held = self.ledger.position(name, market), self.model.held(name, market)
                assert (told.lots * SIZE, told.entry_units * PRICE * SIZE) == (held.size, held.cost)
                assert (told.realized_e8 * UNIT, told.leverage) == (held.realized, held.leverage)
                assert told.funding_e8 * UNIT == held.funding
                assert (told.isolated_e8 is not None, (told.isolated_e8 or 0) * UNIT) == (
                    held.isolated,
                    held.margin,
                )
                for asked, expected in queries:
                    assert asked(name, market) * UNIT == expected(name, market)
                both = self.ledger.position_margin_e8(name, market) + self.ledger.order_margin_e8(
                    name, market
                )
                assert both * UNIT == self.model.margin(name, market)
            assert self.ledger.equity_e8(name, "USD") * UNIT == self.model.worth(name)
            assert self.ledger.available_e8(name, "USD") * UNIT == max(self.model.spare(name), 0)

    def teardown(self) -> None:
        self.both_agree_on_positions()


Books.TestCase.settings = settings(max_examples=80, stateful_step_count=50, deadline=None, derandomize=True)
TestBooks = Books.TestCase
