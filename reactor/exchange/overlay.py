"""Clients' orders laid over one market's tape: who trades with whom, at which price, and what the public sees of it.

The tape never changes because of a client. What one takes from a displayed level leaves a hole in it that fills up
again; what one rests stands in the level's queue behind what was there, and the tape's own trades and cancellations
move it forward. All is a function of the tape, the commands and their instants: given no further command, the future of
what rests is a function of the tape alone, so it may be lived through in any pieces, ahead of time, and by a copy.

Rules of the queue at a client's price:
- On arrival all that the level displays is ahead. A trade there takes what is ahead, then the client's, and so on.
- Where the level shrinks by more than was traded, what is ahead shrinks in proportion; what is added comes behind.
- A trade beyond the price, or the other side's best quote coming to it or beyond, fills the order whole: the public
  tape never shows a trade through a resting order, and the public book never crosses.
- In a minute that cannot reach the price the level is not watched; once one can again, no more is ahead than is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import field, fields

import numpy as np
from numpy.typing import NDArray

from reactor.exchange.orders import SelfTrade, Why
from reactor.exchange.tape import MinuteIndex, TapeIndex
from reactor.fixed import exp_q32
from reactor.types import BLOCK_NS, DAY_NS, MS_NS, SECOND_NS, TICK_NS, BookSide, Column, Side
from reactor.values import dataclass

HOLE_STEP_NS = 100 * MS_NS  # holes fill up in steps on a grid of virtual time, finer than their half-life
_LN2_Q32 = round(0.6931471805599453 * (1 << 32))
_SLICE_NS = SECOND_NS  # of tape looked through at once at first; the next slice is twice as long

_PRINT, _QUOTE, _LEVEL = 1, 2, 3  # what comes first at one instant


# ---------------------------------------------------------------- what rests, what was taken
@dataclass(slots=True)
class Resting:
    """An open order on the book. `ahead_lots` of the tape's come before it, and all clients' that came earlier."""

    order_id: int
    account: str
    side: Side
    price_ticks: int
    open_lots: int
    reduce_only: bool = False
    ahead_lots: int = 0


@dataclass(slots=True)
class _Queue:
    """The clients' orders at one price, the first first. `tape_lots` is what the tape rests there as far as it was
    watched; `printed_lots` of it went in tick `printed_tick`.
    """

    orders: list[Resting]
    tape_lots: int
    printed_lots: int = 0
    printed_tick: int = -1

    @property
    def lots(self) -> int:
        return sum([order.open_lots for order in self.orders])


@dataclass(frozen=True, slots=True)
class Hole:
    """What clients took from a level: `taken_lots` at `at_ns`, of which `lots` have not come back."""

    taken_lots: int
    at_ns: int
    lots: int


# ---------------------------------------------------------------- what happened
@dataclass(frozen=True, slots=True)
class Execution:
    """A public print with a client in it. `side` is the aggressor's; of the order ids, None is the tape.

    `before_id` is the id of the tape's print that it comes before; `aggs` and `orders` say by how much the later ids of
    these kinds are shifted from here on.
    """

    ts_ns: int
    price_ticks: int
    lots: int
    side: Side
    maker_id: int | None
    taker_id: int | None
    trade_id: int
    agg_id: int
    tape_order_id: int
    before_id: int
    aggs: int
    orders: int


@dataclass(frozen=True, slots=True)
class Change:
    """From ts_ns on, clients rest `own_lots` at a price, and `hole_lots` of the tape's are missing there."""

    ts_ns: int
    side: BookSide
    price_ticks: int
    own_lots: int
    hole_lots: int


@dataclass(frozen=True, slots=True)
class Ended:
    """An order that left the book by itself: met by its own account's, or with nothing left to reduce."""

    ts_ns: int
    order_id: int
    why: Why


