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
from types import TracebackType
from typing import Self, TypeVar, cast

from uvicorn.loops.auto import auto_loop_factory

from emulator.chaos.rules import Hit, Rule
from emulator.chaos.scenarios import read_scenario
from emulator.config import DEMO, Layer, load, read_preset
from emulator.gateway.connection import Row
from emulator.gateway.server import Gateway
from emulator.truth import TrueBook, difference, instant
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

_HEALTH_S = 10

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
        return self._submit(lambda: self._driver.advance(seconds))

    def _advance_until(self, event: str, venue: str, symbol: str, interval: str) -> Future[int]:
        target = lambda now_ns: self._gateway.next_instant(event, venue, symbol, interval, now_ns)
        return self._submit(lambda: self._driver.advance_until(target))

    def call(self, act: Callable[[], T]) -> T:
        """Have it done on the emulator's loop."""

        async def there() -> T:
            return act()

        return self._submit(there).result()

    def _submit(self, act: Callable[[], Awaitable[T]]) -> Future[T]:
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


class Truth:
    """What is so on a running emulator, whatever clients were told."""

    def __init__(self, gateway: Gateway, call: Callable[[Callable[[], object]], object]) -> None:
        self._gateway = gateway
        self._call = call

    def book(self, venue: str, symbol: str, at_ns: int | None = None) -> TrueBook:
        """A market's book, by the venue's name for it, at a boundary that has passed; now if it is left out. ValueError
        where there is no such market or instant.
        """
        return cast(TrueBook, self._call(lambda: self._gateway.true_book(venue, symbol, at_ns)))


class Emulator:
    """An emulator in a thread of this program, running from `start` to `stop` or within a `with`, `async` or not.

    Settings are those of a file (docs/configuration.md), as a mapping, by name, or both; a `preset`'s come below
    them. ConfigError, of one line, says which is wrong. `ca` is the certificate that TLS clients must trust, None
    without TLS.
    """

    clock: Clock
    faults: Faults
    connections: Connections
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
        self._config = load([*below, Layer(str, settings or {}), Layer(str, more)], registry)
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
        gateway = Gateway(self._config, self._registry)
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
        self.truth = Truth(gateway, self.clock.call)
        self._gateway = gateway

    def stop(self) -> None:
        """Close every socket and end the thread. Idempotent."""
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()
            self._thread = None

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
        return point(client, _served(self._urls, key), CLIENTS, venue)

    def assert_book_in_sync(
        self, venue: str, symbol: str, bids: Mapping[str, str], asks: Mapping[str, str]
    ) -> None:
        """AssertionError, which names the first difference, unless a client's book is the true one.

        `bids` and `asks` are quantities by price, as text. The truth is that of the last message about this book that
        a socket was sent; of several sockets, of any. Every level the client holds counts, and every true one within
        its range. ValueError where there is no such market.
        """
        instants = self.clock.call(lambda: self._gateway.books_told_ns(venue, symbol))
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
        urls = json.load(answer)["venues"]
    return point(client, _served(urls, DEMO.keys[0]), CLIENTS, venue)


def _served(urls: Mapping[str, Mapping[str, str]], key: ApiKey | None) -> Served:
    addresses = {venue: Address(at["http"], at["ws"]) for venue, at in urls.items()}
    return Served(addresses, key.key, key.secret) if key else Served(addresses)
