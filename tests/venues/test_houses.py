"""What trading costs and needs at each venue: fees, margin, marks, settlements and opening balances."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from reactor.exchange.ledger import Ledger
from reactor.exchange.orders import E8, Settlement
from reactor.exchange.terms import PERP, SPOT, House, MarginTier
from reactor.profiles import ASSETS
from reactor.types import DAY_NS, SECOND_NS, Kind
from tests.worlds import ORIGIN_NS, exchange
from venues.base import Exchange, VenueProtocol
from venues.binance import BINANCE, BINANCE_USDM
from venues.binance.house import SPOT_FEES_E6, USDM_FEES_E6, brackets, client_order_id
from venues.binance.mark import mark_prices
from venues.hyperliquid import HYPERLIQUID
from venues.hyperliquid.house import PERP_FEES_E6, margin_tiers
from venues.hyperliquid.wire import perp_context

VENUES: list[VenueProtocol] = [BINANCE, BINANCE_USDM, HYPERLIQUID]
IDS = [venue.id for venue in VENUES]
INSTANTS = [ORIGIN_NS + seconds * SECOND_NS for seconds in (0, 1, 59, 60, 3_601, 86_402)]


def house_of(venue: VenueProtocol) -> tuple[Exchange, House]:
    run = exchange(venue)
    house = venue.house(run)
    assert house is not None
    return run, house


# ---------------------------------------------------------------- every venue
@pytest.mark.parametrize("venue", VENUES, ids=IDS)
def test_a_house_has_terms_for_every_market_in_the_order_of_listing(venue: VenueProtocol) -> None:
    run, house = house_of(venue)
    assert list(house.terms) == list(run.markets.values())


@pytest.mark.parametrize("venue", VENUES, ids=IDS)
def test_perps_have_marks_settlements_and_tiers_and_spot_has_none(venue: VenueProtocol) -> None:
    run, house = house_of(venue)
    for market in run:
        terms, perp = house.terms[market.instrument.market], market.instrument.kind is Kind.PERP
        assert (terms.mark_e8 is not None, terms.settlements is not None, bool(terms.tiers)) == (perp,) * 3
        assert terms.margin_asset == (market.instrument.quote if perp else "")
        assert not perp or terms.default_leverage <= terms.tiers[0].max_leverage


@pytest.mark.parametrize("venue", VENUES, ids=IDS)
def test_a_new_account_can_pay_in_every_asset_of_the_venues_own_markets(venue: VenueProtocol) -> None:
    run, house = house_of(venue)
    ledger = Ledger(house, [market.instrument for market in run], lambda _: 0)
    ledger.open("me", funded=True)
    for market in run:
        wallet = PERP if market.instrument.kind is Kind.PERP else SPOT
        assert ledger.balance("me", wallet, market.instrument.quote).free_e8 > 0


@pytest.mark.parametrize("venue", VENUES, ids=IDS)
def test_every_asset_has_whole_units_of_money(venue: VenueProtocol) -> None:
    wider = venue.with_assets(ASSETS)
    run, house = house_of(wider)
    Ledger(house, [market.instrument for market in run], lambda _: 0)


@pytest.mark.parametrize("venue", VENUES[1:], ids=IDS[1:])
def test_tiers_ask_for_more_the_larger_and_never_jump(venue: VenueProtocol) -> None:
    _, house = house_of(venue.with_assets(ASSETS))
    for terms in house.terms.values():
        for below, above in zip(terms.tiers, terms.tiers[1:], strict=False):
            assert below.notional_cap_e8 < above.notional_cap_e8
            assert below.max_leverage > above.max_leverage
            assert maintenance_e8(below, below.notional_cap_e8) == maintenance_e8(
                above, below.notional_cap_e8
            )


def maintenance_e8(tier: MarginTier, notional_e8: int) -> int:
    return notional_e8 * tier.rate_e6 // 10**6 - tier.deduction_e8


@pytest.mark.parametrize("venue", VENUES[1:], ids=IDS[1:])
def test_settlements_are_those_the_venue_publishes(venue: VenueProtocol) -> None:
    run, house = house_of(venue)
    rows = venue.settlements(
        "BTCUSDT" if "BTCUSDT" in run.markets else "BTC", run, ORIGIN_NS, ORIGIN_NS + DAY_NS
    )
    settlements = house.terms[next(iter(house.terms))].settlements
    assert settlements is not None
    assert settlements(ORIGIN_NS, ORIGIN_NS + DAY_NS) == [
        Settlement(int(rows.ts_ns[i]), int(rows.rate_e12[i]), int(rows.price_e8[i])) for i in range(len(rows))
    ]
    assert len(rows) in (3, 24)


def test_the_page_about_trading_has_the_fees_and_opening_balances_of_the_houses() -> None:
    fees, openings = set(), set()
    for venue in VENUES:
        run, house = house_of(venue)
        for market in run:
            terms = house.terms[market.instrument.market]
            maker, taker = terms.maker_fee_e6 / 10_000, terms.taker_fee_e6 / 10_000
            paid = "what is received" if terms.fee_in_received else "the margin asset"
            fees.add(f"| `{venue.id}` | {market.instrument.kind} | {maker:g} | {taker:g} | {paid} |")
        for wallet in {wallet for wallet, _ in house.opening}:
            of = [f"{e8 // E8:,} {asset}" for (w, asset), e8 in house.opening.items() if w == wallet]
            openings.add(f"| `{venue.id}` | {wallet} | {', '.join(of)} |")
    page = (Path(__file__).parents[2] / "docs" / "trading.md").read_text().splitlines()
    assert {line for line in page if line.startswith("| `")} == fees | openings


# ---------------------------------------------------------------- Binance
def test_usdm_marks_are_those_of_the_stream() -> None:
    run, house = house_of(BINANCE_USDM)
    for market in run:
        mark_e8 = house.terms[market.instrument.market].mark_e8
        assert mark_e8 is not None
        for at_ns in INSTANTS:
            expected = int(mark_prices(market, at_ns, at_ns + SECOND_NS).mark_e8[0])
            assert mark_e8(at_ns) == mark_e8(at_ns + SECOND_NS - 1) == expected


def test_brackets_of_btcusdt_have_the_maintenance_amounts_that_the_venue_told() -> None:
    """The first four as told by the venue's public brackets on 2025-08-19."""
    assert [tier.deduction_e8 // E8 for tier in brackets("BTC")[:4]] == [0, 300, 1_500, 12_000]


def test_brackets_of_ethusdt_have_the_maintenance_amounts_that_the_venue_told() -> None:
    """`cum` of /fapi/v1/leverageBracket, 2024 (freqtrade's binance_leverage_tiers.json)."""
    told = [
        0,
        50,
        950,
        11_450,
        131_450,
        381_450,
        2_006_450,
        9_506_450,
        17_506_450,
        27_506_450,
        80_506_450,
        280_506_450,
    ]
    assert [tier.deduction_e8 // E8 for tier in brackets("ETH")] == told


def test_the_regular_users_of_binance_pay_a_tenth_of_a_percent_on_spot_and_less_on_futures() -> None:
    assert SPOT_FEES_E6[0] == (1_000, 1_000)
    assert USDM_FEES_E6[0] == (200, 500)


@pytest.mark.parametrize("venue", VENUES, ids=IDS)
def test_every_tier_costs_no_more_than_the_one_before(venue: VenueProtocol) -> None:
    """A venue with fewer tiers has its last one."""
    rates = []
    for tier in range(10):
        house = venue.house(replace(exchange(venue), fee_tier=tier))
        assert house
        rates.append([(terms.maker_fee_e6, terms.taker_fee_e6) for terms in house.terms.values()])
    for before, after in pairwise(rates):
        assert all(
            a <= b
            for mine, other in zip(after, before, strict=True)
            for a, b in zip(mine, other, strict=True)
        )
    assert rates[-1] != rates[0]


def test_binance_accounts_open_with_a_million_of_each_dollar_and_ten_bitcoin_on_spot() -> None:
    million = 1_000_000 * E8
    _, spot = house_of(BINANCE)
    _, usdm = house_of(BINANCE_USDM)
    assert spot.opening == {(SPOT, "USDT"): million, (SPOT, "USDC"): million, (SPOT, "BTC"): 10 * E8}
    assert usdm.opening == {(PERP, "USDT"): million, (PERP, "USDC"): million}


def test_binance_names_an_order_by_22_letters_and_digits_that_depend_on_its_id_and_venue() -> None:
    names = {client_order_id(venue, number) for venue in ("binance", "binance-usdm") for number in range(500)}
    assert len(names) == 1_000
    assert all(len(name) == 22 and name.isalnum() and name.isascii() for name in names)


# ---------------------------------------------------------------- Hyperliquid
def test_hyperliquid_marks_are_those_of_a_coins_context() -> None:
    run, house = house_of(HYPERLIQUID)
    market = run.market("BTC")
    assert market is not None
    mark_e8 = house.terms["hyperliquid:BTC"].mark_e8
    assert mark_e8 is not None
    tick_e8 = 10 ** (8 - market.instrument.price_decimals)
    marks = np.asarray(perp_context(market, INSTANTS)["mark"]) * tick_e8
    assert [mark_e8(at_ns) for at_ns in INSTANTS] == marks.tolist()


def test_hyperliquid_maintenance_is_half_of_the_initial_margin_at_the_most_leverage() -> None:
    """Bounds and leverages of https://hyperliquid.gitbook.io/hyperliquid-docs/trading/margin-tiers (2026-11)."""
    perps = HYPERLIQUID.card.perps
    btc, eth, sol, *_ = (margin_tiers(perp, HYPERLIQUID.card.margin_tables) for perp in perps)
    assert [(t.max_leverage, t.rate_e6) for t in btc] == [(40, 12_500), (20, 25_000)]
    assert btc[0].notional_cap_e8 == 150_000_000 * E8
    assert btc[1].deduction_e8 == 1_875_000 * E8  # 150,000,000 * (2.5 % - 1.25 %)
    assert [(t.max_leverage, t.rate_e6) for t in eth] == [(25, 20_000), (15, 33_334)]
    assert [(t.max_leverage, t.rate_e6) for t in sol] == [(20, 25_000), (10, 50_000)]


def test_hyperliquid_tells_perp_money_in_millionths_and_a_token_in_its_own_decimals() -> None:
    _, house = house_of(HYPERLIQUID)
    assert house.terms["hyperliquid:BTC"].quote_step_e8 == 100
    assert house.terms["hyperliquid:PURR/USDC"].base_step_e8 == 1_000
    assert house.terms["hyperliquid:PURR/USDC"].quote_step_e8 == 1
    assert PERP_FEES_E6[0] == (150, 450)
