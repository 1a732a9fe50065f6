"""Faults of orders and of what accounts are told of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from emulator.chaos.rules import SECONDS, Fault, integer, number, option
from emulator.chaos.trade import (
    AMEND,
    CANCEL,
    FILL,
    FILLS_KEPT,
    KEEP,
    MAKE,
    PLACE,
    CommandFault,
    ListenFault,
    NewsFault,
    SignedFault,
)
from emulator.config import Kind
from reactor.exchange.floor import Floor
from reactor.exchange.orders import (
    CancelOrder,
    Command,
    Done,
    MeetOrder,
    OrderStatus,
    Outcome,
    Refusal,
    Refused,
    Remember,
    Told,
    Why,
)
from reactor.types import SECOND_NS
from reactor.values import dataclass

REFUSALS = (
    Refusal.HALTED,
    Refusal.CALLED,
    Refusal.INSUFFICIENT_BALANCE,
    Refusal.NO_LIQUIDITY,
    Refusal.TOO_MANY_ORDERS,
    Refusal.DUPLICATE_CLIENT_ID,
)


def _refusal(value: object) -> str:
    if value not in REFUSALS:
        raise ValueError
    return str(value)


REFUSAL = Kind(f"one of {', '.join(REFUSALS)}", _refusal)


@dataclass(frozen=True, slots=True)
class Reject(CommandFault):
    """An order is refused, in the venue's own words."""

    kind: ClassVar[str] = "ord.reject"
    about: ClassVar[str] = "An order is refused, in the venue's own words, though nothing is wrong with it."
    roles: ClassVar[tuple[str, ...]] = (PLACE, MAKE)

    why: str = option(REFUSAL, "As if for this reason.", "insufficient_balance")

    def outcome(self, command: Command, floor: Floor, now_ns: int) -> Outcome:
        return Refused(Refusal(self.why))


@dataclass(frozen=True, slots=True)
class PostOnlyMode(CommandFault):
    """Orders that may take are refused."""

    kind: ClassVar[str] = "ord.post_only_mode"
    about: ClassVar[str] = "Orders are refused unless they are post-only; cancels go on."
    roles: ClassVar[tuple[str, ...]] = (PLACE,)

    why: str = option(REFUSAL, "As if for this reason.", "called")

    def outcome(self, command: Command, floor: Floor, now_ns: int) -> Outcome:
        return Refused(Refusal(self.why))


@dataclass(frozen=True, slots=True)
class CancelOnlyMode(CommandFault):
    """Nothing but cancels is taken."""

    kind: ClassVar[str] = "ord.cancel_only_mode"
    about: ClassVar[str] = "Orders and amendments are refused; cancels go on, and so does the market."
    roles: ClassVar[tuple[str, ...]] = (PLACE, MAKE, AMEND)

    why: str = option(REFUSAL, "As if for this reason.", "halted")

    def outcome(self, command: Command, floor: Floor, now_ns: int) -> Outcome:
        return Refused(Refusal(self.why))


@dataclass(frozen=True, slots=True)
class AcceptedButError(CommandFault):
    """An order is there, and its owner is told that it is not."""

    kind: ClassVar[str] = "ord.accepted_but_error"
    about: ClassVar[str] = "An order is accepted, and may be filled, but it is answered as refused."
    roles: ClassVar[tuple[str, ...]] = (PLACE, MAKE)
    carried_out: ClassVar[bool] = True

    why: str = option(REFUSAL, "As if for this reason.", "no_liquidity")

    def outcome(self, command: Command, floor: Floor, now_ns: int) -> Outcome:
        return Refused(Refusal(self.why))


@dataclass(frozen=True, slots=True)
class CancelLost(CommandFault):
    """A cancel is answered and has no effect."""

    kind: ClassVar[str] = "ord.cancel_lost"
    about: ClassVar[str] = "A cancel is answered as done, but the order stays open and may still be filled."
    roles: ClassVar[tuple[str, ...]] = (CANCEL,)

    def outcome(self, command: Command, floor: Floor, now_ns: int) -> Outcome:
        assert isinstance(command, CancelOrder)
        order = floor.order(command.account, command.market, command.order_id, command.client_id)
        assert order is not None
        return Done((replace(order, status=OrderStatus.CANCELLED, why=Why.ASKED, updated_ns=now_ns),))


