"""Binance's WebSocket API, spot and USD-M: envelopes, limits told of, errors; and that a method is its endpoint."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, cast
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.types import MS_NS, SECOND_NS
from tests.venues import usdm
from tests.venues.spot import ASK, BID, BUY, T0, TICK0, exchange, market
from tests.venues.test_binance_session import JSON, ticking
from venues.base import Close, Exchange, HttpRequest, HttpResponse, Ping, Reply
from venues.binance import BINANCE, BINANCE_USDM, Binance
from venues.binance.ws_api import SPOT_METHODS, USDM_METHODS, ApiSession
from venues.limits import Usage

NOW_NS = T0 + SECOND_NS
TAPE: dict[str, Any] = {
    "quotes": [(T0 + MS_NS, 6_500_000, 150, 6_500_001, 20, 1_001)],
    "prints": [(T0 + 3 * MS_NS, 6_500_001, 1_000, BUY, 101, 51, 31)],
    "levels": [(TICK0, BID, 6_500_000, 149, 1_002), (TICK0 + 9, ASK, 6_500_001, 0, 1_005)],
    "start_bids": [(6_500_000, 150), (6_499_999, 5)],
    "start_asks": [(6_500_001, 20), (6_500_007, 3)],
    "start_update_id": 1_000,
}
SPOT = exchange(market(**TAPE))
PERPETUAL = exchange(usdm.market(**TAPE))


def connect(venue: Binance = BINANCE, on: Exchange = SPOT, query: str = "", client: str = "a") -> ApiSession:
    return connect_to(replace(on, usage=Usage()), venue, query, client)


def connect_to(on: Exchange, venue: Binance = BINANCE, query: str = "", client: str = "a") -> ApiSession:
    """The same, where something of the limits may have been used."""
    session = venue.session(HttpRequest("GET", venue.socket_api.path, query, client=client), on)
    assert isinstance(session, ApiSession), session
    assert session.open(NOW_NS, NOW_NS) == ()
    return session


def say(session: ApiSession, said: object, now_ns: int = NOW_NS) -> str:
    text = said if isinstance(said, str) else json.dumps(said)
    (answer,) = session.receive(text, now_ns, now_ns)
    assert isinstance(answer, Reply), answer
    return answer.payload.decode()


def spot_limit(count: int) -> str:
    return (
        '"rateLimits":[{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":6000,'
        f'"count":{count}}}]'
    )


# ---------------------------------------------------------------- answers
def test_an_answer_says_whose_it_is_what_came_of_it_and_what_was_used() -> None:
    """https://github.com/binance/binance-spot-api-docs web-socket-api.md, 2026-07-21; connecting costs 2."""
    session = connect()
    assert say(session, '{"id":"922bcc6e","method":"ping"}') == (
        '{"id":"922bcc6e","status":200,"result":{},' + spot_limit(3) + "}"
    )
    assert say(session, '{"id":1,"method":"time"}') == (
        '{"id":1,"status":200,"result":{"serverTime":1700000001000},' + spot_limit(4) + "}"
    )
    assert say(session, '{"id":null,"method":"v3/depth","params":{"limit":1,"symbol":"BTCUSDT"}}') == (
        '{"id":null,"status":200,"result":{"lastUpdateId":1005,"bids":[["65000.00000000","0.00149000"]],'
        '"asks":[["65000.07000000","0.00003000"]]},' + spot_limit(9) + "}"
    )


def test_an_error_stands_where_a_result_would() -> None:
    """As recorded by https://github.com/roq-trading/roq-binance (test/json_session_logon.cpp)."""
    session = connect()
    assert say(session, {"id": 7, "method": "depth", "params": {"symbol": "NOSUCH"}}) == (
        '{"id":7,"status":400,"error":{"code":-1121,"msg":"Invalid symbol."},' + spot_limit(7) + "}"
    )


