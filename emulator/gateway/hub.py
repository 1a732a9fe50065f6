"""The hub: topic -> channel -> subscribers, and for every tick each connection's frames as one piece of bytes.

A channel lives from its first subscriber to its last; it holds the page being delivered and the next one, made ahead
in a worker thread. Between a tick and its bytes there is no task, no await and no encoding: a tick is one slice per
channel and one write per connection, and connections with the same subscriptions share what is written. What is
delivered must depend on subscriptions and virtual time alone, so channels come in the order of their keys.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from itertools import chain, count, repeat
from operator import itemgetter
from queue import PriorityQueue
from typing import Protocol, TypeAlias

import numpy as np

from emulator.allocator import give_back
from emulator.log import Log
from reactor.clock import FOREVER_NS
from reactor.types import SECOND_NS, TICK_NS
from venues.base import PAGE_NS, Channel, Page, Topic
from venues.sheets import one_view

CHUNK_NS = SECOND_NS  # delivered at most at once, but for pages of little text: these whole
LITTLE_BYTES = 1 << 18
CROWD = 16  # times that pages are made anew, at most, before what clients want waits for a delivery
TIDY_NS = 300 * SECOND_NS  # of pages that were made, after which memory is given back
STAGGERS = 16  # instants in the first half of a page, over which asking for the next ones is spread

Key: TypeAlias = tuple[int, Topic]  # the rank of its venue, and the topic
Piece: TypeAlias = tuple[int, Topic, bytes]  # when due, of which topic, and the frames

log = Log("hub")


class Subscriber(Protocol):
    """What the hub knows of a connection; str() names it. `feeds` and `group` are the hub's own notes on it.

    One that is `tapped` is given its frames in pieces, for each is looked at. `number` is its place among those of its
    venue.
    """

    feeds: dict[Key, Feed]
    group: Group | None
    number: int

    @property
    def tapped(self) -> bool: ...

    @property
    def backlog(self) -> int:
        """Bytes that were delivered and not yet taken."""
        ...

    @property
    def writer(self) -> Callable[[bytes], None]:
        """What takes frames for it; never blocks. The hub is told when it is another from then on (`rewire`)."""
        ...

    def look(self, pieces: Sequence[Piece], upto_ns: int) -> None:
        """Of one that is tapped: all that is due up to a boundary, perhaps nothing, to be looked at."""
        ...

    def deliver_seen(self, upto_ns: int) -> None:
        """Write what is left of what was looked at, all that was due up to a boundary."""
        ...

    def fail(self) -> None:
        """Close: something of ours failed. The hub is told to drop it before this returns."""
        ...


class Feed:
    """A channel somebody listens to."""

    __slots__ = (
        "_passed",
        "asked_ns",
        "channel",
        "cut",
        "edition",
        "groups",
        "key",
        "make",
        "next",
        "next_ns",
        "number",
        "page",
        "subscribers",
    )

    def __init__(self, key: Key, make: Callable[[], Channel], number: int) -> None:
        self.key = key
        self.make = make
        self.channel = make()
        self.number = number
        self.page: Page | None = None
        self.next: Page | None = None
        self.asked_ns = -1  # the start of the newest page asked for
        self.edition = 0  # pages of an older one are stale
        self.next_ns = FOREVER_NS  # nothing of its page that is not delivered is due before
        self._passed = 0  # so many of the page's boundaries are delivered
        self.cut = b""  # what is due of it in the ticks being delivered
        self.groups: dict[Group, None] = {}
        self.subscribers: set[Subscriber] = set()

    def forget(self) -> None:
        """What its pages were made of has changed."""
        self.page = self.next = None
        self.asked_ns = -1
        self.edition += 1

    def turn(self, start_ns: int) -> bool:
        """Turn to the page that starts then; False while it is not made."""
        if self.page is None or self.page.start_ns != start_ns:
            self.page, self.next, self._passed = self.next, None, 0
            self.next_ns = FOREVER_NS if self.page is None else self.page.next_due_ns(start_ns)
        return self.page is not None and self.page.start_ns == start_ns

    def pass_by(self, after_ns: int, upto_ns: int) -> None:
        """Something of it is due by then: cut out what is due after `after_ns`, and say when anything is next."""
        page = self.page
        assert page is not None
        first = page.past(after_ns, self._passed)
        stop = self._passed = page.past(upto_ns, first)
        if first < stop:
            self.cut = page.buffer[page.ends[first - 1] if first else 0 : page.ends[stop - 1]]
        self.next_ns = page.due_ns[stop] if stop < len(page.due_ns) else FOREVER_NS


class Group:
    """The connections with one and the same set of subscriptions; one that is tapped is alone in its own."""

    __slots__ = ("feeds", "members", "tapped")

    def __init__(self, feeds: tuple[Feed, ...], tapped: Subscriber | None) -> None:
        self.feeds = feeds
        self.tapped = tapped
        self.members: dict[Subscriber, Callable[[bytes], None]] = {}  # and what takes their frames

    def frames(self, after_ns: int, upto_ns: int) -> bytes:
        """The frames due in (after_ns, upto_ns], tick by tick, and within a tick channel by channel."""
        if upto_ns - after_ns == TICK_NS:
            return b"".join([feed.cut for feed in self.feeds])
        busy = [feed for feed in self.feeds if feed.cut]
        if len(busy) < 2:
            return b"".join([feed.cut for feed in busy])
        return woven([feed.page for feed in busy if feed.page is not None], after_ns, upto_ns)

    def pieces(self, after_ns: int, upto_ns: int) -> list[Piece]:
        """The same, each topic's frames of a tick by themselves."""
        busy = [feed for feed in self.feeds if feed.cut]
        pieces = [
            (due_ns, rank, piece)
            for rank, feed in enumerate(busy)
            if feed.page is not None
            for due_ns, piece in feed.page.ticks(after_ns, upto_ns)
        ]
        return [(due_ns, busy[rank].key[1], piece) for due_ns, rank, piece in sorted(pieces)]


