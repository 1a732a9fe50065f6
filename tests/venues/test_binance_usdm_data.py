"""Binance USD-M's /futures/data: statistics of periods, from a tape whose every number is chosen."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reactor.types import DAY_NS, MS_NS, SECOND_NS
from tests.venues.spot import BUY, SELL, exchange
from tests.venues.usdm import get, market

MINUTE_NS = 60 * SECOND_NS
NOON_NS = 1_699_963_200_000 * MS_NS  # 2023-11-14 12:00 UTC
TAPE = market(
    origin_ns=NOON_NS - 2 * DAY_NS,
    prints=[
        (NOON_NS - DAY_NS + MINUTE_NS, 640_000, 10_000, BUY, 1, 1, 1),
        (NOON_NS - 9 * MINUTE_NS, 650_000, 3_000, BUY, 2, 2, 2),
        (NOON_NS - 7 * MINUTE_NS, 650_010, 1_000, SELL, 3, 3, 3),
        (NOON_NS - 6 * MINUTE_NS, 650_020, 500, SELL, 4, 4, 4),
        (NOON_NS - 4 * MINUTE_NS, 650_100, 2_000, BUY, 5, 5, 5),
    ],
    second=lambda _: (650_000, 65_010_00000000, 0),
)
ON = exchange(TAPE)


def ms(minutes: int) -> int:
    """So long after noon."""
    return (NOON_NS + minutes * MINUTE_NS) // MS_NS


def asked(path: str, query: str, now_ns: int = NOON_NS + 2 * MINUTE_NS) -> Any:
    answer = get(ON, f"/futures/data/{path}", query, now_ns)
    assert answer.status == 200, answer
    return answer.body.decode()


def test_taker_volumes_are_of_whole_periods() -> None:
    """Bought by sold, 0 where none was sold; the running period is not told."""
    told = asked("takerlongshortRatio", "symbol=BTCUSDT&period=5m&limit=2")
    assert told == (
        f'[{{"buySellRatio":"2.0000","buyVol":"3.0000","sellVol":"1.5000","timestamp":{ms(-10)}}},'
        f'{{"buySellRatio":"0.0000","buyVol":"2.0000","sellVol":"0.0000","timestamp":{ms(-5)}}}]'
    )


def test_open_interest_is_counted_and_valued_at_the_start_of_a_period() -> None:
    """0.626 of what traded in the 24 h before, at the mark price of then."""
    told = asked("openInterestHist", "symbol=BTCUSDT&period=5m&limit=2")
    # 10.000, then 14.500 contracts; the price is 64000 until the first print of today, then as it traded
    amounts = [(row["sumOpenInterest"], row["timestamp"]) for row in json.loads(told)]
    assert amounts == [("6.26000000", ms(-10)), ("9.07700000", ms(-5))]
    assert told.startswith('[{"symbol":"BTCUSDT","sumOpenInterest":"6.26000000","sumOpenInterestValue":"')


def test_the_basis_is_how_far_the_contract_is_from_the_index() -> None:
    """Rate and difference may be negative; only a perpetual is listed."""
    query = "pair=BTCUSDT&period=5m&limit=1&contractType="
    assert asked("basis", query + "PERPETUAL") == (
        '[{"indexPrice":"65010.00000000","contractType":"PERPETUAL","basisRate":"0.0000","futuresPrice":"65010.00",'
        f'"annualizedBasisRate":"","basis":"0.00000000","pair":"BTCUSDT","timestamp":{ms(-5)}}}]'
    )
    earlier = json.loads(asked("basis", query + f"PERPETUAL&startTime={ms(-10)}"))
    assert (earlier[0]["basis"], earlier[0]["basisRate"]) == ("-10.00000000", "-0.0002")
    assert asked("basis", query + "CURRENT_QUARTER") == "[]"
    assert asked("delivery-price", "pair=BTCUSDT") == "[]"


@pytest.mark.parametrize(
    ("query", "starts"),
    [
        ("&limit=2", [-10, -5]),
        (f"&startTime={ms(-20)}&limit=2", [-20, -15]),
        (f"&startTime={ms(-20)}&endTime={ms(-15)}", [-20, -15]),
        (f"&startTime={ms(-14)}&endTime={ms(-6)}", [-10]),
        (f"&endTime={ms(-15)}&limit=1", [-15]),
        (f"&startTime={ms(0)}", []),
        (f"&startTime={ms(-5)}&endTime={ms(-10)}", []),
    ],
)
def test_periods_are_selected_by_their_start(query: str, starts: list[int]) -> None:
    """From a time on the oldest, else the newest."""
    for path in ("openInterestHist", "takerlongshortRatio"):
        rows = json.loads(asked(path, "symbol=BTCUSDT&period=5m" + query))
        assert [row["timestamp"] for row in rows] == [ms(start) for start in starts]


def test_there_is_a_day_before_and_no_more_than_30() -> None:
    """A market of two days has one of these statistics."""
    rows = json.loads(asked("openInterestHist", "symbol=BTCUSDT&period=1h&limit=500"))
    assert rows[0]["timestamp"] == ms(-24 * 60)
    assert len(rows) == 24


@pytest.mark.parametrize(
    ("path", "query", "code", "text"),
    [
        ("openInterestHist", "symbol=BTCUSDT&period=1m", -1130, "parameter 'period' is invalid."),
        ("openInterestHist", "symbol=BTCUSDT&period=5m&limit=501", -1130, "parameter 'limit' is invalid."),
        ("takerlongshortRatio", "symbol=BTCUSDT&period=5m&limit=0", -1130, "parameter 'limit' is invalid."),
        (
            "takerlongshortRatio",
            f"symbol=BTCUSDT&period=5m&startTime={ms(-31 * 1440)}",
            -1130,
            "parameter 'startTime' is invalid.",
        ),
        ("takerlongshortRatio", "symbol=NOPE&period=5m", -1121, "Invalid symbol."),
        ("basis", "pair=NOPE&contractType=PERPETUAL&period=5m", -4144, "Invalid pair."),
        ("basis", "pair=BTCUSDT&contractType=NOPE&period=5m", -4104, "Invalid contract type."),
        ("delivery-price", "pair=NOPE", -4144, "Invalid pair."),
        (
            "openInterestHist",
            "symbol=BTCUSDT",
            -1102,
            "Mandatory parameter 'period' was not sent, was empty/null, or malformed.",
        ),
    ],
)
def test_what_is_wrong_is_said_in_the_venues_words(path: str, query: str, code: int, text: str) -> None:
    """With status 400."""
    answer = get(ON, f"/futures/data/{path}", query, NOON_NS)
    assert (answer.status, json.loads(answer.body)) == (400, {"code": code, "msg": text})


def test_who_holds_which_side_is_not_known() -> None:
    """So there is no such path."""
    for path in ("globalLongShortAccountRatio", "topLongShortAccountRatio", "topLongShortPositionRatio"):
        assert get(ON, f"/futures/data/{path}", "symbol=BTCUSDT&period=5m").status == 404
