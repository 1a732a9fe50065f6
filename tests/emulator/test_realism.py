"""The realism report: what a tape's facts are, where they should lie, and how that is told."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from rich.console import Console

from emulator.config import ConfigError
from emulator.parquet import Job, generate
from emulator.presets import get_preset
from emulator.realism.charts import Axis, Chart, Series, number, svg
from emulator.realism.facts import DEPTH, Tape, best_levels, measure, measure_minutes
from emulator.realism.page import page
from emulator.realism.report import Report, Target, Verdict, band, report, show, sources, summary, targets
from emulator.realism.sources import Source, of_files, of_market
from reactor.runner import Run
from reactor.single_asset import HyperSynthReactor
from reactor.types import (
    BLOCK_NS,
    MS_NS,
    SECOND_NS,
    TICK_NS,
    Block,
    BookSide,
    BookSnapshot,
    Column,
    Levels,
    Prints,
    Quotes,
)
from reactor.unified_market import MarketOrchestrationCore
from tests.emulator.test_cli import command

ORIGIN_NS = 1_767_225_600 * SECOND_NS
PRESET = get_preset("binance_spot_btc")
NONE = np.zeros(0, np.int64)


def world(seed: int = 5) -> MarketOrchestrationCore:
    return MarketOrchestrationCore(seed, ORIGIN_NS, [(PRESET.instrument, PRESET.manifest)])


def tape_of(market: HyperSynthReactor, minutes: int) -> Tape:
    end_ns = ORIGIN_NS + minutes * BLOCK_NS
    return Tape(market.book(ORIGIN_NS), market.window(ORIGIN_NS, end_ns))


@pytest.fixture(scope="module")
def market() -> HyperSynthReactor:
    return world().market(PRESET.instrument.market)


@pytest.fixture(scope="module")
def tape(market: HyperSynthReactor) -> Tape:
    return tape_of(market, 4)


@pytest.fixture(scope="module")
def made() -> Report:
    """A report of two windows."""
    return report(of_market(world(), PRESET.instrument.market, 5, 2))


# ---------------------------------------------------------------- facts
def columns(*parts: Column) -> list[Column]:
    """These columns, and zeros in the places of ids."""
    return [np.asarray(part, np.int64) for part in parts]


def by_hand(quotes: list[tuple[int, ...]], prints: list[tuple[int, ...]]) -> Tape:
    """A tape of a second from (ms, bid, bid lots, ask, ask lots) and (ms, price, lots, side)."""
    quoted = columns(*np.array(quotes).T)
    printed = columns(*np.array(prints).T)
    zeros = np.zeros(len(prints), np.int64)
    return Tape(
        BookSnapshot(0, 0, NONE, NONE, NONE, NONE),
        Block(
            0,
            SECOND_NS,
            Quotes(*[quoted[0] * MS_NS, *quoted[1:], np.zeros(len(quotes), np.int64)]),
            Prints(*[printed[0] * MS_NS, *printed[1:], zeros, zeros, zeros]),
            Levels(*[NONE] * 5),
        ),
    )


def test_facts_of_a_tape_worked_by_hand() -> None:
    """Two prints of one millisecond and side are one order; the touch opens once and moves twice."""
    facts = measure(
        by_hand(
            [(0, 100, 5, 101, 5), (400, 100, 5, 103, 5), (500, 102, 5, 103, 5), (900, 102, 5, 103, 9)],
            [(300, 101, 2, 1), (300, 101, 4, 1), (600, 103, 6, 1), (700, 102, 8, -1)],
        )
    ).facts
    assert facts["trades.prints_per_order"] == pytest.approx(4 / 3)
    assert facts["trades.same_ms_share"] == pytest.approx(1 / 3)
    assert facts["touch.one_tick_time"] == pytest.approx(0.8 / 0.9)
    assert facts["touch.spread_ticks"] == pytest.approx((0.8 + 3 * 0.1) / 0.9)
    assert facts["touch.open_per_s"] == 1
    assert facts["touch.open_median_ms"] == 100
    assert facts["touch.moves_per_s"] == 2
    assert facts["touch.jump_median_ticks"] == 1
    assert facts["touch.moves_while_open"] == 1
    assert facts["touch.crossed"] == 0
    assert facts["impact.at_touch"] == 1
    # mids before the orders: 100.5, 102.5, 102.5; half spreads .5
    assert facts["impact.response_1"] == pytest.approx((2 + 0) / 2 / 0.5)
    assert facts["impact.moves_between_orders"] == 0.5


def test_best_levels_are_the_books(market: HyperSynthReactor, tape: Tape) -> None:
    """At every instant what the market itself says of its book."""
    prices, lots = best_levels(tape, 7 * SECOND_NS)
    instants = range(ORIGIN_NS + 7 * SECOND_NS, ORIGIN_NS + 4 * BLOCK_NS + 1, 7 * SECOND_NS)
    assert len(prices) == len(instants)
    for at_ns, price, quantity in zip(instants, prices, lots, strict=True):
        book = market.book(at_ns)
        assert price.tolist() == [book.bid_ticks[:DEPTH].tolist(), book.ask_ticks[:DEPTH].tolist()]
        assert quantity.tolist() == [book.bid_lots[:DEPTH].tolist(), book.ask_lots[:DEPTH].tolist()]


def test_changes_are_those_of_a_stream_of_ten_messages_a_second(tape: Tape) -> None:
    """Against a book kept in a dictionary, message by message."""
    opening, levels = tape.opening, tape.block.levels
    book = {
        (int(side), int(price)): int(lots)
        for side, ticks, quantities in (
            (BookSide.BID, opening.bid_ticks, opening.bid_lots),
            (BookSide.ASK, opening.ask_ticks, opening.ask_lots),
        )
        for price, lots in zip(ticks, quantities, strict=True)
    }
    messages: dict[int, dict[tuple[int, int], int]] = {}
    for tick, side, price, lots in zip(
        levels.tick.tolist(),
        levels.side.tolist(),
        levels.price_ticks.tolist(),
        levels.qty_lots.tolist(),
        strict=True,
    ):
        messages.setdefault(tick * TICK_NS // (100 * MS_NS), {})[side, price] = lots
    rows, removed, cancelled = 0, 0, 0
    for message in messages.values():
        for key, lots in message.items():
            cancelled += max(book.get(key, 0) - lots, 0)
            removed += lots == 0
            rows += 1
            book[key] = lots
    facts = measure(tape).facts
    assert facts["changes.levels_per_s"] == rows / 240
    assert facts["changes.removed_share"] == pytest.approx(removed / rows)
    assert facts["changes.cancelled_to_traded"] == pytest.approx(cancelled / tape.block.prints.qty_lots.sum())


def test_a_textbook_market_is_told_apart() -> None:
    """A random walk with Poisson arrivals, even signs and exponential sizes: the report says what is wrong with it."""
    chance = np.random.Generator(np.random.PCG64(1))
    seconds = 600

    def times(per_s: int) -> Column:
        return np.sort(chance.integers(0, seconds * SECOND_NS, per_s * seconds))

    quoted = times(100)
    bid = 650_000 + np.cumsum(np.rint(chance.normal(0, 1, len(quoted))).astype(np.int64))
    lots = chance.exponential(1_000, (2, len(quoted))).astype(np.int64) + 1
    printed = times(40)
    side = chance.choice([-1, 1], len(printed))
    at = np.maximum(np.searchsorted(quoted, printed) - 1, 0)
    zeros = np.zeros(len(printed), np.int64)
    block = Block(
        0,
        seconds * SECOND_NS,
        Quotes(quoted, bid, lots[0], bid + 1, lots[1], np.zeros(len(quoted), np.int64)),
        Prints(
            printed,
            np.where(side > 0, bid[at] + 1, bid[at]),
            chance.exponential(500, len(printed)).astype(np.int64) + 1,
            side,
            zeros,
            zeros,
            zeros,
        ),
        Levels(*[NONE] * 5),
    )
    null = report(Source("null", "", [Tape(BookSnapshot(0, 0, NONE, NONE, NONE, NONE), block)], None))
    outside = {row.target.name for row in null.rows if row.verdict is Verdict.OUTSIDE}
    assert outside >= {
        "trades.duration_cv",
        "trades.fano_1s",
        "trades.branching_prints",
        "orders.sign_acf_1",
        "orders.size_hill",
        "trades.commonest_sizes",
        "returns.kurtosis_1s",
        "returns.volume_volatility_1s",
        "touch.update_gap_cv",
        "touch.imbalance_auc",
        "impact.response_1",
    }


def test_an_empty_tape_has_no_facts() -> None:
    """It raises nothing, warns of nothing, and is in no range."""
    nothing = Block(0, BLOCK_NS, Quotes(*[NONE] * 6), Prints(*[NONE] * 7), Levels(*[NONE] * 5))
    empty = report(Source("empty", "", [Tape(BookSnapshot(0, 0, NONE, NONE, NONE, NONE), nothing)], None))
    assert empty.count(Verdict.INSIDE) == 0
    assert {row.value for row in empty.rows if row.verdict is Verdict.OUTSIDE} == {0.0}  # nothing a second
    assert "nan" not in "".join(re.findall(r"<svg.*?</svg>", page(empty), re.DOTALL))


def test_bars_need_a_day(market: HyperSynthReactor) -> None:
    """Below it they tell nothing; from it on everything."""
    names = {target.name for target in targets() if target.group == "minutes"}
    assert measure_minutes(market.minutes(ORIGIN_NS, ORIGIN_NS + 1_439 * BLOCK_NS)).facts == {}
    assert measure_minutes(market.minutes(ORIGIN_NS, ORIGIN_NS + 1_440 * BLOCK_NS)).facts.keys() == names


# ---------------------------------------------------------------- targets
def test_every_fact_is_measured_and_every_measure_a_fact(made: Report) -> None:
    """The file and the code name the same things, curves too; every source is known and used."""
    measured = {row.target.name for row in made.rows if not math.isnan(row.value)}
    long = {target.name for target in targets() if target.least_s > 300}
    assert {target.name for target in targets()} == measured | long
    assert {source for target in targets() for source in target.sources} == sources().keys()
    document = json.loads((Path(page.__code__.co_filename).with_name("targets.json")).read_text())
    assert document["curves"].keys() <= made.curves.keys()
    for name in document["curves"]:
        shaded, note = band(name)
        assert shaded is not None
        assert (shaded.low <= shaded.high).all()
        assert note


@pytest.mark.parametrize("target", targets(), ids=lambda target: target.name)
def test_a_range_is_one_and_real_markets_are_in_it(target: Target) -> None:
    """What was recorded of real markets overlaps with what is allowed."""
    if target.allowed is not None:
        low, high = target.allowed
        assert low <= high
        assert target.judge(low) is target.judge(high) is Verdict.INSIDE
        assert target.judge(low - 0.01) is target.judge(high + 0.01) is Verdict.OUTSIDE
        assert target.judge(math.nan) is Verdict.UNKNOWN
        if target.recorded is not None:
            assert target.recorded[0] <= high
            assert target.recorded[1] >= low


# ---------------------------------------------------------------- the report
def test_short_windows_say_nothing_of_what_takes_long(made: Report) -> None:
    """Such facts are not judged, and the summary counts them."""
    unknown = {row.target.name for row in made.rows if row.verdict is Verdict.UNKNOWN}
    assert unknown == {target.name for target in targets() if target.least_s > 300}
    assert f"{len(unknown)} facts need more tape" in summary(made)


def test_a_fact_is_its_median_and_every_window_a_check(made: Report) -> None:
    """One window out of range is counted, and does not decide."""
    target = next(row.target for row in made.rows if row.target.name == "trades.duration_cv")
    row = replace(made.rows[0], target=target, value=2.0, values=(1.0, 2.0, 3.0, math.nan))
    assert row.verdict is Verdict.INSIDE
    assert row.outside == 1
    assert row.ends == (1.0, 3.0)
    assert replace(made, rows=[row]).checks == (1, 3)


@pytest.mark.parametrize(("width", "told"), [(80, False), (190, True)])
def test_the_table_has_a_row_for_every_fact(made: Report, width: int, *, told: bool) -> None:
    """With its verdict; sources only where a console has room for them."""
    console = Console(width=width, record=True, file=StringIO())
    show(made, console)
    text = console.export_text()
    assert text.count(" in range ") == made.count(Verdict.INSIDE)
    assert (" recordings, cont2014 " in text) is told
    assert summary(made)[:40] in text


def test_a_report_is_a_function_of_the_market(made: Report) -> None:
    """Made anew, the page has the same bytes; of another seed it has others."""
    assert page(report(of_market(world(), PRESET.instrument.market, 5, 2))) == page(made)
    assert page(report(of_market(world(6), PRESET.instrument.market, 5, 2))) != page(made)


class _Page(HTMLParser):
    """Every tag is closed in its place; what refers to something is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.references: list[str] = []
        self.ids: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.references += [
            str(given[name]) for name in ("src", "href", "xlink:href", "data") if name in given
        ]
        self.ids.add(given.get("id") or "")
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_needs_nothing_else(made: Report) -> None:
    """No reference leads out of it, no style loads anything, there is no script, and it is light and dark."""
    text = page(made)
    parsed = _Page()
    parsed.feed(text)
    assert parsed.open == []
    assert all(there.startswith("#") and there[1:] in parsed.ids for there in parsed.references)
    assert not re.search(r"url\(|@import|<script|<link|<img", text)
    assert "prefers-color-scheme: dark" in text


