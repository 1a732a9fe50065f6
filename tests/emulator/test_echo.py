"""The echo server that conformance suites are pointed at."""

from __future__ import annotations

from websockets.sync.client import connect

from emulator.gateway.echo import EchoVenue
from emulator.sdk import Emulator
from tests.patience import PATIENCE_S


def test_every_message_comes_back_as_it_was() -> None:
    """Text as text, binary as binary, of any length, from every path."""
    with Emulator({}, registry=[EchoVenue()]) as echo, connect(echo.ws_url("echo") + "/any") as socket:
        for message in (
            "",
            b"",
            "h\u00e9",
            b"\xff\0",
            "x" * 125,
            "x" * 126,
            b"x" * 65_535,
            b"x" * 65_536,
            "x" * 900_000,
        ):
            socket.send(message)
            assert socket.recv(timeout=PATIENCE_S) == message


def test_a_client_may_close_in_the_midst_of_a_message() -> None:
    """The close is answered with its own code."""
    with Emulator({}, registry=[EchoVenue()]) as echo, connect(echo.ws_url("echo")) as socket:
        with socket.protocol_mutex:
            socket.protocol.send_text(b"half a mess", fin=False)
            socket.protocol.send_close(3_000, "never mind")
            socket.send_data()
        socket.recv_events_thread.join(PATIENCE_S)
        close = socket.protocol.close_rcvd
        assert close is not None
        assert (close.code, close.reason) == (3_000, "never mind")
