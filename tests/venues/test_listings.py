"""What venues list: markets of any asset, in the ticks and lots they would choose, the usual ones as ever."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reactor.manifest import ASSET_PARAMETERS
from reactor.profiles import ASSETS, Assets, known_with
from reactor.types import Instrument
from tests.worlds import ORIGIN_NS, exchange
from venues.base import HttpRequest, Listing, VenueProtocol
from venues.binance import BINANCE, BINANCE_USDM
from venues.hyperliquid import HYPERLIQUID
from venues.registry import VENUES

JSON = {"content-type": "application/json"}
every_venue = pytest.mark.parametrize("venue", VENUES, ids=lambda venue: venue.id)


def listed(venue: VenueProtocol, assets: Assets = ASSETS) -> dict[str, Listing]:
    return {row.instrument.symbol: row for row in venue.with_assets(assets).listings}


def sizes(instrument: Instrument) -> tuple[float, float]:
    """A tick in quote units, a lot in base units."""
    tick = instrument.tick_size / 10**instrument.price_decimals
    return tick, instrument.lot_size / 10**instrument.qty_decimals


def symbol_row(venue: VenueProtocol, path: str, symbol: str, assets: Assets = ASSETS) -> Any:
    """A symbol's row of exchangeInfo."""
    stocked = venue.with_assets(assets)
    answer = stocked.handle(HttpRequest("GET", path), exchange(stocked), ORIGIN_NS)
    return next(row for row in json.loads(answer.body)["symbols"] if row["symbol"] == symbol)


# ---------------------------------------------------------------- which markets
@every_venue
def test_the_usual_markets_are_as_they_were(venue: VenueProtocol) -> None:
    """They come first, and stocking a venue with the known assets changes none of them."""
    usual = [row for row in venue.listings if row.instrument.base in ("BTC", "ETH", "SOL")]
    assert list(venue.with_assets(ASSETS).listings)[: len(usual)] == usual
    assert {row.instrument.symbol: row for row in venue.listings}.items() <= listed(venue).items()


@every_venue
def test_every_asset_has_a_market_by_the_venues_name(venue: VenueProtocol) -> None:
    """The others by name, whatever the order they were defined in."""
    rows = [("Z1", [("initial_price", 3.0)]), ("A1", [("initial_price", 7.0)])]
    name = "{}" if venue is HYPERLIQUID else "{}USDT"
    assert {name.format(asset) for asset in [*ASSETS, "Z1", "A1"]} <= set(listed(venue, known_with(rows)))
    assert list(listed(venue, known_with(rows))) == list(listed(venue, known_with(rows[::-1])))
    assert len({row.instrument.market for row in listed(venue).values()}) == len(listed(venue))


def test_names_in_small_letters_are_no_symbols_of_binance() -> None:
    """Hyperliquid has such, kPEPE for example; Binance's stream names could not tell them apart."""
    assets = known_with([("kPEPE", [("initial_price", 0.01)])])
    assert "kPEPE" in listed(HYPERLIQUID, assets)
    assert not any("PEPE" in symbol for venue in (BINANCE, BINANCE_USDM) for symbol in listed(venue, assets))


def test_the_markets_of_an_asset_agree_on_what_is_its_own() -> None:
    """Or they would not follow one path, wherever its price was said."""
    assets = known_with([("BTC", [("initial_price", 1.5)]), ("NEW", [("initial_price", 40), ("drift", 1)])])
    for asset in assets:
        rows = [
            row for venue in VENUES for row in listed(venue, assets).values() if row.instrument.asset == asset
        ]
        own = {tuple(getattr(row.manifest, name) for name in ASSET_PARAMETERS) for row in rows}
        assert len(rows) >= len(VENUES)
        assert len(own) == 1
        assert rows[0].manifest.initial_price == assets[asset]["initial_price"]


