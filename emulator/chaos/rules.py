"""Rules: which fault hits what, when, and for how long; flat, and the same in YAML, HTTP, Python and a shell.

A rule decides by what a thing is (`Event.identity`: a frame by its topic, its due time and its place there; an input by
how many came before it), never by when somebody looked or in which order connections are served: the same run hits the
same frames, on every connection that gets them. What is asked in vain costs a comparison; a connection that no rule
concerns is never asked about.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, field, fields
from enum import StrEnum
from fnmatch import fnmatchcase
from hashlib import blake2b
from typing import Any, ClassVar, TypeAlias

from emulator.config import ConfigError, Kind, judge, nearest
from reactor.types import SECOND_NS
from reactor.values import dataclass
from venues.base import Anatomy

HITS_KEPT = 10_000
DECISIONS_KEPT = (
    10_000  # of a rule on a stream: what a chunk of frames may hold, for the connections that get it next
)
RULES_MAX = 1_000
RESERVED = ("hits", "kinds")  # no ids: they are paths of the control API
ID = re.compile(r"[\w.-]{1,64}")

Identity: TypeAlias = tuple[int, ...]  # ascending within a stream


REPLY, USER = "reply", "user"  # channels that no venue names
ACK, PING, UNSUBSCRIBE = "ack", "ping", "unsubscribe"  # roles


class Scope(StrEnum):
    """What a fault is done to."""

    FRAME = "frame"  # a message on its way to a client
    MESSAGE = "message"  # what a client says on its socket
    HANDSHAKE = "handshake"  # a socket about to be opened
    REQUEST = "request"  # an HTTP request and its answer
    COMMAND = "command"  # an order, a cancel, ... about to be carried out
    NEWS = "news"  # what an account is told
    MARKET = "market"  # the market itself


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a rule may hit, by the venue's own words for it; what does not apply is empty.

    `channel` of what answers a client is REPLY, of what it is told of its account USER; `on_match` looks at `content`.
    `key` is the client's API key, or its address where it shows none; of commands and news, the account. `role` tells
    events of a scope apart: ACK is what answers a subscription or its end, PING and UNSUBSCRIBE are what a client says.
    `anatomy` is that of a stream's message.
    """

    scope: Scope
    venue: str
    at_ns: int
    identity: Identity
    channel: str = ""
    symbol: str = ""
    endpoint: str = ""
    connection: str = ""
    key: str = ""
    role: str = ""
    anatomy: Anatomy | None = None
    content: bytes = b""


# ---------------------------------------------------------------- faults, as what they are configured with
@dataclass(frozen=True, slots=True)
class Fault:
    """What is done to what a rule hits. A fault is a dataclass, its fields its configuration, made by `option`.

    `kind` is its name; `about` says in a line what a client sees. What it copies stands in docs/chaos.md. One that
    `silences` leaves a socket open that is as good as gone.
    """

    kind: ClassVar[str]
    scope: ClassVar[Scope]
    about: ClassVar[str]
    silences: ClassVar[bool] = False

    def suits(self, event: Event, *, named: bool) -> bool:
        """Whether it can be done to an event of its scope; `named` is whether the rule names a channel. Unless it does,
        a fault is of streams: not of answers and not of an account's news.
        """
        return named or event.channel not in (REPLY, USER)


