"""When things next happen on each venue, by its own schedule."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.types import SECOND_NS, Kind
from tests import worlds
from venues.base import Occasion, VenueProtocol
from venues.registry import VENUES

every_venue = pytest.mark.parametrize("venue", VENUES, ids=lambda venue: venue.id)
EXCHANGES = {venue.id: worlds.exchange(venue) for venue in VENUES}
PERP = {"binance-usdm": ("BTCUSDT", 8), "hyperliquid": ("BTC", 1)}  # and its hours


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND_NS


def next_instant(
    venue: VenueProtocol, occasion: Occasion, symbol: str, interval: str, now_ns: int
) -> int | None:
    return venue.next_instant(occasion, symbol, interval, EXCHANGES[venue.id], now_ns)


@pytest.mark.parametrize("name", PERP)
@given(seconds=st.integers(0, 86_400 * 30))
def test_funding_is_settled_on_the_venues_hours(name: str, seconds: int) -> None:
    """The next one, strictly later; on a market that has it."""
    (venue,) = (venue for venue in VENUES if venue.id == name)
    symbol, hours = PERP[name]
    now_ns, length_ns = worlds.ORIGIN_NS + seconds * SECOND_NS, hours * 3_600 * SECOND_NS
    found = next_instant(venue, Occasion.FUNDING, symbol, "", now_ns)
    assert found == (now_ns // length_ns + 1) * length_ns


@every_venue
def test_spot_is_never_funded(venue: VenueProtocol) -> None:
    """Only perpetuals are."""
    for row in venue.listings:
        found = next_instant(venue, Occasion.FUNDING, row.instrument.symbol, "", worlds.ORIGIN_NS)
        assert (found is None) == (row.instrument.kind is Kind.SPOT)


@every_venue
@pytest.mark.parametrize(
    ("interval", "now", "close"),
    [
        ("1m", "2026-01-05T23:58:53", "2026-01-05T23:59:00"),
        ("", "2026-01-05T23:59:00", "2026-01-06T00:00:00"),
        ("1h", "2026-01-05T23:00:00", "2026-01-06T00:00:00"),
        ("1M", "2026-01-05T23:00:00", "2026-02-01T00:00:00"),
    ],
)
def test_klines_close_on_the_clock(venue: VenueProtocol, interval: str, now: str, close: str) -> None:
    """One that has just closed has been; the next is asked for."""
    symbol = venue.listings[0].instrument.symbol
    assert next_instant(venue, Occasion.KLINE_CLOSE, symbol, interval, at(now)) == at(close)


@every_venue
def test_what_does_not_happen_has_no_instant(venue: VenueProtocol) -> None:
    """A symbol or an interval that the venue has not."""
    symbol = venue.listings[0].instrument.symbol
    assert next_instant(venue, Occasion.KLINE_CLOSE, symbol, "7m", 0) is None
    assert next_instant(venue, Occasion.KLINE_CLOSE, "NONE", "1m", 0) is None
    assert next_instant(venue, Occasion.FUNDING, "NONE", "", 0) is None
