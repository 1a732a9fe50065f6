"""Hyperliquid's HTTP: POST /info and POST /exchange, each a table of request types.

Pure functions of (request, exchange, now): nothing here waits, remembers, or raises at a client's fault.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, TypeAlias

import orjson

from reactor.single_asset import HyperSynthReactor
from reactor.types import MS_NS
from venues.base import Exchange, HttpRequest, HttpResponse, VenueError
from venues.hyperliquid.rules import (
    BOOK,
    CANDLES,
    CANDLES_KEPT,
    COIN,
    DEX,
    FUNDINGS_A_REQUEST,
    INTERVALS,
    MAIN_DEX,
    PERIOD,
    USER,
    Card,
    Field,
    MalformedError,
    Perp,
    Shape,
    Spot,
    is_object,
    is_text,
    is_unsigned,
    offered,
    parse,
    read,
    render,
    tag,
    valid_grouping,
)
from venues.hyperliquid.wire import (
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

BOOK_LEVELS = 20


@dataclass(frozen=True, slots=True)
class View:
    """What an answer is made from."""

    card: Card
    exchange: Exchange
    now_ns: int

    @property
    def perps(self) -> list[Perp]:
        """The perpetuals this run offers; an asset's id is its place here."""
        return offered(self.card.perps, self.exchange)

    @property
    def spots(self) -> list[Spot]:
        """The spot pairs this run offers."""
        return offered(self.card.spots, self.exchange)

    def market(self, row: Perp | Spot) -> HyperSynthReactor:
        return self.exchange.world.market(row.instrument.market)


Fields: TypeAlias = Mapping[str, Any]
Answer: TypeAlias = Callable[[View, Fields], bytes]


# ---------------------------------------------------------------- /info
def _meta(view: View) -> bytes:
    universe = [
        {
            "szDecimals": perp.instrument.qty_decimals,
            "name": perp.instrument.symbol,
            "maxLeverage": perp.max_leverage,
            "marginTableId": perp.margin_table,
        }
        for perp in view.perps
    ]
    used = {perp.margin_table for perp in view.perps}
    tables = [[number, table] for number, table in view.card.margin_tables.items() if number in used]
    return _json({"universe": universe, "marginTables": tables, "collateralToken": 0})


def _spot_meta(view: View) -> bytes:
    universe = [
        {
            "tokens": spot.tokens,
            "name": spot.instrument.symbol,
            "index": spot.index,
            "isCanonical": spot.canonical,
        }
        for spot in view.spots
    ]
    return _json({"universe": universe, "tokens": view.card.tokens})


def _with_contexts(
    meta: Callable[[View], bytes], rows: Callable[[View], Sequence[Perp] | Sequence[Spot]]
) -> Answer:
    """A universe, and the contexts of what is in it."""

    def answer(view: View, _: Fields) -> bytes:
        end_ns = block_end(view.now_ns)
        texts = [contexts(row, view.exchange, [end_ns])[0] for row in rows(view)]
        return b"[%b,[%b]]" % (meta(view), b",".join(texts))

    return answer


def _main_dex(answer: Answer) -> Answer:
    """Only the main dex exists; a question about another one fails (a probe of 2026-09-24)."""

    def asked(view: View, fields: Fields) -> bytes:
        if fields["dex"] != MAIN_DEX:
            raise VenueError("internal")
        return answer(view, fields)

    return asked


def _l2_book(view: View, fields: Fields) -> bytes:
    if not valid_grouping(fields["nSigFigs"], fields["mantissa"]):
        raise VenueError("internal")
    market = view.exchange.market(fields["coin"])
    grouping = Grouping(fields["nSigFigs"], fields["mantissa"])
    return b"null" if market is None else book(market, view.now_ns, BOOK_LEVELS, grouping)


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

    return _json([[perp.instrument.symbol, rates(perp)] for perp in view.perps])


@dataclass(frozen=True, slots=True)
class Info:
    """A type of /info request: its fields beside `type`, and its answer as JSON."""

    shape: Shape
    answer: Answer


