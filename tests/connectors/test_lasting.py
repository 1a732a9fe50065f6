"""Real clients stay connected through warped time, pauses and long steps, and are cut when they are to be."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from tests.connectors.test_clients import CLIENTS, PYTHON_BINANCE, SDK, python
from tests.serving import Served, serving

SPEED = 60
STEP_S = 8 * 3_600
WAIT_S = 300  # a stop for what hangs
SLACK_MS = 120_000  # the last minute is told when the next one has begun

# Its pins, its script, and its venue.
LASTING = (
    ("ccxt", "ccxt_lasting.py", "binance"),
    (PYTHON_BINANCE, "python_binance_lasting.py", "binance-usdm"),
    (SDK, "hyperliquid_sdk_lasting.py", "hyperliquid"),
)


class Client:
    """A client that stays, in a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def heard(self) -> dict[str, int]:
        """What it says of what it heard."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "it has ended"
        heard: dict[str, int] = json.loads(line)
        return heard

    def until(self, what: str, least: int) -> dict[str, int]:
        """What it has heard once that is so much."""
        give_up = time.monotonic() + WAIT_S
        while (heard := self.heard())[what] < least:
            assert time.monotonic() < give_up, f"still {heard}, not {what} {least}"
            time.sleep(0.1)
        return heard


@contextmanager
def staying(served: Served, pins: str, script: str, venue: str) -> Iterator[Client]:
    urls = served.venues[venue]
    command = (python(pins), "-I", CLIENTS / script, urls["http"], urls["ws"])
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:
        try:
            yield Client(process)
        finally:
            process.kill()


@contextmanager
def all_staying(served: Served, rows: Any = LASTING) -> Iterator[list[Client]]:
    with ExitStack() as stack:
        clients = [stack.enter_context(staying(served, *row)) for row in rows]
        for client in clients:
            client.until("steps", 1)
        yield clients


def now_ms(served: Served) -> int:
    return int(served.get("/clock")["now_ns"]) // 1_000_000


def hold_out(run_s: int, pause_s: int) -> None:
    """So many virtual seconds at SPEED, so many of the wall's standing still, and STEP_S at once."""
    options = ("--seed", "7", "--speed", str(SPEED), "--socket-lifetime", "never")
    with serving(*options) as served, all_staying(served) as clients:
        end_ms = now_ms(served) + run_s * 1_000
        while now_ms(served) < end_ms:
            time.sleep(1)
            assert all(client.heard()["cuts"] == 0 for client in clients)

        served.post("/clock/pause")
        paused_ms = now_ms(served)
        time.sleep(pause_s)
        for client in clients:
            heard = client.until("last", paused_ms - SLACK_MS)
            assert heard["last"] <= paused_ms, "news of a clock that stands"
        served.post("/clock/resume")
        for client in clients:
            client.until("last", paused_ms + 1)

        reached_ms = served.post("/clock/advance", seconds=STEP_S)["now_ns"] // 1_000_000
        for client, (_, _, venue) in zip(clients, LASTING, strict=True):
            heard = client.until("last", reached_ms - SLACK_MS)
            assert (heard["cuts"], heard["missed"]) == (0, 0), venue
            span_ms = heard["last"] - heard["first"]
            assert heard["steps"] == span_ms // heard["step_ms"] + 1, venue
            assert span_ms >= (run_s + STEP_S) * 1_000 - SLACK_MS, venue


@pytest.mark.client
@pytest.mark.timeout(900)
def test_real_clients_stay_through_warped_time() -> None:
    """Ten minutes at x60, a pause longer than their heartbeats' deadlines of 20 s, eight hours at once: no cut, and not
    a minute or second is missing.
    """
    hold_out(600, 25)


@pytest.mark.long
@pytest.mark.client
@pytest.mark.timeout(3_600)
def test_real_clients_stay_for_a_day() -> None:
    """The same for 24 h at x60, and a pause in which each has sent several pings of its own."""
    hold_out(86_400, 200)


@pytest.mark.client
@pytest.mark.timeout(900)
def test_real_clients_are_cut_when_sockets_have_lived_long_enough() -> None:
    """Where the venue ends sockets, after as long as the setting says; they come back by themselves."""
    with (
        serving("--seed", "7", "--speed", str(SPEED), "--socket-lifetime", "300") as served,
        all_staying(served, LASTING[:2]) as clients,
    ):
        for client in clients:
            heard = client.until("cuts", 1)
            client.until("last", heard["last"] + SLACK_MS)


@pytest.mark.client
@pytest.mark.timeout(900)
def test_real_clients_are_cut_where_a_fault_says_so() -> None:
    """One rule of chaos for each socket: all notice, and those that come back by themselves hear on."""
    with serving("--seed", "7", "--speed", str(SPEED)) as served, all_staying(served) as clients:
        for _, _, venue in LASTING:
            served.post("/faults", kind="ws.close", venue=venue, code=1012, reason="maintenance", count=1)
        heard = [client.until("cuts", 1) for client in clients]
        for client, before in zip(clients[:2], heard, strict=False):
            client.until("last", before["last"] + SLACK_MS)
