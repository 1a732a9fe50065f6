"""SimulationManifest: every parameter of a synthetic market, in one frozen value.

Each parameter is declared once, with its default, unit, range and effect. Floats live only here: the skeleton
and the blocks convert them once to fixed-point integers, so that no float ever decides an integer of the
tape.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import field, fields, replace
from hashlib import blake2b
from typing import Any

from reactor.types import Instrument
from reactor.values import dataclass


class ManifestError(ValueError):
    """A parameter is unknown or out of range; the message names it and what is allowed."""


def _parameter(default: float, unit: str, low: float, high: float, effect: str) -> Any:
    return field(default=default, metadata={"unit": unit, "range": (low, high), "effect": effect})


# What belongs to an asset rather than to a market of it: all markets of one world agree on these.
ASSET_PARAMETERS = (
    "initial_price",
    "drift",
    "volatility",
    "jump_intensity",
    "jump_mean",
    "jump_std",
    "clustering",
    "daily_seasonality",
    "factor_loading",
    "seed",
)


@dataclass(frozen=True, slots=True)
class SimulationManifest:
    """The parameters of one market. Defaults: a busy BTC spot market with a one-tick spread.

    Raises ManifestError on a value out of range.
    """

    # the asset's path
    seed: int = _parameter(
        0, "1", 0, 2**53, "which of its histories the asset has in a run; every seed of a run has all of them"
    )
    initial_price: float = _parameter(65_000.0, "quote", 1e-8, 1e9, "price at the origin")
    drift: float = _parameter(0.0, "log/year", -5, 5, "trend of the log price")
    volatility: float = _parameter(
        0.55, "1/sqrt(year)", 0.01, 10, "root mean square volatility of the diffusion"
    )
    jump_intensity: float = _parameter(16.0, "1/day", 0, 1_000, "Merton jumps a day")
    jump_mean: float = _parameter(0.0, "log", -0.5, 0.5, "mean size of a jump")
    jump_std: float = _parameter(
        0.0015, "log", 0, 0.5, "standard deviation of a jump at usual volatility; wild times have larger ones"
    )
    clustering: float = _parameter(
        0.26, "log", 0, 0.6, "weight of each cascade level: how much calm and wild spells differ"
    )
    daily_seasonality: float = _parameter(
        0.30, "log", 0, 2, "amplitude of the 24 h season of volatility and activity"
    )
    factor_loading: float = _parameter(0.9, "1", 0, 1, "correlation with the factor that all assets share")
    # this market against the asset
    tick: int = _parameter(1, "ticks", 1, 1_000, "least step of a price, in ticks of the venue's contract")
    lot: int = _parameter(
        1, "lots", 1, 1_000_000, "least step of a quantity, in lots of the venue's contract"
    )
    basis_mean_bp: float = _parameter(0.0, "bp", -500, 500, "mean of the market's price over the index")
    basis_std_bp: float = _parameter(0.5, "bp", 0, 500, "stationary deviation of the slow basis")
    basis_halflife_s: float = _parameter(14_400.0, "s", 60, 86_400, "half-life of the slow basis")
    basis_fast_std_bp: float = _parameter(
        0.3, "bp", 0, 100, "stationary deviation of the fast basis at usual volatility"
    )
    basis_fast_halflife_s: float = _parameter(1.5, "s", 0.1, 30, "half-life of the fast basis")
    lag_ms: float = _parameter(0.0, "ms", 0, 1_000, "how far the market trails the asset's path")
    impact_half_spread_bp: float = _parameter(
        0.5, "bp", 0, 100, "distance of the impact bid and ask from the mid"
    )
    # activity
    trade_intensity_base: float = _parameter(
        12.0, "1/s", 0.001, 500, "market orders a second at normal activity"
    )
    prints_per_order: float = _parameter(2.8, "1", 1, 50, "mean prints a market order makes")
    sweep_levels: float = _parameter(
        0.13, "1", 0, 2, "mean price levels a market order takes beyond the first"
    )
    activity_vol_elasticity: float = _parameter(0.9, "1", 0, 3, "how strongly activity follows volatility")
    count_noise: float = _parameter(0.28, "log", 0, 2, "deviation of a minute's order count beyond activity")
    mean_order_notional: float = _parameter(1_800.0, "quote", 0.01, 1e9, "mean value of a market order")
    volume_noise: float = _parameter(
        0.45, "log", 0, 2, "deviation of a minute's volume beyond its order count"
    )
    min_trade_size: float = _parameter(5.0, "quote", 0, 1e6, "least value of a print")
    max_trade_size: float = _parameter(
        2e7,
        "quote",
        1,
        1e12,
        "most a print may be, but for those at the ends of a minute's range that settle its volume",
    )
    update_ids_per_second: float = _parameter(
        3_000.0, "1/s", 0, 1e6, "book update ids a second at normal activity"
    )
    base_spread_ticks: int = _parameter(1, "ticks", 1, 1_000, "spread when the book is at rest")
    burst_probability: float = _parameter(0.0, "1", 0, 1, "share of minutes that have a burst of activity")
    burst_intensity_factor: float = _parameter(
        10.0, "1", 1, 100, "how many times as active a burst is, up to 100 times the normal activity"
    )
    burst_duration_s: float = _parameter(
        10.0, "s", 0.25, 60, "how long a burst lasts, somewhere in its minute; 60: from end to end"
    )
    liquidation_share: float = _parameter(
        0.002,
        "1",
        0,
        0.1,
        "share of a perpetual's market orders that are liquidations where the price stands still",
    )
    # how it is told in files; on a socket the venue's own paces hold
    book_update_interval_ms: int = _parameter(
        100, "ms", 10, 60_000, "time over which changes of the book are gathered, in steps of 10 ms"
    )
    staleness_ms: float = _parameter(2.0, "ms", 0, 500, "median time from an event to its news")
    staleness_sigma: float = _parameter(0.5, "log", 0, 2, "deviation of that time")
    staleness_spike_share: float = _parameter(0.001, "1", 0, 0.5, "share of news that come very late")
    staleness_spike_factor: float = _parameter(20.0, "1", 1, 1_000, "how many times as late these come")
    # what clients' orders do to it
    impact_decay_halflife_ms: float = _parameter(
        1_000.0, "ms", 1, 3_600_000, "time in which half of what a client's order took from a level returns"
    )
    # order flow inside a minute
    activity_burstiness: float = _parameter(
        0.33, "log", 0, 1, "weight of each cascade level of activity inside a minute"
    )
    metaorder_alpha: float = _parameter(1.5, "1", 1.05, 5, "tail index of the orders a metaorder is cut into")
    metaorder_gap_ms: float = _parameter(35.0, "ms", 0.01, 10_000, "least gap between a metaorder's orders")
    flow_lean: float = _parameter(0.2, "1", 0, 5, "how strongly the orders' signs follow the second's return")
    trade_size_sigma: float = _parameter(1.7, "log", 0, 3, "deviation of the body of order sizes")
    trade_size_alpha: float = _parameter(1.4, "1", 1.05, 5, "tail index of order sizes")
    trade_size_lean: float = _parameter(
        1.1, "log", 0, 3, "how much larger the orders are that go the way of the second's return"
    )
    min_size_share: float = _parameter(0.22, "1", 0, 0.9, "share of orders of the least size")
    # how the price moves
    adverse_selection_strength: float = _parameter(
        0.10, "1", 0, 1, "share of market orders that move the price, where no others race after them"
    )
    requote_intensity: float = _parameter(0.6, "1/s", 0, 100, "price moves a second without a trade")
    move_size_bp: float = _parameter(
        0.06, "bp", 0.001, 100, "median size of a price move at usual volatility"
    )
    move_size_sigma: float = _parameter(1.25, "log", 0, 2, "deviation of the size of a price move")
    # the touch
    spread_vol_sensitivity: float = _parameter(
        0.1,
        "1",
        0,
        2,
        "exponent in volatility of how wide and long a spread opens: 0 the same in wild minutes",
    )
    spread_toxicity_sensitivity: float = _parameter(
        0.25, "log", 0, 4, "how much longer the spread stays open where all recent orders were of one side"
    )
    joint_move_share: float = _parameter(0.07, "1", 0, 1, "share of moves that shift both sides at once")
    follow_ms: float = _parameter(
        0.5, "ms", 0.001, 500, "median time until the other side follows a typical move"
    )
    flicker_intensity: float = _parameter(
        0.06, "1/s", 0, 50, "times a second that one side steps back and returns"
    )
    flicker_ms: float = _parameter(2.0, "ms", 0.001, 900, "median time until it returns")
    quote_intensity: float = _parameter(15.0, "1/s", 0, 500, "unprovoked changes of the touch a second")
    quotes_per_order: float = _parameter(4.0, "1", 0, 50, "changes of the touch that follow a market order")
    quotes_per_move: float = _parameter(6.0, "1", 0, 50, "changes of the touch that follow a price move")
    touch_notional: float = _parameter(275_000.0, "quote", 1, 1e10, "median value at both best prices")
    touch_sigma: float = _parameter(0.30, "log", 0, 2, "deviation of the value at the touch")
    imbalance_sigma: float = _parameter(1.35, "logit", 0, 4, "deviation of the queue imbalance")
    imbalance_pull: float = _parameter(1.2, "logit", 0, 4, "lean of the imbalance towards the next move")
    queue_fill_ms: float = _parameter(30.0, "ms", 0.01, 10_000, "time in which a new touch fills up")
    # the book behind the touch
    book_update_intensity: float = _parameter(520.0, "1/s", 0, 5_000, "changes of deeper levels a second")
    depth_levels: int = _parameter(430, "levels", 20, 5_000, "levels of a side near the touch")
    depth_decay_rate: float = _parameter(0.01, "1/bp", 0, 1, "decline of level sizes with distance")
    level_notional: float = _parameter(2_200.0, "quote", 0.01, 1e9, "median value of a deeper level")
    level_sigma: float = _parameter(1.6, "log", 0, 3, "deviation of the value of a deeper level")
    level_grid_bp: float = _parameter(0.16, "bp", 0.0001, 100, "distance of the round prices orders rest at")
    off_grid_share: float = _parameter(0.045, "1", 0, 1, "share of the other prices where orders rest")
    cancel_share: float = _parameter(0.40, "1", 0, 0.95, "share of level changes that remove the level")
    update_distance_bp: float = _parameter(
        5.0, "bp", 0.01, 1_000, "median distance of a change from the touch"
    )
    update_distance_sigma: float = _parameter(1.2, "log", 0, 3, "deviation of that distance")
    far_update_share: float = _parameter(0.12, "1", 0, 1, "share of changes in the far walls")
    far_grid_bp: float = _parameter(16.0, "bp", 1, 1_000, "distance of the far walls from each other")

    def __post_init__(self) -> None:
        for name, low, high, unit, whole in _PARAMETERS:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise ManifestError(f"{name}: {value!r} is not a number")
            if not low <= value <= high:
                raise ManifestError(f"{name}: {value} is not in [{low}, {high}] {unit}")
            if whole and not isinstance(value, int):
                raise ManifestError(f"{name}: {value} is not a whole number")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SimulationManifest:
        """A manifest from plain values; ManifestError on an unknown name, with the nearest known one."""
        for name in values:
            if name not in _NAMES:
                from difflib import get_close_matches  # noqa: PLC0415  # only what fails needs it

                near = get_close_matches(name, _NAMES, 1)
                raise ManifestError(
                    f"{name}: unknown parameter" + (f"; did you mean {near[0]}?" if near else "")
                )
        return cls(**values)

    def to_dict(self) -> dict[str, float | int]:
        """Plain values, in the order of declaration."""
        return {name: getattr(self, name) for name in _NAMES}

    @property
    def hash(self) -> str:
        """A stable content hash: equal parameters, equal hash."""
        canonical = {name: float(value) for name, value in self.to_dict().items()}
        return blake2b(json.dumps(canonical, sort_keys=True).encode(), digest_size=16).hexdigest()

    def contract(self, instrument: Instrument) -> Instrument:
        """A venue's contract with this manifest's ticks and lots."""
        return replace(
            instrument, tick_size=instrument.tick_size * self.tick, lot_size=instrument.lot_size * self.lot
        )

    def stream_name(self, name: str) -> str:
        """What the random streams of an asset or a market of this name are called."""
        return f"{name}#{self.seed}" if self.seed else name

    def min_lots(self, instrument: Instrument) -> int:
        """The least quantity of a market order, in lots; two at least, so that sizes can be arranged to meet
        any volume-weighted price.
        """
        return max(2, math.ceil(self.min_trade_size * self._lots_per_quote(instrument)))

    def max_lots(self, instrument: Instrument) -> int:
        """The most a print is meant to be, in lots; enough for any minute's least volume."""
        most = min(self.max_trade_size * self._lots_per_quote(instrument), 1 << 40)
        return max(int(most), 16 * self.min_lots(instrument))

    def mean_order_lots(self, instrument: Instrument) -> int:
        """The mean quantity of a market order, in lots."""
        return self.lots(self.mean_order_notional, instrument)

    def lots(self, notional: float, instrument: Instrument) -> int:
        """What so many quote units buy at the initial price, in lots."""
        return max(1, round(notional * self._lots_per_quote(instrument)))

    def ticks(self, distance_bp: float, instrument: Instrument) -> int:
        """A distance from the initial price, in ticks."""
        one_bp: float = self.initial_price * 1e-4 * 10**instrument.price_decimals / instrument.tick_size
        return max(1, round(distance_bp * one_bp))

    def _lots_per_quote(self, instrument: Instrument) -> float:
        lots: float = 10**instrument.qty_decimals / instrument.lot_size / self.initial_price
        return lots


# Of each parameter: its name, least and largest value, unit, and whether it is a whole number.
_PARAMETERS = tuple(
    (row.name, *row.metadata["range"], row.metadata["unit"], row.type == "int")
    for row in fields(SimulationManifest)
)
_NAMES = {row[0]: None for row in _PARAMETERS}
