"""`scripts/crash`: an emulator with a journal is killed with SIGKILL while clients trade, started again, and asked.

Clients place, cancel and take on Binance spot and USD-M, by REST and over sockets, and listen to their user streams.
Everything a client was told, in a reply or in an event, must be there after the restart, exactly once: orders with
what was filled of them, ends of orders, fills. Balances and positions must be what the fills make of them.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import http.client
import json
import random
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from pathlib import Path
from subprocess import PIPE
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any, TypeAlias
from urllib.parse import urlencode, urlsplit

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.patience import PATIENCE_S, until
from tests.serving import free_ports
from venues.registry import VENUES

KEY, SECRET, SYMBOL = "test-key", b"test-secret", "BTCUSDT"
HEADERS = {"X-MBX-APIKEY": KEY}
RATE = 200  # commands a second, of all clients together
LIFE_S = (0.3, 2.0)
QTY = "0.002"
LATE_MS = 10_000  # within every window, and not ahead of a server that lags behind the wall
MOST_OPEN = 40  # of each client
OFFSETS = {venue.id: venue.port_offset for venue in VENUES}
GONE = (OSError, http.client.HTTPException, ConnectionClosed)  # what a client sees of a kill
ENDS = frozenset(["FILLED", "CANCELED", "EXPIRED"])
UNKNOWN_ORDER = "-2011"

Row: TypeAlias = Mapping[str, Any]
Ask: TypeAlias = Callable[[str, Mapping[str, object]], Any]


@dataclass(frozen=True, slots=True)
class Dialect:
    """What differs between the two venues."""

    venue: str
    path: str
    trades: str
    cancel_all: str
    api: str
    tick: int  # units of the last decimal of a price
    decimals: int


DIALECTS = (
    Dialect("binance", "/api/v3", "myTrades", "openOrders", "/ws-api/v3", 1, 2),
    Dialect("binance-usdm", "/fapi/v1", "userTrades", "allOpenOrders", "/ws-fapi/v1", 10, 2),
)


class RefusedError(Exception):
    """The venue's error."""


# ---------------------------------------------------------------- what clients were told
@dataclass(slots=True)
class Told:
    """What the clients of one venue asked for and were told in one life of the server."""

    commands: int = 0  # that were answered
    sent: set[str] = field(default_factory=set)
    names: dict[int, str] = field(default_factory=dict)  # the client's, by order id
    filled: dict[int, Decimal] = field(default_factory=dict)  # the most, by order id
    ended: dict[int, str] = field(default_factory=dict)
    trades: dict[int, tuple[int, Decimal, Decimal]] = field(default_factory=dict)  # order, price, quantity

    def is_of(self, least: int) -> bool:
        """Whether it is of so many orders."""
        return len(self.names) >= least

    def order(self, order_id: int, name: str, status: str, filled: str) -> None:
        """An order as it stood in a reply or an event."""
        self.names[order_id] = name
        self.filled[order_id] = max(self.filled.get(order_id, Decimal(0)), Decimal(filled))
        if status in ENDS:
            self.ended[order_id] = status

    def reply(self, row: Row) -> None:
        """What is answered to an order or a cancel."""
        self.commands += 1
        name = row.get("origClientOrderId") or row["clientOrderId"]
        self.order(row["orderId"], name, row["status"], row["executedQty"])
        for fill in row.get("fills", ()):
            self.trades[fill["tradeId"]] = row["orderId"], Decimal(fill["price"]), Decimal(fill["qty"])

    def event(self, row: Row) -> None:
        """An executionReport, or what an ORDER_TRADE_UPDATE tells of its order."""
        name = row["C"] if row.get("C") else row["c"]
        self.order(row["i"], name, row["X"], row["z"])
        if row["x"] == "TRADE":
            self.trades[row["t"]] = row["i"], Decimal(row["L"]), Decimal(row["l"])


