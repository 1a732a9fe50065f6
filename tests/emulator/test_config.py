"""Settings: one list, one judge, and errors that say where and what would be right."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import pytest

from emulator.config import (
    Config,
    ConfigError,
    Layer,
    is_loopback,
    load,
    read_file,
    read_preset,
    resolve,
    stocked,
)
from reactor.types import MS_NS, SECOND_NS
from tests.emulator.toy import START_NS, ToyVenue, toys
from venues.registry import VENUES

REGISTRY = toys()


def given(**values: object) -> Config:
    return load([Layer(str, values)], REGISTRY)


def test_nothing_given_is_the_default_preset() -> None:
    """configs/default.yaml says what happens without it."""
    assert load([read_preset("default")], VENUES) == load([], VENUES) == Config()


def test_later_layers_win() -> None:
    """Setting by setting."""
    config = load([Layer(str, {"seed": 1, "speed": 2}), Layer(str, {"seed": 3})], REGISTRY)
    assert (config.seed, config.speed) == (3, 2.0)


@pytest.mark.parametrize(
    ("name", "text", "value", "parsed"),
    [
        ("seed", "7", 7, 7),
        ("speed", "0.5", 0.5, 0.5),
        ("speed", "10000", 10_000, 10_000.0),
        ("base_port", "0", 0, 0),
        ("log_level", "DEBUG", "debug", "debug"),
        ("limits", "venue", 1, 1.0),
        ("limits", "0.1", 0.1, 0.1),
        ("limits", "off", False, math.inf),  # YAML reads a bare off as false
        ("profile", "2026-11", "2026-11", (("", "2026-11"),)),
        ("profile", "{toy: 2026-03}", {"toy": "2026-03"}, (("toy", "2026-03"),)),
        ("quirks", "{toy: {rude: on}}", {"toy": {"rude": True}}, (("toy", (("rude", True),)),)),
        ("venues", "toy, other", ["toy", "other"], ("toy", "other")),
        ("start", "now", "now", None),
        ("start", "2026-01-01T01:00:00+01:00", "2026-01-01", START_NS),
        ("start", "2026-01-01T00:00:00.129999Z", "2026-01-01T00:00:00.125", START_NS + 120 * MS_NS),
    ],
)
def test_text_and_yaml_mean_the_same(name: str, text: str, value: object, parsed: object) -> None:
    """A flag's text and a file's value become one value."""
    assert getattr(given(**{name: text}), name) == getattr(given(**{name: value}), name) == parsed


@pytest.mark.parametrize(
    ("yaml", "said"),
    [
        ("sede: 7", "sede: unknown setting; did you mean seed?"),
        ("seed: -1", "seed: -1 is not allowed; allowed: a whole number from 0 to 9223372036854775807"),
        ("seed: 1.5", "seed: 1.5 is not allowed; allowed: a whole number"),
        ("seed: true", "seed: True is not allowed; allowed: a whole number"),
        ("seed:", "seed: None is not allowed; allowed: a whole number"),
        ("speed: 0", "speed: 0 is not allowed; allowed: a number above 0, at most 10000"),
        ("speed: .nan", "speed: nan is not allowed; allowed: a number above 0, at most 10000"),
        ("speed: 10001", "speed: 10001 is not allowed; allowed: a number above 0, at most 10000"),
        ("base_port: 65501", "base_port: 65501 is not allowed; allowed: a whole number from 0 to 65500"),
        ("paused: 1", "paused: 1 is not allowed; allowed: true or false"),
        ("log_level: loud", "log_level: 'loud' is not allowed; allowed: one of debug, info, warning, error"),
        ("start: tomorrow", "start: 'tomorrow' is not allowed; allowed: now or an ISO 8601 time"),
        ("start: 1999-12-31", "is not allowed; allowed: now or an ISO 8601 time"),
        ("start: '0001-01-01T00:00:00+14:00'", "is not allowed; allowed: now or an ISO 8601 time"),
        ("limits: 0", "limits: 0 is not allowed; allowed: a number above 0, at most 10000, or venue, off"),
        ("limits: true", "limits: True is not allowed; allowed: a number above 0"),
        ("profile: 2026-13", "profile: '2026-13' is not allowed; allowed: a month, as in 2026-11"),
        ("profile: {toi: 2026-11}", "profile: unknown venue 'toi'; did you mean toy?"),
        ("quirks: {toi: {rude: true}}", "quirks: unknown venue 'toi'; did you mean toy?"),
        ("quirks: {toy: {rood: true}}", "quirks: toy: unknown quirk 'rood'; did you mean rude?"),
        (
            "quirks: {toy: {rude: 7}}",
            "allowed: true or false by quirk and venue, as in {venue: {quirk: true}}",
        ),
        ("quirks: [rude]", "allowed: true or false by quirk and venue"),
        ("venues: [toi]", "venues: unknown venue 'toi'; did you mean toy?"),
        ("venues: [toy, toy]", "venues: ['toy', 'toy'] is not allowed; allowed: a list of different names"),
        ("venues: {toy: 1}", "venues: {'toy': 1} is not allowed; allowed: a list of different names"),
        ("markets: [toy:X]", "markets: unknown market 'toy:X'; did you mean toy:COIN?"),
        (
            "assets: {X: {volatility: 1}}",
            "assets: X: no asset is known by this name; it takes an initial_price",
        ),
        (
            "assets: {DOGE: {volatlity: 1}}",
            "DOGE: volatlity: no parameter of an asset; did you mean volatility?",
        ),
        (
            "assets: {DOGE: {lag_ms: 1}}",
            "assets: DOGE: lag_ms: no parameter of an asset; known: initial_price, ",
        ),
        ("assets: {DOGE: {volatility: high}}", "assets: DOGE: volatility: 'high' is not a number"),
        ("assets: {DOGE: {volatility: true}}", "assets: DOGE: volatility: True is not a number"),
        (
            "assets: {DOGE: {volatility: 11}}",
            "assets: DOGE: volatility: 11 is not in [0.01, 10] 1/sqrt(year)",
        ),
        ("assets: {DOGE: {initial_price: 1e-6}}", "DOGE: initial_price: 1e-06 is not in [1e-05, 1e+06]"),
        (
            "assets: {DO/GE: {initial_price: 1}}",
            "assets: 'DO/GE' is no asset's name; allowed: up to 16 letters",
        ),
        (
            "assets: {DOGE: 0.2}",
            "assets: {'DOGE': 0.2} is not allowed; allowed: parameters by asset, as in {DOGE:",
        ),
        ("control_host: 0.0.0.0", "control_host: 0.0.0.0 is no loopback address; that takes an api_key"),
        ("- seed", "expected one setting a line"),
        ("seed: [", "this is not YAML"),
        ("start: 2026-13-45", "this is not YAML"),
        ("a: &a [*a", "this is not YAML"),
        ("[" * 5_000, "this is not YAML"),
        ("\x00", "this is not YAML"),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path: Path, yaml: str, said: str) -> None:
    """It names the file, the setting, and what would be right."""
    path = tmp_path / "mine.yaml"
    path.write_text(yaml)
    with pytest.raises(ConfigError) as error:
        load([read_file(path)], REGISTRY)
    line = str(error.value)
    assert line.startswith(str(path))
    assert said in line
    assert "\n" not in line


@pytest.mark.parametrize("content", [b"", b"# nothing\n"])
def test_an_empty_file_is_no_error(tmp_path: Path, content: bytes) -> None:
    """It says: the defaults."""
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)
    assert load([read_file(path)], REGISTRY) == Config()


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_an_unreadable_file_is_one_line(tmp_path: Path, content: bytes | None) -> None:
    """Missing, or not text at all."""
    path = tmp_path / "mine.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"mine\.yaml"):
        read_file(path)


@pytest.mark.parametrize(
    ("market", "said"),
    [
        ("binance:DOGEUSD", "did you mean binance:DOGEUSDT?"),
        ("binance:dogeusdt", "did you mean binance:DOGEUSDT?"),
        ("binance-usdm:DOGE", "did you mean binance-usdm:DOGEUSDT?"),
        ("hyperliquid:DOGEUSDT", "did you mean hyperliquid:DOGE?"),
        ("hyperliquid:PURR/USD", "did you mean hyperliquid:PURR/USDC?"),
        ("binance:SHIBUSDT", "did you mean binance:SUIUSDT?"),
    ],
)
def test_an_unknown_market_names_the_nearest(market: str, said: str) -> None:
    """Of all that the venues would list, which is more than they usually do; an asset may have to be defined."""
    with pytest.raises(ConfigError) as error:
        load([Layer(str, {"markets": [market]})], VENUES)
    assert str(error.value) == f"markets: unknown market {market!r}; {said}"


def test_markets_of_known_and_defined_assets_may_be_listed() -> None:
    """On every venue that has a symbol for them; an asset is written alike in YAML and as a flag's text."""
    markets = ("binance:DOGEUSDT", "binance-usdm:SHIBUSDT", "hyperliquid:SHIB")
    text = load(
        [Layer(str, {"markets": ", ".join(markets), "assets": "{SHIB: {initial_price: 2e-5}}"})], VENUES
    )
    assert text.markets == markets
    assert text == load(
        [Layer(str, {"markets": markets, "assets": {"SHIB": {"initial_price": 0.00002}}})], VENUES
    )


