"""One venue's trading floor in virtual time: commands in, journaled before they count; news out to who listens.

A floor says when it next stirs by itself, and the driver's alarm rings then: what was due by that boundary has left
for its sockets, and the news of it follows. Whoever is about to read the floor has it brought to the present first.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import count
from typing import Protocol

import orjson

from emulator.chaos.engine import Chaos
from emulator.chaos.rules import USER, Event, Scope
from emulator.chaos.trade import (
    ACCOUNT,
    FILLS_KEPT,
    LISTEN,
    NEWS,
    SIGNED,
    CommandFault,
    ListenFault,
    NewsFault,
    role_of,
)
from emulator.config import DEMO, Account, Config
from emulator.driver import Driver
from emulator.gateway.hub import Hub
from emulator.gateway.journal import FileJournal, Journal, RuleChange
from emulator.gateway.runlog import COMMAND, RunLog
from emulator.witness import Witness
from reactor.exchange.floor import Floor
from reactor.exchange.orders import (
    Command,
    Deposit,
    Done,
    OrderFilled,
    Outcome,
    PlaceOrder,
    PlacePair,
    Remember,
    Told,
)
from reactor.exchange.terms import House
from reactor.exchange.trading import FloorState, TradingFloor
from reactor.types import BLOCK_NS, SECOND_NS
from reactor.unified_market import Fate
from venues.base import ApiKey, Exchange, KeyKind, Trading, VenueProtocol

CHECKPOINT_S = 60  # of virtual time
KEY_FACT = "api-key "  # before a key, the name under which a floor remembers, as JSON, one that came later


class Listener(Protocol):
    """What the desk knows of a connection."""

    def hear(self, told: Sequence[Told], now_ns: int) -> None:
        """News of accounts that it listens to; never blocks."""
        ...


class Desk:
    """The floor of one venue. `refresh` is told which markets' public face changed."""

    def __init__(
        self,
        venue: str,
        floor: Floor,
        driver: Driver,
        journal: Journal | None,
        refresh: Callable[[Collection[str]], None],
        chaos: Chaos,
        symbols: Mapping[str, str],
        witness: Witness,
        log: RunLog,
        keys: dict[str, ApiKey],
    ) -> None:
        self.venue, self.floor = venue, floor
        self._driver = driver
        self._journal = journal
        self._refresh = refresh
        self._chaos = chaos
        self._symbols = symbols
        self._witness = witness
        self._log = log
        self._keys = keys
        self._commands, self._signed, self._listened = count(1), count(1), count(1)
        self._fills: deque[Told] = deque(maxlen=FILLS_KEPT)
        self.stirred = False  # something happened; whoever keeps states takes it back
        self._listeners: dict[str, dict[Listener, None]] = {}
        self._alarm_ns: int | None = None
        self._reached_ns = -1
        self._minute = -1  # of the last command
        self._patience_s = 0.0

    # ------------------------------------------------------------ in time
    def execute(self, command: Command, now_ns: int) -> Outcome:
        """Have a command carried out: on disk first, where there is a journal."""
        self.reach(now_ns)
        self._log.add(now_ns, COMMAND, command, self.venue)
        fault = self._fault(command, now_ns)
        if fault is not None and not fault.carried_out:
            told = fault.outcome(command, self.floor, now_ns)
            assert told is not None, fault
            return told
        if fault is not None:
            command = fault.instead(command, now_ns)
            self._patience_s += fault.patience_s
        outcome = self._carry_out(command, now_ns)
        return (fault.outcome(command, self.floor, now_ns) if fault is not None else None) or outcome

    def take_patience_s(self) -> float:
        """How much later than at once an answer to the commands since last asked is to come, in wall time."""
        patience_s, self._patience_s = self._patience_s, 0.0
        return patience_s

    def force(self, command: Command, now_ns: int) -> Outcome:
        """Have something done that a rule of chaos is about, which is in the log of inputs."""
        self.reach(now_ns)
        return self._carry_out(command, now_ns)

    def _carry_out(self, command: Command, now_ns: int) -> Outcome:
        if self._journal is not None:
            self._journal.record(now_ns, self.venue, command)
        outcome = self.floor.apply(command, now_ns)
        self.stirred = True
        if isinstance(command, PlaceOrder | PlacePair) and isinstance(outcome, Done):
            for order in outcome.orders:
                self._witness.placed(self.venue, order, self.floor)
        elif isinstance(command, Remember) and command.name.startswith(KEY_FACT):
            self._learn_keys(command.account)
        self._tell(now_ns)
        self._look_ahead(now_ns)
        return outcome

    def _learn_keys(self, account: str) -> None:
        """Take the keys that the floor remembers of an account."""
        for name, value in self.floor.facts(account).items():
            if name.startswith(KEY_FACT):
                key = orjson.loads(value)
                key["addresses"], key["kind"] = tuple(key["addresses"]), KeyKind(key["kind"])
                self._keys[name.removeprefix(KEY_FACT)] = ApiKey(**key)

    def recall(self) -> None:
        """Take the keys of all accounts that the floor remembers: it was restored."""
        for account in self.floor.accounts():
            self._learn_keys(account)

    def befall(self, fates: Mapping[str, Fate], now_ns: int) -> None:
        """Have these befall markets of the floor from now on."""
        self.reach(now_ns)
        for market, fate in fates.items():
            self.floor.befall(market, fate)
        self._tell(now_ns)

    def _look_ahead(self, now_ns: int) -> None:
        """Once a minute in which there are commands, have the next one worked out beside the event loop."""
        minute = now_ns // BLOCK_NS
        if minute != self._minute:
            self._minute = minute
            asyncio.get_running_loop().run_in_executor(None, self.floor.prepare, now_ns + BLOCK_NS)

    def reach(self, now_ns: int) -> None:
        """Bring the floor to a boundary that the clock has reached."""
        if now_ns == self._reached_ns:
            return
        self._reached_ns = now_ns
        self.floor.advance(now_ns)
        self._tell(now_ns)

    def _ring(self) -> None:
        assert self._alarm_ns is not None
        now_ns, self._alarm_ns = self._alarm_ns, None
        self._reached_ns = -1  # or nobody would see to the next alarm
        assert now_ns <= self._driver.now_ns, (
            "a floor that runs ahead of the clock is not what its journal says"
        )
        self.reach(now_ns)

    def _tell(self, now_ns: int) -> None:
        """Tell what happened, to whom it concerns, and see to being woken for what comes next."""
        changed = self.floor.changed_markets()
        if changed:
            self._refresh(changed)
        told = self.floor.news()
        if told:
            self._spread(told, now_ns)
        next_ns = self.floor.next_ns()
        if next_ns != self._alarm_ns:
            self._alarm_ns = next_ns
            if next_ns is None:
                self._driver.cancel_alarm(self._ring)
            else:
                self._driver.set_alarm(self._ring, next_ns)

    def _spread(self, told: Sequence[Told], now_ns: int) -> None:
        self.stirred = True
        self._fills.extend(each for each in told if isinstance(each.news, OrderFilled))
        if self._journal is not None:
            self._journal.mark(now_ns)  # nobody hears of what a restart would not know
        if self._chaos.has(Scope.NEWS):
            told = self._bent(told)
        news: dict[Listener, list[Told]] = {}
        for each in told if self._listeners else ():
            for listener in self._listeners.get(each.account, ()):
                news.setdefault(listener, []).append(each)
        for listener, mine in news.items():
            listener.hear(mine, now_ns)

    # ------------------------------------------------------------ what rules of chaos want
    def _fault(self, command: Command, now_ns: int) -> CommandFault | None:
        """What is wrong with a command or with what is said of it; None for nothing."""
        number = next(self._commands)
        if not self._chaos.has(Scope.COMMAND):
            return None
        asked = command.order if isinstance(command, PlaceOrder) else command
        market = getattr(asked, "market", None) or ""
        client_id = getattr(asked, "client_id", "")
        role = role_of(command, self.floor)
        event = self._event(Scope.COMMAND, now_ns, number, asked.account, market, role, client_id.encode())
        faults = [fault for fault in self._chaos.hitting(event) if isinstance(fault, CommandFault)]
        return faults[0] if faults else None

    def rejects(self, account: str, signed: bytes, now_ns: int) -> bool:
        """Whether a request of an account is to be refused for its nonce or its time; `signed` is what was signed."""
        number = next(self._signed)
        if not self._chaos.has(Scope.COMMAND):
            return False
        event = self._event(Scope.COMMAND, now_ns, number, account, "", SIGNED, signed)
        return bool(self._chaos.hitting(event))

    def _repeat(self, listener: Listener, account: str, stream: str) -> None:
        """Tell who has just begun to listen what is no news."""
        number = next(self._listened)
        if not self._chaos.has(Scope.NEWS):
            return
        fills = [each for each in self._fills if each.account == account]
        if not fills:
            return
        now_ns = self._driver.now_ns
        event = self._event(Scope.NEWS, now_ns, number, account, "", LISTEN, stream.encode(), USER)
        for fault in self._chaos.hitting(event):
            if isinstance(fault, ListenFault):
                listener.hear(fault.again(fills), now_ns)

    def _bent(self, told: Sequence[Told]) -> list[Told]:
        """News as it is told."""
        heard: list[Told] = []
        for each in told:
            order = getattr(each.news, "order", None)
            market, client_id = (order.asked.market, order.asked.client_id) if order else ("", "")
            role = NEWS.get(type(each.news), ACCOUNT)
            event = self._event(
                Scope.NEWS, each.ts_ns, each.number, each.account, market, role, client_id.encode(), USER
            )
            pieces = [each]
            for fault in self._chaos.hitting(event):
                if isinstance(fault, NewsFault):
                    pieces = [piece for before in pieces for piece in fault.tell(before)]
            heard += pieces
        return heard

    def _event(
        self,
        scope: Scope,
        at_ns: int,
        number: int,
        account: str,
        market: str,
        role: str,
        content: bytes,
        channel: str = "",
    ) -> Event:
        return Event(
            scope,
            self.venue,
            at_ns,
            (number,),
            channel=channel,
            symbol=self._symbols.get(market, ""),
            key=account,
            role=role,
            content=content,
        )

    # ------------------------------------------------------------ who listens
    def listen(self, listener: Listener, account: str, stream: str = "") -> None:
        """Tell it the news of an account from now on, on this stream of the venue's if it has several. Idempotent."""
        self._listeners.setdefault(account, {})[listener] = None
        self._repeat(listener, account, stream)

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