def option(kind: Kind, text: str, default: Any = MISSING) -> Any:
    """A field of a fault or a rule: what it may be, what it does; without a default it must be given."""
    return field(default=default, metadata={"kind": kind, "help": text})


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a rule as it is explained: what is allowed, what it does, and what it is when left out."""

    name: str
    allowed: str
    help: str
    default: Any
    needed: bool

    @property
    def otherwise(self) -> str:
        """What holds when it is left out, as text; "" for nothing of note."""
        return "needed" if self.needed else "" if self.default in (None, "") else str(self.default)


def words(part: type[Any]) -> list[Word]:
    """The words of a fault, of `Where` or of `When`."""
    return [
        Word(
            row.name,
            row.metadata["kind"].allowed,
            row.metadata["help"],
            None if row.default is MISSING else row.default,
            row.default is MISSING,
        )
        for row in fields(part)
    ]


class Draw:
    """Chance for one event of one rule: a function of the rule's seed and the event's identity."""

    __slots__ = ("_key", "_n")

    def __init__(self, *key: object) -> None:
        self._key = repr(key).encode()
        self._n = 0

    def below(self, bound: int) -> int:
        """A whole number in [0, bound)."""
        self._n += 1
        word = blake2b(self._key + self._n.to_bytes(4, "big"), digest_size=8).digest()
        return int.from_bytes(word, "big") * bound >> 64

    def chance(self, probability: float) -> bool:
        """True with that probability."""
        return self.below(1 << 53) < probability * (1 << 53)


# ---------------------------------------------------------------- what a rule's own words may be
def _pattern(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError
    return value


def _expression(value: object) -> str:
    text = _pattern(value)
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError from error
    return text


def _plain(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:g}"


def number(low: float, high: float) -> Kind:
    """Numbers in a range, ends included."""

    def parse(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise TypeError
        parsed = float(value)
        if not low <= parsed <= high:
            raise ValueError
        return parsed

    return Kind(f"a number from {_plain(low)} to {_plain(high)}", parse)


def integer(low: int, high: int = 10**9) -> Kind:
    """Whole numbers in a range, ends included."""

    def parse(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise TypeError
        parsed = int(value)
        if not low <= parsed <= high:
            raise ValueError
        return parsed

    return Kind(f"a whole number from {low} to {high:,}", parse)


PATTERN = Kind("a name, or a pattern with * and ?", _pattern)
EXPRESSION = Kind("a regular expression", _expression)
SECONDS = number(0, 31 * 86_400)
PROBABILITY = number(0, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Which events. All that is given must match."""

    venue: str = option(PATTERN, "Whose.", "")
    channel: str = option(
        PATTERN,
        "The venue's word for a stream; reply for what answers a client, user for news of its account.",
        "",
    )
    symbol: str = option(PATTERN, "A market, by the venue's name for it.", "")
    endpoint: str = option(PATTERN, "The path of an HTTP request or of a socket.", "")
    connection: str = option(PATTERN, "A socket, by its name in the list of connections.", "")
    key: str = option(
        PATTERN,
        "Whoever uses this API key; of those without one, whoever is this address; of orders, whose account.",
        "",
    )

    def matches(self, event: Event) -> bool:
        """Whether an event is among them."""
        for name in _PLACES:
            wanted = getattr(self, name)
            if wanted and not fnmatchcase(getattr(event, name), wanted):
                return False
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """Which of them, in the order of their identities. All that is given must hold."""

    at_s: float = option(SECONDS, "Virtual seconds after the rule was added from which on it holds.", 0.0)
    after_n: int = option(integer(0), "So many events pass first.", 0)
    every_n: int = option(integer(1), "Of those that follow, every n-th.", 1)
    probability: float = option(PROBABILITY, "Of those, each with this probability.", 1.0)
    ramp_s: float = option(SECONDS, "Virtual seconds over which the probability grows to that, from 0.", 0.0)
    on_match: str = option(EXPRESSION, "Only those whose content this expression finds.", "")
    count: int | None = option(integer(1), "At most so many; all when left out.", None)
    duration_s: float | None = option(SECONDS, "Virtual seconds for which it holds.", None)
    seed: int = option(integer(0, 2**63 - 1), "Seed of the rule's own chance.", 0)
    ttl_s: float | None = option(SECONDS, "Virtual seconds after which the rule is removed.", None)


