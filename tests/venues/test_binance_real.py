"""Everything public of Binance, spot and USD-M, against samples of the real thing: types, keys, their order, decimals.

Samples of 2024 and later count where there are any. What differs from them is told here, with the newer source that
says so; what is not produced, with why.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cache, partial
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias, cast

import pytest

from reactor.types import BLOCK_NS
from tests import worlds
from tests.venues.spot import differences, shapes, texts
from venues.base import PAGE_NS, Exchange, HttpRequest, Reply, Session
from venues.binance import BINANCE, BINANCE_USDM, Binance
from venues.binance.usdm_wire import USDM_STREAMS
from venues.binance.wire import SPOT_STREAMS
from venues.limits import Usage

NOW_NS = worlds.ORIGIN_NS + 187 * BLOCK_NS
VENUES = {"binance_spot": BINANCE, "binance_usdm": BINANCE_USDM}
MESSAGES = 200  # of a stream, at most

Told: TypeAlias = Callable[[str], Iterator[bytes]]  # the venue's name in the samples -> messages


@cache
def exchange(venue: str) -> Exchange:
    return worlds.exchange(VENUES[venue])


# ---------------------------------------------------------------- ways to make it speak
def rest(path: str, query: str, venue: str) -> Iterator[bytes]:
    request = HttpRequest("GET", path, query, {"x-mbx-apikey": "a" * 64})
    yield VENUES[venue].handle(request, exchange(venue), NOW_NS).body


def stream(name: str, venue: str) -> Iterator[bytes]:
    """A stream of some minutes."""
    card: Binance = VENUES[venue]
    topic = card.grammar(name, card.streams, exchange(venue).markets, ())
    assert topic is not None, name
    channel = card.channel(topic, exchange(venue))
    pages = range(worlds.ORIGIN_NS, worlds.ORIGIN_NS + 3 * BLOCK_NS, PAGE_NS)
    yield from islice((text for start_ns in pages for text in texts(channel.page(start_ns).buffer)), MESSAGES)


def socket(path: str, said: str, venue: str) -> Iterator[bytes]:
    """The answer to a message on a new socket."""
    session = cast(Session, VENUES[venue].session(HttpRequest("GET", path), exchange(venue)))
    session.open(NOW_NS, NOW_NS)
    answer = session.receive(said, NOW_NS, NOW_NS)[0]
    assert isinstance(answer, Reply)
    yield answer.payload


def control(said: str) -> Told:
    return partial(socket, "/ws/btcusdt@depth", said)


def banned(venue: str) -> Iterator[bytes]:
    """The answer to a client that goes on asking too much."""
    on = replace(exchange(venue), usage=Usage(0.001))
    request = HttpRequest("GET", "/api/v3/exchangeInfo")
    *_, last = (VENUES[venue].handle(request, on, NOW_NS) for _ in range(20))
    assert last.status == 418
    yield last.body


def flat(venue: str) -> Iterator[bytes]:
    """An error as it is documented."""
    card = VENUES[venue].with_quirks({"flat_errors": True})
    session = cast(Session, card.session(HttpRequest("GET", "/ws"), exchange(venue)))
    (answer,) = session.receive('{"method":"GET_PROPERTY","params":[1],"id":1}', NOW_NS, NOW_NS)
    assert isinstance(answer, Reply)
    yield answer.payload


def farewell(venue: str) -> Iterator[bytes]:
    session = cast(Session, VENUES[venue].session(HttpRequest("GET", "/stream"), exchange(venue)))
    (said,) = session.farewell(NOW_NS)
    assert isinstance(said, Reply)
    yield said.payload


def method(name: str, venue: str, **params: Any) -> Iterator[bytes]:
    said = json.dumps({"id": 1, "method": name, "params": params})
    return socket(VENUES[venue].socket_api.path, said, venue)


# ---------------------------------------------------------------- what the samples are samples of
ONE, TWO = "symbol=BTCUSDT", 'symbols=["BTCUSDT","ETHUSDT"]'
MINUTES = f"{ONE}&interval=1m"
SPOT_TICKERS = ("ticker", "ticker.24hr", "ticker.price", "ticker.bookTicker", "ticker.tradingDay")

SPOT: dict[str, Told] = {
    **{
        f"rest/{name}": partial(rest, f"/api/v3/{name}", query)
        for name, query in (
            *((name, ONE) for name in ("depth", "trades", "historicalTrades", "aggTrades", "avgPrice")),
            *((name, MINUTES) for name in ("klines", "uiKlines")),
            *((name, "") for name in ("exchangeInfo", "time")),
        )
    },
    **{
        f"rest/{name}": partial(rest, f"/api/v3/{name.replace('.', '/')}", f"{ONE}{more}")
        for name, more in ((name, "&type=MINI" * name.endswith("Day")) for name in SPOT_TICKERS)
    },
    **{
        f"rest/{name}@list": partial(rest, f"/api/v3/{name.replace('.', '/')}", f"{TWO}{more}")
        for name, more in ((name, "&type=MINI" * name.endswith("24hr")) for name in SPOT_TICKERS)
    },
    "rest/error": partial(rest, "/api/v3/depth", ""),
    "rest/error@ban418": banned,
    "ws/error@bare": flat,
    "ws/serverShutdown": farewell,
    **{
        f"ws/{name}": partial(stream, f"btcusdt@{channel}")
        for name, channel in (
            *(
                (name, name)
                for name in ("trade", "aggTrade", "bookTicker", "miniTicker", "ticker", "avgPrice")
            ),
            ("depthUpdate", "depth"),
            ("partialDepth", "depth5"),
            ("kline", "kline_1m"),
            ("1hTicker", "ticker_1h"),
        )
    },
    "ws/subscribe_ack": control('{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1}'),
    "ws/subscribe_ack@list": control('{"method":"LIST_SUBSCRIPTIONS","id":1}'),
    "ws/subscribe_ack@bool": control('{"method":"GET_PROPERTY","params":["combined"],"id":1}'),
    "ws/error": control('{"method":"SUBSCRIBE","params":["nonsense"],"id":1}'),
    **{f"ws/wsapi.{name}": partial(method, name) for name in ("ping", "time", "exchangeInfo")},
    **{
        f"ws/wsapi.{name}": partial(method, name, symbol="BTCUSDT")
        for name in (
            *("depth", "avgPrice", "trades.recent", "trades.aggregate"),
            *("ticker.24hr", "ticker.book", "ticker.price"),
        )
    },
    **{
        f"ws/wsapi.{name}@list": partial(method, name, symbols=["BTCUSDT", "ETHUSDT"])
        for name in ("ticker.24hr", "ticker.book", "ticker.price")
    },
    "ws/wsapi.klines": partial(method, "klines", symbol="BTCUSDT", interval="1m"),
    "ws/wsapi.error": partial(method, "depth"),
}
USDM: dict[str, Told] = {
    **{
        f"rest/{name}": partial(rest, f"/fapi/v1/{name.replace('.', '/')}", query)
        for name, query in (
            *((name, ONE) for name in ("depth", "trades", "historicalTrades", "aggTrades", "constituents")),
            *((name, ONE) for name in ("fundingRate", "openInterest", "premiumIndex")),
            *((name, ONE) for name in ("ticker.24hr", "ticker.price", "ticker.bookTicker")),
            *((name, MINUTES) for name in ("klines", "markPriceKlines")),
            ("indexPriceKlines", "pair=BTCUSDT&interval=1m"),
            ("continuousKlines", "pair=BTCUSDT&contractType=PERPETUAL&interval=1m"),
            *((name, "") for name in ("exchangeInfo", "time", "assetIndex", "fundingInfo")),
        )
    },
    "rest/error": partial(rest, "/fapi/v1/depth", ""),
    **{
        f"ws/{name}": partial(stream, channel)
        for name, channel in (
            *(
                (name, f"btcusdt@{name}")
                for name in ("trade", "aggTrade", "bookTicker", "miniTicker", "ticker")
            ),
            ("depthUpdate", "btcusdt@depth"),
            ("kline", "btcusdt@kline_1m"),
            ("markPriceUpdate", "btcusdt@markPrice"),
            ("forceOrder", "btcusdt@forceOrder"),
            ("continuous_kline", "btcusdt_perpetual@continuousKline_1m"),
            ("assetIndexUpdate", "btcusd@assetIndex"),
            ("assetIndexUpdateArr", "!assetIndex@arr"),
            ("markPriceUpdateArr", "!markPrice@arr"),
            ("miniTickerArr", "!miniTicker@arr"),
            ("tickerArr", "!ticker@arr"),
        )
    },
    "ws/subscribe_ack": control('{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1}'),
    **{
        f"ws/wsapi.{name}": partial(method, name, symbol="BTCUSDT")
        for name in ("depth", "ticker.book", "ticker.price")
    },
    "ws/wsapi.error": partial(method, "depth"),
}
PRODUCED: dict[str, tuple[str, Told]] = {
    f"{venue}/{key}": (venue, told)
    for venue, rows in (("binance_spot", SPOT), ("binance_usdm", USDM))
    for key, told in rows.items()
}

# ---------------------------------------------------------------- what differs, and what says so
SUFFIX = "fields of 2026-06-30, recorded with them at these places on 2026-08-23 and 2026-09-27"
LOTS = r"\$\.(b|a|bids|asks)\[\d+\]\[1\]: '\d+\.\d+' breaks decimal format stripped"
DIFFERENT: dict[str, tuple[str, str]] = {  # by key: the differences there may be, as a pattern, and why
    "binance_spot/rest/exchangeInfo": (
        "filterType",
        "filters newer than the samples: filters.md, 2026-07-21",
    ),
    "binance_spot/ws/wsapi.exchangeInfo": (
        "filterType|permissionSets|'sors' is missing",
        "the sample's symbol has two filters, another permission, and a smart order router",
    ),
    "binance_spot/ws/wsapi.error": (
        r"\$\.error: required key 'data' is missing",
        "of a replaced order: the recorded one has none",
    ),
    "binance_usdm/ws/wsapi.depth": (
        "'(bids|asks)' is",
        "the SDK's sample has them outside of the result; a client that read them there would find none over REST",
    ),
    "binance_usdm/rest/depth": (LOTS, "samples are of coins whose lots are whole; of BTCUSDT 2026-09-27"),
    "binance_usdm/ws/depthUpdate": (f"{LOTS}|key 'st' is in no sample", f"likewise; {SUFFIX}"),
    "binance_usdm/rest/trades": ("key 'isRPITrade' is in no sample", "answered so on 2026-08-02"),
    "binance_usdm/rest/exchangeInfo": (
        "POSITION_RISK_CONTROL|'(maxMoveOrderLimit|permissionSets)' is in no|'settlePlan' is missing",
        "answered so on 2026-09-15",
    ),
    "binance_usdm/rest/fundingInfo": ("key 'updateTime' is in no sample", "answered so on 2026-09-15"),
    "binance_usdm/rest/openInterest": ("key 'time' is in no sample", "answered so on 2026-09-15"),
    "binance_usdm/rest/ticker.bookTicker": ("key 'lastUpdateId' is in no", "answered so on 2026-09-15"),
    "binance_usdm/ws/aggTrade": ("key 'st' is in no sample", SUFFIX),
    "binance_usdm/ws/trade": ("key 'st' is in no sample", SUFFIX),
    "binance_usdm/ws/miniTicker": ("key 'st' is in no sample", SUFFIX),
    "binance_usdm/ws/bookTicker": ("key order: 'ps' before", SUFFIX),
    "binance_usdm/ws/ticker": ("key order: 'ps' before", SUFFIX),
    "binance_usdm/ws/tickerArr": ("key order: 'ps' before", SUFFIX),
    "binance_usdm/ws/miniTickerArr": ("key order: 'ps' before", SUFFIX),
    "binance_usdm/ws/markPriceUpdate": ("key '(ap|st)' is in no sample", "recorded so on 2026-09-27"),
    "binance_usdm/ws/markPriceUpdateArr": ("key order: '(P|ap)' before", "recorded so on 2026-09-27"),
}

# ---------------------------------------------------------------- what is not produced, and why
ABSENT = {
    "binance_spot/ws/blockTrade": "the tape has no trades beside the book",
    "binance_spot/ws/referencePrice": "no symbol has one",
    "binance_usdm/ws/compositeIndex": "no contract is of several coins",
    "binance_usdm/ws/contractInfo": "no contract's brackets change",
}

# Samples of requests and of messages for those with an account, which are not public.
PRIVATE = re.compile(
    r"(rest|ws)/(wsapi\.)?(v2/)?(account|allO|allOpen|balance|batch|commission|countdown|forceOrders|income|leverage|"
    r"listenKey|margin|multiAssets|myTrades|openOrder|order|position|rateLimit|session|symbolConfig|user|"
    r"cancel_algo|new_algo)"
)


@pytest.mark.parametrize("key", sorted(PRODUCED))
def test_messages_have_the_shape_of_real_ones(key: str) -> None:
    """No difference but those that a newer source tells of; and these there are."""
    venue, told = PRODUCED[key]
    messages = list(told(venue))
    found = differences(key, messages)
    tolerated, _ = DIFFERENT.get(key, ("(?!)", ""))
    assert messages
    assert [line for line in sorted(found) if not re.search(tolerated, line)] == []
    assert bool(found) == (key in DIFFERENT)


def test_every_public_sample_is_produced_or_explained() -> None:
    """No key of the samples is forgotten, and none that is explained away is produced."""
    _, samples = shapes()
    keys = {key for key in samples if key.startswith("binance_") and "/user/" not in key}
    public = {key for key in keys if not PRIVATE.match(key.partition("/")[2])}
    assert public == PRODUCED.keys() | ABSENT.keys()
    assert not PRODUCED.keys() & ABSENT.keys()
    assert DIFFERENT.keys() <= PRODUCED.keys()


# ---------------------------------------------------------------- the tables of sources
@pytest.mark.parametrize(("folder", "streams"), [("binance", SPOT_STREAMS), ("binance_usdm", USDM_STREAMS)])
def test_every_stream_has_a_source_and_every_source_a_test(folder: str, streams: Iterable[str]) -> None:
    """The tables of golden/*/SOURCES.md: each stream is in one, and the tests that they name are there."""
    here = Path(__file__).parent
    page = (here / "golden" / folder / "SOURCES.md").read_text()
    lines = [line for line in page.splitlines() if line.startswith("| ") and "::" in line]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    named = {name for row in rows for cell in row[:2] for name in re.findall(r"`([^`]+)`", cell)}
    assert {re.sub(r"([kK]line_).*", r"\1<interval>", name) for name in streams} <= named
    for *cells, test in rows:
        assert len(cells) == 3, cells
        file, _, function = test.strip("`").partition("::")
        assert f"def {function}(" in (here / file).read_text(), test
