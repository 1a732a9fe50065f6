"""Hyperliquid's rules: shapes of requests, error texts, mark price, premium, funding."""

from __future__ import annotations

from datetime import UTC, datetime
from string import Formatter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.fixed import nearest
from reactor.types import SECOND_NS, Kind
from venues.base import VenueError
from venues.hyperliquid import HYPERLIQUID
from venues.hyperliquid.rules import (
    ERRORS,
    INTERVALS,
    MARK_WINDOW_S,
    Field,
    HyperLiquidFundingModel,
    MalformedError,
    impact_prices,
    is_flag,
    is_text,
    is_unsigned,
    mark_prices,
    parse,
    premium,
    price_decimals,
    read,
    render,
    tag,
    valid_grouping,
)

# ---------------------------------------------------------------- requests
SHAPE = {"coin": Field(is_text), "n": Field(is_unsigned, None), "fast": Field(is_flag, False)}


@pytest.mark.parametrize(
    ("value", "fields"),
    [
        ({"coin": "BTC"}, {"coin": "BTC", "n": None, "fast": False}),
        ({"fast": True, "n": 2**64 - 1, "coin": ""}, {"coin": "", "n": 2**64 - 1, "fast": True}),
        ({"coin": "BTC", "n": None, "fast": None, "more": [1]}, {"coin": "BTC", "n": None, "fast": False}),
    ],
)
def test_a_struct_is_read_in_its_own_order(value: Any, fields: dict[str, Any]) -> None:
    """Defaults are filled in, null stands for absent, unknown fields are ignored."""
    assert list(read(SHAPE, value).items()) == list(fields.items())


@pytest.mark.parametrize(
    "value",
    [
        {}, {"coin": None}, {"coin": 1}, {"coin": "BTC", "n": -1}, {"coin": "BTC", "n": True},
        {"coin": "BTC", "n": 1.0}, {"coin": "BTC", "fast": 1}, [], "BTC", None, 7,
    ],
)  # fmt: skip
def test_an_ill_typed_struct_is_refused(value: Any) -> None:
    """A missing or ill-typed field refuses the whole."""
    with pytest.raises(MalformedError):
        read(SHAPE, value)


@pytest.mark.parametrize(
    "value", [{}, {"type": None}, {"type": ["a"]}, {"type": {}}, {"type": "c"}, "a", ["type"], None]
)
def test_a_tag_is_a_known_word(value: Any) -> None:
    """Anything else, hashable or not, is refused."""
    assert tag({"type": "b"}, "type", {"a": 1, "b": 2}) == "b"
    with pytest.raises(MalformedError):
        tag(value, "type", {"a": 1, "b": 2})


@pytest.mark.parametrize(
    "text", ["", "{", "NaN", '"\\ud800"', b"\xff", "[1,]", "[" * 10_000 + "]" * 10_000, "[" * 300 + "]" * 300]
)
def test_what_is_no_json_is_malformed(text: str | bytes) -> None:
    """Broken, ill-encoded or bottomless: one exception."""
    with pytest.raises(MalformedError):
        parse(text)


@pytest.mark.parametrize(
    ("n_sig_figs", "mantissa", "valid"),
    [
        (None, None, True), (2, None, True), (3, None, True), (4, None, True), (5, None, True),
        (5, 1, True), (5, 2, True), (5, 5, True),
        (0, None, False), (1, None, False), (6, None, False), (5, 3, False), (4, 2, False), (None, 2, False),
    ],
)  # fmt: skip
def test_books_group_by_two_to_five_figures(
    n_sig_figs: int | None, mantissa: int | None, valid: bool
) -> None:
    """A mantissa only with five (gitbook, l2 book snapshot, 2026-11)."""
    assert valid_grouping(n_sig_figs, mantissa) is valid


@pytest.mark.parametrize("code", ERRORS)
def test_every_error_can_be_said(code: str) -> None:
    """Each text takes its parameters, braces in them included."""
    names = [name for _, name, _, _ in Formatter().parse(ERRORS[code].text) if name]
    refusal = render(VenueError(code, **dict.fromkeys(names, "{x}")))
    assert refusal.text.count("{x}") == len(names)
    assert refusal.status == 200 or 400 <= refusal.status < 600


