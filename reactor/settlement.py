"""How many lots each print of a minute gets, so that volume and quote volume come out exactly as planned.

Both sums are known before the block is. Sizes are drawn heavy-tailed, leaned towards the wanted average price, and
the rest is settled on three prints set aside: one at the side's lowest price, one at its highest, and one whose
price is free. All of it is integer arithmetic, and nothing here draws.
"""

from __future__ import annotations

from math import gcd

import numpy as np
from numpy.typing import NDArray

from reactor.fixed import ONE, share, stable_order
from reactor.types import Column, Side
from reactor.values import dataclass

_LEAN_PASSES = 3
_CAP_PASSES = 3
_LEAN_LIMIT_Q36 = 9 * (1 << 36) // 10  # no weight shrinks below a tenth in one pass
_FREE_SIZES = 48  # sizes tried for the print whose price is free
_ROUND: Column = np.array([m * 10**e for e in range(9) for m in (1, 2, 3, 4, 5, 8)])


@dataclass(frozen=True, slots=True, eq=False)
class SidePrints:
    """One side's prints before they have sizes.

    `offsets` are prices over the side's lowest, in [0, span]. Print `low` lies at 0, print `high` at span, and print
    `free` may lie anywhere (its offset here is 0).
    """

    side: Side
    offsets: Column
    weights: Column
    rounded: NDArray[np.bool_]  # whose sizes are round numbers, unless they are large
    low: int
    high: int
    free: int
    span: int


@dataclass(frozen=True, slots=True, eq=False)
class Settlement:
    """Lots by print, the free print's offset, and the grid point to reach it from with the shortest step back."""

    lots: Column
    free_offset: int
    grid_point: int


def settle(prints: SidePrints, lots: int, units: int, bounds: tuple[int, int], grid: Column) -> Settlement:
    """Sizes with sum(lots) = `lots` and sum(lots * offset) = `units`; `grid` holds the best price's offsets at the
    moments where the free print may take place, `bounds` (min_lots, max_lots) the least and the most of a print.

    Always possible for min_lots >= 2, max_lots >= 8 * min_lots, lots >= 4 * prints * min_lots and units in [1/8, 7/8] *
    span * lots. Every print gets at least min_lots unless `units` is so extreme that the smallest must give way, and at
    most max_lots but for `low` and `high`, which take what is over.
    """
    n, span, free = len(prints.offsets), prints.span, prints.free
    min_lots, max_lots = bounds
    most = max(1, min(_FREE_SIZES + min_lots, lots // 8 - n))
    least = np.full(n, min_lots)
    least[prints.low] = least[prints.high] = max(min_lots, 1 + most)
    weights = prints.weights
    whole = int(weights.sum())
    for _ in range(_CAP_PASSES):
        weights, before = np.minimum(weights, max(min(max_lots * whole // lots, 1 << 60), 1)), whole
        if (whole := int(weights.sum())) == before:
            break
    weights[prints.low] += 1  # one weight at least is not 0
    least[free] = weights[free] = 0  # what it gets is taken from print `low`
    sizes = share(lots - int(least.sum()), weights)
    sizes += least
    small = prints.rounded & (sizes > min_lots) & (sizes < _ROUND[-1]) & (weights > 0)
    small[prints.low] = small[prints.high] = False
    rows = small.nonzero()[0]
    least[rows] = np.maximum(_ROUND.take(_ROUND.searchsorted(sizes.take(rows), side="right") - 1), min_lots)
    weights[rows] = 0
    sizes = _leaned(prints.offsets, weights, least, lots, units, span)
    over = np.maximum(sizes - max_lots, 0)
    over[prints.low] = over[prints.high] = 0
    sizes -= over
    to_high = int(over.dot(prints.offsets)) // max(span, 1)
    sizes[prints.high] += to_high
    sizes[prints.low] += int(over.sum()) - to_high
    for floor in (min_lots, 1):
        keep = np.full(n, floor)
        keep[prints.low] = keep[prints.high] = 1 + most
        keep[free] = 0
        _shift(sizes, prints, keep, units)
    rest = units - int(sizes.dot(prints.offsets))
    assert 0 <= rest <= max(span - 1, 0), "volume-weighted price out of reach"

    # q lots at offset y settle the rest if q * y = rest + back * span, with `back` lots returned from `high` to `low`:
    # for q coprime to the span there is exactly one back < q that makes y a whole number.
    choices = [q for q in range(min(min_lots, most), most + 1) if gcd(q, span) == 1] or [1]
    backs = [-rest * pow(span, -1, q) % q for q in choices]
    offsets = np.array([(rest + back * span) // q for q, back in zip(choices, backs, strict=True)])
    # A seller gets a lower price when the bid steps back, a buyer a higher one.
    step = (grid[None, :] - offsets[:, None]) * -prints.side
    choice, point = divmod(int(np.where(step >= 0, step, np.iinfo(np.int64).max).argmin()), len(grid))
    q, back = choices[choice], backs[choice]
    sizes[free] = q
    sizes[prints.low] += back - q
    sizes[prints.high] -= back
    return Settlement(sizes, int(offsets[choice]), point)


def _leaned(offsets: Column, weights: Column, least: Column, lots: int, units: int, span: int) -> Column:
    """Sizes in proportion to the weights, and these leaned linearly in price until the average price fits. The lowest
    offset is 0.
    """
    place = offsets * 1024 // max(span, 1)
    highest = int(place.max())
    lots -= int(least.sum())
    units -= int(least.dot(offsets))
    for _ in range(_LEAN_PASSES):
        spare = share(lots, weights)
        missing = units - int(spare.dot(offsets))
        whole = int(spare.sum())
        if abs(missing) <= 8 * span or not whole:
            break
        centre = int(spare.dot(place)) // whole
        from_centre = place - centre
        spread = int((spare * from_centre).dot(from_centre))
        slope = (missing * 1024 // span << 36) // max(spread, 1)
        bound = _LEAN_LIMIT_Q36 // max(highest - centre, centre, 1)
        slope = max(-bound, min(slope, bound))
        weights = (spare * (ONE + (from_centre * slope >> 20))) >> 6
    sizes = share(lots, weights)
    sizes += least
    return sizes


def _shift(sizes: Column, prints: SidePrints, keep: Column, units: int) -> None:
    """Move lots in place between prints and the ends, as far as `keep` allows, until what is missing lies in
    [0, span).
    """
    offsets, span = prints.offsets, prints.span
    missing = units - int(sizes.dot(offsets))
    if 0 <= missing < max(span, 1):
        return
    up = missing > 0
    gain = span - offsets if up else offsets
    order = stable_order(span - gain)
    spare, gain = np.maximum(sizes - keep, 0).take(order), gain.take(order)
    reach = (spare * gain).cumsum()
    whole = int(reach.searchsorted(abs(missing), side="right"))
    moved = np.where(np.arange(len(order)) < whole, spare, 0)
    if whole < len(order) and gain[whole]:
        rest = abs(missing) - (int(reach[whole - 1]) if whole else 0)
        moved[whole] = (
            rest // int(gain[whole]) if up else min(-(-rest // int(gain[whole])), int(spare[whole]))
        )
    sizes[order] -= moved
    sizes[prints.high if up else prints.low] += moved.sum()
