"""When things next happen on each venue, by its own schedule."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactor.event_feed import EventMarketFeed, EventSource
from reactor.types import MS_NS, SECOND_NS, Columns, Kind
from tests import worlds
from venues.base import FundingPayments, HttpRequest, Occasion, VenueProtocol
from venues.registry import VENUES

every_venue = pytest.mark.parametrize("venue", VENUES, ids=lambda venue: venue.id)
EXCHANGES = {venue.id: worlds.exchange(venue) for venue in VENUES}
PERP = {"binance-usdm": ("BTCUSDT", 8), "hyperliquid": ("BTC", 1)}  # and its hours
BY_ID = {venue.id: venue for venue in VENUES}
HOUR_NS = 3_600 * SECOND_NS


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
    symbol, hours = PERP[name]
    now_ns, length_ns = worlds.ORIGIN_NS + seconds * SECOND_NS, hours * HOUR_NS
    found = next_instant(BY_ID[name], Occasion.FUNDING, symbol, "", now_ns)
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


# ---------------------------------------------------------------- settlements
def settled(name: str, symbol: str, after_ns: int, upto_ns: int) -> FundingPayments:
    return BY_ID[name].settlements(symbol, EXCHANGES[name], after_ns, upto_ns)


@pytest.mark.parametrize("name", PERP)
@given(cuts=st.lists(st.integers(0, 48 * 3_600), max_size=5))
@settings(max_examples=20)  # an example makes two days of settlements
def test_settlements_are_in_exactly_one_of_spans_that_follow_on_each_other(
    name: str, cuts: list[int]
) -> None:
    """However two days are cut, one at the end of each interval, at the hour."""
    symbol, hours = PERP[name]
    edges = [worlds.ORIGIN_NS + second * SECOND_NS for second in sorted({0, *cuts, 48 * 3_600})]
    rows = FundingPayments.join([settled(name, symbol, a, b) for a, b in pairwise(edges)])
    assert rows.ts_ns.tolist() == [worlds.ORIGIN_NS + n * HOUR_NS for n in range(hours, 49, hours)]


@pytest.mark.parametrize("name", PERP)
def test_a_feed_tells_each_settlement_once_at_its_instant(name: str) -> None:
    """As an event between others, and at an instant before what else happens then."""
    symbol, hours = PERP[name]
    market = EXCHANGES[name].market(symbol)
    assert market

    def funding(start_ns: int, end_ns: int) -> Columns:
        return settled(name, symbol, start_ns - 1, end_ns - 1)

    sources = [EventSource("funding", funding), EventSource("second", market.seconds)]
    end_ns = worlds.ORIGIN_NS + 16 * HOUR_NS + SECOND_NS
    events = list(EventMarketFeed(sources).events(end_ns - 2 * HOUR_NS, end_ns))
    expected = [at_ns for at_ns in (end_ns - HOUR_NS, end_ns) if (at_ns - SECOND_NS) % (hours * HOUR_NS) == 0]
    found = [i for i, event in enumerate(events) if event.source == "funding"]
    assert [events[i].ts_ns for i in found] == [at_ns - SECOND_NS for at_ns in expected]
    assert all(events[i + 1].ts_ns == events[i].ts_ns for i in found)
    assert len(events) == 7_200 + len(found)


def test_binance_pays_what_its_history_tells() -> None:
    """fundingTime, fundingRate and markPrice of /fapi/v1/fundingRate, to the last decimal."""
    end_ns = worlds.ORIGIN_NS + 48 * HOUR_NS
    rows = settled("binance-usdm", "ETHUSDT", worlds.ORIGIN_NS, end_ns)
    request = HttpRequest(
        "GET", "/fapi/v1/fundingRate", f"symbol=ETHUSDT&startTime={worlds.ORIGIN_NS // MS_NS + 1}"
    )
    answer = BY_ID["binance-usdm"].handle(request, EXCHANGES["binance-usdm"], end_ns + SECOND_NS)
    told = [
        (row["fundingTime"] * MS_NS, row["fundingRate"], row["markPrice"]) for row in json.loads(answer.body)
    ]
    columns = (column.tolist() for column in (rows.ts_ns, rows.rate_e12, rows.price_e8))
    paid = [
        (at_ns, f"{rate / 1e12:.8f}", f"{price / 1e8:.8f}")
        for at_ns, rate, price in zip(*columns, strict=True)
    ]
    assert paid == told
    assert len(paid) == 6


def test_hyperliquid_pays_what_its_history_tells_at_the_oracle_price_of_the_hour() -> None:
    """time and fundingRate of `fundingHistory`; `oraclePx` as the context has it at the hour."""
    venue, exchange = BY_ID["hyperliquid"], EXCHANGES["hyperliquid"]
    end_ns = worlds.ORIGIN_NS + 3 * HOUR_NS

    def info(now_ns: int, **body: object) -> list[dict[str, str]]:
        headers = {"content-type": "application/json"}
        request = HttpRequest("POST", "/info", headers=headers, body=json.dumps(body).encode())
        answer: list[dict[str, str]] = json.loads(venue.handle(request, exchange, now_ns).body)
        return answer

    rows = settled("hyperliquid", "ETH", worlds.ORIGIN_NS, end_ns)
    assert rows.ts_ns.tolist() == [worlds.ORIGIN_NS + n * HOUR_NS for n in (1, 2, 3)]
    asked = {"coin": "ETH", "startTime": worlds.ORIGIN_NS // MS_NS + 1_000}
    told = info(end_ns + SECOND_NS, type="fundingHistory", **asked)
    assert [row["time"] for row in told] == (rows.recorded_ns // MS_NS).tolist()
    assert [float(row["fundingRate"]) for row in told] == [rate / 1e12 for rate in rows.rate_e12.tolist()]
    context: object = info(end_ns, type="metaAndAssetCtxs")[1]
    assert isinstance(context, list)
    assert float(context[1]["oraclePx"]) == rows.price_e8.tolist()[-1] / 1e8


@every_venue
def test_nothing_is_paid_where_nothing_is_funded(venue: VenueProtocol) -> None:
    """On spot markets, and on those that are not listed."""
    spots = [row.instrument.symbol for row in venue.listings if row.instrument.kind is Kind.SPOT]
    end_ns = worlds.ORIGIN_NS + 24 * HOUR_NS
    assert all(len(settled(venue.id, symbol, 0, end_ns)) == 0 for symbol in (*spots, "NONE"))
