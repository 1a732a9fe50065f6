"""What befalls the markets of a run: rules about markets, turned into the fates that their tapes and floors live by.

A rule strikes every market that it names once, when it is put into force. What it does from then on is declared at
that moment, so nothing has to watch the clock: a market is what it is, seen from wherever. A veil bites at the
boundary that has been reached; a bend begins with the first minute of which nobody has seen anything, or, in a run
that has not begun, where the rule says.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from fnmatch import fnmatchcase
from functools import partial
from typing import ClassVar, TypeAlias

from emulator.chaos.engine import Chaos
from emulator.chaos.rules import Event, Fault, Rule, Scope, Where
from emulator.config import Given, nearest
from reactor.bends import NONE, Bend, Bends
from reactor.exchange.orders import Command
from reactor.types import BLOCK_NS, NEVER_NS, TICK_NS, Kind
from reactor.unified_market import Fate
from reactor.values import dataclass
from reactor.veils import Phase, Veil
from venues.base import Channel, Exchange, Listed, Page, Topic, VenueProtocol
from venues.wire import payloads

Blow: TypeAlias = Bend | Veil

# What an operator may do to a market by a plain word, and the rule that it is.
ACTIONS: Mapping[str, str] = {
    "halt": "mkt.halt",
    "auction": "mkt.auction_reopen",
    "void": "mkt.liquidity_void",
    "crash": "mkt.flash_crash",
    "cascade": "mkt.liq_cascade",
    "burst": "mkt.burst",
}
HALTS = ("mkt.halt", "mkt.auction_reopen")


@dataclass(frozen=True, slots=True)
class MarketFault(Fault):
    """A fault of a market. Each market that the rule names is one event, whose role is its kind (spot or perp)."""

    scope: ClassVar[Scope] = Scope.MARKET
    prompt: ClassVar[bool] = False
    whole_minutes: ClassVar[bool] = False  # it begins with one
    acts: ClassVar[bool] = False  # on accounts, whose names match the rule's key
    kinds: ClassVar[tuple[Kind, ...]] = (Kind.SPOT, Kind.PERP)

    def obstacle(self, venue: VenueProtocol) -> str:  # noqa: ARG002
        """Why it cannot befall a venue's markets; "" where it can."""
        return ""

    def suits(self, event: Event, *, named: bool) -> bool:  # noqa: ARG002
        return event.role in self.kinds

    def blow(self, start_ns: int, end_ns: int | None) -> Blow | None:
        """What befalls a market from start_ns on; if end_ns is given, at the most until then."""
        raise NotImplementedError

    def command(self, account: str, market: str) -> Command | None:  # noqa: ARG002
        """What is done to an account at the start; None for nothing."""
        return None


@dataclass(frozen=True, slots=True)
class Struck:
    """What was done to markets, (venue, symbol) each: by which rule, of which kind, and from when on it is seen."""

    rule: str
    kind: str
    starts_ns: int
    markets: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class _Stroke:
    """A rule's effect on a market: from start_ns on, until end_ns where that is given."""

    rule: str
    fault: MarketFault
    start_ns: int
    end_ns: int | None


@dataclass(frozen=True, slots=True)
class _Deed:
    """What a rule does to accounts on a market at an instant."""

    rule: str
    venue: str
    market: str
    fault: MarketFault
    key: str
    start_ns: int


