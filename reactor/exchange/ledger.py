"""The books of a trading floor: balances and locks, positions and margin, fees and funding. Pure accounting.

Every step is double entry: what an account gets, a pool gives (`Pool`), so that the sum over all accounts and pools of
an asset is 0 after any sequence of steps. Nothing here matches an order or knows what time it is; the mark price of
perps at where the floor stands comes in as a function.

A position is crossed, and stands on all that the wallet has but for what is set aside, or isolated: then so much of the
wallet as its leverage asks for is set aside when it is opened, it pays its funding of that, and nothing else is lost
with it when it is closed by force.

Amounts are in 1e-8 of their asset. One rounding: what an account is worth is rounded down, what it owes or needs up, so
the house never loses a unit. A position's value at the mark is rounded once, and its notional is that value's amount.
A fill's fee and a funding payment are rounded up to the step in which the venue tells them (a rebate is one below 0).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import Final, TypeAlias

from reactor.exchange.orders import (
    E8,
    Balance,
    Fill,
    FundingPayment,
    MoneyMoved,
    NewOrder,
    Order,
    Position,
    Refusal,
    Settlement,
)
from reactor.exchange.terms import PERP, SPOT, House, MarginTier, Terms
from reactor.types import Instrument, Kind, Side
from reactor.values import dataclass

E6: Final = 10**6
E12: Final = 10**12

Mark: TypeAlias = Callable[[str], int]  # the mark price of a market, in 1e-8 quote units


class Pool(StrEnum):
    """Whom accounts trade with, pay to and get from."""

    OUTSIDE = "outside"  # deposits come from here
    MARKET = "market"  # the other side of every fill
    FEES = "fees"
    FUNDING = "funding"
    INSURANCE = "insurance"  # pays what a liquidated account cannot


@dataclass(frozen=True, slots=True)
class Risk:
    """What an account is worth in a margin asset but for its isolated positions, and what the others need to be kept;
    or the same of the isolated position of a market.
    """

    account: str
    asset: str
    equity_e8: int
    maintenance_e8: int
    market: str = ""

    @property
    def due(self) -> bool:
        """Whether it is to be liquidated."""
        return self.equity_e8 < self.maintenance_e8


# ---------------------------------------------------------------- a ledger as plain values
@dataclass(frozen=True, slots=True)
class Held:
    """What is held for an open order of which `lots` are left: of the asset it pays with on spot, of margin else."""

    order_id: int
    account: str
    market: str
    side: Side
    price_ticks: int
    lots: int
    locked_e8: int


@dataclass(frozen=True, slots=True)
class AccountState:
    """An account: its balances, and its positions (flat ones too) in the order of their first use."""

    name: str
    balances: tuple[Balance, ...]
    positions: tuple[Position, ...]


@dataclass(frozen=True, slots=True)
class LedgerState:
    """All of a ledger but for what `moved` has not been asked for. `pools` are (pool, asset, amount); `exposed` names
    the accounts with positions, in the order in which they are settled.
    """

    accounts: tuple[AccountState, ...]
    held: tuple[Held, ...]
    pools: tuple[tuple[Pool, str, int], ...]
    exposed: tuple[str, ...]


# ---------------------------------------------------------------- what is kept
class _Market:
    """One market's terms, with its units of money worked out."""

    __slots__ = ("asset", "base", "id", "lot_e8", "spot", "terms", "unit_e8")

    def __init__(self, instrument: Instrument, terms: Terms) -> None:
        self.id, self.terms = instrument.market, terms
        self.spot = instrument.kind is Kind.SPOT
        self.base = instrument.base
        self.asset = instrument.quote if self.spot else terms.margin_asset or instrument.quote
        unit, rest = divmod(
            instrument.tick_size * instrument.lot_size * E8,
            10 ** (instrument.price_decimals + instrument.qty_decimals),
        )
        assert not rest, f"a tick of a lot of {self.id} is no whole number of 1e-8 {instrument.quote}"
        self.unit_e8: int = unit  # of 1 tick * 1 lot, in quote
        self.lot_e8: int = instrument.lot_size * 10 ** (8 - instrument.qty_decimals)  # of 1 lot, in base

    def value_e8(self, lots: int, price_e8: int) -> int:
        """Of signed lots, rounded down."""
        return lots * self.lot_e8 * price_e8 // E8

    def tier(self, notional_e8: int) -> MarginTier:
        tiers = self.terms.tiers
        for tier in tiers:
            if notional_e8 <= tier.notional_cap_e8:
                return tier
        return tiers[-1]

    def maintenance_e8(self, notional_e8: int) -> int:
        tier = self.tier(notional_e8)
        return max(_up(notional_e8 * tier.rate_e6, E6) - tier.deduction_e8, 0)

    def cap_e8(self, leverage: int) -> int:
        """The largest notional at a leverage; 0 where none is allowed."""
        return max((t.notional_cap_e8 for t in self.terms.tiers if leverage <= t.max_leverage), default=0)


