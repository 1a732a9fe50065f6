"""Markets that no venue lists by itself, over real sockets: asked for by name, of an asset that is known or defined."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.listening import listening
from tests.serving import Served, ask, serving

START, START_MS = "2026-01-05T10:00:00Z", 1_767_607_200_000
SECONDS = 63
MARKETS = ("binance:DOGEUSDT", "binance-usdm:DOGEUSDT", "hyperliquid:DOGE", "binance:SHIBUSDT")
STREAMS = {
    "binance": ("dogeusdt@trade", "dogeusdt@depth@100ms", "dogeusdt@kline_1m", "shibusdt@bookTicker"),
    "binance-usdm": (
        "dogeusdt@aggTrade",
        "dogeusdt@depth@100ms",
        "dogeusdt@kline_1m",
        "dogeusdt@markPrice@1s",
    ),
    "hyperliquid": ("trades:DOGE", "l2Book:DOGE", "candle:DOGE:1m", "activeAssetCtx:DOGE"),
}


@contextmanager
def doge(folder: Path, markets: Sequence[str] = MARKETS, *options: str) -> Iterator[Served]:
    path = folder / "doge.yaml"
    shiba = "SHIB: {initial_price: 2e-5, volatility: 1.1}"
    path.write_text(f"start: {START}\npaused: true\nmarkets: [{', '.join(markets)}]\nassets:\n  {shiba}\n")
    with serving("--config", str(path), *options) as served:
        yield served


def told(served: Served, venue: str, streams: Sequence[str]) -> dict[str, list[bytes]]:
    """What the streams tell in the first minute."""
    with listening(served, venue) as listener:
        listener.subscribe(streams)
        listener.collect()
        served.post("/clock/advance", seconds=SECONDS)
        listener.collect()
        return dict(listener.told)


@pytest.mark.parametrize("venue", STREAMS)
def test_streams(tmp_path: Path, venue: str) -> None:
    """Trades, books, klines and what else there is come of every market that was asked for."""
    with doge(tmp_path) as served:
        said = told(served, venue, STREAMS[venue])
    assert set(said) == set(STREAMS[venue])


def test_answers(tmp_path: Path) -> None:
    """Books, trades, klines and the list of markets, which has those that were asked for and no other."""
    with doge(tmp_path) as served:
        served.post("/clock/advance", seconds=SECONDS)
        mids = []
        for venue, root in (("binance", "/api/v3"), ("binance-usdm", "/fapi/v1")):
            http = served.venues[venue]["http"] + root
            book = ask(f"{http}/depth?symbol=DOGEUSDT&limit=100")
            assert min(len(book["bids"]), len(book["asks"])) == 100
            mids.append((float(book["bids"][0][0]) + float(book["asks"][0][0])) / 2)
            assert len(ask(f"{http}/trades?symbol=DOGEUSDT&limit=20")) == 20
            assert ask(f"{http}/klines?symbol=DOGEUSDT&interval=1m&limit=2")[0][0] == START_MS
            symbols = [row["symbol"] for row in ask(f"{http}/exchangeInfo")["symbols"]]
            assert symbols == (["DOGEUSDT", "SHIBUSDT"] if venue == "binance" else ["DOGEUSDT"])
        http = served.venues["hyperliquid"]["http"]
        bids, asks = ask(f"{http}/info", {"type": "l2Book", "coin": "DOGE"})["levels"]
        assert min(len(bids), len(asks)) == 20
        mids.append((float(bids[0]["px"]) + float(asks[0]["px"])) / 2)
        assert ask(f"{http}/info", {"type": "recentTrades", "coin": "DOGE"})
        asked = {"coin": "DOGE", "interval": "1m", "startTime": START_MS}
        assert ask(f"{http}/info", {"type": "candleSnapshot", "req": asked})[0]["t"] == START_MS
        assert [row["name"] for row in ask(f"{http}/info", {"type": "meta"})["universe"]] == ["DOGE"]
    assert mids == pytest.approx([0.16] * 3, rel=0.02)
    assert max(mids) / min(mids) < 1.005  # one price world


def test_a_market_is_the_same_whatever_is_listed_beside_it(tmp_path: Path) -> None:
    """The order of markets, other ones and other venues change no byte of it; nor do new ones of the usual ones."""
    streams: dict[str, Any] = {"DOGE": ("dogeusdt@trade", "dogeusdt@depth@100ms"), "BTC": ("btcusdt@trade",)}
    with doge(tmp_path, (*MARKETS, "binance:BTCUSDT")) as served:
        first = told(served, "binance", [*streams["DOGE"], *streams["BTC"]])
    with doge(tmp_path, ("binance:DOGEUSDT",), "--venues", "binance") as served:
        alone = told(served, "binance", streams["DOGE"])
    with serving("--start", START, "--paused") as served:
        usual = told(served, "binance", streams["BTC"])
    assert alone == {name: first[name] for name in streams["DOGE"]}
    assert usual == {name: first[name] for name in streams["BTC"]}
    assert all(json.loads(frame) for frames in first.values() for frame in frames)
