"""Scenarios through real sockets: each that comes along breaks what it says, when it says, the same way every time."""

from __future__ import annotations

import http.client
import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from websockets.sync.client import connect

from emulator.chaos.faults import KINDS
from emulator.chaos.rules import Rules
from emulator.chaos.scenarios import read_scenario, scenarios
from emulator.config import ConfigError
from emulator.sdk import Emulator
from reactor.types import SECOND_NS
from tests.emulator.conftest import Client
from tests.emulator.toy import toys
from tests.patience import PATIENCE_S

DATED = re.compile(r"\d{4}-\d\d-\d\d-")


def status(running: Emulator, venue: str = "toy", method: str = "GET", path: str = "/x") -> int:
    """Of a request's answer; 0 for none."""
    with closing(
        http.client.HTTPConnection(urlsplit(running.url(venue)).netloc, timeout=PATIENCE_S)
    ) as connection:
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
        assert traded(running) == []
        running.clock.advance(602)
        assert traded(running)


def traded(running: Emulator, venue: str = "binance", symbol: str = "BTCUSDT") -> list[float]:
    """The prices of the last second's trades."""
    now_ns = running.clock.now_ns
    trades = running.truth.trades(venue, symbol, after_ns=now_ns - SECOND_NS)
    return [float(trade.price) for trade in trades]


def index_over_market(running: Emulator, symbol: str) -> float:
    answers = []
    for path in (f"/fapi/v1/premiumIndex?symbol={symbol}", f"/fapi/v1/ticker/price?symbol={symbol}"):
        with urllib.request.urlopen(running.url("binance-usdm") + path, timeout=PATIENCE_S) as answer:
            answers.append(json.load(answer))
    return float(answers[0]["indexPrice"]) / float(answers[1]["price"])


def test_one_exchange_crashes_alone() -> None:
    with Emulator({"venues": ["binance", "binance-usdm"], "scenario": "2021-10-21-flash-crash"}) as running:
        running.clock.advance(24)
        assert max(traded(running)) < 10_000
        assert index_over_market(running, "BTCUSDT") == pytest.approx(1, abs=0.01)
        running.clock.advance(30)
        assert min(traded(running)) > 64_000


def test_spot_stands_still_and_contracts_go_on() -> None:
    with Emulator({"venues": ["binance", "binance-usdm"], "scenario": "2023-03-24-matching-halt"}) as running:
        running.clock.advance(3_600)
        assert traded(running) == []
        assert traded(running, "binance-usdm")
        assert status(running, "binance", "DELETE", "/api/v3/order") == 503
        running.clock.advance(2_000)
        assert status(running, "binance", "DELETE", "/api/v3/order") == 401
        running.clock.advance(1_785)
        assert running.truth.trades("binance", "BTCUSDT")


def test_a_tick_size_grows() -> None:
    def tick_size() -> str:
        path = "/api/v3/exchangeInfo?symbol=SOLUSDT"
        with urllib.request.urlopen(running.url("binance") + path, timeout=PATIENCE_S) as answer:
            return str(json.load(answer)["symbols"][0]["filters"][0]["tickSize"])

    with Emulator({"venues": ["binance"], "scenario": "2024-01-19-tick-size"}) as running:
        running.clock.advance(59)
        assert tick_size() == "0.01000000"
        running.clock.advance(2)
        assert tick_size() == "0.10000000"
        assert {price % Decimal("0.1") for price in running.truth.book("binance", "SOLUSDT").bids} == {0}


