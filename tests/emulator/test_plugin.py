"""The pytest fixture, as a user of the installed product gets it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

import emulator
from emulator.config import ConfigError
from emulator.sdk import Emulator
from tests.patience import PATIENCE_S
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
    with urllib.request.urlopen(exchange.control_url + "/health", timeout=PATIENCE_S) as answer:
        health = json.load(answer)
    assert health["now_ns"] == exchange.clock.now_ns == 1_767_225_601_500_000_000
    assert health["venues"] == {id_: {"http": http, "ws": ws} for id_, (http, ws) in urls.items()}


@pytest.mark.emulator(seed=7, start="2026-03-01T12:00:00Z", venues=["hyperliquid"])
def test_a_marker_has_the_exchange_as_a_test_wants_it(exchange: Emulator) -> None:
    """Its settings are those of a file."""
    with urllib.request.urlopen(exchange.control_url + "/health", timeout=PATIENCE_S) as answer:
        health = json.load(answer)
    assert (health["seed"], list(health["venues"])) == (7, ["hyperliquid"])
    assert health["now_ns"] == 1_772_366_400_000_000_000


@pytest.mark.parametrize("wrong", [{"sed": 7}, {"preset": "binance"}, {"seed": "x"}])
def test_a_wrong_setting_is_one_line(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"^[^\n]+$"):
        Emulator(**wrong)


async def test_an_emulator_lives_in_an_async_with() -> None:
    async with emulator.Emulator(preset="hyperliquid_perp_btc") as exchange:
        assert await exchange.clock.advance_async(1) == exchange.clock.now_ns


async def test_the_clock_can_be_awaited(exchange: Emulator) -> None:
    """For tests that live in an event loop."""
    assert await exchange.clock.advance_async(60) == exchange.clock.now_ns


TWO_AT_ONCE = """
import os, pathlib, time
import pytest

@pytest.mark.parametrize("other", [1, 0])
def test_it(exchange, other):
    exchange.clock.advance(1)
    mine = pathlib.Path(f"{1 - other}.ports")
    urls = [exchange.url(venue) for venue in ("binance", "binance-usdm", "hyperliquid")]
    mine.write_text("\\n".join([os.environ["PYTEST_XDIST_WORKER"], exchange.control_url, *urls]))
    give_up = time.monotonic() + 120
    while not pathlib.Path(f"{other}.ports").exists():  # both run at the same time, or this never ends
        assert time.monotonic() < give_up
        time.sleep(0.02)
"""


def test_workers_of_xdist_have_exchanges_of_their_own(tmp_path: Path) -> None:
    """At the same time, on ports of their own, without being told anything."""
    (tmp_path / "test_it.py").write_text(TWO_AT_ONCE)
    options = ("-q", "-n", "2", "-p", "no:cacheprovider", "-p", "no:asyncio")
    command = (sys.executable, "-m", "pytest", *options)
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    told = [(tmp_path / f"{which}.ports").read_text().splitlines() for which in (0, 1)]
    assert len({*told[0], *told[1]}) == len(told[0]) + len(told[1]) == 10


@pytest.mark.parametrize("module", ["emulator.pytest_plugin"])
def test_the_plugin_costs_a_stranger_nothing(module: str) -> None:
    """pytest imports it in projects that never use it: neither the product nor its dependencies come along."""
    show = f"import sys, pytest; known = set(sys.modules); import {module}; print(*sorted(set(sys.modules) - known))"
    done = subprocess.run([sys.executable, "-c", show], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) <= {"emulator", module}
