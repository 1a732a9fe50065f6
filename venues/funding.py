"""The one funding formula that all venues share; a venue's model is its parameters.

    F = clamp(g * (A(P) + clamp(I - A(P), -d, +d)) * h / 8, low, high)

P is the premium index, sampled every few seconds; A its average over the interval so far, plain or weighted
linearly towards the newest sample; I the interest per 8 h, d the damping, h the interval in hours, g a
multiplier. Rates are integers in 1e-12, premiums in 1e-8, and instants whole multiples of the interval since
the epoch.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol
from weakref import WeakKeyDictionary

import numpy as np

from reactor.types import SECOND_NS, Column

HOUR_NS = 3_600 * SECOND_NS


class Average(StrEnum):
    """How the premiums of an interval are averaged."""

    PLAIN = "plain"
    LINEAR = "linear"  # the i-th of n samples weighs i


class PremiumSource(Protocol):
    """What funding needs of a market."""

    @property
    def listed_ns(self) -> int: ...
    def premiums_e8(self, start_ns: int, end_ns: int, step_ns: int) -> Column:
        """The premium index at start_ns, start_ns + step_ns, ... before end_ns."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class FundingModel:
    """A venue's funding: the parameters of the formula, and the rates they make of a market's premiums.

    `interest_e12` is per 8 h, the caps are per interval. Averages of whole intervals are kept, for they never change.
    """

    interval_h: int
    average: Average
    low_e12: int
    high_e12: int
    interest_e12: int = 100_000_000  # 0.01 %
    damping_e12: int = 500_000_000  # 0.05 %
    multiplier_e3: int = 1_000
    sample_ns: int = 5 * SECOND_NS
    _averages: WeakKeyDictionary[PremiumSource, dict[int, int]] = field(
        default_factory=WeakKeyDictionary, repr=False
    )

    @property
    def interval_ns(self) -> int:
        return self.interval_h * HOUR_NS

    def next_settlement_ns(self, at_ns: int) -> int:
        """The first settlement after an instant."""
        return (at_ns // self.interval_ns + 1) * self.interval_ns

    def rates_e12(self, average_e12: Column) -> Column:
        """The formula, from averages of the premium."""
        calmed = average_e12 + np.clip(self.interest_e12 - average_e12, -self.damping_e12, self.damping_e12)
        scaled = _nearest(calmed * (self.multiplier_e3 * self.interval_h), 8_000)
        return np.clip(scaled, self.low_e12, self.high_e12)

    def averages_e12(self, premiums_e8: Column) -> Column:
        """After each sample of an interval, the average of the samples so far."""
        i = np.arange(1, len(premiums_e8) + 1)
        if self.average is Average.PLAIN:
            return _nearest(np.cumsum(premiums_e8) * 10_000, i)
        return _nearest(np.cumsum(premiums_e8 * i) * 10_000, i * (i + 1) // 2)

    def predicted_e12(self, market: PremiumSource, at_ns: Column) -> Column:
        """The rates that would be settled were the interval to end at these ascending instants of one
        interval.

        A sample counts from the instant it is taken.
        """
        start_ns = int(at_ns[0]) // self.interval_ns * self.interval_ns
        premiums = market.premiums_e8(start_ns, int(at_ns[-1]) + 1, self.sample_ns)
        return self.rates_e12(self.averages_e12(premiums))[(at_ns - start_ns) // self.sample_ns]

    def average_e12(self, market: PremiumSource, settlement_ns: int) -> int:
        """The average of all premiums of the interval that ends at an instant."""
        kept = self._averages.setdefault(market, {})
        if settlement_ns not in kept:
            premiums = market.premiums_e8(settlement_ns - self.interval_ns, settlement_ns, self.sample_ns)
            kept[settlement_ns] = int(self.averages_e12(premiums)[-1])
        return kept[settlement_ns]

    def settled_e12(self, market: PremiumSource, settlement_ns: int) -> int:
        """The rate settled at an instant."""
        return int(self.rates_e12(np.array([self.average_e12(market, settlement_ns)]))[0])

    def settlements(self, market: PremiumSource, start_ns: int, end_ns: int) -> list[tuple[int, int]]:
        """(instant, rate) of the settlements in [start_ns, end_ns), whole intervals since the listing only."""
        first_ns = self.next_settlement_ns(max(start_ns - 1, market.listed_ns + self.interval_ns - 1))
        return [(at, self.settled_e12(market, at)) for at in range(first_ns, end_ns, self.interval_ns)]


def _nearest(value: Column, divisor: int | Column) -> Column:
    """The nearest integer to value / divisor, halves up."""
    rounded: Column = np.floor_divide(2 * value + divisor, 2 * np.asarray(divisor))
    return rounded
