"""One venue's trading floor in virtual time: commands in, journaled before they count; news out to who listens.

A floor says when it next stirs by itself, and the driver's alarm rings then: what was due by that boundary has left
for its sockets, and the news of it follows. Whoever is about to read the floor has it brought to the present first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from emulator.driver import Driver
from emulator.gateway.journal import Journal
from reactor.exchange.floor import Floor
from reactor.exchange.orders import Command, Outcome, Told


class Listener(Protocol):
    """What the desk knows of a connection."""

    def hear(self, told: Sequence[Told], now_ns: int) -> None:
        """News of accounts that it listens to; never blocks."""
        ...


class Desk:
    """The floor of one venue. `refresh` is told which markets' public face changed, and from which boundary on."""

    def __init__(
        self,
        venue: str,
        floor: Floor,
        driver: Driver,
        journal: Journal | None,
        refresh: Callable[[Mapping[str, int]], None],
    ) -> None:
        self.venue, self.floor = venue, floor
        self._driver = driver
        self._journal = journal
        self._refresh = refresh
        self._listeners: dict[str, dict[Listener, None]] = {}
        self._alarm_ns: int | None = None

    # ------------------------------------------------------------ in time
    def execute(self, command: Command, now_ns: int) -> Outcome:
        """Have a command carried out: on disk first, where there is a journal."""
        self.reach(now_ns)
        if self._journal is not None:
            self._journal.record(now_ns, self.venue, command)
        outcome = self.floor.apply(command, now_ns)
        self._tell(now_ns)
        return outcome

    def reach(self, now_ns: int) -> None:
        """Bring the floor to a boundary that the clock has reached."""
        self.floor.advance(now_ns)
        self._tell(now_ns)

    def _ring(self) -> None:
        assert self._alarm_ns is not None
        now_ns, self._alarm_ns = self._alarm_ns, None
        self.reach(now_ns)

    def _tell(self, now_ns: int) -> None:
        """Tell what happened, to whom it concerns, and see to being woken for what comes next."""
        changed = self.floor.changed_markets()
        if changed:
            self._refresh(changed)
        told = self.floor.news()
        if told and self._journal is not None:
            self._journal.mark(now_ns)  # nobody hears of what a restart would not know
        news: dict[Listener, list[Told]] = {}
        for each in told:
            for listener in self._listeners.get(each.account, ()):
                news.setdefault(listener, []).append(each)
        for listener, mine in news.items():
            listener.hear(mine, now_ns)
        next_ns = self.floor.next_ns()
        if next_ns != self._alarm_ns:
            self._alarm_ns = next_ns
            if next_ns is None:
                self._driver.cancel_alarm(self._ring)
            else:
                self._driver.set_alarm(self._ring, next_ns)

    # ------------------------------------------------------------ who listens
    def listen(self, listener: Listener, account: str) -> None:
        """Tell it the news of an account from now on. Idempotent."""
        self._listeners.setdefault(account, {})[listener] = None

    def unlisten(self, listener: Listener, account: str) -> None:
        """Stop. Idempotent."""
        listeners = self._listeners.get(account, {})
        listeners.pop(listener, None)
        if not listeners:
            self._listeners.pop(account, None)

    def drop(self, listener: Listener) -> None:
        """Forget a connection. Idempotent."""
        for account in list(self._listeners):
            self.unlisten(listener, account)
