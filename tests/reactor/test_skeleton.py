"""The skeleton: bars that can be realised, ids that step by one, prices of one world, and no dependence on
the order of asking.
"""

import itertools
from dataclasses import fields, replace

import numpy as np
import pytest

from reactor.manifest import SimulationManifest
from reactor.skeleton import (
    LISTED_DAYS,
    MIN_ORDERS,
    ORIGIN_AGG_ID,
    ORIGIN_ORDER_ID,
    ORIGIN_TRADE_ID,
    ORIGIN_UPDATE_ID,
    AssetPath,
    MarketSkeleton,
)
from reactor.types import BLOCK_NS, DAY_NS, SECOND_NS, Instrument, Kind, Minutes, Side

ORIGIN_NS = 1_767_225_600 * SECOND_NS + 617 * BLOCK_NS  # 2026-01-01T10:17Z: in the middle of a day
SPOT = Instrument("spot:BTC", "BTCUSDT", "BTC", "BTC", "USDT", Kind.SPOT, 2, 1, 5, 1)
PERP = Instrument("perp:BTC", "BTC", "BTC", "BTC", "USDC", Kind.PERP, 0, 1, 5, 1)
THIN = Instrument("thin:PURR", "PURR", "PURR", "PURR", "USDC", Kind.SPOT, 5, 1, 0, 1)
MANIFESTS = {
    SPOT: SimulationManifest(),
    PERP: SimulationManifest(basis_mean_bp=2.0, lag_ms=300, trade_intensity_base=3.0),
    THIN: SimulationManifest(
        initial_price=0.2, trade_intensity_base=0.02, mean_order_notional=60.0, volatility=1.5
    ),
}


def skeleton(instrument: Instrument, seed: int = 7) -> MarketSkeleton:
    manifest = MANIFESTS[instrument]
    return MarketSkeleton(
        seed, instrument, manifest, ORIGIN_NS, AssetPath(seed, instrument.asset, ORIGIN_NS, manifest)
    )


def rows_equal(a: Minutes, b: Minutes) -> bool:
    return all(np.array_equal(getattr(a, f.name), getattr(b, f.name)) for f in fields(Minutes))


@pytest.fixture(params=MANIFESTS, ids=lambda i: i.market)
def instrument(request: pytest.FixtureRequest) -> Instrument:
    assert isinstance(request.param, Instrument)
    return request.param


def test_rows_do_not_depend_on_what_was_asked_before(instrument: Instrument) -> None:
    """A skeleton asked for a far day first has the same rows as one walked through in order."""
    walked, jumped = skeleton(instrument), skeleton(instrument)
    days = [(d * DAY_NS + ORIGIN_NS, d * DAY_NS + ORIGIN_NS + 90 * BLOCK_NS) for d in (-3, -1, 0, 2)]
    expected = [walked.minutes(*span) for span in days]
    assert all(
        rows_equal(jumped.minutes(*span), rows)
        for span, rows in reversed(list(zip(days, expected, strict=True)))
    )


def test_the_origin_fixes_price_and_ids(instrument: Instrument) -> None:
    """At the origin the index stands at the initial price and the ids at their bases."""
    market = skeleton(instrument)
    assert market.seconds(ORIGIN_NS, ORIGIN_NS + 1).index_e8[0] == pytest.approx(
        MANIFESTS[instrument].initial_price * 1e8, rel=1e-8
    )
    row = market.minutes(ORIGIN_NS, ORIGIN_NS + BLOCK_NS)
    ids = (row.first_trade_id[0], row.first_agg_id[0], row.first_order_id[0], row.update_id[0])
    assert ids == (ORIGIN_TRADE_ID, ORIGIN_AGG_ID, ORIGIN_ORDER_ID, ORIGIN_UPDATE_ID)


