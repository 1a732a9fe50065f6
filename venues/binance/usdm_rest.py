"""Binance USD-M REST: its endpoints, and what they answer where it is not what spot answers.

Parameters that an endpoint does not have are overlooked here, not refused: as the live venue did on 2026-09-15, with
`symbol` on exchangeInfo and fundingInfo.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import orjson

from reactor.single_asset import HyperSynthReactor
from reactor.types import BLOCK_NS, DAY_NS, SECOND_NS, Column
from venues.base import VenueError
from venues.binance.mark import (
    INDEX,
    MARK,
    PREMIUM,
    Sampling,
    candles,
    mark_prices,
    open_interest_lots,
    settlements,
)
from venues.binance.rest import (
    ANYTHING,
    NUMBER,
    ONE_SYMBOL,
    SPOT_ROUTES,
    SYMBOL,
    Call,
    Declared,
    Param,
    Route,
    Routes,
    aggregates,
    array,
    book_columns,
    klines,
    market_of,
    ping,
    prints_asked,
    server_time,
    span,
    tickers,
    weighs,
)
from venues.binance.rules import funding_of
from venues.binance.signing import Security
from venues.binance.usdm_data import basis, deliveries, open_interest_history, taker_volumes
from venues.binance.usdm_rules import (
    CONTRACT_TYPES,
    DATA_POOL,
    FUNDING_POOL,
    USDM_RATE_LIMITS,
    usdm_assets,
    usdm_symbol,
)
from venues.binance.wire import (
    DAY_MINUTES,
    INTERVALS,
    aggregate_columns,
    last_lots,
    quote_columns,
    statistics,
    ticker_columns,
    trade_columns,
)
from venues.limits import Limit
from venues.wire import Scale

# ---------------------------------------------------------------- the messages
# Keys and their order as answered by fapi.binance.com on 2026-09-15 (trades on 2026-08-02); where clients had sorted
# them (ticker/24hr), as in the documents of 2026-08.
USDM_BOOK = (
    '{"lastUpdateId":<lastUpdateId>,"E":<E:time>,"T":<T:time>,"bids":[<bids:levels>],"asks":[<asks:levels>]}'
)
USDM_REST_TRADE = (
    '{"id":<t>,"price":"<p:price>","qty":"<q:qty>","quoteQty":"<quote:cash>","time":<T:time>,'
    '"isBuyerMaker":<m:flag>,"isRPITrade":false}'
)
USDM_REST_AGG_TRADE = (
    '{"a":<a>,"p":"<p:price>","q":"<q:qty>","nq":"<q:qty>","f":<f>,"l":<l>,"T":<T:time>,"m":<m:flag>}'
)
USDM_PREMIUM_INDEX = (
    '{"symbol":"<s:symbol>","markPrice":"<p:e8>","indexPrice":"<i:e8>","estimatedSettlePrice":"<P:e8>",'
    '"lastFundingRate":"<r:e8>","interestRate":"<interest:e8>","nextFundingTime":<T:time>,"time":<E:time>}'
)
USDM_FUNDING_RATE = (
    '{"symbol":"<s:symbol>","fundingTime":<T:time>,"fundingRate":"<r:e8>","markPrice":"<p:e8>",'
    '"rateType":"Regular"}'
)
USDM_DAY_TICKER = (
    '{"symbol":"<s:symbol>","priceChange":"<p:price>","priceChangePercent":"<P:percent>",'
    '"weightedAvgPrice":"<w:average>","lastPrice":"<c:price>","lastQty":"<Q:qty>","openPrice":"<o:price>",'
    '"highPrice":"<h:price>","lowPrice":"<l:price>","volume":"<v:qty>","quoteVolume":"<q:cash>",'
    '"openTime":<O:time>,"closeTime":<C:time>,"firstId":<F>,"lastId":<L>,"count":<n>}'
)
USDM_PRICE = '{"symbol":"<s:symbol>","price":"<c:price>","time":<T:time>}'
USDM_QUOTE = (
    '{"symbol":"<s:symbol>","bidPrice":"<b:price>","bidQty":"<B:qty>","askPrice":"<a:price>","askQty":"<A:qty>",'
    '"time":<T:time>,"lastUpdateId":<u>}'
)
USDM_SOCKET_QUOTE = (  # over the WebSocket API, as documented
    '{"lastUpdateId":<u>,"symbol":"<s:symbol>","bidPrice":"<b:price>","bidQty":"<B:qty>","askPrice":"<a:price>",'
    '"askQty":"<A:qty>","time":<T:time>}'
)
USDM_OPEN_INTEREST = '{"symbol":"<s:symbol>","openInterest":"<open:qty>","time":<T:time>}'
# as recorded on 2026-07-20, when coins other than tether had no buffers
USDM_ASSET_INDEX = (
    '{"symbol":"<s:dollars>","time":<T:time>,"index":"<i:e8>","bidBuffer":"0.00000000","askBuffer":"0.00000000",'
    '"bidRate":"<i:e8>","askRate":"<i:e8>","autoExchangeBidBuffer":"0.00000000",'
    '"autoExchangeAskBuffer":"0.00000000","autoExchangeBidRate":"<i:e8>","autoExchangeAskRate":"<i:e8>"}'
)
USDM_CANDLE = '[<t:time>,"<o:e8>","<h:e8>","<l:e8>","<c:e8>","0",<T:time>,"0",<n>,"0","0","0"]'


# ---------------------------------------------------------------- the book and trades
def exchange_info(more_filters: Sequence[Mapping[str, Any]], call: Call) -> bytes:
    """The rules of trading, and every symbol; with filters that every one has, too."""
    return orjson.dumps(
        {
            "timezone": "UTC",
            "serverTime": call.stamp(call.now_ns + call.ahead_ns),
            "futuresType": "U_MARGINED",
            "rateLimits": [limit.as_json(call.exchange.usage) for limit in USDM_RATE_LIMITS],
            "exchangeFilters": [],
            "assets": usdm_assets(),
            "symbols": [
                usdm_symbol(
                    row,
                    call.exchange.phase(row.symbol, call.now_ns),
                    call.exchange.step_ticks(row.symbol, call.now_ns),
                    more_filters,
                )
                for row in (market.instrument for market in call.exchange)
            ],
        }
    )


def depth(call: Call) -> bytes:
    """The book as of the last boundary of spot's fastest depth stream, which is also one of the faster ones here."""
    market = market_of(call.exchange, call.params["symbol"])
    columns = {"E": call.instant, **book_columns(call, market, _depth_limit(call.params))}
    return call.texts(market, USDM_BOOK, columns)[0]


