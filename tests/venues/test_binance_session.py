"""The dialogue of a Binance spot socket: paths, control messages, limits, pings; and that nothing makes it stumble."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.types import MS_NS, SECOND_NS
from tests.venues.spot import T0, connect, exchange, market
from venues.base import (
    Action,
    Close,
    HttpRequest,
    HttpResponse,
    Ping,
    Reply,
    Subscribe,
    Topic,
    Unsubscribe,
)
from venues.binance import BINANCE
from venues.binance.session import BinanceSession

TRADE = Topic("trade", "BTCUSDT")
DEPTH = Topic("depth", "BTCUSDT", ("100ms",))
COMBINED_TRADE = Topic("trade", "BTCUSDT", (), ("combined",))
COMBINED_DEPTH = Topic("depth", "BTCUSDT", ("100ms",), ("combined",))
MICRO_TRADE = Topic("trade", "BTCUSDT", (), ("microseconds",))
COMBINED_MICRO_TRADE = Topic("trade", "BTCUSDT", (), ("combined", "microseconds"))


class Client:
    """Says one thing a second, so that no limit is in the way; knows what it has been subscribed to."""

    def __init__(self, path: str = "/ws", query: str = "") -> None:
        self.session: BinanceSession = connect(path, query)
        self.now_ns = T0
        self.actions: list[Action] = list(self.session.open(T0, T0))

    def say(self, data: str | bytes) -> str:
        """The reply; what else was done is in `actions`."""
        self.now_ns += SECOND_NS
        reply, *self.actions = self.session.receive(data, self.now_ns, self.now_ns)
        assert isinstance(reply, Reply), reply
        return reply.payload.decode()


# ---------------------------------------------------------------- the handshake
@pytest.mark.parametrize(
    ("path", "query", "topics"),
    [
        ("/ws", "", []),
        ("/ws/", "", []),
        ("/ws/0", "", []),
        ("/ws/btcusdt@trade", "", [TRADE]),
        ("/ws/btcusdt@trade/btcusdt@depth@100ms", "", [TRADE, DEPTH]),
        ("/ws/btcusdt@trade/btcusdt@trade", "", [TRADE]),
        ("/ws/btcusdt@trade/nonsense/nosuch@trade", "", [TRADE]),
        ("/ws/btcusdt@trade", "timeUnit=MICROSECOND", [MICRO_TRADE]),
        ("/ws/btcusdt@trade", "timeUnit=millisecond", [TRADE]),
        ("/stream", "", []),
        ("/stream", "streams=", []),
        ("/stream", "streams=btcusdt@trade/btcusdt@depth@100ms", [COMBINED_TRADE, COMBINED_DEPTH]),
        ("/stream", "streams=btcusdt%40trade%2Fbtcusdt%40depth%40100ms", [COMBINED_TRADE, COMBINED_DEPTH]),
        ("/stream", "timeUnit=microsecond&streams=btcusdt@trade", [COMBINED_MICRO_TRADE]),
        ("/stream/ws", "", []),
        ("/stream/ws/7", "", []),
        ("/stream/ws/btcusdt@trade", "", [TRADE]),
    ],
)
def test_a_path_opens_its_streams(path: str, query: str, topics: list[Topic]) -> None:
    """Raw under /ws and /stream/ws, combined under /stream; a tail that is no stream is ignored."""
    assert Client(path, query).actions == [Subscribe(topic) for topic in topics]


@pytest.mark.parametrize(
    "path", ["", "/", "/wss", "/ws-api/v1", "/stream/btcusdt@trade", "/streams", "/api/v3/ping"]
)
def test_another_path_is_not_found(path: str) -> None:
    """There is no socket behind it."""
    answer = BINANCE.session(HttpRequest("GET", path), exchange(market()))
    assert isinstance(answer, HttpResponse)
    assert answer.status == 404


def test_a_bad_time_unit_is_refused_at_the_door() -> None:
    """-1194, https://github.com/binance/binance-spot-api-docs/blob/master/errors.md, 2026-07-21."""
    answer = BINANCE.session(
        HttpRequest("GET", "/ws/btcusdt@trade", "timeUnit=NANOSECOND"), exchange(market())
    )
    assert isinstance(answer, HttpResponse)
    assert (answer.status, answer.body) == (
        400,
        b'{"code":-1194,"msg":"Invalid value for time unit; expected either MICROSECOND or MILLISECOND."}',
    )


