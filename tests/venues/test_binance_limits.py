"""Binance's limits: who stays under one is never touched, who exceeds it gets the documented answer, then a ban."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from reactor.types import MS_NS, SECOND_NS
from tests.venues import usdm
from tests.venues.spot import exchange, market
from venues.base import Close, Exchange, HttpRequest, HttpResponse, Reply
from venues.binance import BINANCE, BINANCE_USDM, Binance
from venues.binance.rules import CONNECTIONS
from venues.binance.ws_api import ApiSession
from venues.limits import OFF, Charge, Moment, Usage

MINUTE_NS = 60 * SECOND_NS
START_NS = 1_700_000_040 * SECOND_NS  # 2023-11-14 22:14:00 UTC
START_MS = START_NS // MS_NS
LATE_NS = START_NS + 20 * SECOND_NS

SPOT_429 = (
    "Too much request weight used; current limit is 6000 request weight per 1 MINUTE. Please use WebSocket Streams for "
    "live updates to avoid polling the API."
)
SPOT_418 = (
    "Way too much request weight used; IP banned until {}. "
    "Please use WebSocket Streams for live updates to avoid bans."
)
USDM_429 = (
    "Too many requests; current limit is 2400 requests per minute. Please use the websocket for live updates to avoid "
    "polling the API."
)
USDM_418 = (
    "Way too many requests; IP banned until {}. Please use the websocket for live updates to avoid bans."
)

# Documented: .../errors.md#-1003-too_many_requests, 2026-07-21, and .../usds-margined-futures/error-code, 2026-08.
VENUES = [
    pytest.param(BINANCE, exchange(market()), "/api/v3/exchangeInfo", 300, SPOT_429, SPOT_418, id="spot"),
    pytest.param(
        BINANCE_USDM, exchange(usdm.market()), "/fapi/v1/assetIndex", 240, USDM_429, USDM_418, id="usdm"
    ),
]


def limited(on: Exchange, scale: float = 1) -> Exchange:
    return replace(on, usage=Usage(scale))


def ask(venue: Binance, on: Exchange, path: str, now_ns: int, query: str = "") -> HttpResponse:
    return venue.handle(HttpRequest("GET", path, query, client="a", wall_ns=now_ns), on, now_ns)


@pytest.mark.parametrize(("venue", "on", "path", "times", "refused", "banned"), VENUES)
def test_a_minutes_weight_is_granted_then_refused_then_a_ban(
    venue: Binance, on: Exchange, path: str, times: int, refused: str, banned: str
) -> None:
    """All of it in any minute; what is more gets 429 until the next one; who goes on gets 418, for two minutes."""
    on = limited(on)
    for minute in range(3):
        for _ in range(times):
            assert ask(venue, on, path, START_NS + minute * MINUTE_NS).status == 200
    late_ns = LATE_NS + 2 * MINUTE_NS
    for _ in range(10):
        answer = ask(venue, on, path, late_ns)
        assert (answer.status, json.loads(answer.body)) == (429, {"code": -1003, "msg": refused})
        assert dict(answer.headers)["retry-after"] == "40"
    until_ns = late_ns + 2 * MINUTE_NS
    for at_ns, left in ((late_ns, "120"), (until_ns - 500 * MS_NS, "1")):
        answer = ask(venue, on, path, at_ns)
        told = {"code": -1003, "msg": banned.format(until_ns // MS_NS)}
        assert (answer.status, json.loads(answer.body)) == (418, told)
        assert dict(answer.headers)["retry-after"] == left
        assert ask(venue, on, "/nowhere", at_ns).status == 418
    assert ask(venue, on, path, until_ns).status == 200


@pytest.mark.parametrize(("venue", "on", "path", "times", "refused", "banned"), VENUES)
def test_a_client_that_waits_is_not_banned(
    venue: Binance, on: Exchange, path: str, times: int, refused: str, banned: str
) -> None:
    """One refusal a minute, for an hour."""
    assert refused
    assert banned
    on = limited(on, 0.1)
    for minute in range(60):
        now_ns = START_NS + minute * MINUTE_NS
        statuses = [ask(venue, on, path, now_ns).status for _ in range(times // 10 + 1)]
        assert statuses == [200] * (times // 10) + [429]


def test_every_client_has_a_limit_of_its_own_and_bans_grow() -> None:
    """A ban is of two minutes first, then longer, three days at most."""
    on = limited(exchange(market()), 0.001)
    now_ns, lasted = START_NS, []
    for _ in range(8):
        while True:
            answer = ask(BINANCE, on, "/api/v3/exchangeInfo", now_ns)
            if answer.status == 418:
                lasted.append(int(dict(answer.headers)["retry-after"]) // 60)
                break
        other = BINANCE.handle(HttpRequest("GET", "/api/v3/ping", client="b", wall_ns=now_ns), on, now_ns)
        assert other.status == 200
        now_ns += (lasted[-1] + 1) * MINUTE_NS
    assert (lasted[0], lasted[-1]) == (2, 3 * 24 * 60)
    assert lasted == sorted(lasted)


@pytest.mark.parametrize(
    ("path", "query", "times"),
    [
        ("/fapi/v1/fundingRate", "symbol=BTCUSDT&limit=1", 500),
        ("/futures/data/delivery-price", "pair=BTCUSDT", 1000),
    ],
)
def test_some_endpoints_share_a_limit_over_five_minutes(path: str, query: str, times: int) -> None:
    """Without weight; the other endpoints are not touched. Funding and statistics have one each."""
    on = limited(exchange(usdm.market()))
    for i in range(times):
        answer = ask(BINANCE_USDM, on, path, START_NS + i * MS_NS, query)
        assert (answer.status, dict(answer.headers)["x-mbx-used-weight-1m"]) == (200, "0")
    refused = ask(BINANCE_USDM, on, path, LATE_NS, query)
    assert (refused.status, json.loads(refused.body)["code"]) == (429, -1003)
    assert int(dict(refused.headers)["retry-after"]) == 280
    assert ask(BINANCE_USDM, on, "/fapi/v1/ping", LATE_NS).status == 200
    assert ask(BINANCE_USDM, on, path, START_NS + 5 * MINUTE_NS + times * MS_NS, query).status == 200


@pytest.mark.parametrize(("scale", "limit"), [(1, 6_000), (0.01, 60), (10, 60_000), (OFF, 6_000)])
def test_a_client_is_told_the_limits_it_has(scale: float, limit: int) -> None:
    """By exchangeInfo and the WebSocket API; without any, the venue's own."""
    on = limited(exchange(market()), scale)
    told = json.loads(ask(BINANCE, on, "/api/v3/exchangeInfo", START_NS).body)["rateLimits"][0]
    assert told == {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": limit}
    session = BINANCE.session(HttpRequest("GET", "/ws-api/v3", client="a"), on)
    assert isinstance(session, ApiSession)
    assert say(session, LATE_NS)[0]["rateLimits"][0] == {**told, "count": 40}


# ---------------------------------------------------------------- the WebSocket API
def say(session: ApiSession, now_ns: int, wall_ns: int = 0) -> tuple[Any, ...]:
    first, *more = session.receive('{"id":1,"method":"exchangeInfo"}', now_ns, wall_ns or now_ns)
    assert isinstance(first, Reply)
    return json.loads(first.payload), *more


def test_a_socket_says_when_to_come_back_and_ends_with_a_ban() -> None:
    """As https://github.com/binance/binance-spot-api-docs web-socket-api.md#ip-limits, 2026-07-21, has it."""
    on = limited(exchange(market()), 0.01)  # of 60, 2 go into connecting
    session = BINANCE.session(HttpRequest("GET", "/ws-api/v3", client="a"), on)
    assert isinstance(session, ApiSession)
    session.open(LATE_NS, LATE_NS)
    assert [say(session, LATE_NS)[0]["status"] for _ in range(3)] == [200, 200, 429]
    refused, *more = say(session, LATE_NS)
    assert more == []
    assert refused["error"] == {
        "code": -1003,
        "msg": SPOT_429.replace("6000", "60"),
        "data": {"serverTime": START_MS + 20_000, "retryAfter": START_MS + 60_000},
    }
    for _ in range(8):
        say(session, LATE_NS)
    say(session, LATE_NS)
    banned, *more = say(session, LATE_NS, LATE_NS + SECOND_NS)  # only the wall clock has moved
    until_ms = START_MS + 140_000
    assert (banned["id"], banned["status"]) == (1, 418)
    assert banned["error"] == {
        "code": -1003,
        "msg": SPOT_418.format(until_ms),
        "data": {"serverTime": START_MS + 20_000, "retryAfter": until_ms},
    }
    assert more == [Close(1008, "Too many requests")]


# ---------------------------------------------------------------- sockets
def test_300_connections_may_be_attempted_in_five_minutes() -> None:
    """What is answered to one more is not documented but for its status; a ban is told."""
    for venue, banned in ((BINANCE, SPOT_418), (BINANCE_USDM, USDM_418)):
        assert venue.socket_rules.opening == CONNECTIONS
        assert (CONNECTIONS.count, CONNECTIONS.window_ns) == (300, 300 * SECOND_NS)
        refused = venue.socket_rules.refuse(Charge(301, 300, 7 * SECOND_NS))
        assert (refused.status, refused.body, refused.headers) == (429, b"", (("retry-after", "7"),))
        shut_out = venue.socket_rules.refuse(Charge(0, 0, 7 * SECOND_NS, START_NS))
        assert (shut_out.status, json.loads(shut_out.body)) == (
            418,
            {"code": -1003, "msg": banned.format(START_MS)},
        )


@pytest.mark.parametrize(("venue", "a_second"), [(BINANCE, 5), (BINANCE_USDM, 10)])
def test_a_flood_ends_the_socket_and_floods_shut_the_client_out(venue: Binance, a_second: int) -> None:
    """Just under the limit a client talks for minutes; repeatedly over it, it is banned for two."""
    on = limited(exchange(market() if venue is BINANCE else usdm.market()))
    said = '{"method":"LIST_SUBSCRIPTIONS","id":1}'

    def session() -> Any:
        return venue.session(HttpRequest("GET", "/ws", client="a"), on)

    calm = session()
    for i in range(200 * a_second):
        now_ns = START_NS + i * SECOND_NS // a_second
        assert isinstance(calm.receive(said, now_ns, now_ns)[0], Reply)
    later_ns = START_NS + 300 * SECOND_NS
    for _ in range(6):
        assert on.usage.banned("a", on_both(later_ns)) is None
        flooded = session()
        answers = [flooded.receive(said, later_ns, later_ns)[0] for _ in range(a_second + 1)]
        assert answers[-1] == Close(1008, "Too many requests")
        assert all(isinstance(answer, Reply) for answer in answers[:-1])
    assert on.usage.banned("a", on_both(later_ns)) is not None
    assert on.usage.banned("a", on_both(later_ns + 120 * SECOND_NS)) is None


def on_both(now_ns: int) -> Moment:
    return Moment(now_ns, now_ns)
