"""What Bybit's funding is made of: tables, and the one effect of its stylised model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from reactor.types import SECOND_NS, Column, FundingProfile
from reactor.values import dataclass
from venues.funding import (
    BP_E12,
    OTHERS,
    Adaptation,
    Average,
    FundingModel,
    Share,
    check,
    parameter,
)

# At its cap an interval becomes an hour. It goes back "depending on market conditions, without prior notice". Assumed
# are 16 settlements in a row within 0.2 %, premiums that make an hourly 0.025 % where rates are scaled.
# https://www.prnewswire.com/in/news-releases/bybit-launches-dynamic-settlement-frequency-system-for-perpetual-contracts-302598201.html
# (2025-10-29)
_ADAPTATION = Adaptation(shorter={8: 1, 4: 1, 2: 1}, calm_e12=20 * BP_E12)


@dataclass(frozen=True, slots=True, eq=False)
class BybitFundingModel(FundingModel):
    """Every 8 h, on the average of minutes weighted linearly towards the newest; the premium is never scaled.

    F = A + clamp(I - A, -0.05 %, 0.05 %), I = 0.03 % / (24 / h):
    https://www.bybit.com/en/help-center/article/Introduction-to-Funding-Rate (2026).
    """

    sample_ns: int = 60 * SECOND_NS
    average: Average = Average.LINEAR
    share: Share = Share.INTEREST
    adaptation: Adaptation | None = _ADAPTATION


@dataclass(frozen=True, slots=True)
class InsuranceFund:
    """Stress drains the insurance fund, and a drained fund makes rates larger. No rule of the venue's.

    The fake has no fund to look into: it counts as drained in the measure in which the premiums of the last three
    intervals exceeded what damping takes away.
    """

    damping_e12: int = parameter(5 * BP_E12, "1e-12", 0, 100 * BP_E12, "average premium that drains nothing")
    empty_e12: int = parameter(
        50 * BP_E12, "1e-12", 1, 1_000 * BP_E12, "mean excess over it of an empty fund"
    )
    charge_e12: int = parameter(
        25 * BP_E12,
        "1e-12 per interval",
        0,
        1_000 * BP_E12,
        "what an empty fund adds to a rate, whatever its sign",
    )

    def __post_init__(self) -> None:
        check(self)

    @property
    def look_back(self) -> int:
        return 3

    def __call__(self, rates_e12: Column, _average_e12: Column, earlier_e12: Column, /) -> Column:
        excess = int(np.maximum(np.abs(earlier_e12) - self.damping_e12, 0).sum()) // self.look_back
        charge = self.charge_e12 * min(excess, self.empty_e12) // self.empty_e12
        charged: Column = rates_e12 + np.sign(rates_e12) * charge
        return charged


# Real caps: instruments-info of BTCUSDT (documentation, 2025-01), taken for ETHUSDT too, and 2 % as for most others.
# BTC and ETH are excluded from the change of intervals (https://coincentral.com/bybit-flips-the-script-on-funding-rates
# -with-dynamic-rollout, 2025-10).
_MAJOR = BybitFundingModel(cap_e12=375 * BP_E12 // 10, adaptation=None)
_CLASSIC_MAJOR = BybitFundingModel(cap_e12=100 * BP_E12, adaptation=None, effect=InsuranceFund())
FUNDING: Final[Mapping[FundingProfile, Mapping[str, BybitFundingModel]]] = {
    FundingProfile.REAL: {"BTC": _MAJOR, "ETH": _MAJOR, OTHERS: BybitFundingModel()},
    FundingProfile.CLASSIC: {
        "BTC": _CLASSIC_MAJOR,
        "ETH": _CLASSIC_MAJOR,
        OTHERS: BybitFundingModel(cap_e12=250 * BP_E12, adaptation=None, effect=InsuranceFund()),
    },
}
