"""Hyperliquid's HTTP: POST /info and POST /exchange, each a table of request types.

Pure functions of (request, exchange, now): nothing here waits, remembers, or raises at a client's fault.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final, TypeAlias

import orjson

from reactor.single_asset import HyperSynthReactor
from reactor.types import MS_NS, SECOND_NS
from reactor.values import dataclass
from reactor.veils import Phase
from venues.base import Exchange, HttpRequest, HttpResponse, VenueError
from venues.hyperliquid.actions import act
from venues.hyperliquid.info_user import INFO_USER, mention, web_data2
from venues.hyperliquid.info_user import answer as answer_of
from venues.hyperliquid.rules import (
    A_DEX,
    BATCH_PER_WEIGHT,
    BATCHES,
    BOOK,
    CANDLES,
    CANDLES_KEPT,
    COIN,
    DEX,
    FUNDINGS_A_REQUEST,
    INFO_WEIGHT,
    INFO_WEIGHTS,
    INTERVALS,
    ITEMS_PER_WEIGHT,
    MAIN_DEX,
    PERIOD,
    TABLE,
    TOKEN,
    USER,
    WEIGHT,
    Card,
    Dex,
    Field,
    MalformedError,
    Perp,
    Shape,
    Spot,
    dexs_of,
    funding_of,
    is_address,
    is_object,
    offered,
    parse,
    perps_of,
    read,
    render,
    tag,
    valid_grouping,
)
from venues.hyperliquid.wire import (
    RATE,
    RECENT_TRADES,
    Grouping,
    all_mids,
    block_end,
    book,
    candles,
    contexts,
    funding_records,
    predicted_funding,
    recent_trades,
)
from venues.hyperliquid.wire_user import Book
from venues.limits import Moment
from venues.sheets import latest

BOOK_LEVELS = 20


@dataclass(frozen=True, slots=True)
class View:
    """What an answer is made from, and whose limits it counts against. `ahead_ns` is how far the venue's own clock is
    ahead, as clients see it.
    """

    card: Card
    exchange: Exchange
    client: str
    at: Moment
    program: str = ""  # what the client says it is
    ahead_ns: int = 0

    @property
    def speaker(self) -> str:
        """Who asks and signs: programs on one machine may be different traders."""
        return f"{self.client} {self.program}"

    @property
    def now_ns(self) -> int:
        return self.at.now_ns

    def charge(self, weight: int) -> None:
        """Count a request; VenueError when it is too much."""
        if self.exchange.usage.charge(WEIGHT, self.client, weight, self.at).refused:
            raise VenueError("too_many_requests")

    @property
    def perps(self) -> list[Perp]:
        """The perpetuals of all dexs this run offers."""
        return offered(self.card.perps, self.exchange)

    @property
    def dexs(self) -> list[Dex]:
        """The builders' dexs it has."""
        return dexs_of(self.card, self.exchange)

    def universe(self, dex: str) -> list[Perp]:
        """The perpetuals of a dex; VenueError if there is none of this name."""
        if dex not in (MAIN_DEX, *(row.name for row in self.dexs)):
            raise VenueError("internal")  # a probe of 2026-09-24
        return perps_of(self.card, self.exchange, dex)

    @property
    def spots(self) -> list[Spot]:
        """The spot pairs this run offers."""
        return offered(self.card.spots, self.exchange)

    @property
    def accounts(self) -> Book:
        """The same as accounts see it."""
        return Book(self.card, self.exchange)

    def phase(self, symbol: str) -> Phase:
        """What may be done on a market now."""
        return self.exchange.phase(symbol, self.now_ns)

    def market(self, row: Perp | Spot) -> HyperSynthReactor:
        return self.exchange.world.market(row.instrument.market)


Fields: TypeAlias = Mapping[str, Any]
Answer: TypeAlias = Callable[[View, Fields], bytes]


