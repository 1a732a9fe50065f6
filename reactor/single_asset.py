"""HyperSynthReactor: one market's tape (stub of the final interface)."""

from __future__ import annotations

from typing import Protocol

from reactor.types import Block, BookSnapshot, Instrument, Minutes, Prints, Quotes, Seconds


class HyperSynthReactor(Protocol):
    """One market's tape: a pure function of (seed, market, minute)."""

    instrument: Instrument
    origin_ns: int

    def keyframe(self, k: int) -> BookSnapshot: ...
    def block(self, k: int) -> Block: ...
    def window(self, start_ns: int, end_ns: int) -> Block:
        """What happened in [start_ns, end_ns), both tick boundaries; may span blocks. update ids, ids as in the blocks."""
        ...
    def book(self, at_ns: int) -> BookSnapshot:
        """The book at the boundary at_ns: every tick before it applied."""
        ...
    def update_id(self, at_ns: int) -> int:
        """The id of the last book change before the boundary at_ns."""
        ...
    def quote(self, at_ns: int) -> Quotes:
        """One row: the best bid and offer at the boundary at_ns."""
        ...
    def prints_before(self, at_ns: int, limit: int) -> Prints:
        """The newest `limit` prints before at_ns, ascending."""
        ...
    def minutes(self, start_ns: int, end_ns: int) -> Minutes:
        """Rows of whole minutes in [start_ns, end_ns); no block is generated."""
        ...
    def seconds(self, start_ns: int, end_ns: int) -> Seconds:
        """The 1 s grid for whole seconds in [start_ns, end_ns); no block is generated."""
        ...