def test_an_unknown_preset_names_the_nearest() -> None:
    """As for settings."""
    with pytest.raises(ConfigError, match="did you mean default"):
        read_preset("defualt")


@pytest.mark.parametrize(
    ("settings", "start", "origin"),
    [
        ({}, 1_000 * SECOND_NS + 70 * MS_NS, 960 * SECOND_NS),
        ({"start": "2026-01-01T00:01:59"}, START_NS + 119 * SECOND_NS, START_NS + 60 * SECOND_NS),
        ({"start": "2026-01-01", "origin": "2025-12-31T12:00:30"}, START_NS, START_NS - 43_200 * SECOND_NS),
    ],
)
def test_the_origin_is_the_start_floored_to_the_minute(
    settings: Mapping[str, object], start: int, origin: int
) -> None:
    """Unless it is said; and the clock starts on a tick."""
    assert resolve(given(**settings), 1_000 * SECOND_NS + 79 * MS_NS) == (start, origin)


@pytest.mark.parametrize(
    ("host", "alone"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.1", False),
        ("example.com", False),
    ],
)
def test_loopback(host: str, alone: bool) -> None:
    """What only this machine can reach; a name might lead anywhere."""
    assert is_loopback(host) is alone
    assert given(control_host=host, api_key="k").control_host == host


@pytest.mark.parametrize(
    ("month", "profile"),
    [("2025-01", "2026-03"), ("2026-03", "2026-03"), ("2026-10", "2026-03"), ("2027-01", "2026-11")],
)
def test_a_month_is_of_the_profile_that_was_so_then(month: str, profile: str) -> None:
    """The newest one not after it; before all, the first."""
    for written in (month, {"toy": month}):
        toy, other = stocked(given(profile=written), REGISTRY)
        assert isinstance(toy, ToyVenue)
        assert isinstance(other, ToyVenue)
        assert toy.profile == profile
        assert other.profile == (profile if written == month else "2026-11")


def test_quirks_are_switched_by_venue() -> None:
    """What is not named stays as it is."""
    toy, other = stocked(given(quirks={"toy": {"rude": True}}), REGISTRY)
    assert (toy.quirks["rude"].on, other.quirks["rude"].on) == (True, False)
