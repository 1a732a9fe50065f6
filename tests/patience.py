"""How tests wait for what must come: for the fact itself, with a stop for what hangs, far from any slow machine."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from websockets.sync.client import ClientConnection

PATIENCE_S = 120.0


def until(done: Callable[[], bool]) -> None:
    """Look until it is so."""
    give_up = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < give_up, "it never was so"
        time.sleep(0.01)


def told(socket: ClientConnection) -> list[bytes]:
    """The messages that were sent until now and not yet read: the answer to a ping comes after them."""
    assert socket.ping().wait(PATIENCE_S), "no answer to a ping"
    found: list[bytes] = []
    while True:
        try:
            found.append(socket.recv(timeout=0, decode=False))
        except TimeoutError:
            return found


def said(socket: ClientConnection) -> list[Any]:
    """The same, of JSON."""
    return [json.loads(payload) for payload in told(socket)]
