"""History ahead: the past of every market is there before anybody asks, and is the same as if it were not."""

from __future__ import annotations

import numpy as np
import pytest

from emulator.gateway import history
from emulator.gateway.history import HistoryMaker
from reactor.bars import Interval
from reactor.types import DAY_NS
from tests.worlds import ORIGIN_NS, exchange
from venues.registry import VENUES

SINCE_NS = ORIGIN_NS - 12 * DAY_NS


def test_candles_are_there_and_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once it is done, no market of any exchange has a day left to make; the candles are those of a world without."""
    monkeypatch.setattr(history, "PAUSE_S", 0.0)
    ahead, asked = exchange(VENUES[0]), exchange(VENUES[0])
    for market in ahead:
        monkeypatch.setattr(market, "listed_ns", SINCE_NS)
    maker = HistoryMaker([ahead], ORIGIN_NS)
    maker.start()
    maker.join()
    assert not any(market.bars.prepare(ORIGIN_NS, 1) for market in ahead)
    for made, fresh in zip(ahead, asked, strict=True):
        rows = [
            market.bars.bars(Interval(DAY_NS), SINCE_NS, ORIGIN_NS, ORIGIN_NS) for market in (made, fresh)
        ]
        assert len(rows[0]) == 12
        assert np.array_equal(rows[0].quote_units, rows[1].quote_units)


def test_it_ends_when_it_is_told_to() -> None:
    """Long before it is done."""
    market = next(iter(exchange(VENUES[0])))
    maker = HistoryMaker([exchange(VENUES[0])], ORIGIN_NS)
    maker.start()
    maker.stop()
    maker.join()
    assert market.bars.prepare(ORIGIN_NS, 1)