# ---------------------------------------------------------------- ticks and lots
@pytest.mark.parametrize(
    ("venue", "symbol", "tick", "lot"),
    [
        # /fapi/v1/ticker/price of 2021-07-22, DOGEUSDT "0.191160" (bmoscon/cryptofeed sample_data/BINANCE_FUTURES.0)
        (BINANCE_USDM, "DOGEUSDT", 1e-5, 1),
        # as listed on spot in 2026
        (BINANCE, "DOGEUSDT", 1e-5, 1),
        (BINANCE, "BNBUSDT", 0.01, 0.001),
        # szDecimals of `meta`; five significant figures
        (HYPERLIQUID, "DOGE", 1e-5, 1),
        (HYPERLIQUID, "AVAX", 0.001, 0.01),
    ],
)
def test_ticks_and_lots_of_known_symbols(venue: VenueProtocol, symbol: str, tick: float, lot: float) -> None:
    """Sources stand beside the rows."""
    assert sizes(listed(venue)[symbol].instrument) == (tick, lot)


@every_venue
@pytest.mark.parametrize("price", [1e-5, 3e-5, 0.00123, 0.0999, 0.1, 1, 9.99, 47, 310, 2_500, 99_999, 1e6])
def test_ticks_and_lots_follow_the_price(venue: VenueProtocol, price: float) -> None:
    """Both are fine enough to trade in: a price has a thousand ticks, or as many as the venue's decimals allow."""
    assets = known_with([("NEW", [("initial_price", price)]), ("BTC", [("initial_price", price)])])
    rows = [row for row in listed(venue, assets).values() if row.manifest.initial_price == price]
    assert {row.instrument.base for row in rows} == {"NEW", "BTC"}
    for row in rows:
        tick, lot = sizes(row.instrument)
        assert tick <= max(price / 1_000, 1e-6)
        assert lot * price <= max(100, price / 1_000)


# ---------------------------------------------------------------- what venues say of them
@pytest.mark.parametrize(
    ("venue", "path"), [(BINANCE, "/api/v3/exchangeInfo"), (BINANCE_USDM, "/fapi/v1/exchangeInfo")]
)
@pytest.mark.parametrize(
    ("asset", "price"), [("DOGE", 0.16), ("BTC", 0.5), ("ETH", 900_000), ("NEW", 1e-5), ("NEW", 1e6)]
)
def test_bounds_hold_the_price_and_a_usual_order(
    venue: VenueProtocol, path: str, asset: str, price: float
) -> None:
    """Orders at the price, and at ten times more or less, are within the filters, whatever the asset once cost."""
    assets = known_with([(asset, [("initial_price", price)])])
    filters = {row["filterType"]: row for row in symbol_row(venue, path, f"{asset}USDT", assets)["filters"]}
    prices, lots = filters["PRICE_FILTER"], filters["LOT_SIZE"]
    assert float(prices["minPrice"]) <= price / 10
    assert price * 10 <= float(prices["maxPrice"])
    assert float(lots["minQty"]) <= 100 / price <= float(lots["maxQty"])
    assert float(filters["MARKET_LOT_SIZE"]["maxQty"]) <= float(lots["maxQty"])


def test_a_perpetual_without_a_table_of_its_own_has_the_plain_one() -> None:
    """A table below 50 is not told in `meta`: its number is the leverage it allows."""
    stocked = HYPERLIQUID.with_assets(ASSETS)
    request = HttpRequest("POST", "/info", headers=JSON, body=b'{"type":"meta"}')
    meta = json.loads(stocked.handle(request, exchange(stocked), ORIGIN_NS).body)
    (doge,) = (row for row in meta["universe"] if row["name"] == "DOGE")
    assert doge == {"szDecimals": 0, "name": "DOGE", "maxLeverage": 10, "marginTableId": 10}
    assert [row["name"] for row in meta["universe"]][:3] == ["BTC", "ETH", "SOL"]
    assert [number for number, _ in meta["marginTables"]] == [54, 55, 56]