# ---------------------------------------------------------------- clients
@dataclass(frozen=True, slots=True)
class Clock:
    """The server's time, as asked for once: virtual time goes on where it stood."""

    ahead_ms: int

    @classmethod
    def of(cls, url: str) -> Clock:
        with _rest(url) as ask:
            server_ms = ask("GET /api/v3/time", {})["serverTime"]
            return cls(server_ms - time.time_ns() // 1_000_000)

    def sign(self, params: Mapping[str, object], *, by_name: bool = False) -> dict[str, object]:
        """The parameters with a timestamp and a signature."""
        now_ms = time.time_ns() // 1_000_000 + self.ahead_ms - LATE_MS
        full = {**params, "recvWindow": 60_000, "timestamp": now_ms}
        if by_name:
            full = dict(sorted({**full, "apiKey": KEY}.items()))
        return {**full, "signature": hmac.new(SECRET, urlencode(full).encode(), hashlib.sha256).hexdigest()}


@contextmanager
def _rest(url: str) -> Iterator[Ask]:
    """Requests over one kept-alive connection, "METHOD /path" and parameters."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=PATIENCE_S)

    def ask(what: str, params: Mapping[str, object]) -> Any:
        method, path = what.split()
        connection.request(method, f"{path}?{urlencode(params)}", headers=HEADERS)
        answer = connection.getresponse()
        body = json.loads(answer.read())
        if answer.status != 200:
            raise RefusedError(body)
        return body

    with closing(connection):
        yield ask


@contextmanager
def _rest_orders(url: str, dialect: Dialect, clock: Clock) -> Iterator[Ask]:
    methods = {"place": "POST", "cancel": "DELETE"}
    with _rest(url) as ask:
        yield lambda verb, params: ask(f"{methods[verb]} {dialect.path}/order", clock.sign(params))


@contextmanager
def _socket_orders(url: str, dialect: Dialect, clock: Clock) -> Iterator[Ask]:
    with connect(url.replace("http", "ws", 1) + dialect.api, max_queue=None) as socket:

        def ask(verb: str, params: Mapping[str, object]) -> Any:
            message = {"id": 1, "method": f"order.{verb}", "params": clock.sign(params, by_name=True)}
            socket.send(json.dumps(message))
            answer = json.loads(socket.recv(timeout=PATIENCE_S))
            if answer["status"] != 200:
                raise RefusedError(answer)
            return answer["result"]

        yield ask


def _trade(
    ask: Ask, told: Told, chance: random.Random, name: str, quotes: Sequence[Decimal], tick: Decimal
) -> None:
    """Place, cancel and take until the server is gone."""
    opened: list[str] = []
    number = 0
    pause_s = len(DIALECTS) * 2 / RATE
    next_s = time.monotonic()
    while True:
        next_s += pause_s
        time.sleep(max(0.0, next_s - time.monotonic()))
        kind, side = chance.random(), chance.choice(("BUY", "SELL"))
        try:
            if opened and (kind < 0.4 or len(opened) > MOST_OPEN):
                victim = opened.pop(chance.randrange(len(opened)))
                told.reply(ask("cancel", {"symbol": SYMBOL, "origClientOrderId": victim}))
                continue
            number += 1
            client_id = f"{name}-{number}"
            price = quotes[side == "SELL"] + tick * chance.randrange(-300, 30) * (1 if side == "BUY" else -1)
            params = {"symbol": SYMBOL, "side": side, "quantity": QTY, "newClientOrderId": client_id}
            params |= (
                {"type": "MARKET"}
                if kind > 0.8
                else {"type": "LIMIT", "timeInForce": "GTC", "price": str(price)}
            )
            told.sent.add(client_id)
            reply = ask("place", {**params, "newOrderRespType": "RESULT"})
            told.reply(reply)
            if reply["status"] not in ENDS:
                opened.append(client_id)
        except RefusedError as refused:
            if UNKNOWN_ORDER not in str(refused):  # a cancel of what was filled
                raise
        except GONE:
            return


def _listen(url: str, dialect: Dialect, clock: Clock, told: Told, stack: ExitStack) -> Thread:
    """Read the account's user stream until the server is gone."""
    base = url.replace("http", "ws", 1)
    if dialect.venue == "binance":
        socket = stack.enter_context(connect(base + dialect.api, max_queue=None))
        params = clock.sign({}, by_name=True)
        socket.send(json.dumps({"id": 1, "method": "userDataStream.subscribe.signature", "params": params}))
        assert json.loads(socket.recv(timeout=PATIENCE_S))["status"] == 200
    else:
        with _rest(url) as ask:
            key = ask("POST /fapi/v1/listenKey", {})["listenKey"]
        socket = stack.enter_context(connect(f"{base}/private/ws/{key}", max_queue=None))

    def read() -> None:
        with suppress(*GONE):
            for message in socket:
                event = json.loads(message)
                event = event.get("event", event)
                if event["e"] in ("executionReport", "ORDER_TRADE_UPDATE"):
                    told.event(event.get("o") if event["e"] == "ORDER_TRADE_UPDATE" else event)

    thread = Thread(target=read, daemon=True)
    thread.start()
    return thread


# ---------------------------------------------------------------- what is there
@dataclass(slots=True)
class Books:
    """What a venue says of the account after a restart: orders from an id on, fills from an id on, money."""

    orders: Sequence[Row]
    trades: Sequence[Row]
    money: Mapping[str, Decimal]


class Account:
    """The account on one venue, from life to life."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self._first_order, self._first_trade = 0, 0
        self._money: dict[str, Decimal] = {}

    def read(self, ask: Ask, clock: Clock) -> Books:
        """All since the last life began, once what is open has been cancelled: nothing moves while it is read."""
        d = self.dialect
        with suppress(RefusedError):  # nothing is open
            ask(f"DELETE {d.path}/{d.cancel_all}", clock.sign({"symbol": SYMBOL}))
        since = {"symbol": SYMBOL, "limit": 1000}
        orders = ask(f"GET {d.path}/allOrders", clock.sign({**since, "orderId": self._first_order}))
        trades = ask(f"GET {d.path}/{d.trades}", clock.sign({**since, "fromId": self._first_trade}))
        assert len(orders) < 1000, "more than a page"
        assert len(trades) < 1000, "more than a page"
        return Books(orders, trades, self._ask_money(ask, clock))

    def go_on(self, books: Books) -> None:
        """Begin another life: what there is is taken as given."""
        self._first_order = max([self._first_order, *(row["orderId"] + 1 for row in books.orders)])
        self._first_trade = max([self._first_trade, *(row["id"] + 1 for row in books.trades)])
        self._money = dict(books.money)

    def _ask_money(self, ask: Ask, clock: Clock) -> dict[str, Decimal]:
        if self.dialect.venue == "binance":
            rows = ask("GET /api/v3/account", clock.sign({}))["balances"]
            return {row["asset"]: Decimal(row["free"]) + Decimal(row["locked"]) for row in rows}
        rows = ask("GET /fapi/v3/balance", clock.sign({}))
        money = {row["asset"]: Decimal(row["balance"]) for row in rows}
        held = ask("GET /fapi/v3/positionRisk", clock.sign({"symbol": SYMBOL}))
        return money | {SYMBOL: sum((Decimal(row["positionAmt"]) for row in held), Decimal(0))}

    def expected(self, trades: Sequence[Row]) -> dict[str, Decimal]:
        """What the fills since the last life's begin make of the money of then."""
        money: defaultdict[str, Decimal] = defaultdict(Decimal, self._money)
        for row in trades:
            if self.dialect.venue == "binance":
                sign = 1 if row["isBuyer"] else -1
                money["BTC"] += sign * Decimal(row["qty"])
                money["USDT"] -= sign * Decimal(row["quoteQty"])
            else:
                money[SYMBOL] += (1 if row["side"] == "BUY" else -1) * Decimal(row["qty"])
                money["USDT"] += Decimal(row["realizedPnl"])
            money[row["commissionAsset"]] -= Decimal(row["commission"])
        return dict(money)


@dataclass(slots=True)
class Verdict:
    """Of one restart, or of many."""

    seconds: float = 0  # of trading
    told: Counter[str] = field(default_factory=Counter)
    missing: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)

    def judge(self, account: Account, told: Told, books: Books) -> None:
        """Compare what was told with what is there."""
        orders = {row["orderId"]: row for row in books.orders}
        trades = {row["id"]: row for row in books.trades}
        filled: defaultdict[int, Decimal] = defaultdict(Decimal)
        for row in books.trades:
            filled[row["orderId"]] += Decimal(row["qty"])
        names = Counter(row["clientOrderId"] for row in books.orders)
        self.doubled += [
            f"order {name}, {n} times" for name, n in names.items() if n > 1 or name not in told.sent
        ]
        self.doubled += [f"fill {row['id']}" for row in books.trades if trades[row["id"]] is not row]
        for order_id, name in told.names.items():
            row = orders.get(order_id, {})
            if row.get("clientOrderId") != name or Decimal(row["executedQty"]) < told.filled[order_id]:
                self.missing.append(f"order {order_id} {name}: {row}")
            elif order_id in told.ended and row["status"] != told.ended[order_id]:
                self.missing.append(f"end of order {order_id}, {told.ended[order_id]}: {row}")
        for trade_id, (order_id, price, qty) in told.trades.items():
            row = trades.get(trade_id, {})
            if not row or (row["orderId"], Decimal(row["price"]), Decimal(row["qty"])) != (
                order_id,
                price,
                qty,
            ):
                self.missing.append(f"fill {trade_id} of order {order_id}: {row}")
        for order_id, row in orders.items():
            self._same(f"filled of order {order_id}", Decimal(row["executedQty"]), filled[order_id])
        for asset, amount in account.expected(books.trades).items():
            self._same(f"{account.dialect.venue} {asset}", books.money.get(asset, Decimal(0)), amount)
        self.told.update(
            commands=told.commands,
            orders=len(told.names),
            cancels=sum(end == "CANCELED" for end in told.ended.values()),
            fills=len(told.trades),
        )

    def __str__(self) -> str:
        counts = f"{len(self.missing)} missing, {len(self.doubled)} doubled"
        return "\n    ".join([counts, *self.missing, *self.doubled])

    def _same(self, what: str, there: Decimal, right: Decimal) -> None:
        if there < right:
            self.missing.append(f"{what}: {there} of {right}")
        elif there > right:
            self.doubled.append(f"{what}: {there}, not {right}")


