"""Orders, fills and accounts as values: what clients ask for, what becomes of it, what they are told.

A command is an input of a run: whoever applies the same commands at the same instants gets the same orders, fills and
balances. Everything is an integer (ticks, lots, nanoseconds; money in 1e-8 of its asset); words are the trade's own,
and a venue finds its wire's words for them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias, TypeVar

from reactor.types import Column, Side
from reactor.values import dataclass

FROZEN = "frozen"  # a fact that, while it is remembered of an account, has its orders and amendments refused
E8 = 10**8  # money: amounts are integers in 1e-8 of their asset
_E6 = 10**6
Prices = TypeVar("Prices", int, Column)


# ---------------------------------------------------------------- orders
class TimeInForce(StrEnum):
    """How long an order lives. A market order is immediate, whatever this says."""

    GTC = "gtc"  # until it is filled or cancelled
    IOC = "ioc"  # what cannot be filled at once expires
    FOK = "fok"  # all of it at once, or it expires
    POST_ONLY = "post_only"  # never takes: one that would is refused


class SelfTrade(StrEnum):
    """What becomes of orders of one account that would trade with each other."""

    NONE = "none"
    EXPIRE_TAKER = "expire_taker"
    EXPIRE_MAKER = "expire_maker"
    EXPIRE_BOTH = "expire_both"


class OrderStatus(StrEnum):
    """Where an order stands. All but the first three are its end."""

    WAITING = "waiting"  # for its trigger
    NEW = "new"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELLED = "cancelled"  # by its owner, or for him (a liquidation, a scheduled cancel)
    EXPIRED = "expired"  # by its own terms: IOC, FOK, a market order without liquidity, self-trade prevention
    REJECTED = "rejected"  # refused, in a house that keeps such orders, or when its trigger came
    TRIGGERED = (
        "triggered"  # and another order took its place, in a house where that one has an id of its own
    )

    @property
    def open(self) -> bool:
        """Whether it rests on the book."""
        return self in (OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED)


class Why(StrEnum):
    """Why an order ended other than by being filled."""

    ASKED = "asked"
    NOT_FILLED_AT_ONCE = "not_filled_at_once"  # IOC, FOK, market
    SELF_TRADE = "self_trade"
    REDUCED_ENOUGH = "reduced_enough"  # reduce-only, and there is nothing left to reduce
    LIQUIDATION = "liquidation"
    SCHEDULED = "scheduled"  # a dead man's switch
    DELISTED = "delisted"  # its market is no more
    MARGIN = "margin"  # at its fill there was not enough
    POSITION_CLOSED = "position_closed"  # it waited to close a position that is no more
    SIBLING_FILLED = "sibling_filled"  # another child of its parent was filled
    PARTNER_FIRST = "partner_first"  # the other one of its pair came first
    WITH_PARTNER = "with_partner"  # the other one of its pair was cancelled


class Gauge(StrEnum):
    """The price that a trigger is measured by."""

    LAST = "last"  # of the public tape, clients' own trades included
    MARK = "mark"


@dataclass(frozen=True, slots=True)
class Trail:
    """Has a trigger follow the price once that has come to it: then the order comes when the price has gone back from
    the best it has been at since, from the lowest up where it `rises`, from the highest down else, by `callback_e6`
    (1e-6) of that. One that follows `at_once` does so from where the price is when it is placed.
    """

    callback_e6: int
    rises: bool
    at_once: bool = False

    def stop(self, best: Prices) -> Prices:
        """The price that is far enough back from the best one, in its unit, rounded away from it; of each of them."""
        if self.rises:
            return -(-best * (_E6 + self.callback_e6) // _E6)
        return best * (_E6 - self.callback_e6) // _E6


@dataclass(frozen=True, slots=True)
class Trigger:
    """Has an order wait until the price is at `price_ticks`, or above it where it `rises`, below it else.

    The last price counts at the end of the tick in which it was traded, the mark when it is made. An order that
    `closes` has no quantity of its own: it takes what there is of the position when its price comes. One that is
    `with_position` ends when the account's position in its market does. One with a parent looks for no price before
    that order is filled, and is cancelled where it ends otherwise; of several children, the first that is filled has
    the others cancelled. One with a `trail` only begins to follow the price there; where it does so at once,
    `price_ticks` is the price at which it began.
    """

    price_ticks: int
    rises: bool
    gauge: Gauge = Gauge.LAST
    closes: bool = False
    with_position: bool = False
    parent_id: int | None = None
    trail: Trail | None = None

    def reached(self, low_ticks: int, high_ticks: int) -> bool:
        """Whether it is enough that the price has fallen to one of these, and risen to the other."""
        return high_ticks >= self.price_ticks if self.rises else low_ticks <= self.price_ticks


@dataclass(frozen=True, slots=True)
class NewOrder:
    """An order as asked for, with prices and quantities already judged by the venue's filters.

    `price_ticks` is None for a market order. Exactly one of `qty_lots` and `quote_units` (price_ticks * qty_lots to
    spend or to receive at the most: market orders only) is given, unless its `trigger` closes a position. `words` are
    the venue's own, kept with the order and repeated in what is told of it (names with values, in the venue's order).
    """

    account: str
    market: str
    side: Side
    price_ticks: int | None
    qty_lots: int | None
    quote_units: int | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    reduce_only: bool = False
    client_id: str = ""
    self_trade: SelfTrade = SelfTrade.EXPIRE_TAKER
    words: tuple[tuple[str, str], ...] = ()
    trigger: Trigger | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """An order and what has become of it. Replaced, never changed.

    `qty_lots` is what was asked for (for a market order by `quote_units`, what has been filled; 0 for one that closes a
    position, until its price comes); `filled_units` is the sum of price_ticks * qty_lots of its fills.
    `asked.client_id` is the venue's own where none was given. `working_ns` is when it last came onto the book. Where an
    order that waited and the one that took its place have ids of their own, each knows the other's (`into_id`,
    `from_id`). `trailing_ns` is since when its trigger follows the price.
    """

    id: int
    asked: NewOrder
    status: OrderStatus
    price_ticks: int | None
    qty_lots: int
    created_ns: int
    updated_ns: int
    working_ns: int
    filled_lots: int = 0
    filled_units: int = 0
    last_trade_id: int = -1
    why: Why | None = None
    refusal: Refusal | None = None  # of one that was rejected
    triggered_ns: int | None = None
    from_id: int | None = None
    into_id: int | None = None
    pair_id: int | None = None  # of one that was placed with another, which has the same
    trailing_ns: int | None = None

    @property
    def open_lots(self) -> int:
        """What is not filled yet."""
        return self.qty_lots - self.filled_lots

    def ended(self, status: OrderStatus, why: Why | None, at_ns: int) -> Order:
        """As it stands after its end; of one by `quote_units`, what was filled is what was asked for."""
        return Order(
            self.id,
            self.asked,
            status,
            self.price_ticks,
            self.qty_lots if self.asked.quote_units is None else self.filled_lots,
            self.created_ns,
            at_ns,
            self.working_ns,
            self.filled_lots,
            self.filled_units,
            self.last_trade_id,
            why,
            self.refusal,
            self.triggered_ns,
            self.from_id,
            self.into_id,
            self.pair_id,
            self.trailing_ns,
        )


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution of an order: a print of the public tape, with the same trade id.

    `fee_e8` was paid in `fee_asset` (below 0: a rebate); `realized_e8` is the profit it closed (perps). `liquidation`
    fills were forced, and so were `deleveraged` ones; `settled` ones closed positions of a market that is no more, of
    which nobody else was told.
    """

    trade_id: int
    order_id: int
    account: str
    market: str
    side: Side
    ts_ns: int
    price_ticks: int
    qty_lots: int
    maker: bool
    fee_e8: int
    fee_asset: str
    realized_e8: int = 0
    position_before_lots: int = 0
    liquidation: bool = False
    deleveraged: bool = False
    settled: bool = False


