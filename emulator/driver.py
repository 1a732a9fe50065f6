"""The crank: virtual time in real time, scaled or stepped; the only reader of the wall clock, the only owner of timers.

Virtual time stands on boundaries of 10 ms ticks. Real and scaled time catch up with the wall clock in chunks, between
which the event loop serves its sockets; a step goes as fast as its readers. Either way the same ticks bring the same
frames: when the driver wakes, and how many ticks it then delivers at once, must never be visible in them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from email.utils import formatdate

from emulator.config import SPEED_LIMIT
from emulator.gateway.hub import Hub
from reactor.types import MS_NS, SECOND_NS, TICK_NS
from venues.base import PAGE_NS

CHUNK_NS = SECOND_NS  # delivered at most between two turns of the event loop
STEP_LIMIT_S = 31 * 86_400
STALL_S = 5.0  # so long may one reader hold up a step


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


# ---------------------------------------------------------------- the driver
class Driver:
    """Turns the crank of one hub on one event loop.

    `on_second(now_ns, wall_ns)` is called once a second of wall time, whatever virtual time does. Wall instants are
    monotonic, of no particular epoch: fit to measure how long something took.
    """

    def __init__(
        self, hub: Hub, on_second: Callable[[int, int], None], start_ns: int, speed: float, paused: bool
    ) -> None:
        self._now_ns = start_ns  # the boundary reached: what is due up to it has been delivered
        self._hub = hub
        self._on_second = on_second
        self._speed = speed
        self._paused = paused
        self._anchor = (start_ns, 0)  # a virtual and a wall instant that belong together
        self._timers: dict[Callable[[], None], asyncio.TimerHandle] = {}
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
        self._paused = True
        for timer in self._timers.values():
            timer.cancel()

    # ------------------------------------------------------------ the clock's face
    @property
    def paused(self) -> bool:
        """Whether virtual time stands still between steps."""
        return self._paused

    @property
    def speed(self) -> float:
        """Virtual seconds per second while it is not paused."""
        return self._speed

    def stamp(self) -> tuple[int, int]:
        """When an input that has just come happens, as (virtual, wall) ns; what is due by then is delivered first."""
        self._catch_up()
        return self._now_ns, time.monotonic_ns()

    def pause(self) -> None:
        """Stand still. Idempotent."""
        self._catch_up()
        self._paused = True

    def resume(self) -> None:
        """Run on from here. Idempotent."""
        self._catch_up()
        self._paused = False
        self._reanchor()

    def set_speed(self, speed: float) -> None:
        """Change the pace. ValueError when it is not above 0 and at most SPEED_LIMIT."""
        if not 0 < speed <= SPEED_LIMIT:
            raise ValueError(f"speed: {speed} is out of range; allowed: above 0, at most {SPEED_LIMIT}")
        self._catch_up()
        self._speed = speed
        self._reanchor()

    async def advance(self, seconds: float) -> int:
        """Step, paused or not, and return the instant reached, in ns.

        Done when every frame was accepted by its socket or its bounded outbox: while one of these is full, all wait.
        Steps asked for at once are taken one after another. Raises ValueError as `step_ns` does, and AdvanceBlocked.
        """
        distance_ns = step_ns(seconds)
        async with self._stepping:
            target_ns = self._now_ns + distance_ns
            try:
                await self._step(target_ns)
            finally:
                self._reanchor()
        return target_ns

    async def _step(self, target_ns: int) -> None:
        moved_ns = time.monotonic_ns()
        while self._now_ns < target_ns:
            self._changed.clear()
            if self._hub.held_up:
                left_s = STALL_S - (time.monotonic_ns() - moved_ns) / SECOND_NS
                try:
                    await asyncio.wait_for(self._changed.wait(), left_s)
                except TimeoutError:
                    raise AdvanceBlocked(min(map(str, self._hub.held_up)), self._now_ns) from None
                continue
            if not self._hub.active:
                self._now_ns = target_ns
            elif self._hub.ready(self._now_ns):
                self._deliver(target_ns)
                await asyncio.sleep(0)
            else:
                await self._changed.wait()
            moved_ns = time.monotonic_ns()

    # ------------------------------------------------------------ the crank
    def _deliver(self, target_ns: int) -> None:
        """Go towards the target, by a chunk at most and not beyond the page."""
        page_end_ns = self._now_ns - self._now_ns % PAGE_NS + PAGE_NS
        upto_ns = min(target_ns, self._now_ns + CHUNK_NS, page_end_ns)
        self._hub.deliver(self._now_ns, upto_ns)
        self._now_ns = upto_ns

    def _catch_up(self) -> None:
        """Deliver what is due by the wall clock, a chunk at most."""
        if self._paused or self._stepping.locked():
            return
        virtual_ns, wall_ns = self._anchor
        due_ns = virtual_ns + int((time.monotonic_ns() - wall_ns) * self._speed)
        due_ns -= due_ns % TICK_NS
        if due_ns <= self._now_ns:
            return
        if not self._hub.active:
            self._now_ns = due_ns
        elif self._hub.ready(self._now_ns):
            self._deliver(due_ns)

    def _wake(self) -> None:
        """Catch up, and see to being woken for the next tick, or in 10 ms where ticks are shorter than that.

        Without a subscriber nothing is due before the next input, and without a page not before the hub says so.
        """
        self._catch_up()
        if (
            not self._paused
            and not self._stepping.locked()
            and self._hub.active
            and self._hub.ready(self._now_ns)
        ):
            virtual_ns, wall_ns = self._anchor
            ahead_ns = self._now_ns - virtual_ns + TICK_NS * max(1.0, self._speed)
            self._call_in(wall_ns + int(ahead_ns / self._speed) - time.monotonic_ns(), self._wake)

    def _look_again(self) -> None:
        self._changed.set()
        self._call_in(0, self._wake)

    def _reanchor(self) -> None:
        """From here on, virtual time is counted from now."""
        self._anchor = (self._now_ns, time.monotonic_ns())
        self._look_again()

    def _second(self) -> None:
        self._on_second(*self.stamp())
        self._call_in(SECOND_NS, self._second)

    def _call_in(self, delay_ns: int, call: Callable[[], None]) -> None:
        """Set or reset the timer of a call; rounded up to whole ms, the loop's own, or it would ring too early."""
        if call in self._timers:
            self._timers[call].cancel()
        self._timers[call] = self._loop.call_later(max(0, -(-delay_ns // MS_NS)) / 1_000, call)
