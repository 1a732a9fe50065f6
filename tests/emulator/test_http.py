"""The HTTP side of a venue's port: requests become values, answers become responses, faults stay ours."""

from __future__ import annotations

import http.client
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest

from emulator.gateway.http import BODY_BYTES_MAX
from emulator.sdk import Emulator
from tests.emulator.toy import START_NS
from tests.patience import PATIENCE_S


@pytest.fixture
def link(toy: Emulator) -> Iterator[http.client.HTTPConnection]:
    """A kept-alive connection to the toy venue."""
    connection = http.client.HTTPConnection(urlsplit(toy.url("toy")).netloc, timeout=PATIENCE_S)
    yield connection
    connection.close()


def ask(
    link: http.client.HTTPConnection, method: str, path: str, body: bytes | None = None
) -> tuple[http.client.HTTPResponse, bytes]:
    """One request with the header X-N given twice, and its answer."""
    link.putrequest(method, path)
    link.putheader("X-N", "1")
    link.putheader("X-N", "2")
    if body is not None:
        link.putheader("Content-Length", str(len(body)))
    link.endheaders(body)
    response = link.getresponse()
    return response, response.read()


def test_a_request_is_handed_over_as_received(toy: Emulator, link: http.client.HTTPConnection) -> None:
    """Path decoded, query raw, headers lower-case, repeated ones joined, body whole, time virtual."""
    toy.clock.advance(2.5)
    response, body = ask(link, "POST", "/a%20b/c?x=%7B&y", b"12345")
    assert body == repr(("POST", "/a b/c", "x=%7B&y", "1, 2", 5, START_NS + 2_500_000_000)).encode()
    assert response.status == 418
    assert response.headers["content-type"] == "text/toy"
    assert response.headers["x-toy"] == "yes"
    assert "date" in response.headers
    assert "server" not in response.headers


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_every_method_is_the_venues_business(link: http.client.HTTPConnection, method: str) -> None:
    """Nothing is refused on the way."""
    assert ask(link, method, "/")[1].startswith(f"('{method}'".encode())


def test_a_venue_that_fails_is_a_bare_500(link: http.client.HTTPConnection) -> None:
    """No traceback, the connection lives, the next request is answered."""
    response, body = ask(link, "GET", "/boom")
    assert (response.status, body) == (500, b"Internal Server Error")
    assert ask(link, "GET", "/")[0].status == 418


def test_a_body_has_a_bound(toy: Emulator, link: http.client.HTTPConnection) -> None:
    """At the bound it is handed over, beyond it refused before the venue sees it."""
    assert str(BODY_BYTES_MAX).encode() in ask(link, "POST", "/", bytes(BODY_BYTES_MAX))[1]
    other = http.client.HTTPConnection(urlsplit(toy.url("toy")).netloc, timeout=PATIENCE_S)
    assert ask(other, "POST", "/", bytes(BODY_BYTES_MAX + 1))[0].status == 413
    other.close()


def test_both_worlds_share_the_port(toy: Emulator) -> None:
    """A venue has one authority for HTTP and WebSocket, and venues do not share theirs."""
    assert urlsplit(toy.url("toy")).netloc == urlsplit(toy.ws_url("toy")).netloc
    assert len({toy.url("toy"), toy.url("other"), toy.control_url}) == 3


def raw(toy: Emulator, *pieces: bytes) -> bytes:
    """What comes back on a connection to which these pieces are written, until its server closes it."""
    address = urlsplit(toy.url("toy"))
    with socket.create_connection(
        (address.hostname or "", address.port or 0), timeout=PATIENCE_S
    ) as connection:
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(0.05)  # so that it comes by itself
        return b"".join(iter(lambda: connection.recv(1 << 16), b""))


CLOSE = b"Host: toy\r\nConnection: close\r\n"


def test_requests_that_come_at_once_are_answered_in_turn(toy: Emulator) -> None:
    """Pipelining: the first leaves at once, the others after it."""
    told = raw(
        toy,
        b"".join(b"GET /%d HTTP/1.1\r\nHost: toy\r\n\r\n" % n for n in range(20))
        + b"GET /x HTTP/1.1\r\n"
        + CLOSE
        + b"\r\n",
    )
    places = [told.index(b"'/%d'" % n) for n in range(20)]
    assert places == sorted(places)
    assert told.count(b"HTTP/1.1 418 ") == 21


@pytest.mark.parametrize("size", [5, 100_000])
def test_a_request_may_come_in_pieces(toy: Emulator, size: int) -> None:
    """It is answered when its last byte is there, be it small or beyond what is read ahead."""
    head = b"POST /slow HTTP/1.1\r\n" + CLOSE + b"Content-Length: %d\r\n\r\n" % size
    told = raw(toy, head[:9], head[9:], bytes(size - 2), bytes(2))
    assert b"('POST', '/slow', '', None, %d, " % size in told
    assert b"connection: close\r\n" in told


def test_whoever_asks_whether_to_go_on_is_told_to(toy: Emulator) -> None:
    """RFC 9110, section 10.1.1 (https://www.rfc-editor.org/rfc/rfc9110, 2022-06)."""
    head = b"POST / HTTP/1.1\r\n" + CLOSE + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    told = raw(toy, head, b"ab")
    assert told.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 418 ")


def test_an_answer_to_head_has_no_body(toy: Emulator) -> None:
    told = raw(toy, b"HEAD / HTTP/1.1\r\n" + CLOSE + b"\r\n")
    head, _, body = told.partition(b"\r\n\r\n")
    assert int(re.findall(rb"content-length: (\d+)", head)[0]) > 0
    assert body == b""


def test_hundreds_may_wait_to_be_let_in(toy: Emulator) -> None:
    """Clients that connect at once, while the server is busy, are connected at once, not when they try again."""
    free, address = threading.Event(), urlsplit(toy.url("toy"))
    toy._loop.call_soon_threadsafe(free.wait, 20)
    try:
        with ExitStack() as stack:
            for _ in range(500):
                each = socket.create_connection((address.hostname or "", address.port or 0), timeout=0.9)
                stack.enter_context(each)
    finally:
        free.set()
