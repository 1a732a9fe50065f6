"""Orders that wait for a price: when it comes, and which of them come to their market then.

What the tape will trade is known ahead of time, so the next boundary at which anything may come is a function of the
tape and of what waits; clients' own trades and marks are looked at as they are made. A trigger that follows the price
is as far as the trades it was shown: which of the next ones has gone back far enough is a running extreme over them,
so that it does not matter in which pieces they are looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from reactor.exchange.orders import Gauge, Trail, Trigger
from reactor.exchange.tape import TapeIndex
from reactor.types import BLOCK_NS, DAY_NS, NEVER_NS, TICK_NS, Column
from reactor.values import dataclass


class Own(Protocol):
    """What clients traded."""

    def trades_in(self, start_ns: int, end_ns: int) -> tuple[Column, Column]:
        """(price_ticks, before_id) of trades with a client in them, in order: which print of the tape each precedes."""
        ...


@dataclass(frozen=True, slots=True)
class Reached:
    """A price came that an order waits for: it `comes`, or only begins to follow the price. `stop_ticks` is the price
    that was enough for one that had followed.
    """

    order_id: int
    comes: bool
    stop_ticks: int | None = None


@dataclass(slots=True)
class _Follower:
    """How far one has followed: the best price of what was traded before an instant. In ticks, or where it follows the
    mark in 1e-8 of the quote asset.
    """

    trail: Trail
    best: int
    seen_ns: int


def follow(trail: Trail, best: int, prices: Column) -> tuple[int | None, int]:
    """The index of the first of the prices that is far enough back from the best one before it, if there is one; and
    the best one by then.
    """
    if not len(prices):
        return None, best
    so_far = _best_so_far(trail, best, prices)
    back = (prices - trail.stop(so_far)) * _sign(trail) >= 0
    if not back.any():
        return None, int(so_far[-1])
    first = int(back.argmax())
    return first, int(so_far[first])


def _sign(trail: Trail) -> int:
    return 1 if trail.rises else -1


def _best_so_far(trail: Trail, best: int, prices: Column) -> Column:
    sign = _sign(trail)
    so_far: Column = sign * np.minimum.accumulate(sign * np.append(best, prices))[1:]
    return so_far


class Watch:
    """The triggers of one market by the ids of their orders."""

    def __init__(self, tick_e8: int) -> None:
        self._tick_e8 = tick_e8
        self._waiting: Mapping[Gauge, dict[int, Trigger]] = {gauge: {} for gauge in Gauge}
        self._following: Mapping[Gauge, dict[int, _Follower]] = {gauge: {} for gauge in Gauge}
        self._looked_ns = -1  # until then no trade of the tape is enough for any

    def add(self, order_id: int, trigger: Trigger) -> None:
        """One more."""
        self._waiting[trigger.gauge][order_id] = trigger
        self._looked_ns = -1

    def follow(self, order_id: int, trigger: Trigger, best: int, seen_ns: int) -> None:
        """One more, which follows the price and is as far as that."""
        assert trigger.trail is not None, trigger
        self._following[trigger.gauge][order_id] = _Follower(trigger.trail, best, seen_ns)
        self._looked_ns = -1

    def drop(self, order_id: int, trigger: Trigger) -> None:
        """One less, if it is there."""
        self._waiting[trigger.gauge].pop(order_id, None)
        self._following[trigger.gauge].pop(order_id, None)
        self._looked_ns = -1

    def forget(self) -> None:
        """The tape is another one from the present on."""
        self._looked_ns = -1

    def followers(self) -> tuple[tuple[int, int, int], ...]:
        """How far those are that follow the price: (order_id, best, seen_ns)."""
        each = (followers.items() for followers in self._following.values())
        return tuple((order_id, f.best, f.seen_ns) for items in each for order_id, f in items)

    def waits(self, gauge: Gauge) -> bool:
        """Whether any of them waits for such a price."""
        return bool(self._waiting[gauge] or self._following[gauge])

    # ------------------------------------------------------------ when
    def next_ns(self, now_ns: int, tape: TapeIndex, own: Own) -> int:
        """The boundary after now at which the tape's next trade that is enough for any is known, or the one up to which
        none is; NEVER_NS if nothing waits for one.
        """
        if not self.waits(Gauge.LAST):
            return NEVER_NS
        if self._looked_ns <= now_ns:
            looks = [self._look(now_ns, tape)]
            for follower in self._following[Gauge.LAST].values():
                _catch_up(follower, now_ns, tape, own)
                looks.append(_look_back(follower, now_ns, tape))
            self._looked_ns = min(looks)
        return self._looked_ns

    def _look(self, now_ns: int, tape: TapeIndex) -> int:
        waiting = self._waiting[Gauge.LAST].values()
        if not waiting:
            return NEVER_NS
        falls = max((t.price_ticks for t in waiting if not t.rises), default=None)
        rises = min((t.price_ticks for t in waiting if t.rises), default=None)
        minute_ns = now_ns - now_ns % BLOCK_NS
        reached_ns = tape.first_in_reach(falls, rises, minute_ns, minute_ns + DAY_NS)
        if reached_ns > now_ns:
            return reached_ns
        groups = tape.at(now_ns).groups
        first = int(groups.ts_ns.searchsorted(now_ns))
        price = groups.price_ticks[first:]
        hit = np.zeros(len(price), np.bool_)
        if falls is not None:
            hit |= price <= falls
        if rises is not None:
            hit |= price >= rises
        if not hit.any():
            return minute_ns + BLOCK_NS
        return _boundary_after(int(groups.ts_ns[first + int(hit.argmax())]))

    # ------------------------------------------------------------ which
    def traded(self, at_ns: int, tape: TapeIndex, own: Own) -> list[Reached]:
        """Whose price came in the tick before a boundary, by the tape's trades and clients' own."""
        start_ns = at_ns - TICK_NS
        prints = tape.traded(start_ns, at_ns)
        own_prices, before_ids = own.trades_in(start_ns, at_ns)
        prices = np.insert(prints.price_ticks, prints.trade_id.searchsorted(before_ids), own_prices)
        if not len(prices):
            return []
        reached = []
        for order_id, follower in self._following[Gauge.LAST].items():
            _catch_up(follower, start_ns, tape, own)
            reached += _went_on(order_id, follower, prices, at_ns)
        for order_id in self._reached(Gauge.LAST, int(prices.min()), int(prices.max())):
            trigger = self._waiting[Gauge.LAST][order_id]
            reached.append(Reached(order_id, trigger.trail is None))
            if trigger.trail is not None:
                first = int(((prices - trigger.price_ticks) * (1 if trigger.rises else -1) >= 0).argmax())
                follower = self._begin(order_id, trigger, int(prices[first]), at_ns)
                reached += _went_on(order_id, follower, prices[first + 1 :], at_ns)
        return reached

    def marked(self, at_ns: int, mark_e8: int) -> list[Reached]:
        """Whose price the mark has come to."""
        reached = []
        least_ticks, most_ticks = -(-mark_e8 // self._tick_e8), mark_e8 // self._tick_e8
        for order_id, follower in self._following[Gauge.MARK].items():
            trail = follower.trail
            follower.best = (min if trail.rises else max)(follower.best, mark_e8)
            stop_e8 = trail.stop(follower.best)
            if (mark_e8 - stop_e8) * _sign(trail) >= 0:
                stop_ticks = -(-stop_e8 // self._tick_e8) if trail.rises else stop_e8 // self._tick_e8
                reached.append(Reached(order_id, True, stop_ticks))
        for order_id in self._reached(Gauge.MARK, least_ticks, most_ticks):
            trigger = self._waiting[Gauge.MARK][order_id]
            reached.append(Reached(order_id, trigger.trail is None))
            if trigger.trail is not None:
                self._begin(order_id, trigger, mark_e8, at_ns)
        return reached

    def _reached(self, gauge: Gauge, low_ticks: int, high_ticks: int) -> list[int]:
        waiting = self._waiting[gauge].items()
        return [order_id for order_id, trigger in waiting if trigger.reached(low_ticks, high_ticks)]

    def _begin(self, order_id: int, trigger: Trigger, best: int, seen_ns: int) -> _Follower:
        self.drop(order_id, trigger)
        self.follow(order_id, trigger, best, seen_ns)
        return self._following[trigger.gauge][order_id]


def _catch_up(follower: _Follower, upto_ns: int, tape: TapeIndex, own: Own) -> None:
    """See what was traded before a boundary, none of which was enough."""
    if follower.seen_ns >= upto_ns:
        return
    lowest = follower.trail.rises
    best = tape.best(follower.seen_ns, upto_ns, follower.best, lowest=lowest)
    own_prices, _ = own.trades_in(follower.seen_ns, upto_ns)
    follower.best = (min if lowest else max)([best, *own_prices.tolist()])
    follower.seen_ns = upto_ns


def _look_back(follower: _Follower, now_ns: int, tape: TapeIndex) -> int:
    """The boundary after now at which the tape's next trade is known that is enough for one that has seen all before
    now, or the one up to which none is.
    """
    trail, minute_ns = follower.trail, now_ns - now_ns % BLOCK_NS
    lows, highs = tape.reaches(minute_ns)
    known = lows > np.iinfo(np.int64).min
    good, bad = (np.where(known, side, follower.best) for side in _good_and_bad(trail, lows, highs))
    sign = _sign(trail)
    hit = ~known | ((bad - trail.stop(_best_so_far(trail, follower.best, good))) * sign >= 0)
    n = int(hit.argmax())
    if not hit[n]:
        return minute_ns + len(hit) * BLOCK_NS
    if n:
        return minute_ns + n * BLOCK_NS
    prints = tape.traded(now_ns, minute_ns + BLOCK_NS)
    first, _ = follow(trail, follower.best, prints.price_ticks)
    return minute_ns + BLOCK_NS if first is None else _boundary_after(int(prints.ts_ns[first]))


def _good_and_bad(trail: Trail, lows: Column, highs: Column) -> tuple[Column, Column]:
    return (lows, highs) if trail.rises else (highs, lows)


def _went_on(order_id: int, follower: _Follower, prices: Column, seen_ns: int) -> list[Reached]:
    """One follows on, over what was traded up to a boundary."""
    first, follower.best = follow(follower.trail, follower.best, prices)
    follower.seen_ns = seen_ns
    return [] if first is None else [Reached(order_id, True, follower.trail.stop(follower.best))]


def _boundary_after(ts_ns: int) -> int:
    return ts_ns - ts_ns % TICK_NS + TICK_NS
