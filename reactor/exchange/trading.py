"""TradingFloor: orders, matching and accounts of one venue: a function of the tape, the commands and their instants.

Each market has a pit: its overlay, brought to the present only when a command or a fill makes that necessary, and a
copy of it that runs ahead to the next fill, so that the floor can say when it next stirs. The ledger keeps the
accounts. What happens at one boundary comes in this order: fills of the ticks before it, funding, orders whose price
has come, liquidations, scheduled cancels, what is forgotten; then commands, as they come.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from heapq import heappop, heappush
from itertools import count
from operator import attrgetter
from threading import RLock

import numpy as np

from reactor.bars import Interval
from reactor.exchange.history import History, HistoryState, Records
from reactor.exchange.ledger import Ledger, LedgerState, Risk
from reactor.exchange.orders import (
    FROZEN,
    Amendment,
    AmendOrder,
    Balance,
    CancelAll,
    CancelOrder,
    Command,
    Deleverage,
    Deposit,
    Done,
    Fill,
    Forgotten,
    Funded,
    FundingPayment,
    Gauge,
    LeverageSet,
    Liquidated,
    MarginCalled,
    MarginMoved,
    MeetOrder,
    MoveMargin,
    NewOrder,
    News,
    Order,
    OrderAmended,
    OrderEnded,
    OrderFilled,
    OrderPlaced,
    OrderStatus,
    OrderTrails,
    OrderTriggered,
    Outcome,
    PlaceOrder,
    PlacePair,
    Position,
    Refusal,
    Refused,
    Remember,
    ScheduleCancel,
    SetLeverage,
    SetMarginMode,
    TimeInForce,
    Told,
    Transfer,
    Trigger,
    Why,
)
from reactor.exchange.overlaid import OverlaidMarket
from reactor.exchange.overlay import Ended, Execution, Overlay, OverlayState, Plan, Resting
from reactor.exchange.tape import TapeIndex
from reactor.exchange.terms import House
from reactor.exchange.triggers import Reached, Watch
from reactor.fixed import nearest
from reactor.single_asset import HyperSynthReactor
from reactor.types import BLOCK_NS, MS_NS, NEVER_NS, SECOND_NS, TICK_NS, BookSide, Side
from reactor.unified_market import Fate, MarketOrchestrationCore
from reactor.values import dataclass
from reactor.veils import Phase

ORDERS_KEPT = 1_000  # ended orders an account can still ask for
FILLS_KEPT = 10_000  # likewise fills and funding payments
RISK_NS = SECOND_NS  # margins are looked at on whole seconds, as marks are made
_CROWD_NS = 50 * MS_NS  # commands within so short a time are a crowd
_MINUTE = Interval(BLOCK_NS)
_CLOSED = {
    Phase.HALTED: Refusal.HALTED,
    Phase.CALL: Refusal.CALLED,
    Phase.CLOSED: Refusal.CLOSED,
    Phase.UNLISTED: Refusal.CLOSED,
}
_ID = attrgetter("id")
_LOOK_NS = SECOND_NS  # how far ahead a pit looks for a fill at first; then twice as far


# ---------------------------------------------------------------- a market of the floor
class _Pit:
    """One market: its overlay, what happened there, its future and its public face. The floor's thread alone writes."""

    def __init__(self, tape: HyperSynthReactor, lock: RLock) -> None:
        self.index = TapeIndex(tape)
        self.overlay = Overlay(self.index, 0)
        self.revision = 0
        self.face = OverlaidMarket(tape, self)
        self.watch = Watch(tape.instrument.tick_e8)
        self._history = History()
        self._lock = lock
        self._ahead: Overlay | None = None
        self._look_ns = _LOOK_NS
        self._altered_ns = -1

    def snapshot(self) -> tuple[int, Records, Overlay]:
        with self._lock:
            self._write()
            return self.revision, self._history.records(), self.overlay.clone()

    def state(self, market: str) -> PitState:
        self._write()
        return PitState(
            market, self.revision, self.overlay.state(), self._history.state(), self.watch.followers()
        )

    def restore(self, state: PitState) -> None:
        self.revision = state.revision
        self.overlay.restore(state.overlay)
        self._history.restore(state.history)

    def next_ns(self, now_ns: int) -> int:
        """When an order that rests here next meets the tape, or up to when that has been looked for."""
        if self._ahead is None:
            if now_ns < self._altered_ns + _CROWD_NS:
                return now_ns + TICK_NS  # commands come in crowds: it is looked for once they have come
            self._ahead = self.overlay.clone()
        ahead = self._ahead
        if not ahead.outbox.events and ahead.at_ns <= now_ns:
            ahead.advance_to_something(ahead.out_of_reach_until(now_ns) + self._look_ns)
            self._look_ns = min(self._look_ns * 2, BLOCK_NS)
        return ahead.at_ns

    def next_trigger_ns(self, now_ns: int) -> int:
        """The next boundary at which the price of an order that waits may come, or up to when that has been looked
        for.
        """
        if self.watch.waits(Gauge.LAST) and self._history.traded_since(now_ns):
            return now_ns + TICK_NS  # a client's own trade
        next_ns = self.watch.next_ns(now_ns, self.index, self._history)
        if self.watch.waits(Gauge.MARK):
            next_ns = min(next_ns, now_ns - now_ns % RISK_NS + RISK_NS)
        return next_ns

    def triggered(self, now_ns: int, mark_e8: Callable[[], int]) -> list[Reached]:
        """The orders whose price came in the tick before a boundary, or is the mark there."""
        reached = []
        if self.watch.waits(Gauge.LAST):
            reached += self.watch.traded(now_ns, self.index, self._history)
        if self.watch.waits(Gauge.MARK) and now_ns % RISK_NS == 0:
            reached += self.watch.marked(now_ns, mark_e8())
        return reached

    def last_ticks(self, at_ns: int) -> int:
        """The last price of the public tape when a boundary comes."""
        return int(self.face.bars.running(_MINUTE, np.array([at_ns])).close_ticks[0])

    def live(self, upto_ns: int) -> int:
        """Live on until something happens to an order, at the latest until a boundary; where that leads to."""
        if not self.overlay.resting:
            return upto_ns
        ahead = self._ahead
        if ahead is not None and (ahead.outbox.events or ahead.at_ns >= upto_ns):
            return min(ahead.at_ns, upto_ns)
        self._catch_up()
        self.overlay.advance_to_something(upto_ns)
        return min(self.overlay.at_ns, upto_ns)

    @property
    def stirs(self) -> bool:
        """Whether something happened to an order where `live` has led to, or will before long."""
        return bool(self.overlay.outbox.events or (self._ahead is not None and self._ahead.outbox.events))

    def _catch_up(self) -> None:
        """Become what was looked ahead to."""
        ahead, since_ns = self._ahead, self.overlay.at_ns
        if ahead is not None:  # until since_ns the overlay has lived through it itself
            changes = [change for change in ahead.outbox.changes if change.ts_ns >= since_ns]
            ahead.outbox.changes = self.overlay.outbox.changes + changes
            self.overlay, self._ahead = ahead, None

    def reach(self, at_ns: int) -> Sequence[Execution | Ended]:
        """Bring the overlay to a boundary that `live` has led to; what happened to orders."""
        if self._ahead is not None and self._ahead.at_ns <= at_ns:
            self._catch_up()
        if self.overlay.at_ns < at_ns:
            self.overlay.advance(at_ns)
        return self._write()

    def altered(self, now_ns: int) -> Sequence[Execution | Ended]:
        """A command changed the overlay: its future is another. What it did to orders."""
        self._ahead, self._look_ns, self._altered_ns = None, _LOOK_NS, now_ns
        self.revision += 1
        self.face.forget_bars(now_ns)
        return self._write()

    def reshape(self, tape: HyperSynthReactor) -> None:
        """From the present on the tape is another one; its public face is a new one, too."""
        self.index = TapeIndex(tape)
        self.overlay.lay_over(self.index)
        self.watch.forget()
        self.face = OverlaidMarket(tape, self)
        self._ahead, self._look_ns = None, _LOOK_NS
        self.revision += bool(self.revision)

    def _write(self) -> Sequence[Execution | Ended]:
        outbox = self.overlay.empty_outbox()
        if outbox.events or outbox.changes:
            self._history.write(outbox.events, outbox.changes)
        return outbox.events