# ---------------------------------------------------------------- /info
def _meta(view: View, dex: str) -> dict[str, Any]:
    perps = view.universe(dex)
    universe = [
        {
            "szDecimals": perp.instrument.qty_decimals,
            "name": perp.instrument.symbol,
            "maxLeverage": perp.max_leverage,
            "marginTableId": perp.margin_table,
            **perp.more,
            **({"isDelisted": True} if view.phase(perp.instrument.symbol) is Phase.CLOSED else {}),
        }
        for perp in perps
    ]
    used = {perp.margin_table for perp in perps}
    tables = [[number, table] for number, table in view.card.margin_tables.items() if number in used]
    return {"universe": universe, "marginTables": tables, "collateralToken": 0}


def _all_perp_metas(view: View, _: Fields) -> bytes:
    """Each dex's `meta`, as they come in `perpDexs`, without contexts (a probe of 2026-09-24)."""
    return _json([_meta(view, dex) for dex in (MAIN_DEX, *(dex.name for dex in view.dexs))])


def _perp_dexs(view: View, _: Fields) -> bytes:
    """Keys as answered on 2026-09-24 and 2026-10-06; null stands for the main dex."""

    def told(dex: Dex) -> dict[str, Any]:
        perps = sorted(view.universe(dex.name), key=lambda perp: perp.instrument.symbol)
        coins = [perp.instrument.symbol for perp in perps]
        shares = [RATE.text(funding_of(perp.instrument).multiplier_e3 * 10**7) for perp in perps]
        return {
            "name": dex.name,
            "fullName": dex.full_name,
            "deployer": dex.deployer,
            "oracleUpdater": None,
            "feeRecipient": dex.fee_recipient,
            "assetToStreamingOiCap": [[coin, dex.oi_caps[coin]] for coin in coins],
            "subDeployers": [],
            "assetToFundingMultiplier": [list(pair) for pair in zip(coins, shares, strict=True)],
            "assetToFundingInterestRate": [],
            "assetToFundingClamp": [],
        }

    return _json([None, *map(told, view.dexs)])


def _perp_dex_limits(view: View, fields: Fields) -> bytes:
    """Null for the main dex and those there are not."""
    for dex in view.dexs:
        if dex.name == fields["dex"]:
            return _json(
                {
                    "totalOiCap": dex.total_oi_cap,
                    "oiSzCapPerPerp": dex.size_cap,
                    "maxTransferNtl": dex.transfer_cap,
                    "coinToOiCap": [list(pair) for pair in dex.oi_caps.items()],
                }
            )
    return b"null"


def _margin_table(view: View, fields: Fields) -> bytes:
    """A table below 50 is no table: its number is the leverage it allows at any size."""
    number = fields["id"]
    if number in view.card.margin_tables:
        return _json(view.card.margin_tables[number])
    if not 0 < number < 50:
        raise VenueError("internal")
    return _json({"description": "", "marginTiers": [{"lowerBound": "0.0", "maxLeverage": number}]})


_AUCTION_S = 111_600  # 31 hours


def _auction(view: View, _: Fields) -> bytes:
    """A gas auction in which nobody bids: another one begins as it ends, at the least price there is.

    https://hyperliquid.gitbook.io/hyperliquid-docs/hyperliquid-improvement-proposals-hips/hip-1-native-token-standard
    (2026-11); keys and their order as in docs.chainstack.com (2026-02).
    """
    return _json(_running_auction(view))


def _running_auction(view: View) -> dict[str, Any]:
    now_s = view.now_ns // SECOND_NS
    return {
        "startTimeSeconds": now_s // _AUCTION_S * _AUCTION_S,
        "durationSeconds": _AUCTION_S,
        "startGas": "500.0",
        "currentGas": "500.0",
        "endGas": None,
    }


def _token_details(view: View, fields: Fields) -> bytes:
    """Keys as in docs.chainstack.com (2026-10); prices are those of the token's pair with the first one, and no more of
    it can be there than there is.
    """
    for token in view.card.tokens:
        if token["tokenId"] == fields["tokenId"].lower():
            return _json(_details(view, token))
    raise VenueError("internal")


