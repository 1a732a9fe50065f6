"""What trading on Binance costs and needs: fees, leverage brackets, and what a new account finds in its wallets.

Tables, and the houses made of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from hashlib import blake2b
from typing import Final

from reactor.exchange.orders import E8
from reactor.exchange.terms import PERP, SPOT, House, MarginTier, Terms
from reactor.single_asset import HyperSynthReactor
from reactor.types import BLOCK_NS, SECOND_NS
from venues.base import Exchange
from venues.binance.mark import mark_prices
from venues.binance.rules import SPOT_MAX_ALGO_ORDERS
from venues.binance.usdm_rules import contract_of
from venues.houses import Funded, Marks, final_price, settlements_of, tiers

# (maker, taker) by VIP level in 1e-6 of the notional, without the discount for paying in BNB.
# https://www.binance.com/en/fee/trading and https://www.binance.com/en/fee/futureFee (USDT-margined), 2026-01.
SPOT_FEES_E6: Final = (
    (1_000, 1_000),
    (900, 1_000),
    (800, 1_000),
    (400, 600),
    (400, 520),
    (250, 310),
    (200, 290),
    (190, 280),
    (160, 250),
    (110, 230),
)
USDM_FEES_E6: Final = (
    (200, 500),
    (160, 400),
    (140, 350),
    (120, 320),
    (100, 300),
    (80, 270),
    (60, 250),
    (40, 220),
    (20, 200),
    (0, 170),
)

# Notional up to which a bracket reaches, in USDT, its leverage, and its maintenance margin rate in 1e-6. As answered by
# /fapi/v1/leverageBracket and recorded by others: ETH and SOL in 2024 (github.com/freqtrade/freqtrade,
# freqtrade/exchange/binance_leverage_tiers.json at 01d10aeb), BTC likewise, its first three brackets as of 2025-08.
# Other symbols have what most smaller ones had.
BRACKETS: Final[Mapping[str, tuple[MarginTier, ...]]] = {
    "BTC": tiers(
        [
            (300_000, 150, 4_000),
            (800_000, 100, 5_000),
            (3_000_000, 75, 6_500),
            (12_000_000, 50, 10_000),
            (70_000_000, 25, 20_000),
            (100_000_000, 20, 25_000),
            (230_000_000, 10, 50_000),
            (480_000_000, 5, 100_000),
            (600_000_000, 4, 125_000),
            (800_000_000, 3, 150_000),
            (1_200_000_000, 2, 250_000),
            (1_800_000_000, 1, 500_000),
        ]
    ),
    "ETH": tiers(
        [
            (50_000, 125, 4_000),
            (600_000, 100, 5_000),
            (3_000_000, 75, 6_500),
            (12_000_000, 50, 10_000),
            (50_000_000, 25, 20_000),
            (65_000_000, 20, 25_000),
            (150_000_000, 10, 50_000),
            (320_000_000, 5, 100_000),
            (400_000_000, 4, 125_000),
            (530_000_000, 3, 150_000),
            (800_000_000, 2, 250_000),
            (1_200_000_000, 1, 500_000),
        ]
    ),
    "SOL": tiers(
        [
            (20_000, 100, 5_000),
            (100_000, 75, 6_500),
            (800_000, 50, 10_000),
            (4_000_000, 25, 20_000),
            (8_000_000, 20, 25_000),
            (40_000_000, 10, 50_000),
            (80_000_000, 5, 100_000),
            (100_000_000, 4, 125_000),
            (200_000_000, 2, 250_000),
            (400_000_000, 1, 500_000),
        ]
    ),
}
BRACKETS_OF_OTHERS: Final = tiers(
    [
        (5_000, 50, 15_000),
        (20_000, 25, 20_000),
        (25_000, 20, 25_000),
        (200_000, 10, 50_000),
        (400_000, 5, 100_000),
        (500_000, 4, 125_000),
        (1_000_000, 2, 250_000),
        (2_000_000, 1, 500_000),
    ]
)

# "it will be set at 20x by default": https://www.binance.com/en/support/articles/360033162192, 2020-06.
DEFAULT_LEVERAGE: Final = 20

# MARGIN_CALL is told when the "position risk ratio is too high", no figure given. A recorded one (2020-04-24) was told
# at 1.614445 of maintenance margin to 3.168120 - 1.166074 of equity, 80.6 %.
MARGIN_CALL_E6: Final = 800_000

# At a delisting positions are settled at "the average of the price index every second over the last 30 minutes", for
# the fee of a taker: https://www.binance.com/en/support/faq/dd60dfbf654d4055aa6b217ea6d5ddba, 2026-01.
FINAL_WINDOW_NS: Final = 1_800 * SECOND_NS

# "The condtional order limits is 200 across all symbols.": .../docs/derivatives/change-log, 2025-12-29
MAX_CONDITIONAL_ORDERS: Final = 200

SPOT_OPENING: Final = {
    (SPOT, "USDT"): 1_000_000 * E8,
    (SPOT, "USDC"): 1_000_000 * E8,
    (SPOT, "BTC"): 10 * E8,
}
USDM_OPENING: Final = {(PERP, "USDT"): 1_000_000 * E8, (PERP, "USDC"): 1_000_000 * E8}

# Of the size of real ones (55472337221 on 2026-01-17; 270905906796 on 2024-02-23).
SPOT_FIRST_ORDER: Final = 55_472_337_221
USDM_FIRST_ORDER: Final = 870_905_906_796

_BASE62: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def brackets(base: str) -> tuple[MarginTier, ...]:
    """The leverage brackets of an asset's perpetual."""
    return BRACKETS.get(base, BRACKETS_OF_OTHERS)