def woven(pages: Sequence[Page], after_ns: int, upto_ns: int) -> bytes:
    """The frames of several pages due in (after_ns, upto_ns]: tick by tick, and within a tick page by page."""
    due, starts, ends, buffers = list[int](), list[int](), list[int](), list[bytes]()
    for page in pages:
        first, stop = page.between(after_ns, upto_ns)
        if first < stop:
            due += page.due_ns[first:stop]
            starts.append(page.ends[first - 1] if first else 0)
            starts += page.ends[first : stop - 1]
            ends += page.ends[first:stop]
            buffers += repeat(page.buffer, stop - first)
    order = np.argsort(due, kind="stable").tolist()  # which leaves the pages of a tick in their order
    return b"".join([buffers[i][starts[i] : ends[i]] for i in order])


class Hub:
    """The channels in use and who listens to them; lives on the event loop.

    `changed` is called whenever a delivery that was held up may be able to go on: somebody subscribed or left, a page
    was made, an outbox emptied. `full` holds the connections whose outbox is at its bound; they keep it themselves.
    """

    def __init__(self) -> None:
        self.changed: Callable[[], None] = lambda: None
        self.full: set[Subscriber] = set()
        self._feeds: dict[Key, Feed] = {}
        self._groups: dict[tuple[tuple[Feed, ...], Subscriber | None], Group] = {}
        self._tapped: dict[Group, None] = {}
        self._moved: dict[Subscriber, None] = {}  # whose subscriptions changed since the last delivery
        self._ready_ns = -1  # every channel has turned to the page that starts then
        self._due_ns = FOREVER_NS  # no channel that has turned to it has anything due before
        self._missing: set[Feed] = set()  # whose page is waited for
        self._refreshed = 0  # times since the last delivery
        self._waiting: dict[Callable[[], None], None] = {}  # for the next delivery
        self._chunk_ns = CHUNK_NS
        self._ahead: list[tuple[int, int, Feed]] = []  # when to ask for whose next page, the latest first
        self._numbers = count()
        self._maker = _PageMaker(self._made)

    # ------------------------------------------------------------ subscriptions
    @property
    def active(self) -> bool:
        """Whether anybody listens to anything."""
        return bool(self._feeds)

    @property
    def held_up(self) -> list[Subscriber]:
        """Who could not take the frames of another delivery."""
        return [subscriber for subscriber in self.full if subscriber.feeds]

    @property
    def backlog(self) -> int:
        """Bytes that these have not yet taken."""
        return sum(subscriber.backlog for subscriber in self.held_up)

    def subscribe(
        self, subscriber: Subscriber, rank: int, topic: Topic, make: Callable[[], Channel]
    ) -> Channel:
        """Deliver a topic of venue number `rank` from the next tick on, and return its channel. Idempotent."""
        key = (rank, topic)
        feed = self._feeds.get(key)
        if feed is None:
            feed = self._feeds[key] = Feed(key, make, next(self._numbers))
            self._ready_ns = -1
        feed.subscribers.add(subscriber)
        subscriber.feeds[key] = feed
        self._moved[subscriber] = None
        self.changed()
        return feed.channel

    def unsubscribe(self, subscriber: Subscriber, rank: int, topic: Topic) -> None:
        """Stop delivering the topic. Idempotent."""
        self._leave(subscriber, (rank, topic))

    def drop(self, subscriber: Subscriber) -> None:
        """Forget a connection. Idempotent."""
        for key in list(subscriber.feeds):
            self._leave(subscriber, key)
        self._place(subscriber)
        self._moved.pop(subscriber, None)
        self.full.discard(subscriber)
        self.changed()

    def retap(self, subscriber: Subscriber) -> None:
        """It is tapped now, or no longer."""
        self._moved[subscriber] = None

    def _leave(self, subscriber: Subscriber, key: Key) -> None:
        feed = subscriber.feeds.pop(key, None)
        if feed is not None:
            self._moved[subscriber] = None
            feed.subscribers.discard(subscriber)
            if not feed.subscribers:
                del self._feeds[key]

    def _place(self, subscriber: Subscriber) -> None:
        """Put a connection among those with the same subscriptions."""
        if subscriber.group is not None:
            del subscriber.group.members[subscriber]
            if not subscriber.group.members:
                self._disband(subscriber.group)
        feeds = tuple(subscriber.feeds[key] for key in sorted(subscriber.feeds))
        alone = subscriber if subscriber.tapped else None
        subscriber.group = self._group(feeds, alone) if feeds else None
        if subscriber.group is not None:
            self.rewire(subscriber)

    def rewire(self, subscriber: Subscriber) -> None:
        """Its frames are taken by another writer from now on."""
        if subscriber.group is not None:
            subscriber.group.members[subscriber] = subscriber.writer

    def _group(self, feeds: tuple[Feed, ...], tapped: Subscriber | None) -> Group:
        group = self._groups.get((feeds, tapped))
        if group is None:
            group = self._groups[feeds, tapped] = Group(feeds, tapped)
            for feed in feeds:
                feed.groups[group] = None
            if tapped is not None:
                self._tapped[group] = None
        return group

    def _disband(self, group: Group) -> None:
        del self._groups[group.feeds, group.tapped]
        for feed in group.feeds:
            del feed.groups[group]
        self._tapped.pop(group, None)

    # ------------------------------------------------------------ pages
    def ready(self, at_ns: int) -> bool:
        """Whether every channel holds the page that follows the boundary at_ns; asks for those that are missing."""
        start_ns = at_ns - at_ns % PAGE_NS
        if start_ns == self._ready_ns:
            return True
        self._missing = {feed for feed in self._feeds.values() if not feed.turn(start_ns)}
        for feed in self._missing:
            self._ask(feed, start_ns)
        if self._missing:
            return False
        self._ready_ns = start_ns
        self._due_ns = min([feed.next_ns for feed in self._feeds.values()], default=FOREVER_NS)
        size = sum(len(feed.page.buffer) for feed in self._feeds.values() if feed.page)
        self._chunk_ns = PAGE_NS if size < LITTLE_BYTES else CHUNK_NS
        slot_ns = PAGE_NS // 2 // STAGGERS
        ahead = [
            (start_ns + feed.number % STAGGERS * slot_ns, feed.number, feed) for feed in self._feeds.values()
        ]
        self._ahead = sorted(ahead, reverse=True)
        return True

    def refresh(self, rank: int, stale: Callable[[Topic], bool]) -> None:
        """What these topics of venue number `rank` tell of has changed from where delivery stands on: make their pages
        anew. What was delivered stays so.
        """
        self._refreshed += 1
        for feed in self._feeds.values():
            if feed.key[0] == rank and stale(feed.key[1]):
                feed.forget()
                self._ready_ns = -1

    def renew(self, rank: int) -> None:
        """Markets of venue number `rank` are others from where delivery stands on: make its channels anew."""
        for feed in self._feeds.values():
            if feed.key[0] == rank:
                feed.channel = feed.make()
        self.refresh(rank, lambda _: True)

    @property
    def crowded(self) -> bool:
        """Whether clients change markets faster than pages are made, so that nothing would ever be delivered."""
        return self._refreshed >= CROWD and self._ready_ns == -1 and self.active

    def after_delivery(self, call: Callable[[], None]) -> None:
        """Have it called soon after the next delivery, once. Idempotent."""
        self._waiting[call] = None

    def chunk_end_ns(self, after_ns: int) -> int:
        """How far a delivery may go from there: not beyond the page, nor so far that sockets wait for it."""
        return min(after_ns - after_ns % PAGE_NS + PAGE_NS, after_ns + self._chunk_ns)

    def _ask(self, feed: Feed, start_ns: int) -> None:
        if feed.asked_ns != start_ns:
            feed.asked_ns = start_ns
            self._maker.ask(feed, start_ns)

    def _made(self, feed: Feed, edition: int, page: Page | None) -> None:
        if edition != feed.edition:
            return
        feed.next = page
        if page is None:
            for subscriber in list(feed.subscribers):
                subscriber.fail()
        if feed in self._missing:
            self._missing.discard(feed)
            if not self._missing:
                self.changed()

    # ------------------------------------------------------------ delivery
    def deliver(self, after_ns: int, upto_ns: int) -> None:
        """Write every connection its frames due in (after_ns, upto_ns], all of one page for which `ready` was true."""
        self._refreshed = 0
        for call in self._waiting:
            asyncio.get_running_loop().call_soon(call)
        self._waiting.clear()
        for subscriber in self._moved:
            self._place(subscriber)
        self._moved.clear()
        while self._ahead and self._ahead[-1][0] < upto_ns:
            feed = self._ahead.pop()[2]
            if feed.subscribers:
                self._ask(feed, self._ready_ns + PAGE_NS)
        busy: list[Feed] = []
        if self._due_ns <= upto_ns:
            after_ns = max(after_ns, self._due_ns - TICK_NS)  # one tick, as a rule
            due_ns = FOREVER_NS
            for feed in self._feeds.values():  # one look at each, as this is done for every tick
                if feed.next_ns <= upto_ns:
                    feed.pass_by(after_ns, upto_ns)
                    busy.append(feed)
                if feed.next_ns < due_ns:  # noqa: PLR1730  # a call would cost more than all the rest of this
                    due_ns = feed.next_ns
            self._due_ns = due_ns
        tapped = self._pieces_of_tapped(after_ns, upto_ns) if self._tapped else []
        for group in dict.fromkeys(chain.from_iterable([feed.groups for feed in busy])):
            frames = b"" if group.tapped is not None else group.frames(after_ns, upto_ns)
            if frames:
                for write in list(group.members.values()):
                    write(frames)
        for feed in busy:
            feed.cut = b""
        if tapped:
            _look(tapped, upto_ns)
            for subscriber, _ in tapped:
                subscriber.deliver_seen(upto_ns)

    def _pieces_of_tapped(self, after_ns: int, upto_ns: int) -> list[tuple[Subscriber, list[Piece]]]:
        """What is due to each connection that is tapped, perhaps nothing; venue by venue, in the order they came in."""
        tapped = []
        for group in self._tapped:
            assert group.tapped is not None
            rank, number = group.feeds[0].key[0], group.tapped.number
            tapped.append((rank, number, group.tapped, group.pieces(after_ns, upto_ns)))
        return [row[2:] for row in sorted(tapped, key=itemgetter(0, 1))]

    def next_ns(self, after_ns: int) -> int:
        """The next boundary at which anything is to be done, after one for which `ready` was true."""
        if self._waiting or self._moved:
            return after_ns + TICK_NS
        ask_ns = self._ahead[-1][0] if self._ahead else FOREVER_NS
        page_ns = after_ns - after_ns % PAGE_NS + PAGE_NS
        return min(page_ns, ask_ns - ask_ns % TICK_NS + TICK_NS, self._due_ns)

    def close(self) -> None:
        """End the worker thread."""
        self._maker.close()


