"""What OKX's funding is made of: tables, no behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from reactor.types import SECOND_NS, FundingProfile
from reactor.values import dataclass
from venues.funding import BP_E12, OTHERS, Adaptation, Average, FundingModel, Share

# At its cap an interval shortens by one step; when premiums have calmed down it is the contract's own again at once.
# "Announcement on the upgrade of automatic funding fee settlement frequency adjustment mechanism", 2026-04-14. How calm
# and for how long is not told there. Assumed are 16 settlements in a row within 0.2 %, premiums that make an hourly
# 0.025 % where rates are scaled.
_ADAPTATION = Adaptation(shorter={8: 4, 4: 2, 2: 1}, calm_e12=20 * BP_E12)


@dataclass(frozen=True, slots=True, eq=False)
class OKXFundingModel(FundingModel):
    """Every 8 h, on a weighted average of the last eight hours' minutes; the premium is never scaled.

    F = clamp(A + clamp(I - A, -0.05 %, 0.05 %), floor, cap), I = 0.03 % / (24 / h):
    https://www.okx.com/help/okx-to-change-the-funding-rate-formula-for-perpetual-futures (2025-04). The window rolls:
    https://www.okx.com/help/okx-to-optimize-funding-rate-calculation (2024-01-31). Its weights are taken to be 1, 2, 3
    and so on, as where a venue publishes them.
    """

    sample_ns: int = 60 * SECOND_NS
    cap_e12: int = 150 * BP_E12
    average: Average = Average.ROLLING
    share: Share = Share.INTEREST
    adaptation: Adaptation | None = _ADAPTATION


# Real caps: https://www.okx.com/help/360053909272 (2024). The classic model's threshold is the damping, which the
# formula has anyway: premiums within 0.05 % of the interest do not move the rate.
_CLASSIC_MAJOR = OKXFundingModel(cap_e12=50 * BP_E12, adaptation=None)
FUNDING: Final[Mapping[FundingProfile, Mapping[str, OKXFundingModel]]] = {
    FundingProfile.REAL: {
        "BTC": OKXFundingModel(cap_e12=375 * BP_E12 // 10),
        "ETH": OKXFundingModel(cap_e12=75 * BP_E12),
        OTHERS: OKXFundingModel(),
    },
    FundingProfile.CLASSIC: {
        "BTC": _CLASSIC_MAJOR,
        "ETH": _CLASSIC_MAJOR,
        OTHERS: OKXFundingModel(cap_e12=75 * BP_E12, adaptation=None),
    },
}
