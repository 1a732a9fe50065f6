"""Binance spot over REST: answers, errors in the venue's words, weights; and that no request makes it stumble."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.types import MS_NS, SECOND_NS
from tests.venues.spot import (
    ASK,
    BID,
    BUY,
    INSTRUMENT,
    SELL,
    T0,
    TICK0,
    connect,
    differences,
    exchange,
    get,
    market,
    stream,
)
from venues.base import HttpRequest, Reply, Topic, VenueProtocol
from venues.binance import BINANCE
from venues.binance.rest import SPOT_ROUTES
from venues.binance.rules import ERRORS

TAPE = market(
    quotes=[(T0 + MS_NS, 6_500_000, 150_000, 6_500_001, 20_000, 1_001)],
    prints=[
        (T0 + 3 * MS_NS, 6_500_001, 1_000, BUY, 101, 51, 31),
        (T0 + 12_345_678, 6_500_000, 123_456, SELL, 102, 52, 32),
        (T0 + 80 * MS_NS, 6_500_001, 7, BUY, 103, 53, 33),
    ],
    levels=[
        (TICK0, BID, 6_500_000, 149_000, 1_002),
        (TICK0 + 9, ASK, 6_500_001, 0, 1_005),
        (TICK0 + 12, BID, 1, 1, 1_006),
    ],
    start_bids=[(6_500_000, 150_000), (6_499_999, 5)],
    start_asks=[(6_500_001, 20_000), (6_500_007, 3)],
    start_update_id=1_000,
)
EXCHANGE = exchange(TAPE)


def body(path: str, query: str = "", now_ns: int = T0 + SECOND_NS, **headers: str) -> str:
    answer = get(EXCHANGE, path, query, now_ns, **headers)
    assert (answer.status, answer.content_type) == (200, "application/json;charset=UTF-8"), answer
    return answer.body.decode()


# ---------------------------------------------------------------- answers
def test_ping_and_time() -> None:
    """https://github.com/binance/binance-spot-api-docs rest-api.md, 2026-07-21; the time is the virtual clock's."""
    assert body("/api/v3/ping") == "{}"
    assert body("/api/v3/time") == '{"serverTime":1700000001000}'
    assert body("/api/v3/time", x_mbx_time_unit="MICROSECOND") == '{"serverTime":1700000001000000}'


def test_depth_is_dated_at_the_last_100_ms_boundary() -> None:
    """What changed since then is for the next event to say, so the snapshot joins the stream without a gap."""
    for now_ns in (T0 + 100 * MS_NS, T0 + 190 * MS_NS):
        assert body("/api/v3/depth", "symbol=BTCUSDT", now_ns) == (
            '{"lastUpdateId":1005,"bids":[["65000.00000000","1.49000000"],["64999.99000000","0.00005000"]],'
            '"asks":[["65000.07000000","0.00003000"]]}'
        )
    second = json.loads(stream(TAPE, Topic("depth", "BTCUSDT", ("100ms",)))[1][1])
    assert second["U"] == 1_006
    assert json.loads(body("/api/v3/depth", "symbol=BTCUSDT", T0 + 99 * MS_NS))["lastUpdateId"] == 1_000


@pytest.mark.parametrize(
    ("query", "levels"), [("", 100), ("&limit=7", 7), ("&limit=5000", 5000), ("&limit=6000", 5000)]
)
def test_depth_has_as_many_levels_as_asked(query: str, levels: int) -> None:
    """100 unless asked, 5000 at most, more is silently that many."""
    deep = market(
        start_bids=[(p, 1) for p in range(9000, 0, -1)], start_asks=[(p, 1) for p in range(9001, 18000)]
    )
    book = json.loads(get(exchange(deep), "/api/v3/depth", "symbol=BTCUSDT" + query).body)
    assert (len(book["bids"]), len(book["asks"])) == (levels, levels)
    assert (book["bids"][0], book["asks"][0]) == (
        ["90.00000000", "0.00001000"],
        ["90.01000000", "0.00001000"],
    )