# ---------------------------------------------------------------- control messages
def test_subscriptions_come_and_go() -> None:
    """Acknowledged in the venue's key order; what is there already is not sent twice."""
    client = Client()
    ack = client.say('{"method":"SUBSCRIBE","params":["btcusdt@trade","btcusdt@depth@100ms"],"id":1}')
    assert (ack, client.actions) == ('{"result":null,"id":1}', [Subscribe(TRADE), Subscribe(DEPTH)])
    ack = client.say('{"method":"SUBSCRIBE","params":["btcusdt@trade","btcusdt@trade"],"id":2}')
    assert (ack, client.actions) == ('{"result":null,"id":2}', [])
    ack = client.say('{"method":"UNSUBSCRIBE","params":["btcusdt@trade","btcusdt@aggTrade"],"id":312}')
    assert (ack, client.actions) == ('{"result":null,"id":312}', [Unsubscribe(TRADE)])
    assert client.say('{"method":"LIST_SUBSCRIPTIONS","id":3}') == '{"result":["btcusdt@depth@100ms"],"id":3}'
    ack = client.say('{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":4}')
    assert (ack, client.actions) == ('{"result":null,"id":4}', [Subscribe(TRADE)])


def test_a_stream_of_an_unlisted_symbol_is_acknowledged_and_silent() -> None:
    """It is remembered like any other; capitals are another symbol."""
    client = Client()
    ack = client.say('{"method":"SUBSCRIBE","params":["nosuch@trade","BTCUSDT@trade"],"id":1}')
    assert (ack, client.actions) == ('{"result":null,"id":1}', [])
    listed = client.say('{"method":"LIST_SUBSCRIPTIONS","params":[],"id":2}')
    assert listed == '{"result":["nosuch@trade","BTCUSDT@trade"],"id":2}'
    ack = client.say('{"method":"UNSUBSCRIBE","params":["nosuch@trade"],"id":3}')
    assert (ack, client.actions) == ('{"result":null,"id":3}', [])


def test_the_envelope_is_put_on_and_off_live() -> None:
    """SET_PROPERTY moves every stream to its other dress, and new ones follow; GET_PROPERTY tells which is on."""
    client = Client("/ws/btcusdt@trade/nosuch@trade")
    assert client.say('{"method":"GET_PROPERTY","params":["combined"],"id":1}') == '{"result":false,"id":1}'
    ack = client.say('{"method":"SET_PROPERTY","params":["combined",true],"id":5}')
    assert (ack, client.actions) == (
        '{"result":null,"id":5}',
        [Unsubscribe(TRADE), Subscribe(COMBINED_TRADE, snapshot=False)],
    )
    client.say('{"method":"SET_PROPERTY","params":["combined",true],"id":6}')
    assert client.actions == []
    client.say('{"method":"SUBSCRIBE","params":["btcusdt@depth@100ms"],"id":7}')
    assert client.actions == [Subscribe(COMBINED_DEPTH)]
    assert client.say('{"method":"GET_PROPERTY","params":["combined"],"id":2}') == '{"result":true,"id":2}'
    client.say('{"method":"SET_PROPERTY","params":["combined",false],"id":8}')
    assert client.actions == [
        *(Unsubscribe(COMBINED_TRADE), Unsubscribe(COMBINED_DEPTH)),
        *(Subscribe(TRADE, snapshot=False), Subscribe(DEPTH, snapshot=False)),
    ]


def test_the_envelope_is_on_under_stream() -> None:
    """https://github.com/binance/binance-spot-api-docs web-socket-streams.md#setting-properties, 2026-07-21."""
    client = Client("/stream", "timeUnit=MICROSECOND&streams=btcusdt@trade")
    assert client.say('{"method":"GET_PROPERTY","params":["combined"],"id":2}') == '{"result":true,"id":2}'
    client.say('{"method":"SET_PROPERTY","params":["combined",false],"id":3}')
    assert client.actions == [Unsubscribe(COMBINED_MICRO_TRADE), Subscribe(MICRO_TRADE, snapshot=False)]


@pytest.mark.parametrize(
    "request_id",
    [
        "1",
        "0",
        "-9223372036854775808",
        "9223372036854775807",
        "null",
        '""',
        '"abc"',
        f'"{"f" * 36}"',
        '"\u00fc"',
    ],
)
def test_an_id_comes_back_as_it_was_sent(request_id: str) -> None:
    """A signed 64-bit integer, a string of at most 36 characters, or null."""
    ack = Client().say(f'{{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":{request_id}}}')
    assert ack == f'{{"result":null,"id":{request_id}}}'