def test_ids_are_prefix_sums_over_midnight(instrument: Instrument) -> None:
    """The next minute's first id is this one's plus its count, for three days around the origin."""
    market = skeleton(instrument)
    rows = market.minutes(ORIGIN_NS - DAY_NS, ORIGIN_NS + 2 * DAY_NS)
    assert len(rows) == 3 * 1440
    assert (np.diff(rows.start_ns) == BLOCK_NS).all()
    assert (np.diff(rows.first_trade_id) == rows.n_prints[:-1]).all()
    assert (np.diff(rows.update_id) > 100_000).all()
    plans = [market.plan(k) for k in range(-5, 5)]
    assert all(a.first_agg_id + a.n_agg == b.first_agg_id for a, b in itertools.pairwise(plans))
    assert all(a.first_order_id + a.n_orders == b.first_order_id for a, b in itertools.pairwise(plans))
    assert all(a.next_update_id == b.update_id for a, b in itertools.pairwise(plans))


def test_bars_are_bars(instrument: Instrument) -> None:
    """Low <= open, close <= high; minutes without a print repeat the close before; sums are consistent."""
    rows = skeleton(instrument).minutes(ORIGIN_NS - DAY_NS, ORIGIN_NS + DAY_NS)
    assert (rows.low_ticks <= np.minimum(rows.open_ticks, rows.close_ticks)).all()
    assert (rows.high_ticks >= np.maximum(rows.open_ticks, rows.close_ticks)).all()
    quiet = np.flatnonzero(rows.n_prints == 0)
    if instrument is THIN:
        assert len(quiet) > 100
    quiet = quiet[quiet > 0]
    for column in (rows.open_ticks, rows.high_ticks, rows.low_ticks, rows.close_ticks):
        assert (column[quiet] == rows.close_ticks[quiet - 1]).all()
    assert (rows.volume_lots[quiet] == 0).all()
    assert (rows.quote_units[quiet] == 0).all()
    traded = rows.n_prints > 0
    vwap = rows.quote_units[traded] / rows.volume_lots[traded]
    assert (vwap >= rows.low_ticks[traded]).all()
    assert (vwap <= rows.high_ticks[traded]).all()
    assert (rows.taker_buy_lots[traded] > 0).all()
    assert (rows.taker_buy_lots[traded] < rows.volume_lots[traded]).all()


