"""The pytest fixture, as a user of the installed product gets it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request

import pytest

from emulator.sdk import Emulator
from venues.registry import VENUES


def test_the_fixture_is_a_running_exchange(exchange: Emulator) -> None:
    """Every venue on a URL of its own, the clock standing at a known time, and steppable."""
    urls = {venue.id: (exchange.url(venue.id), exchange.ws_url(venue.id)) for venue in VENUES}
    for http, ws in urls.values():
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", http)
        assert ws == "ws" + http.removeprefix("http")
    assert len(set(urls.values())) == len(VENUES)
    assert exchange.clock.paused
    assert exchange.clock.now_ns == 1_767_225_600_000_000_000
    exchange.clock.advance(1.5)
    with urllib.request.urlopen(exchange.control_url + "/health", timeout=20) as answer:
        health = json.load(answer)
    assert health["now_ns"] == exchange.clock.now_ns == 1_767_225_601_500_000_000
    assert health["venues"] == {id_: {"http": http, "ws": ws} for id_, (http, ws) in urls.items()}


async def test_the_clock_can_be_awaited(exchange: Emulator) -> None:
    """For tests that live in an event loop."""
    assert await exchange.clock.advance_async(60) == exchange.clock.now_ns


@pytest.mark.parametrize("module", ["emulator.pytest_plugin"])
def test_the_plugin_costs_a_stranger_nothing(module: str) -> None:
    """pytest imports it in projects that never use it: neither the product nor its dependencies come along."""
    show = f"import sys, pytest; known = set(sys.modules); import {module}; print(*sorted(set(sys.modules) - known))"
    done = subprocess.run([sys.executable, "-c", show], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) <= {"emulator", module}