def _details(view: View, token: Mapping[str, Any]) -> dict[str, Any]:
    pairs = [spot for spot in view.card.spots if spot.tokens[0] == token["index"]]
    supply = (
        {"total": pairs[0].total_supply, "circulating": pairs[0].circulating_supply} if pairs else _DOLLARS
    )
    told = [spot for spot in pairs if spot in view.spots]
    prices = dict.fromkeys(("midPx", "markPx", "prevDayPx"), "1.0")
    if pairs:
        texts = [contexts(spot, view.exchange, [block_end(view.now_ns)])[0] for spot in told]
        prices = {key: text[key] for text in map(orjson.loads, texts) for key in prices}
    return {
        "name": token["name"],
        "maxSupply": supply["total"],
        "totalSupply": supply["total"],
        "circulatingSupply": supply["circulating"],
        "szDecimals": token["szDecimals"],
        "weiDecimals": token["weiDecimals"],
        **prices,
        "genesis": None,
        "deployer": None,
        "deployGas": None,
        "deployTime": None,
        "seededUsdc": "0.0",
        "nonCirculatingUserBalances": [],
        "futureEmissions": "0.0",
    }


_DOLLARS: Final = dict.fromkeys(
    ("total", "circulating"), "4352925534.7421636581"
)  # docs.chainstack.com, 2026-10


def _spot_meta(view: View) -> dict[str, Any]:
    universe = [
        {
            "tokens": spot.tokens,
            "name": spot.instrument.symbol,
            "index": spot.index,
            "isCanonical": spot.canonical,
        }
        for spot in view.spots
    ]
    return {"universe": universe, "tokens": view.card.tokens}


def _with_contexts(view: View, meta: Mapping[str, Any], rows: Sequence[Perp] | Sequence[Spot]) -> bytes:
    """A universe, and the contexts of what is in it."""
    end_ns = block_end(view.now_ns)
    texts = [contexts(row, view.exchange, [end_ns])[0] for row in rows]
    return b"[%b,[%b]]" % (_json(meta), b",".join(texts))


def _meta_and_contexts(view: View, fields: Fields) -> bytes:
    return _with_contexts(view, _meta(view, fields["dex"]), view.universe(fields["dex"]))


def _all_mids(view: View, fields: Fields) -> bytes:
    view.universe(fields["dex"])
    return _json(all_mids(view.exchange, view.now_ns, fields["dex"]))


def _web_data2(view: View, fields: Fields) -> bytes:
    """An account, the main dex and spot at once."""
    if view.exchange.trading is None:
        raise VenueError("internal")  # there are only data
    user = fields["user"].lower()
    mention(view.accounts, user, view.now_ns, view.speaker)
    meta, perps = orjson.loads(_meta_and_contexts(view, {"dex": MAIN_DEX}))
    _, spots = orjson.loads(_with_contexts(view, _spot_meta(view), view.spots))
    markets = {"meta": meta, "assetCtxs": perps, "spotAssetCtxs": spots}
    return _json(web_data2(view.accounts, user, markets, view.now_ns))


def _none_of_a_dex(view: View, fields: Fields) -> bytes:
    """Of the perpetuals of a dex none is so."""
    view.universe(fields["dex"])
    return b"[]"


def _dex_status(view: View, fields: Fields) -> bytes:
    """Nobody has deposited anything."""
    view.universe(fields["dex"])
    return _json({"totalNetDeposit": "0.0"})


def _l2_book(view: View, fields: Fields) -> bytes:
    if not valid_grouping(fields["nSigFigs"], fields["mantissa"]):
        raise VenueError("internal")
    market = view.exchange.market(fields["coin"])
    grouping = Grouping(fields["nSigFigs"], fields["mantissa"])
    if market is None:
        return b"null"
    make = lambda: book(market, view.now_ns, BOOK_LEVELS, grouping)
    return latest(market, block_end(view.now_ns), (BOOK_LEVELS, grouping), make)


def _recent_trades(view: View, fields: Fields) -> bytes:
    market = view.exchange.market(fields["coin"])
    if market is None:
        raise VenueError("internal")
    return b"[%b]" % b",".join(reversed(recent_trades(market, view.now_ns, RECENT_TRADES)))


