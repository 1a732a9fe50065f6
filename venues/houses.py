"""What the houses of venues have in common: continuous margin tiers, marks by the minute, settlements as values.

A house is what a venue's floor costs and needs (reactor/exchange/terms.py). The tables stand with each venue.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Protocol, TypeAlias

from reactor.exchange.orders import E8, Settlement
from reactor.exchange.terms import MarginTier
from reactor.fixed import nearest
from reactor.single_asset import HyperSynthReactor
from reactor.types import BLOCK_NS, SECOND_NS
from venues.base import Exchange, FundingPayments

_MINUTES_KEPT = 4


def tiers(rows: Iterable[tuple[int, int, int]]) -> tuple[MarginTier, ...]:
    """Margin tiers of (largest notional in whole quote units, leverage, maintenance rate in 1e-6), ascending.

    The deduction of a tier is that of the one before it and, of the notional at which it begins, what the rate grows
    by: so Binance ("Maintenance Amount", https://www.binance.com/en/support/faq/b3c689c1f50a44cabb3a84e663b81d93) and
    Hyperliquid (https://hyperliquid.gitbook.io/hyperliquid-docs/trading/margin-tiers), both 2026-11.
    """
    made: list[MarginTier] = []
    for cap, leverage, rate_e6 in rows:
        deduction_e8 = 0
        if made:
            below = made[-1]
            growth_e6 = rate_e6 - below.rate_e6
            deduction_e8 = below.deduction_e8 + below.notional_cap_e8 * growth_e6 // 10**6
        made.append(MarginTier(cap * E8, leverage, rate_e6, deduction_e8))
    return tuple(made)


class Marks:
    """The mark prices of a market of an exchange, in 1e-8: whichever was last updated at an instant. Those of a minute
    are worked out together (`of_minute`, from its start, `every_ns` apart) and kept for a while, unless something
    befalls the market.
    """

    def __init__(
        self,
        exchange: Exchange,
        market: str,
        of_minute: Callable[[HyperSynthReactor, int], Sequence[int]],
        every_ns: int,
    ) -> None:
        self._market_of = partial(exchange.world.market, market)
        self._of_minute, self._every_ns = of_minute, every_ns
        self._market: HyperSynthReactor | None = None
        self._kept: dict[int, Sequence[int]] = {}

    def __call__(self, at_ns: int) -> int:
        market = self._market_of()
        if market is not self._market:
            self._market, self._kept = market, {}
        into_ns = at_ns % BLOCK_NS
        minute_ns = at_ns - into_ns
        marks = self._kept.get(minute_ns)
        if marks is None:
            if len(self._kept) == _MINUTES_KEPT:
                del self._kept[next(iter(self._kept))]
            marks = self._kept[minute_ns] = self._of_minute(market, minute_ns)
        return marks[into_ns // self._every_ns]


def final_price(
    exchange: Exchange, market: str, window_ns: int, every_ns: int = SECOND_NS
) -> Callable[[int], int]:
    """The price, in ticks, at which positions are settled when a market closes: the average of its index over the time
    before, as it was every so often.
    """

    def at(closes_ns: int) -> int:
        tape = exchange.world.market(market)
        rows = tape.seconds(closes_ns - window_ns, closes_ns)
        index_e8: list[int] = rows.index_e8[rows.ts_ns % every_ns == 0].tolist()
        return nearest(sum(index_e8), tape.instrument.tick_e8 * len(index_e8))

    return at


class Funded(Protocol):
    """A venue that settles funding (VenueProtocol does)."""

    def settlements(
        self, symbol: str, exchange: Exchange, after_ns: int, upto_ns: int
    ) -> FundingPayments: ...


Settlements: TypeAlias = Callable[[int, int], Sequence[Settlement]]


def settlements_of(venue: Funded, symbol: str, exchange: Exchange) -> Settlements:
    """A market's settlements in (after_ns, upto_ns], as its positions pay them."""

    def between(after_ns: int, upto_ns: int) -> Sequence[Settlement]:
        rows = venue.settlements(symbol, exchange, after_ns, upto_ns)
        columns = (rows.ts_ns.tolist(), rows.rate_e12.tolist(), rows.price_e8.tolist())
        return [Settlement(*row) for row in zip(*columns, strict=True)]

    return between