_PLACES = tuple(row.name for row in fields(Where))


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, added at `added_ns`."""

    id: str
    fault: Fault
    where: Where
    when: When
    added_ns: int

    @property
    def from_ns(self) -> int:
        """From when on it holds."""
        return self.added_ns + int(self.when.at_s * SECOND_NS)

    @property
    def until_ns(self) -> int | None:
        """From when on it holds no more; None for never."""
        ends = [self.added_ns + int(self.when.ttl_s * SECOND_NS)] if self.when.ttl_s is not None else []
        if self.when.duration_s is not None:
            ends.append(self.from_ns + int(self.when.duration_s * SECOND_NS))
        return min(ends, default=None)

    def probability(self, at_ns: int) -> float:
        """Of a hit at an instant from which on it holds."""
        ramp_ns = int(self.when.ramp_s * SECOND_NS)
        grown = min((at_ns - self.from_ns) / ramp_ns, 1.0) if ramp_ns else 1.0
        return self.when.probability * grown

    @property
    def ends_ns(self) -> int | None:
        """When it is removed; None for never."""
        return None if self.when.ttl_s is None else self.added_ns + int(self.when.ttl_s * SECOND_NS)

    def values(self) -> dict[str, Any]:
        """The rule as it may be written: what differs from the defaults."""
        parts = (self.fault, self.where, self.when)
        told = {
            row.name: getattr(part, row.name)
            for part in parts
            for row in fields(part)
            if getattr(part, row.name) != row.default
        }
        return {"kind": self.fault.kind, **told}


def read_rule(
    values: Mapping[str, object], kinds: Mapping[str, type[Fault]], place: str
) -> tuple[Fault, Where, When]:
    """A rule as it is written anywhere. ConfigError, of one line, that says what is wrong with which word of it."""
    words = dict(values)
    kind = words.pop("kind", None)
    if not isinstance(kind, str) or kind not in kinds:
        raise ConfigError(f"{place}: kind: {kind!r} is no fault{nearest(str(kind), kinds)}")
    parts: list[Any] = []
    known: list[str] = []
    for part in (kinds[kind], Where, When):
        given: dict[str, Any] = {}
        for row in fields(part):
            known.append(row.name)
            if row.name in words:
                raw = words.pop(row.name)
                if raw is not None or row.default is not None:
                    given[row.name] = judge(f"{place}: {row.name}", row.metadata["kind"], raw)
            elif row.default is MISSING:
                raise ConfigError(f"{place}: {row.name}: {kind} needs it; {row.metadata['help']}")
        parts.append(part(**given))
    for name in words:
        raise ConfigError(f"{place}: {name}: unknown word{nearest(name, known)}")
    fault, where, when = parts
    return fault, where, when


# ---------------------------------------------------------------- what was hit
@dataclass(frozen=True, slots=True)
class Hit:
    """A fault that happened: which rule's, when, and to what."""

    number: int
    rule: str
    kind: str
    at_ns: int
    venue: str
    channel: str
    symbol: str
    endpoint: str
    connection: str
    identity: Identity


class _Count:
    """How many events of one stream a rule has seen, and which of them it hit."""

    __slots__ = ("hits", "last", "seen")

    def __init__(self) -> None:
        self.seen = 0
        self.last: Identity = ()
        self.hits: dict[Identity, None] = {}