# ---------------------------------------------------------------- lives
@contextmanager
def _alive(
    base: int, journal: Path, log: Path, options: Sequence[str]
) -> Iterator[tuple[Mapping[str, str], float]]:
    """The server, until it is killed: its venues' URLs, and how long it took to be ready."""
    program = str(Path(sys.executable).with_name("exchange-emulator"))
    venues = ",".join(dialect.venue for dialect in DIALECTS)
    where = ("--base-port", str(base), "--journal", str(journal), "--venues", venues)
    command = (program, "serve", *where, "--limits", "off", "--lazy-history", *options)
    start_s = time.monotonic()
    with log.open("w") as said, subprocess.Popen(command, stdout=PIPE, stderr=said, text=True) as process:
        try:
            assert process.stdout is not None
            assert "ready\n" in iter(process.stdout.readline, ""), log.read_text()
            took_s = time.monotonic() - start_s
            yield {name: f"http://127.0.0.1:{base + offset}" for name, offset in OFFSETS.items()}, took_s
        finally:
            process.kill()


def crash(
    kills: int,
    seed: int,
    folder: Path,
    base: int | None = None,
    options: Sequence[str] = (),
    *,
    least: int = 1,
) -> Verdict:
    """Kill and restart so often, each time when every venue has told of at least so many orders; what was told and what
    of it was missing or doubled.
    """
    chance = random.Random(seed)  # it is the test's own
    if base is None:
        with free_ports() as free:
            return crash(kills, seed, folder, free, options, least=least)
    verdict, accounts = Verdict(), [Account(dialect) for dialect in DIALECTS]
    told: dict[str, Told] = {}
    for life in range(kills + 1):
        threads: list[Thread] = []
        with ExitStack() as sockets:
            with _alive(base, folder / "journal", folder / "log", options) as (urls, took_s):
                clock = Clock.of(urls["binance"])
                for account in accounts:
                    with _rest(urls[account.dialect.venue]) as ask:
                        books = account.read(ask, clock)
                        if told:
                            verdict.judge(account, told[account.dialect.venue], books)
                    account.go_on(books)
                if told:
                    _report(life, took_s, verdict, told)
                if life == kills:
                    break
                told = {dialect.venue: Told() for dialect in DIALECTS}
                for dialect in DIALECTS:
                    threads += _clients(
                        urls[dialect.venue], dialect, clock, told[dialect.venue], life, chance, sockets
                    )
                life_s = chance.uniform(*LIFE_S)
                began_s = time.monotonic()
                time.sleep(life_s)
                for each in told.values():
                    until(partial(each.is_of, least))
                verdict.seconds += time.monotonic() - began_s
            for thread in threads:
                thread.join(PATIENCE_S)
                assert not thread.is_alive(), "a client hangs"
    return verdict


