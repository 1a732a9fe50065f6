"""Routes of the control API that tell what is so, whatever clients were told: books, trades, orders, fills."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query
from pydantic import BaseModel

from emulator.api.control import Run
from emulator.gateway.inspector import ROWS_MAX, NoSuchError
from emulator.truth import TrueFill, TrueTrade

truth = APIRouter(prefix="/truth", tags=["truth"])

At = Annotated[
    int | None, Query(description="A boundary that has passed, in ns since the epoch; now if left out.")
]
Account = Annotated[str | None, Query(description="Of this account only.")]
Symbol = Annotated[str | None, Query(description="Of this market only.")]
Limit = Annotated[int, Query(ge=1, le=ROWS_MAX, description="The newest so many.")]

NO_SUCH: dict[int | str, dict[str, Any]] = {404: {"description": "There is none of this name."}}


@contextmanager
def judged() -> Iterator[None]:
    """What the asker got wrong is answered with 422, and what there is not with 404, in the one line that says so."""
    try:
        yield
    except NoSuchError as error:
        raise HTTPException(404, str(error)) from None
    except ValueError as error:
        raise HTTPException(422, str(error)) from None


class BookRow(BaseModel):
    """A market's whole book at a boundary: price and quantity of each level, the best first."""

    at_ns: int
    update_id: int
    bids: list[tuple[str, str]]
    asks: list[tuple[str, str]]


class Sequence(BaseModel):
    """The id of the last change of a market's book, of which the venue's sequence numbers are views."""

    update_id: int


@truth.get("/book")
async def read_true_book(run: Run, venue: str, symbol: str, at_ns: At = None) -> BookRow:
    """The book, whatever clients were told of it; now, or at a boundary that has passed."""
    with judged():
        book = run.inspector.book(venue, symbol, at_ns)
    bids, asks = (
        [(str(price), str(size)) for price, size in side.items()] for side in (book.bids, book.asks)
    )
    return BookRow(at_ns=book.at_ns, update_id=book.update_id, bids=bids, asks=asks)


@truth.get("/sequence")
async def read_sequence(run: Run, venue: str, symbol: str, at_ns: At = None) -> Sequence:
    """How far the book has come."""
    with judged():
        return Sequence(update_id=run.inspector.sequence(venue, symbol, at_ns))


@truth.get("/trades")
async def list_true_trades(
    run: Run,
    venue: str,
    symbol: str,
    after_ns: Annotated[int | None, Query(description="The start of the run if left out.")] = None,
    upto_ns: At = None,
    limit: Limit = 1_000,
) -> list[TrueTrade]:
    """A market's trades in (after_ns, upto_ns], clients' own among them, oldest first. Sides are the takers'."""
    with judged():
        return run.inspector.trades(venue, symbol, after_ns, upto_ns, limit)


@truth.get("/fills")
async def list_true_fills(
    run: Run,
    venue: str,
    account: Account = None,
    symbol: Symbol = None,
    upto_ns: At = None,
    limit: Limit = 1_000,
) -> list[TrueFill]:
    """What became of accounts' orders, oldest first."""
    with judged():
        return run.inspector.fills(venue, account, symbol, upto_ns, limit)