def test_trades_are_the_newest_oldest_first() -> None:
    """Ascending, in virtual time; quoteQty is the exact product."""
    first = (
        '{"id":101,"price":"65000.01000000","qty":"0.01000000","quoteQty":"650.00010000","time":1700000000003,'
        '"isBuyerMaker":false,"isBestMatch":true}'
    )
    second = (
        '{"id":102,"price":"65000.00000000","qty":"1.23456000","quoteQty":"80246.40000000","time":1700000000012,'
        '"isBuyerMaker":true,"isBestMatch":true}'
    )
    assert body("/api/v3/trades", "symbol=BTCUSDT", T0 + 50 * MS_NS) == f"[{first},{second}]"
    assert body("/api/v3/trades", "symbol=BTCUSDT&limit=1", T0 + 50 * MS_NS) == f"[{second}]"
    assert body("/api/v3/trades", "symbol=BTCUSDT", T0) == "[]"
    micro = body("/api/v3/trades", "symbol=BTCUSDT&limit=1", T0 + 50 * MS_NS, x_mbx_time_unit="microsecond")
    assert '"time":1700000000012345,' in micro


def test_trades_are_a_thousand_at_most() -> None:
    """500 unless asked; more than 1000 is silently that many."""
    busy = exchange(market(prints=[(T0 + i, 100, 1, BUY, i, i, i) for i in range(1_200)]))
    for query, first in (("", 700), ("&limit=1000", 200), ("&limit=1001", 200)):
        trades = json.loads(get(busy, "/api/v3/trades", "symbol=BTCUSDT" + query, T0 + SECOND_NS).body)
        assert (trades[0]["id"], trades[-1]["id"]) == (first, 1_199)


def test_exchange_info_describes_the_symbol() -> None:
    """Key order as documented, tick and lot padded to 8 decimals, PRICE_FILTER where clients look for it."""
    info = json.loads(body("/api/v3/exchangeInfo"))
    assert list(info) == ["timezone", "serverTime", "rateLimits", "exchangeFilters", "symbols"]
    assert (info["timezone"], info["serverTime"]) == ("UTC", 1_700_000_001_000)
    assert info["rateLimits"][0] == {
        "rateLimitType": "REQUEST_WEIGHT",
        "interval": "MINUTE",
        "intervalNum": 1,
        "limit": 6000,
    }
    (symbol,) = info["symbols"]
    assert ",".join(symbol) == (
        "symbol,status,baseAsset,baseAssetPrecision,quoteAsset,quotePrecision,quoteAssetPrecision,"
        "baseCommissionPrecision,quoteCommissionPrecision,orderTypes,icebergAllowed,ocoAllowed,otoAllowed,opoAllowed,"
        "quoteOrderQtyMarketAllowed,allowTrailingStop,cancelReplaceAllowed,amendAllowed,pegInstructionsAllowed,"
        "isSpotTradingAllowed,isMarginTradingAllowed,filters,permissions,permissionSets,"
        "defaultSelfTradePreventionMode,allowedSelfTradePreventionModes"
    )
    assert (symbol["symbol"], symbol["status"], symbol["baseAsset"], symbol["quoteAsset"]) == (
        *("BTCUSDT", "TRADING"),
        *("BTC", "USDT"),
    )
    price, lot = symbol["filters"][:2]
    assert (price["filterType"], price["tickSize"]) == ("PRICE_FILTER", "0.01000000")
    assert (lot["filterType"], lot["minQty"], lot["stepSize"]) == ("LOT_SIZE", "0.00001000", "0.00001000")
    assert (symbol["permissions"], symbol["permissionSets"]) == ([], [["SPOT", "MARGIN"]])


