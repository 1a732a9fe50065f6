"""Listen keys: names of streams that tell an account's events, which a client asks for and keeps alive.

USD-M has them; spot had them until 2026-02-20, and its profile of before then has them still.
https://developers.binance.com/docs/derivatives/usds-margined-futures/user-data-streams, 2026-09, and
https://github.com/binance/binance-spot-api-docs/blob/master/CHANGELOG.md, 2026-07-21.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import orjson

from reactor.exchange.orders import Forgotten, Remember, Told
from reactor.types import MS_NS, SECOND_NS
from reactor.values import dataclass
from venues.base import Exchange, Trading, VenueError
from venues.binance.orders import made_up
from venues.binance.rest import Call

Event: TypeAlias = Mapping[str, Any]
# What news of one account, in order, mean to who listens by a key.
EventsOf: TypeAlias = Callable[[Exchange, Trading, Sequence[Told]], Iterator[Event]]

LISTEN_KEY = "listenKey"  # the fact of an account
LIFE_NS = 3_600 * SECOND_NS
KEY = re.compile("[A-Za-z0-9]{60,64}")  # what a key looks like


# ---------------------------------------------------------------- the requests
def start_listening(call: Call) -> bytes:
    """The account's key, or a new one, valid for an hour from now on."""
    key = call.floor.remembered(call.account, LISTEN_KEY)
    return _told(_kept(call, key or made_up(64, LISTEN_KEY, call.account, call.now_ns)))


def keep_listening(call: Call) -> bytes:
    """The key that there is, valid for an hour from now on."""
    return _told(_kept(call, _there(call)))


def stop_listening(call: Call) -> bytes:
    """The end of the key, if there is one."""
    if call.floor.remembered(call.account, LISTEN_KEY) is not None:
        call.trading.execute(Remember(call.account, LISTEN_KEY, None), call.now_ns)
    return b"{}"


def keep_named(call: Call) -> bytes:
    """As `keep_listening`, of the key that is named, and without telling it."""
    _kept(call, _named(call))
    return b"{}"


def stop_named(call: Call) -> bytes:
    """The end of the key that is named."""
    _named(call)
    return stop_listening(call)


def _there(call: Call) -> str:
    key = call.floor.remembered(call.account, LISTEN_KEY)
    if key is None:
        raise VenueError("NO_LISTEN_KEY")
    return key


def _named(call: Call) -> str:
    key = _there(call)
    if call.params[LISTEN_KEY] != key:
        raise VenueError("NO_LISTEN_KEY")
    return key


def _kept(call: Call, key: str) -> str:
    call.trading.execute(Remember(call.account, LISTEN_KEY, key, call.now_ns + LIFE_NS), call.now_ns)
    return key


def _told(key: str) -> bytes:
    return orjson.dumps({LISTEN_KEY: key})


# ---------------------------------------------------------------- the streams
@dataclass(frozen=True, slots=True)
class UserStreams:
    """The listen keys of a run, and what is told to who names one."""

    exchange: Exchange
    trading: Trading
    events_of: EventsOf

    def is_key(self, name: str) -> bool:
        """Whether a name looks like a key."""
        return KEY.fullmatch(name) is not None

    def account(self, key: str) -> str | None:
        """The account of a key that is valid; None for any other."""
        floor = self.trading.floor
        return next((a for a in floor.accounts() if floor.remembered(a, LISTEN_KEY) == key), None)

    def events(self, account: str, key: str, told: Sequence[Told]) -> Iterator[Event]:
        """What news mean to who listens to an account by a key: nothing once it is no longer the account's."""
        mine = [each for each in told if each.account == account]
        over = Forgotten(LISTEN_KEY, key)
        n = next((n for n, each in enumerate(mine) if each.news == over), None)
        if n is None and self.trading.floor.remembered(account, LISTEN_KEY) != key:
            return
        yield from self.events_of(self.exchange, self.trading, mine[:n])
        if n is not None:
            yield {"e": "listenKeyExpired", "E": mine[n].ts_ns // MS_NS, "listenKey": key}
