"""A run is its seed, its settings and the log of its inputs; nothing else changes a byte of what a client reads.

Each run here is a process of its own, served as users serve it and read over its sockets: the same two virtual
minutes, under circumstances that must not matter.
"""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from itertools import cycle, pairwise
from typing import Any, TypeAlias

import numpy as np
import pytest

from tests.listening import FEEDS, Listener, listening
from tests.serving import Served, ask, serving

START = "2026-01-05T23:58:53Z"  # two minutes from here go over midnight
SECONDS = 120

Told: TypeAlias = Mapping[str, Sequence[bytes]]  # what was said, by the channel that said it


# ---------------------------------------------------------------- how time passes
def in_one_step(served: Served) -> None:
    served.post("/clock/advance", seconds=SECONDS)


def in_uneven_steps(served: Served) -> None:
    left_ms = SECONDS * 1000
    for step_ms in cycle((10, 370, 7_450, 90, 25_000, 1_010)):
        served.post("/clock/advance", seconds=min(step_ms, left_ms) / 1000)
        left_ms -= min(step_ms, left_ms)
        if not left_ms:
            return


def in_company(served: Served) -> None:
    """Others come, listen to some of it, and go without a word."""
    for _ in range(4):
        with ExitStack() as crowd:
            for venue, feed in FEEDS.items():
                for n in range(1, 4):
                    crowd.enter_context(listening(served, venue)).subscribe(feed.streams[:n])
            served.post("/clock/advance", seconds=SECONDS / 8)
        served.post("/clock/advance", seconds=SECONDS / 8)


def twenty_times_faster(served: Served, speed: float | str = 20) -> None:
    end_ns = served.get("/clock")["now_ns"] + SECONDS * 1_000_000_000
    served.post("/clock/speed", speed=speed)
    served.post("/clock/resume")
    while served.get("/clock")["now_ns"] < end_ns:
        time.sleep(0.1)
    served.post("/clock/pause")


def as_fast_as_it_is_read(served: Served) -> None:
    twenty_times_faster(served, "max")


@dataclass(frozen=True, slots=True)
class Circumstance:
    """Something that must not matter."""

    name: str
    passing: Callable[[Served], None] = in_one_step
    backwards: bool = False  # the order of subscriptions
    history: bool = False  # whether the past is made ahead, beside it
    options: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def exact(self) -> bool:
        """Whether it ends at the very instant that the others do."""
        return self.passing not in (twenty_times_faster, as_fast_as_it_is_read)


def run(circumstance: Circumstance) -> Told:
    """Every message of every channel, and the answers of REST at the end."""
    options = ("--seed", "11", "--start", START, "--paused", "--limits", "off", *circumstance.options)
    told: dict[str, Sequence[bytes]] = {}
    with (
        serving(*options, environment=circumstance.environment, history=circumstance.history) as served,
        ExitStack() as sockets,
    ):
        venues = sorted(served.venues, reverse=circumstance.backwards)
        listeners = {venue: sockets.enter_context(listening(served, venue)) for venue in venues}
        for listener in listeners.values():
            streams = listener.feed.streams
            listener.subscribe(streams[::-1] if circumstance.backwards else streams)
            listener.collect()
        circumstance.passing(served)
        for venue, listener in listeners.items():
            listener.collect()
            told |= {f"{venue} {stream}": listener.told[stream] for stream in listener.feed.streams}
            if circumstance.exact:
                told |= {
                    f"{venue} {path} {body}": [answer(served.venues[venue]["http"] + path, body)]
                    for path, body in listener.feed.rest
                }
    return told


def answer(url: str, body: Any) -> bytes:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(
        urllib.request.Request(url, data, {"content-type": "application/json"})
    ) as reply:
        content: bytes = reply.read()
        return content


PLAIN = Circumstance("plain", environment={"PYTHONHASHSEED": "0"})


@cache
def plainly() -> Told:
    return run(PLAIN)


# ---------------------------------------------------------------- the law
VECTOR_UNITS: list[str] = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
WIDEST = [name for name in VECTOR_UNITS if "AVX512" in name or name == "X86_V4"]


def without(units: list[str]) -> Mapping[str, str]:
    return {"NPY_DISABLE_CPU_FEATURES": " ".join(units)}


