"""The crank: virtual time in real time, scaled, stepped, or as fast as clients read; the only reader of the wall clock.

Virtual time stands on boundaries of 10 ms ticks. A running clock catches up with its pace in chunks, between which the
event loop serves its sockets; a step goes as fast as its readers. Either way the same ticks bring the same frames: when
the driver wakes, and how many ticks it then delivers at once, must never be visible in them. Channels can also be read
without sockets, all at once or in their time: `run_batch` and `run_stream`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from email.utils import formatdate
from heapq import heapify, heappop, heappush
from itertools import count

from emulator.config import SPEED_LIMIT
from emulator.gateway.hub import Hub, woven
from reactor.clock import FASTEST, FOREVER_NS, Chronometer
from reactor.types import MS_NS, SECOND_NS, TICK_NS
from venues.base import PAGE_NS, Channel, Page
from venues.limits import Moment

STEP_LIMIT_S = 31 * 86_400
STALL_S = 5.0  # so long may one reader hold up a step
STALE_ALARMS = 1_000
DEBT_NS = 2 * SECOND_NS  # of wall time that a clock makes up for at another pace than the wall's own


class AdvanceBlocked(Exception):  # noqa: N818  # named for what happened, as StopIteration is
    """A reader with a full outbox held up a step for STALL_S; the clock stands at `reached_ns`."""

    def __init__(self, connection: str, reached_ns: int) -> None:
        super().__init__(
            f"{connection} has read nothing for {STALL_S:g} s and its outbox is full; the clock stands at "
            f"{reached_ns} ns. To read in the event loop that steps, use advance_async, or take smaller steps."
        )
        self.connection = connection
        self.reached_ns = reached_ns


# ---------------------------------------------------------------- time as others write it
def utc_ns() -> int:
    """The wall clock, in ns since the epoch."""
    return time.time_ns()


def http_date() -> bytes:
    """The wall clock as HTTP writes it."""
    return formatdate(usegmt=True).encode()


def step_ns(seconds: float) -> int:
    """A step in ns. ValueError when it is no whole number of ticks, negative, or beyond STEP_LIMIT_S."""
    if not 0 <= seconds <= STEP_LIMIT_S:
        raise ValueError(f"seconds: {seconds} is out of range; allowed: 0 to {STEP_LIMIT_S}")
    ticks = round(seconds * SECOND_NS / TICK_NS)
    if abs(ticks * TICK_NS - seconds * SECOND_NS) > 1_000:
        raise ValueError(f"seconds: {seconds} is no whole number of ticks of {TICK_NS // MS_NS} ms")
    return ticks * TICK_NS


async def settled(done: Callable[[], bool], seconds: float) -> bool:
    """Wait until it is done, at most so long; whether it is."""
    give_up_ns = time.monotonic_ns() + int(seconds * SECOND_NS)
    while not done():
        if time.monotonic_ns() > give_up_ns:
            return False
        await asyncio.sleep(0.01)
    return True


async def happened(event: Awaitable[object], seconds: float) -> bool:
    """Wait for it, at most so long by the wall clock; whether it happened."""
    task = asyncio.ensure_future(event)
    done, _ = await asyncio.wait({task}, timeout=seconds)
    task.cancel()
    return bool(done)


# ---------------------------------------------------------------- the driver
class _Alarms:
    """What is to be called at which boundary, each once; the earliest is found without a look at the others."""

    def __init__(self) -> None:
        self._set: dict[
            Callable[[], None], tuple[int, int]
        ] = {}  # when, and its place among those of that instant
        self._queue: list[
            tuple[int, int, int, Callable[[], None]]
        ] = []  # and what was put off or cancelled since
        self._numbers = count()

    @property
    def next_ns(self) -> int:
        """The earliest; FOREVER_NS where there is none."""
        while self._queue and not self._holds(self._queue[0]):
            heappop(self._queue)
        return self._queue[0][0] if self._queue else FOREVER_NS

    def set(self, call: Callable[[], None], at_ns: int) -> None:
        """Have it called then, in the place of any other instant."""
        before, number = self._set.get(call), next(self._numbers)
        row = (at_ns, number if before is None else before[1])
        if row != before:
            self._set[call] = row
            heappush(self._queue, (*row, number, call))
            if len(self._queue) > 2 * len(self._set) + STALE_ALARMS:
                self._queue = [row for row in self._queue if self._holds(row)]
                heapify(self._queue)

    def cancel(self, call: Callable[[], None]) -> None:
        """Have it not called. Idempotent."""
        self._set.pop(call, None)

    def ring(self, now_ns: int) -> None:
        """Call what is due by then, in the order in which it was set."""
        due = []
        while self.next_ns <= now_ns:
            due.append(heappop(self._queue))
        for row in due:
            if self._holds(row):  # one that rang before may have put it off
                del self._set[row[3]]
                row[3]()

    def _holds(self, row: tuple[int, int, int, Callable[[], None]]) -> bool:
        return self._set.get(row[3]) == row[:2]


class Driver:
    """Turns the crank of one hub on one event loop.

    `on_second(now_ns, wall_ns)` is called once a second of wall time, whatever virtual time does. Wall instants are
    monotonic, of no particular epoch: fit to measure how long something took. A running clock waits for slow readers
    if it is `lossless` or goes as fast as it can, and a step always; else the venues close them.
    """

    def __init__(
        self, hub: Hub, on_second: Callable[[int, int], None], clock: Chronometer, *, lossless: bool
    ) -> None:
        self._clock = clock  # what is due up to where it stands has been delivered
        self._hub = hub
        self._on_second = on_second
        self._lossless = lossless
        self._timers: dict[Callable[[], None], asyncio.TimerHandle] = {}
        self._alarms = _Alarms()
        self._woken_ns = -1  # the boundary at which it means to wake; -1 before it has begun
        self._changed = asyncio.Event()
        self._stepping = asyncio.Lock()
        hub.changed = self._look_again

    def start(self) -> None:
        """Begin, on the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._reanchor()
        self._second()

    def stop(self) -> None:
        """Stand still for good."""
        self._clock.paused = True
        for timer in self._timers.values():
            timer.cancel()

    # ------------------------------------------------------------ the clock's face
    @property
    def paused(self) -> bool:
        """Whether virtual time stands still between steps."""
        return self._clock.paused

    @property
    def speed(self) -> float:
        """Virtual seconds per second while it is not paused; FASTEST for as fast as clients read."""
        return self._clock.speed

    @property
    def now_ns(self) -> int:
        """Where virtual time stands: what is due by then has been delivered."""
        return self._clock.now_ns

    @property
    def flowing(self) -> bool:
        """Whether virtual time goes on by itself, waiting for nobody."""
        return not self.paused and not self._stepping.locked() and not self._waits()

    def stamp(self) -> tuple[int, int]:
        """When an input that has just come happens, as (virtual, wall) ns; what is due by then is delivered first."""
        self._catch_up()
        return self._clock.now_ns, time.monotonic_ns()

    @property
    def moment(self) -> Moment:
        """Now on both clocks, wherever virtual time stands."""
        return Moment(self._clock.now_ns, time.monotonic_ns())

    def pause(self) -> None:
        """Stand still. Idempotent."""
        self._catch_up()
        self._clock.paused = True

    def resume(self) -> None:
        """Run on from here. Idempotent."""
        self._catch_up()
        self._clock.paused = False
        self._reanchor()

    def set_speed(self, speed: float) -> None:
        """Change the pace. ValueError when it is neither above 0 and at most SPEED_LIMIT nor FASTEST."""
        if not 0 < speed <= SPEED_LIMIT and speed != FASTEST:
            raise ValueError(
                f"speed: {speed} is out of range; allowed: above 0, at most {SPEED_LIMIT}, or max"
            )
        self._catch_up()
        self._clock.set_speed(speed, time.monotonic_ns())
        self._look_again()

    def set_alarm(self, call: Callable[[], None], at_ns: int) -> None:
        """Have it called when virtual time reaches that instant's boundary, once, what is due by then having been
        delivered.
        """
        at_ns += -at_ns % TICK_NS
        self._alarms.set(call, at_ns)
        if at_ns < self._woken_ns:
            self._look_again()

    def cancel_alarm(self, call: Callable[[], None]) -> None:
        """Have it not called. Idempotent."""
        self._alarms.cancel(call)

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        """Have it called, once, after so much wall time."""
        self._loop.call_later(seconds, call)

    async def advance(self, seconds: float) -> int:
        """Step, paused or not, and return the instant reached, in ns.

        Done when every frame was accepted by its socket or its bounded outbox: while one of these is full, all wait.
        Steps asked for at once are taken one after another. Raises ValueError as `step_ns` does, and AdvanceBlocked.
        """
        distance_ns = step_ns(seconds)
        return await self.advance_until(lambda now_ns: now_ns + distance_ns)

    async def advance_until(self, target: Callable[[int], int]) -> int:
        """Step likewise to the first boundary not before an instant that is a function of where the step begins.

        The function may raise, and then nothing has moved. ValueError beyond STEP_LIMIT_S.
        """
        async with self._stepping:
            now_ns = self._clock.now_ns
            target_ns = -(-target(now_ns) // TICK_NS) * TICK_NS
            if target_ns - now_ns > STEP_LIMIT_S * SECOND_NS:
                raise ValueError(f"{target_ns} ns is too far away; allowed: {STEP_LIMIT_S} s")
            try:
                await self._step(target_ns)
            finally:
                self._reanchor()
        return self._clock.now_ns

    async def _step(self, target_ns: int) -> None:
        while self._clock.now_ns < target_ns:
            self._changed.clear()
            if self._hub.held_up:
                await self._readers()
            elif self._turn(target_ns):
                await asyncio.sleep(0)
            else:
                await self._changed.wait()

    async def _readers(self) -> None:
        """Wait for those who hold a step up, for as long as they read at all."""
        backlog, since_ns = self._hub.backlog, time.monotonic_ns()
        while self._hub.held_up:
            self._changed.clear()
            left_s = STALL_S - (time.monotonic_ns() - since_ns) / SECOND_NS
            try:
                await asyncio.wait_for(self._changed.wait(), left_s)
            except TimeoutError:
                if self._hub.backlog >= backlog:
                    raise AdvanceBlocked(min(map(str, self._hub.held_up)), self._clock.now_ns) from None
                backlog, since_ns = self._hub.backlog, time.monotonic_ns()

    # ------------------------------------------------------------ the crank
    def _turn(self, target_ns: int) -> bool:
        """Go towards the target, with subscribers by a chunk at most; False while their pages are not made."""
        while self._clock.now_ns < target_ns:
            now_ns, alarm_ns = self._clock.now_ns, self._alarms.next_ns
            upto_ns = min(target_ns, max(alarm_ns, now_ns + TICK_NS))
            active = self._hub.active
            if active:
                if not self._hub.ready(now_ns):
                    return False
                upto_ns = min(upto_ns, self._hub.chunk_end_ns(now_ns))
                self._hub.deliver(now_ns, upto_ns)
            self._clock.reach(upto_ns)
            if alarm_ns <= upto_ns:
                self._alarms.ring(upto_ns)
            if active:
                break
        return True

    def _catch_up(self) -> bool:
        """Deliver what is due by the pace, a chunk at most; whether virtual time goes on by itself."""
        if self._stepping.locked() or self._waits():
            return False
        wall_ns = time.monotonic_ns()
        if self._clock.speed != 1:
            self._clock.forgive(int(DEBT_NS * min(self._clock.speed, SPEED_LIMIT)), wall_ns)
        self._turn(self._clock.due_ns(wall_ns))
        return not self._clock.paused

    def _waits(self) -> bool:
        """Whether a running clock waits for readers, there being none or one that is slow."""
        fastest = self._clock.speed == FASTEST
        return (fastest and not self._hub.active) or ((fastest or self._lossless) and bool(self._hub.held_up))

    def _wake(self) -> None:
        """Catch up, and see to being woken when anything is due again.

        Without a subscriber nothing is due before the next input, and without a page not before the hub says so.
        """
        clock = self._clock
        if self._catch_up() and self._hub.active and self._hub.ready(clock.now_ns):
            self._woken_ns = min(self._hub.next_ns(clock.now_ns), self._alarms.next_ns)
            self._call_in(_until_ns(clock, self._woken_ns), self._wake)

    def _look_again(self) -> None:
        self._changed.set()
        self._call_in(0, self._wake)

    def _reanchor(self) -> None:
        """From here on, virtual time is counted from now."""
        self._clock.anchor(time.monotonic_ns())
        self._look_again()

    def _second(self) -> None:
        self._on_second(*self.stamp())
        self._call_in(SECOND_NS, self._second)

    def _call_in(self, delay_ns: int, call: Callable[[], None]) -> None:
        """Set or reset the timer of a call; rounded up to whole ms, the loop's own, or it would ring too early."""
        timer = self._timers.get(call)
        if timer is not None:
            timer.cancel()
        self._timers[call] = self._loop.call_later(max(0, -(-delay_ns // MS_NS)) / 1_000, call)


def _until_ns(clock: Chronometer, at_ns: int) -> int:
    """How long until a boundary is due, but not before 10 ms from where the clock stands."""
    ahead_ns = int(TICK_NS * max(1.0, min(clock.speed, SPEED_LIMIT)))
    return clock.wall_ns(max(at_ns, clock.now_ns + ahead_ns)) - time.monotonic_ns()


# ---------------------------------------------------------------- without sockets
def run_batch(channels: Sequence[Channel], start_ns: int, end_ns: int) -> Iterator[bytes]:
    """The WebSocket frames due in (start_ns, end_ns], a page at a time: what a socket gets that subscribed to them all.

    Both are boundaries. Within a tick, channels come as they are listed; on a socket, in the order of their topics.
    """
    while start_ns < end_ns:
        page_ns = start_ns - start_ns % PAGE_NS
        upto_ns = min(page_ns + PAGE_NS, end_ns)
        yield woven(_pages(channels, page_ns), start_ns, upto_ns)
        start_ns = upto_ns


async def run_stream(channels: Sequence[Channel], clock: Chronometer, end_ns: int) -> AsyncIterator[bytes]:
    """The same frames from where the clock stands, when they are due by its pace; at FASTEST, when they are asked for.

    A reader that takes longer than the pace allows gets more at once, never less. Pages are made in a worker thread.
    """
    clock.anchor(time.monotonic_ns())
    pages: list[Page] = []
    while clock.now_ns < end_ns:
        if clock.paused:
            clock.anchor(time.monotonic_ns())  # what passes meanwhile does not count
        now_ns = clock.now_ns
        page_ns = now_ns - now_ns % PAGE_NS
        if not pages or pages[0].start_ns != page_ns:
            pages = await asyncio.to_thread(_pages, channels, page_ns)
        upto_ns = min(clock.due_ns(time.monotonic_ns()), page_ns + PAGE_NS, end_ns)
        frames = woven(pages, now_ns, upto_ns)
        clock.reach(upto_ns)
        if frames:
            yield frames
        await asyncio.sleep(max(0, TICK_NS if clock.paused else _until_ns(clock, now_ns)) / SECOND_NS)


def _pages(channels: Sequence[Channel], start_ns: int) -> list[Page]:
    return [channel.page(start_ns) for channel in channels]