# The only list of /info types.
# https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/info-endpoint (2026-11)
INFO: Final[Mapping[str, Info]] = {
    "meta": Info(DEX, _main_dex(lambda view, _: _meta(view))),
    "metaAndAssetCtxs": Info(DEX, _main_dex(_with_contexts(_meta, lambda view: view.perps))),
    "spotMeta": Info({}, lambda view, _: _spot_meta(view)),
    "spotMetaAndAssetCtxs": Info({}, _with_contexts(_spot_meta, lambda view: view.spots)),
    "perpDexs": Info({}, lambda _view, _: b"[null]"),  # null stands for the main dex
    "allMids": Info(DEX, _main_dex(lambda view, _: _json(all_mids(view.exchange, view.now_ns)))),
    "l2Book": Info(BOOK, _l2_book),
    "recentTrades": Info(COIN, _recent_trades),
    "candleSnapshot": Info({"req": Field(is_object)}, _candles),
    "fundingHistory": Info({**COIN, **PERIOD}, _funding_history),
    "predictedFundings": Info({}, _predicted_fundings),
    "exchangeStatus": Info(
        {}, lambda view, _: _json({"specialStatuses": None, "time": view.now_ns // MS_NS})
    ),
    "userAbstraction": Info(USER, lambda _view, _: b'"default"'),
}


def _info(view: View, body: Any) -> bytes:
    info = INFO[tag(body, "type", INFO)]
    return info.answer(view, read(info.shape, body))


# ---------------------------------------------------------------- /exchange
SIGNED: Final[Shape] = {
    "action": Field(is_object),
    "nonce": Field(is_unsigned),
    "signature": Field(is_object),
}
SIGNATURE: Final[Shape] = {"r": Field(is_text), "s": Field(is_text), "v": Field(is_unsigned)}

# The only list of action types. True: changes nothing a client could see, and is granted. False: needs an account;
# there is none yet, so no signature is anybody's.
# https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/exchange-endpoint (2026-11)
ACTIONS: Final[Mapping[str, bool]] = {
    "approveBuilderFee": True,
    "setReferrer": True,
    **dict.fromkeys(
        (
            "agentEnableDexAbstraction",
            "agentSetAbstraction",
            "approveAgent",
            "batchModify",
            "cancel",
            "cancelByCloid",
            "createSubAccount",
            "modify",
            "multiSig",
            "noop",
            "order",
            "reserveRequestWeight",
            "scheduleCancel",
            "sendAsset",
            "spotSend",
            "subAccountTransfer",
            "topUpIsolatedOnlyMargin",
            "twapCancel",
            "twapOrder",
            "updateIsolatedMargin",
            "updateLeverage",
            "usdClassTransfer",
            "usdSend",
            "userSetAbstraction",
            "vaultTransfer",
            "withdraw3",
        ),
        False,
    ),
}


def _exchange(_view: View, body: Any) -> bytes:
    signed = read(SIGNED, body)
    read(SIGNATURE, signed["signature"])
    if ACTIONS[tag(signed["action"], "type", ACTIONS)]:
        return b'{"status":"ok","response":{"type":"default"}}'
    return _json({"status": "err", "response": render(VenueError("unknown_signer")).text})


# ---------------------------------------------------------------- one request
ROUTES: Final[Mapping[str, Callable[[View, Any], bytes]]] = {"/info": _info, "/exchange": _exchange}
CORS = ("access-control-allow-origin", "*")
PREFLIGHT = (CORS, ("access-control-allow-methods", "*"), ("access-control-allow-headers", "*"))


def handle(card: Card, exchange: Exchange, request: HttpRequest, now_ns: int) -> HttpResponse:
    """The answer to one HTTP request."""
    if request.method == "OPTIONS":
        return HttpResponse(200, b"", headers=PREFLIGHT)
    try:
        return HttpResponse(200, _handle(View(card, exchange, now_ns), request), headers=(CORS,))
    except VenueError as error:
        return refuse(error)


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


def post(card: Card, exchange: Exchange, kind: str, payload: Any, now_ns: int) -> bytes:
    """The `response` to a request posted over a socket; MalformedError if the message is none."""
    view = View(card, exchange, now_ns)
    if kind == "action":
        return b'{"type":"action","payload":%b}' % _exchange(view, payload)
    if kind != "info":
        raise MalformedError("unknown request")
    try:
        answer = _info(view, payload)
    except VenueError as error:
        status = render(error).status
        return _json({"type": "error", "payload": f"{status} {HTTPStatus(status).phrase}"})
    return b'{"type":"info","payload":{"type":"%b","data":%b}}' % (payload["type"].encode(), answer)


def _json(value: Any) -> bytes:
    return orjson.dumps(value)
