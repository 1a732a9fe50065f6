"""Faces: a market that is seen otherwise than its tape has it, and reads as the tape does."""

from __future__ import annotations

from reactor.single_asset import HyperSynthReactor
from reactor.types import (
    BLOCK_NS,
    Block,
    BookSnapshot,
    Column,
    IndexMinutes,
    Liquidations,
    Minutes,
    Prints,
    Quotes,
    Seconds,
)


class Face(HyperSynthReactor):
    """A market's tape as somebody sees it; by itself, the tape. Whoever sees it otherwise says of what."""

    def __init__(self, tape: HyperSynthReactor) -> None:  # it is no tape of its own
        self.instrument, self.origin_ns, self.listed_ns = tape.instrument, tape.origin_ns, tape.listed_ns
        self.skeleton = tape.skeleton
        self._tape = tape

    @property
    def premium_limit_e8(self) -> int:
        return self._tape.premium_limit_e8

    @property
    def premium_bent_ns(self) -> int | None:
        return self._tape.premium_bent_ns

    @property
    def funding_changes(self) -> tuple[tuple[int, int], ...]:
        return self._tape.funding_changes

    def premiums_e8(self, start_ns: int, end_ns: int, step_ns: int) -> Column:
        return self._tape.premiums_e8(start_ns, end_ns, step_ns)

    def seconds(self, start_ns: int, end_ns: int) -> Seconds:
        return self._tape.seconds(start_ns, end_ns)

    def index_minutes(self, start_ns: int, end_ns: int) -> IndexMinutes:
        return self._tape.index_minutes(start_ns, end_ns)

    def minutes(self, start_ns: int, end_ns: int) -> Minutes:
        return self._tape.minutes(start_ns, end_ns)

    def extremes(self, start_ns: int, end_ns: int) -> tuple[Column, Column, Column]:
        return self._tape.extremes(start_ns, end_ns)

    def liquidations(self, start_ns: int, end_ns: int) -> Liquidations:
        return self._tape.liquidations(start_ns, end_ns)

    def prints(self, k: int) -> Prints:
        return self._tape.prints(k)

    def update_id(self, at_ns: int) -> int:
        return self._tape.update_id(at_ns)

    def quote(self, at_ns: int) -> Quotes:
        return self._tape.quote(at_ns)

    def book(self, at_ns: int) -> BookSnapshot:
        return self._tape.book(at_ns)

    def keyframe(self, k: int) -> BookSnapshot:
        return self.book(self.origin_ns + k * BLOCK_NS)

    def block(self, k: int) -> Block:
        start_ns = self.origin_ns + k * BLOCK_NS
        return self.window(start_ns, start_ns + BLOCK_NS)

    def window(self, start_ns: int, end_ns: int) -> Block:
        return self._tape.window(start_ns, end_ns)

    def _minute_of(self, first_id: str, wanted: int, before_ns: int) -> int:
        return self._tape._minute_of(first_id, wanted, before_ns)  # noqa: SLF001  # it is a market, too
