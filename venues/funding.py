"""The one funding engine that all venues share; a venue's model is its parameters.

    F = clamp(g * (A(P) + clamp(I - A(P), -d, +d)) * h / 8, -c, +c)

P is the premium index, sampled every few seconds or minutes; A its average over the interval, I the interest per
8 h, d the damping, g a multiplier, h the interval in hours, c the cap. Rates are integers in 1e-12, premiums in 1e-8.
Intervals end at multiples of their length since the epoch, in UTC. They are a pure function of the market: the
symbol's own from the listing on, until a rate at its cap shortens them. Nothing here may depend on who asked before.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import field, fields, is_dataclass
from enum import StrEnum
from typing import Any, Protocol, TypeVar
from weakref import WeakKeyDictionary

import numpy as np

from reactor.fixed import nearest
from reactor.types import SECOND_NS, Column, Columns, FundingProfile
from reactor.values import dataclass
from venues.base import Listing

HOUR_NS = 3_600 * SECOND_NS
BP_E12 = 100_000_000  # a basis point, 0.01 %
HOURS = (1, 2, 4, 8)  # the intervals there are
_TRACKS_KEPT = 4


class Average(StrEnum):
    """How premiums are averaged. Over a whole interval, LINEAR and ROLLING are the same."""

    PLAIN = "plain"  # those since the last settlement, all alike
    LINEAR = "linear"  # likewise, the i-th weighing i
    ROLLING = "rolling"  # those of the last h hours, weighing as in LINEAR


class Share(StrEnum):
    """What an interval of h hours takes h / 8 of."""

    RATE = "rate"
    INTEREST = "interest"


class PremiumSource(Protocol):
    """What funding needs of a market."""

    @property
    def listed_ns(self) -> int:
        """When the market begins, a whole minute."""
        ...

    @property
    def premium_limit_e8(self) -> int:
        """No premium lies farther from 0, unless it is bent."""
        ...

    @property
    def premium_bent_ns(self) -> int | None:
        """The first instant at which the premium may be bent, and then lie anywhere; None for never."""
        ...

    @property
    def funding_changes(self) -> tuple[tuple[int, int], ...]:
        """From when on intervals have how many hours, whatever the model says; 0: what it says."""
        ...

    def premiums_e8(self, start_ns: int, end_ns: int, step_ns: int) -> Column:
        """The premium index at start_ns, start_ns + step_ns, ... before end_ns."""
        ...


# ---------------------------------------------------------------- parameters
def parameter(default: Any, unit: str, low: int, high: int, effect: str) -> Any:
    """A parameter of a model: its default, unit, least and greatest value, and what it does."""
    return field(default=default, metadata={"unit": unit, "range": (low, high), "effect": effect})


def parameters(model: type) -> dict[str, Mapping[str, Any]]:
    """What is declared of a model's or an effect's parameters, wherever a default may have been replaced."""
    rows = (row for base in model.__mro__ if is_dataclass(base) for row in fields(base))
    return {row.name: row.metadata for row in rows if row.metadata}


def check(model: object) -> None:
    """ValueError on a parameter out of its range."""
    for name, declared in parameters(type(model)).items():
        low, high = declared["range"]
        if not low <= getattr(model, name) <= high:
            raise ValueError(f"{name} has to be from {low} to {high}, in {declared['unit']}")


# ---------------------------------------------------------------- what the engine tells
@dataclass(frozen=True, slots=True)
class Period:
    """An interval: its samples are taken in [start_ns, end_ns), its rate is settled at end_ns.

    It is shorter than `hours` after the listing, and where intervals became longer off their grid.
    """

    start_ns: int
    end_ns: int
    hours: int


@dataclass(frozen=True, slots=True, eq=False)
class Forecast(Columns):
    """At each instant: the rate that would be settled then, when it next will be, the interval in hours."""

    ts_ns: Column
    rate_e12: Column
    next_ns: Column
    interval_h: Column


@dataclass(frozen=True, slots=True, eq=False)
class Settlements(Columns):
    """When, at what rate, from what average premium, and the hours of the interval that ended."""

    ts_ns: Column
    rate_e12: Column
    premium_e12: Column
    interval_h: Column


@dataclass(frozen=True, slots=True)
class Adaptation:
    """How a symbol's interval follows its rates; intervals are in hours.

    A settlement at a cap leads from an interval to `shorter` of it. Once so many settlements in a row as `calm_count`
    had rates within +-`calm_e12`, it is `longer_h`, but no more than the symbol's own, which None stands for.
    """

    shorter: Mapping[int, int]
    longer_h: int | None = None
    calm_count: int = parameter(16, "settlements", 1, 1_000, "calm ones in a row that make intervals longer")
    calm_e12: int = parameter(5 * BP_E12 // 2, "1e-12 per interval", 0, 1_000 * BP_E12, "rates that are calm")

    def __post_init__(self) -> None:
        check(self)


class Effect(Protocol):
    """What a stylised venue adds to the formula."""

    @property
    def look_back(self) -> int:
        """How many earlier intervals it depends on."""
        ...

    def __call__(self, rates_e12: Column, average_e12: Column, earlier_e12: Column, /) -> Column:
        """Rates before the caps, from the formula's, the average premiums behind them, and the averages of so many
        intervals before, the newest first; fewer after the listing.
        """
        ...


# ---------------------------------------------------------------- what it keeps
@dataclass(frozen=True, slots=True)
class _Walk:
    """A symbol's intervals from the listing to the settlement at `settled_ns`: from when on how many hours."""

    changes: tuple[tuple[int, int], ...]
    settled_ns: int
    calm: int = 0  # settlements in a row