@dataclass(frozen=True, slots=True)
class SlowAck(CommandFault):
    """An order is there long before its owner is answered."""

    kind: ClassVar[str] = "ord.slow_ack"
    about: ClassVar[str] = (
        "An order, a cancel or an amendment works at once; the answer to its request comes late, after its events."
    )
    roles: ClassVar[tuple[str, ...]] = (PLACE, MAKE, CANCEL, AMEND)
    carried_out: ClassVar[bool] = True

    wait_s: float = option(number(0, 3_600), "How late, in wall time.", 2.0)

    @property
    def patience_s(self) -> float:
        return self.wait_s

    def outcome(self, command: Command, floor: Floor, now_ns: int) -> None:
        return None


@dataclass(frozen=True, slots=True)
class CancelRacesFill(CommandFault):
    """A cancel comes too late."""

    kind: ClassVar[str] = "ord.cancel_race_fill"
    about: ClassVar[str] = (
        "An order is filled, at its price, just before its cancel comes, which finds no such order any more."
    )
    roles: ClassVar[tuple[str, ...]] = (CANCEL,)
    carried_out: ClassVar[bool] = True

    def instead(self, command: Command, now_ns: int) -> Command:
        assert isinstance(command, CancelOrder)
        return MeetOrder(command.account, command.market, command.order_id, command.client_id)

    def outcome(self, command: Command, floor: Floor, now_ns: int) -> Outcome:
        return Refused(Refusal.UNKNOWN_ORDER)


@dataclass(frozen=True, slots=True)
class KeyExpires(CommandFault):
    """What the venue keeps for a while for a client is gone sooner than it says."""

    kind: ClassVar[str] = "user.listenkey_expired"
    about: ClassVar[str] = (
        "A listen key (or an agent) expires much sooner than it should, kept alive or not, and says so."
    )
    roles: ClassVar[tuple[str, ...]] = (KEEP,)
    carried_out: ClassVar[bool] = True

    after_s: float = option(SECONDS, "How long it lives from when it was made or last kept alive.", 60.0)

    def instead(self, command: Command, now_ns: int) -> Command:
        assert isinstance(command, Remember)
        return replace(command, expires_ns=now_ns + int(self.after_s * SECOND_NS))

    def outcome(self, command: Command, floor: Floor, now_ns: int) -> None:
        return None


@dataclass(frozen=True, slots=True)
class FillEventLost(NewsFault):
    """An account is not told of a fill."""

    kind: ClassVar[str] = "ord.fill_event_lost"
    about: ClassVar[str] = "An order is filled and its owner is not told; balances and REST know it."
    roles: ClassVar[tuple[str, ...]] = (FILL,)

    def tell(self, told: Told) -> Sequence[Told]:
        return ()


@dataclass(frozen=True, slots=True)
class FillEventTwice(NewsFault):
    """An account is told of a fill twice."""

    kind: ClassVar[str] = "ord.dup_fill_event"
    about: ClassVar[str] = "The event of a fill comes twice, though there was one fill."
    roles: ClassVar[tuple[str, ...]] = (FILL,)

    def tell(self, told: Told) -> Sequence[Told]:
        return (told, told)


@dataclass(frozen=True, slots=True)
class NonceRejected(SignedFault):
    """A venue does not take the nonce of a request, or its timestamp."""

    kind: ClassVar[str] = "ord.nonce_rejected"
    about: ClassVar[str] = (
        "A signed request is refused for its nonce or its timestamp, in the venue's own words, and is not carried out."
    )


@dataclass(frozen=True, slots=True)
class OldFillsAgain(ListenFault):
    """A user stream begins with fills that are no news, and nothing says so."""

    kind: ClassVar[str] = "user.snapshot_replays_old_fills"
    about: ClassVar[str] = (
        "Whoever subscribes to an account's news is told its old fills again, as if they were new."
    )

    fills: int = option(integer(1, FILLS_KEPT), "At most so many, the newest of them.", 100)

    def again(self, fills: Sequence[Told]) -> Sequence[Told]:
        return fills[-self.fills :]


FAULTS: tuple[type[Fault], ...] = (
    Reject,
    PostOnlyMode,
    CancelOnlyMode,
    AcceptedButError,
    SlowAck,
    CancelLost,
    CancelRacesFill,
    NonceRejected,
    FillEventLost,
    FillEventTwice,
    OldFillsAgain,
    KeyExpires,
)
