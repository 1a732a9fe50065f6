"""The dialogue of a Binance USD-M socket where it is not spot's: paths, categories, users' keys, limits."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.types import MS_NS, SECOND_NS
from tests.venues.spot import T0, exchange
from tests.venues.usdm import INSTRUMENT, connect, market
from venues.base import Action, Close, HttpRequest, HttpResponse, Ping, Reply, Subscribe, Topic, VenueProtocol
from venues.binance import BINANCE_USDM
from venues.binance.session import BinanceSession

TRADE, MARK = Topic("trade", "BTCUSDT"), Topic("markPrice", "BTCUSDT", ("1s",))
COMBINED_TRADE = replace(TRADE, dress=("combined",))
STRICT = BINANCE_USDM.with_quirks({"strict_routing": True})
KEY = "pqia91ma19a5s61cv6a81va65sdf19v8a65a1a5s61cv6a81va65sdf19v8a65a1"  # as documented, 64 characters
SUBSCRIBE_BOTH = '{"method":"SUBSCRIBE","params":["btcusdt@trade","btcusdt@markPrice@1s"],"id":1}'


def opened(path: str, query: str = "") -> list[Action]:
    return list(connect(path, query).open(T0, T0))


# ---------------------------------------------------------------- paths
@pytest.mark.parametrize("prefix", ["", "/public", "/market", "/private"])
@pytest.mark.parametrize(
    ("path", "query", "topics"),
    [
        ("/ws", "", []),
        ("/ws/", "", []),
        ("/ws/3", "", []),
        ("/ws/btcusdt@trade", "", [TRADE]),
        ("/ws/btcusdt@trade/btcusdt@markPrice@1s", "", [TRADE, MARK]),
        ("/stream", "", []),
        ("/stream", "streams=btcusdt@trade", [COMBINED_TRADE]),
        ("/stream", "streams=btcusdt%40trade%2Fnonsense", [COMBINED_TRADE]),
        # futures know no other unit of times
        ("/ws/btcusdt@trade", "timeUnit=MICROSECOND", [TRADE]),
        ("/ws/btcusdt@trade", "timeUnit=NANOSECOND", [TRADE]),
        # a user's stream opens, and says nothing yet
        (f"/ws/{KEY}", "", []),
        ("/ws", f"listenKey={KEY}", []),
        ("/ws", f"listenKey={KEY}&events=ORDER_TRADE_UPDATE/ACCOUNT_UPDATE", []),
        ("/stream", f"listenKey={KEY}", []),
        ("/stream", f"streams={KEY}/btcusdt@trade", [COMBINED_TRADE]),
    ],
)
def test_a_path_opens_its_streams(prefix: str, path: str, query: str, topics: list[Topic]) -> None:
    """Under each category and, as before 2026-04, under none; all streams are told on every one of them."""
    assert opened(prefix + path, query) == [Subscribe(topic) for topic in topics]


@pytest.mark.parametrize(
    "path", ["", "/", "/public", "/market/", "/publics/ws", "/ws-fapi/v2", "/stream/ws", "/fapi/v1/ping"]
)
def test_another_path_is_not_found(path: str) -> None:
    """There is no socket behind it."""
    answer = BINANCE_USDM.session(HttpRequest("GET", path), exchange(market()))
    assert isinstance(answer, HttpResponse)
    assert answer.status == 404


# ---------------------------------------------------------------- categories
@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/public/ws", [TRADE]),
        ("/market/ws", [MARK]),
        ("/private/ws", []),
        # the old path is of the public streams since 2026-04-23
        ("/ws", [TRADE]),
    ],
)
def test_strict_routing_tells_a_socket_its_own_category_only(path: str, told: list[Topic]) -> None:
    """A stream of another one is acknowledged, listed and silent, as measured on the venue on 2026-08-24."""
    session = connect(path, venue=STRICT)
    session.open(T0, T0)
    assert session.receive(SUBSCRIBE_BOTH, T0, T0) == (
        Reply(b'{"result":null,"id":1}'),
        *(Subscribe(topic) for topic in told),
    )
    assert session.receive('{"method":"LIST_SUBSCRIPTIONS","id":2}', T0, T0) == (
        Reply(b'{"result":["btcusdt@trade","btcusdt@markPrice@1s"],"id":2}'),
    )


@pytest.mark.parametrize("path", ["/public/ws", "/market/ws", "/private/ws", "/ws"])
def test_routing_is_lenient_unless_asked(path: str) -> None:
    """As on the venue's test networks, where clients that know no categories still work."""
    session = connect(path)
    session.open(T0, T0)
    assert session.receive(SUBSCRIBE_BOTH, T0, T0)[1:] == (Subscribe(TRADE), Subscribe(MARK))


