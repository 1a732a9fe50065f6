"""What the exchange says of how a client behaved: a good one passes, of a bad one it says who did what when."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect as connect_async
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from emulator.sdk import Emulator
from emulator.witness import WRITERS_KEPT
from tests.emulator.conftest import RawClient
from tests.patience import PATIENCE_S, until
from tests.trader import KEY, SECRET, Refused, Trader

DEPTH = "/ws/btcusdt@depth@100ms"
START = r"2026-01-01T00:00:0\d\.\d{3}Z"
ORDER = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
FAR = ORDER | {"price": "30000"}  # rests, for the market is at 65,000
MARKET = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}
HIT: dict[str, Any] = {"venue": "binance", "endpoint": "/api/v3/order", "count": 1}
CARRIED_OUT: dict[str, Any] = {"status": 504, "body": "{}", "carried_out": True, **HIT}


@pytest.fixture
def running() -> Iterator[Emulator]:
    with Emulator({"venues": ["binance"]}) as emulator:
        yield emulator


@pytest.fixture
def trader(running: Emulator) -> Iterator[Trader]:
    with closing(Trader(running.url("binance"))) as trader:
        yield trader


def lose(running: Emulator, socket: ClientConnection) -> None:
    """Have the exchange cut a socket in the place of a message, and read to its end."""
    running.faults.add("ws.drop", venue="binance", after_n=3, count=1)
    running.clock.advance(1)
    with suppress(ConnectionClosed):
        while True:
            socket.recv(timeout=PATIENCE_S)


def place(trader: Trader, order: dict[str, str]) -> Any:
    return trader.signed("POST", "/api/v3/order", order)


# ---------------------------------------------------------------- sockets
def test_who_comes_back_has_reconnected(running: Emulator) -> None:
    with connect(running.ws_url("binance") + DEPTH) as socket:
        lose(running, socket)
    with connect(running.ws_url("binance") + DEPTH):
        running.assert_reconnected(within_seconds=20)
        running.assert_resubscribed(within_seconds=20)


def test_who_stays_away_has_not(running: Emulator) -> None:
    with connect(running.ws_url("binance") + DEPTH) as socket:
        lose(running, socket)
    who = rf"^binance: binance-1 \({DEPTH}, 127\.0\.0\.1\) was cut at {START} and "
    with pytest.raises(AssertionError, match=who + r"has not reconnected after \d+\.\d s$"):
        running.assert_reconnected(within_seconds=0.2)
    with pytest.raises(
        AssertionError, match=who + "depth BTCUSDT 100ms is not subscribed again within 0.2 s$"
    ):
        running.assert_resubscribed(within_seconds=0.2)


def test_who_comes_back_late_is_told_how_late(running: Emulator) -> None:
    with connect(running.ws_url("binance") + DEPTH) as socket:
        lose(running, socket)
    with pytest.raises(AssertionError):
        running.assert_reconnected(within_seconds=0.3)
    with connect(running.ws_url("binance") + DEPTH):
        with pytest.raises(AssertionError, match=r"and reconnected after \d+\.\d s, not 0\.3$"):
            running.assert_reconnected(within_seconds=0.3)
        running.assert_reconnected(within_seconds=20)


def test_a_reconnection_is_waited_for(running: Emulator) -> None:
    """A client on its way is not blamed while it still has time."""
    with connect(running.ws_url("binance") + DEPTH) as socket:
        lose(running, socket)
    done = threading.Event()

    def come_back() -> None:
        with connect(running.ws_url("binance") + DEPTH):
            done.wait(PATIENCE_S)

    client = threading.Timer(0.3, come_back)
    client.start()
    running.assert_reconnected(within_seconds=20)
    running.assert_resubscribed(within_seconds=20)
    done.set()
    client.join()


async def test_a_client_in_the_same_event_loop_goes_on_meanwhile(running: Emulator) -> None:
    url = running.ws_url("binance") + DEPTH
    async with connect_async(url) as socket:
        running.connections.kick("binance-1", 1001)
        await socket.wait_closed()

    judged = asyncio.Event()

    async def come_back() -> None:
        await asyncio.sleep(0.2)
        async with connect_async(url):
            await judged.wait()

    client = asyncio.create_task(come_back())
    await running.assert_reconnected_async(within_seconds=20)
    await running.assert_resubscribed_async(within_seconds=20)
    judged.set()
    await client


def test_who_comes_back_and_forgets_a_stream_is_found_out(running: Emulator) -> None:
    began = time.monotonic()
    with connect(running.ws_url("binance") + "/ws/btcusdt@trade") as socket:
        socket.send(json.dumps({"method": "SUBSCRIBE", "params": ["ethusdt@bookTicker"], "id": 1}))
        lose(running, socket)
    with connect(running.ws_url("binance") + "/ws/btcusdt@trade") as socket:
        running.assert_reconnected(within_seconds=20)
        said = r"and bookTicker ETHUSDT is not subscribed again within [\d.]+ s$"
        with pytest.raises(AssertionError, match=said):
            running.assert_resubscribed(within_seconds=time.monotonic() - began + 0.2)
        socket.send(json.dumps({"method": "SUBSCRIBE", "params": ["ethusdt@bookTicker"], "id": 1}))
        running.assert_resubscribed(within_seconds=20)


def test_an_accounts_news_are_to_be_listened_to_again(running: Emulator) -> None:
    params = {"apiKey": KEY, "timestamp": "1767225600000"}
    query = "&".join(f"{name}={params[name]}" for name in sorted(params))
    params["signature"] = hmac.new(SECRET.encode(), query.encode(), hashlib.sha256).hexdigest()
    said = json.dumps({"id": 1, "method": "userDataStream.subscribe.signature", "params": params})
    with connect(running.ws_url("binance") + "/ws-api/v3") as socket:
        socket.send(said)
        assert json.loads(socket.recv(timeout=PATIENCE_S))["status"] == 200
        (row,) = running.connections.list()
        assert row.accounts == ("demo",)
        running.connections.kick(row.id)
    with connect(running.ws_url("binance") + "/ws-api/v3") as socket:
        with pytest.raises(
            AssertionError, match=r"and the news of demo is not subscribed again within 0\.2 s$"
        ):
            running.assert_resubscribed(within_seconds=0.2)
        socket.send(said)
        assert json.loads(socket.recv(timeout=PATIENCE_S))["status"] == 200
        running.assert_resubscribed(within_seconds=20)


def test_a_socket_that_went_silent_is_as_good_as_cut(running: Emulator) -> None:
    running.faults.add("ws.half_open", venue="binance", after_n=3)
    with connect(running.ws_url("binance") + DEPTH, max_queue=None):
        running.clock.advance(1)
        with pytest.raises(AssertionError, match=r"went silent at .* and has not reconnected"):
            running.assert_reconnected(within_seconds=0.1)
        running.faults.clear()
        with connect(running.ws_url("binance") + DEPTH):
            running.assert_reconnected(within_seconds=20)


def test_one_socket_takes_the_place_of_one(running: Emulator) -> None:
    began = time.monotonic()
    with connect(running.ws_url("binance") + DEPTH), connect(running.ws_url("binance") + DEPTH):
        for socket in running.connections.list():
            running.connections.kick(socket.id)
        with connect(running.ws_url("binance") + DEPTH):
            with pytest.raises(AssertionError, match=r"binance-2 .* has not reconnected"):
                running.assert_reconnected(within_seconds=time.monotonic() - began + 0.2)
            with connect(running.ws_url("binance") + DEPTH):
                running.assert_reconnected(within_seconds=20)


def test_nothing_happened_is_no_success(running: Emulator) -> None:
    """A judgement on what was never put to the test fails, and says so; a socket that its client ended is no loss."""
    with connect(running.ws_url("binance") + DEPTH):
        pass
    with pytest.raises(AssertionError, match=r"^no socket of a client was cut"):
        running.assert_reconnected()
    with pytest.raises(AssertionError, match=r"^no socket that listened to anything was cut"):
        running.assert_resubscribed()
    with pytest.raises(AssertionError, match=r"^no socket of a client was sent a ping"):
        running.assert_answered_pings()


def test_a_ping_is_answered(running: Emulator) -> None:
    with connect(running.ws_url("binance") + DEPTH):
        running.connections.ping()
        running.assert_answered_pings(within_seconds=20)


def test_who_leaves_a_ping_unanswered_is_named(running: Emulator) -> None:
    with closing(RawClient(running.url("binance"), DEPTH)) as client:
        client.upgrade()
        running.connections.ping("binance-1")
        said = rf"^binance: the ping of {START} to binance-1 \(.*\) was not answered for \d+\.\d s$"
        with pytest.raises(AssertionError, match=said):
            running.assert_answered_pings(within_seconds=0.2)


# ---------------------------------------------------------------- orders
def test_an_order_that_is_asked_for_is_no_duplicate(running: Emulator, trader: Trader) -> None:
    """Its answer was lost, so the client looks before it does anything."""
    running.faults.add("http.status", **CARRIED_OUT)
    with pytest.raises(Refused):
        place(trader, FAR | {"newClientOrderId": "mine"})
    with pytest.raises(AssertionError, match=r"has been open since"):
        running.assert_no_orphan_orders()
    found = trader.signed("GET", "/api/v3/openOrders")
    assert [order["clientOrderId"] for order in found] == ["mine"]
    running.assert_no_orphan_orders()
    place(trader, FAR | {"newClientOrderId": "another"})
    running.assert_no_duplicate_orders()


@pytest.mark.parametrize("order", [FAR, MARKET], ids=["resting", "filled"])
def test_a_blind_retry_is_a_duplicate(running: Emulator, trader: Trader, order: dict[str, str]) -> None:
    running.faults.add("http.status", **CARRIED_OUT)
    with pytest.raises(Refused):
        place(trader, order | {"newClientOrderId": "first"})
    place(trader, order | {"newClientOrderId": "second"})
    status, price = ("new", "at 30000.00") if order is FAR else ("filled", "at the market")
    said = (
        rf"^binance: demo placed buy 0\.01\d* BTCUSDT {price} at {START} by POST /api/v3/order, it was answered with "
        rf"504, and placed it again at {START} by POST /api/v3/order as order \d+ \(second\) without having asked what "
        rf"had become of order \d+ \(first\), now {status}$"
    )
    with pytest.raises(AssertionError, match=said):
        running.assert_no_duplicate_orders()


def test_an_order_that_never_arrived_may_be_placed_again(running: Emulator, trader: Trader) -> None:
    running.faults.add("http.status", status=503, body="{}", **HIT)
    with pytest.raises(Refused):
        place(trader, FAR)
    place(trader, FAR)
    place(trader, FAR)  # and twice is not a duplicate either, while all is answered
    running.assert_no_duplicate_orders()
    running.assert_no_orphan_orders()


def verdict(running: Emulator) -> str:
    """What is said of orders that nobody knows of; nothing where there are none."""
    try:
        running.assert_no_orphan_orders()
    except AssertionError as wrong:
        return str(wrong)
    return ""


@pytest.mark.parametrize("kind", ["http.drop", "http.truncated_json", "http.hang"])
def test_whatever_becomes_of_its_answer_an_order_is_known_to_nobody(running: Emulator, kind: str) -> None:
    more: dict[str, dict[str, Any]] = {"http.drop": {"carried_out": True}, "http.hang": {"wait_s": 30}}
    running.faults.add(kind, **more.get(kind, {}), **HIT)
    with (
        closing(
            Trader(running.url("binance"), timeout_s=1 if kind == "http.hang" else PATIENCE_S)
        ) as hurried,
        pytest.raises((OSError, ValueError, ConnectionError)),
    ):
        place(hurried, FAR)
    why = {
        "http.drop": "its connection was cut",
        "http.truncated_json": "it was answered with another 200 than the venue's",
        "http.hang": "its client no longer waited for the answer",
    }[kind]
    until(lambda: verdict(running).endswith(why))  # the exchange is to notice that the client is gone
    assert re.search(r"buy 0\.01.* of demo has been open since ", verdict(running))
    (order,) = running.orders("binance", "demo")
    assert (order.symbol, order.side, str(order.price), order.open) == ("BTCUSDT", "buy", "30000.00", True)
    with closing(Trader(running.url("binance"))) as trader:
        trader.signed("DELETE", "/api/v3/openOrders", {"symbol": "BTCUSDT"})
    running.assert_no_orphan_orders()


def test_an_answer_that_is_lost_on_a_socket_is_lost(running: Emulator) -> None:
    running.faults.add("md.drop", venue="binance", channel="reply", count=1)
    order = FAR | {"apiKey": KEY, "timestamp": "1767225600000"}
    query = "&".join(f"{name}={order[name]}" for name in sorted(order))
    signature = hmac.new(SECRET.encode(), query.encode(), hashlib.sha256).hexdigest()
    with connect(running.ws_url("binance") + "/ws-api/v3") as socket:
        said = {"id": 1, "method": "order.place", "params": order | {"signature": signature}}
        for _ in range(2):
            socket.send(json.dumps(said))
        assert json.loads(socket.recv(timeout=PATIENCE_S))["status"] == 200
    with pytest.raises(
        AssertionError, match=r"by binance-1, its answer did not leave binance-1, and placed it again"
    ):
        running.assert_no_duplicate_orders()
    with pytest.raises(AssertionError, match=r"^binance: buy 0.01.* of demo has been open since"):
        running.assert_no_orphan_orders()


# ---------------------------------------------------------------- limits
def ask(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        refused.close()
        return refused.code


def test_who_waits_as_told_respects_the_limits(running: Emulator) -> None:
    clock = running.url("binance") + "/api/v3/time"
    running.faults.add("http.429", venue="binance", retry_after_s=30, count=1)
    assert [ask(clock), running.clock.advance(30) > 0, ask(clock)] == [429, True, 200]
    running.assert_respected_limits()


def test_who_does_not_wait_is_named(running: Emulator) -> None:
    clock = running.url("binance") + "/api/v3/time"
    running.faults.add("http.429", venue="binance", retry_after_s=30, count=1)
    assert [ask(clock), ask(clock)] == [429, 200]
    said = (
        rf"^binance: 127\.0\.0\.1 asked GET /api/v3/time at {START}, \d+\.\d s after a 429 to GET /api/v3/time had "
        r"told it to wait 30 s$"
    )
    with pytest.raises(AssertionError, match=said):
        running.assert_respected_limits()


def test_who_earns_a_refusal_is_named() -> None:
    with Emulator(venues=["binance"], limits=0.01) as running:  # 60 of weight a minute
        book = running.url("binance") + "/api/v3/depth?symbol=BTCUSDT&limit=1000"  # 50 of them
        assert [ask(book)] == [200]
        running.assert_respected_limits()
        assert [ask(book)] == [429]
        said = r"^binance: 127\.0\.0\.1 exceeded the limit REQUEST_WEIGHT at .*, with 100 of 60 used$"
        with pytest.raises(AssertionError, match=said):
            running.assert_respected_limits()


# ---------------------------------------------------------------- what a failed test shows
def test_what_is_kept_to_be_shown_is_bounded(running: Emulator) -> None:
    """The last pieces of each open socket, and of some that ended."""
    for _ in range(WRITERS_KEPT + 5):
        with connect(running.ws_url("binance") + DEPTH, max_queue=None) as socket:
            socket.send('{"method":"LIST_SUBSCRIPTIONS","id":1}')
            socket.recv(timeout=PATIENCE_S)
    witness = running._gateway.witness
    while len(witness.over) < WRITERS_KEPT + 5:
        running.clock.advance(0)
    assert [len(each.writes) for each in witness.over] == [0] * 5 + [1] * WRITERS_KEPT


FAILING = """
import pytest
from websockets.sync.client import connect

