"""`exchange-emulator funding`: what it prints is what is served, and what is wrong with its options is one line."""

from __future__ import annotations

import re
import sys

import orjson
import pytest

import emulator.cli
from emulator.funding import PLOT_COLUMNS, PLOT_ROWS, plot
from reactor.types import DAY_NS, MS_NS, SECOND_NS
from reactor.unified_market import MarketOrchestrationCore
from venues.base import Exchange, HttpRequest
from venues.binance import BINANCE_USDM
from venues.funding import Perpetuals
from venues.registry import FUNDED

START_NS = 1_767_225_600 * SECOND_NS  # 2026-01-01 00:00 UTC


def command(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int | str | None:
    """Run the command here; its exit code."""
    monkeypatch.setattr(sys, "argv", ["exchange-emulator", "funding", *arguments])
    with pytest.raises(SystemExit) as ended:
        emulator.cli.main()
    return ended.value.code


@pytest.mark.parametrize("row", FUNDED, ids=lambda row: row.venue)
@pytest.mark.parametrize("profile", ["real", "classic"])
def test_a_path_is_a_table_and_a_plot(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], row: Perpetuals, profile: str
) -> None:
    """A row for each settlement of three days, oldest first, and PLOT_ROWS lines of dots below."""
    options = ("--venue", row.venue, "--symbol", row.listings[0].instrument.symbol)
    when = ("--days", "3", "--profile", profile, "--seed", "5", "--start", "2026-01-01T00:30:00Z")
    assert command(monkeypatch, *options, *when) == 0
    said = capsys.readouterr().out
    rows = re.findall(r"│ (2026-01-0\d \d\d:00) │ +(\d) │ +(-?\d+\.\d{6}) % │ +(-?\d+\.\d\d) % │", said)
    hours = int(rows[0][1])
    assert len(rows) == 72 // hours
    assert rows[0][0] == f"2026-01-01 0{hours}:00"
    assert rows[-1][0] == "2026-01-04 00:00"
    assert sorted(rows) == rows
    for _, _, rate, yearly in rows:
        assert float(yearly) == pytest.approx(float(rate) * 8_760 / hours, abs=0.012)
    assert len(re.findall(r"^.{11}[│┤][\u2800-\u28ff]{72}$", said, re.MULTILINE)) == PLOT_ROWS


def test_the_path_is_what_is_served(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same seed and start, and the same rates in a venue's own history of them."""
    options = ("--venue", "binance-usdm", "--symbol", "ETHUSDT", "--days", "20", "--seed", "11")
    assert command(monkeypatch, *options, "--start", "2026-01-01") == 0
    rows = re.findall(r"│ (\S+ \S+) │ +8 │ +(-?\d+\.\d{6}) %", capsys.readouterr().out)

    listings = BINANCE_USDM.listings
    world = MarketOrchestrationCore(11, START_NS, [(row.instrument, row.manifest) for row in listings])
    served = Exchange(world, {row.instrument.symbol: row.instrument.market for row in listings})
    request = HttpRequest("GET", "/fapi/v1/fundingRate", f"symbol=ETHUSDT&startTime={START_NS // MS_NS + 1}")
    answer = orjson.loads(BINANCE_USDM.handle(request, served, START_NS + 20 * DAY_NS + SECOND_NS).body)
    assert [float(rate) / 100 for _, rate in rows] == pytest.approx([float(r["fundingRate"]) for r in answer])
    assert len(rows) == 60


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--venue: is missing; known: binance-usdm, hyperliquid, okx, bybit"),
        (
            ["--venue", "binance"],
            "--venue: 'binance' is not known; known: binance-usdm, hyperliquid, okx, bybit",
        ),
        (["--venue", "bybit"], "--symbol: is missing; known: BTCUSDT, ETHUSDT, SOLUSDT"),
        (
            ["--venue", "okx", "--symbol", "BTCUSDT"],
            "--symbol: 'BTCUSDT' is not known; known: BTC-USDT-SWAP, ",
        ),
        (["--days", "0"], "--days: '0' is not allowed; allowed: a whole number from 1 to 366"),
        (["--days", "1.5"], "--days: '1.5' is not allowed"),
        (["--days", "-3"], "--days: '-3' is not allowed"),
        (["--profile", "ideal"], "--profile: 'ideal' is not known; known: real, classic"),
        (["--seed", "x"], "--seed: 'x' is not allowed; allowed: a whole number from 0 to"),
        (["--start", "soon"], "--start: 'soon' is not allowed; allowed: now or an ISO 8601 time"),
    ],
)
def test_what_is_wrong_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    """On standard error, with exit code 2, and nothing else."""
    which = [] if not arguments or "--venue" in arguments else ["--venue", "bybit", "--symbol", "BTCUSDT"]
    assert command(monkeypatch, *which, *arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"exchange-emulator: {said}")
    assert err.count("\n") == 1


@pytest.mark.parametrize("values", [[5], [0, 10**9], [10**8] * 400, [*range(0, 10**9, 10**6)]])
def test_a_plot_reaches_from_the_lowest_to_the_highest(values: list[int]) -> None:
    """A line through every column of dots; its first and last dots are where the first and last values are."""
    lines = [line[-PLOT_COLUMNS:] for line in plot(values)]
    assert len(lines) == PLOT_ROWS
    for column in zip(*lines, strict=True):
        assert any(dots != "\u2800" for dots in column)
    if max(values) - min(values) > 10**6:
        assert lines[-1][0] != "\u2800"
        assert lines[0][-1] != "\u2800"