def _period(view: View, fields: Fields) -> tuple[int, int]:
    """[start, stop) in ns, never beyond now; a period's end belongs to it, and is now if absent."""
    start_ms, end_ms = fields["startTime"], fields["endTime"]
    stop_ns = view.now_ns if end_ms is None else min((end_ms + 1) * MS_NS, view.now_ns)
    return min(start_ms * MS_NS, view.now_ns), stop_ns


def _candles(view: View, fields: Fields) -> bytes:
    """From the candle that contains the start to the last one that opens by the end.

    672 quarters of an hour from within one are 673 candles (measured on 2025-12-31), and the end is inclusive
    (gocryptotrader exchanges/hyperliquid, 2026-10). What the venue says of a coin it does not list is not known.
    """
    asked = read(CANDLES, fields["req"])
    market = view.exchange.market(asked["coin"])
    if market is None:
        raise VenueError("internal")
    start_ns, stop_ns = _period(view, asked)
    if start_ns >= stop_ns:
        return b"[]"
    first_ns = INTERVALS[asked["interval"]].start(start_ns)
    return b"[%b]" % b",".join(
        candles(market, asked["interval"], first_ns, stop_ns, CANDLES_KEPT, view.now_ns)
    )


def _funding_history(view: View, fields: Fields) -> bytes:
    """The oldest of the period; an error for spot, which has none.

    https://github.com/hyperliquid-dex/hyperliquid-python-sdk/issues/32, 2024-04-30.
    """
    perps = [perp for perp in view.perps if perp.instrument.symbol == fields["coin"]]
    if not perps:
        raise VenueError("internal")
    start_ns, stop_ns = _period(view, fields)
    return b"[%b]" % b",".join(funding_records(view.market(perps[0]), start_ns, stop_ns, FUNDINGS_A_REQUEST))


def _predicted_fundings(view: View, _: Fields) -> bytes:
    """Of the other venues' rates nothing is known here."""

    def rates(perp: Perp) -> list[Any]:
        own = predicted_funding(view.market(perp), view.now_ns)
        return [["BinPerp", None], ["HlPerp", own], ["BybitPerp", None]]

    return _json([[perp.instrument.symbol, rates(perp)] for perp in view.universe(MAIN_DEX)])


@dataclass(frozen=True, slots=True)
class Info:
    """A type of /info request: its fields beside `type`, and its answer as JSON."""

    shape: Shape
    answer: Answer