def test_every_plan_can_be_realised(instrument: Instrument) -> None:
    """The promises of MinutePlan hold on every minute of a day."""
    market, least = skeleton(instrument), MANIFESTS[instrument].min_lots(instrument)
    before = None
    for k in range(-720, 720):
        p = market.plan(k)
        low, high = int(p.bid_ticks.min()), int(p.bid_ticks.max())
        reach = high - low
        assert len(p.bid_ticks) == 61
        assert before is None or p.bid_ticks[0] == before
        before = p.bid_ticks[60]
        assert p.n_orders == 0 or p.n_orders >= MIN_ORDERS
        assert p.n_orders <= p.n_agg <= min(p.n_orders + min(reach // 4, p.n_orders // 8), p.n_prints)
        for lots, quote, base in (
            (p.buy_lots, p.buy_quote_units, low + p.spread_ticks),
            (p.sell_lots, p.sell_quote_units, low),
        ):
            assert lots >= 4 * p.n_prints * least if p.n_orders else lots == quote == 0
            assert reach * lots <= 8 * (quote - base * lots) <= 7 * reach * lots
        bar = market.minutes(p.start_ns, p.start_ns + BLOCK_NS)
        if p.n_orders:
            assert bar.high_ticks[0] == high + p.spread_ticks
            assert bar.low_ticks[0] == low
            assert bar.open_ticks[0] == p.bid_ticks[0] + p.spread_ticks * (p.open_side is Side.BUY)
            assert bar.close_ticks[0] == p.bid_ticks[60] + p.spread_ticks * (p.close_side is Side.BUY)


def test_nothing_exists_before_the_listing() -> None:
    """Rows begin at the listing day's midnight, 400 days before the origin's day."""
    market = skeleton(PERP)
    assert market.listed_ns == (ORIGIN_NS // DAY_NS - LISTED_DAYS) * DAY_NS
    assert len(market.minutes(market.listed_ns - DAY_NS, market.listed_ns)) == 0
    assert len(market.seconds(market.listed_ns - DAY_NS, market.listed_ns)) == 0
    assert market.minutes(0, market.listed_ns + BLOCK_NS).start_ns.tolist() == [market.listed_ns]


def test_markets_of_one_asset_form_one_world() -> None:
    """Two venues' prices stay within basis of each other at every second, and share the index to the last
    digit.
    """
    path = AssetPath(7, "BTC", ORIGIN_NS, MANIFESTS[SPOT])
    spot, perp = (MarketSkeleton(7, i, MANIFESTS[i], ORIGIN_NS, path) for i in (SPOT, PERP))
    a, b = (market.seconds(ORIGIN_NS, ORIGIN_NS + DAY_NS) for market in (spot, perp))
    assert np.array_equal(a.index_e8, b.index_e8)
    basis_bp = (b.bid_ticks / (a.bid_ticks / 100) - 1) * 1e4
    assert abs(np.median(basis_bp) - 2.0) < 1.0
    assert np.quantile(np.abs(basis_bp - 2.0), 0.99) < 4
    returns = [np.diff(np.log(market.bid_ticks[::60])) for market in (a, b)]
    assert np.corrcoef(returns[0], returns[1])[0, 1] > 0.97


def test_assets_share_a_factor() -> None:
    """Minute returns of two assets correlate as the product of their loadings."""
    returns = []
    for asset in ("BTC", "ETH"):
        manifest = replace(MANIFESTS[SPOT], factor_loading=0.9, jump_intensity=0.0, clustering=0.0)
        path = AssetPath(11, asset, ORIGIN_NS, manifest)
        returns.append(np.concatenate([np.diff(path.minutes_q32(20_000 + d)) for d in range(10)]))
    assert abs(np.corrcoef(returns[0], returns[1])[0, 1] - 0.81) < 0.03


def test_volatility_is_the_manifests() -> None:
    """Root mean square minute returns, annualised, are the manifest's volatility over 60 days; those of seconds
    are the minutes' of the same days.
    """
    manifest = replace(MANIFESTS[SPOT], jump_intensity=0.0, clustering=0.15)
    path = AssetPath(3, "BTC", ORIGIN_NS, manifest)
    day = ORIGIN_NS // DAY_NS
    minutes, seconds = (
        np.concatenate([np.diff(path_of(day + d)) for d in range(days)]) / 2**32
        for path_of, days in ((path.minutes_q32, 60), (path.seconds_q32, 5))
    )
    yearly = np.sqrt((minutes**2).mean() * 365.25 * 1_440)
    assert abs(yearly / manifest.volatility - 1) < 0.15
    by_seconds, by_minutes = (seconds**2).mean() * 60, (minutes[: 5 * 1_440] ** 2).mean()
    assert abs(np.sqrt(by_seconds / by_minutes) - 1) < 0.15


def test_jumps_and_the_fast_basis_are_wider_in_wild_minutes() -> None:
    """Between a wild half of minutes and a calm one: jumps as volatility, the basis about as its root."""
    manifest = replace(
        MANIFESTS[PERP], clustering=0.5, jump_intensity=300.0, basis_std_bp=0.0, impact_half_spread_bp=0.0
    )
    path = AssetPath(5, "BTC", ORIGIN_NS, manifest)
    market = MarketSkeleton(5, PERP, manifest, ORIGIN_NS, path)
    first = ORIGIN_NS // DAY_NS
    days = [path.day(first + d) for d in range(40)]
    log_vol, jumps = (np.concatenate([getattr(d, n) for d in days]) for n in ("log_vol_q16", "jump_q32"))
    premium = market.premiums_e8(first * DAY_NS, (first + 40) * DAY_NS, BLOCK_NS) - 20_000
    wild = log_vol > np.median(log_vol)
    volatility = np.exp((log_vol[wild].mean() - log_vol[~wild].mean()) / 2**16)
    jumped = jumps != 0
    by_jumps = np.median(np.abs(jumps[wild & jumped])) / np.median(np.abs(jumps[~wild & jumped]))
    assert 0.7 < by_jumps / volatility < 1.3
    by_basis = np.median(np.abs(premium[wild])) / np.median(np.abs(premium[~wild]))
    assert 0.7 < by_basis / np.sqrt(volatility) < 1.3


def test_premium_is_the_impact_basis() -> None:
    """The premium is zero while the mid stands within the impact half spread of the index and grows one for
    one beyond.
    """
    market = skeleton(PERP)
    grid = market.seconds(ORIGIN_NS, ORIGIN_NS + 3600 * SECOND_NS)
    mid_e8 = grid.bid_ticks * 10**8
    basis_e8 = (mid_e8 - grid.index_e8) / grid.index_e8 * 1e8
    outside = np.maximum(basis_e8 - 5_000, 0) - np.maximum(-basis_e8 - 5_000, 0)
    assert np.abs(grid.premium_e8 - outside).mean() < 3_000  # the lag and the tick are not in the premium


def test_premiums_are_the_grids(instrument: Instrument) -> None:
    """Premiums asked for alone, at any step, are those of the 1 s grid, over midnight too."""
    market = skeleton(instrument)
    start_ns = ORIGIN_NS // DAY_NS * DAY_NS + DAY_NS - 33 * SECOND_NS
    grid = market.seconds(start_ns, start_ns + 90 * SECOND_NS).premium_e8
    assert np.array_equal(market.premiums_e8(start_ns, start_ns + 90 * SECOND_NS, 5 * SECOND_NS), grid[::5])
    midnight_ns = start_ns + 33 * SECOND_NS
    minutes = market.premiums_e8(midnight_ns - BLOCK_NS, midnight_ns + 61 * SECOND_NS, BLOCK_NS)
    seconds = market.premiums_e8(midnight_ns - BLOCK_NS, midnight_ns + 61 * SECOND_NS, SECOND_NS)
    assert np.array_equal(minutes, seconds[::60])


def test_premiums_keep_to_their_limit() -> None:
    """No premium lies beyond the limit, not even one of a basis that would often go there; days of it come near."""
    manifest = replace(MANIFESTS[PERP], basis_mean_bp=-3.0, basis_fast_std_bp=20.0, basis_std_bp=100.0)
    path = AssetPath(7, "BTC", ORIGIN_NS, manifest)
    market = MarketSkeleton(7, PERP, manifest, ORIGIN_NS, path)
    premiums = market.premiums_e8(ORIGIN_NS, ORIGIN_NS + 20 * DAY_NS, SECOND_NS)
    assert market.premium_limit_e8 // 3 < np.abs(premiums).max() <= market.premium_limit_e8


def test_an_id_is_found_in_its_minute(instrument: Instrument) -> None:
    """Any id of the last days leads to the minute whose prints have it; ids before the listing to the first."""
    market = skeleton(instrument)
    rows = market.minutes(ORIGIN_NS - 2 * DAY_NS, ORIGIN_NS)
    traded = np.flatnonzero(rows.n_prints)
    for i in traded[:: len(traded) // 20].tolist():
        wanted = int(rows.first_trade_id[i] + rows.n_prints[i] - 1)
        found = market.minute_of("first_trade_id", wanted, ORIGIN_NS)
        assert found == rows.start_ns[i]
    assert market.minute_of("first_trade_id", 0, ORIGIN_NS) == market.listed_ns


def test_index_minutes_span_the_grid(instrument: Instrument) -> None:
    """Opens and closes are the grid's at minute starts, and the extremes are those of the seconds between."""
    market = skeleton(instrument)
    start_ns = ORIGIN_NS - DAY_NS - 5 * BLOCK_NS
    grid = market.seconds(start_ns, start_ns + 20 * BLOCK_NS + SECOND_NS).index_e8
    rows = market.index_minutes(start_ns - SECOND_NS, start_ns + 20 * BLOCK_NS + SECOND_NS)
    assert rows.start_ns.tolist() == [start_ns + i * BLOCK_NS for i in range(20)]
    for i in range(20):
        seconds = grid[i * 60 : i * 60 + 61]
        assert (rows.open_e8[i], rows.close_e8[i]) == (seconds[0], seconds[-1])
        assert (rows.high_e8[i], rows.low_e8[i]) == (seconds.max(), seconds.min())
    assert len(market.index_minutes(0, market.listed_ns)) == 0
