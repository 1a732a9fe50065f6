"""Binance at its profiles and with its quirks: as it was in December 2025, and errors that come flat."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from reactor.types import DAY_NS, MS_NS, SECOND_NS
from tests.venues import usdm
from tests.venues.spot import BUY, T0, exchange, texts
from tests.venues.test_binance_usdm_rest import NOW_NS, TAPE
from tests.venues.trader import Trader
from venues.base import HttpRequest, HttpResponse, Reply, Session, Subscribe, Topic
from venues.binance import BINANCE, BINANCE_USDM, Binance

THEN = BINANCE_USDM.with_profile("2025-12")
ON = exchange(TAPE)
BTC = {"BTCUSDT"}


def stream(name: str, venue: Binance = THEN) -> str:
    """The first message of a stream."""
    topic = venue.grammar(name, venue.streams, BTC, ())
    assert topic is not None
    return next(texts(venue.channel(topic, ON).page(T0).buffer)).decode()


def get(path: str, query: str, venue: Binance = THEN) -> str:
    answer = venue.handle(HttpRequest("GET", path, query), ON, NOW_NS)
    assert answer.status == 200, answer
    return answer.body.decode()


# ---------------------------------------------------------------- USD-M in December 2025
def test_profiles_are_months_and_the_last_is_the_card() -> None:
    """Both may be asked for by name."""
    assert list(BINANCE_USDM.profiles) == ["2025-12", "2026-11"]
    assert list(BINANCE.profiles) == ["2025-12", "2026-03", "2026-11"]
    assert replace(BINANCE.with_profile("2026-03"), editions={}) == replace(BINANCE, editions={})
    assert BINANCE_USDM.with_profile("2026-11") == BINANCE_USDM
    assert THEN.profiles == BINANCE_USDM.profiles


def test_sockets_had_no_categories() -> None:
    """https://developers.binance.com, Important-WebSocket-Change-Notice, 2026-04: the paths are of 2026-03-06."""
    strict = THEN.with_quirks({"strict_routing": True})
    for venue in (THEN, strict):
        session = venue.session(HttpRequest("GET", "/ws/btcusdt@aggTrade/btcusdt@depth"), ON)
        assert not isinstance(session, HttpResponse)
        told = session.open(T0, T0)
        assert told == [Subscribe(Topic("aggTrade", "BTCUSDT")), Subscribe(Topic("depth", "BTCUSDT"))]
    for path in ("/public/ws", "/market/stream", "/private/ws"):
        answer = THEN.session(HttpRequest("GET", path), ON)
        assert isinstance(answer, HttpResponse)
        assert answer.status == 404


# Key by key as recorded then by https://github.com/roq-trading/roq-binance-futures: aggTrade and markPriceUpdate
# 2026-01-17 (nq had come by then), trade 2026-01-28, bookTicker 2021-10-15; and by
# https://github.com/tardis-dev/tardis-node: depthUpdate 2019-11-17, 24hrTicker 2019-09-17.
@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("btcusdt@aggTrade", "e E a s p q f l T m"),
        ("btcusdt@trade", "e E T s t p q X m"),
        ("btcusdt@bookTicker", "e u s b B a A T E"),
        ("btcusdt@depth", "e E T s U u pu b a"),
        ("btcusdt@depth5", "e E T s U u pu b a"),
        ("btcusdt@markPrice", "e E s p P i r T"),
        ("btcusdt@ticker", "e E s p P w c Q o h l v q O C F L n"),
        ("btcusdt@miniTicker", "e E s c o h l v q"),
        ("btcusdt@kline_1m", "e E s k"),
        ("btcusdt_perpetual@continuousKline_1m", "e E ps ct k"),
    ],
)
def test_messages_told_less(name: str, keys: str) -> None:
    """What they tell now, without what came since; values are the same."""
    now, then = json.loads(stream(name, BINANCE_USDM)), json.loads(stream(name))
    assert " ".join(then) == keys
    assert then == {key: value for key, value in now.items() if key in then}
    assert now.keys() - then.keys() <= {"nq", "ap", "ps", "st"}