def rpi_depth(call: Call) -> bytes:
    """The book with the orders of retail price improvement, of which the tape has none; always whole."""
    limit = _limit(call.params, 1000, 1000)
    if limit != 1000:
        raise VenueError("BAD_DEPTH_LIMIT", limit=limit)
    return depth(replace(call, params={**call.params, "limit": "1000"}))


def trades(call: Call) -> bytes:
    """The newest prints, oldest first."""
    market = market_of(call.exchange, call.params["symbol"])
    prints = market.prints_before(call.now_ns, _limit(call.params, 500, 1000))
    return array(call.texts(market, USDM_REST_TRADE, trade_columns(prints)))


def past_trades(call: Call) -> bytes:
    """The newest prints; from an id on, the oldest. Oldest first. Whoever is asked by has to have a key."""
    market, limit = market_of(call.exchange, call.params["symbol"]), _limit(call.params, 500, 500)
    return array(call.texts(market, USDM_REST_TRADE, trade_columns(prints_asked(call, market, limit))))


def aggregate_trades(text: str, call: Call) -> bytes:
    """As on spot, in the words of futures."""
    market = market_of(call.exchange, call.params["symbol"])
    prints = aggregates(call, market, _limit(call.params, 500, 1000))
    return array(call.texts(market, text, aggregate_columns(prints)))


# ---------------------------------------------------------------- bars
def contract_klines(call: Call) -> bytes:
    """Bars of a symbol's trades."""
    if call.params["interval"] == "1s":
        raise VenueError("BAD_INTERVAL")
    return _klines(call)


def continuous_klines(call: Call) -> bytes:
    """Bars of the trades of a pair's contract; seconds are an interval of theirs."""
    if call.params["contractType"] not in CONTRACT_TYPES:
        raise VenueError("BAD_CONTRACT_TYPE")
    market = _pair(call)
    if call.params["contractType"] != "PERPETUAL":
        return b"[]"  # no other contract is listed
    return _klines(replace(call, params={**call.params, "symbol": market.instrument.symbol}))


def _klines(call: Call) -> bytes:
    _limit(call.params, 500, KLINES_MOST)
    return klines(call, KLINES_MOST)