def _clients(
    url: str, dialect: Dialect, clock: Clock, told: Told, life: int, chance: random.Random, sockets: ExitStack
) -> list[Thread]:
    """A client by REST, one by socket and one that listens."""
    with _rest(url) as asked:
        book = asked(f"GET {dialect.path}/ticker/bookTicker", {"symbol": SYMBOL})
    quotes = Decimal(book["bidPrice"]), Decimal(book["askPrice"])
    tick = Decimal(dialect.tick).scaleb(-dialect.decimals)
    threads = [_listen(url, dialect, clock, told, sockets)]
    for letter, way in (("r", _rest_orders), ("s", _socket_orders)):
        ask = sockets.enter_context(way(url, dialect, clock))
        own = random.Random(chance.random())
        arguments = (ask, told, own, f"{letter}{life}", quotes, tick)
        threads.append(Thread(target=_trade, args=arguments, daemon=True))
        threads[-1].start()
    return threads


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _report(life: int, took_s: float, verdict: Verdict, told: Mapping[str, Told]) -> None:
    heard = ", ".join(
        f"{venue}: {len(each.names)} orders, {len(each.trades)} fills" for venue, each in told.items()
    )
    _say(f"kill {life}: {heard}; ready again in {took_s:.2f} s; {verdict}")


def main() -> None:
    """Kill as often as asked, and say what was lost."""
    parser = argparse.ArgumentParser("scripts/crash", description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--base-port", type=int, help="the control port; any that is free when left out")
    asked = parser.parse_args()
    with TemporaryDirectory() as folder:
        verdict = crash(asked.kills, asked.seed, Path(folder), asked.base_port)
        size = (Path(folder) / "journal").stat().st_size
    told = ", ".join(f"{n:,} {what}" for what, n in verdict.told.items())
    rate = verdict.told["commands"] / verdict.seconds
    _say(f"{asked.kills} kills, {rate:.0f} commands/s; told of {told}; journal of {size:,} bytes")
    _say(str(verdict))
    sys.exit(bool(verdict.missing or verdict.doubled))


if __name__ == "__main__":
    main()