@pytest.mark.parametrize(
    ("query", "symbols"),
    [
        ("symbol=BTCUSDT", ["BTCUSDT"]),
        ("symbols=%5B%22BTCUSDT%22%5D", ["BTCUSDT"]),
        ("symbols=[]", []),
        ("permissions=SPOT", ["BTCUSDT"]),
        ('permissions=["MARGIN","LEVERAGED"]', ["BTCUSDT"]),
        ("permissions=LEVERAGED", []),
        ("permissions=TRD_GRP_004", []),
        ("symbolStatus=TRADING", ["BTCUSDT"]),
        ("symbolStatus=HALT&permissions=SPOT", []),
        ("showPermissionSets=false", ["BTCUSDT"]),
    ],
)
def test_exchange_info_selects(query: str, symbols: list[str]) -> None:
    """By one symbol, several, permission or status."""
    info = json.loads(body("/api/v3/exchangeInfo", query))
    assert [row["symbol"] for row in info["symbols"]] == symbols
    if query == "showPermissionSets=false":
        assert info["symbols"][0]["permissionSets"] == []


@pytest.mark.parametrize("path", [path for path in SPOT_ROUTES if path.startswith("/sapi/")])
def test_what_a_client_with_a_key_asks_first_is_there(path: str) -> None:
    """ccxt 4.5.90 with a key set signs these before its first subscription and is content with nothing listed."""
    assert body(path, "timestamp=1700000000000&recvWindow=10000&signature=ab") == "[]"


# ---------------------------------------------------------------- errors
# Texts: https://github.com/binance/binance-spot-api-docs errors.md, 2026-07-21, and what the live venue said: doubles
# https://github.com/sieblyio/binance/issues/507 (2025-01), more parameters than an endpoint has
# https://github.com/binance/binance-api-postman/issues/236 (2025-01), strangers
# https://github.com/ccxt/node-binance-api/issues/18 (2017-12), a limit of 0 or below and a symbol's legal range in
# tests of public repositories against it (2024 and 2025-12).
MANDATORY = "Mandatory parameter '{}' was not sent, was empty/null, or malformed."
NOT_A_SYMBOL = r"Illegal characters found in parameter 'symbol'; legal range is '^[\w\-._&&[^a-z]]{1,50}$'."
NOT_A_NUMBER = "Illegal characters found in parameter 'limit'; legal range is '^[0-9]{1,20}$'."


