"""Binance USD-M REST: exact answers from tapes written by hand, the venue's errors, weights, and its own symbols."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.types import BLOCK_NS, DAY_NS, MS_NS, SECOND_NS
from tests.venues.spot import ASK, BID, BUY, SELL, T0, TICK0, exchange
from tests.venues.usdm import ETH, SOL, get, market, stream, tape
from venues.base import HttpRequest, Topic
from venues.binance import BINANCE_USDM
from venues.binance.mark import settlements
from venues.binance.usdm_rest import USDM_ROUTES
from venues.binance.usdm_rules import USDM_ERRORS

START_MS = T0 // MS_NS  # 22:13:20 UTC
HOUR_NS = 3_600 * SECOND_NS
TAPE = market(
    origin_ns=T0 - 2 * DAY_NS,
    quotes=[(T0 + 620 * MS_NS, 650_000, 7, 650_001, 9, 1_001)],
    prints=[
        (T0 - DAY_NS, 642_000, 3_000, SELL, 101, 51, 31),
        (T0 + 500 * MS_NS, 650_000, 1_000, BUY, 102, 52, 32),
        (T0 + 500 * MS_NS, 650_000, 501, BUY, 103, 52, 32),
        (T0 + 700 * MS_NS, 650_100, 3, SELL, 104, 53, 33),
    ],
    levels=[(TICK0 + 3, BID, 650_000, 149_000, 1_002), (TICK0 + 19, ASK, 650_007, 0, 1_003)],
    start_bids=[(650_000, 150_000), *((649_990 - i, 1 + i) for i in range(30))],
    start_asks=[(650_001, 20_000), (650_007, 3)],
    start_update_id=1_000,
    second=lambda t: (650_000 + (t - T0) // SECOND_NS % 60, 65_000_05000000, 0),
)
ETH_TAPE = market(
    ETH,
    origin_ns=T0 - 2 * DAY_NS,
    prints=[(T0 - SECOND_NS, 320_000, 10, BUY, 7, 7, 7)],
    quotes=[(T0, 1, 2, 3, 4, 5)],
)
ALL = exchange(TAPE, ETH_TAPE)
NOW_NS = T0 + SECOND_NS


def body(path: str, query: str = "", now_ns: int = NOW_NS) -> str:
    """The body of a good answer."""
    answer = get(ALL, f"/fapi/{path}", query, now_ns)
    assert (answer.status, answer.content_type) == (200, "application/json;charset=UTF-8"), answer
    return answer.body.decode()


def rows(path: str, query: str = "", now_ns: int = NOW_NS) -> Any:
    return json.loads(body(path, query, now_ns))


# ---------------------------------------------------------------- the book and trades
def test_the_server_is_there_and_has_a_clock() -> None:
    """Under its own path and, for clients with one URL for both markets, under spot's."""
    for path in ("/fapi/v1", "/api/v3"):
        assert get(ALL, f"{path}/ping").body == b"{}"
        assert get(ALL, f"{path}/time", now_ns=NOW_NS).body == b'{"serverTime":1700000001000}'


def test_exchange_info_tells_every_symbol_whatever_is_asked() -> None:
    """Keys as answered on 2026-09-15, when `symbol` was overlooked."""
    info = rows("v1/exchangeInfo")
    assert list(info) == [
        *("timezone", "serverTime", "futuresType", "rateLimits", "exchangeFilters", "assets", "symbols"),
    ]
    assert rows("v1/exchangeInfo", "symbol=NOPE") == info
    bitcoin, ether = info["symbols"]
    assert ",".join(bitcoin) == (
        "symbol,pair,contractType,deliveryDate,onboardDate,status,maintMarginPercent,requiredMarginPercent,baseAsset,"
        "quoteAsset,marginAsset,pricePrecision,quantityPrecision,baseAssetPrecision,quotePrecision,underlyingType,"
        "underlyingSubType,triggerProtect,liquidationFee,marketTakeBound,maxMoveOrderLimit,filters,orderTypes,"
        "timeInForce,permissionSets"
    )
    assert (bitcoin["symbol"], bitcoin["contractType"], ether["pair"]) == ("BTCUSDT", "PERPETUAL", "ETHUSDT")


