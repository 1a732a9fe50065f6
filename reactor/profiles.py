"""Characters of markets, as data: what an asset is, what kind of market trades it, and how much flows there.

Markets of one asset follow one path only if they agree on the asset's own parameters; that is why these stand
in one table and a listing names its asset and style instead of repeating numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

from reactor.manifest import ASSET_PARAMETERS, ManifestError, SimulationManifest

# An asset's own parameters: the same wherever it is traded.
Assets: TypeAlias = Mapping[str, Mapping[str, float]]
NAME: Final = re.compile(r"[A-Za-z0-9]{1,16}")
PRICES: Final = (1e-5, 1e6)  # every venue has ticks for

ASSETS: Final[Assets] = {
    "BTC": {"initial_price": 65_000.0, "volatility": 0.55},
    "ETH": {"initial_price": 3_200.0, "volatility": 0.72, "factor_loading": 0.85, "jump_std": 0.002},
    "SOL": {"initial_price": 150.0, "volatility": 0.95, "factor_loading": 0.75, "jump_std": 0.003},
    "HYPE": {"initial_price": 38.0, "volatility": 1.20, "factor_loading": 0.6, "jump_std": 0.004},
    "PURR": {"initial_price": 0.2, "volatility": 1.50, "factor_loading": 0.5, "jump_std": 0.005},
    "HFUN": {"initial_price": 12.5, "volatility": 1.30, "factor_loading": 0.4, "jump_std": 0.005},
    "BNB": {"initial_price": 580.0, "volatility": 0.65, "factor_loading": 0.75, "jump_std": 0.002},
    "XRP": {"initial_price": 0.60, "volatility": 0.90, "factor_loading": 0.65, "jump_std": 0.003},
    "DOGE": {"initial_price": 0.16, "volatility": 1.05, "factor_loading": 0.7, "jump_std": 0.0035},
    "ADA": {"initial_price": 0.45, "volatility": 0.90, "factor_loading": 0.75, "jump_std": 0.003},
    "TRX": {"initial_price": 0.13, "volatility": 0.55, "factor_loading": 0.45, "jump_std": 0.0025},
    "AVAX": {"initial_price": 28.0, "volatility": 1.00, "factor_loading": 0.75, "jump_std": 0.003},
    "LINK": {"initial_price": 14.0, "volatility": 0.95, "factor_loading": 0.75, "jump_std": 0.003},
    "LTC": {"initial_price": 75.0, "volatility": 0.80, "factor_loading": 0.75, "jump_std": 0.0025},
    "DOT": {"initial_price": 6.2, "volatility": 0.90, "factor_loading": 0.8, "jump_std": 0.003},
    "NEAR": {"initial_price": 5.2, "volatility": 1.10, "factor_loading": 0.75, "jump_std": 0.0035},
    "SUI": {"initial_price": 1.1, "volatility": 1.20, "factor_loading": 0.65, "jump_std": 0.004},
    "ARB": {"initial_price": 0.80, "volatility": 1.10, "factor_loading": 0.75, "jump_std": 0.0035},
}

# A kind of market, at the size of its busiest symbol. Spot and perp rates and sizes were fitted by hand to
# recordings of BTCUSDT of 2024-08-09 (trades, book tickers and depth of ten minutes); on-chain and thin ones
# are plausible, not fitted. The slow basis of perps was fitted to recorded funding: of XRPUSDT, 2021-11, 77 % of the
# eight-hour rates are the interest; of an on-chain BTC, 2023-06 and 07, the hourly rates have a mean of 0.0031 %, a
# deviation of 0.0025 % and an autocorrelation of 0.82, and 15 % of them are the interest.
STYLES: Mapping[str, Mapping[str, float]] = {
    "spot": {},
    "perp": {
        "basis_mean_bp": -1.0,
        "basis_std_bp": 4.8,
        "trade_intensity_base": 16.5,
        "prints_per_order": 3.75,
        "mean_order_notional": 22_000.0,
        "min_trade_size": 100.0,
        "update_ids_per_second": 60_000.0,
        "metaorder_alpha": 1.4,
        "metaorder_gap_ms": 40.0,
        "trade_size_sigma": 1.8,
        "flow_lean": 0.5,
        "adverse_selection_strength": 0.09,
        "requote_intensity": 0.15,
        "move_size_bp": 0.095,
        "move_size_sigma": 1.1,
        "joint_move_share": 0.34,
        "follow_ms": 0.5,
        "quote_intensity": 33.0,
        "quotes_per_order": 5.0,
        "quotes_per_move": 14.0,
        "touch_notional": 520_000.0,
        "touch_sigma": 0.40,
        "imbalance_sigma": 1.2,
        "imbalance_pull": 0.7,
        "queue_fill_ms": 25.0,
        "book_update_intensity": 1_500.0,
        "level_notional": 3_800.0,
        "level_sigma": 1.8,
        "level_grid_bp": 0.08,
        "off_grid_share": 0.17,
        "cancel_share": 0.24,
        "update_distance_bp": 5.5,
    },
    "onchain perp": {
        "basis_mean_bp": 8.3,
        "basis_std_bp": 2.5,
        "basis_halflife_s": 10_000.0,
        "lag_ms": 250.0,
        "trade_intensity_base": 2.2,
        "prints_per_order": 2.4,
        "mean_order_notional": 6_000.0,
        "min_trade_size": 10.0,
        "requote_intensity": 1.2,
        "move_size_bp": 0.18,
        "joint_move_share": 0.5,
        "follow_ms": 40.0,
        "quote_intensity": 6.0,
        "quotes_per_move": 4.0,
        "touch_notional": 400_000.0,
        "touch_sigma": 0.6,
        "queue_fill_ms": 120.0,
        "book_update_intensity": 160.0,
        "depth_levels": 120,
        "level_notional": 60_000.0,
        "level_sigma": 1.2,
        "off_grid_share": 0.6,
        "update_distance_bp": 4.0,
    },
    "thin spot": {
        "trade_intensity_base": 0.08,
        "prints_per_order": 1.4,
        "mean_order_notional": 120.0,
        "basis_std_bp": 4.0,
        "basis_fast_std_bp": 2.0,
        "requote_intensity": 0.1,
        "move_size_bp": 2.4,
        "joint_move_share": 0.5,
        "follow_ms": 60.0,
        "quote_intensity": 0.8,
        "touch_notional": 3_000.0,
        "queue_fill_ms": 300.0,
        "book_update_intensity": 12.0,
        "depth_levels": 60,
        "level_notional": 400.0,
        "off_grid_share": 0.6,
        "update_distance_bp": 30.0,
    },
}

# How an asset's flow and sizes compare with the busiest symbol of a style.
_SHARES = {
    "BTC": (1.0, 1.0),
    "ETH": (0.7, 0.5),
    "SOL": (0.4, 0.2),
    "HYPE": (0.4, 0.15),
    "PURR": (1.0, 1.0),
    "HFUN": (0.4, 0.6),
    "XRP": (0.35, 0.2),
    "DOGE": (0.35, 0.2),
    "BNB": (0.25, 0.2),
}
_SHARES_OF_OTHERS = (0.15, 0.1)
_RATES = ("trade_intensity_base", "quote_intensity", "book_update_intensity")
_SIZES = ("mean_order_notional", "touch_notional", "level_notional")


def known_with(rows: Iterable[tuple[str, Iterable[tuple[str, object]]]]) -> Assets:
    """ASSETS with these laid over it: of a known asset the parameters that change, of a new one its price at least.

    Raises ManifestError, which names the asset and the parameter.
    """
    assets = dict(ASSETS)
    for asset, row in rows:
        if not NAME.fullmatch(asset):
            raise ManifestError(f"{asset!r} is no asset's name; allowed: up to 16 letters and digits")
        values: dict[str, Any] = {**ASSETS.get(asset, {}), **dict(row)}
        for name in values:
            if name not in ASSET_PARAMETERS:
                from difflib import get_close_matches  # noqa: PLC0415  # as in reactor/manifest.py

                near = get_close_matches(name, ASSET_PARAMETERS, 1)
                hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(ASSET_PARAMETERS)}"
                raise ManifestError(f"{asset}: {name}: no parameter of an asset; {hint}")
        if "initial_price" not in values:
            raise ManifestError(f"{asset}: no asset is known by this name; it takes an initial_price")
        try:
            price = SimulationManifest.from_dict(values).initial_price
        except ManifestError as error:
            raise ManifestError(f"{asset}: {error}") from None
        if not PRICES[0] <= price <= PRICES[1]:
            raise ManifestError(f"{asset}: initial_price: {price} is not in [{PRICES[0]:g}, {PRICES[1]:g}]")
        assets[asset] = values
    return assets


def profile(asset: str, style: str, assets: Assets = ASSETS, **overrides: float) -> SimulationManifest:
    """The manifest of an asset in a style of market. KeyError where there is no such asset or style."""
    values = SimulationManifest().to_dict() | dict(assets[asset]) | dict(STYLES[style])
    for names, share in zip((_RATES, _SIZES), _SHARES.get(asset, _SHARES_OF_OTHERS), strict=True):
        values |= {name: values[name] * share for name in names}
    return SimulationManifest.from_dict(values | overrides)


def magnitude(price: float) -> int:
    """The exponent of a price as scientific notation writes it: 4 of 65,000, -1 of 0.16."""
    return int(f"{price:e}".partition("e")[2])