@dataclass(frozen=True, slots=True)
class Amendment:
    """What an order was changed from and to."""

    order_id: int
    ts_ns: int
    before_ticks: int | None
    before_lots: int
    price_ticks: int | None
    qty_lots: int


# ---------------------------------------------------------------- accounts
@dataclass(frozen=True, slots=True)
class Balance:
    """What an account has of an asset in a wallet ("spot" or "perp"): `locked_e8` is held for open spot orders."""

    wallet: str
    asset: str
    total_e8: int
    locked_e8: int = 0

    @property
    def free_e8(self) -> int:
        """What may be spent."""
        return self.total_e8 - self.locked_e8


@dataclass(frozen=True, slots=True)
class Position:
    """A one-way position: `lots` above 0 is long. `entry_units` is the sum of price_ticks * lots it was entered for,
    signed as `lots` is, so that the entry price is entry_units / lots ticks. `leverage` is whole. `funding_e8` is what
    was paid (above 0) since it was opened, `realized_e8` what the account has ever realised in the market.
    `isolated_e8` is the margin of its own of an isolated position, out of the account's wallet: 0 where it is flat,
    None of a crossed one, which stands on all that the account has.
    """

    market: str
    lots: int
    entry_units: int
    leverage: int
    updated_ns: int
    funding_e8: int = 0
    realized_e8: int = 0
    isolated_e8: int | None = None

    @property
    def isolated(self) -> bool:
        """Whether it has margin of its own."""
        return self.isolated_e8 is not None