# https://fapi.binance.com/fapi/v1/exchangeInfo, 2026-09-15; the keys of a filter come in any order
BTC_FILTERS = [
    {"filterType": "PRICE_FILTER", "minPrice": "556.80", "maxPrice": "4529764", "tickSize": "0.10"},
    {"filterType": "LOT_SIZE", "minQty": "0.001", "stepSize": "0.001", "maxQty": "1000"},
    {"stepSize": "0.001", "filterType": "MARKET_LOT_SIZE", "minQty": "0.001", "maxQty": "120"},
    {"limit": 200, "filterType": "MAX_NUM_ORDERS"},
    {"filterType": "MIN_NOTIONAL", "notional": "50"},
    {
        "multiplierUp": "1.0500",
        "multiplierDecimal": "4",
        "filterType": "PERCENT_PRICE",
        "multiplierDown": "0.9500",
    },
    {"positionControlSide": "NONE", "filterType": "POSITION_RISK_CONTROL"},
]


def test_symbols_have_the_venues_sizes() -> None:
    """Precision beyond the tick, filters with PRICE_FILTER first, as clients expect it."""
    on = exchange(TAPE, ETH_TAPE, market(SOL))
    symbols = json.loads(get(on, "/fapi/v1/exchangeInfo").body)["symbols"]
    assert symbols[0]["filters"] == BTC_FILTERS
    assert [
        (
            row["pricePrecision"],
            row["filters"][0]["tickSize"],
            row["quantityPrecision"],
            row["filters"][1]["stepSize"],
        )
        for row in symbols
    ] == [(2, "0.10", 3, "0.001"), (2, "0.01", 3, "0.001"), (4, "0.0100", 2, "0.01")]


def test_depth_is_dated() -> None:
    """As of the last 100 ms boundary (T), told now (E), in the symbol's decimals."""
    assert body("v1/depth", "symbol=BTCUSDT&limit=5", T0 + 190 * MS_NS) == (
        '{"lastUpdateId":1002,"E":1700000000190,"T":1700000000100,"bids":[["65000.00","149.000"],["64999.00","0.001"],'
        '["64998.90","0.002"],["64998.80","0.003"],["64998.70","0.004"]],'
        '"asks":[["65000.10","20.000"],["65000.70","0.003"]]}'
    )


@pytest.mark.parametrize(
    ("query", "levels"), [("", 31), ("&limit=10", 10), ("&limit=20", 20), ("&limit=1000", 31)]
)
def test_depth_has_so_many_levels(query: str, levels: int) -> None:
    """As asked, where the book has them."""
    assert len(rows("v1/depth", f"symbol=BTCUSDT{query}")["bids"]) == levels


def test_trades_and_aggregates_are_the_newest() -> None:
    """Oldest first; the value of a trade to the price's precision."""
    assert body("v1/trades", "symbol=BTCUSDT&limit=2") == (
        '[{"id":103,"price":"65000.00","qty":"0.501","quoteQty":"32565.00","time":1700000000500,"isBuyerMaker":false,'
        '"isRPITrade":false},{"id":104,"price":"65010.00","qty":"0.003","quoteQty":"195.03","time":1700000000700,'
        '"isBuyerMaker":true,"isRPITrade":false}]'
    )
    assert body("v1/aggTrades", "symbol=BTCUSDT&limit=2") == (
        '[{"a":52,"p":"65000.00","q":"1.501","nq":"1.501","f":102,"l":103,"T":1700000000500,"m":false},'
        '{"a":53,"p":"65010.00","q":"0.003","nq":"0.003","f":104,"l":104,"T":1700000000700,"m":true}]'
    )
    assert [row["a"] for row in rows("v1/aggTrades", "symbol=BTCUSDT&fromId=51&limit=2")] == [51, 52]
    since = f"symbol=BTCUSDT&startTime={START_MS + 600}&endTime={START_MS + 900}"
    assert [row["a"] for row in rows("v1/aggTrades", since)] == [53]