@pytest.mark.parametrize(
    ("path", "query", "code", "text"),
    [
        ("depth", "", -1102, MANDATORY.format("symbol")),
        ("trades", "limit=5", -1102, MANDATORY.format("symbol")),
        ("depth", "limit=5&colour=red", -1102, MANDATORY.format("symbol")),
        ("depth", "symbol=BTCUSDT&limit=0", -1102, MANDATORY.format("limit")),
        ("trades", "symbol=BTCUSDT&limit=0", -1102, MANDATORY.format("limit")),
        ("depth", "symbol=", -1105, "Parameter 'symbol' was empty."),
        ("depth", "symbol=BTCUSDT&limit=", -1105, "Parameter 'limit' was empty."),
        ("depth", "symbol=btcusdt", -1100, NOT_A_SYMBOL),
        ("depth", "symbol=BTC/USDT", -1100, NOT_A_SYMBOL),
        ("depth", "symbol=" + "B" * 51, -1100, NOT_A_SYMBOL),
        ("depth", "symbol=BTCUSDT&limit=-5", -1100, NOT_A_NUMBER),
        ("depth", "symbol=BTCUSDT&limit=abc", -1100, NOT_A_NUMBER),
        ("trades", "symbol=BTCUSDT&limit=1.5", -1100, NOT_A_NUMBER),
        ("depth", "symbol=NOPEUSDT", -1121, "Invalid symbol."),
        ("trades", "symbol=BTC_USDT", -1121, "Invalid symbol."),
        ("exchangeInfo", "symbol=NOPEUSDT", -1121, "Invalid symbol."),
        ("exchangeInfo", 'symbols=["BTCUSDT","NOPE"]', -1121, "Invalid symbol."),
        ("depth", "symbol=BTCUSDT&symbol=BTCUSDT", -1101, "Duplicate values for parameter 'symbol'."),
        ("ping", "symbol=BTCUSDT", -1101, "Too many parameters; expected '0' and received '1'."),
        ("time", "?", -1101, "Too many parameters; expected '0' and received '1'."),
        (
            *("trades", "symbol=BTCUSDT&limit=1&fromId=1", -1101),
            "Too many parameters; expected '2' and received '3'.",
        ),
        (
            *("depth", "symbol=BTCUSDT&depth=5", -1104),
            "Not all sent parameters were read; read '1' parameter(s) but was sent '2'.",
        ),
        (
            "exchangeInfo",
            "symbol=BTCUSDT&permissions=SPOT",
            -1128,
            "Combination of optional parameters invalid.",
        ),
        (
            "exchangeInfo",
            "symbol=BTCUSDT&symbolStatus=TRADING",
            -1128,
            "Combination of optional parameters invalid.",
        ),
        ("exchangeInfo", "permissions=FUTURES", -1130, "Data sent for parameter 'permissions' is not valid."),
        ("exchangeInfo", "permissions=[1]", -1130, "Data sent for parameter 'permissions' is not valid."),
        ("exchangeInfo", "permissions=[", -1130, "Data sent for parameter 'permissions' is not valid."),
        (
            "exchangeInfo",
            'symbols=["BTCUSDT","BTCUSDT"]',
            -1151,
            "Symbol is present multiple times in the list.",
        ),
        ("exchangeInfo", "symbolStatus=OPEN", -1122, "Invalid symbolStatus."),
        ("depth", "symbol=BTCUSDT&symbolStatus=OPEN", -1122, "Invalid symbolStatus."),
        (
            *("depth", "symbol=BTCUSDT&symbolStatus=HALT", -1220),
            "The symbol's status does not match the requested symbolStatus.",
        ),
    ],
)
def test_a_bad_parameter_is_named_in_the_venues_words(path: str, query: str, code: int, text: str) -> None:
    """Status 400, code and text, in the venue's key order."""
    answer = get(EXCHANGE, f"/api/v3/{path}", query)
    assert (answer.status, answer.content_type) == (400, "application/json;charset=UTF-8")
    assert answer.body.decode() == f'{{"code":{code},"msg":{json.dumps(text)}}}'


@pytest.mark.parametrize(
    "symbols", ["BTCUSDT", '["btcusdt"]', '["BTCUSDT", "ETHUSDT"]', '["BTCUSDT",]', "{}"]
)
def test_a_bad_list_of_symbols_is_told_its_legal_range(symbols: str) -> None:
    """Not a list, lower case, or a space in it; the text as the venue has printed it since symbols may be 50 long."""
    answer = json.loads(get(EXCHANGE, "/api/v3/exchangeInfo", urlencode({"symbols": symbols})).body)
    assert answer == {
        "code": -1100,
        "msg": "Illegal characters found in parameter 'symbols'; legal range is "
        r"""'^\[("[\w\-._&&[^a-z]]{1,50}"(,"[\w\-._&&[^a-z]]{1,50}"){0,}){0,1}\]$'.""",
    }


def test_a_bad_time_unit_is_refused() -> None:
    """-1194, https://github.com/binance/binance-spot-api-docs/blob/master/errors.md, 2026-07-21."""
    answer = get(EXCHANGE, "/api/v3/time", x_mbx_time_unit="NANOSECOND")
    assert (answer.status, answer.body) == (
        400,
        b'{"code":-1194,"msg":"Invalid value for time unit; expected either MICROSECOND or MILLISECOND."}',
    )


