"""Faults of markets, as clients meet them: over sockets and requests, and the same whoever looks."""

from __future__ import annotations

import itertools
import json
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from typing import Any, NamedTuple

import pytest
from websockets.sync.client import ClientConnection, connect

from emulator.config import ConfigError
from emulator.sdk import Emulator
from reactor.types import BLOCK_NS, SECOND_NS
from tests.emulator.test_chaos_orders import act
from tests.patience import PATIENCE_S
from tests.patience import said as heard
from tests.trader import Refused, Trader
from tests.venues.wallet import ALICE, limit

START_NS = 1_767_225_600 * SECOND_NS
LIMIT = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.01",
    "price": "30000",
}
MAKER = {name: value for name, value in LIMIT.items() if name != "timeInForce"} | {"type": "LIMIT_MAKER"}


@contextmanager
def serving(venue: str, **settings: object) -> Iterator[Emulator]:
    with Emulator({"venues": [venue], **settings}) as running:
        yield running


@contextmanager
def listening(running: Emulator, venue: str, path: str) -> Iterator[ClientConnection]:
    with connect(running.ws_url(venue) + path, max_queue=None) as socket:
        yield socket


def asked(running: Emulator, venue: str, path: str, body: object = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(running.url(venue) + path, data, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
        return json.load(answer)


def prices(trades: list[Any]) -> list[float]:
    return [float(trade["p"]) for trade in trades]


# ---------------------------------------------------------------- veils
def test_a_halted_market_says_nothing_and_takes_no_orders() -> None:
    """Until it goes on: with trades whose ids follow, and a book that its own changes lead to."""
    with (
        serving("binance") as running,
        listening(
            running, "binance", "/stream?streams=btcusdt@trade/btcusdt@depth@100ms/ethusdt@trade"
        ) as socket,
        closing(Trader(running.url("binance"))) as trader,
    ):
        resting = trader.signed("POST", "/api/v3/order", LIMIT)
        running.clock.advance(1)
        before = heard(socket)
        running.faults.add("mkt.halt", venue="binance", symbol="BTCUSDT", duration_s=5)
        running.clock.advance(4)
        during = {each["stream"] for each in heard(socket)}
        assert during == {"ethusdt@trade"}
        with pytest.raises(Refused) as refused:
            trader.signed("POST", "/api/v3/order", LIMIT)
        assert refused.value.body == {"code": -2010, "msg": "Market is closed."}
        (symbol,) = trader.public("/api/v3/exchangeInfo?symbol=BTCUSDT")["symbols"]
        assert symbol["status"] == "HALT"
        cancelled = {"symbol": "BTCUSDT", "orderId": resting["orderId"]}
        assert trader.signed("DELETE", "/api/v3/order", cancelled)["status"] == "CANCELED"
        running.clock.advance(2)
        after = heard(socket)
        trader.signed("POST", "/api/v3/order", LIMIT)
        (symbol,) = trader.public("/api/v3/exchangeInfo?symbol=BTCUSDT")["symbols"]
        assert symbol["status"] == "TRADING"
    told = [each["data"] for each in [*before, *after]]
    ids = [each["t"] for each in told if each["e"] == "trade" and each["s"] == "BTCUSDT"]
    assert len(ids) > 2
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    updates = [each for each in told if each["e"] == "depthUpdate"]
    assert all(later["U"] == earlier["u"] + 1 for earlier, later in itertools.pairwise(updates))


def test_a_halt_lasts_until_it_is_taken_back() -> None:
    with serving("binance-usdm") as running, closing(Trader(running.url("binance-usdm"))) as trader:
        halt = running.faults.add("mkt.halt", symbol="BTCUSDT")
        running.clock.advance(3_600)
        with pytest.raises(Refused) as refused:
            trader.signed("POST", "/fapi/v1/order", LIMIT)
        assert refused.value.body["code"] == -4140
        running.faults.remove(halt)
        trader.signed("POST", "/fapi/v1/order", LIMIT | {"price": "64000"})


def test_a_halt_is_the_books_of_a_client_too() -> None:
    with (
        serving("binance") as running,
        listening(running, "binance", "/ws/btcusdt@depth@100ms") as socket,
    ):
        book = asked(running, "binance", "/api/v3/depth?symbol=BTCUSDT&limit=5000")
        bids, asks = dict(book["bids"]), dict(book["asks"])
        running.clock.advance(1)
        running.faults.add("mkt.halt", symbol="BTCUSDT", duration_s=2)
        running.faults.add("mkt.liquidity_void", symbol="BTCUSDT", at_s=3, duration_s=2, left_pct=1)
        for _ in range(7):
            running.clock.advance(1)
            for event in heard(socket):
                bids.update(event["b"])
                asks.update(event["a"])
            running.assert_book_in_sync("binance", "BTCUSDT", bids, asks)


def test_a_void_leaves_little_to_trade_with() -> None:
    with serving("binance") as running, closing(Trader(running.url("binance"))) as trader:

        def asks() -> list[tuple[float, float]]:
            book = asked(running, "binance", "/api/v3/depth?symbol=BTCUSDT&limit=100")
            return [(float(price), float(size)) for price, size in book["asks"]]

        whole = sum(size for _, size in asks())
        running.faults.add("mkt.liquidity_void", symbol="BTCUSDT", left_pct=2)
        running.clock.advance(0.1)
        assert sum(size for _, size in asks()) == pytest.approx(whole * 0.02, rel=0.3)
        best = asks()[0][0]
        order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "1"}
        filled = trader.signed("POST", "/api/v3/order", order)
        assert max(float(fill["price"]) for fill in filled["fills"]) > best * 1.0005


def test_an_auction_reopens_a_market() -> None:
    """First cancels alone, then post-only orders, then one large trade."""
    with (
        serving("binance") as running,
        listening(running, "binance", "/ws/btcusdt@trade") as socket,
        closing(Trader(running.url("binance"))) as trader,
    ):
        running.clock.advance(1)
        before = heard(socket)
        running.faults.add("mkt.auction_reopen", symbol="BTCUSDT", halt_s=5, call_s=5)
        with pytest.raises(Refused):
            trader.signed("POST", "/api/v3/order", MAKER)
        running.clock.advance(6)
        trader.signed("POST", "/api/v3/order", MAKER)
        with pytest.raises(Refused):
            trader.signed("POST", "/api/v3/order", LIMIT)
        assert heard(socket) == []
        running.clock.advance(8)
        first = heard(socket)[0]
        assert first["t"] == before[-1]["t"] + 1
        assert first["T"] == (START_NS + 11 * SECOND_NS) // 10**6
        assert float(first["q"]) > 0.1
        trader.signed("POST", "/api/v3/order", LIMIT)


def test_a_halted_market_liquidates_nobody_and_hyperliquid_has_words_for_a_call() -> None:
    with serving("hyperliquid") as running:
        running.faults.add("mkt.halt", venue="hyperliquid", symbol="BTC", duration_s=60)
        running.clock.advance(1)
        book = asked(running, "hyperliquid", "/info", {"type": "l2Book", "coin": "BTC"})
        running.clock.advance(50)
        still = asked(running, "hyperliquid", "/info", {"type": "l2Book", "coin": "BTC"})
        assert book["levels"] == still["levels"]


# ---------------------------------------------------------------- the tick size
class Coarser(NamedTuple):
    """BTCUSDT of a venue, whose tick size becomes ten times as large."""

    venue: str
    api: str
    tick_size: str
    tenfold: str
    between: str  # a price that is no multiple of that
    refusal: dict[str, object]


COARSER = (
    Coarser(
        *("binance", "/api/v3", "0.01000000", "0.10000000", "62000.01"),
        {"code": -1013, "msg": "Filter failure: PRICE_FILTER"},
    ),
    Coarser(
        *("binance-usdm", "/fapi/v1", "0.10", "1.00", "62000.1"),
        {"code": -4014, "msg": "Price not increased by tick size."},
    ),
)
COARSER_S = (20, 90)  # from when to when


def off_grid(prices: Iterable[str], step: str) -> list[str]:
    return [price for price in prices if Decimal(price) % Decimal(step)]


@pytest.mark.parametrize("of", COARSER, ids=lambda of: of.venue)
def test_a_tick_size_grows_and_shrinks_again(of: Coarser) -> None:
    """To whoever keeps a book of changes, and to orders: those that were there stay where they are."""

    def tick_size() -> str:
        symbols = asked(running, of.venue, f"{of.api}/exchangeInfo?symbol=BTCUSDT")["symbols"]
        (row,) = (row for row in symbols if row["symbol"] == "BTCUSDT")
        return str(row["filters"][0]["tickSize"])

    with (
        serving(of.venue) as running,
        listening(running, of.venue, "/ws/btcusdt@depth@100ms") as socket,
        closing(Trader(running.url(of.venue))) as trader,
    ):
        order, path = LIMIT | {"price": of.between}, f"{of.api}/order"
        resting = trader.signed("POST", path, order)
        book = asked(running, of.venue, f"{of.api}/depth?symbol=BTCUSDT&limit=1000")
        bids, asks = dict(book["bids"]), dict(book["asks"])
        running.faults.add("mkt.tick_size", symbol="BTCUSDT", at_s=1.23, duration_s=2)
        sizes, last = [], None
        for _ in range(10):
            running.clock.advance(0.5)
            for event in heard(socket):
                assert last is None or event.get("pu", event["U"] - 1) == last
                last = event["u"]
                for side, name in ((bids, "b"), (asks, "a")):
                    side.update(event[name])
                    for price in [price for price, size in event[name] if not float(size)]:
                        del side[price]
            running.assert_book_in_sync(of.venue, "BTCUSDT", bids, asks)
            assert max(map(Decimal, bids)) < min(map(Decimal, asks))
            sizes.append(tick_size())
            if sizes[-1] == of.tenfold:
                assert {Decimal(price) for price in off_grid([*bids, *asks], of.tenfold)} == {
                    Decimal(of.between)
                }
                with pytest.raises(Refused) as refused:
                    trader.signed("POST", path, order)
                assert refused.value.body == of.refusal
            else:
                assert len(off_grid(bids, of.tenfold)) > 10
        assert sizes == [of.tick_size] * 2 + [of.tenfold] * 4 + [of.tick_size] * 4
        ours = trader.signed("GET", path, {"symbol": "BTCUSDT", "orderId": resting["orderId"]})
        assert (Decimal(ours["price"]), ours["status"]) == (Decimal(of.between), "NEW")
        trader.signed("POST", path, order)


@pytest.mark.parametrize("of", COARSER, ids=lambda of: of.venue)
def test_trades_quotes_and_bars_of_a_coarser_market_are_of_one_grid(of: Coarser) -> None:
    """Streams of them and requests for them say the same."""
    names = ("trade", "aggTrade", "bookTicker", "kline_1m")
    path = "/stream?streams=" + "/".join(f"btcusdt@{name}" for name in names)
    from_s, until_s = COARSER_S
    rule = {"kind": "mkt.tick_size", "symbol": "BTCUSDT", "at_s": from_s, "duration_s": until_s - from_s}
    with serving(of.venue, faults=[rule]) as running:
        with listening(running, of.venue, path) as socket:
            running.clock.advance(121)
            told = heard(socket)
        bars = asked(
            running, of.venue, f"{of.api}/klines?symbol=BTCUSDT&interval=1m&startTime={START_NS // 10**6}"
        )
        later = asked(running, of.venue, f"{of.api}/aggTrades?symbol=BTCUSDT&limit=1000")
    by = {name: [each["data"] for each in told if each["stream"] == f"btcusdt@{name}"] for name in names}
    from_ms, until_ms = (START_NS // 10**6 + 1_000 * at_s for at_s in COARSER_S)
    for name in ("trade", "aggTrade"):
        inside = [each["p"] for each in by[name] if from_ms <= each["T"] < until_ms]
        assert len(inside) > 50
        assert not off_grid(inside, of.tenfold)
        assert off_grid((each["p"] for each in by[name] if each["T"] >= until_ms), of.tenfold)
    newest = {each["a"]: each["p"] for each in by["aggTrade"]}
    assert all(newest[row["a"]] == row["p"] for row in later if row["a"] in newest)
    quotes = itertools.pairwise(each["b"] for each in by["bookTicker"])
    assert (
        sum(1 for before, after in quotes if before != after and not off_grid([before, after], of.tenfold))
        > 10
    )
    closed = [each["k"] for each in by["kline_1m"] if each["k"]["x"]]
    assert len(closed) == 2
    for bar, row in zip(closed, bars, strict=False):
        inside = [each for each in by["trade"] if bar["t"] <= each["T"] <= bar["T"]]
        its = [Decimal(each["p"]) for each in inside]
        assert [Decimal(bar[name]) for name in "ohlc"] == [its[0], max(its), min(its), its[-1]]
        assert Decimal(bar["q"]) == sum(Decimal(each["p"]) * Decimal(each["q"]) for each in inside)
        assert [bar[name] for name in "ohlcv"] == row[1:6]


def test_hyperliquid_has_no_tick_size() -> None:
    """Where a rule names nobody who has one it is one clear line; another venue's markets are struck alone."""
    with serving("hyperliquid") as running, pytest.raises(ConfigError) as refused:
        running.faults.add("mkt.tick_size", symbol="BTC")
    assert str(refused.value) == (
        "fault: mkt.tick_size: hyperliquid has none: prices have at most five significant figures, and decimals as "
        "szDecimals leaves them"
    )


# ---------------------------------------------------------------- bends
def test_a_crash_that_is_added_live_begins_with_the_next_minute() -> None:
    """The same as in the run that was told of it before."""

    def lived(*, live: bool) -> list[Any]:
        crash: dict[str, Any] = {"symbol": "BTCUSDT", "fall_pct": 20, "fall_s": 10, "hold_s": 5, "times": 3}
        settings = {} if live else {"faults": [{"kind": "mkt.flash_crash", "at_s": 60, **crash}]}
        with (
            serving("binance", **settings) as running,
            listening(running, "binance", "/ws/btcusdt@aggTrade") as socket,
        ):
            running.clock.advance(30)
            told = heard(socket)
            if live:
                running.faults.add("mkt.flash_crash", **crash)
            running.clock.advance(50)
            return told + heard(socket)

    live = lived(live=True)
    assert live == lived(live=False)
    fallen = [trade for trade in live if trade["T"] * 10**6 >= START_NS + BLOCK_NS]
    assert min(prices(fallen)) == pytest.approx(0.8 * prices(live)[0], rel=0.01)
    assert min(prices([trade for trade in live if trade not in fallen])) > 0.99 * prices(live)[0]


def test_a_cascade_liquidates_others_and_tells_of_it() -> None:
    with (
        serving(
            "binance-usdm", faults=[{"kind": "mkt.liq_cascade", "symbol": "BTCUSDT", "fall_s": 120}]
        ) as running,
        listening(running, "binance-usdm", "/ws/btcusdt@forceOrder") as socket,
    ):
        running.clock.advance(60)
        forced = [event["o"] for event in heard(socket)]
        assert len(forced) > 20
        assert [order["S"] for order in forced].count("SELL") > 0.8 * len(forced)
        assert float(forced[-1]["ap"]) < 0.96 * float(forced[0]["ap"])


def test_a_burst_is_trades_and_news_of_the_book() -> None:
    def counted(*faults: object) -> dict[str, int]:
        path = "/stream?streams=solusdt@trade/solusdt@bookTicker"
        with (
            serving("binance", faults=list(faults)) as running,
            listening(running, "binance", path) as socket,
        ):
            running.clock.advance(10)
            kinds = [event["stream"] for event in heard(socket)]
            return {kind: kinds.count(kind) for kind in set(kinds)}

    calm = counted()
    busy = counted({"kind": "mkt.burst", "symbol": "SOLUSDT", "times": 20, "duration_s": 10})
    assert all(busy[kind] > 5 * calm[kind] for kind in calm)


def test_an_index_leaves_its_market() -> None:
    with serving(
        "binance-usdm", faults=[{"kind": "mkt.index_decouple", "symbol": "ETHUSDT", "by_pct": -35}]
    ) as running:
        before = asked(running, "binance-usdm", "/fapi/v1/premiumIndex?symbol=ETHUSDT")
        running.clock.advance(60)
        after = asked(running, "binance-usdm", "/fapi/v1/premiumIndex?symbol=ETHUSDT")
        last = asked(running, "binance-usdm", "/fapi/v1/ticker/price?symbol=ETHUSDT")
        other = asked(running, "binance-usdm", "/fapi/v1/premiumIndex?symbol=BTCUSDT")
    assert float(after["indexPrice"]) == pytest.approx(0.65 * float(before["indexPrice"]), rel=0.01)
    assert float(last["price"]) == pytest.approx(float(before["indexPrice"]), rel=0.01)
    assert float(other["indexPrice"]) == pytest.approx(float(other["markPrice"]), rel=0.01)


def test_funding_spikes_to_its_cap_and_settles_there() -> None:
    """0.4 % for BTCUSDT; and then, as the venue has it, every hour."""
    with serving("binance-usdm") as running:
        running.faults.add("mkt.funding_spike", symbol="BTCUSDT", premium_pct=3)
        running.clock.advance_until("funding", "binance-usdm", "BTCUSDT")
        running.clock.advance(1)
        (settled,) = asked(running, "binance-usdm", "/fapi/v1/fundingRate?symbol=BTCUSDT&limit=1")
        told = asked(running, "binance-usdm", "/fapi/v1/premiumIndex?symbol=BTCUSDT")
    assert settled["fundingRate"] == "0.00300000"
    assert told["nextFundingTime"] - settled["fundingTime"] == pytest.approx(3_600_000, abs=10)


# ---------------------------------------------------------------- rules
def test_each_market_that_a_rule_strikes_is_a_hit() -> None:
    with serving("binance-usdm") as running:
        running.faults.add("mkt.index_decouple", symbol="*USDT", at_s=5)
        running.faults.add("mkt.liq_cascade", venue="binance", symbol="BTCUSDT")
        hits = [(hit.kind, hit.symbol, hit.at_ns, hit.identity) for hit in running.faults.hits]
    at_ns, minute_ns = START_NS + 5 * SECOND_NS, START_NS + 5 * SECOND_NS
    assert hits == [
        ("mkt.index_decouple", symbol, at_ns, (minute_ns,)) for symbol in ("BTCUSDT", "ETHUSDT", "SOLUSDT")
    ]


def test_markets_are_halted_and_resumed_by_plain_words() -> None:
    """Over HTTP and in Python; what cannot be is one line."""
    with serving("binance") as running, closing(Trader(running.url("binance"))) as trader:

        def post(path: str, body: object) -> Any:
            request = urllib.request.Request(
                running.control_url + path, json.dumps(body).encode(), {"content-type": "application/json"}
            )
            try:
                with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as error:
                return json.load(error)["error"]

        struck = post("/market/halt", {"venue": "binance", "symbol": "BTC*"})
        assert struck == {
            "rule": "rule-1",
            "kind": "mkt.halt",
            "starts_ns": START_NS,
            "markets": [["binance", "BTCUSDT"]],
        }
        with pytest.raises(Refused):
            trader.signed("POST", "/api/v3/order", LIMIT)
        assert running.market.resume(symbol="ETHUSDT") == ()
        assert post("/market/resume", {"symbol": "BTCUSDT"}) == {"rules": ["rule-1"]}
        trader.signed("POST", "/api/v3/order", LIMIT)
        running.clock.advance(1)
        assert running.market.burst(symbol="BTCUSDT", duration_s=5).starts_ns == START_NS + BLOCK_NS
        nobody = "market halt: there is no market that this could be done to"
        assert post("/market/halt", {"symbol": "NOBODY"}) == nobody
        assert post("/market/hlt", {}) == "market: 'hlt' is nothing to do; did you mean halt?"
        assert "fall_pct" in post("/market/crash", {"symbol": "BTCUSDT", "fal_pct": 3})
        assert len(running.faults.rules) == 1


# ---------------------------------------------------------------- listings
def test_a_delisted_market_ends() -> None:
    """Its streams and its orders; it stays in exchangeInfo, as BREAK. Others go on."""
    with (
        serving("binance") as running,
        listening(running, "binance", "/stream?streams=solusdt@ticker/ethusdt@ticker") as socket,
        listening(running, "binance", "/ws/!miniTicker@arr") as of_all,
        closing(Trader(running.url("binance"))) as trader,
    ):
        order = LIMIT | {"symbol": "SOLUSDT", "quantity": "1", "price": "100"}
        trader.signed("POST", "/api/v3/order", order | {"newClientOrderId": "last"})
        running.faults.add("mkt.delist", venue="binance", symbol="SOLUSDT", at_s=10)
        running.clock.advance(30)
        symbols = [each["data"]["s"] for each in heard(socket)]
        assert 5 < symbols.count("SOLUSDT") <= 10
        assert symbols.count("ETHUSDT") > 25
        seen = [{row["s"] for row in event} for event in heard(of_all)]
        assert "SOLUSDT" in seen[5]
        assert not any("SOLUSDT" in each for each in seen[10:])
        assert len(seen) > 25
        with pytest.raises(Refused) as refused:
            trader.signed("POST", "/api/v3/order", order)
        assert refused.value.body == {"code": -2010, "msg": "Market is closed."}
        (told,) = trader.signed("GET", "/api/v3/allOrders", {"symbol": "SOLUSDT"})
        assert (told["clientOrderId"], told["status"]) == ("last", "CANCELED")
        statuses = {row["symbol"]: row["status"] for row in trader.public("/api/v3/exchangeInfo")["symbols"]}
        assert statuses == {"BTCUSDT": "TRADING", "ETHUSDT": "TRADING", "SOLUSDT": "BREAK"}


def test_positions_in_what_is_delisted_are_settled() -> None:
    """At the average of the index of the last 1,800 seconds, for a taker's fee, by an order that the venue names
    (https://www.binance.com/en/support/faq/dd60dfbf654d4055aa6b217ea6d5ddba, 2026-01; and
    .../user-data-streams/Event-Order-Update, 2026-05); what rests is cancelled, and others are left alone.
    """
    with (
        serving("binance-usdm") as running,
        listening(running, "binance-usdm", "/ws/solusdt@markPrice@1s") as marks,
        closing(Trader(running.url("binance-usdm"))) as trader,
    ):
        for symbol, quantity in (("SOLUSDT", "3"), ("BTCUSDT", "0.01")):
            order = {"symbol": symbol, "side": "SELL", "type": "MARKET", "quantity": quantity}
            trader.signed("POST", "/fapi/v1/order", order)
        resting = LIMIT | {"symbol": "SOLUSDT", "side": "SELL", "quantity": "1", "price": "200"}
        trader.signed("POST", "/fapi/v1/order", resting | {"newClientOrderId": "resting"})
        running.faults.add("mkt.delist", venue="binance-usdm", symbol="SOLUSDT", at_s=2_400)
        running.clock.advance(599.99)
        heard(marks)
        running.clock.advance(1_800)
        index = [Decimal(event["i"]) for event in heard(marks)]
        assert len(index) == 1_800
        key = trader.signed("POST", "/fapi/v1/listenKey")["listenKey"]
        with listening(running, "binance-usdm", f"/private/ws?listenKey={key}") as socket:
            running.clock.advance(1)
            told = heard(socket)
        orders = [event["o"] for event in told if event["e"] == "ORDER_TRADE_UPDATE"]
        assert [(o["c"].split("-")[0], o["x"], o["X"], o["er"]) for o in orders] == [
            ("resting", "EXPIRED", "EXPIRED", "7"),
            ("settlement_autoclose", "NEW", "NEW", "0"),
            ("settlement_autoclose", "TRADE", "FILLED", "0"),
        ]
        settled = orders[-1]
        assert (settled["S"], settled["l"], settled["R"]) == ("BUY", "3.00", True)
        assert abs(Decimal(settled["L"]) - sum(index, Decimal(0)) / 1_800) <= Decimal("0.005")
        assert Decimal(settled["n"]) == Decimal(settled["L"]) * 3 * Decimal("0.0005")
        (moved,) = (event["a"] for event in told if event["e"] == "ACCOUNT_UPDATE" and event["a"]["P"])
        assert (moved["m"], moved["P"][0]["pa"]) == ("ORDER", "0")
        assert [row["symbol"] for row in trader.signed("GET", "/fapi/v3/positionRisk")] == ["BTCUSDT"]
        last = trader.signed("GET", "/fapi/v1/userTrades", {"symbol": "SOLUSDT"})[-1]
        assert (last["id"], last["price"], last["realizedPnl"]) == (settled["t"], settled["L"], settled["rp"])
        assert last["id"] > trader.public("/fapi/v1/trades?symbol=SOLUSDT&limit=1")[0]["id"]


def test_a_contract_that_changes_is_announced() -> None:
    """https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams/Contract-Info-Stream,
    2026-08: listed, halted for a while, taken off; brackets are told only when they change.
    """
    listing = {"kind": "mkt.new_listing", "symbol": "ETHUSDT", "at_s": 60}
    with (
        serving("binance-usdm", faults=[listing]) as running,
        listening(running, "binance-usdm", "/market/ws/!contractInfo") as socket,
    ):
        running.faults.add("mkt.halt", symbol="BTCUSDT", at_s=30, duration_s=60)
        running.clock.advance(61)
        running.faults.add("mkt.delist", symbol="SOLUSDT")
        running.clock.advance(40)
        told = heard(socket)
    assert [(each["s"], each["cs"], each["E"] - START_NS // 10**6) for each in told] == [
        ("BTCUSDT", "PENDING_TRADING", 30_010),
        ("ETHUSDT", "TRADING", 60_010),
        ("SOLUSDT", "CLOSE", 61_010),
        ("BTCUSDT", "TRADING", 90_010),
    ]


def test_hyperliquid_settles_at_its_oracle_for_nothing() -> None:
    """The average of the last hour: https://hyperliquid.gitbook.io/hyperliquid-docs/trading/delisting, 2026-11."""
    start_ms = START_NS // 10**6
    with serving("hyperliquid") as running:
        assert act(running, limit("70000", tif="Ioc"), start_ms)["status"] == "ok"
        running.faults.add("mkt.delist", venue="hyperliquid", symbol="BTC", at_s=3_600)
        with listening(running, "hyperliquid", "/ws") as socket:
            for kind in (
                {"type": "userFills", "user": ALICE.address},
                {"type": "activeAssetCtx", "coin": "BTC"},
            ):
                socket.send(json.dumps({"method": "subscribe", "subscription": kind}))
            running.clock.advance(3_601)
            told = heard(socket)
        bought, (fill,) = [each["data"]["fills"] for each in told if each["channel"] == "userFills"]
        oracle = [
            float(each["data"]["ctx"]["oraclePx"]) for each in told if each["channel"] == "activeAssetCtx"
        ]
        assert len(oracle) > 500
        assert (fill["dir"], fill["side"], fill["crossed"], fill["fee"]) == ("Settlement", "A", True, "0.0")
        assert Decimal(fill["sz"]) == sum(Decimal(row["sz"]) for row in bought)
        assert fill["time"] == start_ms + 3_600_000
        assert float(fill["px"]) == pytest.approx(sum(oracle) / len(oracle), rel=0.00005)
        assert float(fill["px"]) != pytest.approx(oracle[-1], rel=0.0002)
        state = asked(running, "hyperliquid", "/info", {"type": "clearinghouseState", "user": ALICE.address})
        assert state["assetPositions"] == []


def test_hyperliquid_marks_what_it_delists() -> None:
    with serving("hyperliquid") as running:
        running.faults.add("mkt.delist", venue="hyperliquid", symbol="SOL")
        running.clock.advance(1)
        universe = asked(running, "hyperliquid", "/info", {"type": "meta"})["universe"]
    assert {row["name"]: row.get("isDelisted", False) for row in universe} == {
        "BTC": False,
        "ETH": False,
        "SOL": True,
    }


def test_a_market_is_listed_while_the_exchange_runs() -> None:
    """Nobody knows it before; from then on it trades, and its past begins there."""
    with (
        serving("binance", faults=[{"kind": "mkt.new_listing", "symbol": "ETHUSDT", "at_s": 120}]) as running,
        closing(Trader(running.url("binance"))) as trader,
    ):
        order = LIMIT | {"symbol": "ETHUSDT", "quantity": "1", "price": "2000"}
        running.clock.advance(119)
        known = [row["symbol"] for row in trader.public("/api/v3/exchangeInfo")["symbols"]]
        assert known == ["BTCUSDT", "SOLUSDT"]
        with pytest.raises(Refused, match="-1121"):
            trader.signed("POST", "/api/v3/order", order)
        running.clock.advance(1)
        known = [row["symbol"] for row in trader.public("/api/v3/exchangeInfo")["symbols"]]
        assert known == ["BTCUSDT", "SOLUSDT", "ETHUSDT"]
        with listening(running, "binance", "/ws/ethusdt@trade") as socket:
            running.clock.advance(90)
            assert len(heard(socket)) > 5
        trader.signed("POST", "/api/v3/order", order)
        bars = trader.public("/api/v3/klines?symbol=ETHUSDT&interval=1m&limit=100")
        assert [bar[0] for bar in bars] == [START_NS // 10**6 + minute * 60_000 for minute in (2, 3)]


# ---------------------------------------------------------------- what it does to clients
def test_a_crash_liquidates_a_client_by_the_marks_that_it_sees() -> None:
    with serving("binance-usdm") as running, closing(Trader(running.url("binance-usdm"))) as trader:
        trader.signed("POST", "/fapi/v1/leverage", {"symbol": "BTCUSDT", "leverage": 50})
        order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "14"}
        for _ in range(2):  # of a million, all is lost where the price has fallen by 55 %
            trader.signed("POST", "/fapi/v1/order", order)
        running.market.crash(venue="binance-usdm", symbol="BTCUSDT", fall_pct=70, fall_s=20)
        running.clock.advance(50)
        closed = trader.signed("GET", "/fapi/v1/allOrders", {"symbol": "BTCUSDT"})[-1]
        assert closed["clientOrderId"].startswith("autoclose-")
        assert 25_000 < float(closed["avgPrice"]) < 35_000
        assert trader.signed("GET", "/fapi/v3/positionRisk") == []


def test_a_position_in_profit_is_reduced_by_force() -> None:
    """https://developers.binance.com/docs/derivatives/usds-margined-futures/user-data-streams/Event-Order-Update: its
    order is adl_autoclose (2026-11), its execution CALCULATED, as a liquidation's; "no trading fee will be charged. Any
    open orders will be canceled": https://www.binance.com/en/support/faq/360033525471. One at a loss is left alone.
    """
    with serving("binance-usdm") as running, closing(Trader(running.url("binance-usdm"))) as trader:
        for symbol, side, quantity in (("BTCUSDT", "SELL", "1"), ("ETHUSDT", "BUY", "4")):
            order = {"symbol": symbol, "side": side, "type": "MARKET", "quantity": quantity}
            trader.signed("POST", "/fapi/v1/order", order)
        trader.signed("POST", "/fapi/v1/order", LIMIT | {"price": "40000", "newClientOrderId": "resting"})
        running.market.crash(venue="binance-usdm", symbol="*USDT", fall_pct=10, fall_s=10, hold_s=60, times=2)
        running.faults.add("mkt.adl", venue="binance-usdm", symbol="*", key="demo", share_pct=40, at_s=30)
        running.clock.advance(29)
        key = trader.signed("POST", "/fapi/v1/listenKey")["listenKey"]
        with (
            listening(running, "binance-usdm", f"/private/ws?listenKey={key}") as socket,
            listening(running, "binance-usdm", "/ws/btcusdt@markPrice@1s") as marks,
        ):
            running.clock.advance(2)
            told = [event["o"] for event in heard(socket) if event["e"] == "ORDER_TRADE_UPDATE"]
            mark = heard(marks)[0]["p"]
        assert [(each["c"], each["x"], each["X"]) for each in told] == [
            ("resting", "EXPIRED", "EXPIRED"),
            ("adl_autoclose", "NEW", "NEW"),
            ("adl_autoclose", "CALCULATED", "FILLED"),
        ]
        closed = told[-1]
        assert (closed["s"], closed["S"], closed["l"], closed["n"]) == ("BTCUSDT", "BUY", "0.400", "0")
        assert abs(Decimal(closed["L"]) - Decimal(mark)) <= Decimal("0.05")
        held = {row["symbol"]: row["positionAmt"] for row in trader.signed("GET", "/fapi/v3/positionRisk")}
        assert held == {"BTCUSDT": "-0.600", "ETHUSDT": "4.000"}
        (forced,) = trader.signed("GET", "/fapi/v1/forceOrders", {"autoCloseType": "ADL"})
        assert (forced["clientOrderId"], forced["executedQty"]) == ("adl_autoclose", "0.400")
        ids = [row["id"] for row in trader.public("/fapi/v1/trades?symbol=BTCUSDT&limit=1000")]
        assert ids == list(range(ids[0], ids[0] + len(ids)))
        assert closed["t"] in ids


def test_hyperliquid_deleverages_at_its_mark() -> None:
    """https://hyperliquid.gitbook.io/hyperliquid-docs/trading/auto-deleveraging, 2026-11."""
    with serving("hyperliquid") as running:
        assert act(running, limit("60000", buy=False, tif="Ioc"), START_NS // 10**6)["status"] == "ok"
        running.market.crash(venue="hyperliquid", symbol="BTC", fall_pct=10, fall_s=10, hold_s=600, times=2)
        running.faults.add("mkt.adl", venue="hyperliquid", symbol="BTC", share_pct=100, at_s=300)
        running.clock.advance(299.9)
        _, contexts = asked(running, "hyperliquid", "/info", {"type": "metaAndAssetCtxs"})
        running.clock.advance(1)
        fill = asked(running, "hyperliquid", "/info", {"type": "userFills", "user": ALICE.address})[0]
        state = asked(running, "hyperliquid", "/info", {"type": "clearinghouseState", "user": ALICE.address})
    assert (fill["dir"], fill["side"], fill["fee"]) == ("Auto-Deleveraging", "B", "0.0")
    assert float(fill["px"]) == pytest.approx(float(contexts[0]["markPx"]), rel=0.0002)
    assert state["assetPositions"] == []


def test_funding_comes_at_another_pace() -> None:
    """From the next settlement on, for as long as the rule holds; the venue says so."""
    with serving("binance-usdm") as running:
        running.clock.advance(3_600)
        running.faults.add("mkt.funding_interval_change", symbol="ETHUSDT", hours=2, duration_s=12 * 3_600)
        running.clock.advance(12 * 3_600)
        (told,) = (
            row
            for row in asked(running, "binance-usdm", "/fapi/v1/fundingInfo")
            if row["symbol"] == "ETHUSDT"
        )
        assert told["fundingIntervalHours"] == 2
        running.clock.advance(20 * 3_600)
        query = f"symbol=ETHUSDT&startTime={START_NS // 10**6 + 1_000_000}"
        rates = asked(running, "binance-usdm", f"/fapi/v1/fundingRate?{query}")
    hours = [(row["fundingTime"] * 10**6 - START_NS) // (3_600 * SECOND_NS) for row in rates]
    assert hours == [8, 10, 12, 14, 16, 24, 32]
