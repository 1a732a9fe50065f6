"""What may become of an HTTP request: answered in the venue's place, or by the venue and then spoilt on its way.

A fault decides whether the venue ever sees the request: it asks for the venue's answer, or does not. How long a client
waits is wall time, for so are clients' timeouts. Nothing here knows a socket or a clock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import ClassVar

from emulator.chaos.rules import Draw, Event, Fault, Rules, Scope
from reactor.values import dataclass
from venues.base import HttpResponse
from venues.limits import Charge


@dataclass(frozen=True, slots=True)
class Answer:
    """A response and how it is sent: after `wait_s`, its body in `pieces` spread over `spread_s`; with `cut`, the
    connection ends instead.
    """

    response: HttpResponse
    wait_s: float = 0.0
    pieces: int = 1
    spread_s: float = 0.0
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that a rule hits. `ask` has the venue answer it; `refuse` is how the venue says that it is too much;
    `ask_ahead` has it answer by a clock that is so many ns ahead, whatever earlier rules would have done.
    """

    event: Event
    ask: Callable[[], Answer]
    refuse: Callable[[Charge], HttpResponse]
    ask_ahead: Callable[[int], Answer]


@dataclass(frozen=True, slots=True)
class RequestFault(Fault):
    """A fault of an HTTP request and its answer."""

    scope: ClassVar[Scope] = Scope.REQUEST

    def spoil(self, asked: Asked, draw: Draw) -> Answer:
        """What the client gets."""
        raise NotImplementedError


def spoilt(rules: Rules, event: Event, venue: Asked) -> Answer:
    """What becomes of a request under the rules: each has the answer of those added before it."""
    asked = venue
    every = [
        (rule, rule.fault) for rule in rules if rules.decides(rule, event)
    ]  # all are asked, for all count
    for rule, fault in every:
        assert isinstance(fault, RequestFault)
        asked = replace(asked, ask=partial(fault.spoil, asked, rules.draw(rule, event)))
    return asked.ask()