def test_a_cascade_empties_books_and_an_index_goes_astray() -> None:
    with (
        Emulator({"venues": ["binance-usdm"], "scenario": "2025-10-10-liquidation-cascade"}) as running,
        connect(running.ws_url("binance-usdm") + "/ws/btcusdt@forceOrder", max_queue=None) as socket,
    ):

        def bids() -> float:
            return float(sum(running.truth.book("binance-usdm", "BTCUSDT").bids.values()))

        whole = bids()
        running.clock.advance(30)
        sides = [json.loads(socket.recv(timeout=PATIENCE_S))["o"]["S"] for _ in range(10)]
        assert sides.count("SELL") > 7
        socket.close()
        running.clock.advance(1_770)
        assert bids() < 0.1 * whole
        assert traded(running, "binance-usdm")[0] < 56_000
        running.clock.advance(1_000)
        assert index_over_market(running, "SOLUSDT") == pytest.approx(0.65, abs=0.02)
        assert index_over_market(running, "ETHUSDT") == pytest.approx(1, abs=0.02)


def test_a_perpetual_is_squeezed_and_taken_off() -> None:
    with Emulator({"venues": ["hyperliquid"], "scenario": "2025-03-26-squeeze-and-delisting"}) as running:

        def context() -> tuple[dict[str, object], dict[str, str]]:
            request = urllib.request.Request(
                running.url("hyperliquid") + "/info",
                b'{"type": "metaAndAssetCtxs"}',
                {"content-type": "application/json"},
            )
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
                meta, contexts = json.load(answer)
            place = [row["name"] for row in meta["universe"]].index("SOL")
            return meta["universe"][place], contexts[place]

        running.clock.advance(3_700)
        row, told = context()
        assert "isDelisted" not in row
        assert float(told["midPx"]) / float(told["oraclePx"]) == pytest.approx(4, rel=0.02)
        running.clock.advance(1_701)
        assert context()[0]["isDelisted"] is True


@pytest.mark.parametrize(
    ("name", "lasts_s", "answers"),
    [
        ("2022-12-18-cloud-outage", 54_001, {503}),
        ("2025-10-20-cloud-region-down", 13_561, {0, 418}),
        ("rest-down-sockets-up", 1_201, {503}),
    ],
)
def test_nothing_answers_until_it_is_over(toy: Emulator, name: str, lasts_s: int, answers: set[int]) -> None:
    toy.faults.start(name)
    toy.clock.advance(1)
    assert {status(toy) for _ in range(30)} == answers
    toy.clock.advance(lasts_s)
    assert {status(toy) for _ in range(5)} == {418}  # the toy's own


def test_sockets_go_on_while_rest_is_down(toy: Emulator, dial: Callable[..., Client]) -> None:
    client = dial()
    client.tell("sub a 1000")
    toy.faults.start("rest-down-sockets-up")
    toy.clock.advance(3)
    assert status(toy) == 503
    assert len(client.frames()) == 3


def test_funding_runs_from_one_bound_to_the_other() -> None:
    """0.3 % for BTCUSDT, the venue's own cap."""
    with Emulator({"venues": ["binance-usdm"], "scenario": "funding-shock"}) as running:
        running.clock.advance(18 * 3_600)
        path = "/fapi/v1/fundingRate?symbol=BTCUSDT&limit=20"
        with urllib.request.urlopen(running.url("binance-usdm") + path, timeout=PATIENCE_S) as answer:
            rates = {row["fundingRate"] for row in json.load(answer)}
    assert {"0.00300000", "-0.00300000"} <= rates


def test_a_ladder_of_activity_climbs() -> None:
    """Seen by the trades of its minutes, and of one of rest."""
    with Emulator({"venues": ["binance"]}) as running:
        running.faults.start("activity-ladder")
        running.clock.advance(480)
        path = "/api/v3/klines?symbol=SOLUSDT&interval=1m&limit=8"
        with urllib.request.urlopen(running.url("binance") + path, timeout=PATIENCE_S) as answer:
            counts = [row[8] for row in json.load(answer)]
    busy, calm = counts[0::2], counts[1::2]
    assert busy == sorted(busy)
    assert busy[-1] > 10 * max(calm)


def test_scenarios_over_http(toy: Emulator) -> None:
    def ask(path: str, data: bytes | None = None) -> object:
        with urllib.request.urlopen(
            urllib.request.Request(toy.control_url + path, data), timeout=PATIENCE_S
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
