"""Limits over real sockets: who stays just under is never touched, one step beyond is answered as documented."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from itertools import count

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from emulator.sdk import Emulator
from tests.patience import PATIENCE_S

Outcome = str  # "ok", or what a refusal says
Provoke = Callable[[Emulator, str, str], Iterator[Outcome]]  # on a venue, by a client; without end


@pytest.fixture(scope="module")
def running() -> Iterator[Emulator]:
    """All venues with their own limits, the clock standing: windows roll on the wall's."""
    with Emulator({"limits": "venue"}) as emulator:
        yield emulator


def asking(path: str, body: object = None) -> Provoke:
    """One request after another."""

    def ask(emulator: Emulator, venue: str, client: str) -> Iterator[Outcome]:
        data = None if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json", "x-emulator-client": client}
        while True:
            try:
                request = urllib.request.Request(emulator.url(venue) + path, data, headers)
                with urllib.request.urlopen(request, timeout=PATIENCE_S):
                    yield "ok"
            except urllib.error.HTTPError as refused:
                yield f"{refused.code} {refused.read().decode()}"

    return ask


def dial(emulator: Emulator, venue: str, client: str, path: str) -> ClientConnection:
    return connect(
        emulator.ws_url(venue) + path, additional_headers={"x-emulator-client": client}, legacy=True
    )


def talking(path: str, said: str, ahead: int) -> Provoke:
    """Messages on one socket, so many at once and then their answers: what may be said in a window is said in one,
    however busy the machine is.
    """

    def talk(emulator: Emulator, venue: str, client: str) -> Iterator[Outcome]:
        socket = dial(emulator, venue, client, path)
        try:
            for n in count():
                with suppress(ConnectionClosed):  # there may be answers still
                    for _ in range(0 if n % ahead else ahead):
                        socket.send(said)
                try:
                    answer = str(socket.recv(timeout=PATIENCE_S))
                except ConnectionClosed:
                    close = socket.protocol.close_rcvd
                    assert close is not None
                    yield f"{close.code} {close.reason}"
                else:
                    yield answer if "error" in answer else "ok"
        finally:
            socket.close()

    return talk


def opening(path: str, *, keeping: bool) -> Provoke:
    """One socket after another, each kept or closed at once."""

    def open_(emulator: Emulator, venue: str, client: str) -> Iterator[Outcome]:
        with ExitStack() as kept:
            while True:
                try:
                    socket = dial(emulator, venue, client, path)
                except InvalidStatus as refused:
                    yield f"{refused.response.status_code} {bytes(refused.response.body or b'').decode()}"
                    continue
                if keeping:
                    kept.callback(socket.close)
                else:
                    socket.close()
                yield "ok"

    return open_


LIST, PING = '{"method":"LIST_SUBSCRIPTIONS","id":1}', '{"method":"ping"}'
SPOT_429 = (
    '429 {"code":-1003,"msg":"Too much request weight used; current limit is 6000 request weight per 1 MINUTE. '
    'Please use WebSocket Streams for live updates to avoid polling the API."}'
)
USDM_429 = (
    '429 {"code":-1003,"msg":"Too many requests; current limit is 2400 requests per minute. '
    'Please use the websocket for live updates to avoid polling the API."}'
)
TOO_MANY = '{"channel":"error","data":"Cannot send more than 2000 messages per minute."}'
# The venue, what is done, how often it may be done, and the answer to one time more. Sources: SOURCES.md of each venue,
# and the tables of limits in its rules.
TABLE = [
    ("binance", asking("/api/v3/depth?symbol=BTCUSDT&limit=5000"), 24, SPOT_429),  # 250 of 6,000 each
    ("binance", talking("/ws", LIST, 12), 5, "1008 Too many requests"),
    ("binance", opening("/ws", keeping=False), 300, "429 "),
    ("binance-usdm", asking("/fapi/v1/ticker/24hr"), 60, USDM_429),  # 40 of 2,400 each
    ("binance-usdm", talking("/ws", LIST, 24), 10, "1008 Too many requests"),
    ("hyperliquid", asking("/info", {"type": "meta"}), 60, "429 null"),  # 20 of 1,200 each
    ("hyperliquid", talking("/ws", PING, 100), 2_000, TOO_MANY),
    ("hyperliquid", opening("/ws", keeping=True), 10, "429 "),
    ("hyperliquid", opening("/ws", keeping=False), 30, "429 "),
]


@pytest.mark.parametrize("row", range(len(TABLE)))
def test_just_under_is_untouched_and_beyond_is_answered_as_documented(running: Emulator, row: int) -> None:
    """And whoever else comes from the same address is not concerned."""
    venue, provoke, allowed, answer = TABLE[row]
    outcomes = provoke(running, venue, f"row {row}")
    assert {next(outcomes) for _ in range(allowed)} == {"ok"}
    assert next(outcomes).startswith(answer)
    another = provoke(running, venue, f"another of row {row}")
    assert next(another) == "ok"
    outcomes.close()  # type: ignore[attr-defined]
    another.close()  # type: ignore[attr-defined]
