"""Limits, pure: what a client may do, how much of it it has used, and what becomes of one that goes on regardless.

A venue's card states its limits as a table of `Limit`; a run has one `Usage` per venue, which counts by client. Two
clocks matter to a live client: virtual time, which may be warped or stand still, and wall time. A limit must not cut a
client that behaves, so a deadline counts only when it has run out on both, and a window rolls, and a ban ends, on
whichever moved further. Nothing in here reads a clock.
"""

from __future__ import annotations

import math
import sys
from collections import OrderedDict, deque
from collections.abc import Callable
from itertools import repeat
from typing import Protocol, TypeVar

from reactor.values import dataclass

OFF = math.inf  # the scale of a run without limits
ENDLESS = sys.maxsize  # how much is allowed then
ROOMY = 100  # how many times as much is then allowed of what takes memory
CLIENTS = 1_024  # remembered at most of each limit; the one unheard of for longest is forgotten first


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


# ---------------------------------------------------------------- what a card states
@dataclass(frozen=True, slots=True)
class Ban:
    """A client that has been refused `after` times within `within_ns` is shut out with the next refusal: for the first
    of `lasts_ns`, the next time for the second, at last always for the last.
    """

    after: int
    within_ns: int
    lasts_ns: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Limit:
    """At most `count` within `window_ns`: any such window, or, if `aligned`, those that start at multiples of it in
    virtual time, as minutes do at :00. Without a window, at most `count` at once.

    A row of a card's table, which `name` tells from the others; a copy of it is another limit. What `takes_memory`
    stays bounded in a run without limits, though widely.
    """

    name: str
    count: int
    window_ns: int = 0
    aligned: bool = False
    ban: Ban | None = None
    takes_memory: bool = False


# ---------------------------------------------------------------- what becomes of a charge
@dataclass(frozen=True, slots=True)
class Charge:
    """What a client has `used` of the `allowed`, this charge included; `retry_ns` is until the next would be granted.

    `banned_until_ns` is virtual time: the end of the client's ban, None without one.
    """

    used: int
    allowed: int
    retry_ns: int = 0
    banned_until_ns: int | None = None

    @property
    def refused(self) -> bool:
        """Whether it was too much, or comes from a client that is shut out."""
        return self.banned_until_ns is not None or self.used > self.allowed


class Usage:
    """What each client has used of a venue's limits, whose counts are multiplied by `scale`; OFF is no limits.

    `refused` is told of every cost that was too much: of which limit, by its name, whose, and the charge.
    """

    def __init__(self, scale: float = 1.0) -> None:
        self.refused: Callable[[str, str, Charge], None] = lambda *_: None
        self._scale = scale
        self._windows: dict[Limit, _Windows] = {}
        self._held: dict[tuple[Limit, str], int] = {}
        self._standings: _Recent[_Standing] = _Recent(_Standing)

    def allowed(self, limit: Limit) -> int:
        """The limit's count in this run, at least 1."""
        if self._scale == OFF:
            return limit.count * ROOMY if limit.takes_memory else ENDLESS
        return max(1, round(limit.count * self._scale))

    # ------------------------------------------------------------ so much in a window
    def charge(self, limit: Limit, client: str, cost: int, at: Moment) -> Charge:
        """Count a client's cost towards a limit, granted or refused; while it is shut out, nothing is counted."""
        return self._charge(self._windows_of(limit), limit, client, cost, at)

    def count(self, limit: Limit, client: str, cost: int, at: Moment) -> None:
        """Count a client's cost of which it is known that it may be had."""
        self._windows_of(limit).add(client, cost, at)

    def used(self, limit: Limit, client: str, at: Moment) -> int:
        """What a client has used of a limit."""
        return self._windows_of(limit).used(client, at)

    def _windows_of(self, limit: Limit) -> _Windows:
        windows = self._windows.get(limit)
        if windows is None:
            windows = self._windows[limit] = _windows(limit, self.allowed(limit))
        return windows

    def meter(self, limit: Limit, client: str) -> Callable[[Moment], Charge]:
        """What counts towards a limit that each of a client's connections has to itself, one at a time."""
        windows = _windows(limit, self.allowed(limit))
        return lambda at: self._charge(windows, limit, client, 1, at)

    def _charge(self, windows: _Windows, limit: Limit, client: str, cost: int, at: Moment) -> Charge:
        charge = self.banned(client, at)
        if charge is None:
            charge = self._counted(windows, limit, client, cost, at)
        if cost and charge.refused:
            self.refused(limit.name, client, charge)
        return charge

    def _counted(self, windows: _Windows, limit: Limit, client: str, cost: int, at: Moment) -> Charge:
        allowed = self.allowed(limit)
        used, retry_ns = windows.add(client, cost, at)
        shut_out = None
        if used > allowed and limit.ban:
            self._standings.of(client).refuse(limit.ban, at)
            shut_out = self.banned(client, at)
        return shut_out or Charge(used, allowed, retry_ns)

    def banned(self, client: str, at: Moment) -> Charge | None:
        """The refusal of a client that is shut out, None for any other."""
        standing = self._standings.get(client)
        if standing is None:
            return None
        self._standings.move_to_end(client)
        left_ns = standing.lasts_ns - at.possibly_since(standing.banned)
        return Charge(0, 0, left_ns, standing.banned.now_ns + standing.lasts_ns) if left_ns > 0 else None

    # ------------------------------------------------------------ so much at once
    def hold(self, limit: Limit, client: str) -> bool:
        """Count one more that the client holds; False, and nothing is counted, when it holds all it may."""
        held, allowed = self.held(limit, client), self.allowed(limit)
        if held >= allowed:
            self.refused(limit.name, client, Charge(held + 1, allowed))
            return False
        self._held[limit, client] = held + 1
        return True

    def release(self, limit: Limit, client: str, count: int = 1) -> None:
        """Count so many less."""
        left = self.held(limit, client) - count
        assert left >= 0, (limit, client)
        if left:
            self._held[limit, client] = left
        else:
            self._held.pop((limit, client), None)

    def held(self, limit: Limit, client: str) -> int:
        """How many the client holds."""
        return self._held.get((limit, client), 0)


