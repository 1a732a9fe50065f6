"""Unmodified clients of the real venues read this one, each in an environment of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import pytest

from emulator.config import Layer, load, resolve
from emulator.run import exchanges
from reactor.single_asset import HyperSynthReactor
from reactor.types import Side
from tests.connectors.environments import NoPackageIndexError, interpreter
from tests.serving import Served, ask
from tests.trader import Trader
from venues.registry import VENUES

pytestmark = [pytest.mark.client, pytest.mark.timeout(900)]

CLIENTS = Path(__file__).parent / "clients"
README = Path(__file__).parents[2] / "README.md"
GUIDE = README.with_name("docs") / "connect-your-bot.md"
SHORT_WAY = "The short way"
REQUIRED = os.environ.get("CLIENTS_REQUIRED") == "1"
RUN_S = 600  # a stop for what hangs
AT_A_TIME = 3

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Client:
    """A client, the pins of its environment, the script that drives it, and the venue it believes it talks to."""

    pins: str
    script: str
    venue: str
    arguments: tuple[str, ...]

    @property
    def fast(self) -> bool:
        """Whether it wants minutes of the market."""
        return "bars" in self.arguments

    def __str__(self) -> str:
        return "-".join((self.pins, *self.arguments))


PYTHON_BINANCE, SDK, UNICORN = "python-binance", "hyperliquid-python-sdk", "unicorn-binance-local-depth-cache"
TABLE = (
    Client("ccxt", "ccxt_public.py", "binance", ("binance", "books")),
    Client("ccxt", "ccxt_public.py", "binance", ("binance", "bars")),
    Client("ccxt", "ccxt_public.py", "binance-usdm", ("binance-usdm", "books")),
    Client("ccxt", "ccxt_public.py", "binance-usdm", ("binance-usdm", "bars")),
    Client("ccxt", "ccxt_public.py", "hyperliquid", ("hyperliquid", "books")),
    Client("ccxt", "ccxt_public.py", "hyperliquid", ("hyperliquid", "bars")),
    Client(PYTHON_BINANCE, "python_binance_public.py", "binance", ("spot", "books")),
    Client(PYTHON_BINANCE, "python_binance_public.py", "binance", ("spot", "bars")),
    Client(PYTHON_BINANCE, "python_binance_public.py", "binance-usdm", ("usdm", "books")),
    Client(PYTHON_BINANCE, "python_binance_public.py", "binance-usdm", ("usdm", "bars")),
    Client("ccxt", "ccxt_binance_private.py", "binance", ("binance", "orders")),
    Client("ccxt", "ccxt_binance_private.py", "binance-usdm", ("binance-usdm", "orders")),
    Client(PYTHON_BINANCE, "python_binance_private.py", "binance", ("spot", "orders")),
    Client(PYTHON_BINANCE, "python_binance_private.py", "binance-usdm", ("usdm", "orders")),
    Client(SDK, "hyperliquid_sdk_public.py", "hyperliquid", ("books",)),
    Client(SDK, "hyperliquid_sdk_public.py", "hyperliquid", ("bars",)),
    Client(UNICORN, "unicorn_public.py", "binance", ("binance.com",)),
    Client(UNICORN, "unicorn_public.py", "binance-usdm", ("binance.com-futures",)),
)


def python(pins: str) -> Path:
    try:
        return interpreter(pins)
    except NoPackageIndexError as unreachable:
        if REQUIRED:
            raise
        pytest.skip(f"NOT CHECKED AGAINST {pins}: no package index can be reached ({unreachable})")


# Before examples, which are as short as their readers would have them: a busy machine is given time.
PATIENT = {"ccxt": "import ccxt; ccxt.Exchange.timeout = 60_000\n"}


def run(interpreter: Path, *command: str | Path) -> str:
    """The program's output; what it said on stderr, if it failed. Files that it leaves about are nobody's."""
    alone = (interpreter, "-I", *command)
    with TemporaryDirectory() as about:
        done = subprocess.run(alone, capture_output=True, text=True, timeout=RUN_S, check=False, cwd=about)
    assert done.returncode == 0, done.stderr or done.stdout
    return done.stdout


@contextmanager
def verdicts_on(
    kind: type[T], verdict: Callable[[T], str], request: pytest.FixtureRequest
) -> Iterator[Mapping[T, Future[str]]]:
    """What is said of each parameter of a kind that is asked for: clients mostly wait, so several run at a time."""
    calls = [item.callspec.params for item in request.session.items if hasattr(item, "callspec")]
    asked = [value for values in calls for value in values.values() if isinstance(value, kind)]
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        yield {value: pool.submit(verdict, value) for value in asked}
        pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="module")
def verdicts(
    request: pytest.FixtureRequest, served: Served, hastened: Served
) -> Iterator[Mapping[Client, Future[str]]]:
    """What each client that is asked for will have said."""

    def verdict(client: Client) -> str:
        urls = (hastened if client.fast else served).venues[client.venue]
        script = CLIENTS / client.script
        return run(interpreter(client.pins), script, *client.arguments, urls["http"], urls["ws"])

    with verdicts_on(Client, verdict, request) as found:
        yield found


@pytest.mark.parametrize("client", TABLE, ids=str)
def test_a_real_client_knows_the_venue(client: Client, verdicts: Mapping[Client, Future[str]]) -> None:
    """Books without a gap, trades without a hole, candles made of them, REST in agreement with the stream; and
    who trades has what his trades add up to.
    """
    python(client.pins)
    assert json.loads(verdicts[client].result())


def test_a_market_maker_knows_what_it_has(stepped: Served) -> None:
    """Two hours of quotes and fills, and a settlement of funding: by its user stream alone, to the last unit."""
    urls = stepped.venues["binance-usdm"]
    script, control = CLIENTS / "ccxt_market_maker.py", f"http://127.0.0.1:{stepped.base_port}"
    told = json.loads(run(python("ccxt"), script, control, urls["http"], urls["ws"]))
    assert (told["fills"] > 20, told["funding"]) == (True, 1)
    stepped.post("/clock/advance", seconds=1)
    trader = Trader(urls["http"], clock_ms=time.time_ns() // 1_000_000)
    with closing(trader):
        own = {
            row["id"]
            for row in trader.signed("GET", "/fapi/v1/userTrades", {"symbol": "BTCUSDT", "limit": 1000})
        }
        public = trader.public("/fapi/v1/trades?symbol=BTCUSDT&limit=1000")
        depth = trader.public("/fapi/v1/depth?symbol=BTCUSDT&limit=1000")
        resting = trader.signed("GET", "/fapi/v1/openOrders", {"symbol": "BTCUSDT"})
    rows = [(row["price"], row["qty"], row["isBuyerMaker"]) for row in public if row["id"] not in own]
    assert 0 < len(rows) < len(public)
    assert_left_alone(stepped, "binance-usdm", "BTCUSDT", rows)
    mine = [
        (row["side"] == "SELL", row["price"], left(row["origQty"], row["executedQty"])) for row in resting
    ]
    assert_book_left_alone(stepped, "binance-usdm", "BTCUSDT", (depth["bids"], depth["asks"]), mine)


def test_a_market_maker_knows_what_it_has_on_hyperliquid(stepped: Served) -> None:
    """Likewise, by its subscriptions alone; funding is settled every hour."""
    script, control = CLIENTS / "hyperliquid_sdk_market_maker.py", f"http://127.0.0.1:{stepped.base_port}"
    told = json.loads(run(python(SDK), script, control, stepped.venues["hyperliquid"]["http"]))
    assert (told["fills"] > 20, told["funding"]) == (True, 2)
    stepped.post("/clock/advance", seconds=1)
    info = stepped.venues["hyperliquid"]["http"] + "/info"
    own = {row["tid"] for row in ask(info, {"type": "userFills", "user": told["user"]})}
    public = ask(info, {"type": "recentTrades", "coin": "BTC"})
    rows = [(row["px"], row["sz"], row["side"] == "A") for row in public if row["tid"] not in own]
    assert rows
    assert_left_alone(stepped, "hyperliquid", "BTC", rows[::-1])
    book = ask(info, {"type": "l2Book", "coin": "BTC"})["levels"]
    bids, asks = ([(row["px"], row["sz"]) for row in side] for side in book)
    resting = ask(info, {"type": "openOrders", "user": told["user"]})
    mine = [(row["side"] == "A", row["limitPx"], Decimal(row["sz"])) for row in resting]
    assert_book_left_alone(stepped, "hyperliquid", "BTC", (bids, asks), mine)


def assert_left_alone(
    emulator: Served, venue: str, symbol: str, rows: Sequence[tuple[str, str, bool]]
) -> None:
    """Public trades (price, quantity, whether it was sold) less a bot's own are those of the tape that nobody ever
    traded on.
    """
    market = untraded(venue, symbol)
    prints = market.prints_before(emulator.get("/clock")["now_ns"], len(rows))
    price, quantity = units(market)
    columns = (column.tolist() for column in (prints.price_ticks, prints.qty_lots, prints.side))
    tape = [
        (ticks * price, lots * quantity, side == Side.SELL)
        for ticks, lots, side in zip(*columns, strict=True)
    ]
    assert [(Decimal(px), Decimal(sz), sold) for px, sz, sold in rows] == tape


def assert_book_left_alone(
    emulator: Served,
    venue: str,
    symbol: str,
    sides: tuple[Sequence[tuple[str, str]], Sequence[tuple[str, str]]],
    mine: Sequence[tuple[bool, str, Decimal]],
) -> None:
    """The public book (price and quantity, bids and asks) less a bot's own orders (whether it sells, price, quantity
    left) is that of the tape that nobody ever traded on.
    """
    market = untraded(venue, symbol)
    book = market.book(emulator.get("/clock")["now_ns"])
    price, quantity = units(market)
    tape = ((book.bid_ticks, book.bid_lots), (book.ask_ticks, book.ask_lots))
    for asks, (public, (ticks, lots)) in enumerate(zip(sides, tape, strict=True)):
        told = {Decimal(px): Decimal(sz) for px, sz in public}
        for sells, px, sz in mine:
            if sells == bool(asks):
                told[Decimal(px)] -= sz
        others = [(px, sz) for px, sz in told.items() if sz]
        assert len(others) > 10
        levels = zip(ticks.tolist(), lots.tolist(), strict=True)
        assert others == [(tick * price, lot * quantity) for tick, lot in levels][: len(others)]


def left(asked: str, filled: str) -> Decimal:
    return Decimal(asked) - Decimal(filled)


def untraded(venue: str, symbol: str) -> HyperSynthReactor:
    """The tape of a market in the run of `stepped`."""
    config = load([Layer(str, {"seed": 7, "start": "2026-01-01T07:00:00Z"})], VENUES)
    views = {each.id: view for each, view in exchanges(config, VENUES, resolve(config, 0)[1])}
    return views[venue].world.market(views[venue].markets[symbol])


def units(market: HyperSynthReactor) -> tuple[Decimal, Decimal]:
    """A tick and a lot, as decimals."""
    of = market.instrument
    return Decimal(of.tick_size).scaleb(-of.price_decimals), Decimal(of.lot_size).scaleb(-of.qty_decimals)


# ---------------------------------------------------------------- the examples of the documents
def at_ports_of(served: Served, example: str) -> str:
    """An example, as printed but for the ports."""
    return re.sub(r"\b90(\d\d)\b", lambda port: str(served.base_port + int(port[1])), example)


def test_the_example_in_the_readme_works(served: Served) -> None:
    """The first Python in the README."""
    example = re.search(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert example is not None
    bids = json.loads(run(python("ccxt"), "-c", PATIENT["ccxt"] + at_ports_of(served, example[1])))
    assert bids == sorted(bids, reverse=True)
    assert len(bids) == 3


def examples() -> list[Any]:
    """The Python of docs/connect-your-bot.md; a chapter is called like the client, so like its pins. The one about all
    of them is test_configure.py's.
    """
    found = []
    for chapter in GUIDE.read_text().split("\n## ")[1:]:
        client = chapter.partition("\n")[0]
        if client == SHORT_WAY:
            continue
        for section in chapter.split("\n### "):
            for code in re.findall(r"```python\n(.*?)```", section, re.DOTALL):
                title = section.partition("\n")[0]
                found.append(pytest.param(client, code, id=f"{client}-{title}"))
    return found


@pytest.mark.parametrize(("client", "code"), examples())
def test_the_examples_of_the_guide_work(client: str, code: str, served: Served) -> None:
    """Each prints the best bid and the best ask, in this order."""
    patiently = PATIENT.get(client, "") + at_ports_of(served, code)
    bid, ask, *_ = map(float, run(python(client), "-c", patiently).split())
    assert 0 < bid < ask


def test_every_client_is_in_the_guide() -> None:
    """A client that is tested has a chapter, and each venue it is tested with a piece of code."""
    tested = {(client.pins, client.venue) for client in TABLE}
    chapters = {example.values[0] for example in examples()}
    assert chapters == {pins for pins, _ in tested} | {
        "binance-sdk",
        "cryptofeed",
    }  # only pointed here, by configure
    assert len(examples()) >= len(tested) - 1  # unicorn's futures differ by a word
