"""Toy exchanges in a thread, and the two kinds of client that tests need: a polite one and one that counts bytes."""

from __future__ import annotations

import socket
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from emulator.sdk import Emulator
from tests.emulator.toy import toys
from tests.patience import PATIENCE_S

HANDSHAKE = (
    "GET {} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


@pytest.fixture
def toy() -> Iterator[Emulator]:
    """Two toy venues, the clock standing still."""
    with Emulator({}, registry=toys()) as running:
        yield running


@pytest.fixture(scope="module")
def quiet() -> Iterator[Emulator]:
    """One toy venue for many examples, none of which may leave a trace in it."""
    with Emulator({}, registry=toys()[:1]) as running:
        yield running


@pytest.fixture
def dial(toy: Emulator) -> Iterator[Callable[..., Client]]:
    """Connect a client to a path of a venue."""
    with ExitStack() as stack:

        def dial(path: str = "/", venue: str = "toy") -> Client:
            return Client(stack.enter_context(connect(toy.ws_url(venue) + path, max_queue=None)))

        yield dial


def messages(toy: Emulator) -> int:
    """How many messages the toy venue's sessions were given."""
    with urllib.request.urlopen(toy.url("toy") + "/messages", timeout=PATIENCE_S) as answer:
        return int(answer.read())


class Client:
    """A WebSocket that reads what it is told to wait for."""

    def __init__(self, connection: ClientConnection) -> None:
        self.socket = connection

    def tell(self, *commands: str) -> None:
        """Send commands and wait until the last is acknowledged; there must be nothing else to read."""
        for command in commands:
            self.socket.send(command)
            assert self.recv() == f"ok {command}"

    def recv(self) -> str:
        """The next message."""
        message = self.socket.recv(timeout=PATIENCE_S)
        assert isinstance(message, str)
        return message

    def frames(self) -> list[str]:
        """All that was sent until now."""
        self.socket.send("mark")
        return list(iter(self.recv, "what? mark"))

    def closed(self) -> tuple[int, str]:
        """Read to the end: the close code and reason."""
        with suppress(ConnectionClosed):
            while True:
                self.recv()
        close = self.socket.protocol.close_rcvd
        assert close is not None
        return close.code, close.reason

    def closed_without_a_word(self) -> None:
        """Read to the end, which no close frame announces."""
        with suppress(ConnectionClosed):
            while True:
                self.recv()
        assert self.socket.protocol.close_rcvd is None


class RawClient:
    """A socket that reads nothing by itself, with as small a buffer as the system allows."""

    def __init__(self, url: str, path: str = "/") -> None:
        address = urlsplit(url)
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        self.socket.settimeout(PATIENCE_S)
        self.socket.connect((address.hostname, address.port))
        self.head = b""
        self.path = path

    def upgrade(self) -> None:
        """Become a WebSocket."""
        self.socket.sendall(HANDSHAKE.format(self.path).encode())
        while not self.head.endswith(b"\r\n\r\n"):
            self.head += self.socket.recv(1)
        assert self.head.startswith(b"HTTP/1.1 101 ")

    @staticmethod
    def text(text: str) -> bytes:
        """A short text as a masked frame."""
        data = text.encode()
        assert len(data) < 126
        return bytes((0x81, 0x80 | len(data), 0, 0, 0, 0)) + data

    def send(self, text: str) -> None:
        self.socket.sendall(self.text(text))

    def read(self, size: int) -> bytes:
        """Exactly so many bytes; fewer only at the end."""
        data = b""
        while len(data) < size and (more := self.socket.recv(size - len(data))):
            data += more
        return data

    def frame(self) -> tuple[int, bytes]:
        """The next frame: its first byte and payload; (0, b"") at the end."""
        head = self.read(2)
        if len(head) < 2:
            return 0, b""
        size = head[1]
        if size > 125:
            size = int.from_bytes(self.read(2 if size == 126 else 8), "big")
        return head[0], self.read(size)

    def rest(self) -> list[tuple[int, bytes]]:
        """All frames until the close, and that."""
        frames = [self.frame()]
        while frames[-1][0] not in (0x88, 0):
            frames.append(self.frame())
        return frames

    def close(self) -> None:
        self.socket.close()


@pytest.fixture
def raw(toy: Emulator) -> Iterator[Callable[..., RawClient]]:
    """Connect a raw client to the toy venue."""
    with ExitStack() as stack:
        yield lambda path="/": stack.enter_context(closing(RawClient(toy.url("toy"), path)))
