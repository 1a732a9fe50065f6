"""Plots as inline SVG, and nothing but text: axes, lines, dots, bars and a shaded range, coloured by the page's style.

Every colour is a CSS variable of the page, so that one drawing serves light and dark.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import field
from enum import StrEnum
from html import escape

import numpy as np
from numpy.typing import ArrayLike

from emulator.realism.estimators import Floats
from reactor.values import dataclass

WIDTH, HEIGHT = 420, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 20, 12, 46
_MOST_TICKS = 6


class Look(StrEnum):
    """How a series is drawn: the class that the page's style knows."""

    MAIN = "main"  # what the plot is about
    WINDOW = "window"  # its parts
    SECOND = "second"  # another one beside it
    GUIDE = "guide"  # what theory would say


@dataclass(frozen=True, slots=True)
class Axis:
    """What is on an axis, and how far it goes at most; ends left open are the data's."""

    label: str
    log: bool = False
    low: float = math.nan
    high: float = math.nan


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Points joined by a line, or bars from the bottom."""

    x: Floats
    y: Floats
    look: Look = Look.MAIN
    bars: bool = False
    dots: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """The range that is shaded, between two lines over x."""

    x: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Chart:
    """One plot. Points that are not finite, or not above 0 on a logarithmic axis, are left out."""

    title: str
    x: Axis
    y: Axis
    series: Sequence[Series]
    band: Band | None = None
    names: Sequence[tuple[Look, str]] = field(default_factory=tuple)  # of the looks, for the legend


@dataclass(frozen=True, slots=True)
class _Scale:
    low: float
    high: float
    log: bool
    start: float
    stop: float

    def __call__(self, values: ArrayLike) -> Floats:
        x = np.asarray(values, np.float64)
        low, high = (math.log10(self.low), math.log10(self.high)) if self.log else (self.low, self.high)
        x = np.log10(x) if self.log else x
        at: Floats = self.start + (np.clip(x, low, high) - low) / (high - low) * (self.stop - self.start)
        return at

    def ticks(self) -> list[float]:
        if self.log:
            first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
            if last - first >= 2:
                every = -(-(last - first) // _MOST_TICKS)
                return [10.0**power for power in range(first, last + 1, every)]
            marks = [m * 10.0**power for power in range(first - 1, last + 1) for m in (1, 2, 5)]
            return [mark for mark in marks if self.low <= mark <= self.high]
        span = self.high - self.low
        unit = 10.0 ** math.floor(math.log10(span / _MOST_TICKS))
        step = next(m * unit for m in (1, 2, 2.5, 5, 10) if span / (m * unit) <= _MOST_TICKS)
        steps = range(math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9) + 1)
        return [k * step for k in steps]


def _scale(axis: Axis, values: Floats, start: float, stop: float) -> _Scale:
    values = values[np.isfinite(values) & ((values > 0) | (not axis.log))]
    low, high = (float(values.min()), float(values.max())) if values.size else (1.0, 10.0)
    low = low if math.isnan(axis.low) else axis.low
    high = high if math.isnan(axis.high) else axis.high
    if high <= low:
        low, high = (low / 2, low * 2) if axis.log else (low - 0.5, low + 0.5)
    return _Scale(low, high, axis.log, start, stop)


def number(value: float) -> str:
    """A number for people: three digits, thousands apart, no exponents but for the very small."""
    if math.isnan(value):
        return "n.a."
    if value and abs(value) < 1e-3:
        mantissa, power = f"{value:.1e}".split("e")
        return f"{mantissa.removesuffix('.0')}e{int(power)}"
    if abs(value) >= 1_000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def svg(chart: Chart) -> str:
    """The plot as an SVG element."""
    return "".join(_parts(chart))


def _parts(chart: Chart) -> Iterator[str]:
    seen = [*chart.series, *([Series(chart.band.x, chart.band.high)] if chart.band else [])]
    x = _scale(chart.x, np.concatenate([s.x for s in seen]), _LEFT, WIDTH - _RIGHT)
    y = _scale(chart.y, np.concatenate([s.y for s in seen]), HEIGHT - _BOTTOM, _TOP)
    yield f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(chart.title)}">'
    for mark in y.ticks():
        at = float(y(mark))
        yield f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>'
        yield f'<text x="{_LEFT - 7}" y="{at + 4:.1f}" text-anchor="end">{number(mark)}</text>'
    if chart.band is not None:
        above = np.concatenate([chart.band.x, chart.band.x[::-1]])
        outline = np.concatenate([chart.band.low, chart.band.high[::-1]])
        yield f'<polygon class="band" points="{_points(x(above), y(outline))}"/>'
    for series in chart.series:
        yield from _drawn(series, x, y)
    base = HEIGHT - _BOTTOM
    yield f'<line class="axis" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{base}" y2="{base}"/>'
    for mark in x.ticks():
        at = float(x(mark))
        yield f'<text x="{at:.1f}" y="{base + 17}" text-anchor="middle">{number(mark)}</text>'
    yield f'<text class="label" x="{(_LEFT + WIDTH - _RIGHT) / 2}" y="{HEIGHT - 7}" text-anchor="middle">'
    yield f"{escape(chart.x.label)}</text>"
    yield f'<text class="label" transform="translate(13 {(_TOP + base) / 2}) rotate(-90)" text-anchor="middle">'
    yield f"{escape(chart.y.label)}</text></svg>"


def _drawn(series: Series, x: _Scale, y: _Scale) -> Iterator[str]:
    shown = np.isfinite(series.x) & np.isfinite(series.y)
    shown &= ((series.x > 0) | (not x.log)) & ((series.y > 0) | (not y.log))
    shown &= (series.x >= x.low) & (series.x <= x.high) & ((series.y >= y.low) | series.bars)
    xs, ys = x(series.x[shown]), y(series.y[shown])
    if series.bars:
        width = 0.82 * (x.stop - x.start) / max(len(series.x), 1)
        for left, top in zip(xs - width / 2, ys, strict=True):
            yield f'<rect class="{series.look} bar" x="{left:.1f}" y="{top:.1f}" width="{width:.1f}"'
            yield f' height="{y.start - top:.1f}" rx="2"/>'
        return
    yield f'<polyline class="{series.look}" points="{_points(xs, ys)}"/>'
    if series.dots:
        for at, height in zip(xs, ys, strict=True):
            yield f'<circle class="{series.look}" cx="{at:.1f}" cy="{height:.1f}" r="3.5"/>'


def _points(xs: Floats, ys: Floats) -> str:
    return " ".join(f"{at:.1f},{height:.1f}" for at, height in zip(xs, ys, strict=True))


def gauge(
    value: float, allowed: tuple[float, float], recorded: tuple[float, float] | None, *, inside: bool
) -> str:
    """A value on its range: the allowed range shaded, the recorded one darker, the value a dot."""
    width, height, edge = 150, 16, 7
    ends = [value, *allowed, *(recorded or ())]
    log = min(ends) > 0 and max(ends) > 8 * min(ends)
    low, high = min(ends), max(ends)
    pad = (high / low) ** 0.04 if log else (high - low) * 0.04 or 0.5
    scale = _Scale(
        low / pad if log else low - pad, high * pad if log else high + pad, log, edge, width - edge
    )
    parts = [f'<svg class="gauge" viewBox="0 0 {width} {height}" aria-hidden="true">']
    for span, look in ((allowed, "band"), (recorded, "recorded")):
        if span is not None:
            left, right = (float(scale(end)) for end in span)
            parts.append(
                f'<rect class="{look}" x="{left:.1f}" y="4" width="{max(right - left, 2):.1f}" height="8" rx="2"/>'
            )
    look = "inside" if inside else "outside"
    parts.append(f'<circle class="{look}" cx="{float(scale(value)):.1f}" cy="8" r="4"/></svg>')
    return "".join(parts)