@dataclass(frozen=True, slots=True)
class Settlement:
    """A funding settlement of a market: longs pay `rate_e12` (1e-12) of their notional at `price_e8` (below 0: get)."""

    ts_ns: int
    rate_e12: int
    price_e8: int


@dataclass(frozen=True, slots=True)
class FundingPayment:
    """What an account paid (above 0) or got at a settlement, for the position it then held."""

    account: str
    market: str
    settlement: Settlement
    lots: int
    paid_e8: int


@dataclass(frozen=True, slots=True)
class MarginMoved:
    """What an account gave an isolated position of its wallet, or took back (below 0), by hand."""

    market: str
    ts_ns: int
    amount_e8: int


# ---------------------------------------------------------------- commands: the inputs of a run
@dataclass(frozen=True, slots=True)
class PlaceOrder:
    """Place an order. Outcome: Done with the order as it stands after its first matching, or Refused. One that has a
    trigger waits; nothing but its form is judged before its price comes.
    """

    order: NewOrder


@dataclass(frozen=True, slots=True)
class PlacePair:
    """Place two orders of one account, market, side and quantity, of which one is enough: one rests and one waits, or
    both wait. When either is filled, if only in part, or its price comes, the other one expires; when one is cancelled,
    both are. Money is held for one of them, the dearer. Outcome: Done with both, or Refused.
    """

    first: NewOrder
    second: NewOrder

    @property
    def account(self) -> str:
        """Whose they are."""
        return self.first.account

    @property
    def market(self) -> str:
        """Where."""
        return self.first.market


@dataclass(frozen=True, slots=True)
class CancelOrder:
    """Cancel an open order, or one that waits, by its id, or by the owner's where `order_id` is None. Outcome: Done, or
    Refused.
    """

    account: str
    market: str
    order_id: int | None
    client_id: str = ""


@dataclass(frozen=True, slots=True)
class CancelAll:
    """Cancel the open orders of a market, or of all. Outcome: Done with the cancelled, oldest first (maybe none).

    Those that wait go with them, unless they are apart in this house (`House.triggers_apart`): then they are cancelled
    alone, where they are `waiting`.
    """

    account: str
    market: str | None = None
    waiting: bool = False


