"""How clients of the real venues are pointed at this one: what the tables of the venues (venues/*/clients.py) hold.

No client is imported: it is known by the names of its classes and touched by its attributes, as it was read in its
source. Whatever a client could ask of a real exchange is pointed here, what is not served too: that is answered 404.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import wraps
from typing import Any, TypeAlias, TypeVar

from reactor.values import dataclass

C = TypeVar("C")


class ClientError(Exception):
    """A client cannot be pointed at the emulator; the text is one line that says why."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a venue is: scheme://host:port, without a path or a slash at the end; `wss` is "" without TLS."""

    http: str
    ws: str
    wss: str = ""


@dataclass(frozen=True, slots=True)
class Served:
    """What a client is pointed at: venues, and the credentials that a client gets if it has none ("": it gets none).

    `trust` is an ssl.SSLContext that trusts the venues' certificate, where there is TLS.
    """

    addresses: Mapping[str, Address]
    key: str = ""
    secret: str = ""
    trust: object = None

    def at(self, venue: str) -> Address:
        """The venue's address; another's where it is not served, so that nobody is left at the real exchange."""
        return self.addresses.get(venue) or next(iter(self.addresses.values()))


Point: TypeAlias = Callable[[Any, Served], None]


@dataclass(frozen=True, slots=True)
class Client:
    """Classes of a library and the way in which they, and what they make, are pointed at the first served of `venues`.

    A class is known by the top of its module's name and by its own; no `classes`: any of the package. Instead of
    `point` there may be a `refusal`: why it cannot be done.
    """

    library: str
    package: str
    classes: tuple[str, ...]
    venues: tuple[str, ...] = ()
    point: Point | None = None
    refusal: str = ""

    def knows(self, kind: type) -> bool:
        """Whether this very class is one of these."""
        package = kind.__module__.partition(".")[0]
        return package == self.package and (not self.classes or kind.__name__ in self.classes)

    def __str__(self) -> str:
        return f"{self.library} ({', '.join(self.classes)})"


def point(client: C, served: Served, known: Sequence[Client], venue: str | None = None) -> C:
    """Point a client's object or class here, at all that it knows or at one venue alone, and return it.

    Subclasses are what their nearest known ancestor is. ClientError where it cannot be done.
    """
    if venue is not None and venue not in served.addresses:
        raise ClientError(f"{venue!r} is not served; served: {', '.join(served.addresses)}")
    kind = client if isinstance(client, type) else type(client)
    name = f"{kind.__module__}.{kind.__qualname__}"
    row = next((row for each in kind.__mro__ for row in known if row.knows(each)), None)
    if row is None:
        clients = "; ".join(str(row) for row in known if row.point)
        raise ClientError(f"{name} is no client that is known; known: {clients}")
    if row.point is None:
        raise ClientError(f"{name} cannot be pointed here: {row.refusal}")
    wanted = row.venues if venue is None else (venue,)
    addresses = {
        id_: served.addresses[id_] for id_ in row.venues if id_ in wanted and id_ in served.addresses
    }
    if not addresses:
        there = ", ".join(row.venues)
        raise ClientError(f"{name} is a client of {there}; served: {', '.join(served.addresses)}")
    row.point(client, replace(served, addresses=addresses))
    return client


# ---------------------------------------------------------------- what several tables need
def loaded(module: str, name: str) -> Any:
    """Something of a client's module; None where nobody has imported that."""
    return getattr(sys.modules.get(module), name, None)


def wrap(owner: Any, name: str, around: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    """Put a function around a class's own; around the original again if it was done before."""
    current = getattr(owner, name)
    original = getattr(current, "original", current)
    wrapped: Any = wraps(original)(around(original))
    wrapped.original = original
    setattr(owner, name, wrapped)


def after_init(kind: type, act: Callable[[Any], None]) -> None:
    """Have it done to all that are made of a class."""

    def around(init: Callable[..., None]) -> Callable[..., None]:
        def made(self: Any, *args: Any, **named: Any) -> None:
            init(self, *args, **named)
            act(self)

        return made

    wrap(kind, "__init__", around)


def change_ccxt(client: Any, change: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> None:
    """Change what a ccxt exchange says of itself: `urls`, `options`, `apiKey`, `secret`; of a class, all that are made
    of it, where their own configuration does not say otherwise.

    ccxt 4.5.90: Exchange.__init__ sets what describe() returns as attributes, the configuration laid over it.
    """
    if isinstance(client, type):
        wrap(client, "describe", lambda describe: lambda self: {**(said := describe(self)), **change(said)})
        return
    for name, value in change(vars(client)).items():
        setattr(client, name, value)


def served_kinds(options: Mapping[str, Any], kinds: Sequence[str]) -> dict[str, Any]:
    """ccxt's option `fetchMarkets` with only the kinds of markets that are served; without it, load_markets fails."""
    fetch = options.get("fetchMarkets")
    fetch = fetch if isinstance(fetch, Mapping) else {}
    asked = [kind for kind in fetch.get("types", kinds) if kind in kinds]
    return {**fetch, "types": asked or list(kinds)}
