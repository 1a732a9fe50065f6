"""One socket: handshake, dialogue, bounds and ends, over real connections."""

from __future__ import annotations

import math
import socket
from collections.abc import Callable
from contextlib import closing, suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus
from websockets.frames import CloseCode
from websockets.sync.client import connect

import emulator.gateway.connection
from emulator.sdk import Emulator
from reactor.types import SECOND_NS
from tests.emulator.conftest import HANDSHAKE, Client, RawClient, messages
from tests.emulator.toy import RULES, START_NS, toys
from tests.patience import PATIENCE_S, told

Dial = Callable[..., Client]
Raw = Callable[..., RawClient]


# ---------------------------------------------------------------- handshake
def test_what_a_session_says_at_the_door_comes_first(toy: Emulator, dial: Dial) -> None:
    """Greeting, then the frames of the streams named in the path."""
    client = dial("/hello")
    assert client.recv() == "hello"
    toy.clock.advance(0.02)
    assert client.frames() == [f"fast {START_NS // 10_000_000 + n}" for n in (1, 2)]


def test_compression_is_never_negotiated(dial: Dial) -> None:
    """The client offers permessage-deflate and gets none."""
    client = dial()
    request, response = client.socket.request, client.socket.response
    assert request is not None
    assert response is not None
    assert "permessage-deflate" in request.headers["Sec-WebSocket-Extensions"]
    assert "Sec-WebSocket-Extensions" not in response.headers


def test_a_venue_refuses_a_handshake_in_its_own_words(dial: Dial) -> None:
    """Status, body and headers of the refusal are the venue's."""
    with pytest.raises(InvalidStatus) as refused:
        dial("/nowhere")
    response = refused.value.response
    assert (response.status_code, response.body) == (404, b'{"toy":"no such path"}')
    assert response.headers["x-toy"] == "yes"
    assert response.headers["content-type"] == "application/json"


def test_a_venue_that_fails_at_the_handshake_is_a_bare_500(dial: Dial) -> None:
    """No traceback reaches a client, and the next one notices nothing."""
    with pytest.raises(InvalidStatus) as refused:
        dial("/boom")
    assert (refused.value.response.status_code, refused.value.response.body) == (
        500,
        b"Internal Server Error",
    )
    dial().tell("sub a 10")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (HANDSHAKE.format("/").replace("dGhlIHNhbXBsZSBub25jZQ==", "short"), b"400"),
        (HANDSHAKE.format("/").replace("Version: 13", "Version: 8"), b"400"),
        (HANDSHAKE.format("/" + "a" * 10_000), b"414"),
        (HANDSHAKE.format("/").replace("Host: x", "X: " + "a" * 10_000), b"431"),
        ("\x16\x03\x01 this is no HTTP\r\n\r\n", b"400"),
    ],
    ids=["key", "version", "long path", "long header", "garbage"],
)
def test_a_broken_handshake_is_answered(raw: Raw, request_: str, status: bytes) -> None:
    """Whatever knocks gets an HTTP answer and the end of the connection."""
    client = raw()
    client.socket.sendall(request_.encode())
    answer = client.read(1 << 20)
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert b"Traceback" not in answer


# ---------------------------------------------------------------- dialogue
def test_text_binary_and_fragments_reach_the_session(dial: Dial) -> None:
    """A message is what the client sent, however it was cut."""
    client = dial()
    client.socket.send(["sub a", " 10"])
    assert client.recv() == "ok sub a 10"
    client.socket.send(b"\x00\xff")
    assert client.recv() == "binary 2"
    client.socket.send([b"\x00", b"\x01", b"\x02"])
    assert client.recv() == "binary 3"


def test_pings_are_answered_and_counted(dial: Dial) -> None:
    """Both directions: the client's ping gets its pong, the session hears of ping and pong."""
    client = dial()
    assert client.socket.ping(b"are you there").wait(PATIENCE_S)
    client.socket.send("ping")
    while "pong" not in (heard := _heard(client)):
        pass
    assert heard == "ping pong:are_you_there"


