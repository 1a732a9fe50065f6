"""The report as one HTML page: plots, the table of facts, and where the ranges come from.

It carries its own style and drawings and asks no other host for anything; light or dark as the reader's system is. The
same report makes the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from html import escape
from pathlib import Path

import numpy as np

from emulator.realism.charts import Axis, Chart, Look, Series, gauge, number, svg
from emulator.realism.estimators import Floats
from emulator.realism.facts import DEPTH
from emulator.realism.report import Report, Row, Verdict, band, sources, span, summary
from emulator.realism.sources import DAYS

_STYLE = Path(__file__).with_name("page.css")
_CLASSES = {Verdict.INSIDE: "in", Verdict.OUTSIDE: "out", Verdict.UNKNOWN: "soft", Verdict.TOLD: "soft"}

Curve = tuple[Floats, Floats]


def page(made: Report) -> str:
    """The whole document."""
    return "".join(_document(made))


def _document(made: Report) -> Iterator[str]:
    name = escape(made.source.name)
    yield '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>Realism of {name}</title><style>{_STYLE.read_text(encoding='utf-8')}</style></head><body><main>\n"
    yield f'<h1>{name}</h1><p class="soft">{escape(made.source.origin)}</p>'
    yield f'<p class="said">{escape(summary(made))}.</p>'
    if outside := [row for row in made.rows if row.verdict is Verdict.OUTSIDE]:
        yield '<p class="out">Out of range:</p><ul class="outside-list">'
        for row in outside:
            yield f"<li>{escape(row.target.title)}: {number(row.value)}, allowed {span(row.target.allowed)}</li>"
        yield "</ul>"
    yield '<h2>Plots</h2><div class="plots">\n'
    for draw in _PLOTS:
        yield from draw(made)
    yield "</div>\n<h2>Facts</h2>"
    yield '<p class="soft">Light: the range. Dark: what was recorded of real markets. The dot: the median.</p>'
    yield from _table(made.rows)
    yield "<h2>Where the ranges come from</h2><p>"
    yield "A range is what real markets have, widened for what short samples do by chance: a value inside says that "
    yield "nobody would wonder, not that it is the truth. The recordings are of two assets in busy markets, minutes of "
    yield "one night; a market of another kind may leave a range and be true to its own.</p><dl>"
    for key, text in sources().items():
        yield f'<dt id="{key}">{key}</dt><dd>{escape(text)}</dd>'
    yield "</dl></main></body></html>\n"


def _table(rows: Sequence[Row]) -> Iterator[str]:
    yield '<div class="scroll"><table><thead><tr><th>Fact</th><th class="n">Value</th><th class="n">Windows</th>'
    yield '<th class="n">Range</th><th>Value on its range</th><th class="n">Recorded</th><th>Verdict</th>'
    yield "<th>Source</th></tr></thead><tbody>\n"
    group = rows[0].target.group
    for row in rows:
        target = row.target
        yield "<tr>" if target.group == group else '<tr class="first">'
        group = target.group
        drawn = ""
        if target.allowed is not None and not math.isnan(row.value):
            drawn = gauge(row.value, target.allowed, target.recorded, inside=row.verdict is Verdict.INSIDE)
        yield f'<td>{escape(target.title)}</td><td class="n">{number(row.value)}</td>'
        yield f'<td class="n soft">{span(row.ends)}</td><td class="n">{span(target.allowed)}</td><td>{drawn}</td>'
        yield f'<td class="n soft">{span(target.recorded)}</td><td class="{_CLASSES[row.verdict]}">{row.verdict}</td>'
        yield f'<td class="from">{" ".join(f"<a href=#{key}>{key}</a>" for key in target.sources)}</td></tr>\n'
    yield "</tbody></table></div>"


# ---------------------------------------------------------------- plots
def _figure(chart: Chart, said: str, real: str) -> Iterator[str]:
    yield f'<figure><h3>{escape(chart.title)}</h3><div class="legend">'
    for look, name in chart.names:
        yield f'<span><i class="{look}"></i>{escape(name)}</span>'
    if chart.band is not None:
        yield '<span><i class="band"></i>real markets</span>'
    yield f"</div>{svg(chart)}<figcaption>{escape(said)}"
    yield (
        f" Shaded: {escape(real[:1].lower() + real[1:])}.</figcaption></figure>\n"
        if real
        else "</figcaption></figure>\n"
    )


def _windows(curves: Iterable[Curve], *, dots: bool = False) -> list[Series]:
    return [Series(x, y, Look.WINDOW, dots=dots) for x, y in curves]


def _with_mean(curves: Sequence[Curve], *, dots: bool = False) -> list[Series]:
    """Every window thin, and over them their mean; all of them over the same x."""
    rows = np.array([y for _, y in curves])
    known = np.isfinite(rows)
    mean = np.where(known, rows, 0).sum(0) / np.maximum(known.sum(0), 1)
    average = Series(curves[0][0], np.where(known.any(0), mean, np.nan), Look.MAIN, dots=dots)
    return [*(_windows(curves) if len(curves) > 1 else []), average]


_MEAN = ((Look.MAIN, "mean of the windows"), (Look.WINDOW, "a window"))


def _returns(made: Report) -> Iterator[str]:
    names = {"returns_1m": Look.MAIN, "returns_1s": Look.SECOND}
    series = [
        Series(curves[0][0], np.mean([y for _, y in curves], 0), look)
        for name, look in names.items()
        if (curves := made.curves.get(name))
    ]
    x = np.linspace(-5, 5, 101)
    series.append(Series(x, np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi), Look.GUIDE))
    real, note = band("returns_1s")
    legend = (
        *((look, f"{name[-2:-1]} {'min' if name.endswith('m') else 's'}") for name, look in names.items()),
    )
    chart = Chart(
        "Returns against the normal law",
        Axis("return in standard deviations", low=-10, high=10),
        Axis("density", log=True, low=1e-5, high=2),
        series,
        real,
        (
            *((look, label) for look, label in legend if any(s.look is look for s in series)),
            (Look.GUIDE, "normal"),
        ),
    )
    yield from _figure(chart, "Real tails are fat, and the peak is high.", note)


def _size_acf(made: Report) -> Iterator[str]:
    if curves := made.curves.get("size_acf"):
        real, note = band("size_acf")
        chart = Chart(
            "Memory of volatility",
            Axis("lag, minutes", log=True, low=1, high=1_000),
            Axis("autocorrelation of |r|, 1 min", log=True, low=1e-3, high=1),
            [Series(x, y, dots=True) for x, y in curves],
            real,
        )
        yield from _figure(chart, f"From {DAYS} days of minute bars: a slow, power-law decay.", note)


def _depth(made: Report) -> Iterator[str]:
    if curves := made.curves.get("depth"):
        real, note = band("depth")
        chart = Chart(
            "Depth profile",
            Axis("level of the book", low=0.5, high=DEPTH + 0.5),
            Axis("mean quantity, of the touch's", log=True, low=1e-2, high=1),
            _with_mean(curves, dots=True),
            real,
            _MEAN,
        )
        yield from _figure(
            chart, "The touch of a real large-tick book is a wall; what stands behind it is thin.", note
        )


def _tail(name: str, title: str, x: Axis, low: float, said: str) -> Callable[[Report], Iterator[str]]:
    """A plot of how often values are larger, with the exponential law beside it."""

    def draw(made: Report) -> Iterator[str]:
        if curves := made.curves.get(name):
            real, note = band(name)
            at = np.geomspace(1e-3, 20, 80)
            rate = 1.0 if name == "durations" else math.log(2)  # of mean 1, or of median 1
            guide = Series(at, np.exp(-at * rate), Look.GUIDE)
            names = (*_MEAN, (Look.GUIDE, "exponential"))
            chart = Chart(
                title,
                x,
                Axis("share above", log=True, low=low, high=1),
                [*_with_mean(curves), guide],
                real,
                names,
            )
            yield from _figure(chart, said, note)

    return draw


def _hours(made: Report) -> Iterator[str]:
    if curves := made.curves.get("hours"):
        real, note = band("hours")
        chart = Chart(
            "Activity by hour",
            Axis("hour of the day, UTC", low=-0.6, high=23.6),
            Axis("volume, of the mean hour's", low=0, high=2),
            [Series(x, y, bars=True) for x, y in curves],
            real,
        )
        yield from _figure(chart, f"Mean of {DAYS} days.", note)


def _line(name: str, title: str, x: Axis, y: Axis, said: str) -> Callable[[Report], Iterator[str]]:
    """A plot of a curve whose windows share their x."""

    def draw(made: Report) -> Iterator[str]:
        if curves := made.curves.get(name):
            real, note = band(name)
            yield from _figure(Chart(title, x, y, _with_mean(curves, dots=True), real, _MEAN), said, note)

    return draw


def _impact(made: Report) -> Iterator[str]:
    if curves := made.curves.get("impact"):
        real, note = band("impact")
        x = np.geomspace(0.01, 10, 30)
        # The square root through the middle of the points.
        ratios = np.concatenate([y[y > 0] / np.sqrt(v[y > 0]) for v, y in curves])
        middle = float(np.median(ratios)) if len(ratios) else math.nan
        chart = Chart(
            "Impact",
            Axis("|net volume| of 2 s, of its mean", log=True, low=0.01, high=10),
            Axis("move, of the mean move", log=True),
            [Series(x, middle * np.sqrt(x), Look.GUIDE), *_windows(curves, dots=True)],
            real,
            ((Look.WINDOW, "a window"), (Look.GUIDE, "square root")),
        )
        yield from _figure(
            chart, "In real markets twice the volume moves the price less than twice as far.", note
        )


_PLOTS: Sequence[Callable[[Report], Iterator[str]]] = (
    _returns,
    _size_acf,
    _line(
        "spread",
        "Spread",
        Axis("spread, ticks", log=True, low=1, high=1_000),
        Axis("share of time", log=True, low=1e-6, high=1),
        "Real books of these markets rest at one tick, and open for moments while the price moves.",
    ),
    _depth,
    _tail(
        "sizes",
        "Sizes of market orders",
        Axis("size, of the median", log=True, low=1e-2, high=1e3),
        1e-4,
        "Real sizes follow a power law: a few orders carry most of the volume.",
    ),
    _tail(
        "durations",
        "Durations between market orders",
        Axis("duration, of the mean", log=True, low=1e-3, high=50),
        1e-4,
        "Real orders come in clusters: more short and more long gaps than chance would make.",
    ),
    _hours,
    _impact,
    _line(
        "response",
        "Response to an order",
        Axis("orders later", log=True, low=1, high=300),
        Axis("move of the mid, deviations of 1 s", low=0),
        "How far the mid moves, on average, in the direction of an order.",
    ),
    _line(
        "signs",
        "Memory of order signs",
        Axis("lag, orders", log=True, low=1, high=400),
        Axis("autocorrelation", log=True, low=1e-3, high=1),
        "Real traders work large orders in pieces, so buys follow buys for long.",
    ),
    _line(
        "imbalance",
        "Queues foretell the next move",
        Axis("share of the best bid in the touch", low=0, high=1),
        Axis("P(next move is up)", low=0, high=1),
        "In real books the side with the shorter queue tends to give way.",
    ),
)
