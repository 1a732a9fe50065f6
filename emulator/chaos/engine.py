"""The chaos of a run: its rules, and who has to be told when they change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from emulator.chaos.rules import Event, Fault, Rule, Rules, Scope, Where
from emulator.config import ConfigError, Given


class Chaos:
    """Rules that come and go live. `changed` is called when they have, to look again at whom they concern; `asked` is
    told first what was asked for (in its own words, for the log of inputs), but for what a run begins with. `obstacle`
    says why what a rule wants cannot be in this run; "" where it can.
    """

    def __init__(self, obstacle: Callable[[Fault, Where], str] = lambda *_: "") -> None:
        self.rules = Rules(_kinds)
        self._obstacle = obstacle
        self.changed: Callable[[], None] = lambda: None
        self.asked: Callable[[str, object], None] = lambda *_: None

    def judge(self, given: Given) -> None:
        """ConfigError, of one line, where what is written is no rule, or none for this run."""
        self._judge(Rules(_kinds).add(given.words, 0, given.place, given.id), given.place)

    def _judge(self, rule: Rule, place: str) -> None:
        why = self._obstacle(rule.fault, rule.where)
        if why:
            raise ConfigError(f"{place}: {rule.fault.kind}: {why}")

    def start(self, given: Sequence[Given], now_ns: int) -> list[Rule]:
        """Put rules into force, as they are written: all of them or, with a ConfigError, none."""
        for each in given:
            self.judge(each)
        added = [self.rules.add(each.words, now_ns, each.place, each.id) for each in given]
        for rule, each in zip(added, given, strict=True):
            self.asked("fault", {"id": rule.id, **each.words})
        self.changed()
        return added

    def add(self, values: Mapping[str, object], now_ns: int, place: str = "fault", name: str = "") -> Rule:
        """Put a rule into force, in the place of one of the same id; ConfigError, of one line, where it is none."""
        self._judge(Rules(_kinds).add(values, now_ns, place, name), place)
        rule = self.rules.add(values, now_ns, place, name)
        self.asked("fault", {"id": rule.id, **values})
        self.changed()
        return rule

    def remove(self, name: str) -> bool:
        """Take a rule out of force; whether there was one."""
        removed = self.rules.remove(name)
        self.asked("unfault", {"id": name})
        self.changed()
        return removed

    def expire(self, now_ns: int) -> None:
        """Remove those whose time is over."""
        self.rules.expire(now_ns)
        self.changed()

    def clear(self) -> None:
        """Take all out of force; the log of hits stays."""
        for rule in list(self.rules):
            self.rules.remove(rule.id)
            self.asked("unfault", {"id": rule.id})
        self.changed()

    def has(self, scope: Scope) -> bool:
        """Whether any rule is of this scope."""
        return bool(self.rules) and any(rule.fault.scope is scope for rule in self.rules)

    def hitting(self, event: Event) -> list[Fault]:
        """The faults of the rules that hit an event, in the order in which these were added. All are asked."""
        return [rule.fault for rule in self.rules if self.rules.decides(rule, event)]

    def concerning(self, venue: str, connection: str, path: str, key: str) -> list[Rule]:
        """The rules that may hit frames of a connection, in the order in which they were added."""
        return [
            rule
            for rule in self.rules
            if rule.fault.scope is Scope.FRAME
            and _allows(
                (
                    (rule.where.venue, venue),
                    (rule.where.connection, connection),
                    (rule.where.endpoint, path),
                    (rule.where.key, key),
                )
            )
        ]


def _kinds() -> Mapping[str, type[Fault]]:
    from emulator.chaos.faults import KINDS  # noqa: PLC0415  # a run without rules starts without them

    return KINDS


def _allows(pairs: Iterable[tuple[str, str]]) -> bool:
    return all(not wanted or fnmatchcase(found, wanted) for wanted, found in pairs)
