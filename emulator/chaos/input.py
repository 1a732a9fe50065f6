"""What may become of what clients do on sockets: handshakes that are refused or late, words that are not heard."""

from __future__ import annotations

from typing import ClassVar

from emulator.chaos.rules import Event, Fault, Scope
from reactor.values import dataclass
from venues.base import HttpResponse


@dataclass(frozen=True, slots=True)
class HandshakeFault(Fault):
    """A fault of a socket about to be opened: answered after `patience_s` of wall time, or refused."""

    scope: ClassVar[Scope] = Scope.HANDSHAKE

    @property
    def patience_s(self) -> float:
        """How much later than usual it is answered."""
        return 0.0

    @property
    def refusal(self) -> HttpResponse | None:
        """The answer in the venue's place."""
        return None


@dataclass(frozen=True, slots=True)
class MessageFault(Fault):
    """Something that a client says on its socket, by its role, is acknowledged as usual and has no effect."""

    scope: ClassVar[Scope] = Scope.MESSAGE
    role: ClassVar[str]

    def suits(self, event: Event, *, named: bool) -> bool:  # noqa: ARG002
        return event.role == self.role
