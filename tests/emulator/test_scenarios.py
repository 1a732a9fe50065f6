"""Scenarios through real sockets: each that comes along breaks what it says, when it says, the same way every time."""

from __future__ import annotations

import http.client
import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from websockets.sync.client import connect

from emulator.chaos.faults import KINDS
from emulator.chaos.rules import Rules
from emulator.chaos.scenarios import read_scenario, scenarios
from emulator.config import ConfigError
from emulator.sdk import Emulator
from tests.emulator.conftest import Client
from tests.emulator.toy import toys

DATED = re.compile(r"\d{4}-\d\d-\d\d-")


def status(running: Emulator, venue: str = "toy", method: str = "GET", path: str = "/x") -> int:
    """Of a request's answer; 0 for none."""
    with closing(http.client.HTTPConnection(urlsplit(running.url(venue)).netloc, timeout=5)) as connection:
        connection.request(method, path)
        try:
            return connection.getresponse().status
        except (http.client.RemoteDisconnected, ConnectionResetError):
            return 0


@pytest.mark.parametrize("name", scenarios())
def test_every_scenario_is_rules_there_are(name: str) -> None:
    """And says what it is; one of a certain day says who told of it."""
    scenario = read_scenario(name)
    rules = Rules(lambda: KINDS)
    for rule in scenario.rules:
        rules.add(rule.words, 0, rule.place, rule.id)
    assert len(rules) == len(scenario.rules) > 0
    assert scenario.about.endswith(".")
    assert bool(scenario.source) == bool(DATED.match(name))


def test_a_storm_of_limits_rises_and_passes(toy: Emulator) -> None:
    toy.faults.start("rate-limit-storm")
    assert [status(toy) for _ in range(3)] == [418, 418, 429]  # the toy's own answer is 418, too
    toy.clock.advance(61)
    assert {status(toy) for _ in range(3)} == {429}
    toy.clock.advance(60)
    assert status(toy) == 418
    assert toy.faults.hits[-1].kind == "http.418"
    toy.clock.advance(120)
    hits = len(toy.faults.hits)
    assert status(toy) == 418
    assert len(toy.faults.hits) == hits


def test_a_maintenance_ends_sockets_refuses_all_and_reopens(
    toy: Emulator, dial: Callable[..., Client]
) -> None:
    client = dial("/polite")
    client.tell("sub a 1000")
    toy.faults.start("maintenance")
    toy.clock.advance(62)
    assert client.closed() == (4_010, "an hour is over")
    assert status(toy) == 503
    with pytest.raises(Exception, match="503"):
        dial()
    toy.clock.advance(300)
    assert status(toy) == 418
    dial().tell("sub a 1000")


def test_a_ladder_of_bursts_climbs(toy: Emulator, dial: Callable[..., Client]) -> None:
    """A message a second; that of the very second in which a rung begins is on it."""
    client = dial()
    client.tell("sub a 1000")
    toy.faults.start("burst-ladder")
    seen = []
    for _ in range(8):
        toy.clock.advance(30)
        seen.append(len(client.frames()))
    assert seen == [60, 34, 150, 39, 300, 79, 1_500, 30]


def test_a_flaky_network_is_the_same_every_time() -> None:
    def hits() -> list[tuple[object, ...]]:
        with Emulator({"scenario": "flaky-network"}, registry=toys()) as fresh:
            with connect(fresh.ws_url("toy"), max_queue=None) as socket:
                socket.send("sub a 10")
                fresh.clock.advance(10)
            for _ in range(10):
                status(fresh)
            return [(hit.rule, hit.identity) for hit in fresh.faults.hits]

    first = hits()
    assert len({rule for rule, _ in first}) >= 2
    assert first == hits()


def test_orders_are_accepted_and_answered_with_errors() -> None:
    """Half of the requests to trade; what is asked of the account is told."""
    with Emulator({"venues": ["hyperliquid"]}) as running:
        running.faults.start("2025-07-29-accepted-but-error")
        seen = [status(running, "hyperliquid", "POST", "/exchange") for _ in range(4)]
        assert [code == 502 for code in seen] == [False, True, False, True]
        running.clock.advance(2_221)
        assert 502 not in [status(running, "hyperliquid", "POST", "/exchange") for _ in range(4)]


def test_a_halt_and_its_reopening() -> None:
    with Emulator({"venues": ["binance"]}) as running:
        running.faults.start("2023-03-17-halt-and-reopening")
        seen = [status(running, "binance", path="/api/v3/time") for _ in range(40)]
        assert 2 <= seen.count(503) <= 16
        running.clock.advance(601)
        assert {status(running, "binance", path="/api/v3/time") for _ in range(20)} == {200}
        assert status(running, "binance", "DELETE", "/api/v3/order") == 503
        running.clock.advance(1_800)
        assert status(running, "binance", "DELETE", "/api/v3/order") == 401


def test_scenarios_over_http(toy: Emulator) -> None:
    def ask(path: str, data: bytes | None = None) -> object:
        with urllib.request.urlopen(
            urllib.request.Request(toy.control_url + path, data), timeout=20
        ) as answer:
            return json.load(answer)

    listed = ask("/scenarios")
    assert isinstance(listed, list)
    assert [row["name"] for row in listed] == list(scenarios())
    started = ask("/scenarios/burst-ladder/start", b"")
    assert isinstance(started, list)
    assert [row["id"] for row in started] == [f"burst-ladder-{n}" for n in range(1, 5)]
    with pytest.raises(urllib.error.HTTPError) as refused:
        ask("/scenarios/burst/start", b"")
    with refused.value as answer:
        assert json.load(answer) == {"error": "there is no scenario 'burst'; did you mean burst-ladder?"}


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("about: x", "rules: there are none"),
        ("rules: [{kind: md.gapp}]", "rule 1: kind: 'md.gapp' is no fault; did you mean md.gap?"),
        ("rule: []", "rule: unknown word; did you mean rules?"),
        ("[]", "expected about, source, rules"),
    ],
)
def test_what_is_wrong_in_a_file_is_one_line(tmp_path: Path, text: str, error: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=re.escape(f"{path}: {error}")):
        Emulator({"scenario": str(path)}, registry=toys()).start()