# ---------------------------------------------------------------- bars
def test_klines_are_spots_in_other_decimals() -> None:
    """The running bar is the last one; a pair's contract has the same."""
    told = body("v1/klines", "symbol=BTCUSDT&interval=1m&limit=1")
    assert told == (
        '[[1699999980000,"65000.00","65010.00","65000.00","65010.00","1.504",1700000039999,"97760.03000",3,"1.501",'
        '"97565.00000","0"]]'
    )
    contract = "pair=BTCUSDT&contractType=PERPETUAL&interval=1m&limit=1"
    assert body("v1/continuousKlines", contract) == told
    assert len(rows("v1/klines", "symbol=BTCUSDT&interval=1m&limit=1500")) == 1_500
    assert len(rows("v1/klines", "symbol=BTCUSDT&interval=1m")) == 500


def test_seconds_are_an_interval_of_contracts_only() -> None:
    """Since 2026-10-21; klines of a symbol know them as little as they did on 2026-09-15."""
    by_second = "pair=BTCUSDT&contractType=PERPETUAL&interval=1s&limit=2"
    assert [row[8] for row in rows("v1/continuousKlines", by_second)] == [0, 3]
    for path, name in (
        *(("klines", "symbol"), ("markPriceKlines", "symbol")),
        *(("indexPriceKlines", "pair"), ("premiumIndexKlines", "symbol")),
    ):
        answer = get(ALL, f"/fapi/v1/{path}", f"{name}=BTCUSDT&interval=1s")
        assert answer.body == b'{"code":-1120,"msg":"Invalid interval."}'


def test_a_contract_that_is_not_listed_has_no_bars() -> None:
    """Its type is known, so it is no error."""
    for contract in ("CURRENT_QUARTER", "NEXT_QUARTER", "TRADIFI_PERPETUAL"):
        assert body("v1/continuousKlines", f"pair=BTCUSDT&contractType={contract}&interval=1m") == "[]"