class _Client:
    """What an account has done here, beside its money."""

    __slots__ = (
        *("amendments", "apart", "ended", "facts", "fills", "fundings", "margins"),
        *("named", "open", "orders", "scheduled_ns", "waiting"),
    )

    def __init__(self, *, apart: bool) -> None:
        self.apart = apart  # orders that wait are no orders, and have names of their own
        self.orders: dict[int, Order] = {}  # all that are kept
        self.open: dict[int, None] = {}
        self.waiting: dict[int, None] = {}
        self.ended: deque[int] = deque()
        self.named: dict[tuple[str, str], int] = {}  # the newest of a market and a name
        self.fills: deque[Fill] = deque(maxlen=FILLS_KEPT)
        self.fundings: deque[FundingPayment] = deque(maxlen=FILLS_KEPT)
        self.amendments: deque[Amendment] = deque(maxlen=ORDERS_KEPT)
        self.margins: deque[MarginMoved] = deque(maxlen=FILLS_KEPT)
        self.facts: dict[str, _Fact] = {}
        self.scheduled_ns: int | None = None

    def keep(self, order: Order) -> bool:
        """An order as it now stands; of those that ended, the newest ORDERS_KEPT. Whether it is open."""
        if order.id not in self.orders:
            self._name(order)
        self.orders[order.id] = order
        if order.status.open:
            self.waiting.pop(order.id, None)
            self.open[order.id] = None
            return True
        if order.status is OrderStatus.WAITING:
            self.waiting[order.id] = None
            return False
        if self.open.pop(order.id, order) is None or self.waiting.pop(order.id, order) is None:
            self.ended.append(order.id)
            if len(self.ended) > ORDERS_KEPT:
                oldest = self.orders.pop(self.ended.popleft())
                name = oldest.asked.market, oldest.asked.client_id
                if self.named.get(name) == oldest.id:
                    del self.named[name]
        return False

    def lives(self, order_id: int) -> bool:
        """Whether an order is open, or waits."""
        return order_id in self.open or order_id in self.waiting

    def _name(self, order: Order) -> None:
        if not (self.apart and order.asked.trigger and order.from_id is None):
            self.named[order.asked.market, order.asked.client_id] = order.id

    def state(self, account: str) -> ClientState:
        return ClientState(
            account,
            tuple(self.orders.values()),
            tuple(self.open),
            tuple(self.ended),
            tuple(self.fills),
            tuple(self.fundings),
            tuple(self.margins),
            tuple((name, fact.value, fact.expires_ns) for name, fact in self.facts.items()),
            self.scheduled_ns,
            tuple(self.amendments),
        )

    def restore(self, state: ClientState) -> None:
        self.orders = {order.id: order for order in state.orders}
        self.open = dict.fromkeys(state.open)
        self.waiting = dict.fromkeys(o.id for o in state.orders if o.status is OrderStatus.WAITING)
        for order in state.orders:
            self._name(order)
        self.ended.extend(state.ended)
        self.fills.extend(state.fills)
        self.fundings.extend(state.fundings)
        self.amendments.extend(state.amendments)
        self.margins.extend(state.margins)
        self.facts = {name: _Fact(value, expires_ns) for name, value, expires_ns in state.facts}
        self.scheduled_ns = state.scheduled_ns


@dataclass(frozen=True, slots=True)
class _Fact:
    value: str
    expires_ns: int | None


