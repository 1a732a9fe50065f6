"""Binance USD-M as it was in December 2025: what its sockets and endpoints were made of before it changed.

Since then sockets belong to categories of streams (2026-03-06, the old paths all but gone on 2026-04-23), and messages
tell more: the quantity without retail price improvement (nq, 2025-12-31), the average of the mark price (ap,
2026-03-26), pair and contract type (ps and st, 2026-06-30), the type of a funding rate (2026-07-28). Seconds became an
interval of contracts' candles (2026-04-20), and no filter counts conditional orders any more (2025-12-29).
https://developers.binance.com/docs/derivatives/change-log, 2026-10-23; binance-connector-python
(clients/derivatives_trading_usds_futures/CHANGELOG.md), 2026-08-21.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from venues.base import VenueError
from venues.binance.rest import Call, Route, Routes
from venues.binance.session import USDM_ENDPOINTS
from venues.binance.usdm_api import USDM_API
from venues.binance.usdm_rest import (
    USDM_FUNDING_RATE,
    USDM_REST_AGG_TRADE,
    aggregate_trades,
    continuous_klines,
    exchange_info,
    funding_rates,
)
from venues.binance.usdm_wire import USDM_STREAMS
from venues.binance.wire import Stream

NEWER = ('"nq":"<q:qty>",', '"ap":"<p:e8>",', ',"ps":"<s:symbol>"', ',"st":1', ',"rateType":"Regular"')
# as recorded in 2021-07, by https://github.com/bmoscon/cryptofeed (sample_data/BINANCE_FUTURES.0)
MAX_NUM_ALGO_ORDERS = {"limit": 10, "filterType": "MAX_NUM_ALGO_ORDERS"}


def as_it_was(text: str) -> str:
    """A message without what it did not tell then."""
    for member in NEWER:
        text = text.replace(member, "")
    return text


def _streams() -> dict[str, Stream]:
    """Continuous klines have told their pair ("ps") ever since, but had no seconds."""
    return {
        name: row if name.startswith("continuousKline_") else replace(row, text=as_it_was(row.text))
        for name, row in USDM_STREAMS.items()
        if name != "continuousKline_1s"
    }


def _continuous_klines(call: Call) -> bytes:
    if call.params["interval"] == "1s":
        raise VenueError("BAD_INTERVAL")
    return continuous_klines(call)


def _routes() -> Routes:
    answers: dict[str, Callable[[Call], bytes]] = {
        "/fapi/v1/aggTrades": partial(aggregate_trades, as_it_was(USDM_REST_AGG_TRADE)),
        "/fapi/v1/fundingRate": partial(funding_rates, as_it_was(USDM_FUNDING_RATE)),
        "/fapi/v1/continuousKlines": _continuous_klines,
        "/fapi/v1/exchangeInfo": partial(exchange_info, (MAX_NUM_ALGO_ORDERS,)),
    }

    def row(path: str, route: Route) -> Route:
        return replace(route, answer=answers.get(path, route.answer))

    return {
        path: {method: row(path, route) for method, route in methods.items()}
        for path, methods in USDM_API.routes.items()
    }


ENDPOINTS_2025 = tuple(endpoint for endpoint in USDM_ENDPOINTS if endpoint.path in {"/ws", "/stream"})
STREAMS_2025: Mapping[str, Stream] = _streams()
API_2025 = replace(USDM_API, routes=_routes())