@dataclass(frozen=True, slots=True)
class MeetOrder:
    """Have somebody unknown fill what is open of an order, at its price, who came before whatever its owner asked for.
    Outcome: Done with the order, or Refused.
    """

    account: str
    market: str
    order_id: int | None
    client_id: str = ""


@dataclass(frozen=True, slots=True)
class AmendOrder:
    """Change price and total quantity of an open order, which keeps its id and, only where its quantity merely shrinks,
    its place in the queue. Outcome: Done with the order after matching, or Refused.
    """

    account: str
    market: str
    order_id: int
    price_ticks: int
    qty_lots: int


@dataclass(frozen=True, slots=True)
class SetLeverage:
    """Outcome: Done, or Refused (LEVERAGE, INSUFFICIENT_MARGIN, MARGIN_MODE: an isolated position keeps the margin it
    was opened with, so that its leverage cannot be lowered).
    """

    account: str
    market: str
    leverage: int


@dataclass(frozen=True, slots=True)
class SetMarginMode:
    """Have positions of a market be isolated from now on, or crossed. Outcome: Done, or Refused (NO_CHANGE, MARGIN_MODE
    where there is a position, or an order that needs margin).
    """

    account: str
    market: str
    isolated: bool


@dataclass(frozen=True, slots=True)
class MoveMargin:
    """Give an isolated position more margin out of the wallet (below 0: take back). Outcome: Done, or Refused
    (NO_POSITION, MARGIN_MODE where it is crossed, INSUFFICIENT_MARGIN where so much is not to spare).
    """

    account: str
    market: str
    amount_e8: int


@dataclass(frozen=True, slots=True)
class Deposit:
    """Money from nowhere (below 0: to nowhere); opens the account where there is none. Outcome: Done, or Refused."""

    account: str
    wallet: str
    asset: str
    amount_e8: int


@dataclass(frozen=True, slots=True)
class Transfer:
    """From one wallet to another, of one account or of two. Outcome: Done, or Refused."""

    account: str
    asset: str
    amount_e8: int
    source: str
    target: str
    to_account: str | None = None


@dataclass(frozen=True, slots=True)
class ScheduleCancel:
    """Cancel all of an account's orders at that instant, unless told otherwise before; None takes it back."""

    account: str
    at_ns: int | None


@dataclass(frozen=True, slots=True)
class Deleverage:
    """Close `share_e6` (1e-6) of an account's position by force, which must be in profit, to pay for others' losses: at
    its mark, for no fee. Outcome: Done with the order that did it, or Refused (NOTHING_TO_REDUCE, or what speaks
    against it).
    """

    account: str
    market: str
    share_e6: int


@dataclass(frozen=True, slots=True)
class Remember:
    """Keep a fact of the venue's own about an account (a key, a nonce, an agent); None forgets it.

    At `expires_ns` it is forgotten, and the account told (Forgotten).
    """

    account: str
    name: str
    value: str | None
    expires_ns: int | None = None


Command: TypeAlias = (
    PlaceOrder
    | PlacePair
    | CancelOrder
    | CancelAll
    | MeetOrder
    | AmendOrder
    | SetLeverage
    | SetMarginMode
    | MoveMargin
    | Deposit
    | Transfer
    | ScheduleCancel
    | Deleverage
    | Remember
)