# ---------------------------------------------------------------- prices and candles
@pytest.mark.parametrize(
    ("kind", "qty_decimals", "price", "decimals"),
    [
        # recorded prices: BTC 83757.0 and PURR 0.22695 (2025 to 2026), SOL 128.45 (roq-hyperliquid), ETH 2123.7
        (Kind.PERP, 5, 83_757.0, 0), (Kind.PERP, 4, 2_123.7, 1), (Kind.PERP, 2, 128.45, 2),
        (Kind.SPOT, 0, 0.22695, 5), (Kind.SPOT, 2, 12.573, 3),
        # gitbook, tick and lot size: at most 6 - szDecimals decimals, 8 for spot; integers are always allowed
        (Kind.PERP, 0, 0.001234, 6), (Kind.PERP, 1, 0.01234, 5), (Kind.SPOT, 0, 0.00005299, 8),
        (Kind.PERP, 5, 123_456.0, 0), (Kind.PERP, 5, 9.9, 1), (Kind.PERP, 0, 1.0, 4), (Kind.PERP, 0, 0.9999, 5),
    ],
)  # fmt: skip
def test_a_price_has_five_figures(kind: Kind, qty_decimals: int, price: float, decimals: int) -> None:
    """Five significant figures, within the decimals that sizes leave (gitbook, tick and lot size, 2026-11)."""
    assert price_decimals(kind, qty_decimals, price) == decimals


def test_listed_markets_trade_on_the_venues_ticks() -> None:
    """BTC to the dollar, ETH and gold to the dime, SOL and Tesla to the cent; PURR and HFUN as recorded."""
    listed = {
        listing.instrument.symbol: (listing.instrument.price_decimals, listing.instrument.qty_decimals)
        for listing in HYPERLIQUID.listings
    }
    main = {"BTC": (0, 5), "ETH": (1, 4), "SOL": (2, 2), "PURR/USDC": (5, 0), "@1": (3, 2)}
    assert listed == main | {"xyz:TSLA": (2, 3), "xyz:GOLD": (1, 4)}


def test_candles_have_the_venues_intervals() -> None:
    """The list of gitbook's candle snapshot (2026-11)."""
    assert " ".join(INTERVALS) == "1m 3m 5m 15m 30m 1h 2h 4h 8h 12h 1d 3d 1w 1M"


@pytest.mark.parametrize(
    ("name", "day"),
    [("1d", "2025-11-01"), ("3d", "2025-10-30"), ("1w", "2025-10-30"), ("1M", "2025-11-01")],
)
def test_a_long_candle_opens_on_the_venues_day(name: str, day: str) -> None:
    """Of Saturday 2025-11-01: a week opens on Thursday (rainbow-me/rainbow pull request 6920), a month on its first."""
    noon = datetime.fromisoformat("2025-11-01T12:00:00+00:00").timestamp()
    opened = INTERVALS[name].start(int(noon) * SECOND_NS) // SECOND_NS
    assert datetime.fromtimestamp(opened, UTC).isoformat() == f"{day}T00:00:00+00:00"


# ---------------------------------------------------------------- mark and premium
@given(value=st.integers(-(10**15), 10**15), step=st.integers(1, 10**9))
def test_nearest_is_within_half_a_step(value: int, step: int) -> None:
    """Halves go up, on both sides of zero."""
    assert -step <= 2 * (value - nearest(value, step) * step) < step


def test_premium_is_the_recorded_one() -> None:
    """From the oracle and impact prices of contexts: BTC captured on 2026-09-25, SOL in roq-hyperliquid's tests."""
    assert premium(837781, 837570, 837668, 10**10) == -1348801
    assert premium(1284100, 1284583, 1285099, 10**10) == 3761389
    assert premium(1000, 999, 1001, 10**10) == 0