def _look(tapped: Sequence[tuple[Subscriber, Sequence[Piece]]], upto_ns: int) -> None:
    """Have frames looked at, boundary by boundary and there connection by connection: what counts them must not depend
    on how much is delivered at once.
    """
    if len(tapped) > 1:
        due: dict[int, dict[int, list[Piece]]] = {}
        for place, (_, pieces) in enumerate(tapped):
            for piece in pieces:
                due.setdefault(piece[0], {}).setdefault(place, []).append(piece)
        for due_ns in sorted(due):
            for place, pieces in due[due_ns].items():
                tapped[place][0].look(pieces, due_ns)
    for subscriber, pieces in tapped:
        subscriber.look(pieces if len(tapped) == 1 else (), upto_ns)


class _PageMaker:
    """One worker thread that makes pages, the earliest first. At most two per channel are asked for at a time."""

    def __init__(self, made: Callable[[Feed, int, Page | None], None]) -> None:
        self._made = made
        self._orders: PriorityQueue[tuple[int, int, int, Feed | None]] = PriorityQueue()
        self._thread: threading.Thread | None = None

    def ask(self, feed: Feed, start_ns: int) -> None:
        """Have the page made that starts then; `made` gets it on this event loop, or None if its channel failed."""
        if self._thread is None:
            loop = asyncio.get_running_loop()
            self._thread = threading.Thread(target=self._work, args=(loop,), name="page maker", daemon=True)
            self._thread.start()
        self._orders.put((start_ns, feed.number, feed.edition, feed))

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        tidied_ns = 0
        while True:
            start_ns, _, edition, feed = self._orders.get()
            if feed is None:
                return
            page = None
            if feed.subscribers and feed.edition == edition:
                try:
                    with one_view():
                        page = feed.channel.page(start_ns)
                except Exception:
                    if feed.edition == edition:  # else it is made anew: its market changed meanwhile
                        log.exception("channel failed", channel=feed.key, start_ns=start_ns)
            loop.call_soon_threadsafe(self._made, feed, edition, page)
            if start_ns - tidied_ns >= TIDY_NS:
                if tidied_ns:
                    give_back()
                tidied_ns = start_ns

    def close(self) -> None:
        """Stop after the page in the making."""
        if self._thread is not None:
            self._orders.put((-1, -1, -1, None))
            self._thread.join()
            self._thread = None