def test_a_message_of_then_to_the_byte() -> None:
    """Filled with what https://github.com/roq-trading/roq-binance-futures recorded on 2026-01-28 (json_trade.cpp)."""
    on = exchange(usdm.market(prints=[(T0 + 500 * MS_NS, 650_000, 1_000, BUY, 102, 52, 32)]))
    page = THEN.channel(Topic("trade", "BTCUSDT"), on).page(T0)
    (told,) = texts(page.buffer)
    assert told == (
        b'{"e":"trade","E":1700000000510,"T":1700000000500,"s":"BTCUSDT","t":102,"p":"65000.00","q":"1.000",'
        b'"X":"MARKET","m":false}'
    )


def test_answers_told_less() -> None:
    """binance-connector-python, clients/derivatives_trading_usds_futures/CHANGELOG.md, 2026-08-21."""
    trades = json.loads(get("/fapi/v1/aggTrades", "symbol=BTCUSDT"))
    assert list(trades[0]) == ["a", "p", "q", "f", "l", "T", "m"]
    funding = json.loads(get("/fapi/v1/fundingRate", "symbol=BTCUSDT&limit=1"))
    assert list(funding[0]) == ["symbol", "fundingTime", "fundingRate", "markPrice"]
    (symbol,) = json.loads(get("/fapi/v1/exchangeInfo", ""))["symbols"]
    assert symbol["filters"][-1] == {"limit": 10, "filterType": "MAX_NUM_ALGO_ORDERS"}
    (now,) = json.loads(get("/fapi/v1/exchangeInfo", "", BINANCE_USDM))["symbols"]
    assert symbol["filters"][:-1] == now["filters"]
    for path in ("/fapi/v1/premiumIndex", "/fapi/v1/depth", "/fapi/v1/ticker/24hr"):
        assert get(path, "symbol=BTCUSDT") == get(path, "symbol=BTCUSDT", BINANCE_USDM)


def test_contracts_had_no_seconds() -> None:
    """They were added on 2026-04-20 and 2026-10-21."""
    query = "pair=BTCUSDT&contractType=PERPETUAL&interval="
    refused = THEN.handle(HttpRequest("GET", "/fapi/v1/continuousKlines", query + "1s"), ON, NOW_NS)
    assert json.loads(refused.body)["code"] == -1120
    assert get("/fapi/v1/continuousKlines", query + "1m") == get(
        "/fapi/v1/continuousKlines", query + "1m", BINANCE_USDM
    )
    assert "continuousKline_1s" not in THEN.streams


# ---------------------------------------------------------------- errors that come flat
# https://github.com/binance/binance-spot-api-docs web-socket-streams.md#error-messages, 2026-07-21: only the first has
# an id.
@pytest.mark.parametrize("venue", [BINANCE, BINANCE_USDM], ids=["spot", "usdm"])
@pytest.mark.parametrize(
    ("said", "flat", "nested"),
    [
        (
            '{"method":"GET_PROPERTY","params":["colour"],"id":7}',
            b'{"code":0,"msg":"Unknown property","id":7}',
            b'{"error":{"code":0,"msg":"Unknown property"},"id":7}',
        ),
        (
            '{"method":"SET_PROPERTY","params":["combined",1],"id":7}',
            b'{"code":1,"msg":"Invalid value type: expected Boolean"}',
            b'{"error":{"code":1,"msg":"Invalid value type: expected Boolean"},"id":7}',
        ),
        (
            "ping",
            b'{"code":3,"msg":"Invalid JSON: expected value at line 1 column 1"}',
            b'{"error":{"code":3,"msg":"Invalid JSON: expected value at line 1 column 1"}}',
        ),
    ],
)
def test_errors_come_flat_or_in_an_envelope(venue: Binance, said: str, flat: bytes, nested: bytes) -> None:
    """As documented, and as recorded; what is no error is the same."""
    on = exchange(usdm.market(origin_ns=T0 - 2 * DAY_NS))
    for card, told in ((venue.with_quirks({"flat_errors": True}), flat), (venue, nested)):
        session = card.session(HttpRequest("GET", "/ws"), on)
        assert not isinstance(session, HttpResponse)
        assert answer(session, said) == told
        assert answer(session, '{"method":"LIST_SUBSCRIPTIONS","id":1}') == b'{"result":[],"id":1}'


