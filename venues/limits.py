"""Windows and deadlines, pure: how much a client has used, and whether its time has run out.

Two clocks matter to a live client: virtual time, which may be warped or stand still, and wall time. A limit must not
cut a client that behaves, so a deadline counts only when it has run out on both, and a window rolls on whichever moved
further. Nothing in here reads a clock.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant on both clocks."""

    now_ns: int
    wall_ns: int

    def surely_since(self, earlier: Moment) -> int:
        """Nanoseconds that have passed on both clocks: what a deadline counts."""
        return min(self.now_ns - earlier.now_ns, self.wall_ns - earlier.wall_ns)

    def possibly_since(self, earlier: Moment) -> int:
        """Nanoseconds that have passed on either clock: what a window rolls by."""
        return max(self.now_ns - earlier.now_ns, self.wall_ns - earlier.wall_ns)


class RollingRate:
    """At most `count` hits in any `window_ns`; remembers no more than that many."""

    def __init__(self, count: int, window_ns: int) -> None:
        self._window_ns = window_ns
        self._hits: deque[Moment] = deque(maxlen=count)

    def exceeded_by(self, hit: Moment) -> bool:
        """Count a hit; True when it is one too many."""
        full = len(self._hits) == self._hits.maxlen
        over = full and hit.possibly_since(self._hits[0]) < self._window_ns
        self._hits.append(hit)
        return over


@dataclass(slots=True)
class Usage:
    """What each client has used of windows aligned to virtual time (a minute starts at :00), by pool.

    A window is over, too, when its length has passed on the wall clock, for virtual time may stand. Clients of a
    finished window are forgotten with it, so it holds one window's clients per pool.
    """

    _pools: dict[str, tuple[Moment, dict[str, int]]] = field(default_factory=dict)

    def charge(self, pool: str, window_ns: int, client: str, cost: int, at: Moment) -> int:
        """Add a cost and return what the client has used of the pool in the window of this moment."""
        start = Moment(at.now_ns - at.now_ns % window_ns, at.wall_ns)
        opened, used = self._pools.get(pool, (start, {}))
        if start.possibly_since(opened) >= window_ns:
            opened, used = start, {}
        used[client] = used.get(client, 0) + cost
        self._pools[pool] = opened, used
        return used[client]
