"""Liquidations: orders of the tape, marked; against the positions that the price has hurt, in calm hours rare."""

from __future__ import annotations

import itertools
from dataclasses import fields
from functools import cache
from typing import Any

import numpy as np

from reactor.liquidations import Liquidator
from reactor.manifest import SimulationManifest
from reactor.profiles import profile
from reactor.rng import stream
from reactor.single_asset import HyperSynthReactor
from reactor.types import BLOCK_NS, SECOND_NS, Instrument, Kind, Liquidations, Prints, Seconds, Side
from reactor.unified_market import MarketOrchestrationCore

ORIGIN_NS = 1_767_225_600 * SECOND_NS + 617 * BLOCK_NS
PERP = Instrument("perp:BTC", "BTCUSDT", "BTC", "BTC", "USDT", Kind.PERP, 1, 1, 3, 1)
SPOT = Instrument("spot:BTC", "BTCUSDT", "BTC", "BTC", "USDT", Kind.SPOT, 2, 1, 5, 1)


@cache
def market(instrument: Instrument = PERP, **parameters: Any) -> HyperSynthReactor:
    manifest = profile("BTC", "perp", **parameters)
    return MarketOrchestrationCore(7, ORIGIN_NS, [(instrument, manifest)]).market(instrument.market)


def rows(found: Liquidations) -> list[tuple[int, ...]]:
    return list(zip(*(getattr(found, f.name).tolist() for f in fields(found)), strict=True))


def test_liquidations_are_whole_orders_of_the_tape() -> None:
    """Side, time, quantity, value and ids are those of the order's prints, and the limit is not better than any."""
    made = market(liquidation_share=0.05)
    found, prints = (
        made.liquidations(ORIGIN_NS, ORIGIN_NS + 2 * BLOCK_NS),
        made.window(ORIGIN_NS, ORIGIN_NS + 2 * BLOCK_NS).prints,
    )
    assert len(found) > 10
    for i in range(len(found)):
        mine = prints.take(np.flatnonzero(prints.order_id == found.order_id[i]))
        assert set(mine.ts_ns.tolist()) == {found.ts_ns[i]}
        assert set(mine.side.tolist()) == {found.side[i]}
        assert mine.trade_id.tolist() == list(range(found.first_trade_id[i], found.last_trade_id[i] + 1))
        assert mine.qty_lots.sum() == found.qty_lots[i]
        assert mine.qty_lots[-1] == found.last_qty_lots[i]
        assert (mine.qty_lots * mine.price_ticks).sum() == found.quote_units[i]
        assert ((found.price_ticks[i] - mine.price_ticks) * found.side[i] >= 0).all()


def test_windows_of_liquidations_tile() -> None:
    """Cut anywhere, asked in any order, by anybody, they are the same rows."""
    made, edges = market(liquidation_share=0.05), [0, 7, 59, 60, 61, 95, 180]
    parts = [
        made.liquidations(ORIGIN_NS + a * SECOND_NS, ORIGIN_NS + b * SECOND_NS)
        for a, b in list(itertools.pairwise(edges))[::-1]
    ][::-1]
    market.cache_clear()
    whole = market(liquidation_share=0.05).liquidations(ORIGIN_NS, ORIGIN_NS + 180 * SECOND_NS)
    assert rows(Liquidations.join(parts)) == rows(whole)


def test_nobody_is_liquidated_on_spot_or_where_the_share_is_nought() -> None:
    """No rows, whatever happens."""
    for made in (market(SPOT, liquidation_share=0.1), market(liquidation_share=0.0)):
        assert len(made.liquidations(ORIGIN_NS, ORIGIN_NS + 3 * BLOCK_NS)) == 0


def liquidated(price: list[int]) -> dict[Side, int]:
    """How many of 5,000 buys and as many sells in the last of these seconds are liquidations."""
    n = 10_000
    last_ns = (len(price) - 1) * SECOND_NS
    side = np.tile([Side.BUY, Side.SELL], n // 2)
    one = np.ones(n, np.int64)
    ids = np.arange(n)
    prints = Prints(last_ns + ids, one * price[-1], one, side, ids, ids, ids)
    at_ns = np.arange(len(price)) * SECOND_NS
    grid = Seconds(at_ns, np.array(price), np.zeros_like(at_ns), np.zeros_like(at_ns))
    liquidator = Liquidator(SimulationManifest(liquidation_share=0.004))
    found = [liquidator.among(stream(s, "test"), prints, grid) for s in range(20)]
    return {s: sum(int((rows.side == s).sum()) for rows in found) for s in Side}


def test_the_price_liquidates_those_it_goes_against() -> None:
    """A fall of four usual minutes makes sells many times as often liquidations as no move, and buys less often."""
    calm, fall = liquidated([650_000] * 90), liquidated([650_000] * 80 + [646_000] * 10)
    assert 0.7 < calm[Side.BUY] / (0.004 * 5_000 * 20) < 1.4
    assert fall[Side.SELL] > 20 * calm[Side.SELL]
    assert fall[Side.BUY] < calm[Side.BUY] / 10