@pytest.mark.parametrize(
    ("query", "params", "told"),
    [
        ("", {}, True),
        ("", {"returnRateLimits": False}, False),
        ("", {"returnRateLimits": True}, True),
        ("returnRateLimits=false", {}, False),
        ("returnRateLimits=false", {"returnRateLimits": True}, True),
        ("returnRateLimits=true", {}, True),
    ],
)
def test_limits_are_told_of_unless_a_client_will_not_have_it(
    query: str, params: dict[str, bool], told: bool
) -> None:
    """By request, or for all of a connection; what is not told is counted all the same."""
    session = connect(query=query)
    for params_sent in (params, {**params, "symbol": "NOSUCH"}):
        answer = json.loads(say(session, {"id": 2, "method": "avgPrice", "params": params_sent}))
        assert list(answer) == ["id", "status", "error", *["rateLimits"] * told]
    assert json.loads(say(session, '{"id":3,"method":"time","params":{"returnRateLimits":true}}'))[
        "rateLimits"
    ] == [
        {
            "rateLimitType": "REQUEST_WEIGHT",
            "interval": "MINUTE",
            "intervalNum": 1,
            "limit": 6000,
            "count": 2 + 1 + 2 + 1,
        }
    ]


def test_weight_is_one_account_with_rest() -> None:
    """Of an address, over all its connections and requests."""
    on = replace(SPOT, usage=Usage())
    session = connect_to(on)
    BINANCE.handle(HttpRequest("GET", "/api/v3/exchangeInfo", client="a"), on, NOW_NS)
    assert json.loads(say(session, '{"id":1,"method":"ping"}'))["rateLimits"][0]["count"] == 23


def test_times_may_be_microseconds() -> None:
    """By the URL; another unit is refused at the door."""
    assert '"serverTime":1700000001000000}' in say(
        connect(query="timeUnit=MICROSECOND"), '{"id":1,"method":"time"}'
    )
    answer = BINANCE.session(HttpRequest("GET", "/ws-api/v3", "timeUnit=HOUR"), SPOT)
    assert isinstance(answer, HttpResponse)
    assert (answer.status, json.loads(answer.body)["code"]) == (400, -1194)


def test_exchange_info_counts_connections_not_raw_requests() -> None:
    """https://github.com/binance/binance-spot-api-docs web-socket-api.md#exchange-information, 2026-07-21."""
    told = json.loads(say(connect(), '{"id":1,"method":"exchangeInfo"}'))["result"]
    assert told["rateLimits"][-1] == {
        "rateLimitType": "CONNECTIONS",
        "interval": "MINUTE",
        "intervalNum": 5,
        "limit": 300,
    }
    assert [row["symbol"] for row in told["symbols"]] == ["BTCUSDT"]


def test_no_symbol_has_a_reference_price() -> None:
    """Told in two ways: https://github.com/binance/binance-spot-api-docs web-socket-api.md, 2026-07-21."""
    session, params = connect(), {"symbol": "BTCUSDT", "returnRateLimits": False}
    told = '{"code":-2043,"msg":"This symbol doesn\'t have a reference price."}'
    assert say(session, {"id": 1, "method": "referencePrice", "params": params}) == (
        '{"id":1,"status":200,"result":' + told + "}"
    )
    assert say(session, {"id": 1, "method": "referencePrice.calculation", "params": params}) == (
        '{"id":1,"status":400,"error":' + told + "}"
    )


