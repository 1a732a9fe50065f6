"""What a channel of this venue is, and one that is told late.

Messages carry the time of their block and none of their own, so lateness changes nothing but when they come.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Protocol

import numpy as np

from reactor.clock import Latency
from reactor.fixed import ends
from reactor.types import TICK_NS, Column
from venues.base import PAGE_NS, Channel, Page


class HyperliquidChannel(Channel, Protocol):
    """A channel that can also say when it spoke last: this venue closes sockets it has had nothing to tell."""

    def last_due_ns(self, now_ns: int) -> int:
        """The boundary of the last frame due by now; 0 if there was none of late."""
        ...


class LateChannel:
    """The same frames as another channel's, which has one a tick: in their order, each later by its delay.

    A new subscriber is told what those have been told who listened before.
    """

    def __init__(self, channel: HyperliquidChannel, latency: Latency) -> None:
        self._channel, self._latency = channel, latency
        self._frames = lru_cache(2)(self._frames_of)

    def page(self, start_ns: int) -> Page:
        frames = [*self._frames(start_ns - PAGE_NS), *self._frames(start_ns)]
        run, told_ns = self._told([due_ns for due_ns, _ in frames], start_ns, start_ns + PAGE_NS)
        due = (told_ns // TICK_NS + 1) * TICK_NS
        texts = [text for _, text in frames[run]]
        stops = np.cumsum([len(text) for text in texts], dtype=np.int64)
        last = ends(due)
        return Page(start_ns, b"".join(texts), due[last].tolist(), stops[last].tolist(), len(texts))

    def snapshot(self, now_ns: int) -> Sequence[bytes]:
        return self._channel.snapshot(self._reached(now_ns))

    def last_due_ns(self, now_ns: int) -> int:
        last_ns = self._channel.last_due_ns(self._reached(now_ns))
        return last_ns and min(last_ns + self._latency.model.bound_ns, now_ns)  # not earlier, at least

    def _frames_of(self, start_ns: int) -> list[tuple[int, bytes]]:
        page = self._channel.page(start_ns)
        assert page.frames == len(page.due_ns)
        return list(page.ticks(start_ns, start_ns + PAGE_NS))

    def _told(self, due_ns: Sequence[int], start_ns: int, end_ns: int) -> tuple[slice, Column]:
        """Which of the frames that are due at these boundaries are told in [start_ns, end_ns), and when."""
        due = np.array(due_ns, dtype=np.int64)
        return self._latency.told(due - 1, due // TICK_NS, start_ns, end_ns)

    def _reached(self, now_ns: int) -> int:
        """The boundary up to which all has been told by now."""
        start_ns = now_ns - now_ns % PAGE_NS
        frames = [*self._frames(start_ns - PAGE_NS), *self._frames(start_ns)]
        due = [due_ns for due_ns, _ in frames]
        run, _ = self._told(due, now_ns, start_ns + 2 * PAGE_NS)
        still = due[run.start] - TICK_NS if run.start < len(due) else now_ns
        return min(still, now_ns)