class Desks:
    """The desks of a run by venue, opened or taken up again where its journal ends."""

    def __init__(
        self,
        config: Config,
        driver: Driver,
        hub: Hub,
        journal: FileJournal | None,
        chaos: Chaos,
        witness: Witness,
        log: RunLog,
    ) -> None:
        self._config = config
        self._witness = witness
        self._log = log
        self._chaos = chaos
        self._accounts = config.accounts or (DEMO,)
        self._driver = driver
        self._hub = hub
        self._journal = journal
        self._desks: dict[str, Desk] = {}
        self._floors: dict[str, TradingFloor] = {}
        self._marked_ns = 0

    def open(
        self, venue: VenueProtocol, rank: int, exchange: Exchange, start_ns: int
    ) -> tuple[Exchange, Desk | None]:
        """The venue's view with its floor, accounts opened, and its desk; the same view and None if it has none.
        `rank` is the hub's number of the venue.
        """
        house = venue.house(exchange)
        if house is None:
            return exchange, None
        floor = self._floors[venue.id] = TradingFloor(house, exchange.world, start_ns)
        for account in self._accounts:
            for wallet, asset, amount_e8 in opening(account, house):
                floor.apply(Deposit(account.name, wallet, asset, amount_e8), start_ns)
        refresh = partial(self._refresh, rank, exchange)
        symbols = {market: symbol for symbol, market in exchange.markets.items()}
        keys = {key.key: key for account in self._accounts for key in account.keys}
        desk = self._desks[venue.id] = Desk(
            venue.id,
            floor,
            self._driver,
            self._journal,
            refresh,
            self._chaos,
            symbols,
            self._witness,
            self._log,
            keys,
        )
        strict = self._config.start is None if self._config.strict_time is None else self._config.strict_time
        trading = Trading(floor, desk.execute, keys, strict, self._config.auto_fund, house, desk.rejects)
        return replace(exchange, trading=trading), desk

    def _refresh(self, rank: int, exchange: Exchange, changed: Collection[str]) -> None:
        """Have the pages made anew of topics of these markets, and of those that are of no market alone."""
        listed = exchange.markets
        self._hub.refresh(rank, lambda topic: listed.get(topic.symbol) in (None, *changed))

    def resume(self, upto_ns: int, befall: Callable[[int, RuleChange | None], None]) -> None:
        """Carry out again what the journal holds, and live on to that boundary; then keep the journal going. `befall`
        has markets be what they were at an instant, and a rule about them come or go.
        """
        if self._journal is None:
            return
        for change in self._journal.rules:
            befall(change.at_ns, change)
        states, entries = self._journal.recorded()
        if states:
            from pydantic import TypeAdapter  # noqa: PLC0415  # whoever keeps no journal need not wait for it

            kept = TypeAdapter(FloorState).validate_python
            for name, state in states.items():
                self._floors[name].restore(kept(state))
        for entry in entries:
            if isinstance(entry, RuleChange):
                befall(entry.at_ns, entry)
                continue
            befall(entry.at_ns, None)
            floor = self._desks[entry.venue].floor
            floor.advance(entry.at_ns)
            floor.apply(entry.command, entry.at_ns)
        befall(upto_ns, None)
        for desk in self._desks.values():
            desk.floor.advance(upto_ns)
            desk.recall()
            desk.floor.news()  # whoever was to hear it is gone
            desk.reach(upto_ns)  # so that it is woken
        self._marked_ns = upto_ns - upto_ns % SECOND_NS
        self._keep()

    def advance(self, upto_ns: int) -> None:
        """Have all floors live on to a boundary, and tell nobody."""
        for floor in self._floors.values():
            floor.advance(upto_ns)

    def _keep(self) -> None:
        """Once a virtual second: how far time has come; once a minute in which anything happened, where all stands."""
        assert self._journal is not None
        if self._marked_ns:
            self._journal.mark(self._marked_ns)
            desks = self._desks.values()
            if self._marked_ns // SECOND_NS % CHECKPOINT_S == 0 and any(desk.stirred for desk in desks):
                for desk in desks:
                    desk.reach(self._marked_ns)
                    desk.stirred = False
                states = {name: floor.state() for name, floor in self._floors.items()}
                self._journal.checkpoint(self._marked_ns, states)
        self._marked_ns += SECOND_NS
        self._driver.set_alarm(self._keep, self._marked_ns)


def opening(account: Account, house: House) -> Sequence[tuple[str, str, int]]:
    """What an account begins with on a venue: its own balances in the wallets there are, or what the venue gives."""
    if account.balances is None:
        return [(wallet, asset, amount_e8) for (wallet, asset), amount_e8 in house.opening.items()]
    wallets = {wallet for wallet, _ in house.opening}
    return [row for row in account.balances if row[0] in wallets]