# ---------------------------------------------------------------- a floor as plain values
@dataclass(frozen=True, slots=True)
class PitState:
    """One market. `followers` are the orders whose triggers follow the price (`Watch.followers`)."""

    market: str
    revision: int
    overlay: OverlayState
    history: HistoryState
    followers: tuple[tuple[int, int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class ClientState:
    """What an account has done: `open` and `ended` are the ids of its orders that are open and that ended, in the order
    of their coming to be so; `facts` are (name, value, when it is forgotten).
    """

    account: str
    orders: tuple[Order, ...]
    open: tuple[int, ...]
    ended: tuple[int, ...]
    fills: tuple[Fill, ...]
    fundings: tuple[FundingPayment, ...]
    margins: tuple[MarginMoved, ...]
    facts: tuple[tuple[str, str, int | None], ...]
    scheduled_ns: int | None
    amendments: tuple[Amendment, ...] = ()


@dataclass(frozen=True, slots=True)
class FloorState:
    """All of a floor whose news have been asked for. `at_risk` are (account, asset, market of an isolated position or
    "", whether it is being liquidated).
    """

    now_ns: int
    next_order_id: int
    told: int
    ledger: LedgerState
    clients: tuple[ClientState, ...]
    pits: tuple[PitState, ...]
    at_risk: tuple[tuple[str, str, str, bool], ...]


# ---------------------------------------------------------------- the floor
class TradingFloor:
    """The floor of one venue (`Floor`), from the boundary `at_ns` on.

    Its markets are those of the house's terms; their tapes are made when they are first traded on.
    """

    def __init__(self, house: House, world: MarketOrchestrationCore, at_ns: int) -> None:
        self._house, self._world = house, world
        self._now_ns = at_ns
        self._ledger = Ledger(house, map(world.instrument, house.terms), self.mark_e8)
        self._pits: dict[str, _Pit] = {}
        self._lock = RLock()  # held while overlays change: public faces are read in other threads
        self._clients: dict[str, _Client] = {}
        self._next_order_id = house.first_order_id
        self._told: list[Told] = []
        self._number = 0
        self._changed: dict[str, int] = {}
        self._owners: dict[int, _Client] = {}  # of open orders
        self._timers: list[
            tuple[int, int, str, str | None]
        ] = []  # when, a number, whose, which fact (None: a cancel)
        self._timer_numbers = count()
        self._settlements: dict[str, int] = {}  # when perps that are traded next settle
        self._at_risk: dict[
            tuple[str, str, str], bool
        ] = {}  # who was told of his margin; True: of his liquidation
        self._closings: dict[str, int] = {}  # when markets close for good
        self._forced_id = -1  # of the last order by which a position was closed
        self._deleveraged_id = -1  # of the last by which one in profit was reduced
        self._final_id = -1  # and of the last by which one was settled for good
        self._marks: dict[str, tuple[int, int]] = {}

    # ------------------------------------------------------------ in time
    def advance(self, upto_ns: int) -> None:
        with self._lock:
            self._advance(upto_ns)

    def _advance(self, upto_ns: int) -> None:
        while self._now_ns < upto_ns:
            timed_ns = self._timed_ns()
            next_ns = min(upto_ns, timed_ns)
            for pit in list(self._pits.values()):
                next_ns = pit.live(next_ns)
            self._now_ns = next_ns
            if next_ns == timed_ns or any(pit.stirs for pit in self._pits.values()):
                self._stir()

    def _timed_ns(self) -> int:
        """The next boundary at which something is due by the clock, or by the tape alone."""
        next_ns = self._timers[0][0] if self._timers else NEVER_NS
        for settled_ns in self._settlements.values():
            next_ns = min(next_ns, settled_ns)
        for closes_ns in self._closings.values():
            next_ns = min(next_ns, closes_ns)
        for pit in self._pits.values():
            next_ns = min(next_ns, pit.next_trigger_ns(self._now_ns))
        if self._ledger.exposed:
            next_ns = min(next_ns, self._now_ns - self._now_ns % RISK_NS + RISK_NS)
        return max(next_ns, self._now_ns + TICK_NS)

    def next_ns(self) -> int | None:
        with self._lock:
            next_ns = self._timed_ns()
            for pit in self._pits.values():
                if pit.overlay.resting:
                    next_ns = min(next_ns, pit.next_ns(self._now_ns))
            return None if next_ns == NEVER_NS else max(next_ns, self._now_ns + TICK_NS)

    def _stir(self) -> None:
        """All that happens by itself at the boundary where the floor stands."""
        for pit in [self._pits[market] for market in self._house.terms if market in self._pits]:
            # It may have lived on to a later fill already.
            if pit.revision and pit.overlay.at_ns <= self._now_ns:
                self._enter(pit.reach(self._now_ns))
        for market, at_ns in list(self._settlements.items()):
            if at_ns <= self._now_ns:
                self._settle(market, at_ns)
        self._trigger()
        if self._now_ns % RISK_NS == 0 and self._ledger.exposed:
            self._liquidate()
        for market, at_ns in list(self._closings.items()):
            if at_ns <= self._now_ns:
                del self._closings[market]
                for account in list(self._clients):
                    self._cancel_all(account, market, Why.DELISTED)
                    self._cancel_all(account, market, Why.DELISTED, waiting=True)
                self._settle_for_good(market)
        while self._timers and self._timers[0][0] <= self._now_ns:
            self._expire(*heappop(self._timers))

    def _expire(self, at_ns: int, _number: int, account: str, name: str | None) -> None:
        client = self._clients[account]
        if name is None:
            if client.scheduled_ns == at_ns:
                client.scheduled_ns = None
                self._cancel_all(account, None, Why.SCHEDULED)
        elif name in client.facts and client.facts[name].expires_ns == at_ns:
            self._tell(account, Forgotten(name, client.facts.pop(name).value))

    def _boundary_after(self, at_ns: int) -> int:
        """The boundary at which something due at an instant happens: not before the next one."""
        return max(-(-at_ns // TICK_NS) * TICK_NS, self._now_ns + TICK_NS)

    def _remember(self, account: str, name: str, value: str | None, expires_ns: int | None) -> None:
        facts = self._client(account).facts
        facts.pop(name, None)
        if value is not None:
            expires_ns = None if expires_ns is None else self._boundary_after(expires_ns)
            facts[name] = _Fact(value, expires_ns)
            if expires_ns is not None:
                heappush(self._timers, (expires_ns, next(self._timer_numbers), account, name))

    def _reach(self, market: str) -> _Pit:
        """A market's pit, at the present."""
        pit = self._pit(market)
        if not pit.overlay.at_ns:
            self._await_settlement(market)
        if pit.overlay.at_ns < self._now_ns:
            self._enter(pit.reach(self._now_ns))
        return pit

    def _pit(self, market: str) -> _Pit:
        with self._lock:
            pit = self._pits.get(market)
            if pit is None:
                pit = self._pits[market] = _Pit(self._world.market(market), self._lock)
            return pit

    def market(self, market: str) -> HyperSynthReactor:
        return self._pit(market).face

    def befall(self, market: str, fate: Fate) -> None:
        with self._lock:
            if market in self._pits and self._pits[market].overlay.at_ns:
                self._reach(market)
            self._world.befall(market, fate)
            closes_ns = self._world.closes_ns(market)
            self._closings.pop(market, None)
            if closes_ns is not None and closes_ns >= self._now_ns:
                self._closings[market] = closes_ns
            if market in self._pits:
                self._pits[market].reshape(self._world.market(market))
                self._marks.pop(market, None)
                if market in self._settlements:
                    self._await_settlement(market)

    def prepare(self, at_ns: int) -> None:
        for pit in list(self._pits.values()):
            if pit.revision or pit.watch.waits(Gauge.LAST):
                pit.index.at(at_ns)
                pit.index.reach(at_ns - at_ns % BLOCK_NS)

    def news(self) -> Sequence[Told]:
        told, self._told = self._told, []
        return told

    def changed_markets(self) -> Mapping[str, int]:
        changed, self._changed = self._changed, {}
        return changed

    def _tell(self, account: str, *news: News | None) -> None:
        for each in news:
            if each is not None:
                self._told.append(Told(account, self._now_ns, self._number, each))
                self._number += 1

    def _tell_money(self, account: str, cause: str = "order") -> None:
        self._tell(account, self._ledger.moved(account, cause))

    # ------------------------------------------------------------ kept and taken up again
    def state(self) -> FloorState:
        with self._lock:
            return FloorState(
                self._now_ns,
                self._next_order_id,
                self._number,
                self._ledger.state(),
                tuple(client.state(account) for account, client in self._clients.items()),
                tuple(pit.state(market) for market, pit in self._pits.items() if pit.overlay.at_ns),
                tuple((*key, due) for key, due in self._at_risk.items()),
            )

    def restore(self, state: FloorState) -> None:
        assert not any(pit.overlay.at_ns for pit in self._pits.values()), "something was traded already"
        self._now_ns, self._next_order_id, self._number = state.now_ns, state.next_order_id, state.told
        self._ledger = Ledger(self._house, map(self._world.instrument, self._house.terms), self.mark_e8)
        self._ledger.restore(state.ledger)
        self._clients.clear()
        self._timers.clear()
        self._at_risk = {(account, asset, market): due for account, asset, market, due in state.at_risk}
        followers = {order_id: at for pit in state.pits for order_id, *at in pit.followers}
        for kept in state.clients:
            client = self._clients[kept.account] = _Client(apart=self._house.triggers_apart)
            client.restore(kept)
            for order in map(client.orders.__getitem__, client.waiting):
                if order.id in followers:
                    self._pit(order.asked.market).watch.follow(
                        order.id, _trigger_of(order), *followers[order.id]
                    )
                elif not self._parented(order.asked):
                    self._watch(order)
            self._owners.update(dict.fromkeys(client.open, client))
            if client.scheduled_ns is not None:
                heappush(self._timers, (client.scheduled_ns, next(self._timer_numbers), kept.account, None))
            for name, fact in client.facts.items():
                if fact.expires_ns is not None:
                    heappush(self._timers, (fact.expires_ns, next(self._timer_numbers), kept.account, name))
        for pit in state.pits:
            self._pit(pit.market).restore(pit)
            self._await_settlement(pit.market)

    # ------------------------------------------------------------ commands
    def apply(self, command: Command, now_ns: int) -> Outcome:
        with self._lock:
            self._advance(now_ns)
            return self._apply(command)

    def _apply(self, command: Command) -> Outcome:
        match command:
            case PlaceOrder(order):
                return self._place(order)
            case PlacePair(first, second):
                return self._place_pair(first, second)
            case CancelOrder():
                return self._cancel(command)
            case CancelAll(account, market, waiting):
                return Done(tuple(self._cancel_all(account, market, Why.ASKED, waiting=waiting)))
            case MeetOrder(account, market, order_id, client_id):
                return self._meet(self.order(account, market, order_id, client_id))
            case AmendOrder():
                return self._amend(command)
            case SetLeverage(account, market, leverage):
                return self._set_leverage(account, market, leverage)
            case SetMarginMode(account, market, isolated):
                refusal = self._ledger.set_margin_mode(account, market, isolated=isolated)
                return self._moved(refusal, "margin mode", account)
            case MoveMargin(account, market, amount_e8):
                refusal = self._ledger.move_margin(account, market, amount_e8)
                if refusal is None:
                    self._client(account).margins.append(MarginMoved(market, self._now_ns, amount_e8))
                return self._moved(refusal, "margin", account)
            case Deposit(account, wallet, asset, amount_e8):
                refusal = self._ledger.deposit(account, wallet, asset, amount_e8)
                return self._moved(refusal, "deposit", account)
            case Transfer(account, asset, amount_e8, source, target, to_account):
                refusal = self._ledger.transfer(account, asset, amount_e8, source, target, to_account)
                return self._moved(refusal, "transfer", account, *([to_account] if to_account else []))
            case ScheduleCancel(account, at_ns):
                at_ns = None if at_ns is None else self._boundary_after(at_ns)
                self._client(account).scheduled_ns = at_ns
                if at_ns is not None:
                    heappush(self._timers, (at_ns, next(self._timer_numbers), account, None))
                return Done()
            case Deleverage(account, market, share_e6):
                return self._deleverage(account, market, share_e6)
            case Remember(account, name, value, expires_ns):
                self._remember(account, name, value, expires_ns)
                return Done()

    def _moved(self, refusal: Refusal | None, cause: str, *accounts: str) -> Outcome:
        if refusal is not None:
            return Refused(refusal)
        for account in dict.fromkeys(accounts):
            self._client(account)
            self._tell_money(account, cause)
        return Done()

    def _set_leverage(self, account: str, market: str, leverage: int) -> Outcome:
        refusal = self._ledger.set_leverage(account, market, leverage)
        if refusal is not None:
            return Refused(refusal)
        self._tell(account, LeverageSet(market, leverage))
        return Done()

    # ------------------------------------------------------------ placing
    def _place(self, asked: NewOrder) -> Outcome:
        pit = self._reach(asked.market)
        asked = self._from_now(pit, asked)
        if asked.trigger is not None:
            return self._wait(pit, asked, asked.trigger)
        plan = self._judged(pit, asked)
        if isinstance(plan, Plan):
            return self._accept(pit, asked, plan)
        if self._house.keeps_rejected and plan.refusal is not Refusal.DUPLICATE_CLIENT_ID:
            self._reject(asked, plan.refusal)
        return plan

    def _judged(self, pit: _Pit, asked: NewOrder, *, named: bool = True) -> Plan | Refused:
        """What a new order would get now, or why it may not be placed; its name is judged where it is `named` now."""
        closed = self._closed(asked)
        if closed is not None:
            return self._refused(closed, pit)
        client = self._clients.get(asked.account)
        if client is not None and FROZEN in client.facts:
            return self._refused(Refusal.FROZEN, pit)
        if client is not None and named and self._doubles(client, asked):
            return self._refused(Refusal.DUPLICATE_CLIENT_ID, pit)
        if client is not None and client.open:
            most = self._house.terms[asked.market].max_open_orders
            if len(client.open) >= most and len(self.open_orders(asked.account, asked.market)) >= most:
                return self._refused(Refusal.TOO_MANY_ORDERS, pit)
        plan = self._plan(pit, asked, asked.price_ticks, asked.qty_lots)
        if isinstance(plan, Refused):
            return plan
        worst = plan.legs[-1].price_ticks if plan.legs else 0
        limit, lots = (
            (worst, plan.lots) if asked.price_ticks is None else (asked.price_ticks, asked.qty_lots or 0)
        )
        refusal = self._ledger.refusal(asked, limit, lots)
        if refusal is not None:
            return self._refused(refusal, pit)
        return plan

    def _doubles(self, client: _Client, asked: NewOrder, *, waits: bool = False) -> bool:
        """Whether an order that lives has the name already that another one, which perhaps waits, is to have."""
        if not asked.client_id or not (client.open or client.waiting):
            return False
        if waits and client.apart:
            return any(client.orders[i].asked.client_id == asked.client_id for i in client.waiting)
        named = client.named.get((asked.market, asked.client_id))
        return named is not None and client.lives(named)

    def _closed(self, asked: NewOrder) -> Refusal | None:
        """Why an order may not be placed or amended on its market now, whatever it says; None where it may."""
        phase = self._world.phase(asked.market, self._now_ns)
        if phase is Phase.CALL and asked.time_in_force is TimeInForce.POST_ONLY:
            return None
        return _CLOSED.get(phase)

    # ------------------------------------------------------------ waiting for a price
    def _wait(self, pit: _Pit, asked: NewOrder, trigger: Trigger) -> Outcome:
        """A new order with a trigger."""
        refusal = self._why_not_wait(pit, asked, trigger)
        if refusal is not None:
            if self._house.keeps_rejected and refusal is not Refusal.DUPLICATE_CLIENT_ID:
                self._reject(asked, refusal)
            return self._refused(refusal, pit)
        order = self._numbered(asked, asked.qty_lots or 0, OrderStatus.WAITING)
        if not self._parented(asked):
            order = self._watch(order)
        self._tell(asked.account, OrderPlaced(order))
        if self._house.holds_waiting:
            self._ledger.hold(replace(order, price_ticks=_reserved_ticks(asked)))
            self._tell_money(asked.account)
        return Done((order,))

    def _place_pair(self, first: NewOrder, second: NewOrder) -> Outcome:
        pit, plans = self._reach(first.market), []
        first, second = self._from_now(pit, first), self._from_now(pit, second)
        if first.client_id and first.client_id == second.client_id:
            return self._refused(Refusal.DUPLICATE_CLIENT_ID, pit)
        for asked in (first, second):
            if asked.trigger is None:
                plan = self._judged(pit, asked)
            else:
                refusal = self._why_not_wait(pit, asked, asked.trigger)
                plan = Plan(asked.side) if refusal is None else self._refused(refusal, pit)
            if isinstance(plan, Refused):
                return plan
            plans.append(plan)
        pair_id, orders = self._next_order_id, []
        for asked, plan in zip((first, second), plans, strict=True):
            status = OrderStatus.NEW if asked.trigger is None else OrderStatus.WAITING
            order = self._numbered(asked, asked.qty_lots or 0, status, pair_id=pair_id)
            if asked.trigger is not None:
                order = self._watch(order)
            self._tell(asked.account, OrderPlaced(order))
            if asked.trigger is None:
                order = self._carry_out(pit, order, plan).order
            orders.append(order)
        if self._house.holds_waiting:
            self._hold_dearer(orders)
        return Done(tuple(orders))

    def _hold_dearer(self, pair: Sequence[Order]) -> None:
        """Hold what the dearer order of a pair needs, which is enough for either."""
        prices = [_reserved_ticks(order.asked) for order in pair]
        dearer = pair[prices.index(max(prices))] if pair[0].asked.side is Side.BUY else pair[0]
        for order in pair:
            self._ledger.release(order.id)
        self._ledger.hold(replace(dearer, price_ticks=_reserved_ticks(dearer.asked)))
        self._tell_money(dearer.asked.account)

    def _partner(self, order: Order) -> Order | None:
        """The other one of a pair, as long as it lives."""
        if order.pair_id is None:
            return None
        client = self._client(order.asked.account)
        others = (client.orders[i] for i in (*client.open, *client.waiting) if i != order.id)
        return next((other for other in others if other.pair_id == order.pair_id), None)

    def _end_partner(self, order: Order) -> bool:
        """The other one of a pair expires, for this one came first; whether there was one."""
        partner = self._partner(order)
        if partner is None:
            return False
        if partner.status is OrderStatus.WAITING:
            self._unwatch(partner)
        else:
            self._leave_book(partner)
        self._end(partner, OrderStatus.EXPIRED, Why.PARTNER_FIRST, alone=True)
        return True

    def _why_not_wait(self, pit: _Pit, asked: NewOrder, trigger: Trigger) -> Refusal | None:
        closed = self._closed(asked)
        if closed is not None:
            return closed
        client = self._client(asked.account)
        if FROZEN in client.facts:
            return Refusal.FROZEN
        if self._doubles(client, asked, waits=True):
            return Refusal.DUPLICATE_CLIENT_ID
        if len(client.waiting) >= self._house.max_waiting:
            return Refusal.TOO_MANY_WAITING
        if trigger.with_position and not self._ledger.position(asked.account, asked.market).lots:
            return Refusal.NO_POSITION
        if trigger.parent_id is not None:
            parent = client.orders.get(trigger.parent_id)
            lives = parent is not None and (self._parented(asked) or parent.status is OrderStatus.FILLED)
            return None if lives else Refusal.UNKNOWN_ORDER
        if self._house.holds_waiting:
            refusal = self._ledger.refusal(asked, _reserved_ticks(asked), asked.qty_lots or 0)
            if refusal is not None:
                return refusal
        at_once = trigger.trail is not None and trigger.trail.at_once
        met = not at_once and trigger.reached(*self._price_now(pit, trigger.gauge))
        return Refusal.WOULD_TRIGGER if met else None

    def _price_now(self, pit: _Pit, gauge: Gauge) -> tuple[int, int]:
        """The least trigger that a price has fallen to now, and the greatest that it has risen to."""
        if gauge is Gauge.MARK:
            mark_e8, tick_e8 = self.mark_e8(pit.face.instrument.market), pit.face.instrument.tick_e8
            return -(-mark_e8 // tick_e8), mark_e8 // tick_e8
        last_ticks = pit.last_ticks(self._now_ns)
        return last_ticks, last_ticks

    def _trigger(self) -> None:
        """Orders whose price has come go to their markets, the oldest first."""
        reached: list[Reached] = []
        for market, pit in self._pits.items():
            reached += pit.triggered(self._now_ns, partial(self.mark_e8, market))
        for each in sorted(reached, key=attrgetter("order_id", "comes")):
            order = self._waiting(each.order_id)
            if order is None:
                continue  # another one's fill has ended it
            if each.comes:
                self._come(order, each.stop_ticks)
            else:
                order = replace(order, trailing_ns=self._now_ns, updated_ns=self._now_ns)
                self._keep(order)
                self._tell(order.asked.account, OrderTrails(order))

    def _waiting(self, order_id: int) -> Order | None:
        for client in self._clients.values():
            if order_id in client.waiting:
                return client.orders[order_id]
        return None

    def _come(self, order: Order, stop_ticks: int | None) -> None:
        """The price came that an order waited for: that one, if it followed the price."""
        asked, pit = order.asked, self._reach(order.asked.market)
        trigger, apart = _trigger_of(order), self._house.triggers_apart
        order = replace(
            order, status=OrderStatus.TRIGGERED, updated_ns=self._now_ns, triggered_ns=self._now_ns
        )
        self._unwatch(order)
        self._end_partner(order)
        self._ledger.release(order.id)
        self._tell(asked.account, OrderTriggered(order))
        lots = self._reducible(order) if trigger.closes else order.qty_lots
        now = replace(asked, qty_lots=lots)
        if apart and stop_ticks is not None:
            now = replace(now, trigger=replace(trigger, price_ticks=stop_ticks))
        nothing = trigger.closes and not lots
        plan = (
            self._refused(Refusal.NOTHING_TO_REDUCE, pit) if nothing else self._judged(pit, now, named=apart)
        )
        if isinstance(plan, Refused):
            self._end(replace(order, refusal=plan.refusal), OrderStatus.REJECTED, None)
        elif apart:
            self._keep(replace(order, into_id=self._next_order_id))
            self._accept(pit, now, plan, from_id=order.id)
        else:
            order = replace(order, status=OrderStatus.NEW, qty_lots=lots, working_ns=self._now_ns)
            self._keep(order)
            self._carry_out(pit, order, plan)

    def _watch(self, order: Order) -> Order:
        """Wait for an order's price, or begin to follow it."""
        watch, trigger = self._pit(order.asked.market).watch, _trigger_of(order)
        if trigger.trail is None or not trigger.trail.at_once:
            watch.add(order.id, trigger)
            return order
        by_mark = trigger.gauge is Gauge.MARK
        best = self.mark_e8(order.asked.market) if by_mark else trigger.price_ticks
        watch.follow(order.id, trigger, best, self._now_ns)
        order = replace(order, trailing_ns=self._now_ns)
        self._keep(order)
        return order

    def _from_now(self, pit: _Pit, asked: NewOrder) -> NewOrder:
        """A new order, with the price in it from which on it follows the price, where it does so at once."""
        trigger = asked.trigger
        if trigger is None or trigger.trail is None or not trigger.trail.at_once:
            return asked
        now_ticks, _ = self._price_now(pit, trigger.gauge)
        return replace(asked, trigger=replace(trigger, price_ticks=now_ticks))

    def _parented(self, asked: NewOrder) -> bool:
        """Whether an order with a trigger has a parent that is not filled yet."""
        if asked.trigger is None or asked.trigger.parent_id is None:
            return False
        return self._client(asked.account).lives(asked.trigger.parent_id)

    def _family(self, order: Order) -> None:
        """What becomes of an order's partner, children and siblings when it ends."""
        client = self._client(order.asked.account)
        partner = self._partner(order)
        if partner is not None and order.status is OrderStatus.CANCELLED:
            self._take_off(partner, Why.WITH_PARTNER)
        elif partner is not None:
            self._end_partner(order)
        if not client.waiting:
            return
        filled, own = order.status is OrderStatus.FILLED, order.asked.trigger
        for other in self.waiting_orders(order.asked.account):
            parent_id = _trigger_of(other).parent_id
            if other.id not in client.waiting or parent_id is None:
                continue
            if parent_id == order.id and filled:
                self._watch(other)
            elif parent_id == order.id:
                self._take_off(other, Why.ASKED)
            elif filled and own is not None and parent_id == own.parent_id:
                self._take_off(other, Why.SIBLING_FILLED)

    def _unwatch(self, order: Order) -> None:
        self._pit(order.asked.market).watch.drop(order.id, _trigger_of(order))

    def _reject(self, asked: NewOrder, refusal: Refusal) -> None:
        order = self._numbered(asked, asked.qty_lots or 0)
        order = replace(order, status=OrderStatus.REJECTED, refusal=refusal)
        self._keep(order)
        self._tell(asked.account, OrderEnded(order))

    def _numbered(
        self,
        asked: NewOrder,
        lots: int,
        status: OrderStatus = OrderStatus.NEW,
        from_id: int | None = None,
        pair_id: int | None = None,
    ) -> Order:
        """A new order, with an id and a name, and kept."""
        order_id = self._next_order_id
        self._next_order_id += 1
        if not asked.client_id:
            asked = replace(asked, client_id=self._house.client_id(order_id))
        now_ns = self._now_ns
        order = Order(order_id, asked, status, asked.price_ticks, lots, now_ns, now_ns, now_ns)
        if from_id is not None:
            order = replace(order, from_id=from_id, triggered_ns=now_ns)
        if pair_id is not None:
            order = replace(order, pair_id=pair_id)
        self._keep(order)
        return order

    def _accept(self, pit: _Pit, asked: NewOrder, plan: Plan, from_id: int | None = None) -> Done:
        """A new order that nothing speaks against; it takes the place of one that waited, if `from_id` is given."""
        lots = asked.qty_lots if asked.qty_lots is not None else plan.lots
        order = self._numbered(asked, lots, from_id=from_id)
        self._tell(asked.account, OrderPlaced(order))
        return self._carry_out(pit, order, plan)

    def _plan(self, pit: _Pit, asked: NewOrder, limit: int | None, lots: int | None) -> Plan | Refused:
        """What an order would get now, or why it may not try; a fill-or-kill order gets all or nothing."""
        if asked.time_in_force is TimeInForce.POST_ONLY and limit is not None:
            if not pit.overlay.reaches(asked.side, limit):
                return Plan(asked.side)
            best = pit.overlay.best(BookSide.ASK if asked.side == Side.BUY else BookSide.BID)
            would_take = best and (limit - best) * asked.side >= 0
            return self._refused(Refusal.WOULD_TAKE, pit) if would_take else Plan(asked.side)
        wanted = lots
        if asked.reduce_only and lots is not None:
            held = -self._ledger.position(asked.account, asked.market).lots * asked.side
            if held <= 0:
                return self._refused(Refusal.NOTHING_TO_REDUCE, pit)
            wanted = min(lots, held)
        plan = pit.overlay.plan(asked.account, asked.side, limit, wanted, asked.quote_units, asked.self_trade)
        if limit is None and not plan.legs and not plan.clash:
            return self._refused(Refusal.NO_LIQUIDITY, pit)
        if asked.time_in_force is TimeInForce.FOK and limit is not None and plan.lots != lots:
            return Plan(asked.side, clash=plan.clash)
        return plan

    def _carry_out(self, pit: _Pit, order: Order, plan: Plan) -> Done:
        """Match a new or amended order, and rest or end what is left of it."""
        asked, market = order.asked, order.asked.market
        overlay = pit.overlay
        if asked.reduce_only:
            overlay.positions[asked.account] = self._ledger.position(asked.account, market).lots
        fills: tuple[Fill, ...] = ()
        if plan.legs:
            overlay.take(plan, asked.account, order.id)
            fills = self._enter(self._touched(pit, market), taker_id=order.id)
            order = self._client(asked.account).orders[order.id]
        if order.status.open:
            why = self._end_of(order, plan)
            if why is not None:
                order = self._end(order, OrderStatus.EXPIRED, why)
            elif order.open_lots:
                assert order.price_ticks is not None
                resting = Resting(
                    order.id, asked.account, asked.side, order.price_ticks, order.open_lots, asked.reduce_only
                )
                overlay.rest(resting)
                self._ledger.hold(order)
                self._touched(pit, market)
            self._tell_money(asked.account)
        return Done((order,), fills)

    def _end_of(self, order: Order, plan: Plan) -> Why | None:
        """Why what is left of an order cannot rest, None if it can."""
        asked = order.asked
        if plan.clash:
            return Why.SELF_TRADE
        if asked.reduce_only and not self._reducible(order):
            return Why.REDUCED_ENOUGH
        at_once = asked.time_in_force in (TimeInForce.IOC, TimeInForce.FOK) or order.price_ticks is None
        return Why.NOT_FILLED_AT_ONCE if at_once else None

    def _reducible(self, order: Order) -> int:
        return max(-self._ledger.position(order.asked.account, order.asked.market).lots * order.asked.side, 0)

    # ------------------------------------------------------------ cancelling and amending
    def _cancel(self, command: CancelOrder) -> Outcome:
        order = self.order(command.account, command.market, command.order_id, command.client_id)
        if order is None or not (order.status.open or order.status is OrderStatus.WAITING):
            return Refused(Refusal.UNKNOWN_ORDER)
        return Done((self._take_off(order, Why.ASKED),))

    def _meet(self, order: Order | None) -> Outcome:
        if order is None or not order.status.open:
            return Refused(Refusal.UNKNOWN_ORDER)
        pit = self._reach(order.asked.market)
        pit.overlay.meet(order.id)
        self._enter(self._touched(pit, order.asked.market))
        return Done((self._client(order.asked.account).orders[order.id],))

    def _cancel_all(
        self, account: str, market: str | None, why: Why, *, waiting: bool = False
    ) -> list[Order]:
        """Cancel what is open, what waits, or in a house that knows no difference both."""
        client, apart = self._clients.get(account), self._house.triggers_apart
        if client is None:
            return []
        orders = [] if waiting and apart else list(self.open_orders(account, market))
        if waiting or not apart:
            orders += self.waiting_orders(account, market)
        orders.sort(key=_ID)
        return [self._take_off(o, why) for o in orders if client.lives(o.id)]  # or it went with its parent

    def _take_off(self, order: Order, why: Why) -> Order:
        if order.status is OrderStatus.WAITING:
            self._unwatch(order)
            return self._end(order, OrderStatus.CANCELLED, why)
        self._leave_book(order)
        return self._end(order, OrderStatus.CANCELLED, why)

    def _leave_book(self, order: Order) -> None:
        pit = self._reach(order.asked.market)
        pit.overlay.cancel(order.id)
        self._touched(pit, order.asked.market)

    def _end(self, order: Order, status: OrderStatus, why: Why | None, *, alone: bool = False) -> Order:
        """An order that is off the book ends, and unless it goes alone, those with it that belong to it."""
        order = order.ended(status, why, self._now_ns)
        self._ledger.release(order.id)
        self._keep(order)
        self._tell(order.asked.account, OrderEnded(order))
        self._tell_money(order.asked.account)
        if not alone:
            self._family(order)
        return order

    def _amend(self, command: AmendOrder) -> Outcome:
        order = self.order(command.account, command.market, command.order_id)
        if order is None or not order.status.open:
            return Refused(Refusal.UNKNOWN_ORDER)
        pit = self._reach(command.market)
        if FROZEN in self._client(command.account).facts:
            return self._refused(Refusal.FROZEN, pit)
        closed = self._closed(order.asked)
        if closed is not None:
            return self._refused(closed, pit)
        if (command.price_ticks, command.qty_lots) == (order.price_ticks, order.qty_lots):
            return self._refused(Refusal.NO_CHANGE, pit)
        if command.qty_lots <= order.filled_lots:
            return Done((self._take_off(order, Why.ASKED),))
        now_ns, open_lots = self._now_ns, command.qty_lots - order.filled_lots
        refusal = self._ledger.refusal(order.asked, command.price_ticks, open_lots, order.id)
        if refusal is not None:
            return self._refused(refusal, pit)
        after = replace(order, price_ticks=command.price_ticks, qty_lots=command.qty_lots, updated_ns=now_ns)
        if command.price_ticks == order.price_ticks and command.qty_lots < order.qty_lots:
            pit.overlay.shrink(order.id, open_lots)
            self._touched(pit, command.market)
            self._keep(after)
            self._ledger.hold(after)
            self._tell_amended(after, order)
            self._tell_money(command.account)
            return Done((after,))
        plan = self._plan(pit, order.asked, command.price_ticks, open_lots)
        if isinstance(plan, Refused):
            return plan
        pit.overlay.cancel(order.id)
        self._touched(pit, command.market)
        self._ledger.release(order.id)
        after = replace(after, working_ns=now_ns)
        self._keep(after)
        self._tell_amended(after, order)
        return self._carry_out(pit, after, plan)

    def _tell_amended(self, after: Order, before: Order) -> None:
        amendment = Amendment(
            after.id, self._now_ns, before.price_ticks, before.qty_lots, after.price_ticks, after.qty_lots
        )
        self._client(after.asked.account).amendments.append(amendment)
        self._tell(after.asked.account, OrderAmended(after, before))

    # ------------------------------------------------------------ executions
    def _enter(self, events: Iterable[Execution | Ended], taker_id: int | None = None) -> tuple[Fill, ...]:
        """Enter what happened to orders into the accounts; the fills of the taker among it."""
        fills = []
        for event in events:
            if isinstance(event, Ended):
                found = self._find(event.order_id)
                if found is not None:
                    self._end(found, OrderStatus.EXPIRED, event.why)
                continue
            if event.taker_id is not None:
                fill = self._filled(event, event.taker_id, maker=False)
                if event.taker_id == taker_id:
                    fills.append(fill)
            if event.maker_id is not None:
                self._filled(event, event.maker_id, maker=True)
        return tuple(fills)

    def _filled(self, event: Execution, order_id: int, *, maker: bool) -> Fill:
        order = self._find(order_id)
        assert order is not None, order_id
        if self._end_partner(order):
            self._ledger.hold(order)  # which may have been held for the other one
        forced = order_id == self._forced_id
        fee_e6 = 0 if order_id == self._deleveraged_id else None
        if order_id == self._final_id:
            fee_e6 = self._house.terms[order.asked.market].final_fee_e6
        fill = self._ledger.fill(
            order,
            event.ts_ns,
            event.trade_id,
            event.price_ticks,
            event.lots,
            maker=maker,
            liquidation=forced,
            fee_e6=fee_e6,
        )
        if order_id == self._deleveraged_id:
            fill = replace(fill, deleveraged=True)
        if order_id == self._final_id:
            fill = replace(fill, settled=True)
        filled = order.filled_lots + event.lots
        order = replace(
            order,
            status=OrderStatus.FILLED if filled == order.qty_lots else OrderStatus.PARTIALLY_FILLED,
            filled_lots=filled,
            filled_units=order.filled_units + event.lots * event.price_ticks,
            last_trade_id=event.trade_id,
            updated_ns=event.ts_ns,
        )
        self._client(order.asked.account).fills.append(fill)
        self._keep(order)
        self._tell(order.asked.account, OrderFilled(order, fill))
        self._tell_money(order.asked.account, "liquidation" if forced else "order")
        before_lots = fill.position_before_lots
        if before_lots and before_lots * (before_lots + event.lots * order.asked.side) <= 0:
            self._position_closed(order.asked.account, order.asked.market)
        if order.status is OrderStatus.FILLED:
            self._family(order)
        return fill

    def _position_closed(self, account: str, market: str) -> None:
        """Orders that waited with a position end."""
        for order in self.waiting_orders(account, market):
            if _trigger_of(order).with_position and self._client(account).lives(order.id):
                self._unwatch(order)
                self._end(order, OrderStatus.EXPIRED, Why.POSITION_CLOSED)

    def _find(self, order_id: int) -> Order | None:
        """An open order."""
        client = self._owners.get(order_id)
        return None if client is None else client.orders[order_id]

    def _keep(self, order: Order) -> None:
        client = self._client(order.asked.account)
        if client.keep(order):
            self._owners[order.id] = client
        else:
            self._owners.pop(order.id, None)

    def _client(self, account: str) -> _Client:
        client = self._clients.get(account)
        if client is None:
            client = self._clients[account] = _Client(apart=self._house.triggers_apart)
            self._ledger.open(account, funded=False)
        return client

    def _touched(self, pit: _Pit, market: str) -> Sequence[Execution | Ended]:
        """A command changed what the public sees of a market, from here on; what it did to orders."""
        self._changed.setdefault(market, self._now_ns)
        return pit.altered(self._now_ns)

    def _refused(self, refusal: Refusal, pit: _Pit) -> Refused:
        return Refused(refusal, pit.overlay.best(BookSide.BID), pit.overlay.best(BookSide.ASK))

    # ------------------------------------------------------------ funding and liquidation
    def _await_settlement(self, market: str) -> None:
        settlements = self._house.terms[market].settlements
        if settlements is None:
            return
        for hours in (1, 8, 48):
            found = settlements(self._now_ns, self._now_ns + hours * 3_600 * SECOND_NS)
            if found:
                self._settlements[market] = -(-found[0].ts_ns // TICK_NS) * TICK_NS
                return
        self._settlements.pop(market, None)

    def _settle(self, market: str, at_ns: int) -> None:
        settlements = self._house.terms[market].settlements
        assert settlements is not None
        for settlement in settlements(at_ns - TICK_NS, at_ns):
            for payment in self._ledger.settle(market, settlement):
                self._client(payment.account).fundings.append(payment)
                self._tell(payment.account, Funded(payment))
                self._tell_money(payment.account, "funding")
        self._await_settlement(market)

    def _liquidate(self) -> None:
        """Call accounts whose margin is nearly used up, once, and close by force what others can no longer keep."""
        risks = self._ledger.due(self._house.margin_call_e6 or 10**6)
        before = self._at_risk
        self._at_risk = {(risk.account, risk.asset, risk.market): risk.due for risk in risks}
        for risk in risks:
            told = before.get((risk.account, risk.asset, risk.market))
            held = self._margined(risk.account, risk.asset, risk.market)
            if risk.due:
                if not told:
                    self._tell(risk.account, Liquidated(risk.equity_e8, risk.maintenance_e8, held))
                self._close(risk, held)
            elif told is None:
                self._tell(risk.account, MarginCalled(held))

    def _deleverage(self, account: str, market: str, share_e6: int) -> Outcome:
        """Reduce a position in profit at its mark, against somebody who has lost all."""
        pit, position = self._reach(market), self._ledger.position(account, market)
        if not position.lots or self._ledger.unrealized_e8(account, market) <= 0:
            return self._refused(Refusal.NOTHING_TO_REDUCE, pit)
        closed = _CLOSED.get(self._world.phase(market, self._now_ns))
        if closed is not None:
            return self._refused(closed, pit)
        if self._house.deleveraging_cancels:
            self._cancel_all(account, market, Why.LIQUIDATION)
        price_ticks = nearest(self.mark_e8(market), self._world.instrument(market).tick_e8)
        lots = max(abs(position.lots) * share_e6 // 10**6, 1)
        order = self._forced(account, position, lots, self._house.deleveraging_id)
        self._deleveraged_id = order.id
        pit.overlay.beside(order.asked.side, price_ticks, lots, account, order.id)
        fills = self._enter(self._touched(pit, market), taker_id=order.id)
        return Done((self._client(account).orders[order.id],), fills)

    def _forced(
        self, account: str, position: Position, lots: int, made_id: Callable[[int], str] | None
    ) -> Order:
        """An order against a position for which its owner did not ask: placed, and told of."""
        side = Side.SELL if position.lots > 0 else Side.BUY
        name = (made_id or self._house.client_id)(self._next_order_id)
        asked = NewOrder(account, position.market, side, None, lots, reduce_only=True, client_id=name)
        order = self._numbered(asked, lots)
        self._tell(account, OrderPlaced(order))
        return order

    def _settle_for_good(self, market: str) -> None:
        """Close all positions of a market that is no more, beside its book: ids of trades go on where nobody trades."""
        terms = self._house.terms[market]
        held = [(account, self._ledger.position(account, market)) for account in self._ledger.accounts()]
        held = [(account, position) for account, position in held if position.lots]
        if terms.final_ticks is None or not held:
            return
        price_ticks = terms.final_ticks(self._now_ns)
        last = self._reach(market).face.prints_before(self._now_ns, 1)
        next_trade_id = int(last.trade_id[-1]) + 1 if len(last) else 1
        for trade_id, (account, position) in enumerate(held, next_trade_id):
            order = self._forced(account, position, abs(position.lots), self._house.final_id)
            self._final_id = order.id
            side, lots = order.asked.side, order.qty_lots
            taken = Execution(self._now_ns, price_ticks, lots, side, None, order.id, trade_id, 0, 0, 0, 0, 0)
            self._filled(taken, order.id, maker=False)
            if not self._margined(account, terms.margin_asset):
                self._ledger.cover(account, terms.margin_asset)
                self._tell_money(account, "liquidation")

    def _margined(self, account: str, asset: str, market: str = "") -> tuple[Position, ...]:
        """The crossed positions of an account that are margined in an asset, or the isolated one of a market."""
        positions = self._ledger.positions(account)
        if market:
            return tuple(p for p in positions if p.market == market)
        crossed = [p for p in positions if not p.isolated]
        return tuple(p for p in crossed if self._house.terms[p.market].margin_asset == asset)

    def _close(self, risk: Risk, held: Sequence[Position]) -> None:
        """Cancel the orders that share an account's margin, or those of the market of an isolated position, and close
        positions at the market, in the house's order, until what is left is enough. What the book does not take is
        tried again; what is missing in the end, the insurance pays.
        """
        account, asset, apart = risk.account, risk.asset, self._house.triggers_apart
        client = self._client(account)
        for order in (*self.open_orders(account), *(() if apart else self.waiting_orders(account))):
            market = order.asked.market
            meant = market == risk.market if risk.market else self._crossed(account, market, asset)
            if meant and client.lives(order.id):
                self._take_off(order, Why.LIQUIDATION)
        for position in held:
            if self._world.phase(position.market, self._now_ns) is not Phase.TRADING:
                continue  # nobody is there to trade with
            side = Side.SELL if position.lots > 0 else Side.BUY
            made_id = self._house.closing_id or self._house.client_id
            name, lots = made_id(self._next_order_id), abs(position.lots)
            asked = NewOrder(account, position.market, side, None, lots, reduce_only=True, client_id=name)
            pit = self._reach(position.market)
            plan = self._plan(pit, asked, None, asked.qty_lots)
            if isinstance(plan, Refused):
                continue
            self._forced_id = self._next_order_id
            self._accept(pit, asked, plan)
            due = [(each.account, each.asset, each.market) for each in self._ledger.due()]
            if (account, asset, risk.market) not in due:
                break
        if not risk.market and not self._margined(account, asset):
            self._ledger.cover(account, asset)
            self._tell_money(account, "liquidation")

    def _crossed(self, account: str, market: str, asset: str) -> bool:
        """Whether orders of a market use the margin that an account's crossed positions share."""
        isolated = self._ledger.position(account, market).isolated
        return self._house.terms[market].margin_asset == asset and not isolated

    # ------------------------------------------------------------ accounts
    def accounts(self) -> Sequence[str]:
        return self._ledger.accounts()

    def exists(self, account: str) -> bool:
        return self._ledger.exists(account)

    def balances(self, account: str) -> Sequence[Balance]:
        return self._ledger.balances(account)

    def balance(self, account: str, wallet: str, asset: str) -> Balance:
        return self._ledger.balance(account, wallet, asset)

    def position(self, account: str, market: str) -> Position:
        return self._ledger.position(account, market)

    def positions(self, account: str) -> Sequence[Position]:
        return self._ledger.positions(account)

    def leverage(self, account: str, market: str) -> int:
        return self._ledger.leverage(account, market)

    def order(self, account: str, market: str, order_id: int | None, client_id: str = "") -> Order | None:
        client = self._clients.get(account)
        if client is None:
            return None
        if order_id is None:
            order_id = client.named.get((market, client_id), -1)
        order = client.orders.get(order_id)
        return order if order is not None and order.asked.market == market else None

    def open_orders(self, account: str, market: str | None = None) -> Sequence[Order]:
        client = self._clients.get(account)
        if client is None:
            return []
        return [client.orders[i] for i in client.open if market in (None, client.orders[i].asked.market)]

    def waiting_orders(self, account: str, market: str | None = None) -> Sequence[Order]:
        client = self._clients.get(account)
        if client is None:
            return []
        return [client.orders[i] for i in client.waiting if market in (None, client.orders[i].asked.market)]

    def orders(self, account: str, market: str | None = None) -> Sequence[Order]:
        client = self._clients.get(account)
        return [o for o in client.orders.values() if market in (None, o.asked.market)] if client else []

    def fills(self, account: str, market: str | None = None) -> Sequence[Fill]:
        client = self._clients.get(account)
        return [fill for fill in client.fills if market in (None, fill.market)] if client else []

    def fundings(self, account: str) -> Sequence[FundingPayment]:
        client = self._clients.get(account)
        return list(client.fundings) if client else []

    def amendments(self, account: str, order_id: int) -> Sequence[Amendment]:
        client = self._clients.get(account)
        return [each for each in client.amendments if each.order_id == order_id] if client else []

    def margins_moved(self, account: str, market: str) -> Sequence[MarginMoved]:
        client = self._clients.get(account)
        return [moved for moved in client.margins if moved.market == market] if client else []

    def remembered(self, account: str, name: str) -> str | None:
        client = self._clients.get(account)
        fact = client.facts.get(name) if client else None
        return fact.value if fact else None

    def facts(self, account: str) -> Mapping[str, str]:
        client = self._clients.get(account)
        return {name: fact.value for name, fact in client.facts.items()} if client else {}

    # ------------------------------------------------------------ margin
    def mark_e8(self, market: str) -> int:
        kept = self._marks.get(market)
        if kept is None or kept[0] != self._now_ns:
            mark_e8 = self._house.terms[market].mark_e8
            assert mark_e8 is not None, market
            kept = self._marks[market] = self._now_ns, mark_e8(self._now_ns)
        return kept[1]

    def equity_e8(self, account: str, asset: str) -> int:
        return self._ledger.equity_e8(account, asset)

    def unrealized_e8(self, account: str, market: str) -> int:
        return self._ledger.unrealized_e8(account, market)

    def position_margin_e8(self, account: str, market: str) -> int:
        return self._ledger.position_margin_e8(account, market)

    def order_margin_e8(self, account: str, market: str) -> int:
        return self._ledger.order_margin_e8(account, market)

    def maintenance_e8(self, account: str, market: str) -> int:
        return self._ledger.maintenance_e8(account, market)

    def available_e8(self, account: str, asset: str) -> int:
        return self._ledger.available_e8(account, asset)

    def withdrawable_e8(self, account: str, wallet: str, asset: str) -> int:
        return self._ledger.withdrawable_e8(account, wallet, asset)

    def liquidation_price_e8(self, account: str, market: str) -> int | None:
        return self._ledger.liquidation_price_e8(account, market)


def _trigger_of(order: Order) -> Trigger:
    """Of an order that waits, or did."""
    assert order.asked.trigger is not None, order
    return order.asked.trigger


def _reserved_ticks(asked: NewOrder) -> int:
    """The price at which what an order needs is held while it rests or waits."""
    if asked.price_ticks is not None:
        return asked.price_ticks
    assert asked.trigger is not None, asked
    return asked.trigger.price_ticks
