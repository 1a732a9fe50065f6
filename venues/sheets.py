"""Sheets: what the channels of one market share of a page, made once by whoever needs it first.

A page has many channels of the same market: cadences of one stream, depths of one book, the same rows in several
envelopes. Whatever more than one of them works out is kept here for as long as the page is being made.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeAlias, TypeVar, cast
from weakref import WeakKeyDictionary

from reactor.single_asset import HyperSynthReactor

SHEETS_KEPT = 2  # of a market: the page that is made ahead, and the one a new subscriber still needs

T = TypeVar("T")

_Page: TypeAlias = tuple[int, int]  # its start, and the revision of the market it was made at
_SHEETS: WeakKeyDictionary[HyperSynthReactor, dict[_Page, dict[Hashable, Any]]] = WeakKeyDictionary()


def shared(market: HyperSynthReactor, start_ns: int, key: Hashable, make: Callable[[], T]) -> T:
    """What `make` makes of the market's page from start_ns, as the market is now; `key` names it.

    From any thread: at worst it is made twice.
    """
    kept = _SHEETS.setdefault(market, {})
    page = start_ns, market.revision
    sheet = kept.get(page)
    if sheet is None:
        while len(kept) >= SHEETS_KEPT:
            kept.pop(next(iter(kept)), None)
        sheet = kept.setdefault(page, {})
    if key not in sheet:
        sheet[key] = make()
    return cast(T, sheet[key])