@pytest.mark.emulator(venues=["binance"])
def test_fails(exchange):
    exchange.faults.add("md.gap", venue="binance", channel="depth", after_n=3, count=1)
    with connect(exchange.ws_url("binance") + "/ws/btcusdt@depth@100ms") as socket:
        exchange.clock.advance(1)
        assert socket.recv() is None

def test_passes(exchange):
    print(exchange.seed)
"""


def test_a_failed_test_shows_its_exchange(tmp_path: Path) -> None:
    """The seed to have it again, the faults that hit, the last frames; and --emulator-seed is what it says."""
    (tmp_path / "test_it.py").write_text(FAILING)
    options = ("-rP", "-p", "no:asyncio", "-p", "no:cacheprovider", "--emulator-seed", "11")
    command = (sys.executable, "-m", "pytest", *options, "test_it.py")
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    shown = done.stdout.partition("emulator (exchange)")[2]
    assert "reproduce: pytest --emulator-seed 11 'test_it.py::test_fails'" in shown, done.stdout + done.stderr
    assert "settings: seed=11, venues=['binance']" in shown
    assert "clock: 2026-01-01T00:00:01.000Z, started at 2026-01-01T00:00:00.000Z" in shown
    assert "#1 md.gap (rule-1) at 2026-01-01T00:00:00.400Z: binance depth BTCUSDT" in shown
    assert re.search(r"binance-1 /ws/\S+, (open|ended by its client at \S+); last written:", shown)
    assert shown.count('  {"e":"depthUpdate"') == 5
    assert done.stdout.count("emulator (exchange)") == 1
