"""Presets: markets with a character, checked to the last parameter; and the commands that use them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from emulator.config import Config, ConfigError, Layer, load, merge, presets, read_file, read_preset
from emulator.presets import get_preset, listings
from emulator.run import exchanges
from reactor.runner import Run, Runner
from reactor.types import BLOCK_NS, SECOND_NS, Kind
from venues.registry import LISTED, VENUES, funding_model

ORIGIN_NS = 1_767_225_600 * SECOND_NS  # 2026-01-01T00:00Z
SEVEN = (
    "binance_futures_btc",
    "binance_spot_btc",
    "binance_spot_eth",
    "bybit_futures_btc",
    "hyperliquid_perp_btc",
    "hyperliquid_perp_sol",
    "okx_spot_btc",
)


def test_there_are_seven_and_the_default() -> None:
    """Each of the seven is one market."""
    assert presets() == tuple(sorted((*SEVEN, "default")))
    assert all(len(get_preset(name).listings) == 1 for name in SEVEN)


# name: (kind, quote, ms between books, hours between fundings)
PROMISED = {
    "binance_spot_btc": (Kind.SPOT, "USDT", 100, None),
    "binance_spot_eth": (Kind.SPOT, "USDT", 100, None),
    "binance_futures_btc": (Kind.PERP, "USDT", 100, 8),
    "hyperliquid_perp_sol": (Kind.PERP, "USDC", 200, 1),
    "hyperliquid_perp_btc": (Kind.PERP, "USDC", 200, 1),
    "okx_spot_btc": (Kind.SPOT, "USDT", 100, None),
    "bybit_futures_btc": (Kind.PERP, "USDT", 50, 8),
}


@pytest.mark.parametrize("name", SEVEN)
def test_presets_have_the_character_they_promise(name: str) -> None:
    """The pace of their books, and how they are funded."""
    preset = get_preset(name)
    model = funding_model(preset.instrument)
    hours = model.interval_h if model else None
    said = (preset.instrument.kind, preset.instrument.quote, preset.manifest.book_update_interval_ms, hours)
    assert said == PROMISED[name]
    assert name.endswith(f"_{preset.instrument.base.lower()}")


def test_one_bursts_and_one_is_busy() -> None:
    """Bursts are the perpetual's with books every 50 ms; the market in ether beats its venue's card."""
    assert [name for name in SEVEN if get_preset(name).manifest.burst_probability > 0] == [
        "bybit_futures_btc"
    ]
    ether = get_preset("binance_spot_eth")
    usual = LISTED[ether.instrument.market].manifest
    assert ether.manifest.trade_intensity_base > usual.trade_intensity_base


@pytest.mark.parametrize("name", SEVEN)
def test_a_preset_is_served_or_says_that_it_is_not(name: str) -> None:
    """Whoever asks for a venue that has no sockets yet is told so, and what the preset is good for."""
    (venue,) = get_preset(name).config.venues
    if venue in {card.id for card in VENUES}:
        assert load([read_preset(name)], VENUES, LISTED).markets == get_preset(name).config.markets
    else:
        with pytest.raises(ConfigError) as error:
            load([read_preset(name)], VENUES, LISTED)
        said = f"preset {name}: venues: {venue} is not served yet; `generate` makes its data"
        assert str(error.value) == said


@pytest.mark.parametrize(
    ("yaml", "said"),
    [
        ("{binance:BTCUSDT: {volatilty: 1}}", "volatilty: unknown parameter; did you mean volatility?"),
        ("{binance:BTCUSDT: {volatility: 99}}", "volatility: 99 is not in [0.01, 10] 1/sqrt(year)"),
        ("{binance:BTCUSDT: {volatility: wild}}", "volatility: 'wild' is not a number"),
        ("{binance:BTCUSDT: {depth_levels: 30.5}}", "depth_levels: 30.5 is not a whole number"),
        (
            "{binance:BTCUSD: {volatility: 1}}",
            "unknown market 'binance:BTCUSD'; did you mean binance:BTCUSDT?",
        ),
        ("{binance:BTCUSDT: 1}", "is not allowed; allowed: parameters by market"),
        ("[1]", "is not allowed; allowed: parameters by market"),
        (
            "{binance:BTCUSDT: {volatility: 1}, binance-usdm:BTCUSDT: {volatility: 2}}",
            "volatility: another market of the asset has 1",
        ),
    ],
)
def test_a_wrong_manifest_is_one_line(tmp_path: Path, yaml: str, said: str) -> None:
    """It names the file, the setting and the parameter, and what would be right; served or generated alike."""
    path = tmp_path / "mine.yaml"
    path.write_text(f"manifest: {yaml}")
    with pytest.raises(ConfigError) as served:
        load([read_file(path)], VENUES)
    with pytest.raises(ConfigError) as generated:
        listings(*merge([read_file(path)]))
    for error in (served, generated):
        line = str(error.value)
        assert line.startswith(f"{path}: manifest: ")
        assert said in line
        assert "\n" not in line


def test_an_asset_changes_in_all_its_markets() -> None:
    """Its volatility is one; what is a market's own stays in it."""
    changes = {"binance:BTCUSDT": {"volatility": 1.5, "follow_ms": 7}}
    rows = {row.instrument.market: row for row in listings(*merge([Layer(str, {"manifest": changes})]))}
    assert {row.manifest.volatility for row in rows.values() if row.instrument.asset == "BTC"} == {1.5}
    assert [market for market, row in rows.items() if row.manifest.follow_ms == 7] == ["binance:BTCUSDT"]
    assert rows["binance:ETHUSDT"].manifest == LISTED["binance:ETHUSDT"].manifest


