"""What trading on a market costs and needs, as a venue sets it: fees, leverage, margin, marks and settlements.

Tables and functions of time that a venue hands in; nothing here knows one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field

from reactor.exchange.orders import Settlement
from reactor.values import dataclass

SPOT, PERP = "spot", "perp"  # wallets


@dataclass(frozen=True, slots=True)
class MarginTier:
    """Positions up to this notional: the leverage allowed, and the maintenance margin: rate_e6 of the notional less
    `deduction_e8`, so that it is continuous from tier to tier.
    """

    notional_cap_e8: int
    max_leverage: int
    rate_e6: int
    deduction_e8: int = 0


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of one market.

    Fees are in 1e-6 of the notional (a maker's may be below 0). A spot buyer pays in what he receives where
    `fee_in_received`, else everybody pays in the quote asset. Fees and funding are whole multiples of `quote_step_e8`,
    or of `base_step_e8` where they are paid in the base asset, rounded up. A forced fill of a perp costs
    `liquidation_fee_e6` more, as far as the wallet goes. Perps are margined in `margin_asset` of the wallet PERP:
    `tiers` ascend, `default_leverage` holds until one is set, `mark_e8` is the mark price at an instant (1e-8 quote
    units), and `settlements` are those in (after_ns, upto_ns]. Where the market closes for good, positions are settled
    at `final_ticks` of that instant, which costs `final_fee_e6` (None: what a taker pays). Spot has none of these.
    """

    maker_fee_e6: int
    taker_fee_e6: int
    fee_in_received: bool = False
    quote_step_e8: int = 1
    base_step_e8: int = 1
    liquidation_fee_e6: int = 0
    max_open_orders: int = 200
    margin_asset: str = ""
    tiers: tuple[MarginTier, ...] = ()
    default_leverage: int = 20
    mark_e8: Callable[[int], int] | None = None
    settlements: Callable[[int, int], Sequence[Settlement]] | None = None
    final_ticks: Callable[[int], int] | None = None
    final_fee_e6: int | None = None


@dataclass(frozen=True, slots=True)
class House:
    """The rules of a venue's whole floor.

    `terms` by market id. Order ids count from `first_order_id`. `client_id` makes the id of an order whose owner
    gave none, from the order's; `closing_id` that of one that closes a position by force, `deleveraging_id` that of
    one that reduces a position in profit (for which, if it `deleveraging_cancels`, the account's open orders on the
    market go), `final_id` that of one that settles a position for good (None: as any other). `opening` is what a
    new account that opens by itself (`auto_fund`) is given, by (wallet, asset), in 1e-8. An account is called once
    its maintenance margin is more than `margin_call_e6` (1e-6) of what it is worth (0: never). Profit not yet
    realised may be taken out of the wallet PERP where `kept_notional_e6` (1e-6) of the notional of all positions
    stays; None: it may not. If it `keeps_rejected`, orders that are refused are kept and told of, but for those
    that bear the name of an open one. An account may have `max_waiting` orders that wait for a trigger. In a house
    where `triggers_apart` these are something else than orders, with names of their own; when the price comes an
    order with another id takes their place. Where it `holds_waiting`, what they need is held as for a resting order,
    at their own price, or at their trigger's where they come at the market.
    """

    terms: Mapping[str, Terms]
    first_order_id: int
    client_id: Callable[[int], str]
    opening: Mapping[tuple[str, str], int] = field(default_factory=dict)
    margin_call_e6: int = 0
    kept_notional_e6: int | None = None
    closing_id: Callable[[int], str] | None = None
    deleveraging_id: Callable[[int], str] | None = None
    final_id: Callable[[int], str] | None = None
    deleveraging_cancels: bool = False
    keeps_rejected: bool = False
    max_waiting: int = 200
    triggers_apart: bool = False
    holds_waiting: bool = False