@dataclass(frozen=True, slots=True)
class Leg:
    """A piece of what a taker would get: from the tape where `maker` is None. 0 lots: a maker of the taker's own
    account, which goes instead of trading.
    """

    price_ticks: int
    lots: int
    maker: Resting | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a taker would get now. `clash` says that it met an order of its own account and stopped there."""

    side: Side
    legs: tuple[Leg, ...] = ()
    clash: bool = False

    @property
    def lots(self) -> int:
        return sum(leg.lots for leg in self.legs)

    @property
    def units(self) -> int:
        return sum(leg.lots * leg.price_ticks for leg in self.legs)


@dataclass(slots=True)
class Outbox:
    """What has happened since it was last emptied, each kind in order."""

    events: list[Execution | Ended] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Place:
    """An open order and its place in the queue (`Resting`)."""

    order_id: int
    account: str
    side: Side
    price_ticks: int
    open_lots: int
    reduce_only: bool
    ahead_lots: int


@dataclass(frozen=True, slots=True)
class OverlayState:
    """All of an overlay whose outbox is empty. `places` come in their order at each price; `queues` are (side, price,
    lots of the tape, lots printed, in which tick), `holes` (side, price, lots taken, when, lots missing).
    """

    at_ns: int
    places: tuple[Place, ...]
    queues: tuple[tuple[int, int, int, int, int], ...]
    holes: tuple[tuple[int, int, int, int, int], ...]
    positions: tuple[tuple[str, int], ...]
    shifts: tuple[int, int, int]
    last_agg: tuple[int, int, int]


# ---------------------------------------------------------------- the overlay
class Overlay:
    """One market's overlay, standing at the boundary `at_ns`: all before it has happened.

    `positions` holds the lots that accounts with reduce-only orders have here; it follows their fills, and whoever
    knows of other changes sets it. `outbox` is for the owner to empty.
    """

    def __init__(self, tape: TapeIndex, at_ns: int) -> None:
        self.at_ns = at_ns
        self.outbox = Outbox()
        self.positions: dict[str, int] = {}
        self._tape = tape
        self._queues: tuple[dict[int, _Queue], dict[int, _Queue]] = ({}, {})
        self._holes: tuple[dict[int, Hole], dict[int, Hole]] = ({}, {})
        self._resting: dict[int, Resting] = {}
        self._trades = self._aggs = self._orders = 0  # by how much later ids are shifted
        self._last_agg = (
            -1,
            -1,
            -1,
        )  # of the newest execution in an order of the tape: order, price, public aggregate
        # steps of the grid are a tenth of the half-life, in whole 100 ms
        self.hole_step_ns = max(HOLE_STEP_NS, tape.halflife_ns // 10 // HOLE_STEP_NS * HOLE_STEP_NS)

    def lay_over(self, tape: TapeIndex) -> None:
        """Go on over a tape that has been the same so far."""
        self._tape = tape

    def clone(self) -> Overlay:
        """A copy that lives its own life; its outbox is empty."""
        twin = copy(self)
        twin._detach()  # noqa: SLF001  # it is one of these
        return twin

    def _detach(self) -> None:
        self.outbox, self.positions = Outbox(), dict(self.positions)
        self._resting = {}
        bids, asks = ({p: self._copied(q) for p, q in queues.items()} for queues in self._queues)
        self._queues = (bids, asks)
        self._holes = (dict(self._holes[0]), dict(self._holes[1]))

    def _copied(self, queue: _Queue) -> _Queue:
        orders = [copy(order) for order in queue.orders]
        self._resting.update((order.order_id, order) for order in orders)
        return _Queue(orders, queue.tape_lots, queue.printed_lots, queue.printed_tick)

    def state(self) -> OverlayState:
        """All that an overlay of the same tape must be told to go on from here."""
        places, queues, holes = [], [], []
        for side in BookSide:
            for price, queue in self._queues[side].items():
                queues.append((int(side), price, queue.tape_lots, queue.printed_lots, queue.printed_tick))
                places += [Place(*(getattr(order, f.name) for f in fields(Place))) for order in queue.orders]
            holes += [(int(side), p, h.taken_lots, h.at_ns, h.lots) for p, h in self._holes[side].items()]
        return OverlayState(
            self.at_ns,
            tuple(places),
            tuple(queues),
            tuple(holes),
            tuple(self.positions.items()),
            (self._trades, self._aggs, self._orders),
            self._last_agg,
        )

    def restore(self, state: OverlayState) -> None:
        """Go on from such a state."""
        self.at_ns = state.at_ns
        for side, price, *rest in state.queues:
            self._queues[side][price] = _Queue([], *rest)
        for place in state.places:
            order = Resting(*(getattr(place, f.name) for f in fields(place)))
            self._queues[_side_of(order)][order.price_ticks].orders.append(order)
            self._resting[order.order_id] = order
        for side, price, taken_lots, at_ns, lots in state.holes:
            self._holes[side][price] = Hole(taken_lots, at_ns, lots)
        self.positions = dict(state.positions)
        self._trades, self._aggs, self._orders = state.shifts
        self._last_agg = state.last_agg

    def empty_outbox(self) -> Outbox:
        """What happened since last asked."""
        outbox, self.outbox = self.outbox, Outbox()
        return outbox

    @property
    def resting(self) -> Mapping[int, Resting]:
        """The open orders by id."""
        return self._resting

    # ------------------------------------------------------------ the displayed book
    def levels(self, side: BookSide) -> Iterator[tuple[int, int, int]]:
        """(price_ticks, tape_lots, own_lots) of the displayed levels, best first."""
        minute, tick = self._minute_and_tick()
        bid, _, ask, _ = minute.touch(self.at_ns)
        sign = 1 if side else -1
        across = self._best_own(_other(side))
        own = sorted(sign * p for p in self._queues[side])
        holes, queues = self._holes[side], self._queues[side]
        i = 0
        for price, tape_lots in minute.levels(side, ask if side else bid, tick):
            lots = tape_lots
            while i < len(own) and own[i] < sign * price:
                yield sign * own[i], 0, queues[sign * own[i]].lots
                i += 1
            if price in holes:
                lots = max(lots - holes[price].lots, 0)
            if across is not None and sign * price <= sign * across:
                lots = 0
            mine = 0
            if i < len(own) and own[i] == sign * price:
                mine = queues[price].lots
                i += 1
            if lots or mine:
                yield price, lots, mine
        for rank in own[i:]:
            yield sign * rank, 0, queues[sign * rank].lots

    def reaches(self, side: Side, limit_ticks: int) -> bool:
        """Whether an order's limit may reach the other side: False is sure, and costs little."""
        bid, _, ask, _ = self._tape.at(self.at_ns).touch(self.at_ns)
        if side == Side.BUY:
            own = self._best_own(BookSide.ASK)
            return limit_ticks >= (ask if own is None else min(ask, own))
        own = self._best_own(BookSide.BID)
        return limit_ticks <= (bid if own is None else max(bid, own))

    def best(self, side: BookSide) -> int:
        """The best displayed price of a side, 0 if it is empty."""
        if not self._holes[side] and not self._resting:
            bid, _, ask, _ = self._tape.at(self.at_ns).touch(self.at_ns)
            return ask if side else bid
        return next((price for price, _, _ in self.levels(side)), 0)

    def own_lots(self, side: BookSide, price_ticks: int) -> int:
        queue = self._queues[side].get(price_ticks)
        return queue.lots if queue else 0

    def _best_own(self, side: BookSide) -> int | None:
        queues = self._queues[side]
        if not queues:
            return None
        return min(queues) if side else max(queues)

    def _minute_and_tick(self) -> tuple[MinuteIndex, int]:
        minute = self._tape.at(self.at_ns)
        return minute, self.at_ns // TICK_NS - minute.first_tick

    # ------------------------------------------------------------ commands, at at_ns
    def plan(
        self,
        account: str,
        side: Side,
        limit_ticks: int | None,
        lots: int | None,
        units: int | None = None,
        self_trade: SelfTrade = SelfTrade.EXPIRE_TAKER,
    ) -> Plan:
        """What an order would get at once: up to `lots`, or for up to `units` (price_ticks * lots)."""
        book_side = BookSide.ASK if side == Side.BUY else BookSide.BID
        if limit_ticks is not None and not self.reaches(side, limit_ticks):
            return Plan(side)
        legs: list[Leg] = []
        reduced: dict[str, int] = {}

        def wanted(price: int) -> int:
            return lots if lots is not None else (units or 0) // price

        for price, tape_lots, own in self.levels(book_side):
            if limit_ticks is not None and (price - limit_ticks) * side > 0:
                break
            if wanted(price) <= 0:
                break
            eaten = 0
            for maker in self._queues[book_side][price].orders if own else ():
                some = min(min(maker.ahead_lots, tape_lots) - eaten, wanted(price))
                if some > 0:
                    legs.append(Leg(price, some, None))
                    eaten += some
                    lots, units = _less(lots, units, some, price)
                if wanted(price) <= 0:
                    break
                if maker.account == account and self_trade is not SelfTrade.NONE:
                    if self_trade is not SelfTrade.EXPIRE_TAKER:
                        legs.append(Leg(price, 0, maker))
                    if self_trade is not SelfTrade.EXPIRE_MAKER:
                        return Plan(side, tuple(legs), clash=True)
                    continue
                some = min(self._fillable(maker, reduced), wanted(price))
                if some > 0:
                    legs.append(Leg(price, some, maker))
                    reduced[maker.account] = reduced.get(maker.account, 0) + some * maker.side
                    lots, units = _less(lots, units, some, price)
            some = min(tape_lots - eaten, wanted(price))
            if some > 0:
                legs.append(Leg(price, some, None))
                lots, units = _less(lots, units, some, price)
        return Plan(side, tuple(legs))

    def take(self, plan: Plan, account: str, taker_id: int) -> None:
        """Carry a plan out, nothing having happened since."""
        book_side = BookSide.ASK if plan.side == Side.BUY else BookSide.BID
        if not plan.legs:
            return
        tape_ids = self._tape.at(self.at_ns).next_ids(self.at_ns)
        order_id, price = tape_ids[2] + self._orders, None
        for leg in plan.legs:
            if leg.lots:
                if price is None:
                    self._orders += 1
                if leg.price_ticks != price:
                    price, agg_id = leg.price_ticks, tape_ids[1] + self._aggs
                    self._aggs += 1
                maker_id = leg.maker.order_id if leg.maker else None
                execution = self._execution(
                    self.at_ns, leg, plan.side, maker_id, taker_id, tape_ids[0], agg_id, order_id
                )
                self.outbox.events.append(execution)
            if leg.maker is None:
                self._dig(book_side, leg.price_ticks, leg.lots)
            else:
                if leg.lots:
                    self._fill(leg.maker, leg.lots, self.at_ns)
                else:
                    self._remove(leg.maker)
                    self.outbox.events.append(Ended(self.at_ns, leg.maker.order_id, Why.SELF_TRADE))
                self._changed(self.at_ns, book_side, leg.price_ticks)
            if leg.lots:
                self.moved(account, leg.lots * plan.side, self.at_ns)
        self._last_agg = (-1, -1, -1)

    def beside(self, side: Side, price_ticks: int, lots: int, account: str, order_id: int) -> None:
        """Have somebody unknown trade with an account at a price, beside the book: a print like any other."""
        ids = self._tape.at(self.at_ns).next_ids(self.at_ns)
        order, agg_id = ids[2] + self._orders, ids[1] + self._aggs
        self._orders += 1
        self._aggs += 1
        leg = Leg(price_ticks, lots, None)
        execution = self._execution(self.at_ns, leg, side, None, order_id, ids[0], agg_id, order)
        self.outbox.events.append(execution)
        self.moved(account, lots * side, self.at_ns)
        self._last_agg = (-1, -1, -1)

    def rest(self, order: Resting) -> None:
        """Put an order on the book, behind all that is displayed at its price."""
        side = BookSide.BID if order.side == Side.BUY else BookSide.ASK
        queue = self._queues[side].get(order.price_ticks)
        minute, tick = self._minute_and_tick()
        tape_lots = minute.lots(side, order.price_ticks, tick)
        if queue is None:
            queue = self._queues[side][order.price_ticks] = _Queue([], tape_lots)
        queue.tape_lots = tape_lots
        for earlier in queue.orders:  # nobody watched a level out of reach
            earlier.ahead_lots = min(earlier.ahead_lots, tape_lots)
        hole = self._holes[side].get(order.price_ticks)
        order.ahead_lots = max(tape_lots - hole.lots, 0) if hole else tape_lots
        queue.orders.append(order)
        self._resting[order.order_id] = order
        self._changed(self.at_ns, side, order.price_ticks)

    def cancel(self, order_id: int) -> None:
        """Take an order off the book."""
        order = self._resting[order_id]
        self._remove(order)
        self._changed(self.at_ns, _side_of(order), order.price_ticks)

    def meet(self, order_id: int) -> None:
        """Have the tape fill an order whole, at its price, by an order of its own."""
        resting = self._resting[order_id]
        ids = self._tape.at(self.at_ns).next_ids(self.at_ns)
        public_order = ids[2] + self._orders
        self._orders += 1
        aggressor = Side.SELL if resting.side == Side.BUY else Side.BUY
        self._fill_by_tape(resting, resting.open_lots, self.at_ns, aggressor, ids, None, public_order)

    def shrink(self, order_id: int, open_lots: int) -> None:
        """Leave less of an order open, in its place."""
        order = self._resting[order_id]
        order.open_lots = open_lots
        self._changed(self.at_ns, _side_of(order), order.price_ticks)

    # ------------------------------------------------------------ time
    def advance(self, upto_ns: int) -> None:
        """Live through [at_ns, upto_ns), a boundary."""
        self._live(upto_ns, until_something=False)

    def advance_to_something(self, upto_ns: int) -> bool:
        """Live until the end of the tick in which something happens to an order, at the latest until upto_ns; whether
        it did.
        """
        self._live(upto_ns, until_something=True)
        return self._happened

    def out_of_reach_until(self, now_ns: int) -> int:
        """Until when, a day at the most, nothing can happen to what rests; now_ns where it can at once."""
        if self._holes[0] or self._holes[1]:
            return now_ns
        bid, ask = self._best_own(BookSide.BID), self._best_own(BookSide.ASK)
        minute_ns = now_ns - now_ns % BLOCK_NS
        return max(self._tape.first_in_reach(bid, ask, minute_ns, minute_ns + DAY_NS), now_ns)

    @property
    def _happened(self) -> bool:
        return bool(self.outbox.events)

    def _live(self, upto_ns: int, *, until_something: bool) -> None:
        slice_ns = _SLICE_NS
        while self.at_ns < upto_ns and not (until_something and self._happened):
            minute_ns = self.at_ns - self.at_ns % BLOCK_NS
            if not self._holes[0] and not self._holes[1]:
                bid, ask = self._best_own(BookSide.BID), self._best_own(BookSide.ASK)
                if bid is None and ask is None:
                    self.at_ns = upto_ns
                    return
                reached_ns = self._tape.first_in_reach(bid, ask, minute_ns, upto_ns)
                if reached_ns > self.at_ns:
                    self.at_ns = reached_ns
                    continue
            end_ns = min(upto_ns, minute_ns + BLOCK_NS, self.at_ns + slice_ns)
            self._live_slice(minute_ns, end_ns, until_something=until_something)
            slice_ns *= 2

    def _live_slice(self, minute_ns: int, end_ns: int, *, until_something: bool) -> None:
        """Live through a part of one minute, event by event."""
        low, high = self._tape.reach(minute_ns)
        live = (
            [p for p in self._queues[0] if p >= low],
            [p for p in self._queues[1] if p <= high],
        )
        events: list[tuple[int, ...]] = []
        minute = None
        if live[0] or live[1]:
            minute = self._tape.minute((minute_ns - self._tape.origin_ns) // BLOCK_NS)
            if self.at_ns == minute_ns:
                self._meet_keyframe(minute, live)
            events = _events(minute, live, self.at_ns, end_ns)
        step_ns = self._next_step_ns()
        stop_ns = end_ns
        for event in (*events, (end_ns,)):
            ts_ns = event[0]
            while step_ns is not None and step_ns <= ts_ns and step_ns < stop_ns:
                self._refill(step_ns, minute)
                if until_something and stop_ns == end_ns and self._happened:
                    stop_ns = min(end_ns, step_ns + TICK_NS)
                step_ns = self._next_step_ns(step_ns)
            if ts_ns >= stop_ns:
                break
            kind = event[1]
            if kind == _PRINT:
                self._on_print(ts_ns, *event[2:])
            elif kind == _QUOTE:
                self._on_quote(ts_ns, *event[2:])
            else:
                self._on_level(*event[2:])
            if until_something and stop_ns == end_ns and self._happened:
                stop_ns = min(end_ns, ts_ns - ts_ns % TICK_NS + TICK_NS)
        self.at_ns = stop_ns

    def _meet_keyframe(self, minute: MinuteIndex, live: tuple[list[int], list[int]]) -> None:
        for side in BookSide:
            for price in live[side]:
                queue = self._queues[side][price]
                queue.tape_lots = minute.lots(side, price, 0)
                for order in queue.orders:
                    order.ahead_lots = min(order.ahead_lots, queue.tape_lots)

    # ------------------------------------------------------------ what the tape does to what rests
    def _on_print(  # the columns of a group of prints
        self,
        ts_ns: int,
        price: int,
        lots: int,
        aggressor: int,
        first_id: int,
        stop_id: int,
        agg: int,
        order: int,
    ) -> None:
        """A market order of the tape took lots at one price."""
        side = BookSide.BID if aggressor == Side.SELL else BookSide.ASK
        queues = self._queues[side]
        beyond = [p for p in queues if (p - price) * aggressor < 0]
        for p in sorted(beyond, reverse=side == BookSide.BID):
            for resting in list(queues[p].orders):
                self._fill_by_tape(
                    resting, resting.open_lots, ts_ns, Side(aggressor), (first_id, agg, order), order
                )
        queue = queues.get(price)
        if queue is None:
            return
        tick = ts_ns // TICK_NS
        if queue.printed_tick != tick:
            queue.printed_tick, queue.printed_lots = tick, 0
        queue.printed_lots += lots
        self._last_agg = (
            order,
            price,
            agg + self._aggs,
        )  # what is filled with it belongs to the same aggregate
        eaten, left = 0, lots
        for resting in list(queue.orders):
            some = min(resting.ahead_lots - eaten, left)
            if some > 0:
                eaten, left = eaten + some, left - some
            if not left:
                break
            some = min(resting.open_lots, left)
            left -= some
            self._fill_by_tape(resting, some, ts_ns, Side(aggressor), (stop_id, agg + 1, order), order)
        for resting in queue.orders:
            resting.ahead_lots = max(resting.ahead_lots - eaten, 0)

    def _on_quote(self, ts_ns: int, bid: int, bid_lots: int, ask: int, ask_lots: int) -> None:
        """The tape's touch comes to what rests."""
        for side, price, lots in ((BookSide.ASK, ask, ask_lots), (BookSide.BID, bid, bid_lots)):
            hole = self._holes[side].get(price)
            if hole is None or lots > hole.lots:
                self._sweep(_other(side), price, ts_ns, after_ns=ts_ns + 1)

    def _sweep(self, side: BookSide, price: int, ts_ns: int, after_ns: int) -> None:
        """Fill what rests at a price or better: the other side's quote has come there, before the tape's prints from
        after_ns on.
        """
        queues = self._queues[side]
        met = [p for p in queues if (p >= price if side == BookSide.BID else p <= price)]
        if not met:
            return
        aggressor = Side.SELL if side == BookSide.BID else Side.BUY
        ids = self._tape.at(ts_ns).next_ids(after_ns)
        public_order = None
        for p in sorted(met, reverse=side == BookSide.BID):
            for resting in list(queues[p].orders):
                if public_order is None:
                    public_order = ids[2] + self._orders
                    self._orders += 1
                self._fill_by_tape(resting, resting.open_lots, ts_ns, aggressor, ids, None, public_order)

    def _on_level(self, tick: int, side: int, price: int, lots: int) -> None:
        """The tape's level has so many lots at a tick's end: what went without being traded was cancelled."""
        queue = self._queues[side].get(price)
        if queue is None:
            return
        left = queue.tape_lots - (queue.printed_lots if queue.printed_tick == tick else 0)
        for order in queue.orders:
            if lots < left:
                order.ahead_lots = order.ahead_lots * lots // left
            order.ahead_lots = min(order.ahead_lots, lots)
        queue.tape_lots = lots

    # ------------------------------------------------------------ fills
    def _fillable(self, order: Resting, reduced: Mapping[str, int] | None = None) -> int:
        if not order.reduce_only:
            return order.open_lots
        position = self.positions.get(order.account, 0) + (reduced or {}).get(order.account, 0)
        return min(order.open_lots, max(-position * order.side, 0))

    def _fill_by_tape(
        self,
        resting: Resting,
        lots: int,
        ts_ns: int,
        aggressor: Side,
        ids: tuple[int, int, int],
        tape_order: int | None,
        public_order: int = -1,
    ) -> None:
        """A fill of what rests by the tape: before the print ids[0], in the tape's order or in one of its own."""
        lots = min(lots, self._fillable(resting))
        if lots <= 0:
            return
        if tape_order is not None:
            public_order = tape_order + self._orders
        key = (tape_order if tape_order is not None else -2 - public_order, resting.price_ticks)
        if self._last_agg[:2] == key:
            agg_id = self._last_agg[2]
        else:
            agg_id = ids[1] + self._aggs
            self._aggs += 1
            self._last_agg = (*key, agg_id)
        leg = Leg(resting.price_ticks, lots, resting)
        execution = self._execution(
            ts_ns, leg, aggressor, resting.order_id, None, ids[0], agg_id, public_order
        )
        self.outbox.events.append(execution)
        self._fill(resting, lots, ts_ns)
        self._changed(ts_ns, _side_of(resting), resting.price_ticks)

    def _execution(
        self,
        ts_ns: int,
        leg: Leg,
        side: Side,
        maker_id: int | None,
        taker_id: int | None,
        before_id: int,
        agg_id: int,
        order_id: int,
    ) -> Execution:
        trade_id = before_id + self._trades
        self._trades += 1
        return Execution(
            ts_ns, leg.price_ticks, leg.lots, side, maker_id, taker_id, trade_id, agg_id, order_id, before_id,
            self._aggs, self._orders,
        )  # fmt: skip

    def _fill(self, order: Resting, lots: int, ts_ns: int) -> None:
        order.open_lots -= lots
        self.moved(order.account, lots * order.side, ts_ns, but=order)
        if not order.open_lots:
            self._remove(order)
        elif order.reduce_only and not self._fillable(order):
            self._remove(order)
            self.outbox.events.append(Ended(ts_ns, order.order_id, Why.REDUCED_ENOUGH))

    def moved(self, account: str, lots: int, ts_ns: int, but: Resting | None = None) -> None:
        """An account's position changed by a fill: its reduce-only orders that have nothing left to reduce end."""
        if account not in self.positions:
            return
        self.positions[account] += lots
        for order in [self._resting[i] for i in sorted(self._resting)]:  # a copy keeps them in another order
            if (
                order is not but
                and order.account == account
                and order.reduce_only
                and not self._fillable(order)
            ):
                self._remove(order)
                self.outbox.events.append(Ended(ts_ns, order.order_id, Why.REDUCED_ENOUGH))
                self._changed(ts_ns, _side_of(order), order.price_ticks)

    def _remove(self, order: Resting) -> None:
        queues = self._queues[_side_of(order)]
        queue = queues[order.price_ticks]
        queue.orders.remove(order)
        if not queue.orders:
            del queues[order.price_ticks]
        del self._resting[order.order_id]

    # ------------------------------------------------------------ holes
    def _dig(self, side: BookSide, price: int, lots: int) -> None:
        hole = self._holes[side].get(price)
        taken = lots + (hole.lots if hole else 0)
        self._holes[side][price] = Hole(taken, self.at_ns, taken)
        queue = self._queues[side].get(price)
        if queue is not None:
            for order in queue.orders:
                order.ahead_lots = max(order.ahead_lots - lots, 0)
        self._changed(self.at_ns, side, price)

    def _next_step_ns(self, after_ns: int | None = None) -> int | None:
        """The next instant of the grid at which holes fill up: from at_ns on, or after an instant."""
        if not self._holes[0] and not self._holes[1]:
            return None
        first_ns = self.at_ns if after_ns is None else after_ns + 1
        return -(-first_ns // self.hole_step_ns) * self.hole_step_ns

    def _refill(self, step_ns: int, minute: MinuteIndex | None) -> None:
        """Let the holes fill up by a step; what rests in them and is met trades."""
        for side in BookSide:
            holes = self._holes[side]
            refilled = False
            for price, hole in list(holes.items()):
                if hole.at_ns == step_ns:
                    continue
                lots = _left(hole, step_ns, self._tape.halflife_ns)
                if lots == hole.lots:
                    continue
                if lots:
                    holes[price] = Hole(hole.taken_lots, hole.at_ns, lots)
                else:
                    del holes[price]
                self._changed(step_ns, side, price)
                refilled = True
            own = self._best_own(_other(side))
            if refilled and own is not None and minute is not None:
                self._meet_refilled(side, own, step_ns, minute)

    def _meet_refilled(self, side: BookSide, own: int, step_ns: int, minute: MinuteIndex) -> None:
        bid, _, ask, _ = minute.touch(step_ns)
        best = ask if side else bid
        sign = 1 if side else -1
        if sign * best > sign * own:
            return
        for price, lots in minute.levels(side, best, step_ns // TICK_NS - minute.first_tick):
            if sign * price > sign * own:
                return
            hole = self._holes[side].get(price)
            if hole is None or lots > hole.lots:
                self._sweep(_other(side), price, step_ns, after_ns=step_ns)
                return

    def _changed(self, ts_ns: int, side: BookSide, price: int) -> None:
        hole = self._holes[side].get(price)
        queue = self._queues[side].get(price)
        self.outbox.changes.append(
            Change(ts_ns, side, price, queue.lots if queue else 0, hole.lots if hole else 0)
        )


# ---------------------------------------------------------------- columns to events
def _events(
    minute: MinuteIndex, live: tuple[list[int], list[int]], from_ns: int, to_ns: int
) -> list[tuple[int, ...]]:
    """What of the tape in [from_ns, to_ns) may matter to orders at these prices, in order."""
    bid = max(live[0], default=None)
    ask = min(live[1], default=None)
    events: list[tuple[int, ...]] = []
    groups = minute.groups
    first, stop = groups.ts_ns.searchsorted([from_ns, to_ns]).tolist()
    if first < stop:
        price, side = groups.price_ticks[first:stop], groups.side[first:stop]
        hit = _reaching(price, price, bid, ask, side)
        if hit.any():
            rows = first + np.flatnonzero(hit)
            columns = (
                groups.price_ticks, minute.group_lots, groups.side, groups.trade_id, minute.group_stop,
                groups.agg_id, groups.order_id,
            )  # fmt: skip
            events += zip(
                groups.ts_ns[rows].tolist(),
                [_PRINT] * len(rows),
                *(c[rows].tolist() for c in columns),
                strict=True,
            )
    quotes = minute.block.quotes
    first, stop = quotes.ts_ns.searchsorted([from_ns, to_ns]).tolist()
    if first < stop:
        hit = _reaching(quotes.ask_ticks[first:stop], quotes.bid_ticks[first:stop], bid, ask)
        if hit.any():
            rows = first + np.flatnonzero(hit)
            table = (quotes.bid_ticks, quotes.bid_lots, quotes.ask_ticks, quotes.ask_lots)
            events += zip(
                quotes.ts_ns[rows].tolist(),
                [_QUOTE] * len(rows),
                *(c[rows].tolist() for c in table),
                strict=True,
            )
    levels = minute.block.levels
    tick, end_tick = from_ns // TICK_NS, to_ns // TICK_NS
    first, stop = levels.tick.searchsorted([tick, end_tick]).tolist()
    if first < stop:
        prices = np.array(live[0] + live[1])
        price = levels.price_ticks[first:stop]
        hit = price == prices[0] if len(prices) == 1 else np.isin(price, prices)
        if hit.any():
            rows = first + np.flatnonzero(hit)
            row_tick = levels.tick[rows]
            events += zip(
                ((row_tick + 1) * TICK_NS - 1).tolist(), [_LEVEL] * len(rows), row_tick.tolist(),
                levels.side[rows].tolist(), levels.price_ticks[rows].tolist(), levels.qty_lots[rows].tolist(),
                strict=True,
            )  # fmt: skip
    events.sort()
    return events


def _reaching(
    asks: Column, bids: Column, bid: int | None, ask: int | None, side: Column | None = None
) -> NDArray[np.bool_]:
    hit = np.zeros(len(asks), np.bool_)
    if bid is not None:
        near = asks <= bid
        hit |= near if side is None else near & (side == Side.SELL)
    if ask is not None:
        near = bids >= ask
        hit |= near if side is None else near & (side == Side.BUY)
    return hit


def _left(hole: Hole, at_ns: int, halflife_ns: int) -> int:
    """What of a hole has not come back."""
    age_ns = at_ns - hole.at_ns
    halvings = age_ns // halflife_ns
    if halvings >= 63:
        return 0
    part_q32 = (age_ns - halvings * halflife_ns) * _LN2_Q32 // halflife_ns
    scale = int(exp_q32(np.array([-part_q32]), 1 << 30)[0])  # Q30, in (1/2, 1]
    return (hole.taken_lots * scale + (1 << 29 + halvings)) >> (30 + halvings)


def _less(lots: int | None, units: int | None, some: int, price: int) -> tuple[int | None, int | None]:
    return (None if lots is None else lots - some), (None if units is None else units - some * price)


def _side_of(order: Resting) -> BookSide:
    return BookSide.BID if order.side == Side.BUY else BookSide.ASK


def _other(side: BookSide) -> BookSide:
    return BookSide.BID if side else BookSide.ASK