def test_a_preset_changes_nothing_but_what_it_says() -> None:
    """`default` is every market as the cards have it."""
    default = get_preset("default")
    assert default.config == Config()
    assert default.listings == tuple(LISTED.values())
    with pytest.raises(ValueError, match="markets"):
        _ = default.manifest


def test_what_is_served_is_what_is_generated() -> None:
    """A preset's market lives by the preset's manifest on a socket too, minute for minute."""
    preset = get_preset("hyperliquid_perp_sol")
    config = load(
        [read_preset(preset.name), Layer(str, {"manifest": {"hyperliquid:SOL": {"drift": 2.0}}})], VENUES
    )
    ((_, exchange),) = exchanges(config, VENUES, ORIGIN_NS)
    served = exchange.market("SOL")
    assert served is not None
    (listing,) = listings(config, {})
    assert listing.manifest.drift == 2.0
    made = Runner(Run(config.seed, ORIGIN_NS, listing.instrument, listing.manifest)).market
    span = ORIGIN_NS, ORIGIN_NS + 2 * BLOCK_NS
    ours, theirs = made.window(*span), served.window(*span)
    for table in ("quotes", "prints", "levels"):
        for column in getattr(ours, table).__dataclass_fields__:
            assert np.array_equal(
                getattr(getattr(ours, table), column), getattr(getattr(theirs, table), column)
            )


# ---------------------------------------------------------------- commands
def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    program = str(Path(sys.executable).with_name("exchange-emulator"))
    return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=False)


def test_presets_are_listed_and_shown(tmp_path: Path) -> None:
    """What is shown of one is a manifest that `generate` takes; the run is the preset's own."""
    said = run("presets").stdout
    assert all(name in said for name in SEVEN)
    shown = run("presets", "okx_spot_btc")
    path = tmp_path / "mine.yaml"
    path.write_text(shown.stdout)
    rest = ("--seed", "3", "--start", "2026-01-01", "--minutes", "1", "--out")
    one = run("generate", "--preset", "okx_spot_btc", *rest, tmp_path / "one")
    two = run("generate", "--market", "okx:BTC-USDT", "--manifest", path, *rest, tmp_path / "two")
    assert (one.returncode, two.returncode) == (0, 0), one.stderr + two.stderr
    runs = [json.loads((tmp_path / name / "run.json").read_text()) for name in ("one", "two")]
    assert runs[0] == runs[1]
    assert f"{runs[0]['rows']:,}" in one.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--preset", "okx_spot"], "--preset: there is no preset 'okx_spot'; did you mean okx_spot_btc?"),
        (["--market", "okx:BTC-USDC"], "--market: unknown market 'okx:BTC-USDC'; did you mean okx:BTC-USDT?"),
        (["--start", "now"], "--start: a whole minute is needed"),
        (["--start", "2026-01-01T00:00:30"], "--start: a whole minute is needed"),
        (["--minutes", "0"], "--minutes: '0' is not allowed; allowed: a whole number from 1 to"),
        (["--workers", "none"], "--workers: 'none' is not allowed; allowed: a whole number from 1 to 256"),
        (["--manifest", "none.yaml"], "none.yaml: No such file or directory"),
        (["--out", "/dev/null/x"], "Not a directory"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, arguments: list[str], said: str) -> None:
    """On standard error, with exit code 2, and nothing is written."""
    given = ["--start", "2026-01-01", "--minutes", "1", "--out", str(tmp_path / "out"), *arguments]
    done = run("generate", *given)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert not list(tmp_path.rglob("*.parquet"))