def answer(session: Session, said: str) -> bytes:
    (reply,) = session.receive(said, T0 + SECOND_NS, T0 + SECOND_NS)
    assert isinstance(reply, Reply)
    return reply.payload


# ---------------------------------------------------------------- spot in December 2025
# Until 2026-02-20: https://github.com/binance/binance-spot-api-docs/blob/master/CHANGELOG.md, 2026-07-21. Answers and
# the two ways to be told are of .../blob/master/user-data-stream.md, 2025-04.
KEYS = "/api/v3/userDataStream"
ORDER = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}
HOUR_NS = 3_600 * SECOND_NS


@pytest.fixture
def trader() -> Trader:
    return Trader(BINANCE.with_profile("2025-12"))


def ask(trader: Trader, method: str, query: str = "") -> tuple[int, object]:
    answer = trader.send(method, KEYS, query)
    return answer.status, json.loads(answer.body)


def listen_key(trader: Trader) -> str:
    """No signature is asked for."""
    status, told = ask(trader, "POST")
    assert status == 200
    assert isinstance(told, dict)
    assert list(told) == ["listenKey"]
    return str(told["listenKey"])


def test_a_listen_key_tells_what_a_subscription_tells_now(trader: Trader) -> None:
    """In the path as it is, among combined streams in their envelope; by SUBSCRIBE, too."""
    key = listen_key(trader)
    raw, combined = trader.connect(f"/ws/{key}"), trader.connect("/stream", f"streams=btcusdt@trade/{key}")
    later = trader.connect("/ws")
    assert later.say({"method": "SUBSCRIBE", "params": [key], "id": 1}) == {"result": None, "id": 1}
    now = trader.connect("/ws-api/v3")
    now.signed("userDataStream.subscribe.signature")
    trader.ask("POST", "/api/v3/order", **ORDER)
    events = raw.take()
    assert [event["e"] for event in events] == ["executionReport"] * 2 + ["outboundAccountPosition"]
    assert combined.take() == [{"stream": key, "data": event} for event in events]
    assert later.take() == events == [told["event"] for told in now.take()]


def test_a_listen_key_of_spot_is_named_where_it_is_kept_alive_and_ended(trader: Trader) -> None:
    key = listen_key(trader)
    assert len(key) == 64
    assert listen_key(trader) == key
    missing = {
        "code": -1102,
        "msg": "Mandatory parameter 'listenKey' was not sent, was empty/null, or malformed.",
    }
    unknown = {"code": -1125, "msg": "This listenKey does not exist."}
    for method in ("PUT", "DELETE"):
        assert ask(trader, method) == (400, missing)
        assert ask(trader, method, f"listenKey={'x' * 64}") == (400, unknown)
        assert ask(trader, method, f"listenKey={key}") == (200, {})
    assert ask(trader, "PUT", f"listenKey={key}") == (400, unknown)


def test_a_listen_key_of_spot_lives_for_an_hour_from_when_it_was_last_kept_alive(trader: Trader) -> None:
    key = listen_key(trader)
    socket = trader.connect(f"/ws/{key}")
    trader.step(HOUR_NS // 2)
    ask(trader, "PUT", f"listenKey={key}")
    trader.step(HOUR_NS - SECOND_NS)
    assert socket.take() == []
    trader.step(2 * SECOND_NS)
    (told,) = socket.take()
    assert (told["e"], told["listenKey"]) == ("listenKeyExpired", key)
    trader.ask("POST", "/api/v3/order", **ORDER)
    assert socket.take() == []


def test_listen_keys_of_spot_by_the_websocket_api(trader: Trader) -> None:
    """.../blob/master/web-socket-api.md#user-data-stream-requests, 2025-12."""
    socket = trader.connect("/ws-api/v3")
    params = {"apiKey": trader.key.key}
    key = socket.call("userDataStream.start", **params)["result"]["listenKey"]
    assert key == listen_key(trader)
    assert socket.call("userDataStream.ping", **params, listenKey=key)["result"] == {}
    assert socket.call("userDataStream.stop", **params, listenKey=key)["result"] == {}
    assert socket.call("userDataStream.ping", **params, listenKey=key)["error"]["code"] == -1125
