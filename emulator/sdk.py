"""The emulator inside a Python program: `with Emulator() as exchange:` runs it in a thread of its own.

By default it is as a test wants it: every venue, on free ports, the clock standing at 2026-01-01 00:00 UTC, a
fixed seed, nothing made ahead, clients without limits. Settings are named and judged as in a file. Nothing here may
be called from the emulator's own thread.
"""

from __future__ import annotations

import asyncio
import json
import threading
import urllib.request
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar, cast

from uvicorn.loops.auto import auto_loop_factory

from emulator.chaos.market import Struck
from emulator.chaos.rules import Hit, Rule
from emulator.chaos.scenarios import read_scenario
from emulator.config import DEMO, SETTINGS, Layer, load, read_preset, written
from emulator.driver import settled
from emulator.gateway.back_office import AccountRow
from emulator.gateway.connection import Row
from emulator.gateway.runlog import Log, read_log
from emulator.gateway.server import Gateway
from emulator.judgements import (
    Verdict,
    answered_pings,
    no_duplicate_orders,
    no_orphan_orders,
    reconnected,
    respected_limits,
    resubscribed,
)
from emulator.report import report
from emulator.truth import TrueBook, TrueFill, TrueOrder, TrueTrade, difference, instant
from emulator.witness import Witness
from venues.base import ApiKey, KeyKind, VenueProtocol
from venues.clients import Address, Served, point
from venues.registry import CLIENTS, VENUES

DEFAULTS: Mapping[str, object] = {
    "base_port": 0,
    "start": "2026-01-01T00:00:00Z",
    "paused": True,
    "lazy_history": True,  # a test is over before it is made
    "limits": "off",
}

JUDGED_S = 5.0  # so long a client may take, unless a test says otherwise

_HEALTH_S = 10

# What is another matter in a rerun: where it listens, when it began, how fast it goes.
_PLACES = frozenset(
    {
        "base_port",
        "host",
        "control_host",
        "journal",
        "start",
        "origin",
        "paused",
        "speed",
        "tls_cert",
        "tls_key",
    }
)

C = TypeVar("C")
T = TypeVar("T")


class Clock:
    """The virtual clock of a running emulator. ValueError when asked the impossible; AdvanceBlocked from a step."""

    def __init__(self, gateway: Gateway, loop: asyncio.AbstractEventLoop) -> None:
        self._gateway = gateway
        self._driver = gateway.driver
        self._loop = loop

    @property
    def now_ns(self) -> int:
        """What time it is, in ns since the epoch."""
        return self.call(self._driver.stamp)[0]

    @property
    def paused(self) -> bool:
        """Whether it stands still between steps."""
        return self._driver.paused

    @property
    def speed(self) -> float:
        """Virtual seconds per second while it is not paused; `math.inf` goes as fast as clients read."""
        return self._driver.speed

    @speed.setter
    def speed(self, speed: float) -> None:
        self.call(lambda: self._driver.set_speed(speed))

    def pause(self) -> None:
        """Stand still."""
        self.call(self._driver.pause)

    def resume(self) -> None:
        """Run on from here."""
        self.call(self._driver.resume)

    def advance(self, seconds: float) -> int:
        """Step; returns, with the instant reached, when every frame was accepted by its socket or outbox.

        Blocks the caller: whoever reads the sockets in the same event loop awaits `advance_async` instead.
        """
        return self._advance(seconds).result()

    async def advance_async(self, seconds: float) -> int:
        """The same for callers in an event loop, whose readers go on meanwhile."""
        return await asyncio.wrap_future(self._advance(seconds))

    def advance_until(self, event: str, venue: str = "", symbol: str = "", interval: str = "") -> int:
        """Step likewise to the next "funding" or "kline_close" of a market, or to the end of the "day" in UTC.

        Symbol and interval are the venue's own words; an interval left out is a minute.
        """
        return self._advance_until(event, venue, symbol, interval).result()

    async def advance_until_async(
        self, event: str, venue: str = "", symbol: str = "", interval: str = ""
    ) -> int:
        """The same for callers in an event loop."""
        return await asyncio.wrap_future(self._advance_until(event, venue, symbol, interval))

    def _advance(self, seconds: float) -> Future[int]:
        return self.submit(lambda: self._driver.advance(seconds))

    def _advance_until(self, event: str, venue: str, symbol: str, interval: str) -> Future[int]:
        target = lambda now_ns: self._gateway.next_instant(event, venue, symbol, interval, now_ns)
        return self.submit(lambda: self._driver.advance_until(target))

    def call(self, act: Callable[[], T]) -> T:
        """Have it done on the emulator's loop."""

        async def there() -> T:
            return act()

        return self.submit(there).result()

    def submit(self, act: Callable[[], Awaitable[T]]) -> Future[T]:
        """Have it done on the emulator's loop."""
        if not self._loop.is_running():
            raise RuntimeError("this emulator is not running")

        async def there() -> T:
            return await act()

        return asyncio.run_coroutine_threadsafe(there(), self._loop)