CIRCUMSTANCES = [
    pytest.param(Circumstance("again, with history made ahead", history=True)),
    pytest.param(
        Circumstance(
            "another hash seed, subscribed backwards", backwards=True, environment={"PYTHONHASHSEED": "4242"}
        )
    ),
    pytest.param(Circumstance("in uneven steps", in_uneven_steps)),
    pytest.param(Circumstance("in company", in_company)),
    # Without loss, for the tests' own reader may be slower than that.
    pytest.param(
        Circumstance(
            "twenty times faster than real time", twenty_times_faster, options=("--delivery", "lossless")
        )
    ),
    pytest.param(Circumstance("as fast as it is read", as_fast_as_it_is_read)),
    pytest.param(Circumstance("one venue alone", options=("--venues", "hyperliquid"))),
    pytest.param(
        Circumstance("without AVX-512", environment=without(WIDEST)),
        marks=pytest.mark.skipif(not WIDEST, reason="this machine has no AVX-512"),
    ),
    pytest.param(
        Circumstance("without any vector unit beyond the baseline", environment=without(VECTOR_UNITS)),
        marks=pytest.mark.skipif(not VECTOR_UNITS, reason="this machine has none"),
    ),
]


@pytest.mark.parametrize("circumstance", CIRCUMSTANCES, ids=lambda circumstance: circumstance.name)
def test_circumstances_do_not_change_a_byte(circumstance: Circumstance) -> None:
    """Every channel says in [t0, t1) what it says in the plain run: message by message, byte by byte."""
    expected, told = plainly(), run(circumstance)
    assert told
    assert all(said for channel, said in expected.items())
    for channel, said in told.items():
        plain = expected[channel]
        heard = said if circumstance.exact else said[: len(plain)]
        differing = next(
            (i for i, pair in enumerate(zip(plain, heard, strict=False)) if pair[0] != pair[1]), None
        )
        assert differing is None, (channel, differing, plain[differing], heard[differing])
        assert len(heard) == len(plain), channel


def test_the_seed_changes_the_market() -> None:
    """What the other tests compare is not the same whatever one does."""
    other = run(Circumstance("another seed", options=("--seed", "12")))
    plain = plainly()
    assert all(other[channel] != plain[channel] for channel in plain if "time" not in channel)


# ---------------------------------------------------------------- half an hour of a book
Side: TypeAlias = dict[str, str]


@pytest.fixture(scope="module")
def half_an_hour() -> Iterator[tuple[Served, Any, Listener]]:
    """An emulator half a virtual hour after its start, the REST book of the start, and who listened since."""
    with (
        serving("--seed", "11", "--start", START, "--paused", "--limits", "off") as served,
        listening(served, "binance") as listener,
    ):
        listener.subscribe(("btcusdt@depth@100ms", "btcusdt@trade"))
        listener.collect()
        book = ask(served.venues["binance"]["http"] + "/api/v3/depth?symbol=BTCUSDT&limit=5000")
        served.post("/clock/advance", seconds=1_800)
        listener.collect()
        yield served, book, listener


def test_a_local_book_is_the_book(half_an_hour: tuple[Served, Any, Listener]) -> None:
    """A book kept by the venue's rules from a snapshot and every change since equals the venue's own, level by level.

    https://github.com/binance/binance-spot-api-docs/blob/master/web-socket-streams.md#how-to-manage-a-local-order-book-correctly
    """
    served, snapshot, listener = half_an_hour
    last_id = snapshot["lastUpdateId"]
    bids, asks = dict(snapshot["bids"]), dict(snapshot["asks"])
    applied = 0
    for payload in listener.told["btcusdt@depth@100ms"]:
        event = json.loads(payload)["data"]
        if event["u"] <= last_id:
            continue
        assert event["U"] == last_id + 1 or (not applied and event["U"] <= last_id + 1)
        for side, changes in ((bids, event["b"]), (asks, event["a"])):
            for price, quantity in changes:
                if float(quantity):
                    side[price] = quantity
                else:
                    side.pop(price, None)
        last_id, applied = event["u"], applied + 1
        if applied % 100 == 0:
            assert max(map(float, bids)) < min(map(float, asks))
    book = ask(served.venues["binance"]["http"] + "/api/v3/depth?symbol=BTCUSDT&limit=5000")
    assert applied > 10_000
    assert book["lastUpdateId"] == last_id
    for levels, side, sign in ((book["bids"], bids, -1), (book["asks"], asks, 1)):
        assert sorted(side.items(), key=lambda level: sign * float(level[0]))[:5000] == [
            tuple(level) for level in levels
        ]


def test_no_trade_is_missing(half_an_hour: tuple[Served, Any, Listener]) -> None:
    """Trade ids step by one for half an hour, and the newest trades of REST are the last ones streamed."""
    served, _, listener = half_an_hour
    trades = [json.loads(payload)["data"] for payload in listener.told["btcusdt@trade"]]
    assert all(b["t"] == a["t"] + 1 for a, b in pairwise(trades))
    assert all(a["T"] <= b["T"] <= b["E"] for a, b in pairwise(trades))
    newest = ask(served.venues["binance"]["http"] + "/api/v3/trades?symbol=BTCUSDT&limit=1000")
    assert [(row["id"], row["price"], row["qty"]) for row in newest] == [
        (trade["t"], trade["p"], trade["q"]) for trade in trades[-1000:]
    ]