@pytest.mark.parametrize(
    ("method", "path", "status", "length"),
    [
        ("GET", "/api/v3/nope", 404, 0),
        ("GET", "/", 404, 0),
        ("GET", "/api/v3/depth/", 404, 0),
        ("POST", "/api/v3/depth", 405, 0),
        ("DELETE", "/api/v3/time", 405, 0),
        ("GET", "/api/v1/depth", 410, 136),
        ("POST", "/api/v3/userDataStream", 410, 136),
    ],
)
def test_paths_that_are_not_there(method: str, path: str, status: int, length: int) -> None:
    """Unknown, wrong method, and gone: the last two since early 2026, with the length of body clients logged then."""
    answer = BINANCE.handle(HttpRequest(method, path), EXCHANGE, T0)
    assert (answer.status, len(answer.body)) == (status, length)


def test_every_error_has_one_status_code_and_text() -> None:
    """The catalogue renders, and its codes are the client's fault."""
    for row in ERRORS.values():
        assert row.status == 400
        assert -1999 < row.code < -1000


# ---------------------------------------------------------------- weights
def used(answer_headers: tuple[tuple[str, str], ...]) -> int:
    headers = dict(answer_headers)
    assert headers.keys() == {"x-mbx-used-weight", "x-mbx-used-weight-1m"}
    assert headers["x-mbx-used-weight"] == headers["x-mbx-used-weight-1m"]
    return int(headers["x-mbx-used-weight-1m"])


@pytest.mark.parametrize(
    ("path", "query", "weight"),
    [
        ("/api/v3/ping", "", 1),
        ("/api/v3/time", "", 1),
        ("/api/v3/exchangeInfo", "", 20),
        ("/api/v3/depth", "symbol=BTCUSDT", 5),
        ("/api/v3/depth", "symbol=BTCUSDT&limit=100", 5),
        ("/api/v3/depth", "symbol=BTCUSDT&limit=101", 25),
        ("/api/v3/depth", "symbol=BTCUSDT&limit=500", 25),
        ("/api/v3/depth", "symbol=BTCUSDT&limit=1000", 50),
        ("/api/v3/depth", "symbol=BTCUSDT&limit=1001", 250),
        ("/api/v3/depth", "symbol=BTCUSDT&limit=99999", 250),
        ("/api/v3/depth", "symbol=NOPEUSDT&limit=1000", 50),
        ("/api/v3/depth", "symbol=BTCUSDT&limit=0", 1),
        ("/api/v3/depth", "symbol=btcusdt", 1),
        ("/api/v3/trades", "symbol=BTCUSDT", 25),
        ("/sapi/v1/margin/allPairs", "", 0),
        ("/api/v3/nope", "", 0),
    ],
)
def test_a_request_has_its_weight(path: str, query: str, weight: int) -> None:
    """https://github.com/binance/binance-spot-api-docs/blob/master/rest-api.md, 2026-07-21."""
    assert used(get(exchange(TAPE), path, query).headers) == weight


def test_weights_add_up_by_client_and_minute() -> None:
    """Every answer says what this client has used since the minute began, errors included."""
    shared, minute = exchange(TAPE), 60 * SECOND_NS
    start = T0 // minute * minute

    def ask(client: str, path: str, now_ns: int) -> int:
        return used(BINANCE.handle(HttpRequest("GET", path, client=client), shared, now_ns).headers)

    assert ask("10.0.0.1", "/api/v3/exchangeInfo", start) == 20
    assert ask("10.0.0.1", "/api/v3/depth", start + 30 * SECOND_NS) == 21
    assert ask("10.0.0.2", "/api/v3/ping", start + 30 * SECOND_NS) == 1
    assert ask("10.0.0.1", "/api/v3/nope", start + minute - 1) == 21
    assert ask("10.0.0.1", "/api/v3/ping", start + minute) == 1
    assert used(get(exchange(TAPE), "/api/v3/ping", now_ns=start).headers) == 1