def _heard(client: Client) -> str:
    client.socket.send("heard")
    return client.recv()


def test_inputs_carry_virtual_time(toy: Emulator, dial: Dial) -> None:
    """A session is told the boundary that was reached."""
    client = dial()
    toy.clock.advance(1.23)
    client.socket.send("now")
    assert client.recv() == str(START_NS + 1_230_000_000)


def test_a_session_is_ticked(toy: Emulator, dial: Dial) -> None:
    """About once a second of wall time, however slowly virtual time runs."""
    toy.clock.speed = 0.001
    toy.clock.resume()
    assert dial("/ticking").recv() == "tock"


# ---------------------------------------------------------------- ends
def test_a_session_closes_after_its_last_words(dial: Dial) -> None:
    """A reply before the close arrives before it."""
    client = dial()
    client.socket.send("quit 4001")
    assert client.recv() == "bye"
    assert client.closed() == (4_001, "as you wish")


def test_a_session_can_end_its_socket_without_a_close(dial: Dial) -> None:
    """What was said before arrives; no close frame does: 1006 to the client."""
    client = dial()
    client.socket.send("cut")
    assert client.recv() == "bye"
    with pytest.raises(ConnectionClosedError):
        client.recv()
    assert client.socket.protocol.close_code == CloseCode.ABNORMAL_CLOSURE
    assert client.socket.protocol.close_rcvd is None


@pytest.mark.parametrize("fault", ["boom", "quit 99999", "sub unmade 10", "snap blind 10"])
def test_a_failing_session_ends_alone(toy: Emulator, dial: Dial, fault: str) -> None:
    """An exception, an impossible close, a channel that cannot be made: 1011 there, nothing elsewhere."""
    other, client = dial(), dial()
    other.tell("sub a 10")
    client.socket.send(fault)
    assert client.closed() == (1_011, "")
    toy.clock.advance(0.01)
    assert len(other.frames()) == 1


def test_a_failing_channel_ends_its_subscribers_alone(toy: Emulator, dial: Dial) -> None:
    """A page that cannot be made closes those who wanted it; the clock goes on for the others."""
    other, client = dial(), dial()
    other.tell("sub a 10")
    client.tell("sub broken 10")
    toy.clock.advance(0.05)
    assert client.closed() == (1_011, "")
    assert len(other.frames()) == 5


def test_an_oversized_message_is_1009(dial: Dial) -> None:
    """At the bound it is a message, beyond it the end; so too when it comes in pieces, or far beyond."""
    client = dial()
    client.socket.send("x" * RULES.max_message_bytes)
    assert client.recv() == "what? " + "x" * 20
    client.socket.send("x" * (RULES.max_message_bytes + 1))
    assert client.closed()[0] == 1_009
    client = dial()
    with suppress(ConnectionClosed):  # the close may come before all is sent
        client.socket.send(["x" * RULES.max_message_bytes, "x"])
    assert client.closed()[0] == 1_009
    client = dial()
    with suppress(ConnectionClosed):
        client.socket.send("x" * 3_000_000)
    assert client.closed()[0] == 1_009


def test_text_that_is_no_text_is_1007(dial: Dial) -> None:
    """A text frame must be UTF-8."""
    client = dial()
    client.socket.send(b"\xc3\x28", text=True)
    assert client.closed()[0] == 1_007


@pytest.mark.parametrize(
    "frame",
    [b"\x81\x02hi", b"\xc1\x80\0\0\0\0", b"\x83\x80\0\0\0\0", b"\x80\x80\0\0\0\0", b"\x09\x80\0\0\0\0"],
)
def test_a_frame_against_the_protocol_is_1002(raw: Raw, frame: bytes) -> None:
    """Unmasked, reserved bits, unknown opcode, a continuation of nothing, a fragmented ping."""
    client = raw()
    client.upgrade()
    client.socket.sendall(frame)
    [(head, payload)] = client.rest()
    assert (head, payload[:2]) == (0x88, (1_002).to_bytes(2, "big"))


