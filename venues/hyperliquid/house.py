"""What trading on Hyperliquid costs and needs: fees, margin tables, and what a new account finds in its wallets.

Tables, and the house made of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from reactor.exchange.orders import E8
from reactor.exchange.terms import PERP, SPOT, House, MarginTier, Terms
from reactor.fixed import nearest
from reactor.single_asset import HyperSynthReactor
from reactor.types import BLOCK_NS, SECOND_NS
from venues.base import Exchange
from venues.houses import Funded, Marks, final_price, settlements_of, tiers
from venues.hyperliquid.rules import MARK_WINDOW_S, ORACLE_NS, Card, Perp, Spot, mark_prices, offered

# (maker, taker) by tier of the volume of 14 days in 1e-6 of the notional, before discounts and rebates.
# https://hyperliquid.gitbook.io/hyperliquid-docs/trading/fees (2026-11); the first row as in an answer of userFees
# of 2026-09-26 (docs.rs df-hyperliquid-core).
PERP_FEES_E6: Final = ((150, 450), (120, 400), (80, 350), (40, 300), (0, 280), (0, 260), (0, 240))
SPOT_FEES_E6: Final = ((400, 700), (300, 600), (200, 500), (100, 400), (0, 350), (0, 300), (0, 250))

# Perps are settled in millionths of a dollar: every amount of theirs has six decimals (captures of 2024-02 on).
PERP_STEP_E8: Final = 100

# What may be taken out: "transfer_margin_required = max(initial_margin_required, 0.1 * total_position_value)",
# https://hyperliquid.gitbook.io/hyperliquid-docs/trading/margining (2026-11). A capture of 2026-02-03 agrees:
# 179.007426 of value, 47.66235 of positions, 174.241191 withdrawable.
KEPT_NOTIONAL_E6: Final = 100_000

# Leverage in force where none was set, as far as the asset allows it (captures of 2023-03-27 on).
DEFAULT_LEVERAGE: Final = 20

# "The perps will settle to the 1 hour time weighted spot oracle price", as fills called Settlement that cost nothing:
# https://hyperliquid.gitbook.io/hyperliquid-docs/trading/delisting (2026-11).
FINAL_WINDOW_NS: Final = 3_600 * SECOND_NS

# A new account may have 1,000 open orders:
# https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/rate-limits-and-user-limits (2026-11)
MAX_OPEN_ORDERS: Final = 1_000

# The last tier has no bound; this is more than there is.
UNBOUNDED: Final = 10**12

OPENING: Final = {
    (PERP, "USDC"): 1_000_000 * E8,
    (SPOT, "USDC"): 100_000 * E8,
    (SPOT, "PURR"): 100_000 * E8,
    (SPOT, "HFUN"): 1_000 * E8,
}
FIRST_ORDER: Final = 290_000_000_000  # of the size of those of 2026


def margin_tiers(perp: Perp, tables: Mapping[int, Mapping[str, Any]]) -> tuple[MarginTier, ...]:
    """The tiers of a perpetual's margin table, as `meta` has it. A table that is not listed has one tier, of as much
    leverage as its number says.

    Maintenance is half of the initial margin at the tier's most leverage:
    https://hyperliquid.gitbook.io/hyperliquid-docs/trading/margin-tiers (2026-11). A rate that is no whole number of
    millionths is rounded up.
    """
    table = tables.get(perp.margin_table)
    if table is None:
        rows = [(0, perp.margin_table)]
    else:
        rows = [(int(float(row["lowerBound"])), int(row["maxLeverage"])) for row in table["marginTiers"]]
    caps = [lower for lower, _ in rows[1:]] + [UNBOUNDED]
    return tiers(
        (cap, leverage, -(-(10**6) // (2 * leverage))) for cap, (_, leverage) in zip(caps, rows, strict=True)
    )


def fees_e6(exchange: Exchange) -> tuple[tuple[int, int], tuple[int, int]]:
    """What makers and takers pay in a run: on perpetuals, and on spot."""
    tier = min(exchange.fee_tier, len(PERP_FEES_E6) - 1)
    return PERP_FEES_E6[tier], SPOT_FEES_E6[tier]


def house(venue: Funded, card: Card, exchange: Exchange) -> House:
    """The house of a run's markets, at its tier of fees. Perps are margined in USDC, of which their wallet has only
    that; a spot buyer pays his fee in what he buys, in the decimals of its token. An order without a cloid has no name.
    """
    perp_fees_e6, spot_fees_e6 = fees_e6(exchange)

    def perp_terms(perp: Perp) -> Terms:
        maker_e6, taker_e6 = perp_fees_e6
        instrument = perp.instrument
        return Terms(
            maker_fee_e6=maker_e6,
            taker_fee_e6=taker_e6,
            quote_step_e8=PERP_STEP_E8,
            max_open_orders=MAX_OPEN_ORDERS,
            margin_asset=instrument.quote,
            tiers=margin_tiers(perp, card.margin_tables),
            default_leverage=min(DEFAULT_LEVERAGE, perp.max_leverage),
            mark_e8=Marks(exchange, instrument.market, _minute_marks, ORACLE_NS),
            settlements=settlements_of(venue, instrument.symbol, exchange),
            final_ticks=final_price(exchange, instrument.market, FINAL_WINDOW_NS, ORACLE_NS),
            final_fee_e6=0,
        )

    def spot_terms(spot: Spot) -> Terms:
        maker_e6, taker_e6 = spot_fees_e6
        base, quote = (card.tokens[token] for token in spot.tokens)
        return Terms(
            maker_fee_e6=maker_e6,
            taker_fee_e6=taker_e6,
            fee_in_received=True,
            base_step_e8=10 ** (8 - int(base["weiDecimals"])),
            quote_step_e8=10 ** (8 - int(quote["weiDecimals"])),
            max_open_orders=MAX_OPEN_ORDERS,
        )

    perps = {perp.instrument.market: perp_terms(perp) for perp in offered(card.perps, exchange)}
    spots = {spot.instrument.market: spot_terms(spot) for spot in offered(card.spots, exchange)}
    return House(
        terms={**perps, **spots},
        first_order_id=FIRST_ORDER,
        client_id=lambda _: "",
        opening=OPENING,
        kept_notional_e6=KEPT_NOTIONAL_E6,
        keeps_rejected=True,
        max_waiting=MAX_OPEN_ORDERS,
    )


def _minute_marks(market: HyperSynthReactor, minute_ns: int) -> list[int]:
    """The marks of a minute's updates, as its context tells them."""
    return marks_e8(market, minute_ns, minute_ns + BLOCK_NS)


def marks_e8(market: HyperSynthReactor, start_ns: int, end_ns: int) -> list[int]:
    """The mark prices as of their updates in [start_ns, end_ns), of which the first is one."""
    instrument = market.instrument
    tick_e8 = instrument.tick_e8
    grid = market.seconds(start_ns - MARK_WINDOW_S * SECOND_NS, end_ns)
    index_e8, mid_e8 = grid.index_e8, grid.bid_ticks * tick_e8 + tick_e8 // 2
    ends = [len(grid) - (end_ns - at_ns) // SECOND_NS + 1 for at_ns in range(start_ns, end_ns, ORACLE_NS)]
    marks = mark_prices(index_e8, mid_e8, np.array(ends) - 1)
    return [int(mark_e8) for mark_e8 in nearest(marks, tick_e8) * tick_e8]