# ---------------------------------------------------------------- how it is counted
T = TypeVar("T")


class _Recent(OrderedDict[str, T]):
    """Values by client, made when first asked for; of the CLIENTS asked for last."""

    def __init__(self, make: Callable[[], T]) -> None:
        super().__init__()
        self._make = make

    def of(self, client: str) -> T:
        """A client's value."""
        value = self.get(client)
        if value is not None:
            self.move_to_end(client)
            return value
        made = self[client] = self._make()
        if len(self) > CLIENTS:
            self.popitem(last=False)
        return made


@dataclass(slots=True)
class _Standing:
    """How often a client was refused since a moment, how often it was shut out, and the last time from when and for
    how long.
    """

    refusals: int = 0
    since: Moment = Moment(0, 0)
    bans: int = 0
    banned: Moment = Moment(0, 0)
    lasts_ns: int = 0

    def refuse(self, ban: Ban, at: Moment) -> None:
        """Count a refusal; with one too many, a ban begins."""
        if not self.refusals or at.possibly_since(self.since) >= ban.within_ns:
            self.refusals, self.since = 0, at
        self.refusals += 1
        if self.refusals > ban.after:
            self.refusals, self.banned = 0, at
            self.lasts_ns = ban.lasts_ns[min(self.bans, len(ban.lasts_ns) - 1)]
            self.bans += 1


class _Windows(Protocol):
    def add(self, client: str, cost: int, at: Moment) -> tuple[int, int]:
        """Count a cost; what the client has used of the window at that moment, and how long until some is free."""
        ...

    def used(self, client: str, at: Moment) -> int:
        """What the client has used."""
        ...


def _windows(limit: Limit, allowed: int) -> _Windows:
    return _Aligned(limit.window_ns) if limit.aligned else _Rolling(limit.window_ns, allowed)


class _Aligned:
    """A window is over, too, when its length has passed on the wall clock, for virtual time may stand."""

    def __init__(self, window_ns: int) -> None:
        self._window_ns = window_ns
        self._opened: Moment | None = None
        self._used = _Recent(int)

    def add(self, client: str, cost: int, at: Moment) -> tuple[int, int]:
        since_ns = self._window_ns if self._opened is None else at.possibly_since(self._opened)
        if since_ns >= self._window_ns:
            since_ns = at.now_ns % self._window_ns
            self._opened, self._used = Moment(at.now_ns - since_ns, at.wall_ns), _Recent(int)
        used = self._used.of(client) + cost
        if cost:
            self._used[client] = used
        return used, self._window_ns - since_ns

    def used(self, client: str, at: Moment) -> int:
        over = self._opened is None or at.possibly_since(self._opened) >= self._window_ns
        return 0 if over else self._used.get(client, 0)


class _Rolling:
    """Remembers one charge more than is allowed, of which it is exceeded; none where all is allowed."""

    def __init__(self, window_ns: int, allowed: int) -> None:
        self._window_ns = window_ns
        self._endless = allowed == ENDLESS
        self._charges: _Recent[deque[Moment]] = _Recent(lambda: deque(maxlen=allowed + 1))

    def add(self, client: str, cost: int, at: Moment) -> tuple[int, int]:
        if self._endless:
            return 0, 0
        charges = self._charges.of(client)
        while charges and at.possibly_since(charges[0]) >= self._window_ns:
            charges.popleft()
        charges.extend(repeat(at, cost))
        return len(charges), self._window_ns - at.possibly_since(charges[0]) if charges else 0

    def used(self, client: str, at: Moment) -> int:
        return self.add(client, 0, at)[0]


# ---------------------------------------------------------------- clients' clocks
class Clocks:
    """What clients' clocks showed at a moment each, to compare with the wall clock later."""

    def __init__(self) -> None:
        self._shown: dict[str, tuple[int, Moment]] = {}
        self._delays_ns: dict[str, int] = {}  # how much longer than another the first was on its way

    def start(self, client: str, told_ns: int, at: Moment) -> None:
        """The client's clock showed told_ns at this moment; only the first counts."""
        self._shown.setdefault(client, (told_ns, at))

    def late_ns(self, client: str, told_ns: int, at: Moment) -> int | None:
        """How much less his clock has run than the wall clock; None if it was never seen before."""
        if client not in self._shown:
            return None
        first_ns, since = self._shown[client]
        return (at.wall_ns - since.wall_ns) - (told_ns - first_ns)

    def correct(self, client: str, told_ns: int, at: Moment, most_ns: int) -> bool:
        """Go by this in the place of what was shown first, if that may have been on its way for so much longer, at most
        `most_ns` in all; whether it may.
        """
        late_ns = self.late_ns(client, told_ns, at)
        if late_ns is None or late_ns >= 0:
            return False
        delay_ns = self._delays_ns.get(client, 0) - late_ns
        if delay_ns > most_ns:
            return False
        self._shown[client], self._delays_ns[client] = (told_ns, at), delay_ns
        return True