class _Purse:
    """A balance; what is locked of it is held for orders on spot, and set aside for isolated positions of perps."""

    __slots__ = ("asset", "locked_e8", "total_e8", "wallet")

    def __init__(self, wallet: str, asset: str) -> None:
        self.wallet, self.asset, self.total_e8, self.locked_e8 = wallet, asset, 0, 0

    def told(self) -> Balance:
        return Balance(self.wallet, self.asset, self.total_e8, self.locked_e8)


class _Holding:
    """A position, and the open orders of its market that need margin (units: price_ticks * lots), by side."""

    __slots__ = (
        "ask_units",
        "bid_units",
        "entry_units",
        "funding_e8",
        "isolated",
        "leverage",
        "lots",
        "margin_e8",
        "market",
        "realized_e8",
        "updated_ns",
    )

    def __init__(self, market: _Market) -> None:
        self.market, self.leverage = market, market.terms.default_leverage
        self.lots = self.entry_units = self.updated_ns = self.funding_e8 = self.realized_e8 = 0
        self.bid_units = self.ask_units = self.margin_e8 = 0
        self.isolated = False

    def told(self) -> Position:
        return Position(
            self.market.id,
            self.lots,
            self.entry_units,
            self.leverage,
            self.updated_ns,
            self.funding_e8,
            self.realized_e8,
            self.margin_e8 if self.isolated else None,
        )

    def take(self, position: Position) -> None:
        self.lots, self.entry_units = position.lots, position.entry_units
        self.leverage, self.updated_ns = position.leverage, position.updated_ns
        self.funding_e8, self.realized_e8 = position.funding_e8, position.realized_e8
        self.isolated, self.margin_e8 = position.isolated_e8 is not None, position.isolated_e8 or 0

    def unrealized_e8(self, mark_e8: int) -> int:
        return self.market.value_e8(self.lots, mark_e8) - self.entry_units * self.market.unit_e8

    def worth_e8(self, mark_e8: int) -> int:
        """Of an isolated position: its margin, and what it would gain or lose."""
        return self.margin_e8 + self.unrealized_e8(mark_e8)

    def exposure_e8(self, value_e8: int, bid_units: int, ask_units: int) -> int:
        """The largest notional that fills could leave: of all bids, or of all asks, on top of what is held."""
        unit_e8 = self.market.unit_e8
        if not (bid_units or ask_units):
            return abs(value_e8)
        return max(abs(value_e8 + bid_units * unit_e8), abs(value_e8 - ask_units * unit_e8))


class _Account:
    __slots__ = ("holdings", "moved", "name", "purses", "touched")

    def __init__(self, name: str) -> None:
        self.name = name
        self.purses: dict[tuple[str, str], _Purse] = {}
        self.holdings: dict[str, _Holding] = {}
        self.moved: dict[tuple[str, str], int] = {}  # since last asked: totals by how much,
        self.touched: dict[str, None] = {}  # and positions that changed

    def purse(self, wallet: str, asset: str) -> _Purse:
        purse = self.purses.get((wallet, asset))
        if purse is None:
            purse = self.purses[wallet, asset] = _Purse(wallet, asset)
        return purse

    def holding(self, market: _Market) -> _Holding:
        holding = self.holdings.get(market.id)
        if holding is None:
            holding = self.holdings[market.id] = _Holding(market)
        return holding


@dataclass(frozen=True, slots=True)
class _Hold:
    """What an open order keeps from being used: of a purse on spot, of margin else. Of `price_ticks`, `lots` left."""

    account: _Account
    market: _Market
    side: Side
    price_ticks: int
    lots: int
    locked_e8: int


