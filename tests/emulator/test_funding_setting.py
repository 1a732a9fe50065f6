"""`funding`: whichever rules a run follows, what it tells of intervals, bounds, predictions and settlements agrees."""

from __future__ import annotations

import json
from typing import Any

import pytest

from emulator.config import ConfigError, Layer, load, resolve
from emulator.run import channels, exchanges
from reactor.types import MS_NS, SECOND_NS, FundingProfile
from venues.base import PAGE_NS, Exchange, HttpRequest, VenueProtocol
from venues.registry import VENUES

HOUR_NS = 3_600 * SECOND_NS
# Wild enough for 0.3 % and 0.75 % of the price to be passed within a few days.
WILD = {
    "binance-usdm": {"binance-usdm:BTCUSDT": {"basis_mean_bp": 60, "basis_std_bp": 60}},
    "hyperliquid": {"hyperliquid:BTC": {"basis_std_bp": 10}},
}
FRAME_HEAD = 4  # bytes of a frame's header, of a payload of 126 bytes or more
every_profile = pytest.mark.parametrize("profile", FundingProfile)


def run(venue: str, profile: str) -> tuple[VenueProtocol, Exchange, int]:
    """The venue of a run with these rules, its view, and the start."""
    values = {"start": "2026-01-01", "funding": profile, "venues": [venue], "manifest": WILD[venue]}
    config = load([Layer(str, values)], VENUES)
    start_ns, origin_ns = resolve(config, 0)
    ((served, exchange),) = exchanges(config, VENUES, origin_ns)
    return served, exchange, start_ns


def usdm(of: tuple[VenueProtocol, Exchange, int], path: str, now_ns: int) -> Any:
    path, _, query = path.partition("?")
    return json.loads(of[0].handle(HttpRequest("GET", f"/fapi/v1/{path}", query), of[1], now_ns).body)


def info(of: tuple[VenueProtocol, Exchange, int], now_ns: int, **body: object) -> Any:
    headers = {"content-type": "application/json"}
    request = HttpRequest("POST", "/info", headers=headers, body=json.dumps(body).encode())
    return json.loads(of[0].handle(request, of[1], now_ns).body)


@pytest.mark.parametrize(
    ("profile", "cap", "hours"), [("real", "0.00300000", 1), ("classic", "0.02000000", 8)]
)
def test_what_binance_tells_of_funding_agrees(profile: str, cap: str, hours: int) -> None:
    """Bounds and interval, the next settlement and its rate in the stream and in premiumIndex, then the history."""
    of = venue, exchange, start_ns = run("binance-usdm", profile)
    (row,) = (row for row in usdm(of, "fundingInfo", start_ns) if row["symbol"] == "BTCUSDT")
    assert (row["adjustedFundingRateCap"], row["fundingIntervalHours"]) == (cap, hours)
    assert row["adjustedFundingRateFloor"] == f"-{cap}"

    settled_ns = start_ns + hours * HOUR_NS
    (stream,) = channels(venue, exchange, "/ws/btcusdt@markPrice@1s")
    page = stream.page(settled_ns - PAGE_NS)
    before, at = (
        json.loads(page.cut(at_ns - SECOND_NS, at_ns)[FRAME_HEAD:])
        for at_ns in (settled_ns - SECOND_NS, settled_ns)
    )
    assert before["T"] == settled_ns // MS_NS
    assert at["T"] == settled_ns // MS_NS + hours * 3_600_000
    index = usdm(of, "premiumIndex?symbol=BTCUSDT", settled_ns - SECOND_NS)
    assert (index["lastFundingRate"], index["nextFundingTime"]) == (before["r"], before["T"])

    history = usdm(of, f"fundingRate?symbol=BTCUSDT&startTime={start_ns // MS_NS + 1}", settled_ns)
    assert [(row["fundingTime"], row["fundingRate"]) for row in history] == [(before["T"], before["r"])]
    paid = venue.settlements("BTCUSDT", exchange, start_ns, settled_ns)
    assert (paid.ts_ns.tolist(), paid.rate_e12.tolist()) == (
        [settled_ns],
        [round(float(before["r"]) * 10**8) * 10_000],
    )
    assert venue.settlements(
        "BTCUSDT", exchange, start_ns, settled_ns + 10 * 24 * HOUR_NS
    ).rate_e12.max() <= (round(float(cap) * 10**12))


@every_profile
def test_what_hyperliquid_tells_of_funding_agrees(profile: str) -> None:
    """The predicted rate, that of the context, and what the hour's record says."""
    of = venue, exchange, start_ns = run("hyperliquid", profile)
    settled_ns = start_ns + HOUR_NS
    fundings = dict(info(of, settled_ns - SECOND_NS, type="predictedFundings"))
    predicted = dict(fundings["BTC"])["HlPerp"]
    assert predicted["nextFundingTime"] == start_ns // MS_NS, (
        "so the venue has it: the one that has just been"
    )
    assert predicted["fundingIntervalHours"] == 1
    context = info(of, settled_ns - SECOND_NS, type="metaAndAssetCtxs")[1][0]
    assert context["funding"] == predicted["fundingRate"]
    start_ms = start_ns // MS_NS + 1_000
    (record,) = info(of, settled_ns + SECOND_NS, type="fundingHistory", coin="BTC", startTime=start_ms)
    paid = venue.settlements("BTC", exchange, start_ns, settled_ns)
    assert float(record["fundingRate"]) == paid.rate_e12[0] / 1e12
    # the last samples of the hour move the mean by a 720th each
    assert float(record["fundingRate"]) == pytest.approx(float(predicted["fundingRate"]), abs=1e-6)


@pytest.mark.parametrize("venue", ["binance-usdm", "hyperliquid"])
def test_the_rules_change_rates_and_nothing_else(venue: str) -> None:
    """Prices are those of the same world; rates are not."""
    symbol = "BTC" if venue == "hyperliquid" else "BTCUSDT"
    (real, of_real, start_ns), (classic, of_classic, _) = run(venue, "real"), run(venue, "classic")
    a, b = of_real.market(symbol), of_classic.market(symbol)
    assert a
    assert b
    grids = [market.seconds(start_ns, start_ns + HOUR_NS) for market in (a, b)]
    assert grids[0].index_e8.tolist() == grids[1].index_e8.tolist()
    day_ns = start_ns + 24 * HOUR_NS
    rates = [
        v.settlements(symbol, e, start_ns, day_ns).rate_e12.tolist()
        for v, e in ((real, of_real), (classic, of_classic))
    ]
    assert rates[0] != rates[1]


def test_other_rules_are_refused() -> None:
    """In one line, with those there are."""
    with pytest.raises(ConfigError, match=r"^funding: 'own' is not allowed; allowed: one of real, classic$"):
        load([Layer(str, {"funding": "own"})], VENUES)