# Texts: https://github.com/binance/binance-spot-api-docs web-socket-streams.md#error-messages, 2026-07-21, nested as
# recorded by https://github.com/roq-trading/roq-binance, test/json_error.cpp ("streams must be an array").
NO_ID = '{"error":{"code":2,"msg":"Invalid request: request ID must be an unsigned integer"}}'
VARIANTS = "`SUBSCRIBE`, `UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, `GET_PROPERTY`"


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ('{"method":"SUBSCRIBE","params":["btcusdt@trade"]}', NO_ID),
        ('{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1.5}', NO_ID),
        ('{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":true}', NO_ID),
        ('{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":[1]}', NO_ID),
        ('{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":9223372036854775808}', NO_ID),
        ('{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":-9223372036854775809}', NO_ID),
        (f'{{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":"{"f" * 37}"}}', NO_ID),
        (
            '{"method":"SUBSCRIBE","params":["btcusdt@nonsense"],"id":1}',
            '{"error":{"code":2,"msg":"Invalid request: invalid stream"},"id":1}',
        ),
        (
            '{"method":"UNSUBSCRIBE","params":["nonsense"],"id":1}',
            '{"error":{"code":2,"msg":"Invalid request: invalid stream"},"id":1}',
        ),
        (
            '{"method":"SUBSCRIBE","params":["btcusdt@trade",7],"id":"a"}',
            '{"error":{"code":2,"msg":"Invalid request: invalid stream"},"id":"a"}',
        ),
        (
            '{"method":"SUBSCRIBE","params":"btcusdt@trade","id":5000001}',
            '{"error":{"code":2,"msg":"Invalid request: streams must be an array"},"id":5000001}',
        ),
        (
            '{"method":"SUBSCRIBE","id":null}',
            '{"error":{"code":2,"msg":"Invalid request: streams must be an array"},"id":null}',
        ),
        (
            '{"method":"LIST_SUBSCRIPTIONS","params":["btcusdt@trade"],"id":3}',
            '{"error":{"code":2,"msg":"Invalid request: too many parameters"},"id":3}',
        ),
        (
            '{"method":"GET_PROPERTY","params":["combined",true],"id":3}',
            '{"error":{"code":2,"msg":"Invalid request: too many parameters"},"id":3}',
        ),
        (
            '{"method":"SET_PROPERTY","params":["combined",true,true],"id":3}',
            '{"error":{"code":2,"msg":"Invalid request: too many parameters"},"id":3}',
        ),
        (
            '{"method":"GET_PROPERTY","id":3}',
            '{"error":{"code":2,"msg":"Invalid request: property name must be a string"},"id":3}',
        ),
        (
            '{"method":"SET_PROPERTY","params":[true],"id":3}',
            '{"error":{"code":2,"msg":"Invalid request: property name must be a string"},"id":3}',
        ),
        (
            '{"method":"SET_PROPERTY","params":["colour",true],"id":3}',
            '{"error":{"code":0,"msg":"Unknown property"},"id":3}',
        ),
        (
            '{"method":"SET_PROPERTY","params":["combined"],"id":3}',
            '{"error":{"code":1,"msg":"Invalid value type: expected Boolean"},"id":3}',
        ),
        (
            '{"method":"SET_PROPERTY","params":["combined","true"],"id":3}',
            '{"error":{"code":1,"msg":"Invalid value type: expected Boolean"},"id":3}',
        ),
        (
            '{"method":"SUBSCRIBED","params":[]}',
            '{"error":{"code":2,"msg":"Invalid request: unknown variant `SUBSCRIBED`, expected one of '
            + VARIANTS
            + ' at line 1 column 22"}}',
        ),
        (
            '{"id":1,\n "method":7}',
            '{"error":{"code":2,"msg":"Invalid request: unknown variant `7`, expected one of '
            + VARIANTS
            + ' at line 2 column 12"}}',
        ),
        (
            '{"params":["btcusdt@trade"],"id":1}',
            '{"error":{"code":2,"msg":"Invalid request: missing field `method` at line 1 column 35"}}',
        ),
        ("[1]", '{"error":{"code":2,"msg":"Invalid request: missing field `method` at line 1 column 3"}}'),
        ("ping", '{"error":{"code":3,"msg":"Invalid JSON: expected value at line 1 column 1"}}'),
        ("", '{"error":{"code":3,"msg":"Invalid JSON: expected value at line 1 column 1"}}'),
        ('{"id":1,\n x}', '{"error":{"code":3,"msg":"Invalid JSON: expected value at line 2 column 2"}}'),
    ],
)
def test_what_is_wrong_is_said_in_the_venues_words(said: str, error: str) -> None:
    """An error changes nothing: the streams are what they were."""
    client = Client("/ws/btcusdt@depth@100ms")
    assert (client.say(said), client.actions) == (error, [])
    assert client.say('{"method":"LIST_SUBSCRIPTIONS","id":3}') == '{"result":["btcusdt@depth@100ms"],"id":3}'
    assert client.say('{"method":"GET_PROPERTY","params":["combined"],"id":1}') == '{"result":false,"id":1}'