# ---------------------------------------------------------------- whatever a client asks
NAMES = (
    st.sampled_from(["symbol", "symbols", "limit", "permissions", "symbolStatus", "showPermissionSets"])
    | st.text()
)
VALUES = st.text() | st.sampled_from(
    ["BTCUSDT", '["BTCUSDT"]', "[]", "5", "9" * 20, "9" * 21, "SPOT", "TRADING", "true"]
)


@given(
    st.sampled_from(sorted(SPOT_ROUTES)),
    st.lists(st.tuples(NAMES, VALUES), max_size=4).map(urlencode) | st.text(),
    st.integers(T0, T0 + 100 * SECOND_NS),
)
def test_an_endpoint_never_stumbles(path: str, query: str, now_ns: int) -> None:
    """Any query is answered with JSON: what was asked, or one of the venue's errors."""
    answer = get(EXCHANGE, path, query, now_ns // MS_NS * MS_NS)
    said: Any = json.loads(answer.body)
    if answer.status != 200:
        assert (answer.status, said["code"]) in {(row.status, row.code) for row in ERRORS.values()}
        assert list(said) == ["code", "msg"]


@given(st.text(), st.text(), st.text(), st.dictionaries(st.text(), st.text(), max_size=3), st.binary())
def test_no_request_makes_it_stumble(
    method: str, path: str, query: str, headers: dict[str, str], content: bytes
) -> None:
    """Whatever is sent, wherever."""
    for at in (path, "/api/v3/" + path, "/api/v3/depth"):
        request = HttpRequest(method, at, quote(query), headers, content)
        assert 400 <= BINANCE.handle(request, EXCHANGE, T0).status < 500


# ---------------------------------------------------------------- real messages
def test_messages_have_the_shape_of_real_ones() -> None:
    """Types, keys, their order and decimals, against samples recorded from the venue where there are any."""
    told = {
        **{
            f"ws/{name}": stream(TAPE, Topic(name, "BTCUSDT"))[0][1]
            for name in ("trade", "aggTrade", "bookTicker")
        },
        "ws/depthUpdate": stream(TAPE, Topic("depth", "BTCUSDT", (), ("combined",)))[0][1],
        "ws/partialDepth": stream(TAPE, Topic("depth5", "BTCUSDT", ("100ms",), ("combined",)))[0][1],
        **{
            f"rest/{name}": get(EXCHANGE, f"/api/v3/{name}", query, T0 + SECOND_NS).body
            for name, query in (("depth", "symbol=BTCUSDT"), ("trades", "symbol=BTCUSDT"), ("time", ""))
        },
        "rest/error": get(EXCHANGE, "/api/v3/depth").body,
        "ws/subscribe_ack": reply('{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1}'),
        "ws/subscribe_ack@list": reply('{"method":"LIST_SUBSCRIPTIONS","id":1}'),
        "ws/subscribe_ack@bool": reply('{"method":"GET_PROPERTY","params":["combined"],"id":1}'),
        "ws/error": reply('{"method":"SUBSCRIBE","params":["nonsense"],"id":1}'),
    }
    for channel, message in told.items():
        assert differences(channel, message) == [], channel
    info = differences("rest/exchangeInfo", get(EXCHANGE, "/api/v3/exchangeInfo").body)
    assert [
        line for line in info if "filterType" not in line
    ] == []  # the samples are older than some filters


def reply(said: str) -> bytes:
    """The answer to one control message on a new socket."""
    session = connect("/ws/btcusdt@depth")
    session.open(T0, T0)
    first = session.receive(said, T0, T0)[0]
    assert isinstance(first, Reply)
    return first.payload


def test_the_card_keeps_the_contract() -> None:
    """The object is what the emulator expects, and lists Bitcoin first."""
    venue: VenueProtocol = BINANCE
    assert (venue.id, venue.port_offset, venue.listings[0].instrument) == ("binance", 1, INSTRUMENT)
    assert INSTRUMENT.market == "binance:BTCUSDT"