@pytest.mark.parametrize(
    ("premium_e8", "mid", "expected"),
    [
        (0, 100_000_000, (99_990_000, 100_010_000)),  # the oracle between bid and ask
        (0, 100_020_000, (100_000_000, 100_030_000)),
        (20_000, 100_040_000, (100_020_000, 100_060_000)),  # 0.02 % above the oracle, 0.02 % below the mid
        (-20_000, 99_960_000, (99_940_000, 99_980_000)),
        (20_000, 100_015_000, (100_020_000, 100_040_000)),  # the mid is rounded to ticks, the premium is not
        (-20_000, 99_985_000, (99_960_000, 99_980_000)),
    ],
)
def test_impact_prices_make_the_premium(premium_e8: int, mid: int, expected: tuple[int, int]) -> None:
    """Of an oracle at 1 and a spread of 0.02 %: the side the premium speaks of is exactly so far from the oracle, the
    other one mirrors it about the mid, and they never cross.
    """
    oracle = 100_000_000
    bid, ask = impact_prices(oracle, mid - 10_000, mid + 10_000, premium_e8)
    assert (bid, ask) == expected
    assert premium(oracle, bid, ask, 10**8) == premium_e8


def mark_price(index: Any, mid: Any) -> int:
    """As of the last row."""
    return int(mark_prices(index, mid, np.array([len(index) - 1]))[0])


def test_a_steady_market_is_marked_at_its_mid() -> None:
    """With a constant basis every input of the median is the mid."""
    assert mark_price(np.full(751, 1_000_000), np.full(751, 1_000_500)) == 1_000_500
    assert mark_price(np.array([1_000_000]), np.array([1_000_500])) == 1_000_500


def test_a_mark_does_not_jump_with_the_mid() -> None:
    """A mid that leaps by 30,000 for one second moves the mark by a thirtieth: the 30 s average is the median."""
    leapt = mark_price(np.full(751, 1_000_000), np.append(np.full(750, 1_000_000), 1_030_000))
    assert 1_000_900 <= leapt <= 1_001_100


@given(
    index=st.lists(st.integers(10**12, 2**50), min_size=1, max_size=MARK_WINDOW_S + 1).map(np.array),
    basis=st.integers(-(10**10), 10**10),
)
def test_a_mark_stays_among_what_was_seen(index: Any, basis: int) -> None:
    """It is a median of averages, so never outside the mids and the index with their basis."""
    mid = index + basis
    assert min(mid) - 1 <= mark_price(index, mid) <= max(mid) + 1


def test_a_mark_is_of_the_rows_before_it() -> None:
    """Whatever comes after, and whatever came more than MARK_WINDOW_S before."""
    index = 10**12 + np.arange(2_000) ** 2 % 9_973 * 10**7
    mid = index + np.arange(2_000) ** 3 % 7_919 * 10**6
    at = np.array([0, 1, 30, 750, 751, 1_999])
    cuts = [slice(max(0, row - MARK_WINDOW_S), row + 1) for row in at.tolist()]
    assert mark_prices(index, mid, at).tolist() == [mark_price(index[cut], mid[cut]) for cut in cuts]


# ---------------------------------------------------------------- funding
@pytest.mark.parametrize(
    ("premium_e8", "rate_e12"),
    [
        # "0.0000125" with premiums -0.0001875303, -0.0001547518 and -0.0002083901: fundingHistory, captured 2026-09-25
        (-18753, 12_500_000),
        (-15475, 12_500_000),
        (-20839, 12_500_000),
        (0, 12_500_000),
        (100_000, 62_500_000),  # 0.1 %: (0.001 - 0.0005) / 8
        (-100_000, -62_500_000),
        (10**8, 40_000_000_000),  # 100 % above: the cap of 4 % an hour
        (-(10**8), -40_000_000_000),
    ],
)
def test_funding_is_an_eighth_of_the_eight_hour_rate(premium_e8: int, rate_e12: int) -> None:
    """F = clamp((P + clamp(0.01 % - P, +-0.05 %)) / 8, +-4 %) (gitbook, funding, 2026-11)."""
    premiums = np.full(720, premium_e8, dtype=np.int64)
    model = HyperLiquidFundingModel()
    assert int(model.rates_e12(model.averages_e12(premiums))[-1]) == rate_e12