@dataclass(slots=True)
class _Memory:
    """What is known of a market: pure values, so that whoever comes second computes the same again at worst."""

    walk: _Walk
    may_cap: bool  # whether any premium of it can make a capped rate
    averages_e12: dict[int, int] = field(default_factory=dict)  # of whole intervals, by their ends
    rates_e12: dict[Period, int] = field(default_factory=dict)  # which ended them
    tracks: tuple[tuple[int, Column], ...] = ()  # (end, rate after each sample) of the intervals used last


# ---------------------------------------------------------------- the engine
@dataclass(frozen=True, slots=True, eq=False)
class FundingModel:
    """A venue's funding of a symbol: the parameters of the formula, and the rates they make of a market's premiums.

    ValueError on a parameter out of its range.
    """

    interval_h: int = parameter(8, "h", 1, 8, "the symbol's own interval: 1, 2, 4 or 8")
    sample_ns: int = parameter(5 * SECOND_NS, "ns", SECOND_NS, HOUR_NS, "time between samples of the premium")
    interest_e12: int = parameter(BP_E12, "1e-12 per 8 h", -100 * BP_E12, 100 * BP_E12, "the interest")
    damping_e12: int = parameter(
        5 * BP_E12, "1e-12", 0, 100 * BP_E12, "premium off the interest that is free"
    )
    multiplier_e3: int = parameter(1_000, "1e-3", 0, 10_000, "what the rate is multiplied by")
    cap_e12: int = parameter(200 * BP_E12, "1e-12 per interval", 1, 1_000 * BP_E12, "the bound of rates")
    average: Average = Average.LINEAR
    share: Share = Share.RATE
    adaptation: Adaptation | None = None
    effect: Effect | None = None
    _memories: WeakKeyDictionary[PremiumSource, _Memory] = field(
        default_factory=WeakKeyDictionary, init=False, repr=False
    )

    def __post_init__(self) -> None:
        check(self)
        if self.interval_h not in HOURS or HOUR_NS % self.sample_ns or self.sample_ns % SECOND_NS:
            raise ValueError("an interval has 1, 2, 4 or 8 hours, and an hour whole samples at whole seconds")

    # ------------------------------------------------------------ the schedule
    @property
    def interval_ns(self) -> int:
        """The symbol's own interval; none is longer."""
        return self.interval_h * HOUR_NS

    def period(self, market: PremiumSource, at_ns: int) -> Period:
        """The interval that an instant falls into, not before the listing; one that starts at it rather than ends."""
        changes = self._changes(market, at_ns)
        from_ns, hours = changes[bisect_right(changes, at_ns, key=lambda change: change[0]) - 1]
        length_ns = hours * HOUR_NS
        end_ns = (at_ns // length_ns + 1) * length_ns
        return Period(max(end_ns - length_ns, from_ns), end_ns, hours)

    def _first_ns(self, market: PremiumSource) -> int:
        """When the first whole interval begins."""
        return -(-market.listed_ns // self.interval_ns) * self.interval_ns

    def _changes(self, market: PremiumSource, until_ns: int) -> tuple[tuple[int, int], ...]:
        """From when on intervals have how many hours, as of the settlements up to an instant."""
        memory = self._memory(market)
        walk = memory.walk
        while self.adaptation and memory.may_cap:
            hours = walk.changes[-1][1]
            end_ns = (walk.settled_ns // (hours * HOUR_NS) + 1) * hours * HOUR_NS
            if end_ns > until_ns:
                break
            rate_e12, _ = self._settle(market, Period(walk.settled_ns, end_ns, hours))
            walk = memory.walk = self._next(self.adaptation, walk, end_ns, rate_e12)
        return (
            self._declared(walk.changes, market.funding_changes) if market.funding_changes else walk.changes
        )

    def _declared(
        self, changes: tuple[tuple[int, int], ...], declared: tuple[tuple[int, int], ...]
    ) -> tuple[tuple[int, int], ...]:
        """The changes with those that are declared in the place of what the model says: each from the first settlement
        on that is not before it.
        """
        told = [*changes]
        for at_ns, hours in declared:
            i = bisect_right(told, at_ns, key=lambda change: change[0])
            length_ns = told[max(i - 1, 0)][1] * HOUR_NS
            told = [*told[:i], (-(-at_ns // length_ns) * length_ns, hours or self.interval_h)]
        return tuple(told)

    def _next(self, rules: Adaptation, walk: _Walk, at_ns: int, rate_e12: int) -> _Walk:
        """The walk after a settlement."""
        hours = walk.changes[-1][1]
        calm = walk.calm + 1 if abs(rate_e12) <= rules.calm_e12 else 0
        following = hours
        if abs(rate_e12) == self.cap_e12:
            following = rules.shorter.get(hours, hours)
        elif calm >= rules.calm_count and hours < self.interval_h:
            following = min(rules.longer_h or self.interval_h, self.interval_h)
        changes = walk.changes if following == hours else (*walk.changes, (at_ns, following))
        return _Walk(changes, at_ns, calm)

    def _may_cap(self, market: PremiumSource) -> bool:
        """Whether any premium can make a capped rate: the formula rises with the premium, and with the interval."""
        reach_e12 = market.premium_limit_e8 * 10_000
        return bool(np.any(np.abs(self.rates_e12(np.array([-reach_e12, reach_e12]))) >= self.cap_e12))

    # ------------------------------------------------------------ the formula
    def averages_e12(self, premiums_e8: Column, window: int | None = None) -> Column:
        """After each sample, the average of the samples so far, of the last `window` where that is given."""
        i = np.arange(1, len(premiums_e8) + 1)
        first = np.maximum(i - window, 0) if window else np.zeros_like(i)
        n = i - first
        total = _running(premiums_e8)
        plain = total[i] - total[first]
        if self.average is Average.PLAIN:
            return _in_e12(plain, n)
        moment = _running(premiums_e8 * i)
        return _in_e12(moment[i] - moment[first] - first * plain, n * (n + 1) // 2)

    def rates_e12(
        self, average_e12: Column, hours: int | None = None, earlier_e12: Column | None = None
    ) -> Column:
        """The rates of an interval of so many hours, its own where left out, from averages of the premium and those
        of the intervals before it, as the effect asks for them.
        """
        hours = hours or self.interval_h
        interest_e12, scale = self.interest_e12, hours
        if self.share is Share.INTEREST:
            interest_e12, scale = (interest_e12 * hours + 4) // 8, 8
        calmed = average_e12 + np.clip(interest_e12 - average_e12, -self.damping_e12, self.damping_e12)
        rates = nearest(calmed * (self.multiplier_e3 * scale), 8_000)
        if self.effect:
            earlier = np.zeros(0, np.int64) if earlier_e12 is None else earlier_e12
            rates = self.effect(rates, average_e12, earlier)
        return np.clip(rates, -self.cap_e12, self.cap_e12)

    # ------------------------------------------------------------ rates of a market
    def forecast(self, market: PremiumSource, at_ns: Column) -> Forecast:
        """What would be settled at these ascending instants, none before the listing.

        A sample counts from the instant it is taken, so the last forecast of an interval is what is settled.
        """
        parts: list[Forecast] = []
        done = 0
        while done < len(at_ns):
            period = self.period(market, int(at_ns[done]))
            asked = at_ns[done : np.searchsorted(at_ns, period.end_ns)]
            rates = self._track(market, period)[(asked - period.start_ns) // self.sample_ns]
            ends = (np.full_like(asked, n) for n in (period.end_ns, period.hours))
            parts.append(Forecast(asked, rates, *ends))
            done += len(asked)
        return Forecast.join(parts)

    def settlements(self, market: PremiumSource, start_ns: int, end_ns: int) -> Settlements:
        """The settlements in [start_ns, end_ns): the first ends the first interval that was listed as a whole."""
        rows = []
        period = self.period(market, max(start_ns - 1, self._first_ns(market)))
        while period.end_ns < end_ns:
            rows.append((period.end_ns, *self._settle(market, period), period.hours))
            period = self.period(market, period.end_ns)
        return Settlements(*np.array(rows, dtype=np.int64).reshape(-1, 4).T)

    def _settle(self, market: PremiumSource, period: Period) -> tuple[int, int]:
        """The rate that ends an interval, and the average premium it is made of."""
        average_e12, kept = self._average(market, period), self._memory(market).rates_e12
        if period not in kept:
            rates = self.rates_e12(np.array([average_e12]), period.hours, self._earlier(market, period))
            kept[period] = int(rates[0])
        return kept[period], average_e12

    def _average(self, market: PremiumSource, period: Period) -> int:
        kept = self._memory(market).averages_e12
        if period.end_ns not in kept:
            kept[period.end_ns] = int(self._averages(market, period)[-1])
        return kept[period.end_ns]

    def _averages(self, market: PremiumSource, period: Period) -> Column:
        """The average as of each sample of an interval."""
        window_ns = period.hours * HOUR_NS
        if self.average is not Average.ROLLING:
            return self.averages_e12(market.premiums_e8(period.start_ns, period.end_ns, self.sample_ns))
        before = min(window_ns, period.start_ns - market.listed_ns) // self.sample_ns
        first_ns = period.start_ns - before * self.sample_ns
        premiums = market.premiums_e8(first_ns, period.end_ns, self.sample_ns)
        return self.averages_e12(premiums, window_ns // self.sample_ns)[before:]

    def _earlier(self, market: PremiumSource, period: Period) -> Column:
        """The averages of the intervals before one, as many as there are and the effect asks for."""
        averages: list[int] = []
        wanted = self.effect.look_back if self.effect else 0
        while len(averages) < wanted and period.start_ns > market.listed_ns:
            period = self.period(market, period.start_ns - 1)
            averages.append(self._average(market, period))
        return np.array(averages, dtype=np.int64)

    def _track(self, market: PremiumSource, period: Period) -> Column:
        """The rate as of each sample of an interval."""
        memory = self._memory(market)
        for end_ns, rates in memory.tracks:
            if end_ns == period.end_ns:
                return rates
        rates = self.rates_e12(self._averages(market, period), period.hours, self._earlier(market, period))
        memory.tracks = (*memory.tracks[1 - _TRACKS_KEPT :], (period.end_ns, rates))
        return rates

    def _memory(self, market: PremiumSource) -> _Memory:
        memory = self._memories.get(market)
        if memory is None:
            may_cap, bent_ns = self._may_cap(market), market.premium_bent_ns
            settled_ns = self._first_ns(market)
            if not may_cap and bent_ns is not None:  # until then no interval can have changed
                settled_ns = max(settled_ns, bent_ns // self.interval_ns * self.interval_ns)
            walk = _Walk(((market.listed_ns, self.interval_h),), settled_ns)
            memory = self._memories.setdefault(market, _Memory(walk, may_cap or bent_ns is not None))
        return memory


# ---------------------------------------------------------------- a venue's models
M = TypeVar("M", bound=FundingModel)
OTHERS = ""  # in the place of an asset: all that have no model of their own


def model_of(
    models: Mapping[FundingProfile, Mapping[str, M]],
    asset: str,
    profile: FundingProfile = FundingProfile.REAL,
) -> M:
    """The model of an asset's perpetual."""
    by_asset = models[profile]
    return by_asset.get(asset) or by_asset[OTHERS]


@dataclass(frozen=True, slots=True)
class Perpetuals:
    """A venue's perpetuals, and the models that fund them."""

    venue: str
    listings: tuple[Listing, ...]
    models: Mapping[FundingProfile, Mapping[str, FundingModel]]


# ---------------------------------------------------------------- integers
def _in_e12(value_e8: Column, divisor: Column) -> Column:
    """value / divisor in 1e-12, in two parts: the product of the whole may have more than 64 bits."""
    whole, rest = np.divmod(value_e8, divisor)
    return whole * 10_000 + nearest(rest * 10_000, divisor)


def _running(values: Column) -> Column:
    """The sum of the first 0, 1, 2, ... values."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(values)])
