"""Hostile clients, of every venue: whatever is sent to a session, an endpoint or a port is answered or ends it."""

from __future__ import annotations

import json
import logging
import random
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Self, TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emulator.sdk import Emulator
from tests.emulator.conftest import RawClient
from tests.fuzzing import Corpus, Findings, Fuzzer, Hostile
from tests.venues.test_contract import DIALOGUES
from venues.registry import VENUES

BY_ID = {venue.id: venue for venue in VENUES}
every_venue = pytest.mark.parametrize("name", BY_ID)
MASK = bytes((7, 0, 99, 255))
Tellers: TypeAlias = Callable[[str, int], tuple[Hostile, Findings]]


# ---------------------------------------------------------------- without sockets
@every_venue
@given(seed=st.integers(0, 2**32))
@settings(max_examples=15)
def test_whatever_is_said_a_venue_answers(name: str, hostile: Tellers, seed: int) -> None:
    """Sessions and endpoints raise nothing. `scripts/fuzz` goes on with that for a million inputs."""
    teller, findings = hostile(name, seed)
    for _ in range(60):
        teller.tell()
    assert not findings.failures, findings.failures.popitem()


@pytest.fixture(scope="module")
def hostile() -> Tellers:
    """A teller of each venue's, with another source of chance each time it is asked for."""
    tellers: dict[str, Hostile] = {}

    def of(name: str, seed: int) -> tuple[Hostile, Findings]:
        findings = Findings()
        if name not in tellers:
            tellers[name] = Hostile(BY_ID[name], random.Random(0), findings)
        tellers[name].begin(random.Random(seed), findings)
        return tellers[name], findings

    return of


# ---------------------------------------------------------------- through sockets
@pytest.fixture(scope="module")
def running() -> Iterator[Emulator]:
    """All venues, whose clock stands."""
    with Emulator() as emulator:
        yield emulator


class Raw(RawClient):
    """A connection to a venue that says anything; with a path, a socket."""

    def __init__(self, emulator: Emulator, name: str, path: str | None = None) -> None:
        super().__init__(emulator.url(name), path or "/")
        if path is not None:
            self.upgrade()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def put(self, first: int, payload: bytes) -> None:
        """A masked frame with this first byte."""
        size = len(payload)
        length = bytes((0x80 | size,)) if size < 126 else b"\xff" + size.to_bytes(8, "big")
        masked = bytes(byte ^ MASK[i % 4] for i, byte in enumerate(payload))
        self.say(bytes((first,)) + length + MASK + masked)

    def say(self, data: bytes) -> None:
        """Any bytes; the server may have ended it before."""
        with suppress(ConnectionError):
            self.socket.sendall(data)

    def last_words(self) -> bytes:
        """All that comes until the end, once nothing more is said; the server may have ended it before."""
        said = b""
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)
        with suppress(ConnectionResetError):
            while more := self.socket.recv(65_536):
                said += more
        return said


def subscription(name: str) -> bytes:
    dialogue = DIALOGUES[name]
    return json.dumps(dialogue.subscribe(dialogue.streams[0].words)).encode()


@every_venue
def test_a_message_may_come_in_pieces_with_pings_between_them(running: Emulator, name: str) -> None:
    """RFC 6455, section 5.4: control frames are answered at once, the message when it is whole."""
    said = subscription(name)
    with (
        Raw(running, name, DIALOGUES[name].path) as whole,
        Raw(running, name, DIALOGUES[name].path) as client,
    ):
        whole.put(0x81, said)
        expected = whole.frame()
        client.put(0x01, said[:5])
        client.put(0x89, b"one")
        assert client.frame() == (0x8A, b"one")
        for byte in said[5:-1]:
            client.put(0x00, bytes((byte,)))
        client.put(0x00, b"")
        client.put(0x89, b"two")
        assert client.frame() == (0x8A, b"two")
        client.put(0x80, said[-1:])
        assert client.frame() == expected
        assert expected[0] == 0x81


@every_venue
def test_a_message_beyond_the_bound_ends_the_socket(running: Emulator, name: str) -> None:
    """1009, whole or in pieces; at the bound it is answered."""
    most = BY_ID[name].socket_rules.max_message_bytes
    for pieces, code in (((most,), None), ((most + 1,), 1009), ((most, 1), 1009), ((1, most), 1009)):
        with Raw(running, name, DIALOGUES[name].path) as client:
            for number, size in enumerate(pieces):
                final = 0x80 * (number == len(pieces) - 1)
                client.put(final | (0 if number else 1), b" " * size)
            first, payload = client.frame()
            assert (first, int.from_bytes(payload[:2], "big")) == (0x88, code) if code else first == 0x81


def failures(log: pytest.LogCaptureFixture) -> list[str]:
    """What was logged of failures, ours or a library's; that bytes are no HTTP is worth a warning only."""
    return [record.getMessage() for record in log.records if record.levelno >= logging.ERROR]


# Each example takes two connections; what it finds stays found.
quickly = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


@every_venue
@given(seed=st.integers(0, 2**32), noise=st.binary(max_size=80))
@quickly
def test_whatever_comes_after_the_handshake_nothing_of_ours_fails(
    running: Emulator, caplog: pytest.LogCaptureFixture, name: str, seed: int, noise: bytes
) -> None:
    """Messages and noise in frames, then noise for frames: answers, and at last an end."""
    fuzzer = Fuzzer(Corpus.of(BY_ID[name]), random.Random(seed))
    with Raw(running, name, DIALOGUES[name].path) as client:
        for message in (fuzzer.message() for _ in range(4)):
            text = message.encode(errors="surrogatepass") if isinstance(message, str) else message
            client.put(0x81 if isinstance(message, str) else 0x82, text)
        client.say(noise)
        client.last_words()
    assert failures(caplog) == []


@every_venue
@given(seed=st.integers(0, 2**32), noise=st.binary(max_size=80))
@quickly
def test_whatever_a_port_is_told_it_goes_on(
    running: Emulator, caplog: pytest.LogCaptureFixture, name: str, seed: int, noise: bytes
) -> None:
    """Requests, more or less, and then noise: HTTP answers, none of them our failure, and the next client is served."""
    fuzzer = Fuzzer(Corpus.of(BY_ID[name]), random.Random(seed))
    request = fuzzer.request()
    target = f"{request.path}?{request.query}".encode(errors="surrogatepass").replace(b" ", b"+")
    head = b"%s %s HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    whole = head % (request.method.encode(), target, len(request.body)) + request.body
    with Raw(running, name) as client:
        client.say(whole if seed % 2 else fuzzer._mutated(whole))
        client.say(noise)
        said = client.last_words()
    assert said == b"" or said.startswith(b"HTTP/1.1 ")
    assert b"Internal Server Error" not in said
    assert failures(caplog) == []
    with Raw(running, name, DIALOGUES[name].path) as next_one:
        next_one.put(0x89, b"")
        assert next_one.frame() == (0x8A, b"")