class Faults:
    """The rules of chaos of a running emulator. ConfigError, of one line, when a rule is none."""

    def __init__(self, gateway: Gateway, call: Callable[[Callable[[], object]], object]) -> None:
        self._chaos = gateway.chaos
        self._driver = gateway.driver
        self._call = call

    def add(self, kind: str, *, id: str = "", **words: object) -> str:  # noqa: A002  # the rule's own word for it
        """Put a rule into force now, by its words (docs/chaos.md), and return its id."""
        values = {"kind": kind, **words}
        return str(self._call(lambda: self._chaos.add(values, self._driver.stamp()[0], name=id).id))

    def change(self, name: str, kind: str, **words: object) -> None:
        """Put a rule in the place of the one of this id; its count begins anew."""
        self.add(kind, id=name, **words)

    def start(self, scenario: str) -> list[str]:
        """Begin a scenario now, by its name or its file, and return the ids of its rules."""
        rules = read_scenario(scenario).rules
        started = self._call(lambda: self._chaos.start(rules, self._driver.stamp()[0]))
        return [rule.id for rule in cast(list[Rule], started)]

    def remove(self, name: str) -> bool:
        """Take a rule out of force; whether there was one."""
        return bool(self._call(lambda: self._chaos.remove(name)))

    def clear(self) -> None:
        """Take all out of force."""
        self._call(self._chaos.clear)

    @property
    def rules(self) -> list[Rule]:
        """Those in force, in the order in which they were added."""
        return cast(list[Rule], self._call(lambda: list(self._chaos.rules)))

    @property
    def hits(self) -> list[Hit]:
        """What faults were done to, in order; the newest that are kept."""
        return cast(list[Hit], self._call(lambda: list(self._chaos.rules.hits)))


class Connections:
    """The sockets of a running emulator's clients."""

    def __init__(self, gateway: Gateway, call: Callable[[Callable[[], object]], object]) -> None:
        self._gateway = gateway
        self._call = call

    def list(self) -> tuple[Row, ...]:
        """Those that are open; of a venue, in the order in which they came."""
        return cast(tuple[Row, ...], self._call(lambda: tuple(self._gateway.connections)))

    def kick(self, name: str, code: int | None = None, reason: str = "") -> None:
        """End one, by its id: with a closing handshake of this code, or without a word (None). KeyError if there is
        none such.
        """
        if self._call(lambda: self._gateway.kick(name, code, reason)) is None:
            raise KeyError(name)

    def ping(self, name: str = "") -> None:
        """Send a protocol ping now, to one or to all: a clock that stands sends none by itself. KeyError if there is
        none such.
        """
        if not self._call(lambda: self._gateway.ping(name)) and name:
            raise KeyError(name)