# ---------------------------------------------------------------- the ledger
class Ledger:
    """The accounts of one floor.

    The floor asks `refusal` before an order does anything, tells of each `fill`, and keeps `hold` to what is open of
    orders that rest: an order is held at its own price, again after each amendment, until `release`. A fill of a held
    order takes its part of the hold with it. `moved` tells what a step (or several) did to an account.
    """

    def __init__(self, house: House, instruments: Iterable[Instrument], mark_e8: Mark) -> None:
        self._house = house
        self._mark_e8 = mark_e8
        by_market = {i.market: i for i in instruments}
        self._markets = {m: _Market(by_market[m], terms) for m, terms in house.terms.items()}
        self._accounts: dict[str, _Account] = {}
        self._exposed: dict[str, _Account] = {}  # those with positions
        self._holds: dict[int, _Hold] = {}
        self._pools: dict[tuple[Pool, str], int] = {}

    # ------------------------------------------------------------ kept and taken up again
    def state(self) -> LedgerState:
        """All that a ledger of the same house must be told to go on from here."""
        return LedgerState(
            tuple(
                AccountState(
                    account.name,
                    tuple(purse.told() for purse in account.purses.values()),
                    tuple(holding.told() for holding in account.holdings.values()),
                )
                for account in self._accounts.values()
            ),
            tuple(
                Held(i, h.account.name, h.market.id, h.side, h.price_ticks, h.lots, h.locked_e8)
                for i, h in self._holds.items()
            ),
            tuple((pool, asset, amount_e8) for (pool, asset), amount_e8 in self._pools.items()),
            tuple(self._exposed),
        )

    def restore(self, state: LedgerState) -> None:
        """Go on from such a state; only on a ledger in which nothing has happened."""
        assert not self._accounts, "there are accounts already"
        for kept in state.accounts:
            account = self._accounts[kept.name] = _Account(kept.name)
            for balance in kept.balances:
                purse = account.purse(balance.wallet, balance.asset)
                purse.total_e8, purse.locked_e8 = balance.total_e8, balance.locked_e8
            for position in kept.positions:
                account.holding(self._markets[position.market]).take(position)
        for held in state.held:
            account, market = self._accounts[held.account], self._markets[held.market]
            self._holds[held.order_id] = _Hold(
                account, market, held.side, held.price_ticks, held.lots, held.locked_e8
            )
            if not market.spot:
                _rest(account.holding(market), held.side, held.price_ticks * held.lots)
        self._pools = {(pool, asset): amount_e8 for pool, asset, amount_e8 in state.pools}
        self._exposed = {name: self._accounts[name] for name in state.exposed}

    # ------------------------------------------------------------ accounts and money
    def open(self, account: str, *, funded: bool) -> None:
        """Open an account where there is none; `funded`: with the house's opening balances."""
        if account in self._accounts:
            return
        opened = self._accounts[account] = _Account(account)
        if funded:
            for (wallet, asset), amount_e8 in self._house.opening.items():
                self._pay(opened, wallet, asset, amount_e8, Pool.OUTSIDE)

    def deposit(self, account: str, wallet: str, asset: str, amount_e8: int) -> Refusal | None:
        """Money from nowhere; below 0, to nowhere, of what is free."""
        if amount_e8 < 0 and -amount_e8 > self.withdrawable_e8(account, wallet, asset):
            return Refusal.INSUFFICIENT_BALANCE
        self.open(account, funded=False)
        self._pay(self._accounts[account], wallet, asset, amount_e8, Pool.OUTSIDE)
        return None

    def transfer(
        self,
        account: str,
        asset: str,
        amount_e8: int,
        source: str,
        target: str,
        to_account: str | None = None,
    ) -> Refusal | None:
        """From wallet to wallet, of what is free; opens the account it goes to."""
        if not 0 <= amount_e8 <= self.withdrawable_e8(account, source, asset):
            return Refusal.INSUFFICIENT_BALANCE
        self.open(account, funded=False)
        receiver = account if to_account is None else to_account
        self.open(receiver, funded=False)
        self._credit(self._accounts[account], source, asset, -amount_e8)
        self._credit(self._accounts[receiver], target, asset, amount_e8)
        return None

    def _credit(self, account: _Account, wallet: str, asset: str, amount_e8: int) -> None:
        key = wallet, asset
        if not amount_e8 and key not in account.purses:
            return  # a balance is one that was ever other than 0
        account.purse(wallet, asset).total_e8 += amount_e8
        account.moved[key] = account.moved.get(key, 0) + amount_e8

    def _pay(self, account: _Account, wallet: str, asset: str, amount_e8: int, pool: Pool) -> None:
        """From a pool to an account; below 0, the other way."""
        self._credit(account, wallet, asset, amount_e8)
        key = pool, asset
        self._pools[key] = self._pools.get(key, 0) - amount_e8

    # ------------------------------------------------------------ orders
    def refusal(
        self, order: NewOrder, price_ticks: int, lots: int, instead_of: int | None = None
    ) -> Refusal | None:
        """Why an order may not be placed, None where it may.

        Of a limit order `price_ticks` and `lots` are its own, of a market order the worst price it would get now and
        what it would fill. `instead_of` is the id of an open order that it takes the place of (an amendment).
        """
        market = self._markets[order.market]
        account = self._accounts.get(order.account)
        before = self._holds.get(instead_of) if instead_of is not None else None
        if market.spot:
            return self._spot_refusal(market, account, order, price_ticks, lots, before)
        if account is None:
            return Refusal.INSUFFICIENT_MARGIN
        return self._perp_refusal(market, account, order, price_ticks, lots, before)

    def _spot_refusal(
        self,
        market: _Market,
        account: _Account | None,
        order: NewOrder,
        price_ticks: int,
        lots: int,
        before: _Hold | None,
    ) -> Refusal | None:
        asset = market.asset if order.side is Side.BUY else market.base
        if order.side is Side.BUY and order.quote_units is not None:
            need_e8 = _with_fee(market, order.quote_units)
        else:
            need_e8 = _lock_e8(market, order.side, price_ticks, lots)
        purse = account.purses.get((SPOT, asset)) if account else None
        free_e8 = purse.total_e8 - purse.locked_e8 if purse else 0
        if before is not None:
            free_e8 += before.locked_e8
        return Refusal.INSUFFICIENT_BALANCE if need_e8 > free_e8 else None

    def _perp_refusal(
        self,
        market: _Market,
        account: _Account,
        order: NewOrder,
        price_ticks: int,
        lots: int,
        before: _Hold | None,
    ) -> Refusal | None:
        holding = account.holdings.get(market.id) or _Holding(market)
        if order.reduce_only:
            return Refusal.NOTHING_TO_REDUCE if holding.lots * order.side >= 0 else None
        mark_e8 = self._mark_e8(market.id)
        value_e8 = market.value_e8(holding.lots, mark_e8)
        bids, asks = holding.bid_units, holding.ask_units
        now_e8 = holding.exposure_e8(value_e8, bids, asks)
        if before is not None:
            held = before.price_ticks * before.lots
            bids, asks = (bids - held, asks) if before.side is Side.BUY else (bids, asks - held)
        units = price_ticks * lots
        bids, asks = (bids + units, asks) if order.side is Side.BUY else (bids, asks + units)
        then_e8 = holding.exposure_e8(value_e8, bids, asks)
        if then_e8 <= now_e8:
            return None  # it adds no risk
        if then_e8 > market.cap_e8(holding.leverage):
            return Refusal.LEVERAGE
        # What it would lose at once at this price, were it filled and valued at the mark.
        loss_e8 = max(units * market.unit_e8 * order.side - market.value_e8(lots * order.side, mark_e8), 0)
        more_e8 = _up(then_e8, holding.leverage) - _up(now_e8, holding.leverage)
        spare_e8 = self._spare_e8(account, market.asset, self._mark_e8)
        return Refusal.INSUFFICIENT_MARGIN if more_e8 + loss_e8 > spare_e8 else None

    def hold(self, order: Order) -> None:
        """Hold what the open part of a resting order needs, in place of what was held for it before."""
        self.release(order.id)
        asked = order.asked
        market = self._markets[asked.market]
        assert order.price_ticks is not None, order
        self._hold(order.id, self._accounts[asked.account], market, asked, order.price_ticks, order.open_lots)

    def _hold(
        self, order_id: int, account: _Account, market: _Market, asked: NewOrder, price_ticks: int, lots: int
    ) -> None:
        locked_e8 = 0
        if market.spot:
            locked_e8 = _lock_e8(market, asked.side, price_ticks, lots)
            self._lock(account, market, asked.side, locked_e8)
        elif asked.reduce_only:
            return
        else:
            _rest(account.holding(market), asked.side, price_ticks * lots)
        self._holds[order_id] = _Hold(account, market, asked.side, price_ticks, lots, locked_e8)

    def release(self, order_id: int) -> None:
        """Hold nothing for an order any more."""
        held = self._holds.pop(order_id, None)
        if held is None:
            return
        if held.market.spot:
            self._lock(held.account, held.market, held.side, -held.locked_e8)
        else:
            _rest(held.account.holding(held.market), held.side, -held.price_ticks * held.lots)

    def _lock(self, account: _Account, market: _Market, side: Side, amount_e8: int) -> None:
        asset = market.asset if side is Side.BUY else market.base
        account.purse(SPOT, asset).locked_e8 += amount_e8
        account.moved.setdefault((SPOT, asset), 0)

    # ------------------------------------------------------------ fills
    def fill(
        self,
        order: Order,
        ts_ns: int,
        trade_id: int,
        price_ticks: int,
        lots: int,
        *,
        maker: bool,
        liquidation: bool = False,
        fee_e6: int | None = None,
    ) -> Fill:
        """Settle one execution of an order, held or not, and tell of it. The price is no worse than the order's. With
        `fee_e6` it costs that, whatever the terms are.
        """
        asked = order.asked
        account, market = self._accounts[asked.account], self._markets[asked.market]
        terms = market.terms
        rate_e6 = terms.maker_fee_e6 if maker else terms.taker_fee_e6
        rate_e6 = rate_e6 if fee_e6 is None else fee_e6
        quote_e8 = price_ticks * lots * market.unit_e8
        held = self._holds.get(order.id)
        freed_e8 = quote_e8
        if held is not None:
            self.release(order.id)
            left = held.lots - lots
            if left > 0:
                self._hold(order.id, account, market, asked, held.price_ticks, left)
            freed_e8 = held.locked_e8 - (self._holds[order.id].locked_e8 if left > 0 else 0)
        realized_e8 = before_lots = 0
        fee_asset = market.asset
        fee_e8 = _part(quote_e8, rate_e6, terms.quote_step_e8)
        if market.spot:
            base_e8 = lots * market.lot_e8
            if asked.side is Side.SELL:
                self._pay(account, SPOT, market.base, -base_e8, Pool.MARKET)
                self._pay(account, SPOT, market.asset, quote_e8, Pool.MARKET)
            else:
                self._pay(account, SPOT, market.asset, -quote_e8, Pool.MARKET)
                self._pay(account, SPOT, market.base, base_e8, Pool.MARKET)
                if terms.fee_in_received:
                    fee_asset, fee_e8 = market.base, _part(base_e8, rate_e6, terms.base_step_e8)
                elif held is not None:
                    fee_e8 = min(fee_e8, freed_e8 - quote_e8)  # rounding takes no more than was held for it
            self._pay(account, SPOT, fee_asset, -fee_e8, Pool.FEES)
        else:
            holding = account.holding(market)
            before_lots = holding.lots
            realized_e8 = _trade(holding, asked.side * lots, price_ticks) * market.unit_e8
            holding.realized_e8 += realized_e8
            holding.updated_ns = ts_ns
            self._pay(account, PERP, fee_asset, realized_e8, Pool.MARKET)
            self._pay(account, PERP, fee_asset, -fee_e8, Pool.FEES)
            back_e8 = self._isolate(account, holding, before_lots, price_ticks) if holding.isolated else 0
            if liquidation:
                left_e8 = (
                    back_e8 + realized_e8 - fee_e8
                    if holding.isolated
                    else _crossed_e8(account.purses[PERP, fee_asset])
                )
                forced_e8 = _part(quote_e8, terms.liquidation_fee_e6, terms.quote_step_e8)
                forced_e8 = min(forced_e8, max(left_e8, 0))
                if holding.isolated and left_e8 < 0:  # nobody but the insurance loses more than was set aside
                    self._pay(account, PERP, fee_asset, -left_e8, Pool.INSURANCE)
                self._pay(account, PERP, fee_asset, -forced_e8, Pool.INSURANCE)
                fee_e8 += forced_e8
            account.touched[market.id] = None
            self._expose(account)
        return Fill(
            trade_id=trade_id,
            order_id=order.id,
            account=account.name,
            market=market.id,
            side=asked.side,
            ts_ns=ts_ns,
            price_ticks=price_ticks,
            qty_lots=lots,
            maker=maker,
            fee_e8=fee_e8,
            fee_asset=fee_asset,
            realized_e8=realized_e8,
            position_before_lots=before_lots,
            liquidation=liquidation,
        )

    def _isolate(self, account: _Account, holding: _Holding, before_lots: int, price_ticks: int) -> int:
        """Give an isolated position that was so large the margin for what was opened at a price, or its share of margin
        back to the wallet for what was closed. Returns how much went back.
        """
        before, after = abs(before_lots), abs(holding.lots)
        closed, opened = (
            (before, after) if before_lots * holding.lots <= 0 else (before - after, after - before)
        )
        back_e8 = holding.margin_e8 * closed // before if closed > 0 else 0
        self._set_aside(account, holding, -back_e8)
        if opened > 0:
            units = opened * price_ticks
            self._set_aside(account, holding, _up(units * holding.market.unit_e8, holding.leverage))
        return back_e8

    def _set_aside(self, account: _Account, holding: _Holding, amount_e8: int) -> None:
        """Out of the wallet for an isolated position; below 0, back."""
        key = PERP, holding.market.asset
        holding.margin_e8 += amount_e8
        account.purse(*key).locked_e8 += amount_e8
        account.moved.setdefault(key, 0)
        account.touched[holding.market.id] = None

    def _expose(self, account: _Account) -> None:
        if any(h.lots for h in account.holdings.values()):
            self._exposed.setdefault(account.name, account)
        else:
            self._exposed.pop(account.name, None)

    # ------------------------------------------------------------ funding, leverage, liquidation
    def settle(self, market: str, settlement: Settlement) -> list[FundingPayment]:
        """Have all positions of a market pay or get their funding."""
        terms = self._markets[market]
        step_e8 = terms.terms.quote_step_e8
        payments = []
        for account in self._exposed.values():
            holding = account.holdings.get(market)
            if holding is None or not holding.lots:
                continue
            due_e28 = holding.lots * terms.lot_e8 * settlement.price_e8 * settlement.rate_e12
            paid_e8 = _up(due_e28, E8 * E12 * step_e8) * step_e8
            holding.funding_e8 += paid_e8
            self._pay(account, PERP, terms.asset, -paid_e8, Pool.FUNDING)
            if holding.isolated:
                self._set_aside(account, holding, -paid_e8)
            payments.append(FundingPayment(account.name, market, settlement, holding.lots, paid_e8))
        return payments

    def set_leverage(self, account: str, market: str, leverage: int) -> Refusal | None:
        """From now on, for what is held and ordered too; opens the account where there is none."""
        terms = self._markets[market]
        cap_e8 = terms.cap_e8(leverage) if leverage >= 1 else 0
        if not cap_e8:
            return Refusal.LEVERAGE
        self.open(account, funded=False)
        owner = self._accounts[account]
        holding = owner.holding(terms)
        if holding.isolated and holding.lots and leverage < holding.leverage:
            return Refusal.MARGIN_MODE
        exposure_e8 = self._exposure_e8(holding, self._mark_e8)
        if exposure_e8 > cap_e8:
            return Refusal.LEVERAGE
        more_e8 = _up(exposure_e8, leverage) - _up(exposure_e8, holding.leverage)
        if more_e8 > 0 and more_e8 > self._spare_e8(owner, terms.asset, self._mark_e8):
            return Refusal.INSUFFICIENT_MARGIN
        holding.leverage = leverage
        return None

    def set_margin_mode(self, account: str, market: str, *, isolated: bool) -> Refusal | None:
        """From now on; opens the account where there is none."""
        self.open(account, funded=False)
        owner = self._accounts[account]
        holding = owner.holding(self._markets[market])
        if holding.isolated == isolated:
            return Refusal.NO_CHANGE
        if holding.lots or holding.bid_units or holding.ask_units:
            return Refusal.MARGIN_MODE
        holding.isolated = isolated
        owner.touched[market] = None
        return None

    def move_margin(self, account: str, market: str, amount_e8: int) -> Refusal | None:
        """To an isolated position out of the wallet; below 0, back."""
        holding = self._holding(account, market)
        if not holding.lots:
            return Refusal.NO_POSITION
        if not holding.isolated:
            return Refusal.MARGIN_MODE
        owner, asset = self._accounts[account], holding.market.asset
        if amount_e8 >= 0:
            most_e8 = min(
                _crossed_e8(owner.purse(PERP, asset))
                - self._ordered_e8(owner, asset)
                - self._maintenance_e8(owner, asset, self._mark_e8),
                self._spare_e8(owner, asset, self._mark_e8),
            )
        else:
            value_e8 = abs(self._value_e8(holding, self._mark_e8))
            kept_e8 = _up(value_e8 * (self._house.kept_notional_e6 or 0), E6)
            kept_e8 = max(_up(value_e8, holding.leverage), kept_e8)
            worth_e8 = holding.worth_e8(self._mark_e8(market))
            most_e8 = min(holding.margin_e8 - holding.market.maintenance_e8(value_e8), worth_e8 - kept_e8)
        if abs(amount_e8) > most_e8:
            return Refusal.INSUFFICIENT_MARGIN
        self._set_aside(owner, holding, amount_e8)
        return None

    def due(self, share_e6: int = E6, mark_e8: Mark | None = None) -> list[Risk]:
        """The accounts whose maintenance margin is more than this share of what they are worth, by margin asset, and
        the isolated positions of which the same is true.

        By default all of it: those to be liquidated. `mark_e8`: at these marks, rather than where the floor stands.
        """
        marks = mark_e8 or self._mark_e8
        risks = []
        for account in self._exposed.values():
            held = [holding for holding in account.holdings.values() if holding.lots]
            for asset in dict.fromkeys(h.market.asset for h in held if not h.isolated):
                equity_e8 = self._cross_equity_e8(account, asset, marks)
                need_e8 = self._maintenance_e8(account, asset, marks)
                risks.append(Risk(account.name, asset, equity_e8, need_e8))
            for holding in held:
                if holding.isolated:
                    mark = marks(holding.market.id)
                    equity_e8 = holding.worth_e8(mark)
                    need_e8 = holding.market.maintenance_e8(abs(holding.market.value_e8(holding.lots, mark)))
                    asset = holding.market.asset
                    risks.append(Risk(account.name, asset, equity_e8, need_e8, holding.market.id))
        return [risk for risk in risks if risk.maintenance_e8 * E6 > risk.equity_e8 * share_e6]

    @property
    def exposed(self) -> bool:
        """Whether anybody has a position."""
        return bool(self._exposed)

    def cover(self, account: str, asset: str) -> int:
        """After a liquidation: the insurance pays what the perp wallet is below what is set aside. Returns how much
        that was.
        """
        owner = self._accounts[account]
        missing_e8 = max(-_crossed_e8(owner.purse(PERP, asset)), 0)
        if missing_e8:
            self._pay(owner, PERP, asset, missing_e8, Pool.INSURANCE)
        return missing_e8

    # ------------------------------------------------------------ what an account is told
    def moved(self, account: str, cause: str) -> MoneyMoved | None:
        """What changed for an account since last asked: balances (locks too) and positions; None where nothing did."""
        owner = self._accounts.get(account)
        if owner is None or not (owner.moved or owner.touched):
            return None
        news = MoneyMoved(
            cause,
            tuple([owner.purses[key].told() for key in owner.moved]),
            tuple([owner.holdings[market].told() for market in owner.touched]),
            tuple(owner.moved.values()),
        )
        owner.moved, owner.touched = {}, {}
        return news

    # ------------------------------------------------------------ queries, as Floor has them
    def accounts(self) -> Sequence[str]:
        return list(self._accounts)

    def exists(self, account: str) -> bool:
        return account in self._accounts

    def balances(self, account: str) -> Sequence[Balance]:
        owner = self._accounts.get(account)
        return [purse.told() for purse in owner.purses.values()] if owner else []

    def balance(self, account: str, wallet: str, asset: str) -> Balance:
        owner = self._accounts.get(account)
        purse = owner.purses.get((wallet, asset)) if owner else None
        return purse.told() if purse else Balance(wallet, asset, 0)

    def position(self, account: str, market: str) -> Position:
        return self._holding(account, market).told()

    def positions(self, account: str) -> Sequence[Position]:
        owner = self._accounts.get(account)
        if owner is None:
            return []
        held = owner.holdings
        return [held[m].told() for m in self._markets if m in held and held[m].lots]

    def leverage(self, account: str, market: str) -> int:
        return self._holding(account, market).leverage

    def pool_e8(self, pool: Pool, asset: str) -> int:
        """What a pool has got, less what it gave."""
        return self._pools.get((pool, asset), 0)

    def equity_e8(self, account: str, asset: str) -> int:
        owner = self._accounts.get(account)
        if owner is None:
            return 0
        apart = [h for h in owner.holdings.values() if h.lots and h.isolated and h.market.asset == asset]
        own_e8 = sum(h.worth_e8(self._mark_e8(h.market.id)) for h in apart)
        return self._cross_equity_e8(owner, asset, self._mark_e8) + own_e8

    def unrealized_e8(self, account: str, market: str) -> int:
        holding = self._holding(account, market)
        return holding.unrealized_e8(self._mark_e8(market)) if holding.lots else 0

    def position_margin_e8(self, account: str, market: str) -> int:
        holding = self._holding(account, market)
        return _up(abs(self._value_e8(holding, self._mark_e8)), holding.leverage)

    def order_margin_e8(self, account: str, market: str) -> int:
        return self._order_margin_e8(self._holding(account, market), self._mark_e8)

    def maintenance_e8(self, account: str, market: str) -> int:
        holding = self._holding(account, market)
        return holding.market.maintenance_e8(abs(self._value_e8(holding, self._mark_e8)))

    def available_e8(self, account: str, asset: str) -> int:
        owner = self._accounts.get(account)
        return max(self._spare_e8(owner, asset, self._mark_e8), 0) if owner else 0

    def withdrawable_e8(self, account: str, wallet: str, asset: str) -> int:
        """What may be taken out of a wallet."""
        owner = self._accounts.get(account)
        purse = owner.purses.get((wallet, asset)) if owner else None
        if owner is None or purse is None:
            return 0
        if wallet != PERP:
            return purse.total_e8 - purse.locked_e8
        spare_e8 = self._spare_e8(owner, asset, self._mark_e8)
        kept_e6, equity_e8 = self._house.kept_notional_e6, self._cross_equity_e8(owner, asset, self._mark_e8)
        if kept_e6 is None:  # profit stays until it is realised
            return max(spare_e8 - max(equity_e8 - _crossed_e8(purse), 0), 0)
        held = [h for h in owner.holdings.values() if h.market.asset == asset and not h.isolated]
        notional_e8 = sum(abs(self._value_e8(h, self._mark_e8)) for h in held)
        return max(min(spare_e8, equity_e8 - _up(notional_e8 * kept_e6, E6)), 0)

    def liquidation_price_e8(self, account: str, market: str) -> int | None:
        """The mark nearest to a position's good side at which the account is due, or the position alone if it is
        isolated, all else standing still.

        None where no mark above 0 is. What an account is worth, less what it needs, only grows with the price of what
        it is long of and only falls with that of what it is short of, so that the mark is found by halving.
        """
        holding = self._holding(account, market)
        if not holding.lots:
            return None
        owner, terms = self._accounts[account], holding.market
        mark_e8 = self._mark_e8(market)
        if holding.isolated:
            rest_e8 = holding.margin_e8 - holding.entry_units * terms.unit_e8
        else:
            rest_e8 = (
                self._cross_equity_e8(owner, terms.asset, self._mark_e8)
                - self._maintenance_e8(owner, terms.asset, self._mark_e8)
                - terms.value_e8(holding.lots, mark_e8)
                + terms.maintenance_e8(abs(terms.value_e8(holding.lots, mark_e8)))
            )

        def due(price_e8: int) -> bool:
            value_e8 = terms.value_e8(holding.lots, price_e8)
            return rest_e8 + value_e8 < terms.maintenance_e8(abs(value_e8))

        bad, good = 0, mark_e8
        if holding.lots > 0:
            if not due(1):
                return None
            bad = 1
            while due(good):
                good *= 2
        else:
            good = 0
            if due(good):
                return 0
            bad = mark_e8
            while not due(bad):
                bad *= 2
        while abs(good - bad) > 1:
            middle = (good + bad) // 2
            good, bad = (good, middle) if due(middle) else (middle, bad)
        return bad

    # ------------------------------------------------------------ margin
    def _holding(self, account: str, market: str) -> _Holding:
        owner = self._accounts.get(account)
        return (owner.holdings.get(market) if owner else None) or _Holding(self._markets[market])

    def _value_e8(self, holding: _Holding, marks: Mark) -> int:
        return holding.market.value_e8(holding.lots, marks(holding.market.id)) if holding.lots else 0

    def _exposure_e8(self, holding: _Holding, marks: Mark) -> int:
        return holding.exposure_e8(self._value_e8(holding, marks), holding.bid_units, holding.ask_units)

    def _cross_equity_e8(self, account: _Account, asset: str, marks: Mark) -> int:
        """Of all but isolated positions, and without what is set aside for these."""
        purse = account.purses.get((PERP, asset))
        equity_e8 = _crossed_e8(purse) if purse else 0
        for holding in account.holdings.values():
            if holding.lots and holding.market.asset == asset and not holding.isolated:
                equity_e8 += holding.unrealized_e8(marks(holding.market.id))
        return equity_e8

    def _maintenance_e8(self, account: _Account, asset: str, marks: Mark) -> int:
        """Of all but isolated positions."""
        return sum(
            holding.market.maintenance_e8(abs(self._value_e8(holding, marks)))
            for holding in account.holdings.values()
            if holding.lots and holding.market.asset == asset and not holding.isolated
        )

    def _order_margin_e8(self, holding: _Holding, marks: Mark) -> int:
        """What open orders ask for beyond the position's initial margin."""
        whole_e8 = _up(self._exposure_e8(holding, marks), holding.leverage)
        return whole_e8 - _up(abs(self._value_e8(holding, marks)), holding.leverage)

    def _ordered_e8(self, account: _Account, asset: str) -> int:
        """The initial margin of orders for isolated positions."""
        return sum(
            self._order_margin_e8(holding, self._mark_e8)
            for holding in account.holdings.values()
            if holding.isolated and holding.market.asset == asset
        )

    def _spare_e8(self, account: _Account, asset: str, marks: Mark) -> int:
        """Cross equity less the initial margin of positions and orders, of which isolated positions have brought their
        own; below 0 where that is not covered.
        """
        spare_e8 = self._cross_equity_e8(account, asset, marks)
        for holding in account.holdings.values():
            if holding.market.asset == asset and (holding.lots or holding.bid_units or holding.ask_units):
                if holding.isolated:
                    spare_e8 -= self._order_margin_e8(holding, marks)
                else:
                    spare_e8 -= _up(self._exposure_e8(holding, marks), holding.leverage)
        return spare_e8