# The only list of /info types.
# https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/info-endpoint (2026-11)
INFO: Final[Mapping[str, Info]] = {
    "meta": Info(DEX, lambda view, fields: _json(_meta(view, fields["dex"]))),
    "metaAndAssetCtxs": Info(DEX, _meta_and_contexts),
    "allPerpMetas": Info({}, _all_perp_metas),
    "marginTable": Info(TABLE, _margin_table),
    "spotMeta": Info({}, lambda view, _: _json(_spot_meta(view))),
    "spotMetaAndAssetCtxs": Info({}, lambda view, _: _with_contexts(view, _spot_meta(view), view.spots)),
    "tokenDetails": Info(TOKEN, _token_details),
    "perpDexs": Info({}, _perp_dexs),
    "perpDexLimits": Info(A_DEX, _perp_dex_limits),
    "perpDexStatus": Info(A_DEX, _dex_status),
    "perpsAtOpenInterestCap": Info(DEX, _none_of_a_dex),
    "perpDeployAuctionStatus": Info({}, _auction),
    "spotPairDeployAuctionStatus": Info({}, _auction),
    "spotDeployState": Info(
        USER, lambda view, _: _json({"states": [], "gasAuction": _running_auction(view)})
    ),
    "outcomeMeta": Info({}, lambda _view, _: b'{"outcomes":[],"questions":[]}'),
    "vaultSummaries": Info({}, lambda _view, _: b"[]"),
    "vaultDetails": Info({"vaultAddress": Field(is_address)}, lambda _view, _: b"null"),
    "liquidatable": Info({}, lambda _view, _: b"[]"),
    "allMids": Info(DEX, _all_mids),
    "webData2": Info(USER, _web_data2),
    "l2Book": Info(BOOK, _l2_book),
    "recentTrades": Info(COIN, _recent_trades),
    "candleSnapshot": Info({"req": Field(is_object)}, _candles),
    "fundingHistory": Info({**COIN, **PERIOD}, _funding_history),
    "predictedFundings": Info({}, _predicted_fundings),
    "exchangeStatus": Info(
        {},
        lambda view, _: _json({"specialStatuses": None, "time": (view.now_ns + view.ahead_ns) // MS_NS}),
    ),
}


QUESTIONS: Final = frozenset({*INFO, *INFO_USER})


def _info(view: View, body: Any) -> bytes:
    kind = tag(body, "type", QUESTIONS)
    fields = read(INFO_USER[kind][0] if kind in INFO_USER else INFO[kind].shape, body)
    view.charge(INFO_WEIGHTS.get(kind, INFO_WEIGHT))
    answer = _of_account(view, kind, fields) if kind in INFO_USER else INFO[kind].answer(view, fields)
    if kind in ITEMS_PER_WEIGHT:  # it is known only now, and counts for the next one
        items = len(orjson.loads(answer))
        view.exchange.usage.charge(WEIGHT, view.client, items // ITEMS_PER_WEIGHT[kind], view.at)
    return answer


def _of_account(view: View, kind: str, fields: Fields) -> bytes:
    if view.exchange.trading is None:
        raise VenueError("internal")  # there are only data
    return _json(answer_of(view.accounts, kind, fields, view.now_ns, view.speaker))


# ---------------------------------------------------------------- /exchange
def _exchange(view: View, body: Any) -> bytes:
    action = read({"action": Field(is_object)}, body)["action"]
    batch = max(len(action[name]) if isinstance(action.get(name), list) else 0 for name in BATCHES)
    view.charge(1 + batch // BATCH_PER_WEIGHT)
    return act(view.accounts, body, view.now_ns, view.speaker, view.ahead_ns)


# ---------------------------------------------------------------- one request
ROUTES: Final[Mapping[str, Callable[[View, Any], bytes]]] = {"/info": _info, "/exchange": _exchange}
CORS = ("access-control-allow-origin", "*")
PREFLIGHT = (CORS, ("access-control-allow-methods", "*"), ("access-control-allow-headers", "*"))


def handle(card: Card, exchange: Exchange, request: HttpRequest, now_ns: int) -> HttpResponse:
    """The answer to one HTTP request."""
    if request.method == "OPTIONS":
        return HttpResponse(200, b"", headers=PREFLIGHT)
    try:
        at, program = Moment(now_ns, request.wall_ns), program_of(request)
        view = View(card, exchange, request.client, at, program, request.ahead_ns)
        return HttpResponse(200, _handle(view, request), headers=(CORS,))
    except VenueError as error:
        return refuse(error)


def program_of(request: HttpRequest) -> str:
    """What a client says it is."""
    return request.headers.get("user-agent", "")


def refuse(error: VenueError) -> HttpResponse:
    """An error as an HTTP answer."""
    refusal = render(error)
    return HttpResponse(refusal.status, refusal.text.encode(), refusal.content_type, (CORS,))


def _handle(view: View, request: HttpRequest) -> bytes:
    if request.path not in ROUTES:
        raise VenueError("not_found")
    if request.method != "POST":
        raise VenueError("wrong_method")
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise VenueError("wrong_content_type")
    try:
        body = parse(request.body)
    except MalformedError as error:
        raise VenueError("broken_json") from error
    try:
        return ROUTES[request.path](view, body)
    except MalformedError as error:
        raise VenueError("ill_typed") from error


def post(view: View, kind: str, payload: Any) -> bytes:
    """The `response` to a request posted over a socket; MalformedError if the message is none."""
    if kind not in ("action", "info"):
        raise MalformedError("unknown request")
    try:
        if kind == "action":
            return b'{"type":"action","payload":%b}' % _exchange(view, payload)
        answer = _info(view, payload)
    except VenueError as error:
        status = render(error).status
        return _json({"type": "error", "payload": f"{status} {HTTPStatus(status).phrase}"})
    return b'{"type":"info","payload":{"type":"%b","data":%b}}' % (payload["type"].encode(), answer)


def _json(value: Any) -> bytes:
    return orjson.dumps(value)