@given(data=st.binary(min_size=1, max_size=64), masked=st.booleans())
@settings(max_examples=60)
def test_no_bytes_bring_it_down(quiet: Emulator, data: bytes, masked: bool) -> None:
    """Anything after the upgrade is answered, awaited or closed with a code; never a hang, never a word of ours."""
    with closing(RawClient(quiet.url("toy"))) as client:
        client.upgrade()
        client.socket.sendall(b"\x81" + bytes((0x80 | len(data), 0, 0, 0, 0)) + data if masked else data)
        client.socket.shutdown(socket.SHUT_WR)
        said = client.rest()
    assert {head for head, _ in said} <= {0x81, 0x8A, 0x88, 0}
    assert all(b"Traceback" not in payload for _, payload in said)


def test_a_client_closes_in_peace(toy: Emulator, dial: Dial) -> None:
    """Its code is echoed, and its subscriptions are gone."""
    client = dial()
    client.tell("sub a 10")
    client.socket.close(3_000, "enough")
    assert client.closed()[0] == 3_000
    toy.clock.advance(60)


def test_a_client_that_vanishes_is_forgotten(toy: Emulator, dial: Dial, raw: Raw) -> None:
    """No goodbye, in the middle of a frame: the others go on."""
    client, ghost = dial(), raw()
    client.tell("sub a 100")
    ghost.upgrade()
    ghost.send("sub b 10 10000")
    ghost.socket.sendall(b"\x81\xfe\x01")
    ghost.close()
    toy.clock.advance(10)
    assert len(client.frames()) == 100


def test_shutdown_is_1001(dial: Dial, toy: Emulator) -> None:
    """Every venue's sockets are closed as going away; none is left to hang."""
    clients = [dial(), dial(venue="other")]
    toy.stop()
    assert [client.closed()[0] for client in clients] == [1_001, 1_001]


def test_a_venue_may_say_farewell(dial: Dial, toy: Emulator) -> None:
    """Before the close, at the virtual time that it is."""
    client = dial("/polite")
    now_ns = toy.clock.now_ns
    toy.stop()
    assert client.recv() == f"bye at {now_ns}"
    assert client.closed()[0] == 1_001


# ---------------------------------------------------------------- life
HOUR = 3_600


@pytest.mark.parametrize("speed", [0, 10_000, math.inf])
def test_a_socket_lives_as_long_as_its_venue_says(speed: float) -> None:
    """To the very tick of virtual time, stepped or running, whatever the others do; the last frames come before."""
    with (
        Emulator({}, registry=toys()[:1]) as toy,
        connect(toy.ws_url("toy"), max_queue=None) as first,
        connect(toy.ws_url("toy"), max_queue=None) as second,
    ):
        client, other = Client(first), Client(second)
        client.tell("sub a 1000")
        toy.clock.advance(0.01)
        other.tell("sub c 60000")
        if speed:
            toy.clock.speed = speed
            toy.clock.resume()
        else:
            toy.clock.advance(HOUR / 2)
            toy.clock.advance(HOUR)
        frames = [client.recv() for _ in range(HOUR)]
        assert frames == [f"a {START_NS // SECOND_NS + n + 1}" for n in range(HOUR)]
        assert client.closed() == (4_010, "an hour is over")
        assert len([other.recv() for _ in range(60)]) == 60
        assert other.closed() == (4_010, "an hour is over")


@pytest.mark.parametrize(
    ("lifetime", "venue", "lives"),
    [("venue", "toy", HOUR), (60, "toy", 60), ("never", "toy", 0), (60, "other", 0), ("venue", "other", 0)],
)
def test_lifetimes_can_be_set(lifetime: int | str, venue: str, lives: int) -> None:
    """Shorter, or without end; a venue that ends no socket never does."""
    with (
        Emulator({"socket_lifetime": lifetime}, registry=toys()) as toy,
        connect(toy.ws_url(venue), max_queue=None) as socket,
    ):
        client = Client(socket)
        client.socket.send("now")
        assert client.recv() == str(START_NS)
        toy.clock.advance(max(0.01, lives - 0.01))
        client.socket.send("now")
        assert client.recv()
        toy.clock.advance(0.01 if lives else 100 * HOUR)
        if lives:
            assert client.closed()[0] == 4_010
        else:
            client.socket.send("now")
            assert client.recv()