# ---------------------------------------------------------------- limits
def test_a_socket_holds_1024_streams() -> None:
    """The one too many is refused with all that came with it, and makes no difference to those there are."""
    client = Client()
    names = [f"s{i}@trade" for i in range(1023)]
    assert (
        client.say(json.dumps({"method": "SUBSCRIBE", "params": names, "id": 1})) == '{"result":null,"id":1}'
    )
    two = '{"method":"SUBSCRIBE","params":["btcusdt@trade","btcusdt@depth"],"id":2}'
    assert client.say(two) == '{"error":{"code":4,"msg":"Too many subscriptions"},"id":2}'
    one = '{"method":"SUBSCRIBE","params":["btcusdt@trade","s0@trade"],"id":3}'
    assert (client.say(one), client.actions) == ('{"result":null,"id":3}', [Subscribe(TRADE)])


def test_a_url_cannot_hold_more_either() -> None:
    """Such a socket is closed at once."""
    names = "/".join(f"s{i}@trade" for i in range(1025))
    assert Client("/stream", f"streams={names}").actions == [Close(1008, "Too many subscriptions")]


LIST = '{"method":"LIST_SUBSCRIPTIONS","id":1}'
TOO_MANY = Close(1008, "Too many requests")


def test_the_sixth_message_in_a_second_closes_the_socket() -> None:
    """Control messages, pings and pongs count alike."""
    session = connect()
    session.open(T0, T0)
    for i in range(3):
        assert session.receive(LIST, T0 + i, T0 + i) == (Reply(b'{"result":[],"id":1}'),)
    assert session.ping(T0 + 3, T0 + 3) == ()
    assert session.pong(b"", T0 + 4, T0 + 4) == ()
    late = T0 + SECOND_NS - 1
    assert session.receive(LIST, late, late) == (TOO_MANY,)
    assert session.ping(late, late) == session.pong(b"", late, late) == (TOO_MANY,)


@pytest.mark.parametrize(("virtual", "wall"), [(1, 0), (0, 1)])
def test_the_window_of_messages_rolls_on_the_faster_clock(virtual: int, wall: int) -> None:
    """Neither a paused nor a warped market makes a client's calm pace a flood."""
    session = connect()
    session.open(T0, T0)
    for i in range(30):
        now, real = T0 + i * virtual * SECOND_NS // 5, T0 + i * wall * SECOND_NS // 5
        assert isinstance(session.receive(LIST, now, real)[0], Reply)


def test_a_binary_frame_closes_the_socket() -> None:
    """The venue speaks text."""
    session = connect()
    session.open(T0, T0)
    assert session.receive(LIST.encode(), T0, T0) == (Close(1003, "Binary frames are not supported"),)


# ---------------------------------------------------------------- life
def ticking(
    session: BinanceSession, seconds: range, virtual: int = 1, wall: int = 1
) -> list[tuple[int, Action]]:
    """What a session does when asked once a second, with the second it does it in."""
    return [
        (second, action)
        for second in seconds
        for action in session.tick(T0 + second * virtual * SECOND_NS, T0 + second * wall * SECOND_NS)
    ]


