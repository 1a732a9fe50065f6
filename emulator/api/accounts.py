"""Routes of the control API for an operator: accounts, their orders, and the log of a run's inputs."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from emulator.api.control import Run
from emulator.api.truth import NO_SUCH, Account, Limit, Symbol, judged
from emulator.gateway.back_office import AccountRow
from emulator.truth import TrueOrder

accounts = APIRouter(prefix="/accounts", tags=["accounts"])
orders = APIRouter(prefix="/orders", tags=["accounts"])
log = APIRouter(prefix="/log", tags=["log"])

Name = Annotated[str, Path(min_length=1, max_length=64)]
_OPENED = {"name": "mm", "keys": [{"key": "k", "secret": "s"}], "balances": {"spot": {"USDT": 1000}}}


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Funds(_Body):
    """Money for an account on one venue; an amount below 0 takes some away."""

    venue: str
    wallet: str = Field(description="spot or perp.")
    asset: str
    amount: str = Field(max_length=40, description="A decimal number.")


# ---------------------------------------------------------------- accounts
@accounts.get("")
async def list_accounts(run: Run) -> list[AccountRow]:
    """All there are, in the order of their opening, and what they have."""
    return run.back_office.accounts()


@accounts.post("", status_code=201)
async def create_account(run: Run, row: Annotated[dict[str, Any], Body(examples=[_OPENED])]) -> AccountRow:
    """Open one on every venue: a name, and keys and balances as in the setting `accounts`."""
    values = dict(row)
    with judged():
        return run.back_office.open(str(values.pop("name", "")), values)


@accounts.get("/{name}", responses=NO_SUCH)
async def read_account(run: Run, name: Name) -> AccountRow:
    """One."""
    with judged():
        return run.back_office.account(name)


@accounts.post("/{name}/fund", responses=NO_SUCH)
async def fund_account(run: Run, name: Name, funds: Funds) -> AccountRow:
    """Give it money, of which its sockets are told."""
    with judged():
        return run.back_office.fund(name, funds.venue, funds.wallet, funds.asset, funds.amount)


@accounts.post("/{name}/freeze", responses=NO_SUCH)
async def freeze_account(run: Run, name: Name) -> AccountRow:
    """Have its orders and amendments refused, in the venue's words; cancels go on. Idempotent."""
    with judged():
        return run.back_office.freeze(name, frozen=True)


@accounts.post("/{name}/thaw", responses=NO_SUCH)
async def thaw_account(run: Run, name: Name) -> AccountRow:
    """Have them taken again. Idempotent."""
    with judged():
        return run.back_office.freeze(name, frozen=False)


# ---------------------------------------------------------------- orders
@orders.get("")
async def list_orders(
    run: Run,
    venue: str,
    account: Account = None,
    symbol: Symbol = None,
    only_open: Annotated[bool, Query(description="Without those that ended.")] = True,  # a query's
    limit: Limit = 1_000,
) -> list[TrueOrder]:
    """Orders as they stand, oldest first."""
    with judged():
        return run.inspector.orders(venue, account, symbol, only_open=only_open, limit=limit)


@orders.delete("")
async def cancel_orders(
    run: Run, venue: str, account: Account = None, symbol: Symbol = None
) -> list[TrueOrder]:
    """Cancel open orders; answered with those that were, as they stand."""
    with judged():
        return run.back_office.cancel_all(venue, account, symbol)


@orders.delete("/{order_id}", responses=NO_SUCH)
async def cancel_order(run: Run, order_id: int, venue: str) -> TrueOrder:
    """Cancel one; answered with it as it stands."""
    with judged():
        return run.back_office.cancel(venue, order_id)


# ---------------------------------------------------------------- the log
@log.get("", response_class=Response, responses={200: {"content": {"application/x-ndjson": {}}}})
async def read_log(run: Run) -> Response:
    """The inputs of the run with their virtual instants, settings first, a line of JSON each: what it takes to have the
    run again (`Emulator.rerun`). The newest 100,000 are kept.
    """
    return Response(b"".join(run.log_lines()), media_type="application/x-ndjson")
