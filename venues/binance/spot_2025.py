"""Binance spot as it was in December 2025, as far as accounts' events go: by listen keys, too.

These were removed on 2026-02-20: https://github.com/binance/binance-spot-api-docs/blob/master/CHANGELOG.md, 2026-07-21.
A key was asked for, kept alive and ended by /api/v3/userDataStream and userDataStream.start, .ping and .stop, each of
weight 2 and without a signature, and named as a stream; .../blob/master/user-data-stream.md, 2025-04.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from reactor.exchange.orders import Told
from reactor.types import MS_NS
from venues.base import Exchange, Trading
from venues.binance.listen_keys import LISTEN_KEY, Event, keep_named, start_listening, stop_named
from venues.binance.rest import ANYTHING, Call, Param, Route, weighs
from venues.binance.signing import Security
from venues.binance.spot_api import SPOT_API
from venues.binance.user import spot_events
from venues.binance.ws_api import SPOT_SOCKET_API


def _keyed(answer: Callable[[Call], bytes], **params: Param) -> Route:
    return Route(answer, weighs(2), params, security=Security.USER_STREAM)


_NAMED = {LISTEN_KEY: replace(ANYTHING, required=True)}
_METHODS = {
    "POST": _keyed(start_listening),
    "PUT": _keyed(keep_named, **_NAMED),
    "DELETE": _keyed(stop_named, **_NAMED),
}

API_2025 = replace(SPOT_API, routes={**SPOT_API.routes, "/api/v3/userDataStream": _METHODS})
SOCKET_API_2025 = replace(
    SPOT_SOCKET_API,
    api=API_2025,
    methods={
        **SPOT_SOCKET_API.methods,
        "userDataStream.start": _METHODS["POST"],
        "userDataStream.ping": _METHODS["PUT"],
        "userDataStream.stop": _METHODS["DELETE"],
    },
)


def events_2025(exchange: Exchange, trading: Trading, told: Sequence[Told]) -> Iterator[Event]:
    """What news of one account mean to who listens by a key."""
    for each in told:
        yield from spot_events(exchange, trading, each, MS_NS)