class Refusal(StrEnum):
    """Why a command had no effect at all."""

    UNKNOWN_ORDER = "unknown_order"  # never placed, or no longer open
    DUPLICATE_CLIENT_ID = "duplicate_client_id"  # of an order that is open
    INSUFFICIENT_BALANCE = "insufficient_balance"
    INSUFFICIENT_MARGIN = "insufficient_margin"
    WOULD_TAKE = "would_take"  # post-only
    NO_LIQUIDITY = "no_liquidity"  # a market order meets an empty book
    NOTHING_TO_REDUCE = "nothing_to_reduce"
    TOO_MANY_ORDERS = "too_many_orders"
    TOO_MANY_WAITING = "too_many_waiting"  # for their triggers
    WOULD_TRIGGER = "would_trigger"  # at once: the price is there already
    NO_POSITION = "no_position"  # to wait with
    LEVERAGE = "leverage"  # out of the market's range, or the position is too large for it
    MARGIN_MODE = (
        "margin_mode"  # not of a crossed position, or not of an isolated one, or not while there is any
    )
    NO_CHANGE = "no_change"  # of what is so already
    FROZEN = "frozen"  # the account may not trade
    HALTED = "halted"  # nobody trades on the market for now
    CALLED = "called"  # an auction is being called: only orders that make are taken
    CLOSED = "closed"  # the market is no more


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing happened, but that some houses keep the order (`House.keeps_rejected`). `best_bid_ticks` and
    `best_ask_ticks` are what it met (0: an empty side).
    """

    refusal: Refusal
    best_bid_ticks: int = 0
    best_ask_ticks: int = 0


@dataclass(frozen=True, slots=True)
class Done:
    """What a command did: the orders it placed or ended, and the fills it had at once."""

    orders: tuple[Order, ...] = ()
    fills: tuple[Fill, ...] = ()

    @property
    def order(self) -> Order:
        """The only one."""
        (order,) = self.orders
        return order


Outcome: TypeAlias = Done | Refused


# ---------------------------------------------------------------- what an account is told, in order
@dataclass(frozen=True, slots=True)
class OrderPlaced:
    """It was accepted: as it stands before any fill. One with a trigger waits."""

    order: Order


@dataclass(frozen=True, slots=True)
class OrderTrails:
    """Its trigger follows the price from now on; not told of one that does so when it is placed."""

    order: Order


@dataclass(frozen=True, slots=True)
class OrderTriggered:
    """The price came that it waited for. What becomes of it then is told next."""

    order: Order


@dataclass(frozen=True, slots=True)
class OrderFilled:
    """One fill, and the order as it stands after it."""

    order: Order
    fill: Fill


@dataclass(frozen=True, slots=True)
class OrderEnded:
    """It was cancelled, expired (order.why says why) or rejected (order.refusal does)."""

    order: Order


@dataclass(frozen=True, slots=True)
class OrderAmended:
    """Its price or quantity changed."""

    order: Order
    before: Order


@dataclass(frozen=True, slots=True)
class MoneyMoved:
    """Balances changed, and positions with them: those that did, as they stand now. `cause` says by what."""

    cause: str  # "order" | "funding" | "deposit" | "transfer" | "liquidation"
    balances: tuple[Balance, ...]
    positions: tuple[Position, ...] = ()
    delta_e8: tuple[int, ...] = ()  # of each balance's total


@dataclass(frozen=True, slots=True)
class Funded:
    """Funding was settled."""

    payment: FundingPayment


@dataclass(frozen=True, slots=True)
class LeverageSet:
    """It was changed."""

    market: str
    leverage: int


@dataclass(frozen=True, slots=True)
class MarginCalled:
    """Its maintenance margin is nearly used up."""

    positions: tuple[Position, ...]


@dataclass(frozen=True, slots=True)
class Liquidated:
    """Positions are closed by force: what the account was worth then, and what it needed."""

    equity_e8: int
    maintenance_e8: int
    positions: tuple[Position, ...]


@dataclass(frozen=True, slots=True)
class Forgotten:
    """A remembered fact expired."""

    name: str
    value: str


News: TypeAlias = (
    OrderPlaced
    | OrderTrails
    | OrderTriggered
    | OrderFilled
    | OrderEnded
    | OrderAmended
    | MoneyMoved
    | Funded
    | LeverageSet
    | MarginCalled
    | Liquidated
    | Forgotten
)


@dataclass(frozen=True, slots=True)
class Told:
    """One piece of news of an account, and the boundary at which it is told. `number` counts all news of a floor."""

    account: str
    ts_ns: int
    number: int
    news: News
