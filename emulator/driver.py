"""The crank: virtual time in real time, scaled, or stepped. The only reader of the wall clock and the only owner of timers.

Virtual time stands on boundaries of 10 ms ticks. Real and scaled time catch up with the wall clock, in chunks between which the
event loop serves its sockets; a stepped advance goes as fast as its readers. Either way the hub delivers the same frames for the
same ticks; when the driver happens to wake is never visible in them. An input is stamped with the boundary reached, after that
tick's frames.
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

CHUNK_NS = SECOND_NS  # at most so much virtual time is delivered before the loop serves its sockets
ADVANCE_LIMIT_S = 31 * 86_400
STALL_S = 5.0  # a step held up by one reader for so long is given up


class AdvanceBlocked(Exception):  # noqa: N818: it says what happened, as StopIteration does
    """A step gave up on a reader whose outbox stayed full; the clock stands at `reached_ns`."""

    def __init__(self, connection: str, reached_ns: int) -> None:
        super().__init__(
            f"{connection} has read nothing for {STALL_S:g} s and its outbox is full; the clock stands at {reached_ns} ns. "
            "A reader in the same event loop needs advance_async, run beside it, or smaller steps."
        )
        self.connection = connection
        self.reached_ns = reached_ns


def http_date() -> bytes:
    """The wall clock as HTTP writes it."""
    return formatdate(usegmt=True).encode()


def utc_ns() -> int:
    """The wall clock, ns since the epoch."""
    return time.time_ns()


def step_ns(seconds: float) -> int:
    """A step in ns; ValueError when it is no whole number of ticks from 0 to ADVANCE_LIMIT_S."""
    if not 0 <= seconds <= ADVANCE_LIMIT_S:
        raise ValueError(f"seconds: {seconds} is out of range; allowed: 0 to {ADVANCE_LIMIT_S}")
    ticks = round(seconds * SECOND_NS / TICK_NS)
    if abs(ticks * TICK_NS - seconds * SECOND_NS) > 1_000:
        raise ValueError(f"seconds: {seconds} is no whole number of {TICK_NS // MS_NS} ms ticks")
    return ticks * TICK_NS


class Driver:
    """Turns the crank of one hub, on one event loop. `on_second(now_ns, wall_ns)` is called once a second of wall time."""

    def __init__(
        self, hub: Hub, on_second: Callable[[int, int], None], start_ns: int, speed: float, paused: bool
    ) -> None:
        self.now_ns = start_ns  # the boundary reached: every frame due up to it is delivered
        self._hub = hub
        self._on_second = on_second
        self._speed = speed
        self._paused = paused
        self._anchor = (start_ns, 0)  # a virtual and a wall instant that belong together
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._changed = asyncio.Event()
        self._stepping = asyncio.Lock()
        hub.changed = self.kick

    # ------------------------------------------------------------ life
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
    def stamp(self) -> tuple[int, int]:
        """When an input that arrives now happens, after delivering what is due by then: (virtual, wall) ns.

        The wall instant is monotonic, of no particular epoch: fit for measuring how long something took.
        """
        self._catch_up()
        return self.now_ns, time.monotonic_ns()

    @property
    def paused(self) -> bool:
        """Whether virtual time stands still between steps."""
        return self._paused

    @property
    def speed(self) -> float:
        """Virtual seconds per second while not paused."""
        return self._speed

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
        """Change the pace; ValueError out of (0, SPEED_LIMIT]."""
        if not 0 < speed <= SPEED_LIMIT:
            raise ValueError(f"speed: {speed} is out of range; allowed: above 0, at most {SPEED_LIMIT}")
        self._catch_up()
        self._speed = speed
        self._reanchor()

    async def advance(self, seconds: float) -> int:
        """Step, whether paused or running, and return the instant reached, in ns.

        It is done when every frame was accepted by its socket or its bounded outbox; while one is full everybody waits.
        Steps asked for together are taken one after another. Raises ValueError as `step_ns` does, and AdvanceBlocked.
        """
        distance_ns = step_ns(seconds)
        async with self._stepping:
            target_ns = self.now_ns + distance_ns
            moved_ns = time.monotonic_ns()
            try:
                while self.now_ns < target_ns:
                    self._changed.clear()
                    if self._hub.full:
                        patience_s = STALL_S - (time.monotonic_ns() - moved_ns) / SECOND_NS
                        if not await _within(patience_s, self._changed):
                            raise AdvanceBlocked(min(map(str, self._hub.full)), self.now_ns)
                        continue
                    if not self._hub.active:
                        self.now_ns = target_ns
                    elif self._hub.ready(self.now_ns):
                        self._deliver(target_ns)
                        await asyncio.sleep(0)
                    else:
                        await self._changed.wait()
                    moved_ns = time.monotonic_ns()
            finally:
                self._reanchor()
        return target_ns

    # ------------------------------------------------------------ the crank
    def kick(self) -> None:
        """The hub changed: look again what is to be done, soon."""
        self._changed.set()
        self._later("tick", 0, self._wake)

    def _wake(self) -> None:
        self._catch_up()
        self._schedule()

    def _catch_up(self) -> None:
        """Deliver what is due by the wall clock, one chunk at most."""
        due_ns = self._due_ns()
        if due_ns > self.now_ns and not self._paused and not self._stepping.locked():
            if not self._hub.active:
                self.now_ns = due_ns
            elif self._hub.ready(self.now_ns):
                self._deliver(due_ns)

    def _deliver(self, target_ns: int) -> None:
        """Go towards the target: a chunk, and not beyond the page."""
        page_end_ns = self.now_ns - self.now_ns % PAGE_NS + PAGE_NS
        upto_ns = min(target_ns, self.now_ns + CHUNK_NS, page_end_ns)
        self._hub.deliver(self.now_ns, upto_ns)
        self.now_ns = upto_ns

    def _due_ns(self) -> int:
        """The boundary virtual time should have reached."""
        virtual_ns, wall_ns = self._anchor
        due_ns = virtual_ns + int((time.monotonic_ns() - wall_ns) * self._speed)
        return due_ns - due_ns % TICK_NS

    def _reanchor(self) -> None:
        self._anchor = (self.now_ns, time.monotonic_ns())
        self.kick()

    def _schedule(self) -> None:
        """Wake at the next tick, or 10 ms from now where ticks are shorter. Without subscribers nothing is due before an input
        comes; without a page, before the hub says so.
        """
        if (
            self._paused
            or self._stepping.locked()
            or not self._hub.active
            or not self._hub.ready(self.now_ns)
        ):
            return
        virtual_ns, wall_ns = self._anchor
        wake_ns = wall_ns + int((self.now_ns + TICK_NS * max(1.0, self._speed) - virtual_ns) / self._speed)
        self._later("tick", wake_ns - time.monotonic_ns(), self._wake)

    def _second(self) -> None:
        self._on_second(*self.stamp())
        self._later("second", SECOND_NS, self._second)

    def _later(self, name: str, delay_ns: int, call: Callable[[], None]) -> None:
        """(Re)set a timer. Rounded up to the loop's milliseconds, so that it does not ring just before its time."""
        if name in self._timers:
            self._timers[name].cancel()
        self._timers[name] = self._loop.call_later(max(0, -(-delay_ns // MS_NS)) / 1000, call)


async def _within(seconds: float, event: asyncio.Event) -> bool:
    """Whether the event came in time."""
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True


async def settled(done: Callable[[], bool], seconds: float) -> bool:
    """Wait until it is done, but not longer than that; whether it is."""
    deadline_ns = time.monotonic_ns() + int(seconds * SECOND_NS)
    while not done():
        if time.monotonic_ns() > deadline_ns:
            return False
        await asyncio.sleep(0.01)
    return True