REST: list[tuple[Binance, Exchange, str, str, dict[str, Any]]] = [
    (BINANCE, SPOT, "time", "/api/v3/time", {}),
    (BINANCE, SPOT, "executionRules", "/api/v3/executionRules", {"symbols": ["BTCUSDT"]}),
    (BINANCE, SPOT, "depth", "/api/v3/depth", {"symbol": "BTCUSDT", "limit": 1}),
    (BINANCE, SPOT, "trades.recent", "/api/v3/trades", {"symbol": "BTCUSDT", "limit": 5}),
    (BINANCE, SPOT, "trades.historical", "/api/v3/historicalTrades", {"symbol": "BTCUSDT", "fromId": 0}),
    (BINANCE, SPOT, "trades.aggregate", "/api/v3/aggTrades", {"symbol": "BTCUSDT", "fromId": 50}),
    (
        BINANCE,
        SPOT,
        "blockTrades.historical",
        "/api/v3/historicalBlockTrades",
        {"symbol": "BTCUSDT", "fromId": 1},
    ),
    (BINANCE, SPOT, "klines", "/api/v3/klines", {"symbol": "BTCUSDT", "interval": "1m", "limit": 2}),
    (BINANCE, SPOT, "uiKlines", "/api/v3/uiKlines", {"symbol": "BTCUSDT", "interval": "1m", "startTime": 0}),
    (BINANCE, SPOT, "avgPrice", "/api/v3/avgPrice", {"symbol": "BTCUSDT"}),
    (BINANCE, SPOT, "ticker.24hr", "/api/v3/ticker/24hr", {"symbols": ["BTCUSDT"], "type": "MINI"}),
    (BINANCE, SPOT, "ticker.tradingDay", "/api/v3/ticker/tradingDay", {"symbol": "BTCUSDT", "timeZone": "1"}),
    (BINANCE, SPOT, "ticker", "/api/v3/ticker", {"symbol": "BTCUSDT", "windowSize": "7d"}),
    (BINANCE, SPOT, "ticker.price", "/api/v3/ticker/price", {}),
    (BINANCE, SPOT, "ticker.book", "/api/v3/ticker/bookTicker", {"symbol": "BTCUSDT"}),
    (BINANCE_USDM, PERPETUAL, "depth", "/fapi/v1/depth", {"symbol": "BTCUSDT", "limit": 5}),
    (BINANCE_USDM, PERPETUAL, "ticker.price", "/fapi/v2/ticker/price", {"symbol": "BTCUSDT"}),
]


@pytest.mark.parametrize(
    ("venue", "on", "method", "path", "params"), REST, ids=[f"{v.id} {m}" for v, _, m, _, _ in REST]
)
def test_a_method_answers_what_its_endpoint_answers(
    venue: Binance, on: Exchange, method: str, path: str, params: dict[str, Any]
) -> None:
    """Parameters are JSON's own numbers and lists here, and text there; so are the weights the same."""
    query = {k: v if isinstance(v, str) else json.dumps(v, separators=(",", ":")) for k, v in params.items()}
    session = connect(venue, on)
    told = say(session, {"id": 1, "method": method, "params": params})
    unused = replace(on, usage=Usage())
    rest = venue.handle(HttpRequest("GET", path, urlencode(query), client="a"), unused, NOW_NS)
    assert rest.status == 200
    assert told.startswith('{"id":1,"status":200,"result":' + rest.body.decode() + ',"rateLimits"')
    weight = int(dict(rest.headers)["x-mbx-used-weight"])
    assert json.loads(told)["rateLimits"][0]["count"] == venue.socket_api.connection_weight + weight


def test_every_other_method_of_usdm() -> None:
    """Connecting costs 5. The book ticker has keys in an order of its own, as in binance-connector-python, 2026-08."""
    session = connect(BINANCE_USDM, PERPETUAL)
    told = say(session, {"id": "x", "method": "ticker.book", "params": {"symbol": "BTCUSDT"}})
    assert told == (
        '{"id":"x","status":200,"result":{"lastUpdateId":1001,"symbol":"BTCUSDT","bidPrice":"650000.00",'
        '"bidQty":"0.150","askPrice":"650000.10","askQty":"0.020","time":1700000000001},"rateLimits":['
        '{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":2400,"count":7}]}'
    )


