"""Hyperliquid's HTTP: POST /info and POST /exchange, each a table of request types.

Pure functions of (request, exchange, now): nothing here waits, remembers, or raises at a client's fault.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, TypeAlias

import orjson

from reactor.types import MS_NS
from venues.base import Exchange, HttpRequest, HttpResponse, VenueError
from venues.hyperliquid.rules import (
    BOOK,
    COIN,
    DEX,
    USER,
    Card,
    Field,
    MalformedError,
    Perp,
    Shape,
    is_object,
    is_text,
    is_unsigned,
    parse,
    read,
    render,
    tag,
    valid_grouping,
)
from venues.hyperliquid.wire import Grouping, asset_context, book, mid_price, recent_trades

Fields: TypeAlias = Mapping[str, Any]
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
        return [perp for perp in self.card.perps if perp.instrument.symbol in self.exchange.markets]


# ---------------------------------------------------------------- /info
def _meta(view: View) -> dict[str, Any]:
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
    return {"universe": universe, "marginTables": tables, "collateralToken": 0}


def _contexts(view: View) -> list[dict[str, Any]]:
    markets = (view.exchange.world.market(perp.instrument.market) for perp in view.perps)
    return [asset_context(market, view.now_ns) for market in markets]


def _spot_meta(view: View) -> dict[str, Any]:
    return {"universe": [], "tokens": view.card.tokens}  # no spot pair is listed yet


def _main_dex(answer: Callable[[View], Any]) -> Callable[[View, Fields], bytes]:
    """Only the main dex exists; of any other there is nothing to tell."""
    return lambda view, fields: _json(answer(view) if fields["dex"] == "" else None)


def _l2_book(view: View, fields: Fields) -> bytes:
    if not valid_grouping(fields["nSigFigs"], fields["mantissa"]):
        raise VenueError("internal")
    market = view.exchange.market(fields["coin"])
    grouping = Grouping(fields["nSigFigs"], fields["mantissa"])
    return b"null" if market is None else book(market, view.now_ns, BOOK_LEVELS, grouping)


def _recent_trades(view: View, fields: Fields) -> bytes:
    market = view.exchange.market(fields["coin"])
    return b"null" if market is None else b"[%b]" % b",".join(reversed(recent_trades(market, view.now_ns)))


def _mids(view: View) -> dict[str, str]:
    return {market.instrument.symbol: mid_price(market, view.now_ns) for market in view.exchange}


@dataclass(frozen=True, slots=True)
class Info:
    """A type of /info request: its fields beside `type`, and its answer as JSON."""

    shape: Shape
    answer: Callable[[View, Fields], bytes]


# The only list of /info types.
# https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/info-endpoint (2026-11)
INFO: Final[Mapping[str, Info]] = {
    "meta": Info(DEX, _main_dex(_meta)),
    "metaAndAssetCtxs": Info(DEX, _main_dex(lambda view: [_meta(view), _contexts(view)])),
    "spotMeta": Info({}, lambda view, _: _json(_spot_meta(view))),
    "spotMetaAndAssetCtxs": Info({}, lambda view, _: _json([_spot_meta(view), []])),
    "perpDexs": Info({}, lambda _view, _: b"[null]"),  # null stands for the main dex
    "allMids": Info(DEX, _main_dex(_mids)),
    "l2Book": Info(BOOK, _l2_book),
    "recentTrades": Info(COIN, _recent_trades),
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
    return _json({"status": "err", "response": render(VenueError("unknown_signer"))[1]})


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
    """An error as an HTTP answer, in plain text."""
    status, text = render(error)
    return HttpResponse(status, text.encode(), "text/plain; charset=utf-8", (CORS,))


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
        status = render(error)[0]
        return _json({"type": "error", "payload": f"{status} {HTTPStatus(status).phrase}"})
    return b'{"type":"info","payload":{"type":"%b","data":%b}}' % (payload["type"].encode(), answer)


def _json(value: Any) -> bytes:
    return orjson.dumps(value)
