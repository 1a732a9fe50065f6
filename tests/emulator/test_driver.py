"""The clock: steps, pace and pauses decide when frames come, never which."""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
import websockets.asyncio.client
import websockets.sync.client
from hypothesis import given
from hypothesis import strategies as st

import emulator.driver
from emulator.driver import STEP_LIMIT_S, AdvanceBlocked, Driver, step_ns
from emulator.gateway.hub import Hub
from emulator.sdk import Emulator
from reactor.clock import Chronometer
from reactor.types import MS_NS, SECOND_NS, TICK_NS
from tests.emulator.conftest import Client, RawClient, messages
from tests.emulator.toy import RULES, START_NS, toys
from tests.patience import until

Dial = Callable[..., Client]
Raw = Callable[..., RawClient]


# ---------------------------------------------------------------- the law
CADENCE_MS = {"a": 250, "b": 10, "c": 100, "d": 10}
LAW_S = 12


def run(settings: dict[str, object], order: str, steps: Sequence[float]) -> list[str]:
    """What a client is sent in the first LAW_S seconds: subscribed in this order, then stepped, or else let run."""
    with (
        Emulator(settings, registry=toys()[:1]) as toy,
        websockets.sync.client.connect(toy.ws_url("toy"), max_queue=None) as socket,
    ):
        client = Client(socket)
        client.tell(*(f"sub {name} {CADENCE_MS[name]}" for name in order))
        for step in steps:
            toy.clock.advance(step)
        if not steps:
            toy.clock.resume()
        end = f"d {(START_NS // SECOND_NS + LAW_S) * 100}"
        return [*iter(client.recv, end), end]


@pytest.mark.parametrize(
    ("settings", "order", "steps"),
    [
        ({}, "abcd", [LAW_S]),
        ({}, "dbca", [LAW_S]),
        ({}, "abcd", [0.01] * 100 + [LAW_S - 1]),
        ({}, "cadb", [0.35, 0, 8.4, 0.01, 3.24]),
        ({"speed": 10_000}, "abcd", []),
        ({"speed": 37.3}, "bdca", []),
        ({"speed": 10, "seed": 2}, "abcd", []),
        ({"speed": "max"}, "abcd", []),
        ({"speed": 5_000, "delivery": "lossless"}, "bcda", []),
    ],
    ids=["one step", "other order", "ticks", "odd steps", "fast", "odd pace", "calmly", "max", "lossless"],
)
def test_pace_and_order_change_no_byte(settings: dict[str, object], order: str, steps: list[float]) -> None:
    """However the clock is driven and in whatever order it was subscribed, a connection is sent the same."""
    first = START_NS // TICK_NS
    due = [
        f"{name} {tick * TICK_NS // (every_ms * MS_NS)}"
        for tick in range(first + 1, first + LAW_S * 100 + 1)
        for name, every_ms in CADENCE_MS.items()
        if tick * TICK_NS % (every_ms * MS_NS) == 0
    ]
    assert run(settings, order, steps) == due


# ---------------------------------------------------------------- pause, pace, steps
def test_a_paused_clock_stands(toy: Emulator, dial: Dial) -> None:
    """Nothing moves it but a step, and a step by exactly its length."""
    client = dial()
    client.tell("sub a 10")
    assert client.frames() == []
    assert toy.clock.now_ns == START_NS
    assert toy.clock.advance(0.05) == toy.clock.now_ns == START_NS + 50 * MS_NS
    assert len(client.frames()) == 5
    assert client.frames() == []


def test_a_running_clock_runs_until_paused(toy: Emulator, dial: Dial) -> None:
    """Without a gap over resume, changes of pace, steps in between, and pause; then it stands again."""
    client = dial()
    client.tell("sub a 10")
    toy.clock.resume()
    seen = [client.recv() for _ in range(3)]
    toy.clock.speed = 50
    seen += [client.recv() for _ in range(300)]
    toy.clock.advance(3)
    toy.clock.speed = 2
    seen += [client.recv() for _ in range(303)]
    toy.clock.pause()
    assert toy.clock.paused
    seen += client.frames()
    assert seen == [f"a {START_NS // TICK_NS + n + 1}" for n in range(len(seen))]
    assert toy.clock.now_ns == START_NS + len(seen) * TICK_NS
    assert client.frames() == []


