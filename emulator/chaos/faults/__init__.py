"""The faults there are, by kind."""

from __future__ import annotations

from collections.abc import Mapping

from emulator.chaos.faults import content, market, orders, rest, stream, transport
from emulator.chaos.rules import Fault

KINDS: Mapping[str, type[Fault]] = {
    fault.kind: fault
    for module in (transport, stream, content, rest, orders, market)
    for fault in module.FAULTS
}
