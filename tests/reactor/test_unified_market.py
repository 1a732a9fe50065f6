"""The world: markets on demand, independent of each other, joined by their assets."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from reactor.profiles import profile
from reactor.types import BLOCK_NS, SECOND_NS, Instrument, Kind
from reactor.unified_market import MarketOrchestrationCore
from tests.reactor.test_single_asset import same

ORIGIN_NS = 1_767_225_600 * SECOND_NS
SPOT = Instrument("spot:BTC", "BTCUSDT", "BTC", "BTC", "USDT", Kind.SPOT, 2, 1, 5, 1)
PERP = Instrument("perp:BTC", "BTCUSDT", "BTC", "BTC", "USDT", Kind.PERP, 1, 1, 3, 1)
OTHER = Instrument("spot:ETH", "ETHUSDT", "ETH", "ETH", "USDT", Kind.SPOT, 2, 1, 4, 1)
MARKETS = [
    (SPOT, profile("BTC", "spot")),
    (PERP, profile("BTC", "perp")),
    (OTHER, profile("ETH", "spot")),
]


def test_a_market_does_not_depend_on_the_others() -> None:
    """Alone or among others, first or last, listed in any order: the same tape."""
    alone = MarketOrchestrationCore(7, ORIGIN_NS, MARKETS[1:2]).market("perp:BTC")
    world = MarketOrchestrationCore(7, ORIGIN_NS, MARKETS[::-1])
    for market in ("spot:ETH", "spot:BTC"):
        world.market(market).block(2)
    assert same(world.market("perp:BTC").block(2), alone.block(2))


def test_markets_of_an_asset_go_together() -> None:
    """Spot and perp of one asset stay within a few basis points of each other; another asset goes its own way."""
    world = MarketOrchestrationCore(7, ORIGIN_NS, MARKETS)
    span = (ORIGIN_NS, ORIGIN_NS + 1_000 * BLOCK_NS)
    spot, perp, other = (
        world.market(i.market).minutes(*span).close_ticks / 10**i.price_decimals for i, _ in MARKETS
    )
    assert np.abs(perp / spot - 1).max() < 20e-4
    together, apart = (np.corrcoef(np.diff(np.log(spot)), np.diff(np.log(x)))[0, 1] for x in (perp, other))
    assert together > 0.9 > apart > 0.2


def test_markets_are_listed_made_once_and_known_by_id() -> None:
    """Iteration names all in order; asking twice gives one object, from many threads too; others are unknown."""
    world = MarketOrchestrationCore(7, ORIGIN_NS, MARKETS)
    assert list(world) == ["spot:BTC", "perp:BTC", "spot:ETH"]
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: world.market("spot:BTC"), range(32)))
    assert len(set(map(id, made))) == 1
    with pytest.raises(KeyError):
        world.market("spot:DOGE")