# ---------------------------------------------------------------- arithmetic
def _up(numerator: int, denominator: int) -> int:
    """A quotient rounded up."""
    return -(-numerator // denominator)


def _part(amount_e8: int, rate_e6: int, step_e8: int) -> int:
    """So many 1e-6 of an amount, rounded up to whole steps."""
    return -(-amount_e8 * rate_e6 // (E6 * step_e8)) * step_e8


def _with_fee(market: _Market, units: int) -> int:
    """What a spot buyer may have to pay for so many units, in quote."""
    cost_e8 = units * market.unit_e8
    if market.terms.fee_in_received:
        return cost_e8
    rate_e6 = max(market.terms.taker_fee_e6, market.terms.maker_fee_e6, 0)
    return cost_e8 + _part(cost_e8, rate_e6, market.terms.quote_step_e8)


def _lock_e8(market: _Market, side: Side, price_ticks: int, lots: int) -> int:
    """What an open spot order locks: of the quote asset for a buy, of the base asset for a sell."""
    return _with_fee(market, price_ticks * lots) if side is Side.BUY else lots * market.lot_e8


def _crossed_e8(purse: _Purse) -> int:
    """What a perp wallet has but for what is set aside for isolated positions."""
    return purse.total_e8 - purse.locked_e8


def _rest(holding: _Holding, side: Side, units: int) -> None:
    if side is Side.BUY:
        holding.bid_units += units
    else:
        holding.ask_units += units


def _trade(holding: _Holding, lots: int, price_ticks: int) -> int:
    """Add signed lots to a position; the units it realises.

    A part that closes takes its share of the entry with it, rounded up: what is realised is rounded down, and the rest
    stays in the position. What goes through zero closes all of it and opens the other side at the price.
    """
    before = holding.lots
    after = before + lots
    realized = 0
    if before * lots < 0:
        closed = -lots if abs(lots) <= abs(before) else before
        entry = _up(holding.entry_units * closed, before)
        realized = closed * price_ticks - entry
        holding.entry_units -= entry
        lots += closed
    if before * after <= 0:
        holding.funding_e8 = 0  # another position, or none
    holding.entry_units += lots * price_ticks
    holding.lots = after
    return realized