def test_bars_of_the_mark_are_made_of_what_was_streamed() -> None:
    """Of the marks told from the minute's beginning on; nothing is traded in them."""
    start_ns = T0 // BLOCK_NS * BLOCK_NS
    told = [
        json.loads(text)["p"]
        for page_ns in range(start_ns - 10 * SECOND_NS, T0 + SECOND_NS, 10 * SECOND_NS)
        for due, text in stream(TAPE, Topic("markPrice", "BTCUSDT", ("1s",)), page_ns)
        if start_ns <= page_ns + due <= NOW_NS
    ]
    assert len(told) == 22
    (row,) = rows("v1/markPriceKlines", "symbol=BTCUSDT&interval=1m&limit=1")
    ordered = sorted(told, key=float)
    expected = [start_ns // MS_NS, told[0], ordered[-1], ordered[0], told[-1]]
    assert row == [*expected, "0", start_ns // MS_NS + 59_999, "0", 22, "0", "0", "0"]


def test_bars_of_the_index_are_a_pairs() -> None:
    """To eight decimals."""
    assert body("v1/indexPriceKlines", "pair=BTCUSDT&interval=1h&limit=1") == (
        '[[1699999200000,"65000.05000000","65000.05000000","65000.05000000","65000.05000000","0",1700002799999,"0",802,'
        '"0","0","0"]]'
    )


def test_bars_of_the_premium_have_both_signs() -> None:
    """The premium index, sampled every 5 s."""
    swinging = market(
        origin_ns=T0 - 2 * DAY_NS,
        second=lambda t: (650_000, 65_000_05000000, t // SECOND_NS % 60 * 100 - 1_000),
    )
    answer = get(exchange(swinging), "/fapi/v1/premiumIndexKlines", "symbol=BTCUSDT&interval=1m&limit=1", T0)
    assert json.loads(answer.body)[0][1:5] == ["-0.00001000", "0.00001000", "-0.00001000", "0.00001000"]


@pytest.mark.parametrize(
    ("query", "opens"),
    [
        ("limit=2", [-80, -20]),
        (f"startTime={START_MS - 80_000}&limit=1", [-80]),
        (f"startTime={START_MS - 79_999}", [-20]),
        (f"startTime={START_MS - 200_000}&endTime={START_MS - 80_000}", [-200, -140, -80]),
        (f"endTime={START_MS - 80_000}&limit=2", [-140, -80]),
        (f"startTime={START_MS + 10**9}", []),
        (f"endTime={START_MS - 10**9}", []),
    ],
)
@pytest.mark.parametrize(
    ("path", "name"), [("markPriceKlines", "symbol"), ("indexPriceKlines", "pair"), ("klines", "symbol")]
)
def test_bars_are_selected_by_their_opening(path: str, name: str, query: str, opens: list[int]) -> None:
    """The newest up to a time, the oldest from a time on; both ends included."""
    told = rows(f"v1/{path}", f"{name}=BTCUSDT&interval=1m&{query}")
    assert [(row[0] - START_MS) // 1_000 for row in told] == opens


# ---------------------------------------------------------------- funding, mark, open interest
def test_the_premium_index_is_what_was_streamed() -> None:
    """Of the last whole second, for one symbol or all."""
    told = body("v1/premiumIndex", "symbol=BTCUSDT", NOW_NS + 990 * MS_NS)
    # bid 650,001: the mid is 65000.15, above its smooth basis and below the funding of 6,399 s
    assert told == (
        '{"symbol":"BTCUSDT","markPrice":"65001.49421986","indexPrice":"65000.05000000",'
        '"estimatedSettlePrice":"65000.05000000","lastFundingRate":"0.00010000","interestRate":"0.00010000",'
        '"nextFundingTime":1700006400000,"time":1700000001000}'
    )
    streamed = json.loads(stream(TAPE, Topic("markPrice", "BTCUSDT", ("1s",)))[0][1])
    row = json.loads(told)
    assert (row["markPrice"], row["time"], row["nextFundingTime"]) == (
        streamed["p"],
        streamed["E"],
        streamed["T"],
    )
    assert [row["symbol"] for row in rows("v1/premiumIndex")] == ["BTCUSDT", "ETHUSDT"]


def test_settlements_are_listed_oldest_first() -> None:
    """Times on the schedule, rates to eight decimals, the mark price of the instant."""
    told = rows("v1/fundingRate", "symbol=BTCUSDT&limit=2")
    assert [list(row) for row in told] == [
        ["symbol", "fundingTime", "fundingRate", "markPrice", "rateType"]
    ] * 2
    assert [row["fundingTime"] for row in told] == [1699948800000, 1699977600000]
    marks = settlements(tape(TAPE), T0 - DAY_NS, T0).mark_e8[-2:].tolist()
    assert [row["markPrice"] for row in told] == [f"{mark // 10**8}.{mark % 10**8:08d}" for mark in marks]
    assert body("v1/fundingRate", "symbol=ETHUSDT&limit=1").startswith(
        '[{"symbol":"ETHUSDT","fundingTime":1699977600000,"fundingRate":"0.00010000","markPrice":"'
    )


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("", [(n, base) for n in (5, 4, 3, 2, 1) for base in ("BTC", "ETH")]),
        ("limit=3", [(2, "ETH"), (1, "BTC"), (1, "ETH")]),
        (f"startTime={1699977600000 - 8 * 3_600_000}", [(2, "BTC"), (2, "ETH"), (1, "BTC"), (1, "ETH")]),
        (f"startTime={1699977600000 - 8 * 3_600_000}&limit=1", [(2, "BTC")]),
        (
            f"startTime={1699977600000 - 20 * 3_600_000}&endTime={1699977600000 - 8 * 3_600_000}",
            [(3, "BTC"), (3, "ETH"), (2, "BTC"), (2, "ETH")],
        ),
        (f"endTime={1699977600000 - 1}&limit=2", [(2, "BTC"), (2, "ETH")]),
        (f"startTime={1699977600001}", []),
    ],
)
def test_settlements_are_selected_by_time(query: str, told: list[tuple[int, str]]) -> None:
    """Of all symbols: the newest, or from a time on the oldest; how many intervals ago, and whose.

    The newest was at 16:00 (1699977600), the first one 32 h before: 9 h 47 min after the listing.
    """
    got = [
        ((1699977600000 - row["fundingTime"]) // (8 * 3_600_000) + 1, row["symbol"][:3])
        for row in rows("v1/fundingRate", query)
    ]
    assert got == told


def test_funding_info_bounds_every_symbol() -> None:
    """Caps to eight decimals, eight hours; a symbol asked for is overlooked, as on 2026-09-15."""
    on = exchange(TAPE, market(SOL))
    answer = get(on, "/fapi/v1/fundingInfo", "symbol=BTCUSDT")
    assert answer.body == (
        b'[{"symbol":"BTCUSDT","adjustedFundingRateCap":"0.00300000","adjustedFundingRateFloor":"-0.00300000",'
        b'"fundingIntervalHours":8,"disclaimer":false,"updateTime":null},'
        b'{"symbol":"SOLUSDT","adjustedFundingRateCap":"0.02000000","adjustedFundingRateFloor":"-0.02000000",'
        b'"fundingIntervalHours":8,"disclaimer":false,"updateTime":null}]'
    )


def test_open_interest_is_counted_by_the_minute() -> None:
    """0.626 of the 3 BTC of the day before 22:13."""
    assert body("v1/openInterest", "symbol=BTCUSDT") == (
        '{"symbol":"BTCUSDT","openInterest":"1.878","time":1699999980000}'
    )


# ---------------------------------------------------------------- what else there is
def test_past_trades_are_for_those_with_a_key() -> None:
    """Any well-formed one; the message is documented (errors.md, 2026-07-21). Rows are those of `trades`."""
    path, query = "/fapi/v1/historicalTrades", "symbol=BTCUSDT&fromId=102&limit=2"
    for headers in ({}, {"x_mbx_apikey": ""}, {"x_mbx_apikey": "no key"}):
        refused = get(ALL, path, query, NOW_NS, **headers)
        assert (refused.status, refused.body) == (401, b'{"code":-2014,"msg":"API-key format invalid."}')
    told = get(ALL, path, query, NOW_NS, x_mbx_apikey="a" * 64)
    assert told.status == 200
    assert json.loads(told.body) == rows("v1/trades", "symbol=BTCUSDT")[1:3]
    assert dict(told.headers)["x-mbx-used-weight-1m"] >= "200"


def test_the_book_with_retail_orders_is_the_book() -> None:
    """Of 1000 levels, and of no other number."""
    assert body("v1/rpiDepth", "symbol=BTCUSDT") == body("v1/depth", "symbol=BTCUSDT&limit=1000")
    assert get(ALL, "/fapi/v1/rpiDepth", "symbol=BTCUSDT&limit=500").body == (
        b'{"code":-4021,"msg":"500 is not valid depth limit"}'
    )


def test_indexes_of_assets() -> None:
    """As recorded by https://github.com/roq-trading/roq-binance-futures (json_asset_index_ack.cpp) on 2026-07-20."""
    bitcoin = (
        '{"symbol":"BTCUSD","time":1700000001000,"index":"65000.05000000","bidBuffer":"0.00000000",'
        '"askBuffer":"0.00000000","bidRate":"65000.05000000","askRate":"65000.05000000",'
        '"autoExchangeBidBuffer":"0.00000000","autoExchangeAskBuffer":"0.00000000",'
        '"autoExchangeBidRate":"65000.05000000","autoExchangeAskRate":"65000.05000000"}'
    )
    assert body("v1/assetIndex", "symbol=BTCUSD") == bitcoin
    assert body("v1/assetIndex").startswith(f'[{bitcoin},{{"symbol":"ETHUSD",')
    assert json.loads(get(ALL, "/fapi/v1/assetIndex", "symbol=BTCUSDT").body)["code"] == -1121


def test_an_index_has_no_constituents() -> None:
    """It is the price of its asset; and no contract is of several coins."""
    told = '{"symbol":"BTCUSDT","time":1700000001000,"constituents":[]}'
    assert body("v1/constituents", "symbol=BTCUSDT") == told
    assert body("v1/indexInfo") == body("v1/indexInfo", "symbol=BTCUSDT") == "[]"


# ---------------------------------------------------------------- tickers
def test_the_day_ticker_has_no_quotes() -> None:
    """Statistics since the minute 24 h ago and the newest print."""
    told = body("v1/ticker/24hr", "symbol=BTCUSDT")
    assert told == (
        '{"symbol":"BTCUSDT","priceChange":"810.00","priceChangePercent":"1.262","weightedAvgPrice":"64467.15",'
        '"lastPrice":"65010.00","lastQty":"0.003","openPrice":"64200.00","highPrice":"65010.00","lowPrice":"64200.00",'
        '"volume":"4.504","quoteVolume":"290360.03","openTime":1699913580000,"closeTime":1700000001000,"firstId":101,'
        '"lastId":104,"count":4}'
    )
    assert [row["symbol"] for row in rows("v1/ticker/24hr")] == ["BTCUSDT", "ETHUSDT"]


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_the_price_ticker_is_dated(version: str) -> None:
    """In both versions."""
    assert body(f"{version}/ticker/price", "symbol=BTCUSDT") == (
        '{"symbol":"BTCUSDT","price":"65010.00","time":1700000001000}'
    )
    assert [row["price"] for row in rows(f"{version}/ticker/price")] == ["65010.00", "3200.00"]


def test_the_book_ticker_is_dated_and_numbered() -> None:
    """With the time and the update id of the newest quotes."""
    assert body("v1/ticker/bookTicker", "symbol=BTCUSDT") == (
        '{"symbol":"BTCUSDT","bidPrice":"65000.00","bidQty":"0.007","askPrice":"65000.10","askQty":"0.009",'
        '"time":1700000000620,"lastUpdateId":1001}'
    )
    assert len(rows("v1/ticker/bookTicker")) == 2


# ---------------------------------------------------------------- errors
# Answered on 2026-09-15: -1120, -1121, -1130 and -4021; https://developers.binance.com/docs/derivatives/
# usds-margined-futures/error-code, 2026-08: -4104 and -4144; the others as on spot.
@pytest.mark.parametrize(
    ("path", "query", "code", "text"),
    [
        ("depth", "symbol=BTCUSDT&limit=3", -4021, "3 is not valid depth limit"),
        ("depth", "symbol=BTCUSDT&limit=1500", -1130, "Data sent for parameter 'limit' is not valid."),
        ("depth", "symbol=BTCUSDT&limit=0", -1130, "Data sent for parameter 'limit' is not valid."),
        (
            "klines",
            "symbol=BTCUSDT&interval=1m&limit=1501",
            -1130,
            "Data sent for parameter 'limit' is not valid.",
        ),
        ("aggTrades", "symbol=BTCUSDT&limit=1001", -1130, "Data sent for parameter 'limit' is not valid."),
        ("fundingRate", "limit=1001", -1130, "Data sent for parameter 'limit' is not valid."),
        ("klines", "symbol=BTCUSDT&interval=1x", -1120, "Invalid interval."),
        ("markPriceKlines", "symbol=BTCUSDT&interval=", -1105, "Parameter 'interval' was empty."),
        ("ticker/24hr", "symbol=NOTAREALSYM", -1121, "Invalid symbol."),
        ("openInterest", "symbol=NOTAREALSYM", -1121, "Invalid symbol."),
        ("fundingRate", "symbol=NOTAREALSYM", -1121, "Invalid symbol."),
        ("indexPriceKlines", "pair=NOTAREALPAIR&interval=1m", -4144, "Invalid pair."),
        (
            *("continuousKlines", "pair=NOPE&contractType=PERPETUAL&interval=1m", -4144),
            "Invalid pair.",
        ),
        (
            *("continuousKlines", "pair=BTCUSDT&contractType=FOREVER&interval=1m", -4104),
            "Invalid contract type.",
        ),
        (
            *("depth", "limit=5", -1102),
            "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.",
        ),
        (
            *("aggTrades", f"symbol=BTCUSDT&fromId=1&startTime={START_MS}", -1128),
            "Combination of optional parameters invalid.",
        ),
    ],
)
def test_what_is_wrong_is_said_in_the_venues_words(path: str, query: str, code: int, text: str) -> None:
    """Status 400, code and text."""
    answer = get(ALL, f"/fapi/v1/{path}", query)
    assert (answer.status, answer.body.decode()) == (400, f'{{"code":{code},"msg":{json.dumps(text)}}}')


def test_strange_parameters_and_units_of_time_are_overlooked() -> None:
    """Doubles of a known one are not."""
    assert get(ALL, "/fapi/v1/time", "colour=red&colour=blue", x_mbx_time_unit="MICROSECOND").body == (
        b'{"serverTime":1700000000000}'
    )
    assert get(ALL, "/fapi/v1/klines", "symbol=BTCUSDT&interval=1d&limit=1&timeZone=nowhere").status == 200
    assert json.loads(get(ALL, "/fapi/v1/depth", "symbol=BTCUSDT&symbol=BTCUSDT").body)["code"] == -1101


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/fapi/v1/nope", 404),
        ("GET", "/fapi/v3/ping", 404),
        ("POST", "/fapi/v1/depth", 405),
        ("GET", "/", 404),
    ],
)
def test_paths_that_are_not_there(method: str, path: str, status: int) -> None:
    """Unknown, and wrong method."""
    assert BINANCE_USDM.handle(HttpRequest(method, path), ALL, T0).status == status


# ---------------------------------------------------------------- weights
@pytest.mark.parametrize(
    ("path", "query", "weight"),
    [
        ("ping", "", 1),
        ("time", "", 1),
        ("exchangeInfo", "", 1),
        *(
            ("depth", f"symbol=BTCUSDT&limit={n}", w)
            for n, w in ((5, 2), (50, 2), (100, 5), (500, 10), (1000, 20))
        ),
        ("depth", "symbol=BTCUSDT", 10),
        ("depth", "symbol=BTCUSDT&limit=3", 1),
        ("trades", "symbol=BTCUSDT", 5),
        ("aggTrades", "symbol=BTCUSDT", 20),
        *(
            ("klines", f"symbol=BTCUSDT&interval=1m&limit={n}", w)
            for n, w in ((99, 1), (100, 2), (499, 2), (500, 5), (1000, 5), (1001, 10), (1500, 10))
        ),
        ("indexPriceKlines", "pair=BTCUSDT&interval=1m", 5),
        ("premiumIndex", "", 10),
        ("premiumIndex", "symbol=BTCUSDT", 1),
        ("fundingRate", "", 0),
        ("fundingInfo", "", 0),
        ("openInterest", "symbol=BTCUSDT", 1),
        ("historicalTrades", "symbol=BTCUSDT", 1),
        ("rpiDepth", "symbol=BTCUSDT", 20),
        ("constituents", "symbol=BTCUSDT", 2),
        ("assetIndex", "", 10),
        ("assetIndex", "symbol=BTCUSD", 1),
        ("indexInfo", "", 1),
        ("ticker/24hr", "", 40),
        ("ticker/24hr", "symbol=BTCUSDT", 1),
        ("ticker/price", "", 2),
        ("ticker/price", "symbol=BTCUSDT", 1),
        ("ticker/bookTicker", "", 5),
        ("ticker/bookTicker", "symbol=BTCUSDT", 2),
    ],
)
def test_a_request_has_its_weight(path: str, query: str, weight: int) -> None:
    """https://developers.binance.com/docs/derivatives/usds-margined-futures/market-data/rest-api, 2026-08."""
    fresh = exchange(TAPE, ETH_TAPE)
    headers = dict(get(fresh, f"/fapi/v1/{path}", query, NOW_NS).headers)
    assert headers["x-mbx-used-weight-1m"] == str(weight)


# ---------------------------------------------------------------- whatever a client asks
NAMES = st.sampled_from(
    [
        *(
            "symbol",
            "pair",
            "contractType",
            "interval",
            "limit",
            "startTime",
            "endTime",
            "fromId",
            "timeZone",
        ),
        "period",
    ]
)
VALUES = st.text() | st.sampled_from(
    [
        "BTCUSDT",
        "PERPETUAL",
        "1m",
        "1s",
        "1h",
        "1w",
        "1M",
        "5m",
        "5",
        "0",
        "9" * 20,
        str(START_MS),
        str(START_MS * 1_000),
    ]
)


@given(
    st.sampled_from(sorted(USDM_ROUTES)),
    st.lists(st.tuples(NAMES, VALUES), max_size=5, unique_by=lambda pair: pair[0]).map(urlencode) | st.text(),
    st.integers(0, 100 * 100),
)
def test_an_endpoint_never_stumbles(path: str, query: str, ticks: int) -> None:
    """Any query is answered with JSON: what was asked, or one of the venue's errors."""
    answer = get(ALL, path, query, T0 + ticks * 10 * MS_NS)
    said: Any = json.loads(answer.body)
    if answer.status != 200:
        assert (answer.status, said["code"]) in {(row.status, row.code) for row in USDM_ERRORS.values()}
        assert list(said) == ["code", "msg"]


@given(st.text(), st.text(), st.text(), st.dictionaries(st.text(), st.text(), max_size=3), st.binary())
def test_no_request_makes_it_stumble(
    method: str, path: str, query: str, headers: dict[str, str], content: bytes
) -> None:
    """Whatever is sent, wherever."""
    for at in (path, "/fapi/v1/" + path, "/fapi/v1/depth"):
        request = HttpRequest(method, at, quote(query), headers, content)
        assert 400 <= BINANCE_USDM.handle(request, ALL, T0).status < 500


# ---------------------------------------------------------------- what needs a block
@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("markPriceKlines", "symbol=BTCUSDT&interval=1m&limit=5"),
        ("markPriceKlines", "symbol=BTCUSDT&interval=4h&limit=5"),
        ("indexPriceKlines", "pair=BTCUSDT&interval=1d"),
        ("premiumIndexKlines", "symbol=BTCUSDT&interval=15m&limit=5"),
        ("premiumIndex", ""),
        ("fundingRate", ""),
        ("fundingInfo", ""),
        ("openInterest", "symbol=BTCUSDT"),
        ("exchangeInfo", ""),
        ("assetIndex", ""),
    ],
)
def test_marks_and_funding_need_no_block(path: str, query: str) -> None:
    """No window of trades or of the book is looked at for what the 1 s grid and the minutes tell."""
    TAPE.asked.clear()
    ETH_TAPE.asked.clear()
    assert rows(f"v1/{path}", query)
    assert (TAPE.asked, ETH_TAPE.asked) == ([], [])


# ---------------------------------------------------------------- errors
def test_every_error_has_one_status_code_and_text() -> None:
    """The catalogue holds spot's rows and those of futures."""
    assert {row.code for row in USDM_ERRORS.values()} >= {-1121, -4021, -4104, -4144}
    assert {row.status for row in USDM_ERRORS.values()} == {400, 401, 418, 429}