def test_a_ping_is_sent_every_20_s_and_must_be_answered_within_a_minute() -> None:
    """A copy of the payload is the answer; the close is that of github.com/ccxt/php-binance-api/issues/453, 2021-10."""
    session = connect()
    session.open(T0, T0)
    pings = ticking(session, range(1, 60))
    assert pings == [(20, Ping(b"1700000020000")), (40, Ping(b"1700000040000"))]
    session.pong(b"1700000040000", T0 + 60 * SECOND_NS, T0 + 60 * SECOND_NS)  # answers the earlier one, too
    session.pong(b"unasked", T0 + 61 * SECOND_NS, T0 + 61 * SECOND_NS)
    later = ticking(session, range(60, 121))
    assert later[:1] == [(60, Ping(b"1700000060000"))]
    assert later[-1] == (120, Close(1008, "Pong timeout"))


@pytest.mark.parametrize(("virtual", "wall"), [(1, 0), (0, 1)])
def test_one_clock_alone_ends_nothing(virtual: int, wall: int) -> None:
    """While the other stands, no ping is due and no pong late."""
    session = connect()
    session.open(T0, T0)
    session.tick(T0 + 20 * SECOND_NS, T0 + 20 * SECOND_NS)
    assert ticking(session, range(20, 2 * 86_400, 60), virtual, wall) == []


@pytest.mark.parametrize(
    ("path", "query", "said"),
    [
        ("/ws", "", b'{"e":"serverShutdown","E":1700000000500}'),
        ("/stream", "", b'{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1700000000500}}'),
        ("/ws/btcusdt@trade", "timeUnit=microsecond", b'{"e":"serverShutdown","E":1700000000500000}'),
    ],
)
def test_a_shutdown_is_told(path: str, query: str, said: bytes) -> None:
    """https://github.com/binance/binance-spot-api-docs web-socket-streams.md#server-shutdown, 2026-07-21."""
    assert connect(path, query).farewell(T0 + 500 * MS_NS) == (Reply(said),)


# ---------------------------------------------------------------- whatever a client says
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
METHODS = ["SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY"]
PARAMS = [
    "btcusdt@trade",
    "btcusdt@depth@100ms",
    "nosuch@trade",
    "nonsense",
    "combined",
    True,
    False,
    7,
    None,
]
ALMOST = st.fixed_dictionaries(
    {"method": st.sampled_from(METHODS) | JSON},
    optional={"params": st.lists(st.sampled_from(PARAMS), max_size=3) | JSON, "id": st.integers() | JSON},
)
SAID = st.one_of(st.text(), st.binary(), JSON.map(json.dumps), ALMOST.map(json.dumps))


@given(st.lists(SAID, max_size=12), st.integers(0, SECOND_NS))
def test_a_session_never_stumbles(said: list[str | bytes], step_ns: int) -> None:
    """Every message gets one JSON reply or a close, and subscriptions balance: none left that was not entered."""
    session, now_ns, live = connect("/stream", "streams=btcusdt@trade"), T0, set[Topic]()
    follow(live, session.open(now_ns, now_ns))
    for data in said:
        now_ns += step_ns
        first, *rest = session.receive(data, now_ns, now_ns)
        if isinstance(first, Close):
            return
        assert isinstance(first, Reply)
        reply: dict[str, Any] = json.loads(first.payload)
        assert ("result" in reply) != ("error" in reply)
        assert not rest or reply["result"] is None
        follow(live, rest)


def follow(live: set[Topic], actions: Any) -> None:
    """Enter and leave topics as the gateway would; neither twice."""
    for action in actions:
        if isinstance(action, Subscribe):
            assert action.topic not in live
            live.add(action.topic)
        else:
            assert isinstance(action, Unsubscribe)
            live.remove(action.topic)


@given(st.text(), st.text())
def test_a_handshake_never_stumbles(path: str, query: str) -> None:
    """Any path and query lead to a session or to an HTTP answer."""
    for head in ("", "/ws/", "/stream"):
        answer = BINANCE.session(HttpRequest("GET", head + path, query), exchange(market()))
        if isinstance(answer, HttpResponse):
            assert answer.status in {400, 404}
        else:
            assert all(isinstance(action, Subscribe) for action in answer.open(T0, T0))


def test_times_on_the_wire_are_virtual() -> None:
    """A ping's payload is the virtual clock's milliseconds, whatever the wall says."""
    session = connect()
    session.open(T0, 0)
    assert session.tick(T0 + 25 * SECOND_NS, 20 * SECOND_NS) == (Ping(b"%d" % (T0 // MS_NS + 25_000)),)