def test_a_users_key_is_subscribed_to_and_silent() -> None:
    """As the venue's own SDK does on /private/stream."""
    session = connect("/private/stream")
    session.open(T0, T0)
    ack = session.receive(f'{{"method":"SUBSCRIBE","params":["{KEY}"],"id":"a"}}', T0, T0)
    assert ack == (Reply(b'{"result":null,"id":"a"}'),)


def test_what_is_no_stream_is_refused() -> None:
    """In the words of spot."""
    session = connect("/market/ws")
    session.open(T0, T0)
    assert session.receive('{"method":"SUBSCRIBE","params":["btcusdt@avgPrice"],"id":1}', T0, T0) == (
        Reply(b'{"error":{"code":2,"msg":"Invalid request: invalid stream"},"id":1}'),
    )


# ---------------------------------------------------------------- limits and liveness
LIST = '{"method":"LIST_SUBSCRIPTIONS","id":1}'


def test_the_eleventh_message_in_a_second_closes_the_socket() -> None:
    """https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams, 2026-09."""
    session = connect()
    session.open(T0, T0)
    for i in range(10):
        assert session.receive(LIST, T0 + i, T0 + i) == (Reply(b'{"result":[],"id":1}'),)
    assert session.receive(LIST, T0 + 10, T0 + 10) == (Close(1008, "Too many requests"),)


def test_the_server_pings_every_three_minutes_and_waits_for_ten() -> None:
    """A client that answers stays, one that does not is closed."""
    session = connect()
    session.open(T0, T0)

    def tick(after_s: int) -> list[Action]:
        at_ns = T0 + after_s * SECOND_NS
        return list(session.tick(at_ns, at_ns))

    assert tick(179) == []
    ping = b"%d" % ((T0 + 180 * SECOND_NS) // MS_NS)
    assert tick(180) == [Ping(ping)]
    session.pong(ping, T0 + 181 * SECOND_NS, T0 + 181 * SECOND_NS)
    assert [type(action) for action in tick(360)] == [Ping]
    assert [type(action) for action in tick(959)] == [Ping]
    assert tick(960) == [Close(1008, "Pong timeout")]


# ---------------------------------------------------------------- whatever a client does
@given(st.text(), st.text())
def test_a_handshake_never_stumbles(path: str, query: str) -> None:
    """Any path is a session or a 404."""
    for prefix in ("", "/public/ws/", "/market/stream"):
        answer = BINANCE_USDM.session(HttpRequest("GET", prefix + path, query), exchange(market()))
        if isinstance(answer, HttpResponse):
            assert answer.status == 404
        else:
            assert isinstance(answer, BinanceSession)
            answer.open(T0, T0)


@given(st.text(alphabet="btcusdt_perpetual@!1sarr/AZ09", max_size=80))
def test_a_name_is_a_topic_silence_or_refused(name: str) -> None:
    """Nothing else happens, and every topic has a channel."""
    on = exchange(market())
    session = STRICT.session(HttpRequest("GET", f"/market/ws/{name}"), on)
    assert isinstance(session, BinanceSession)
    for action in session.open(T0, T0):
        assert isinstance(action, Subscribe)
        BINANCE_USDM.channel(action.topic, on)


def test_the_card_keeps_the_contract() -> None:
    """The object is what the emulator expects, and lists Bitcoin first."""
    venue: VenueProtocol = BINANCE_USDM
    assert (venue.id, venue.port_offset) == ("binance-usdm", 2)
    assert [listing.instrument.symbol for listing in venue.listings] == ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
    assert INSTRUMENT.market == "binance-usdm:BTCUSDT"
    assert not BINANCE_USDM.quirks["strict_routing"].on


def test_a_shutdown_is_not_told() -> None:
    """None is documented."""
    assert connect("/market/stream").farewell(T0) == ()