def client_order_id(venue: str, order_id: int) -> str:
    """The id the venue makes for an order that has none: 22 letters and digits, as in recordings of 2025."""
    number = int.from_bytes(blake2b(f"{venue}:{order_id}".encode(), digest_size=17).digest())
    letters = []
    for _ in range(22):
        number, letter = divmod(number, 62)
        letters.append(_BASE62[letter])
    return "".join(letters)


def spot_house(_venue: Funded, exchange: Exchange) -> House:
    """The house of the spot markets of a run, at its VIP level. A buyer pays his fee in what he buys."""
    maker_e6, taker_e6 = SPOT_FEES_E6[exchange.fee_tier]
    terms = Terms(maker_e6, taker_e6, fee_in_received=True)
    return House(
        terms=dict.fromkeys(exchange.markets.values(), terms),
        first_order_id=SPOT_FIRST_ORDER,
        client_id=partial(client_order_id, "binance"),
        opening=SPOT_OPENING,
        max_waiting=len(exchange.markets) * SPOT_MAX_ALGO_ORDERS,
        holds_waiting=True,
    )


def usdm_house(venue: Funded, exchange: Exchange) -> House:
    """The house of the USD-M perpetuals of a run, at its VIP level: margined in what they are quoted in."""
    maker_e6, taker_e6 = USDM_FEES_E6[exchange.fee_tier]

    def terms(market: HyperSynthReactor) -> Terms:
        instrument = market.instrument
        return Terms(
            maker_fee_e6=maker_e6,
            taker_fee_e6=taker_e6,
            liquidation_fee_e6=int(contract_of(instrument).liquidation_fee.replace(".", "")),  # six decimals
            margin_asset=instrument.quote,
            tiers=brackets(instrument.base),
            default_leverage=DEFAULT_LEVERAGE,
            mark_e8=Marks(exchange, instrument.market, _minute_marks, SECOND_NS),
            settlements=settlements_of(venue, instrument.symbol, exchange),
            final_ticks=final_price(exchange, instrument.market, FINAL_WINDOW_NS),
        )

    return House(
        terms={market.instrument.market: terms(market) for market in exchange},
        first_order_id=USDM_FIRST_ORDER,
        client_id=partial(client_order_id, "binance-usdm"),
        closing_id="autoclose-{}".format,
        # "No trading fee will be charged. Any open orders will be canceled":
        # https://www.binance.com/en/support/faq/360033525471, 2026-01
        deleveraging_id=lambda _: "adl_autoclose",
        deleveraging_cancels=True,
        final_id="settlement_autoclose-{}".format,
        opening=USDM_OPENING,
        margin_call_e6=MARGIN_CALL_E6,
        max_waiting=MAX_CONDITIONAL_ORDERS,
        triggers_apart=True,
    )


def _minute_marks(market: HyperSynthReactor, minute_ns: int) -> list[int]:
    """The marks of a minute's seconds, as its stream tells them."""
    marks: list[int] = mark_prices(market, minute_ns, minute_ns + BLOCK_NS).mark_e8.tolist()
    return marks
