"""What befalls the markets of a run: rules about markets, turned into the fates that their tapes and floors live by.

A rule strikes every market that it names once, when it is put into force. What it does from then on is declared at
that moment, so nothing has to watch the clock: a market is what it is, seen from wherever. A veil bites at the
boundary that has been reached; a bend begins with the first minute of which nobody has seen anything, or, in a run
that has not begun, where the rule says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from emulator.chaos.engine import Chaos
from emulator.chaos.faults.market import MarketFault
from emulator.chaos.rules import Event, Rule, Scope
from reactor.bends import NONE, Bend, Bends
from reactor.types import BLOCK_NS, TICK_NS
from reactor.unified_market import Fate
from reactor.veils import NEVER_NS
from venues.base import Exchange


@dataclass(frozen=True, slots=True)
class _Stroke:
    """A rule's effect on a market: from start_ns on, until end_ns where that is given."""

    rule: str
    fault: MarketFault
    start_ns: int
    end_ns: int | None


@dataclass(slots=True)
class MarketChaos:
    """The fates of a run's markets. `befall` is told of a venue's markets that something else befalls from now on.

    `attend` is called whenever rules have changed; before `begun`, nothing of any market has been seen.
    """

    chaos: Chaos
    views: Mapping[str, Exchange]  # by venue
    befall: Callable[[str, Mapping[str, Fate]], None]
    begun: bool = False
    _known: dict[str, Rule] = field(default_factory=dict)
    _strokes: dict[tuple[str, str], list[_Stroke]] = field(default_factory=dict)

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
                for market in view.markets.values()
                if (venue, market) in touched
            }
            if fates:
                self.befall(venue, fates)

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
            for symbol, market in view.markets.items():
                event = Event(
                    Scope.MARKET,
                    venue,
                    rule.from_ns,
                    (start_ns,),
                    symbol=symbol,
                    role=view.world.instrument(market).kind,
                )
                if self.chaos.rules.decides(rule, event):
                    stroke = _Stroke(rule.id, fault, start_ns, end_ns)
                    self._strokes.setdefault((venue, market), []).append(stroke)
                    struck.add((venue, market))
        return struck

    def _start_ns(self, fault: MarketFault, from_ns: int, now_ns: int) -> int:
        """The first instant from from_ns on at which it can begin."""
        if fault.prompt:
            return _boundary(max(from_ns, now_ns))
        return _boundary(from_ns) if not self.begun else max(_boundary(from_ns), now_ns + -now_ns % BLOCK_NS)

    def _release(self, rule: str, now_ns: int) -> set[tuple[str, str]]:
        """End what a rule does, or would do later."""
        released: set[tuple[str, str]] = set()
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
        blows = [stroke.fault.blow(stroke.start_ns, stroke.end_ns) for stroke in strokes]
        bends = tuple(blow for blow in blows if isinstance(blow, Bend))
        veils = tuple(blow for blow in blows if not isinstance(blow, Bend))
        return Fate(Bends(bends) if bends else NONE, veils)


def _boundary(at_ns: int) -> int:
    return at_ns if at_ns == NEVER_NS else at_ns + -at_ns % TICK_NS
