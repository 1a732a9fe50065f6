"""Hyperliquid over sockets: a builder's coin, an unknown one, too many sockets, errors of HTTP."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.frames import CloseCode
from websockets.sync.client import connect

from emulator.sdk import Emulator
from tests.patience import PATIENCE_S


@pytest.fixture(scope="module")
def running() -> Iterator[Emulator]:
    with Emulator({"venues": ["hyperliquid"], "limits": "venue"}) as emulator:
        yield emulator


def subscribe(**subscription: Any) -> str:
    return json.dumps({"method": "subscribe", "subscription": subscription})


def url(running: Emulator) -> str:
    return running.ws_url("hyperliquid") + "/ws"


def test_a_builders_coin_is_told_of(running: Emulator) -> None:
    """Acknowledged, then the book of now, then one every five seconds."""
    with connect(url(running)) as socket:
        socket.send(subscribe(type="l2Book", coin="xyz:TSLA"))
        assert json.loads(socket.recv())["channel"] == "subscriptionResponse"
        first = json.loads(socket.recv())["data"]
        running.clock.advance(10)
        books = [first, *(json.loads(socket.recv())["data"] for _ in range(2))]
    assert {book["coin"] for book in books} == {"xyz:TSLA"}
    assert books[0]["time"] < books[1]["time"] < books[2]["time"] <= books[1]["time"] + 5_100


def test_an_unknown_coin_ends_the_socket(running: Emulator) -> None:
    """After what was said before; no frame closes it."""
    with connect(url(running)) as socket:
        socket.send('{"method":"ping"}')
        socket.send(subscribe(type="bbo", coin="NOPE"))
        assert socket.recv() == '{"channel":"pong"}'
        with pytest.raises(ConnectionClosedError):
            socket.recv()
        assert socket.protocol.close_code == CloseCode.ABNORMAL_CLOSURE


def test_the_eleventh_socket_is_refused(running: Emulator) -> None:
    """Of one client; another one has ten of its own."""
    mine, other = ({"X-Emulator-Client": name} for name in ("mine", "other"))
    with ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(connect(url(running), additional_headers=mine))
        with pytest.raises(InvalidStatus) as refused:
            connect(url(running), additional_headers=mine)
        assert (refused.value.response.status_code, refused.value.response.body) == (429, b"null")
        stack.enter_context(connect(url(running), additional_headers=other))


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "content_type", "text"),
    [
        ("GET", "/info", None, 405, None, b""),
        ("POST", "/nowhere", b"{}", 404, None, b""),
        ("POST", "/info", b'{"type":"metaAndAssetCtxs","dex":"nope"}', 500, "application/json", b"null"),
    ],
)
def test_errors_as_the_venue_sends_them(
    running: Emulator, method: str, path: str, body: bytes, status: int, content_type: str | None, text: bytes
) -> None:
    """Status, type of content and body (a probe of 2026-09-24)."""
    request = urllib.request.Request(
        running.url("hyperliquid") + path, body, {"content-type": "application/json"}, method=method
    )
    with pytest.raises(urllib.error.HTTPError) as failed:
        urllib.request.urlopen(request, timeout=PATIENCE_S)
    assert (failed.value.code, failed.value.headers["content-type"], failed.value.read()) == (
        status,
        content_type,
        text,
    )
