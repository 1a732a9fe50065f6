"""Faults of markets themselves: what befalls a market, rather than what is told of it.

Some bend the tape: they are part of what a market is, begin with a minute that nobody has seen yet, and are the same
whoever looks. Others are veils over it, and bite at once (`prompt`). Either way everything that a venue says, over
sockets and requests, by trades, books, bars, marks and funding, is of one market.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import ClassVar

from emulator.chaos.market import Blow, MarketFault
from emulator.chaos.rules import Fault, integer, number, option
from emulator.config import FLAG
from emulator.config import Kind as Choice
from reactor.bends import Bend, log_q32, swing
from reactor.exchange.orders import Command, Deleverage
from reactor.fixed import fixed_point
from reactor.skeleton import BURST_ACTIVITY_MAX
from reactor.types import NEVER_NS, SECOND_NS, Kind
from reactor.values import dataclass
from reactor.veils import Closing, Coarsening, Halt, Opening, Thinning
from venues.base import VenueProtocol
from venues.funding import HOURS

PERCENT = number(0.1, 90)
LONG_S = number(0.1, 31 * 86_400)
TIMES = number(1, BURST_ACTIVITY_MAX)


def _ns(seconds: float) -> int:
    return int(seconds * SECOND_NS)


def _changed_q32(percent: float) -> int:
    """The logarithm of a price that has changed by so many percent."""
    return log_q32(round((100 + percent) * 10_000))


# ---------------------------------------------------------------- veils
@dataclass(frozen=True, slots=True)
class MarketHalt(MarketFault):
    """Trading stops."""

    kind: ClassVar[str] = "mkt.halt"
    about: ClassVar[str] = (
        "Trading stops: no trade, a book that stands still, orders refused in the venue's words; cancels go on."
    )
    prompt: ClassVar[bool] = True

    def blow(self, start_ns: int, end_ns: int | None) -> Blow:
        return Halt(start_ns, NEVER_NS if end_ns is None else end_ns)


@dataclass(frozen=True, slots=True)
class AuctionReopen(MarketFault):
    """Trading stops and comes back with an auction."""

    kind: ClassVar[str] = "mkt.auction_reopen"
    about: ClassVar[str] = (
        "Trading stops, then only post-only orders and cancels are taken, then an auction reopens with one large trade."
    )
    prompt: ClassVar[bool] = True

    halt_s: float = option(LONG_S, "How long nothing but cancels is taken.", 300.0)
    call_s: float = option(LONG_S, "And then how long post-only orders are, before the auction.", 600.0)

    def blow(self, start_ns: int, end_ns: int | None) -> Blow:
        whole_ns = start_ns + _ns(self.halt_s) + _ns(self.call_s)
        end_ns = whole_ns if end_ns is None else min(end_ns, whole_ns)
        return Halt(start_ns, end_ns, max(end_ns - start_ns - _ns(self.halt_s), 0))


@dataclass(frozen=True, slots=True)
class LiquidityVoid(MarketFault):
    """Market makers leave."""

    kind: ClassVar[str] = "mkt.liquidity_void"
    about: ClassVar[str] = (
        "Hardly anything is left in the book: every level shows a small share of what rested there."
    )
    prompt: ClassVar[bool] = True

    left_pct: float = option(number(0.01, 100), "How much of it is left.", 2.0)

    def blow(self, start_ns: int, end_ns: int | None) -> Blow:
        return Thinning(start_ns, NEVER_NS if end_ns is None else end_ns, fixed_point(self.left_pct / 100))


@dataclass(frozen=True, slots=True)
class TickSize(MarketFault):
    """Prices move in coarser steps."""

    kind: ClassVar[str] = "mkt.tick_size"
    about: ClassVar[str] = (
        "A market's tick size becomes larger: all prices keep to it from then on, new orders off it are refused."
    )
    prompt: ClassVar[bool] = True

    times: int = option(integer(2, 100), "How many times as large it is.", 10)

    def obstacle(self, venue: VenueProtocol) -> str:
        return venue.fixed_ticks

    def blow(self, start_ns: int, end_ns: int | None) -> Blow:
        return Coarsening(start_ns, NEVER_NS if end_ns is None else end_ns, self.times)


@dataclass(frozen=True, slots=True)
class Delisting(MarketFault):
    """A market is taken off."""

    kind: ClassVar[str] = "mkt.delist"
    about: ClassVar[str] = (
        "A market closes for good: its streams end, its orders are cancelled, new ones are refused."
    )
    prompt: ClassVar[bool] = True

    def blow(self, start_ns: int, end_ns: int | None) -> Blow:
        return Closing(start_ns) if end_ns is None else Halt(start_ns, end_ns)


@dataclass(frozen=True, slots=True)
class NewListing(MarketFault):
    """A market is listed while the exchange runs."""

    kind: ClassVar[str] = "mkt.new_listing"
    about: ClassVar[str] = (
        "There is no such market until `at_s`, in whole minutes; then it is listed, and has no past."
    )
    whole_minutes: ClassVar[bool] = True

    def blow(self, start_ns: int, end_ns: int | None) -> Blow:
        return Opening(start_ns)


# ---------------------------------------------------------------- accounts
@dataclass(frozen=True, slots=True)
class AutoDeleverage(MarketFault):
    """A client's profit pays for others' losses."""

    kind: ClassVar[str] = "mkt.adl"
    about: ClassVar[str] = (
        "Positions in profit are reduced by force, at the mark price, and their owners told so in the venue's words."
    )
    prompt: ClassVar[bool] = True
    acts: ClassVar[bool] = True
    kinds: ClassVar[tuple[Kind, ...]] = (Kind.PERP,)

    share_pct: float = option(number(0.1, 100), "How much of each is closed.", 50.0)

    def blow(self, start_ns: int, end_ns: int | None) -> None:
        return None

    def command(self, account: str, market: str) -> Command:
        return Deleverage(account, market, round(self.share_pct * 10_000))


# ---------------------------------------------------------------- bends
@dataclass(frozen=True, slots=True)
class FlashCrash(MarketFault):
    """The price falls like a stone and comes back."""

    kind: ClassVar[str] = "mkt.flash_crash"
    about: ClassVar[str] = "The price falls far within seconds, stays there for a moment, and comes back."

    fall_pct: float = option(PERCENT, "How far.", 10.0)
    fall_s: float = option(LONG_S, "How long the fall takes.", 20.0)
    hold_s: float = option(LONG_S, "How long it stays there.", 5.0)
    recover_s: float = option(LONG_S, "How long the way back takes.", 60.0)
    times: float = option(TIMES, "How many times as active the market is until it is on its way back.", 10.0)
    index_follows: bool = option(
        FLAG, "Whether the index falls, too; else it is this market's affair alone.", True
    )

    def blow(self, start_ns: int, end_ns: int | None) -> Blow:
        low = _changed_q32(-self.fall_pct)
        legs = [(_ns(self.fall_s), low), (_ns(self.hold_s), low), (_ns(self.recover_s), 0)]
        path = swing(start_ns, legs, end_ns)
        busy_ns = start_ns + _ns(self.fall_s + self.hold_s)
        busy_ns = busy_ns if end_ns is None else min(busy_ns, end_ns)
        return Bend(
            path, path if self.index_follows else (), start_ns, busy_ns, activity_q16=fixed_point(self.times)
        )


@dataclass(frozen=True, slots=True)
class LiquidationCascade(MarketFault):
    """Forced orders push the price down, and the price forces more of them."""

    kind: ClassVar[str] = "mkt.liq_cascade"
    about: ClassVar[str] = "A perpetual falls in waves, and bursts of liquidations come with each of them."
    kinds: ClassVar[tuple[Kind, ...]] = (Kind.PERP,)

    fall_pct: float = option(PERCENT, "How far it falls in all.", 15.0)
    fall_s: float = option(LONG_S, "How long that takes.", 600.0)
    waves: int = option(
        integer(1, 20), "In how many waves, the first the steepest; a third of each comes back at once.", 4
    )
    recover_s: float = option(LONG_S, "How long the way back takes.", 3_600.0)
    times: float = option(TIMES, "How many times as active the market is in the fall.", 6.0)
    forced: float = option(
        number(1, 1_000), "How many times as many of the orders that sell are forced.", 20.0
    )

    def blow(self, start_ns: int, end_ns: int | None) -> Blow:
        whole = _changed_q32(-self.fall_pct)
        weights = [self.waves - i for i in range(self.waves)]
        depths = [whole * part // sum(weights) for part in accumulate(weights)]
        legs: list[tuple[int, int]] = []
        wave_ns, before = _ns(self.fall_s / self.waves), 0
        for depth in depths:
            legs.append((wave_ns * 3 // 10, depth))
            if depth != whole:
                legs += [(wave_ns * 2 // 10, depth + (before - depth) // 3), (wave_ns * 5 // 10, depth)]
            before = depth
        path = swing(start_ns, [*legs, (_ns(self.recover_s), 0)], end_ns)
        busy_ns = start_ns + _ns(self.fall_s)
        busy_ns = busy_ns if end_ns is None else min(busy_ns, end_ns)
        return Bend(path, path, start_ns, busy_ns, fixed_point(self.times), fixed_point(self.forced))


@dataclass(frozen=True, slots=True)
class MarketBurst(MarketFault):
    """A rush."""

    kind: ClassVar[str] = "mkt.burst"
    about: ClassVar[str] = "The market is many times as busy: trades, and changes of the book with them."

    times: float = option(TIMES, "How many times, up to 100 times the normal activity.", 10.0)

    def blow(self, start_ns: int, end_ns: int | None) -> Blow:
        return Bend(
            start_ns=start_ns,
            end_ns=NEVER_NS if end_ns is None else end_ns,
            activity_q16=fixed_point(self.times),
        )


@dataclass(frozen=True, slots=True)
class IndexDecouple(MarketFault):
    """The index leaves the market."""

    kind: ClassVar[str] = "mkt.index_decouple"
    about: ClassVar[str] = (
        "The index of a perpetual, and its mark price with it, leave the market, which goes on as ever."
    )
    kinds: ClassVar[tuple[Kind, ...]] = (Kind.PERP,)

    by_pct: float = option(number(-90, 900), "How far, above 0 for upwards.", -10.0)
    ramp_s: float = option(LONG_S, "How long that takes.", 10.0)

    def blow(self, start_ns: int, end_ns: int | None) -> Blow:
        return Bend(index_q32=swing(start_ns, [(_ns(self.ramp_s), _changed_q32(self.by_pct))], end_ns))


@dataclass(frozen=True, slots=True)
class FundingSpike(MarketFault):
    """A perpetual trades far off its index, and its funding says so."""

    kind: ClassVar[str] = "mkt.funding_spike"
    about: ClassVar[str] = (
        "A perpetual trades far above its index, or below, until its funding reaches what the venue allows."
    )
    kinds: ClassVar[tuple[Kind, ...]] = (Kind.PERP,)

    premium_pct: float = option(number(-80, 400), "How far, below 0 for below.", 3.0)
    ramp_s: float = option(LONG_S, "How long it takes to get there.", 60.0)

    def blow(self, start_ns: int, end_ns: int | None) -> Blow:
        return Bend(price_q32=swing(start_ns, [(_ns(self.ramp_s), _changed_q32(self.premium_pct))], end_ns))


def _hours(value: object) -> int:
    if value not in HOURS:
        raise ValueError
    return int(str(value))


INTERVAL = Choice(f"one of {', '.join(map(str, HOURS))}", _hours)


@dataclass(frozen=True, slots=True)
class FundingInterval(MarketFault):
    """Funding comes at another pace."""

    kind: ClassVar[str] = "mkt.funding_interval_change"
    about: ClassVar[str] = (
        "A perpetual's funding is settled more often, or less, from its next settlement on."
    )
    kinds: ClassVar[tuple[Kind, ...]] = (Kind.PERP,)

    hours: int = option(INTERVAL, "Hours from settlement to settlement.", 4)

    def blow(self, start_ns: int, end_ns: int | None) -> Blow:
        return Bend(
            start_ns=start_ns, end_ns=NEVER_NS if end_ns is None else end_ns, funding_hours=self.hours
        )


FAULTS: Sequence[type[Fault]] = (
    MarketHalt,
    AuctionReopen,
    LiquidityVoid,
    TickSize,
    Delisting,
    NewListing,
    AutoDeleverage,
    FlashCrash,
    LiquidationCascade,
    MarketBurst,
    IndexDecouple,
    FundingSpike,
    FundingInterval,
)