def candles_of(sampling: Sampling, market_of_call: Callable[[Call], HyperSynthReactor], call: Call) -> bytes:
    """Bars of a price that is not traded: the newest; from a time on, the oldest. Oldest first."""
    market, limit = market_of_call(call), _limit(call.params, 500, KLINES_MOST)
    interval = INTERVALS.get(call.params["interval"])
    if interval is None or call.params["interval"] == "1s":
        raise VenueError("BAD_INTERVAL")
    start_ns, end_ns = span(call, interval.start(market.listed_ns))
    start_ns, span_ns = max(start_ns, market.listed_ns), limit * (interval.length_ns or 31 * DAY_NS)
    if "startTime" in call.params:
        starts = interval.starts(start_ns, min(end_ns, start_ns + span_ns))[:limit]
    else:
        starts = interval.starts(max(start_ns, end_ns - span_ns), end_ns)[-limit:]
    bars = candles(sampling, market, interval, starts, call.now_ns)
    columns = {
        "t": bars.open_ns,
        "T": bars.close_ns - 1,
        "o": bars.open_e8,
        "h": bars.high_e8,
        "l": bars.low_e8,
        "c": bars.close_e8,
        "n": bars.seconds,
    }
    return array(call.texts(market, USDM_CANDLE, columns))


# ---------------------------------------------------------------- funding and open interest
def funding_rates(text: str, call: Call) -> bytes:
    """The newest settlements; from a time on, the oldest. Oldest first, of one symbol or all."""
    markets = [_symbol(call)] if "symbol" in call.params else list(call.exchange)
    limit = _limit(call.params, 100, 1000)
    told: list[tuple[int, bytes]] = []
    for market in markets:
        start_ns, end_ns = span(
            replace(call, now_ns=call.now_ns + 1), market.listed_ns
        )  # one of right now is told
        span_ns = limit * funding_of(market.instrument).interval_ns
        if "startTime" in call.params:
            end_ns = min(end_ns, start_ns + span_ns)
        else:
            start_ns = max(start_ns, end_ns - span_ns)
        rows = settlements(market, start_ns, end_ns)
        columns = {"T": rows.ts_ns, "r": rows.rate_e8, "p": rows.mark_e8}
        told += zip(rows.ts_ns.tolist(), call.texts(market, text, columns), strict=True)
    told.sort(key=lambda row: row[0])
    return array([row for _, row in (told[:limit] if "startTime" in call.params else told[-limit:])])