def idle_for(seconds: float, client: Client) -> bool:
    """Whether the socket is open after so much time in which the client says nothing."""
    try:
        client.socket.recv(timeout=seconds)
    except TimeoutError:
        return True
    except ConnectionClosed:
        return False
    raise AssertionError("nothing was asked for")


def test_steps_cut_nobody(toy: Emulator, dial: Dial) -> None:
    """Days of virtual time and seconds of wall time, as long as the clock does not run."""
    client = dial("/strict")
    for _ in range(5):
        toy.clock.advance(600)
        assert idle_for(0.5, client)


@pytest.mark.parametrize(("speed", "alive"), [(0.01, True), (1, False), (1_000, False)])
def test_a_deadline_counts_when_it_has_run_out_on_both_clocks(
    toy: Emulator, dial: Dial, speed: float, alive: bool
) -> None:
    """In slow motion it is virtual time that a client has left; else, and warped, it is wall time."""
    client = dial("/strict")
    toy.clock.speed = speed
    toy.clock.resume()
    assert idle_for(2.5 if alive else PATIENCE_S, client) is alive


def test_a_warp_cuts_nobody_who_is_quick_enough(toy: Emulator, dial: Dial) -> None:
    """Half an hour in a moment, while the clock runs, is a moment to a client that may be idle for two minutes."""
    client = dial("/patient")
    toy.clock.resume()
    toy.clock.advance(HOUR / 2)
    told(client.socket)
    assert client.recv() == "tock"  # it was looked at since


# ---------------------------------------------------------------- bounds
def test_a_slow_reader_is_cut_at_the_bound(
    toy: Emulator, dial: Dial, raw: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In running time it gets the venue's own close after what it was sent, and the fast one misses nothing."""
    monkeypatch.setattr(emulator.gateway.connection, "PATIENCE", int(PATIENCE_S))  # until it reads the close
    fast, slow = dial(), raw()
    fast.tell("sub a 10")
    slow.upgrade()
    slow.send("sub b 10 20000")
    assert slow.frame()[1] == b"ok sub b 10 20000"
    toy.clock.speed = 20
    toy.clock.resume()
    first = START_NS // 10_000_000 + 1
    assert [fast.recv() for _ in range(1_500)] == [f"a {first + n}" for n in range(1_500)]
    toy.clock.pause()
    *frames, (head, close) = slow.rest()
    assert (head, close) == (0x88, (4_008).to_bytes(2, "big") + b"too slow")
    assert [payload.rstrip(b"x") for _, payload in frames] == [
        b"b %d" % (first + n) for n in range(len(frames))
    ]


def test_a_client_that_reads_no_answers_is_not_heard(toy: Emulator, dial: Dial, raw: Raw) -> None:
    """Its requests wait once its outbox is full; when it reads, all are answered, in their order."""
    deaf = raw()
    deaf.upgrade()
    requests = [f"snap b {n % 90 + 10} 20000" for n in range(1_000)]
    deaf.socket.sendall(b"".join(RawClient.text(request) for request in requests))
    while (heard := messages(toy)) == 0:
        pass
    assert heard < 600  # what the outbox and the system's buffers hold, generously
    dial().tell("sub a 10")
    for request in requests:
        assert deaf.frame()[1] == b"ok " + request.encode()
        assert deaf.frame()[1].startswith(b"snapshot of b ")
    assert messages(toy) == 1_001


def test_who_reads_nothing_is_read_no_further(raw: Raw) -> None:
    """A flood of requests comes to a halt in the client's own socket."""
    deaf = raw()
    deaf.upgrade()
    deaf.socket.setblocking(False)
    sent = 0
    with suppress(BlockingIOError):
        while sent < 1_000_000:
            deaf.send("snap b 10 20000")
            sent += 1
    assert sent < 1_000_000