class Accounts:
    """The accounts of a running emulator, on all its venues. ValueError, of one line, for what cannot be."""

    def __init__(self, gateway: Gateway, clock: Clock) -> None:
        self._office = gateway.back_office
        self._call = clock.call

    def list(self) -> tuple[AccountRow, ...]:
        """Those there are, in the order of their opening."""
        return tuple(self._call(self._office.accounts))

    def create(self, name: str, **row: object) -> AccountRow:
        """Open one on every venue: `keys` and `balances` as in the setting `accounts` (docs/configuration.md)."""
        return self._call(lambda: self._office.open(name, row))

    def fund(self, name: str, venue: str, wallet: str, asset: str, amount: str) -> AccountRow:
        """Give it money on a venue, or below 0 take away what is free."""
        return self._call(lambda: self._office.fund(name, venue, wallet, asset, amount))

    def freeze(self, name: str) -> AccountRow:
        """Have its orders and amendments refused; cancels go on."""
        return self._call(lambda: self._office.freeze(name, frozen=True))

    def thaw(self, name: str) -> AccountRow:
        """Have them taken again."""
        return self._call(lambda: self._office.freeze(name, frozen=False))

    def cancel_orders(
        self, venue: str, account: str | None = None, symbol: str | None = None
    ) -> tuple[TrueOrder, ...]:
        """Cancel the open orders of an account, or of all."""
        return tuple(self._call(lambda: self._office.cancel_all(venue, account, symbol)))


class Truth:
    """What is so on a running emulator, whatever clients were told.

    Venues and markets go by the venue's own names; an instant is a boundary that has passed, now if it is left out.
    ValueError, of one line, where there is no such.
    """

    def __init__(self, gateway: Gateway, clock: Clock) -> None:
        self._inspector = gateway.inspector
        self._call = clock.call

    def book(self, venue: str, symbol: str, at_ns: int | None = None) -> TrueBook:
        """A market's whole book."""
        return self._call(lambda: self._inspector.book(venue, symbol, at_ns))

    def sequence(self, venue: str, symbol: str, at_ns: int | None = None) -> int:
        """The id of the book's last change, of which the venue's sequence numbers are views."""
        return self._call(lambda: self._inspector.sequence(venue, symbol, at_ns))

    def trades(
        self, venue: str, symbol: str, after_ns: int | None = None, upto_ns: int | None = None
    ) -> list[TrueTrade]:
        """A market's trades in (after_ns, upto_ns], clients' own among them, oldest first; of this run if `after_ns` is
        left out. The newest 10,000.
        """
        return self._call(lambda: self._inspector.trades(venue, symbol, after_ns, upto_ns))

    def fills(
        self, venue: str, account: str | None = None, symbol: str | None = None, upto_ns: int | None = None
    ) -> list[TrueFill]:
        """What became of an account's orders, or of all, up to an instant, oldest first; the newest 10,000."""
        return self._call(lambda: self._inspector.fills(venue, account, symbol, upto_ns))


class Market:
    """What may be done to the markets of a running emulator. Words are those of the rule that each is (docs/chaos.md):
    `venue` and `symbol` say which markets, `duration_s` for how long. ConfigError or ValueError, of one line, for what
    cannot be.
    """

    def __init__(self, gateway: Gateway, clock: Clock) -> None:
        self._markets = gateway.markets
        self._driver = gateway.driver
        self._call = clock.call

    def halt(self, **words: object) -> Struck:
        """Stop trading (`mkt.halt`), until `resume` or for `duration_s`."""
        return self._act("halt", words)

    def auction(self, **words: object) -> Struck:
        """Stop trading and come back with an auction (`mkt.auction_reopen`)."""
        return self._act("auction", words)

    def void(self, **words: object) -> Struck:
        """Leave little in the book (`mkt.liquidity_void`)."""
        return self._act("void", words)

    def crash(self, **words: object) -> Struck:
        """Have the price fall and come back (`mkt.flash_crash`)."""
        return self._act("crash", words)

    def cascade(self, **words: object) -> Struck:
        """Have a perpetual fall in waves of liquidations (`mkt.liq_cascade`)."""
        return self._act("cascade", words)

    def burst(self, **words: object) -> Struck:
        """Have a market many times as busy (`mkt.burst`)."""
        return self._act("burst", words)

    def resume(self, venue: str = "", symbol: str = "") -> tuple[str, ...]:
        """Have halted markets go on; the ids of the rules that halted them."""
        return tuple(self._call(lambda: self._markets.resume(venue, symbol)))

    def _act(self, action: str, words: Mapping[str, object]) -> Struck:
        return self._call(lambda: self._markets.act(action, words, self._driver.stamp()[0]))