def funding_info(call: Call) -> bytes:
    """The bounds of every symbol's funding rate, and its interval."""
    rows = [(market, funding_of(market.instrument)) for market in call.exchange]
    return orjson.dumps(
        [
            {
                "symbol": market.instrument.symbol,
                "adjustedFundingRateCap": RATE.text(funding.cap_e12 // 10_000),
                "adjustedFundingRateFloor": RATE.text(-funding.cap_e12 // 10_000),
                "fundingIntervalHours": funding.period(market, call.now_ns).hours,
                "disclaimer": False,
                "updateTime": None,
            }
            for market, funding in rows
        ]
    )


def premium_index(call: Call, market: HyperSynthReactor) -> Declared:
    """Mark, index and funding of the last whole second, as the stream told them."""
    second_ns = call.now_ns // SECOND_NS * SECOND_NS
    marks = mark_prices(market, second_ns, second_ns + SECOND_NS)
    return USDM_PREMIUM_INDEX, {
        "E": marks.ts_ns,
        "p": marks.mark_e8,
        "i": marks.index_e8,
        "P": marks.settle_e8,
        "r": marks.rate_e8,
        "interest": np.array([funding_of(market.instrument).interest_e12 // 10_000]),
        "T": marks.next_funding_ns,
    }


def constituents(call: Call) -> bytes:
    """What an index is made of: nothing, for it is the price of its asset itself."""
    market = _symbol(call)
    told = {"symbol": market.instrument.symbol, "time": call.now_ns // call.unit_ns, "constituents": []}
    return orjson.dumps(told)


def asset_indexes(call: Call) -> bytes:
    """The index of an asset in dollars, of which a tether is one; as an array, of every market's."""
    second = np.array([call.now_ns // SECOND_NS * SECOND_NS])
    told = [
        call.texts(market, USDM_ASSET_INDEX, {"T": second, "i": _index_e8(market, int(second[0]))})[0]
        for market in call.exchange
        if call.params.get("symbol") in {None, f"{market.instrument.base}USD"}
    ]
    if "symbol" not in call.params:
        return array(told)
    if not told:
        raise VenueError("BAD_SYMBOL")
    return told[0]


def _index_e8(market: HyperSynthReactor, second_ns: int) -> Column:
    return market.seconds(second_ns, second_ns + SECOND_NS).index_e8


def composite_indexes(call: Call) -> bytes:
    """The indexes of several coins, of which there is none."""
    if "symbol" in call.params:
        _symbol(call)
    return b"[]"


def open_interest(call: Call) -> bytes:
    """Open interest, which the venue counts now and then."""
    market = _symbol(call)
    lots = open_interest_lots(market, call.now_ns)
    columns = {"open": np.array([lots]), "T": call.instant // BLOCK_NS * BLOCK_NS}
    return call.texts(market, USDM_OPEN_INTEREST, columns)[0]


# ---------------------------------------------------------------- tickers
def day_ticker(call: Call, market: HyperSynthReactor) -> Declared:
    """24 h statistics and the newest print."""
    bars = statistics(market, DAY_MINUTES, call.instant)
    last = np.array([last_lots(market, call.now_ns)])
    return USDM_DAY_TICKER, {**ticker_columns(market, bars, call.instant), "Q": last}


def price_ticker(call: Call, market: HyperSynthReactor) -> Declared:
    """The last price."""
    bars = market.bars.running(INTERVALS["1m"], call.instant)
    return USDM_PRICE, {"c": bars.close_ticks, "T": call.instant}


def book_ticker(call: Call, market: HyperSynthReactor) -> Declared:
    """The best quotes, and when they became it."""
    quote = market.quote(call.now_ns)
    return USDM_QUOTE, {**quote_columns(quote), "T": quote.ts_ns, "u": quote.update_id}


def socket_book_ticker(call: Call, market: HyperSynthReactor) -> Declared:
    """The same, its keys in another order."""
    return USDM_SOCKET_QUOTE, book_ticker(call, market)[1]


# ---------------------------------------------------------------- parameters
def _symbol(call: Call) -> HyperSynthReactor:
    return market_of(call.exchange, call.params["symbol"])


def _pair(call: Call) -> HyperSynthReactor:
    """The perpetual of a pair; the index is a pair's too."""
    market = call.exchange.market(call.params["pair"])
    if market is None:
        raise VenueError("BAD_PAIR")
    return market


def _limit(params: Mapping[str, str], default: int, most: int) -> int:
    """How many rows; none and more than the most there are are refused."""
    limit = int(params.get("limit", default))
    if not 0 < limit <= most:
        raise VenueError("INVALID_PARAMETER", name="limit")
    return limit


def _depth_limit(params: Mapping[str, str]) -> int:
    limit = _limit(params, 500, max(DEPTH_WEIGHTS))
    if limit not in DEPTH_WEIGHTS:
        raise VenueError("BAD_DEPTH_LIMIT", limit=limit)
    return limit


# ---------------------------------------------------------------- the table of endpoints
# by limit
DEPTH_WEIGHTS = {5: 2, 10: 2, 20: 2, 50: 2, 100: 5, 500: 10, 1000: 20}
KLINES_WEIGHTS = ((99, 1), (499, 2), (1000, 5), (1500, 10))
KLINES_MOST = 1500
RATE = Scale(8, 8)


def _klines_weight(params: Mapping[str, str]) -> int:
    limit = _limit(params, 500, KLINES_MOST)
    return next(weight for most, weight in KLINES_WEIGHTS if limit <= most)


def _one_or_all(one: int, every: int) -> Callable[[Mapping[str, str]], int]:
    return lambda params: one if "symbol" in params else every


def _get(
    answer: Callable[[Call], bytes], weight: Callable[[Mapping[str, str]], int], **params: Param
) -> Mapping[str, Route]:
    return {"GET": Route(answer, weight, params, lenient=True)}


def _pooled(pool: Limit, answer: Callable[[Call], bytes], **params: Param) -> Mapping[str, Route]:
    return {"GET": Route(answer, weighs(0), params, lenient=True, pool=pool)}


NAMED = replace(ANYTHING, required=True)
TIMES = {"startTime": NUMBER, "endTime": NUMBER, "limit": NUMBER}

# https://developers.binance.com/docs/derivatives/usds-margined-futures/market-data/rest-api, 2026-08. Requests for
# funding and of /futures/data are counted against limits of their own.
USDM_ROUTES: Routes = {
    "/fapi/v1/ping": _get(ping, weighs(1)),
    "/fapi/v1/time": _get(server_time, weighs(1)),
    "/fapi/v1/exchangeInfo": _get(partial(exchange_info, ()), weighs(1)),
    "/fapi/v1/depth": _get(
        depth, lambda params: DEPTH_WEIGHTS[_depth_limit(params)], symbol=SYMBOL, limit=NUMBER
    ),
    "/fapi/v1/trades": _get(trades, weighs(5), symbol=SYMBOL, limit=NUMBER),
    "/fapi/v1/rpiDepth": _get(rpi_depth, weighs(20), symbol=SYMBOL, limit=NUMBER),
    "/fapi/v1/historicalTrades": {
        "GET": Route(
            past_trades,
            weighs(200),
            {"symbol": SYMBOL, "limit": NUMBER, "fromId": NUMBER},
            lenient=True,
            security=Security.MARKET_DATA,
        )
    },
    "/fapi/v1/aggTrades": _get(
        partial(aggregate_trades, USDM_REST_AGG_TRADE), weighs(20), symbol=SYMBOL, fromId=NUMBER, **TIMES
    ),
    "/fapi/v1/klines": _get(contract_klines, _klines_weight, symbol=SYMBOL, interval=NAMED, **TIMES),
    "/fapi/v1/continuousKlines": _get(
        continuous_klines, _klines_weight, pair=SYMBOL, contractType=NAMED, interval=NAMED, **TIMES
    ),
    "/fapi/v1/indexPriceKlines": _get(
        partial(candles_of, INDEX, _pair), _klines_weight, pair=SYMBOL, interval=NAMED, **TIMES
    ),
    **{
        f"/fapi/v1/{name}": _get(
            partial(candles_of, sampling, _symbol), _klines_weight, symbol=SYMBOL, interval=NAMED, **TIMES
        )
        for name, sampling in (("markPriceKlines", MARK), ("premiumIndexKlines", PREMIUM))
    },
    "/fapi/v1/premiumIndex": _get(partial(tickers, premium_index), _one_or_all(1, 10), symbol=ONE_SYMBOL),
    "/fapi/v1/fundingRate": _pooled(
        FUNDING_POOL, partial(funding_rates, USDM_FUNDING_RATE), symbol=ONE_SYMBOL, **TIMES
    ),
    "/fapi/v1/fundingInfo": _pooled(FUNDING_POOL, funding_info),
    "/fapi/v1/openInterest": _get(open_interest, weighs(1), symbol=SYMBOL),
    "/fapi/v1/constituents": _get(constituents, weighs(2), symbol=SYMBOL),
    "/fapi/v1/assetIndex": _get(asset_indexes, _one_or_all(1, 10), symbol=ONE_SYMBOL),
    "/fapi/v1/indexInfo": _get(composite_indexes, weighs(1), symbol=ONE_SYMBOL),
    "/futures/data/openInterestHist": _pooled(
        DATA_POOL, open_interest_history, symbol=SYMBOL, period=NAMED, **TIMES
    ),
    "/futures/data/takerlongshortRatio": _pooled(
        DATA_POOL, taker_volumes, symbol=SYMBOL, period=NAMED, **TIMES
    ),
    "/futures/data/basis": _pooled(DATA_POOL, basis, pair=SYMBOL, contractType=NAMED, period=NAMED, **TIMES),
    "/futures/data/delivery-price": _pooled(DATA_POOL, deliveries, pair=SYMBOL),
    "/fapi/v1/ticker/24hr": _get(partial(tickers, day_ticker), _one_or_all(1, 40), symbol=ONE_SYMBOL),
    **{
        f"/fapi/{version}/ticker/price": _get(
            partial(tickers, price_ticker), _one_or_all(1, 2), symbol=ONE_SYMBOL
        )
        for version in ("v1", "v2")
    },
    "/fapi/v1/ticker/bookTicker": _get(partial(tickers, book_ticker), _one_or_all(2, 5), symbol=ONE_SYMBOL),
    # some clients ask these of spot before anything else, and have one URL for both
    **{path: SPOT_ROUTES[path] for path in ("/api/v3/ping", "/api/v3/time", "/dapi/v1/exchangeInfo")},
}