def drawings(text: str) -> Iterator[ET.Element]:
    for drawn in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
        yield ET.fromstring(drawn)


def test_every_plot_is_drawn_inside_its_frame(made: Report) -> None:
    """Eleven of them, each well-formed, with axes and something on them, and nothing beyond the edges."""
    plots = [drawn for drawn in drawings(page(made)) if drawn.get("role") == "img"]
    assert len(plots) == 11
    for plot in plots:
        _, _, width, height = map(float, str(plot.get("viewBox")).split())
        shapes = [*plot.iter("polyline"), *plot.iter("polygon")]
        points = [point for shape in shapes for point in str(shape.get("points")).split()]
        assert points or plot.find("rect") is not None
        for point in points:
            x, y = map(float, point.split(","))
            assert 0 <= x <= width
            assert 0 <= y <= height
        assert sum(bool(mark.text) for mark in plot.iter("text")) >= 6


def test_a_point_lies_where_its_axes_say() -> None:
    """The ends of the data are the ends of the axes; a logarithmic axis leaves out what it cannot show."""
    x = np.array([0.0, 1, 10, 100])
    drawn = ET.fromstring(
        svg(
            Chart(
                "<&>", Axis("x", log=True), Axis("y", low=0, high=10), [Series(x, np.array([5.0, 0, 5, 10]))]
            )
        )
    )
    (line,) = drawn.iter("polyline")
    places = [tuple(map(float, point.split(","))) for point in str(line.get("points")).split()]
    assert len(places) == 3
    (left, bottom), middle, (right, top) = places
    assert middle == pytest.approx(((left + right) / 2, (bottom + top) / 2), abs=0.1)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (0.12345, "0.123"),
        (12_345.6, "12,346"),
        (0.00012, "1.2e-4"),
        (1e-6, "1e-6"),
        (math.nan, "n.a."),
    ],
)
def test_numbers_for_people(value: float, shown: str) -> None:
    assert number(value) == shown