class Emulator:
    """An emulator in a thread of this program, running from `start` to `stop` or within a `with`, `async` or not.

    Settings are those of a file (docs/configuration.md), as a mapping, by name, or both; a `preset`'s come below
    them. ConfigError, of one line, says which is wrong. `ca` is the certificate that TLS clients must trust, None
    without TLS.
    """

    clock: Clock
    faults: Faults
    connections: Connections
    accounts: Accounts
    market: Market
    truth: Truth

    def __init__(
        self,
        settings: Mapping[str, object] | None = None,
        *,
        preset: str | None = None,
        registry: Sequence[VenueProtocol] = VENUES,
        **more: object,
    ) -> None:
        below = [Layer(str, DEFAULTS), *([read_preset(preset)] if preset else [])]
        layers = [*below, Layer(str, settings or {}), Layer(str, more)]
        self._config = load(layers, registry)
        self._written = written(layers)
        self._given = {**({"preset": preset} if preset else {}), **(settings or {}), **more}
        self._log: Log | None = None
        self._registry = registry
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.start)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)

    def start(self) -> None:
        """Take the ports and serve; returns when every venue answers. Raises PortBusyError."""
        gateway = Gateway(self._config, self._registry, self._written, keeps_writes=True)
        started: Future[asyncio.AbstractEventLoop] = Future()
        self._stop = asyncio.Event()
        thread = threading.Thread(target=self._run, args=(gateway, started), name="emulator", daemon=True)
        thread.start()
        self._loop = started.result()
        self._thread = thread
        self._urls = gateway.urls
        self.control_url = gateway.control_url
        self.ca = gateway.ca
        self.clock = Clock(gateway, self._loop)
        self.faults = Faults(gateway, self.clock.call)
        self.connections = Connections(gateway, self.clock.call)
        self.accounts = Accounts(gateway, self.clock)
        self.market = Market(gateway, self.clock)
        self.truth = Truth(gateway, self.clock)
        self._gateway = gateway

    def stop(self) -> None:
        """Close every socket and end the thread. Idempotent."""
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()
            self._thread = None

    @property
    def running(self) -> bool:
        """Whether it has been started and not stopped."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def seed(self) -> int:
        """The run's."""
        return self._config.seed

    def url(self, venue: str, *, tls: bool = False) -> str:
        """http://host:port of the venue, or https: without a path or a slash at the end. KeyError without TLS."""
        return self._urls[venue]["https" if tls else "http"]

    def ws_url(self, venue: str, *, tls: bool = False) -> str:
        """ws://host:port of the venue, or wss: without a path or a slash at the end. KeyError without TLS."""
        return self._urls[venue]["wss" if tls else "ws"]

    def configure(self, client: C, venue: str | None = None) -> C:
        """Point a client's object or class here, with an account's key if it has none, and return it.

        Of several venues, a client talks to all it knows, or to the one that is named. ClientError, of one line, when
        it is unknown or has no venue here.
        """
        keys = (key for account in self._config.accounts or (DEMO,) for key in account.keys)
        key = next((key for key in keys if key.kind is KeyKind.HMAC and not key.read_only), None)
        return point(client, _served(self._urls, key, self.ca), CLIENTS, venue)

    def orders(
        self, venue: str, account: str | None = None, symbol: str | None = None, *, only_open: bool = True
    ) -> list[TrueOrder]:
        """The orders of an account, or of all, as they stand, oldest first; also those that ended, unless `only_open`.
        ValueError, of one line, where there is no such venue, account or market.
        """
        look = self._gateway.inspector.orders
        return self.clock.call(lambda: look(venue, account, symbol, only_open=only_open))

    # ------------------------------------------------------------ was the client right?
    # Seconds are of the wall clock. What can still come is waited for, at most so long: whoever's client lives in the
    # event loop that asks awaits the same judgement with _async.
    def assert_book_in_sync(
        self, venue: str, symbol: str, bids: Mapping[str, str], asks: Mapping[str, str]
    ) -> None:
        """AssertionError, which names the first difference, unless a client's book is the true one.

        `bids` and `asks` are quantities by price, as text. The truth is that of the last message about this book that
        a socket was sent; of several sockets, of any. Every level the client holds counts, and every true one within
        its range. ValueError where there is no such market.
        """
        instants = self.clock.call(lambda: self._gateway.inspector.books_told_ns(venue, symbol))
        books = [self.truth.book(venue, symbol, at_ns) for at_ns in instants]
        found = [difference(book, bids, asks) for book in books]
        if None in found:
            return
        hits = Counter(hit.kind for hit in self.faults.hits if hit.venue == venue)
        said = ", ".join(f"{kind} x {times}" for kind, times in hits.items())
        raise AssertionError(
            f"{venue} {symbol} is out of sync at {instant(books[0].at_ns)}, update {books[0].update_id}: {found[0]}"
            + (f"; faults that hit: {said}" if said else "")
        )

    def assert_reconnected(self, within_seconds: float = JUDGED_S) -> None:
        """AssertionError unless every socket that the exchange ended, or went silent on, was followed by another."""
        self._judge(lambda: reconnected(self._witness, within_seconds), within_seconds).result()

    async def assert_reconnected_async(self, within_seconds: float = JUDGED_S) -> None:
        """The same for callers in an event loop."""
        await self._judged(lambda: reconnected(self._witness, within_seconds), within_seconds)

    def assert_resubscribed(self, within_seconds: float = JUDGED_S) -> None:
        """AssertionError unless all that such sockets listened to is listened to again."""
        self._judge(lambda: resubscribed(self._witness, within_seconds), within_seconds).result()

    async def assert_resubscribed_async(self, within_seconds: float = JUDGED_S) -> None:
        """The same for callers in an event loop."""
        await self._judged(lambda: resubscribed(self._witness, within_seconds), within_seconds)

    def assert_answered_pings(self, within_seconds: float = JUDGED_S) -> None:
        """AssertionError unless every ping that the exchange sent had its pong."""
        self._judge(lambda: answered_pings(self._witness, within_seconds), within_seconds).result()

    async def assert_answered_pings_async(self, within_seconds: float = JUDGED_S) -> None:
        """The same for callers in an event loop."""
        await self._judged(lambda: answered_pings(self._witness, within_seconds), within_seconds)

    def assert_no_duplicate_orders(self) -> None:
        """AssertionError if an order whose answer never came whole was placed again, under whatever id, before an
        answer to a later question had named it; unless it had ended without a fill.
        """
        self._judge(lambda: no_duplicate_orders(self._witness, self._gateway.inspector.order)).result()

    def assert_no_orphan_orders(self) -> None:
        """AssertionError if an order is open that nothing has ever named to a client: no answer, event or list."""
        self._judge(lambda: no_orphan_orders(self._witness, self._gateway.inspector.order)).result()

    def assert_respected_limits(self) -> None:
        """AssertionError if a limit was exceeded, or somebody came back before a Retry-After was over."""
        self._judge(lambda: respected_limits(self._witness)).result()

    @property
    def _witness(self) -> Witness:
        return self._gateway.witness

    def _judge(self, judge: Callable[[], Verdict], within_s: float = 0.0) -> Future[None]:
        """Have it judged on the emulator's loop, once nothing can change any more."""

        async def judged() -> None:
            await settled(lambda: not judge().open, within_s + 1 if within_s else 0)
            if (wrong := judge().wrong) is not None:
                raise AssertionError(wrong)

        return self.clock.submit(judged)

    async def _judged(self, judge: Callable[[], Verdict], within_s: float) -> None:
        await asyncio.wrap_future(self._judge(judge, within_s))

    # ------------------------------------------------------------ the run, again
    def log(self) -> str:
        """The inputs of the run with their virtual instants: settings first, a line of JSON each; `rerun` takes it."""
        return self.clock.call(lambda: b"".join(self._gateway.log_lines())).decode()

    @classmethod
    def rerun(cls, log: str) -> Self:
        """An emulator, not yet started, of the same settings and start as the run of a log; `replay` then has the same
        happen. ConfigError, of one line, where it is no log, or its beginning was no longer kept.
        """
        read = read_log(log)
        of_run = {
            name: value for name, value in read.settings.items() if name in SETTINGS and name not in _PLACES
        }
        again = cls(of_run, start=instant(read.start_ns), origin=instant(read.origin_ns))
        again._log = read
        return again

    def replay(self) -> int:
        """Step through the inputs of the log that this emulator reruns, each at its instant, to where that was
        exported; the instant reached. Blocks like `advance`.
        """
        return self._replay().result()

    async def replay_async(self) -> int:
        """The same for callers in an event loop."""
        return await asyncio.wrap_future(self._replay())

    def _replay(self) -> Future[int]:
        log, driver = self._log, self._gateway.driver
        if log is None:
            raise RuntimeError("this emulator reruns no log: make it by Emulator.rerun")

        async def again() -> int:
            for each in log.inputs:
                await driver.advance_until(lambda now_ns, at_ns=each.at_ns: max(now_ns, at_ns))  # type: ignore[misc]
                self._gateway.do_again(each)
            return await driver.advance_until(lambda now_ns: max(now_ns, log.now_ns))

        return self.clock.submit(again)

    def report(self) -> str:
        """What there is to know of the run when a test has failed: how to have it again, the faults that hit, and the
        last that was written to its sockets.
        """
        return self.clock.call(lambda: report(self._gateway, self._given))

    def _run(self, gateway: Gateway, started: Future[asyncio.AbstractEventLoop]) -> None:
        with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
            try:
                runner.run(gateway.serve(self._stop, lambda: started.set_result(runner.get_loop())))
            except BaseException as error:
                if started.done():
                    raise
                started.set_exception(error)


def configure(client: C, control_url: str = "http://127.0.0.1:9000", venue: str | None = None) -> C:
    """`Emulator.configure` for one that runs elsewhere (`exchange-emulator serve`), by the URL of its control API.

    The key is the one of the accounts that there are unless settings say otherwise. OSError when nobody answers.
    """
    with urllib.request.urlopen(f"{control_url}/health", timeout=_HEALTH_S) as answer:  # noqa: S310  # whoever runs this names it
        health = json.load(answer)
    return point(client, _served(health["venues"], DEMO.keys[0], health.get("ca")), CLIENTS, venue)


def _served(urls: Mapping[str, Mapping[str, str]], key: ApiKey | None, ca: Path | str | None) -> Served:
    addresses = {venue: Address(at["http"], at["ws"], at.get("wss", "")) for venue, at in urls.items()}
    trust = None
    if ca is not None:
        import ssl  # noqa: PLC0415  # few have TLS

        trust = ssl.create_default_context(cafile=ca)
    return Served(addresses, key.key if key else "", key.secret if key else "", trust)