class Rules:
    """The rules in force and what they hit."""

    def __init__(self, kinds: Callable[[], Mapping[str, type[Fault]]]) -> None:
        self._kinds = kinds
        self.hits: deque[Hit] = deque(maxlen=HITS_KEPT)
        self._rules: dict[str, Rule] = {}
        self._counts: dict[str, dict[tuple[str, ...], _Count]] = {}
        self._hit: dict[str, int] = {}
        self._added = 0
        self._hits = 0

    def __iter__(self) -> Iterator[Rule]:
        return iter(self._rules.values())

    def __len__(self) -> int:
        return len(self._rules)

    def get(self, name: str) -> Rule | None:
        """The rule of this id."""
        return self._rules.get(name)

    def add(self, values: Mapping[str, object], now_ns: int, place: str = "fault", name: str = "") -> Rule:
        """Put a rule into force at a boundary, in the place of one of the same id. Raises ConfigError."""
        fault, where, when = read_rule(values, self._kinds(), place)
        if name and (name in RESERVED or not ID.fullmatch(name)):
            raise ConfigError(
                f"{place}: id: {name!r} is not allowed; allowed: up to 64 letters, digits and . _ -, "
                f"but not {' or '.join(RESERVED)}"
            )
        if len(self._rules) >= RULES_MAX and name not in self._rules:
            raise ConfigError(f"{place}: there are {RULES_MAX} rules already")
        self._added += 1
        while not name and f"rule-{self._added}" in self._rules:
            self._added += 1
        rule = Rule(name or f"rule-{self._added}", fault, where, when, now_ns)
        self.remove(rule.id)
        self._rules[rule.id], self._counts[rule.id], self._hit[rule.id] = rule, {}, 0
        return rule

    def remove(self, name: str) -> bool:
        """Take it out of force; whether there was one."""
        self._counts.pop(name, None)
        self._hit.pop(name, None)
        return self._rules.pop(name, None) is not None

    @property
    def next_end_ns(self) -> int | None:
        """When the next of them is to be removed; None for never."""
        return min((rule.ends_ns for rule in self if rule.ends_ns is not None), default=None)

    def expire(self, now_ns: int) -> None:
        """Remove those whose time is over."""
        for rule in list(self._rules.values()):
            if rule.ends_ns is not None and rule.ends_ns <= now_ns:
                self.remove(rule.id)

    def spent(self, rule: Rule, now_ns: int) -> bool:
        """Whether it hits nothing more once a boundary has passed: its time is over, or its count used up."""
        until_ns, count = rule.until_ns, rule.when.count
        over = until_ns is not None and until_ns < now_ns
        return over or (count is not None and self.hit_count(rule.id) >= count)

    def hit_count(self, name: str) -> int:
        """How often it has hit."""
        return self._hit.get(name, 0)

    def draw(self, rule: Rule, event: Event) -> Draw:
        """Chance for what the fault does to this event."""
        return Draw(rule.when.seed, rule.fault.kind, event.venue, event.channel, event.symbol, event.identity)

    def decides(self, rule: Rule, event: Event) -> bool:
        """Whether a rule hits an event. Asked again of the same event, for another connection, it says the same."""
        if event.scope is not rule.fault.scope or not rule.where.matches(event):
            return False
        if not rule.fault.suits(event, named=bool(rule.where.channel)):
            return False
        if event.at_ns < rule.from_ns or (rule.until_ns is not None and event.at_ns > rule.until_ns):
            return False
        when = rule.when
        if when.on_match and not re.search(when.on_match.encode(), event.content):
            return False
        stream = (event.venue, event.channel, event.symbol)
        seen = self._counts[rule.id].setdefault(stream, _Count())
        if event.identity <= seen.last:
            return event.identity in seen.hits
        seen.last = event.identity
        seen.seen += 1
        n = seen.seen - when.after_n
        if n <= 0 or n % when.every_n or (when.count is not None and self._hit[rule.id] >= when.count):
            return False
        probability = rule.probability(event.at_ns)
        if probability < 1 and not Draw("whether", when.seed, stream, event.identity).chance(probability):
            return False
        seen.hits[event.identity] = None
        if len(seen.hits) > DECISIONS_KEPT:
            del seen.hits[next(iter(seen.hits))]
        self._hit[rule.id] += 1
        self._hits += 1
        self.hits.append(
            Hit(
                self._hits,
                rule.id,
                rule.fault.kind,
                event.at_ns,
                event.venue,
                event.channel,
                event.symbol,
                event.endpoint,
                event.connection,
                event.identity,
            )
        )
        return True