# ---------------------------------------------------------------- files
def test_files_have_the_facts_of_their_market(tmp_path: Path, market: HyperSynthReactor) -> None:
    """What was written and read again is the same tape, window by window."""
    run = Run(5, ORIGIN_NS, PRESET.instrument, PRESET.manifest)
    generate(Job(run, 5, tmp_path), 1, lambda _: None)
    first, second = of_files(tmp_path, 2, 9).windows
    assert measure(first).facts == pytest.approx(measure(tape_of(market, 2)).facts, nan_ok=True)
    later = Tape(
        market.book(ORIGIN_NS + 2 * BLOCK_NS),
        market.window(ORIGIN_NS + 2 * BLOCK_NS, ORIGIN_NS + 4 * BLOCK_NS),
    )
    assert measure(second).facts == pytest.approx(measure(later).facts, nan_ok=True)
    with pytest.raises(ConfigError, match="shorter than a window of 6 minutes"):
        of_files(tmp_path, 6, 1)


def test_what_is_no_tape_is_told(tmp_path: Path) -> None:
    """A directory without files, and a file that is none."""
    with pytest.raises(ConfigError, match="no Parquet files here"):
        of_files(tmp_path, 1, 1)
    (tmp_path / "l2_snapshots").mkdir()
    (tmp_path / "l2_snapshots" / "x.parquet").write_bytes(b"nothing of the kind")
    with pytest.raises(ConfigError, match="l2_snapshots: "):
        of_files(tmp_path, 1, 1)