def test_time_passes_without_subscribers(toy: Emulator, dial: Dial) -> None:
    """Nobody listening, a month is a jump; who comes then joins at the new time."""
    month_ns = STEP_LIMIT_S * SECOND_NS
    toy.clock.advance(STEP_LIMIT_S)
    assert toy.clock.now_ns == START_NS + month_ns
    toy.clock.speed = 10_000
    toy.clock.resume()
    while toy.clock.now_ns < START_NS + month_ns + SECOND_NS:
        pass
    toy.clock.pause()
    client = dial()
    client.tell("sub a 10")
    toy.clock.advance(0.01)
    assert client.frames() == [f"a {toy.clock.now_ns // TICK_NS}"]


def test_a_pace_counts_from_where_the_clock_is(toy: Emulator, dial: Dial) -> None:
    """After hours at another pace, and after a step while running, the next tick is 10 ms away."""
    toy.clock.speed = 10_000
    toy.clock.resume()
    while toy.clock.now_ns < START_NS + 7_200 * SECOND_NS:
        pass
    toy.clock.speed = 1
    for _ in range(2):
        client = dial()
        client.tell("sub a 10")
        assert client.recv().startswith("a ")
        client.socket.close()
        toy.clock.advance(7_200)


def test_steps_asked_for_at_once_add_up(toy: Emulator, dial: Dial) -> None:
    """They are taken one after another."""
    client = dial()
    client.tell("sub a 10")
    with ThreadPoolExecutor(8) as threads:
        reached = sorted(threads.map(toy.clock.advance, [0.5] * 8))
    assert reached == [START_NS + n * SECOND_NS // 2 for n in range(1, 9)]
    assert len(client.frames()) == 400


def test_the_fastest_clock_goes_with_its_readers(toy: Emulator, dial: Dial) -> None:
    """It stands while nobody listens, and leaves a pace of any number far behind once somebody does."""
    toy.clock.speed = math.inf
    toy.clock.resume()
    time.sleep(0.2)
    assert toy.clock.now_ns == START_NS
    client = dial()
    client.tell("sub a 1000")
    first = START_NS // SECOND_NS + 1
    assert [client.recv() for _ in range(3_000)] == [f"a {first + n}" for n in range(3_000)]
    toy.clock.speed = 2
    assert toy.clock.speed == 2
    toy.clock.pause()


def test_a_clock_that_fell_behind_does_not_leap(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the pace asked for while it waited for a reader is not made up for once he is gone."""
    monkeypatch.setattr(emulator.driver, "DEBT_NS", SECOND_NS // 10)
    settings = {"speed": 10_000, "delivery": "lossless", "paused": False}
    with Emulator(settings, registry=toys()[:1]) as toy, closing(RawClient(toy.url("toy"))) as slow:
        slow.upgrade()
        slow.send("sub b 10 20000")
        slow.frame()
        until(lambda: is_full(toy))
        held_ns, since_ns = toy.clock.now_ns, time.monotonic_ns()
        time.sleep(1.5)
        assert toy.clock.now_ns == held_ns
        forgiven_ns, since_ns = time.monotonic_ns() - since_ns, time.monotonic_ns()
        slow.close()
        toy.clock.pause()
        made_up_ns = toy.clock.now_ns - held_ns
        assert 0 <= made_up_ns / 10_000 <= time.monotonic_ns() - since_ns + SECOND_NS // 10 + forgiven_ns // 2


# ---------------------------------------------------------------- slow readers of a running clock
def is_full(toy: Emulator) -> bool:
    """Whether an outbox is beyond its bound: its client's and the system's buffers are, too."""
    return any(row.backlog_bytes > RULES.outbox_bytes for row in toy.connections.list())


@pytest.mark.parametrize("settings", [{"speed": "max"}, {"speed": 50, "delivery": "lossless"}], ids=str)
def test_a_running_clock_may_wait(settings: dict[str, object]) -> None:
    """Without loss: whoever reads slowly holds the others up, is not cut, and misses nothing."""
    with (
        Emulator(settings, registry=toys()[:1]) as toy,
        websockets.sync.client.connect(toy.ws_url("toy"), max_queue=None) as socket,
        closing(RawClient(toy.url("toy"))) as slow,
    ):
        fast = Client(socket)
        fast.tell("sub a 10")
        slow.upgrade()
        slow.send("sub b 10 20000")
        assert slow.frame()[1] == b"ok sub b 10 20000"
        toy.clock.resume()
        until(lambda: is_full(toy))
        held_ns = toy.clock.now_ns
        time.sleep(0.2)
        assert toy.clock.now_ns == held_ns < START_NS + 12 * SECOND_NS
        read = [slow.frame()[1].rstrip(b"x") for _ in range(1_200)]
        assert read == [b"b %d" % (START_NS // TICK_NS + n + 1) for n in range(1_200)]
        assert [fast.recv() for _ in range(1_200)] == [
            f"a {START_NS // TICK_NS + n + 1}" for n in range(1_200)
        ]


def test_a_step_can_end_with_an_event(toy: Emulator, dial: Dial) -> None:
    """What is sent at the event's instant has been sent, and nothing after it; each time the next event is meant."""
    client = dial()
    client.tell("sub a 1000")
    minute_ns = 60 * SECOND_NS
    toy.clock.advance(0.5)
    for n in (1, 2):
        assert toy.clock.advance_until("kline_close", "toy", "COIN", "1m") == START_NS + n * minute_ns
        assert len(client.frames()) == 60
    assert toy.clock.advance_until("kline_close", "toy", "COIN") == START_NS + 3 * minute_ns
    client.socket.close()
    for hour in (1, 2):
        assert toy.clock.advance_until("funding", "toy", "COIN") == START_NS + 60 * hour * minute_ns
    for day in (1, 2):
        assert toy.clock.advance_until("day") == START_NS + day * 86_400 * SECOND_NS
        assert toy.clock.now_ns == START_NS + day * 86_400 * SECOND_NS


async def test_a_step_to_an_event_can_be_awaited(toy: Emulator) -> None:
    """Reader and stepper share an event loop."""
    async with websockets.asyncio.client.connect(toy.ws_url("toy")) as socket:
        await socket.send("sub b 10 20000")
        assert await socket.recv() == "ok sub b 10 20000"
        step = asyncio.create_task(toy.clock.advance_until_async("kline_close", "toy", "COIN"))
        for _ in range(6_000):
            await socket.recv()
        assert await step == START_NS + 60 * SECOND_NS


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (("lunch",), "event: 'lunch' is none; known: funding, kline_close, day"),
        (("funding",), "venue: '' is not served; known: toy, other"),
        (("funding", "toi"), "venue: 'toi' is not served; did you mean toy?"),
        (("funding", "toy", "COINS"), "symbol: 'COINS' is not listed; did you mean COIN?"),
        (("funding", "other", "COIN"), "symbol: 'COIN' is not listed; known: none"),
        (("kline_close", "toy", "COIN", "7m"), "event: COIN of toy has no kline_close of interval '7m'"),
        (("kline_close", "toy", "COIN", "1M"), "too far away; allowed: 2678400 s"),
    ],
    ids=str,
)
def test_an_event_that_never_comes_is_refused(toy: Emulator, event: tuple[str, ...], said: str) -> None:
    """In one line that says what there is; and the clock has not moved."""
    with pytest.raises(ValueError, match=re.escape(said)):
        toy.clock.advance_until(*event)
    assert toy.clock.now_ns == START_NS


