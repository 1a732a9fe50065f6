"""The hub: which bytes go to whom at a tick, and that nothing but subscriptions and virtual time decides it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

import pytest

from emulator.driver import settled
from emulator.gateway.hub import CROWD, Feed, Group, Hub, Key, Piece
from reactor.types import SECOND_NS, TICK_NS
from tests.emulator.toy import START_NS, Counter
from tests.patience import PATIENCE_S
from venues.base import PAGE_NS, Topic


class Recorder:
    """A subscriber that keeps what it is given."""

    tapped = False

    def __init__(self) -> None:
        self.feeds: dict[Key, Feed] = {}
        self.group: Group | None = None
        self.given: list[bytes] = []
        self.failed = 0
        self.number = 0
        self.backlog = 0

    def writer(self, frames: bytes) -> None:
        self.given.append(frames)

    def look(self, pieces: Sequence[Piece], upto_ns: int) -> None:
        raise AssertionError("it is not tapped")

    def deliver_seen(self, upto_ns: int) -> None:
        raise AssertionError("it is not tapped")

    def fail(self) -> None:
        self.failed += 1


class Crank:
    """A hub turned by hand from START_NS on."""

    def __init__(self) -> None:
        self.hub = Hub()
        self.now_ns = START_NS
        self._changed = asyncio.Event()
        self.hub.changed = self._changed.set
        self.made: list[str] = []

    def join(self, subscriber: Recorder, *names: str, rank: int = 0) -> None:
        for name in names:
            self.hub.subscribe(subscriber, rank, Topic(name, "10"), lambda name=name: self._make(name))  # type: ignore[misc]

    def leave(self, subscriber: Recorder, *names: str) -> None:
        for name in names:
            self.hub.unsubscribe(subscriber, 0, Topic(name, "10"))

    def _make(self, name: str) -> Counter:
        self.made.append(name)
        return Counter(name, 10, 0)

    async def until(self, done: Callable[[], bool]) -> None:
        """Let the page maker work until it is done."""
        while not done():
            self._changed.clear()
            await asyncio.wait_for(self._changed.wait(), PATIENCE_S)

    async def turn(self, ticks: int, at_once: int = 1) -> None:
        """So many ticks, so many of them in one delivery."""
        for _ in range(ticks // at_once):
            await self.until(lambda: self.hub.ready(self.now_ns))
            self.hub.deliver(self.now_ns, self.now_ns + at_once * TICK_NS)
            self.now_ns += at_once * TICK_NS


@pytest.fixture
async def crank() -> AsyncIterator[Crank]:
    crank = Crank()
    yield crank
    crank.hub.close()


def payloads(frames: bytes) -> list[str]:
    """The payloads of short server frames."""
    found = []
    while frames:
        found.append(frames[2 : 2 + frames[1]].decode())
        frames = frames[2 + frames[1] :]
    return found


def said(recorder: Recorder) -> list[str]:
    return payloads(b"".join(recorder.given))


def expected(names: Sequence[str], ticks: int, first: int = 1) -> list[str]:
    start = START_NS // TICK_NS
    return [f"{name} {start + n}" for n in range(first, first + ticks) for name in names]


async def test_a_tick_is_one_write_shared_by_equals(crank: Crank) -> None:
    """However many channels: one piece of bytes per connection, the same object for the same subscriptions."""
    one, two, other = Recorder(), Recorder(), Recorder()
    crank.join(one, "a", "b", "c")
    crank.join(two, "c", "a", "b")
    crank.join(other, "b")
    await crank.turn(1)
    assert len(one.given) == len(two.given) == len(other.given) == 1
    assert one.given[0] is two.given[0]
    assert payloads(one.given[0]) == expected("abc", 1)
    assert payloads(other.given[0]) == expected("b", 1)


async def test_an_empty_tick_writes_nothing(crank: Crank) -> None:
    """Where nothing is due, nobody is touched."""
    one = Recorder()
    crank.hub.subscribe(one, 0, Topic("slow", ""), lambda: Counter("slow", 1_000, 0))
    await crank.turn(99)
    assert one.given == []
    await crank.turn(1)
    assert len(one.given) == 1


async def test_the_order_of_subscriptions_is_not_the_order_of_frames(crank: Crank) -> None:
    """Within a tick channels come in the order of their keys, venues in the order of their ports."""
    one, two = Recorder(), Recorder()
    crank.join(one, "c", rank=0)
    crank.join(one, "a", rank=1)
    crank.join(one, "b", rank=0)
    crank.join(two, "b", rank=0)
    crank.join(two, "a", rank=1)
    crank.join(two, "c", rank=0)
    await crank.turn(3)
    assert said(one) == said(two) == expected("bca", 3)


@pytest.mark.parametrize("at_once", [1, 2, 10, 100])
async def test_ticks_delivered_together_keep_their_order(crank: Crank, at_once: int) -> None:
    """One write for many ticks says what many writes would, also over the edge of a page."""
    one = Recorder()
    crank.join(one, "a", "b")
    crank.now_ns += PAGE_NS - 5 * SECOND_NS
    await crank.turn(1_000, at_once)
    assert said(one) == expected("ab", 1_000, first=501)
    assert len(one.given) == 1_000 // at_once


async def test_a_joiner_gets_what_is_due_after_it_joined(crank: Crank) -> None:
    """In the middle of a page, and without disturbing who was there."""
    early, late = Recorder(), Recorder()
    crank.join(early, "a")
    await crank.turn(7)
    crank.join(late, "b", "a")
    await crank.turn(3)
    assert said(early) == expected("a", 10)
    assert said(late) == expected("ab", 3, first=8)
    assert crank.made == ["a", "b"]


async def test_a_channel_lives_from_its_first_subscriber_to_its_last(crank: Crank) -> None:
    """It is made once, dropped when nobody is left, and made anew for the next, who misses nothing."""
    one, two = Recorder(), Recorder()
    crank.join(one, "a")
    crank.join(one, "a")
    crank.join(two, "a")
    await crank.turn(2)
    crank.leave(one, "a", "never subscribed")
    await crank.turn(2)
    assert said(one) == expected("a", 2)
    for _ in range(2):
        crank.hub.drop(two)
    assert not crank.hub.active
    crank.join(one, "a")
    await crank.turn(2)
    assert said(one) == expected("a", 2) + expected("a", 2, first=5)
    assert said(two) == expected("a", 4)
    assert crank.made == ["a", "a"]


async def test_a_connection_that_goes_leaves_nothing_behind(crank: Crank) -> None:
    """Whether a tick came in between or not."""
    for ticks in (0, 1):
        for _ in range(3):
            one = Recorder()
            crank.join(one, "a", "b")
            await crank.turn(ticks)
            crank.hub.drop(one)
    assert not crank.hub._feeds
    assert not crank.hub._groups
    assert not crank.hub._moved


async def test_the_next_page_is_made_ahead(crank: Crank) -> None:
    """At the edge of a page nobody waits."""
    one = Recorder()
    crank.join(one, *(f"channel {n}" for n in range(40)))
    await crank.turn(500)
    ends = crank.now_ns + 500 * TICK_NS
    assert await settled(lambda: all(feed.next is not None for feed in one.feeds.values()), 20)
    crank.hub.deliver(crank.now_ns, ends)
    assert crank.hub.ready(ends)


async def test_a_channel_that_fails_fails_its_subscribers(crank: Crank) -> None:
    """And only these."""
    one, two = Recorder(), Recorder()
    crank.join(one, "a")
    crank.join(two, "a", "broken")
    assert not crank.hub.ready(crank.now_ns)
    await crank.until(lambda: bool(two.failed))
    crank.hub.drop(two)
    await crank.turn(1)
    assert one.failed == 0
    assert said(one) == expected("a", 1)


async def test_what_changed_is_told_anew_from_there_on(crank: Crank) -> None:
    """Pages of refreshed topics are made again, also what was made ahead; the others' are kept, and nothing is lost."""
    one = Recorder()
    crank.join(one, "a", "b")
    await crank.turn(3)
    pages = {key[1].channel: feed.page for key, feed in one.feeds.items()}
    crank.hub.refresh(0, lambda topic: topic.channel == "a")
    assert not crank.hub.ready(crank.now_ns)
    await crank.turn(3)
    again = {key[1].channel: feed.page for key, feed in one.feeds.items()}
    assert again["a"] is not pages["a"]
    assert again["b"] is pages["b"]
    assert said(one) == expected("ab", 6)


async def test_clients_who_change_more_than_can_be_told_are_a_crowd(crank: Crank) -> None:
    """Until the next delivery; who waits for it is called after it."""
    one = Recorder()
    crank.join(one, "a")
    await crank.turn(1)
    crowded = []
    for _ in range(CROWD):
        crowded.append(crank.hub.crowded)
        crank.hub.refresh(0, lambda topic: True)
    assert [*crowded, crank.hub.crowded] == [False] * CROWD + [True]
    called: list[int] = []
    crank.hub.after_delivery(lambda: called.append(1))
    await crank.turn(1)
    assert not crank.hub.crowded
    await asyncio.sleep(0)
    assert called == [1]
