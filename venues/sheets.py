"""Sheets: what the channels of one market share of a page, made once by whoever needs it first.

A page has many channels of the same market: cadences of one stream, depths of one book, the same rows in several
envelopes. Whatever more than one of them works out is kept here for as long as the page is being made.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeAlias, TypeVar, cast
from weakref import WeakKeyDictionary

from reactor.single_asset import HyperSynthReactor
from venues.base import PAGE_NS

SHEETS_KEPT = 2  # of a market: the page that is made ahead, and the one a new subscriber still needs

LATEST_KEPT = 16

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)

_Page: TypeAlias = tuple[int, int]  # its start, and the revision of the market it was made at
_SHEETS: WeakKeyDictionary[HyperSynthReactor, dict[_Page, dict[Hashable, Any]]] = WeakKeyDictionary()
_LATEST: WeakKeyDictionary[HyperSynthReactor, dict[Hashable, tuple[_Page, Any]]] = WeakKeyDictionary()
_ASKED: WeakKeyDictionary[HyperSynthReactor, dict[Hashable, dict[Hashable, int]]] = WeakKeyDictionary()

_SEEN: ContextVar[dict[HyperSynthReactor, int] | None] = ContextVar("_SEEN", default=None)


@contextmanager
def one_view() -> Iterator[None]:
    """For whoever makes pages beside the thread that changes markets: all that is kept within is kept as of the
    revision at which each market was seen first.

    Of a market that changes meanwhile, parts of the old and of the new may meet in what is made then, which is for
    nobody: its page is made anew. Without this, such parts would be kept as the new market's.
    """
    token = _SEEN.set({})
    try:
        yield
    finally:
        _SEEN.reset(token)


def revision_of(market: HyperSynthReactor) -> int:
    """The market's revision, within `one_view` that at which it was seen first."""
    seen = _SEEN.get()
    return market.revision if seen is None else seen.setdefault(market, market.revision)


def shared(market: HyperSynthReactor, start_ns: int, key: Hashable, make: Callable[[], T]) -> T:
    """What `make` makes of the market's page from start_ns, as the market is now; `key` names it.

    From any thread: at worst it is made twice.
    """
    sheet = _sheet(market, start_ns)
    if key not in sheet:
        sheet[key] = make()
    return cast(T, sheet[key])


def shared_by_kind(
    market: HyperSynthReactor,
    start_ns: int,
    kind: Hashable,
    key: K,
    make: Callable[[Sequence[K]], Sequence[T]],
) -> T:
    """The same of one of several things that are cheaper made together.

    What was asked for of the page before will be of this one, too: whoever comes first has it made for all, and nothing
    but time depends on whether that is so.
    """
    sheet = _sheet(market, start_ns)
    asked = cast(dict[K, int], _ASKED.setdefault(market, {}).setdefault(kind, {}))
    if (kind, key) not in sheet:
        asked[key] = start_ns
        for other, asked_ns in list(asked.items()):
            if asked_ns < start_ns - PAGE_NS:
                asked.pop(other, None)
        keys = [each for each in list(asked) if (kind, each) not in sheet]
        for each, made in zip(keys, make(keys), strict=True):
            sheet[kind, each] = made
    asked[key] = start_ns
    return cast(T, sheet[kind, key])


def latest(market: HyperSynthReactor, at_ns: int, key: Hashable, make: Callable[[], T]) -> T:
    """What `make` makes of the market at an instant, as the market is now: kept for whoever asks for the same, until
    another instant is asked for. `key` names it; of a market so many are kept, those longest there go first.
    """
    kept, of = _LATEST.setdefault(market, {}), (at_ns, revision_of(market))
    row = kept.get(key)
    if row is None or row[0] != of:
        kept.pop(key, None)
        while len(kept) >= LATEST_KEPT:
            kept.pop(next(iter(kept)), None)
        row = kept[key] = of, make()
    return cast(T, row[1])


def _sheet(market: HyperSynthReactor, start_ns: int) -> dict[Hashable, Any]:
    kept = _SHEETS.setdefault(market, {})
    page = start_ns, revision_of(market)
    sheet = kept.get(page)
    if sheet is None:
        while len(kept) >= SHEETS_KEPT:
            kept.pop(next(iter(kept)), None)
        sheet = kept.setdefault(page, {})
    return sheet
