"""A client of raw bytes: the opening of a WebSocket, and reading for as long as asked, or until something is said.

It parses nothing while it reads, so that what is measured is the server.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from benchmarks.harness import READERS, on_core

HANDSHAKE = (
    "GET {} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


@contextmanager
def connections(host: str, port: int, hello: bytes, clients: int) -> Iterator[Sequence[socket.socket]]:
    """So many, past the handshake if they say hello, ready to be read on the readers' core."""
    with on_core(READERS), ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_connection((host, port))) for _ in range(clients)]
        for each in sockets:
            each.sendall(hello)
            answer = b""
            while hello and not answer.endswith(b"\r\n\r\n"):
                answer += each.recv(1)
            assert answer.startswith(b"HTTP/1.1 101") or not hello, answer
            each.setblocking(False)
        yield sockets


def drain(sockets: Sequence[socket.socket], seconds: float) -> list[tuple[float, bytes]]:
    """Read everything for so long; what the first connection was told, and when, in s."""
    start_s, heard = time.perf_counter(), []
    with selectors.DefaultSelector() as selector:
        for each in sockets:
            selector.register(each, selectors.EVENT_READ)
        while (left_s := start_s + seconds - time.perf_counter()) > 0:
            for key, _ in selector.select(left_s):
                assert isinstance(key.fileobj, socket.socket)
                data = key.fileobj.recv(1 << 20)
                assert data, "closed"
                if key.fileobj is sockets[0]:
                    heard.append((time.perf_counter() - start_s, data))
    return heard


def await_word(each: socket.socket, word: bytes, times: int) -> None:
    """Read until the word has come so often."""
    data = b""
    while data.count(word) < times:
        more = each.recv(1 << 16)
        assert more, "closed"
        data += more


def masked(text: bytes) -> bytes:
    """A client's frame, its mask being zero."""
    size = len(text)
    assert size < 1 << 16
    head = bytes((0x81, 0x80 | size)) if size < 126 else b"\x81\xfe" + size.to_bytes(2, "big")
    return head + bytes(4) + text


def payloads(data: bytes) -> list[bytes]:
    """What is in the whole frames of a server that these bytes begin with."""
    at, found = 0, []
    while at + 2 <= len(data):
        size, head = data[at + 1], 2
        if size == 126:
            size, head = int.from_bytes(data[at + 2 : at + 4]), 4
        elif size == 127:
            size, head = int.from_bytes(data[at + 2 : at + 10]), 10
        if at + head + size > len(data):
            break
        found.append(data[at + head : at + head + size])
        at += head + size
    return found
