"""The trading floor of one venue: commands in, outcomes and news out, in virtual time.

A floor is a function of its commands and their instants, and of the tape. It is told of time by `advance` and says
itself when something next happens without a command (`next_ns`): a fill of a resting order, a settlement, a
liquidation, the end of something remembered. Whoever drives it calls `advance` at every such instant, and before every
command.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from reactor.exchange.orders import (
    Amendment,
    Balance,
    Command,
    Fill,
    FundingPayment,
    MarginMoved,
    Order,
    Outcome,
    Position,
    Told,
)
from reactor.single_asset import HyperSynthReactor
from reactor.unified_market import Fate


class Floor(Protocol):
    """What venues and the desk know of a trading floor. Queries are of where it stands; none raises on an unknown
    account, which has nothing.
    """

    # ------------------------------------------------------------ in time
    def advance(self, upto_ns: int) -> None:
        """Live through (where it stands, upto_ns], a boundary."""
        ...

    def next_ns(self) -> int | None:
        """The next boundary at which something happens by itself; None while nothing is foreseen."""
        ...

    def apply(self, command: Command, now_ns: int) -> Outcome:
        """Carry out a command at a boundary that has been advanced to. Never raises on what a client may ask."""
        ...

    def news(self) -> Sequence[Told]:
        """What happened since it was last asked, in order; asking empties it."""
        ...

    def changed_markets(self) -> Mapping[str, int]:
        """Markets whose public face is no longer as foreseen, since last asked, and from which boundary on: pages made
        of what comes after it are stale. Asking empties it.
        """
        ...

    def market(self, market: str) -> HyperSynthReactor:
        """A market's public face: its tape with clients' orders laid over it. Always the same one, until something
        befalls the market; to be read from any thread. KeyError if the run has none.
        """
        ...

    def befall(self, market: str, fate: Fate) -> None:
        """Have this befall a market from where the floor stands on, for all who see the floor's world. Its public face
        is another one then.
        """
        ...

    def prepare(self, at_ns: int) -> None:
        """Work out what commands at an instant will ask of the tape, on markets that are traded: so that they need not
        wait for it. From any thread; changes nothing.
        """
        ...

    # ------------------------------------------------------------ kept and taken up again
    def state(self) -> object:
        """All that a floor of the same house and world must be told to go on from here, its news having been asked for:
        one frozen dataclass of plain values, which JSON can carry and its type hints bring back. Made of frozen parts,
        so that it costs little and another thread may write it down.
        """
        ...

    # ------------------------------------------------------------ accounts
    def accounts(self) -> Sequence[str]:
        """All accounts, in the order of their opening."""
        ...

    def exists(self, account: str) -> bool: ...

    def balances(self, account: str) -> Sequence[Balance]:
        """All balances that were ever other than 0, in order of their first being so."""
        ...

    def balance(self, account: str, wallet: str, asset: str) -> Balance:
        """One balance, 0 where there is none."""
        ...

    def position(self, account: str, market: str) -> Position:
        """One position, flat where there is none; its leverage is the one in force."""
        ...

    def positions(self, account: str) -> Sequence[Position]:
        """All positions that are not flat, in the house's order of markets."""
        ...

    def leverage(self, account: str, market: str) -> int: ...

    def order(self, account: str, market: str, order_id: int | None, client_id: str = "") -> Order | None:
        """An order by its id, or by the owner's: the newest of that name. Ended ones too."""
        ...

    def open_orders(self, account: str, market: str | None = None) -> Sequence[Order]:
        """Oldest first."""
        ...

    def waiting_orders(self, account: str, market: str | None = None) -> Sequence[Order]:
        """Those that wait for a trigger, oldest first."""
        ...

    def orders(self, account: str, market: str | None = None) -> Sequence[Order]:
        """All there were, oldest first; of ended ones the newest ORDERS_KEPT."""
        ...

    def fills(self, account: str, market: str | None = None) -> Sequence[Fill]:
        """Oldest first; the newest FILLS_KEPT."""
        ...

    def fundings(self, account: str) -> Sequence[FundingPayment]:
        """Oldest first; the newest FILLS_KEPT."""
        ...

    def amendments(self, account: str, order_id: int) -> Sequence[Amendment]:
        """Of one order, oldest first; of the account's newest ORDERS_KEPT."""
        ...

    def margins_moved(self, account: str, market: str) -> Sequence[MarginMoved]:
        """What was given to and taken from its isolated positions by hand, oldest first; the newest FILLS_KEPT."""
        ...

    def remembered(self, account: str, name: str) -> str | None:
        """A fact of the venue's own."""
        ...

    def facts(self, account: str) -> Mapping[str, str]:
        """All of them, in the order of being remembered."""
        ...

    # ------------------------------------------------------------ margin (perps), at the marks of where it stands
    def mark_e8(self, market: str) -> int: ...

    def equity_e8(self, account: str, asset: str) -> int:
        """Wallet balance and unrealised profit of the cross-margined perps."""
        ...

    def unrealized_e8(self, account: str, market: str) -> int: ...

    def position_margin_e8(self, account: str, market: str) -> int:
        """Initial margin of the position, at its leverage."""
        ...

    def order_margin_e8(self, account: str, market: str) -> int:
        """Initial margin held for open orders."""
        ...

    def maintenance_e8(self, account: str, market: str) -> int: ...

    def available_e8(self, account: str, asset: str) -> int:
        """What may be used for new orders."""
        ...

    def withdrawable_e8(self, account: str, wallet: str, asset: str) -> int:
        """What may be taken out of a wallet, to another or for good."""
        ...

    def liquidation_price_e8(self, account: str, market: str) -> int | None:
        """The mark at which a cross-margined position would be liquidated, all else standing still; None for never."""
        ...