@given(st.integers(0, STEP_LIMIT_S * 100))
def test_a_step_is_exact(ticks: int) -> None:
    """Whatever floating point makes of hundredths, the step is that many ticks."""
    assert step_ns(ticks / 100) == ticks * TICK_NS


@pytest.mark.parametrize("seconds", [-0.01, 0.001, 0.015, math.nan, math.inf, STEP_LIMIT_S + 1])
def test_an_impossible_step_is_refused(toy: Emulator, seconds: float) -> None:
    """And the clock has not moved."""
    with pytest.raises(ValueError, match="seconds"):
        toy.clock.advance(seconds)
    assert toy.clock.now_ns == START_NS


@pytest.mark.parametrize("speed", [0, -1, math.nan, -math.inf, 10_001])
def test_an_impossible_pace_is_refused(toy: Emulator, speed: float) -> None:
    """And the pace is what it was."""
    with pytest.raises(ValueError, match="speed"):
        toy.clock.speed = speed
    assert toy.clock.speed == 1


# ---------------------------------------------------------------- steps and readers
def test_a_step_waits_for_a_slow_reader(toy: Emulator, dial: Dial, raw: Raw) -> None:
    """Nobody is cut while stepping: when the slow one has read, the step is done and nothing is missing anywhere."""
    fast, slow = dial(), raw()
    fast.tell("sub a 10")
    slow.upgrade()
    slow.send("sub b 10 20000")
    assert slow.frame()[1] == b"ok sub b 10 20000"
    with ThreadPoolExecutor(1) as thread:
        step = thread.submit(toy.clock.advance, 12)
        read = [slow.frame()[1].rstrip(b"x") for _ in range(1_200)]
        assert step.result() == START_NS + 12 * SECOND_NS
    assert read == [b"b %d" % (START_NS // TICK_NS + n + 1) for n in range(1_200)]
    assert len(fast.frames()) == 1_200


def test_a_step_gives_up_on_a_reader_that_never_reads(
    toy: Emulator, dial: Dial, raw: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says who and how far it came; what was delivered stays delivered, and the rest can be had later."""
    fast, slow = dial(), raw()
    fast.tell("sub a 10")
    slow.upgrade()
    slow.send("sub b 10 20000")
    assert slow.frame()[1] == b"ok sub b 10 20000"
    with monkeypatch.context() as patched:
        patched.setattr(emulator.driver, "STALL_S", 0.2)
        with pytest.raises(AdvanceBlocked) as blocked:
            toy.clock.advance(3_600)
    assert blocked.value.connection.startswith("toy 127.0.0.1:")
    assert START_NS < blocked.value.reached_ns == toy.clock.now_ns < START_NS + 3_600 * SECOND_NS
    assert len(fast.frames()) == (blocked.value.reached_ns - START_NS) // TICK_NS
    slow.close()
    toy.clock.advance(1)
    assert len(fast.frames()) == 100


def test_a_step_has_patience_with_a_reader_that_reads(
    toy: Emulator, raw: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However slowly, and though its outbox never has room: what it took is progress."""
    monkeypatch.setattr(emulator.driver, "STALL_S", 1.5)
    slow = raw()
    slow.upgrade()
    slow.send("sub b 10 60000")
    assert slow.frame()[1] == b"ok sub b 10 60000"
    with ThreadPoolExecutor(1) as thread:
        step = thread.submit(toy.clock.advance, 3)
        for n in range(300):
            assert slow.frame()[1].rstrip(b"x") == b"b %d" % (START_NS // TICK_NS + n + 1)
            time.sleep(0.012)  # more than twice as long in all
        assert step.result() == START_NS + 3 * SECOND_NS


def test_a_step_waits_for_nobody_without_frames_to_take(toy: Emulator, raw: Raw) -> None:
    """A client that reads no answers, but subscribed to nothing, holds nobody up."""
    deaf = raw()
    deaf.upgrade()
    deaf.socket.sendall(b"".join(RawClient.text("say 20000") for _ in range(1_000)))
    while (heard := messages(toy)) == 0:
        pass
    assert heard < 1_000
    assert toy.clock.advance(60) == START_NS + 60 * SECOND_NS


async def test_an_async_step_lets_its_own_loop_read(toy: Emulator) -> None:
    """Reader and stepper share an event loop, and far more comes than any buffer holds."""
    async with websockets.asyncio.client.connect(toy.ws_url("toy")) as socket:
        await socket.send("sub b 10 20000")
        assert await socket.recv() == "ok sub b 10 20000"
        step = asyncio.create_task(toy.clock.advance_async(12))
        seen = [str(await socket.recv()).rstrip("x") for _ in range(1_200)]
        assert await step == START_NS + 12 * SECOND_NS
    assert seen == [f"b {START_NS // TICK_NS + n + 1}" for n in range(1_200)]


def test_a_stopped_emulator_says_so(toy: Emulator) -> None:
    """Its clock raises instead of hanging; stopping twice is no error."""
    toy.stop()
    toy.stop()
    with pytest.raises(RuntimeError, match="not running"):
        toy.clock.advance(1)


# ---------------------------------------------------------------- alarms
def test_an_alarm_that_another_puts_off_rings_when_it_then_is_due() -> None:
    """And one that another takes back does not ring, though all were due at one boundary."""
    rung: list[tuple[str, int]] = []

    async def live() -> None:
        driver = Driver(Hub(), lambda *_: None, Chronometer(0, 1.0, paused=True), lossless=False)
        driver.start()
        late = lambda: rung.append(("late", driver.now_ns))
        gone = lambda: rung.append(("gone", driver.now_ns))

        def first() -> None:
            rung.append(("first", driver.now_ns))
            driver.set_alarm(late, 4 * TICK_NS)
            driver.cancel_alarm(gone)

        for call in (first, late, gone):
            driver.set_alarm(call, 2 * TICK_NS)
        await driver.advance(0.1)
        driver.stop()

    asyncio.run(live())
    assert rung == [("first", 2 * TICK_NS), ("late", 4 * TICK_NS)]
