"""What may become of commands on their way to a floor, and of an account's news on its way to who listens.

The floor itself is never bent: what it has carried out is so, and REST tells the truth of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from emulator.chaos.rules import Event, Fault, Scope
from reactor.exchange.floor import Floor
from reactor.exchange.orders import (
    AmendOrder,
    CancelOrder,
    Command,
    OrderAmended,
    OrderEnded,
    OrderFilled,
    OrderPlaced,
    OrderTrails,
    OrderTriggered,
    Outcome,
    PlaceOrder,
    PlacePair,
    Remember,
    TimeInForce,
    Told,
)
from reactor.values import dataclass

# Roles of commands: an order that may take, one that only makes, a cancel, an amendment, a key that lasts for a while;
# and of any request that is signed, before what it commands.
PLACE, MAKE, CANCEL, AMEND, KEEP, SIGNED = "place", "make", "cancel", "amend", "keep", "signed"
FILL, ORDER, ACCOUNT = "fill", "order", "account"  # roles of news
LISTEN = "listen"  # and of somebody who begins to hear it
FILLS_KEPT = 1_000  # of a venue's last fills, which may be told again
NEWS: Mapping[type[object], str] = {
    OrderFilled: FILL,
    OrderPlaced: ORDER,
    OrderTrails: ORDER,
    OrderTriggered: ORDER,
    OrderEnded: ORDER,
    OrderAmended: ORDER,
}


@dataclass(frozen=True, slots=True)
class RoleFault(Fault):
    """A fault of events of some roles."""

    roles: ClassVar[tuple[str, ...]]

    def suits(self, event: Event, *, named: bool) -> bool:  # noqa: ARG002
        return event.role in self.roles


@dataclass(frozen=True, slots=True)
class CommandFault(RoleFault):
    """A command of one of these roles never reaches the floor, unless it is `carried_out`, perhaps as another; its
    owner hears something all the same.
    """

    scope: ClassVar[Scope] = Scope.COMMAND
    carried_out: ClassVar[bool] = False

    @property
    def patience_s(self) -> float:
        """How much later the answer to the HTTP request comes that gave the command, in wall time."""
        return 0.0

    def instead(self, command: Command, now_ns: int) -> Command:  # noqa: ARG002
        """What is carried out."""
        return command

    def outcome(self, command: Command, floor: Floor, now_ns: int) -> Outcome | None:
        """What its owner hears; None: what became of what was carried out."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class SignedFault(RoleFault):
    """A signed request is refused for its nonce, or the time it was signed at, in the venue's own words."""

    scope: ClassVar[Scope] = Scope.COMMAND
    roles: ClassVar[tuple[str, ...]] = (SIGNED,)


@dataclass(frozen=True, slots=True)
class NewsFault(RoleFault):
    """A piece of news of one of these roles is told otherwise than it should be."""

    scope: ClassVar[Scope] = Scope.NEWS

    def tell(self, told: Told) -> Sequence[Told]:
        """What is told in its place."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class ListenFault(RoleFault):
    """Whoever begins to listen to an account is told something that is no news."""

    scope: ClassVar[Scope] = Scope.NEWS
    roles: ClassVar[tuple[str, ...]] = (LISTEN,)

    def again(self, fills: Sequence[Told]) -> Sequence[Told]:
        """What of the account's last fills, oldest first, is told as if it were news."""
        raise NotImplementedError


def role_of(command: Command, floor: Floor) -> str:
    """A command's role; "" for one that no fault is about, or that would be refused anyway."""
    match command:
        case PlacePair():
            return PLACE
        case PlaceOrder(asked):
            return MAKE if asked.time_in_force is TimeInForce.POST_ONLY else PLACE
        case CancelOrder(account, market, order_id, client_id):
            order = floor.order(account, market, order_id, client_id)
            return CANCEL if order is not None and order.status.open else ""
        case AmendOrder(account, market, order_id):
            order = floor.order(account, market, order_id)
            return AMEND if order is not None and order.status.open else ""
        case Remember(value=value, expires_ns=expires_ns):
            return KEEP if value is not None and expires_ns is not None else ""
    return ""
