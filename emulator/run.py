"""A run before it has sockets: the venues it serves, their views of its one world, and what a client would hear.

`run_batch` and `run_stream` (emulator/driver.py) turn channels made here into the frames of a socket without any.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache

from emulator.config import AT_ONCE, OF_MARKET, Config, changed, chosen, funded, stocked
from reactor.clock import LatencyModel
from reactor.runner import staleness
from reactor.single_asset import HyperSynthReactor
from reactor.types import SECOND_NS
from reactor.unified_market import MarketOrchestrationCore
from venues.base import (
    Channel,
    Exchange,
    HttpRequest,
    HttpResponse,
    Listed,
    Subscribe,
    Topic,
    Unsubscribe,
    VenueProtocol,
)
from venues.limits import Usage


def exchanges(
    config: Config, registry: Sequence[VenueProtocol], origin_ns: int
) -> list[tuple[VenueProtocol, Exchange]]:
    """The venues of a run in port order, each with its view of the world whose tape starts at origin_ns."""
    # The world holds what is not served too: it costs nothing, and what is served cannot depend on it.
    every = stocked(config, registry)
    rows = [row for venue in every for row in venue.listings]
    listings = funded(changed(rows, config.manifest), config.funding)
    markets = [(row.instrument, row.manifest) for row in listings]
    world = MarketOrchestrationCore(seed=config.seed, origin_ns=origin_ns, markets=markets)
    wanted = config.markets or [row.instrument.market for venue in registry for row in venue.listings]
    lateness = _lateness(config)
    views = []
    for venue in chosen(config, every):
        instruments = [row.instrument for row in venue.listings]
        listed = {row.symbol: row.market for row in instruments if row.market in wanted}
        views.append(
            (venue, Exchange(world, Listed(listed), Usage(config.limits), lateness, fee_tier=config.fee_tier))
        )
    return views


def _lateness(config: Config) -> Callable[[HyperSynthReactor], LatencyModel] | None:
    if config.latency == AT_ONCE:
        return None
    if config.latency == OF_MARKET:
        return cache(lambda market: staleness(market.skeleton.manifest))
    model = LatencyModel.parse(config.latency)
    return lambda _: model


def channels(
    venue: VenueProtocol, exchange: Exchange, path: str, messages: Iterable[str] = ()
) -> list[Channel]:
    """What a client hears on a venue's socket at this path (with its query), once it has sent these messages.

    In the order of their frames within a tick. ValueError where the venue refuses the socket.
    """
    path, _, query = path.partition("?")
    session = venue.session(HttpRequest("GET", path, query), exchange)
    if isinstance(session, HttpResponse):
        raise ValueError(f"{venue.id} refuses {path} with {session.status}")  # noqa: TRY004  # it is about the path
    topics: set[Topic] = set()
    actions = [*session.open(0, 0)]
    for second, message in enumerate(messages, 1):  # unhurriedly, or it would be too many at once
        actions += session.receive(message, second * SECOND_NS, second * SECOND_NS)
    for action in actions:
        match action:
            case Subscribe(topic):
                topics.add(topic)
            case Unsubscribe(topic):
                topics.discard(topic)
    session.closed()
    return [venue.channel(topic, exchange) for topic in sorted(topics)]