# ---------------------------------------------------------------- what is wrong
# -1135: errors.md, 2026-07-21. USD-M's: https://github.com/roq-trading/roq-binance-futures,
# test/json_wsapi_error.cpp. Which code a method has that there is not is not documented.
@pytest.mark.parametrize(
    ("said", "error"),
    [
        ({"id": 1, "method": "nonsense"}, (1, -1020, "This operation is not supported.")),
        (
            {"id": 1},
            (1, -1102, "Mandatory parameter 'method' was not sent, was empty/null, or malformed."),
        ),
        (
            {"id": "x", "method": "ping", "params": [1]},
            ("x", -1102, "Mandatory parameter 'params' was not sent, was empty/null, or malformed."),
        ),
        (
            {"id": 1, "method": "ping", "params": {"apiKey": "k"}},
            (1, -1101, "Too many parameters; expected '0' and received '1'."),
        ),
        (
            {"id": 1, "method": "depth", "params": {"symbol": None}},
            (1, -1105, "Parameter 'symbol' was empty."),
        ),
        (
            {"id": [2], "method": "depth", "params": {"symbol": "BTCUSDT", "limit": 1.5}},
            (
                None,
                -1100,
                "Illegal characters found in parameter 'limit'; legal range is '^[0-9]{1,20}$'.",
            ),
        ),
    ],
)
def test_what_is_wrong_is_said_in_the_venues_words(said: object, error: tuple[object, int, str]) -> None:
    """With the request's id, if it has one."""
    answer = json.loads(say(connect(), said))
    told = answer["error"]
    assert (answer["id"], answer["status"], told["code"], told["msg"]) == (error[0], 400, *error[1:])


def test_what_is_no_request_has_no_id() -> None:
    """And says nothing of limits."""
    spot = '{"id":null,"status":400,"error":{"code":-1135,"msg":"Invalid JSON Request"}}'
    usd_m = '{"id":null,"status":400,"error":{"code":-1000,"msg":"Invalid JSON request."}}'
    for said in ("ping", "", "[1]", "7", '{"id":1'):
        assert say(connect(), said) == spot
        assert say(connect(BINANCE_USDM, PERPETUAL), said) == usd_m


def test_a_binary_frame_closes_the_socket() -> None:
    """Requests are text frames."""
    assert connect().receive(b"{}", T0, T0) == (Close(1003, "Binary frames are not supported"),)


# ---------------------------------------------------------------- life
def test_pings_are_those_of_the_market() -> None:
    """Spot every 20 s, USD-M every 3 min, and a minute or ten to answer."""
    for venue, on, every, within in ((BINANCE, SPOT, 20, 60), (BINANCE_USDM, PERPETUAL, 180, 600)):
        session = connect(venue, on)
        session.open(T0, T0)
        told = ticking(cast(Any, session), range(every + within + 1))
        assert told[0] == (every, Ping(b"%d" % (T0 // MS_NS + every * 1000)))
        assert told[-1] == (every + within, Close(1008, "Pong timeout"))


def test_a_shutdown_is_told_on_spot() -> None:
    """https://github.com/binance/binance-spot-api-docs web-socket-api.md#server-shutdown, 2026-07-21."""
    said = b'{"event":{"e":"serverShutdown","E":%d}}'
    assert connect().farewell(T0) == (Reply(said % 1_700_000_000_000),)
    assert connect(query="timeUnit=MICROSECOND").farewell(T0) == (Reply(said % 1_700_000_000_000_000),)
    assert connect(BINANCE_USDM, PERPETUAL).farewell(T0) == ()


METHODS = st.sampled_from(sorted({*SPOT_METHODS, *USDM_METHODS}))
PARAMS = st.dictionaries(
    st.sampled_from(["symbol", "symbols", "limit", "interval", "fromId", "returnRateLimits"]) | st.text(),
    st.sampled_from(["BTCUSDT", ["BTCUSDT"], 5, "5", "1m", True]) | JSON,
    max_size=4,
)
REQUESTS = st.fixed_dictionaries(
    {"method": METHODS | JSON}, optional={"id": st.integers() | JSON, "params": PARAMS | JSON}
)


@pytest.mark.parametrize(("venue", "on"), [(BINANCE, SPOT), (BINANCE_USDM, PERPETUAL)])
@given(st.lists(st.one_of(st.text(), JSON.map(json.dumps), REQUESTS.map(json.dumps)), max_size=8))
def test_a_session_never_stumbles(venue: Binance, on: Exchange, said: list[str]) -> None:
    """Every message gets one answer: a result with status 200, or one of the venue's errors."""
    session = connect(venue, on)
    for text in said:
        answer = json.loads(say(session, text))
        assert (answer["status"] == 200) == ("result" in answer) != ("error" in answer)