@dataclass(slots=True)
class MarketChaos:
    """The fates of the markets of a run's `cards`. `befall` is told of a venue's markets that something else befalls
    from now on, `force` of what is to be done to an account now.

    `attend` is called whenever rules have changed; before `begun`, nothing of any market has been seen. Unless it
    `acts`, what is due to accounts has been done to them before.
    """

    chaos: Chaos
    cards: Mapping[str, VenueProtocol]  # by id
    views: Mapping[str, Exchange]  # by venue
    befall: Callable[[str, Mapping[str, Fate]], None]
    force: Callable[[str, Command], None]
    acts: Callable[[], bool]
    begun: bool = False
    _known: dict[str, Rule] = field(default_factory=dict)
    _strokes: dict[tuple[str, str], list[_Stroke]] = field(default_factory=dict)
    _deeds: list[_Deed] = field(default_factory=list)

    def attend(self, now_ns: int) -> None:
        """Strike for rules that have come, let go for those that are gone."""
        rules = {rule.id: rule for rule in self.chaos.rules if rule.fault.scope is Scope.MARKET}
        if rules == self._known:
            return
        touched: set[tuple[str, str]] = set()
        for name, rule in self._known.items():
            if rules.get(name) is not rule:
                touched |= self._release(name, now_ns)
        for name, rule in rules.items():
            if self._known.get(name) is not rule:
                touched |= self._strike(rule, now_ns)
        self._known = rules
        for venue, view in self.views.items():
            fates = {
                market: self._fate(self._strokes.get((venue, market), []))
                for market in every(view).values()
                if (venue, market) in touched
            }
            if fates:
                self.befall(venue, fates)
        self.keep_up(now_ns)

    def keep_up(self, now_ns: int) -> None:
        """List what is listed from a boundary on, hide what is not yet, and do to accounts what is due."""
        due = [deed for deed in self._deeds if deed.start_ns <= now_ns]
        self._deeds = [deed for deed in self._deeds if deed.start_ns > now_ns]
        for deed in due if self.acts() else ():
            trading = self.views[deed.venue].trading
            for account in list(trading.floor.accounts()) if trading else ():
                command = deed.fault.command(account, deed.market)
                if command is not None and fnmatchcase(account, deed.key or "*"):
                    self.force(deed.venue, command)
        for venue, view in self.views.items():
            unlisted = {s for s, m in every(view).items() if view.world.phase(m, now_ns) is Phase.UNLISTED}
            if isinstance(view.markets, Listed) and view.markets.hide(unlisted):
                self.befall(venue, {})

    def knows(self, rule: str) -> bool:
        """Whether a rule is about markets, or was when this was last told of changes."""
        return rule in self._known or self.has(rule)

    def has(self, rule: str) -> bool:
        """Whether a rule is in force, and about markets."""
        found = self.chaos.rules.get(rule)
        return found is not None and found.fault.scope is Scope.MARKET

    def next_ns(self, now_ns: int) -> int | None:
        """When a market is next listed, or something done to accounts; None for never."""
        opening = (
            view.world.opens_ns(market) for view in self.views.values() for market in every(view).values()
        )
        due = [*opening, *(deed.start_ns for deed in self._deeds)]
        return min((at_ns for at_ns in due if at_ns is not None and at_ns > now_ns), default=None)

    def act(self, action: str, words: Mapping[str, object], now_ns: int) -> Struck:
        """Do something to markets now: one of ACTIONS, with the words of its rule. ValueError, of one line, where there
        is no such action or market; ConfigError likewise, where the words make no rule.
        """
        if action not in ACTIONS:
            raise ValueError(f"market: {action!r} is nothing to do{nearest(action, (*ACTIONS, 'resume'))}")
        rule = self.chaos.add({**words, "kind": ACTIONS[action]}, now_ns, f"market {action}")
        markets, starts_ns = self.struck(rule.id), self.starts(rule.id)
        if starts_ns is None:
            self.chaos.remove(rule.id)
            raise ValueError(f"market {action}: there is no market that this could be done to")
        return Struck(rule.id, rule.fault.kind, starts_ns, markets)

    def resume(self, venue: str, symbol: str) -> list[str]:
        """Take back the rules by which markets, named by patterns ("": any), are halted; their ids."""
        halted = [
            rule.id
            for rule in self.chaos.rules
            if rule.fault.kind in HALTS
            and any(
                fnmatchcase(each[0], venue or "*") and fnmatchcase(each[1], symbol or "*")
                for each in self.struck(rule.id)
            )
        ]
        for name in halted:
            self.chaos.remove(name)
        return halted

    def struck(self, rule: str) -> tuple[tuple[str, str], ...]:
        """The markets, (venue, symbol) each, to which a rule does anything."""
        return tuple(
            (venue, symbol)
            for venue, view in self.views.items()
            for symbol, market in every(view).items()
            if any(stroke.rule == rule for stroke in self._strokes.get((venue, market), ()))
        )

    def starts(self, rule: str) -> int | None:
        """When what a rule does to markets begins; None where it does nothing to any."""
        strokes = (stroke for strokes in self._strokes.values() for stroke in strokes)
        return min((stroke.start_ns for stroke in strokes if stroke.rule == rule), default=None)

    def _strike(self, rule: Rule, now_ns: int) -> set[tuple[str, str]]:
        fault = rule.fault
        assert isinstance(fault, MarketFault)
        start_ns = self._start_ns(fault, rule.from_ns, now_ns)
        until_ns = rule.until_ns
        end_ns = None if until_ns is None else _boundary(until_ns + start_ns - rule.from_ns)
        struck: set[tuple[str, str]] = set()
        for venue, view in self.views.items():
            if fault.obstacle(self.cards[venue]):
                continue
            for symbol, market in every(view).items():
                event = Event(
                    Scope.MARKET,
                    venue,
                    rule.from_ns,
                    (start_ns,),
                    symbol=symbol,
                    key=rule.where.key if fault.acts else "",
                    role=view.world.instrument(market).kind,
                )
                if self.chaos.rules.decides(rule, event):
                    stroke = _Stroke(rule.id, fault, start_ns, end_ns)
                    self._strokes.setdefault((venue, market), []).append(stroke)
                    if fault.acts:
                        self._deeds.append(_Deed(rule.id, venue, market, fault, rule.where.key, start_ns))
                    struck.add((venue, market))
        return struck

    def _start_ns(self, fault: MarketFault, from_ns: int, now_ns: int) -> int:
        """The first instant from from_ns on at which it can begin."""
        if fault.whole_minutes:
            return from_ns + -from_ns % BLOCK_NS
        if fault.prompt:
            return _boundary(max(from_ns, now_ns))
        return _boundary(from_ns) if not self.begun else max(_boundary(from_ns), now_ns + -now_ns % BLOCK_NS)

    def _release(self, rule: str, now_ns: int) -> set[tuple[str, str]]:
        """End what a rule does, or would do later."""
        released: set[tuple[str, str]] = set()
        self._deeds = [deed for deed in self._deeds if deed.rule != rule]
        for place, strokes in self._strokes.items():
            for i, stroke in enumerate(strokes):
                if stroke.rule != rule:
                    continue
                end_ns = self._start_ns(stroke.fault, now_ns, now_ns)
                if stroke.end_ns is None or stroke.end_ns > end_ns:
                    strokes[i] = _Stroke("", stroke.fault, stroke.start_ns, end_ns)
                    released.add(place)
                else:
                    strokes[i] = _Stroke("", stroke.fault, stroke.start_ns, stroke.end_ns)
            self._strokes[place] = [
                each for each in strokes if each.end_ns is None or each.end_ns > each.start_ns
            ]
        return released

    def _fate(self, strokes: list[_Stroke]) -> Fate:
        every = (stroke.fault.blow(stroke.start_ns, stroke.end_ns) for stroke in strokes)
        blows = [blow for blow in every if blow is not None]
        bends = tuple(blow for blow in blows if isinstance(blow, Bend))
        veils = tuple(blow for blow in blows if not isinstance(blow, Bend))
        return Fate(Bends(bends) if bends else NONE, veils)