# ---------------------------------------------------------------- the command
SHORT = ("realism", "--minutes", "2", "--windows", "1")


def test_the_command_prints_and_writes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Exit code 0 whatever the verdicts, unless they were to be strict."""
    html = tmp_path / "page.html"
    preset = ("--preset", "hyperliquid_perp_sol")
    assert command(monkeypatch, *SHORT, *preset, "--seed", "3", "--html", str(html)) == 0
    assert "hyperliquid:SOL" in capsys.readouterr().out
    assert "seed 3" in html.read_text()
    assert command(monkeypatch, *SHORT, *preset, "--strict") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--preset", "nowhere"], "--preset: there is no preset 'nowhere'"),
        (["--minutes", "0"], "--minutes: '0' is not allowed; allowed: a whole number from 1 to 1440"),
        (["--windows", "x"], "--windows: 'x' is not allowed; allowed: a whole number from 1 to 100"),
        (["--seed", "-1"], "--seed: '-1' is not allowed"),
        (["--html", "/nowhere/page.html"], "--html: /nowhere/page.html: No such file or directory"),
        (["missing"], "missing/l2_snapshots: no Parquet files here"),
        (["missing", "--seed", "1"], "a directory has its market and its seed"),
    ],
)
def test_what_is_wrong_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    """On standard error, with exit code 2."""
    assert command(monkeypatch, *SHORT, *arguments) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