def obstacle(cards: Sequence[VenueProtocol], fault: Fault, where: Where) -> str:
    """Why a rule can do nothing to any of some venues, if it is about markets; "" where it can, or names none."""
    if not isinstance(fault, MarketFault):
        return ""
    why = {card.id: fault.obstacle(card) for card in cards if fnmatchcase(card.id, where.venue or "*")}
    return "; ".join(f"{venue} has none: {text}" for venue, text in why.items()) if all(why.values()) else ""


def every(view: Exchange) -> Mapping[str, str]:
    """A venue's markets by symbol, those too that are not listed yet."""
    return view.markets.every if isinstance(view.markets, Listed) else view.markets


def fates(
    given: Sequence[Given], cards: Sequence[VenueProtocol], views: Mapping[str, Exchange], start_ns: int
) -> Mapping[str, Fate]:
    """What befalls the markets of a run that begins with these rules, by market. ConfigError, of one line, where one is
    no rule of it.
    """
    found: dict[str, Fate] = {}
    chaos = Chaos(partial(obstacle, cards))
    chaos.start(given, start_ns)
    by_id = {card.id: card for card in cards}
    markets = MarketChaos(
        chaos, by_id, views, lambda _, changed: found.update(changed), lambda *_: None, lambda: False
    )
    markets.attend(start_ns)
    return found


class Ended:
    """A channel of which nothing is told that is due after an instant; None: of which there is nothing at all."""

    def __init__(self, channel: Channel | None, end_ns: int) -> None:
        self._channel, self._end_ns = channel, end_ns

    def page(self, start_ns: int) -> Page:
        """The page that starts then, as far as it goes."""
        if self._channel is None or start_ns >= self._end_ns:
            return Page(start_ns, b"", (), (), 0)
        page = self._channel.page(start_ns)
        stop = bisect_right(page.due_ns, self._end_ns)
        if stop == len(page.due_ns):
            return page
        buffer = page.buffer[: page.ends[stop - 1] if stop else 0]
        frames = sum(1 for _ in payloads(buffer))
        return Page(start_ns, buffer, page.due_ns[:stop], page.ends[:stop], frames)

    def snapshot(self, now_ns: int) -> Sequence[bytes]:
        """What a new subscriber gets."""
        return () if self._channel is None or now_ns >= self._end_ns else self._channel.snapshot(now_ns)


def channel_of(venue: VenueProtocol, topic: Topic, exchange: Exchange) -> Channel:
    """A topic's channel, which ends where its market closes, and says nothing where that is not listed yet."""
    market = every(exchange).get(topic.symbol)
    if market is not None and topic.symbol not in exchange.markets:
        return Ended(None, 0)
    channel = venue.channel(topic, exchange)
    closes_ns = None if market is None else exchange.world.closes_ns(market)
    return channel if closes_ns is None else Ended(channel, closes_ns)


def _boundary(at_ns: int) -> int:
    return at_ns if at_ns == NEVER_NS else at_ns + -at_ns % TICK_NS
