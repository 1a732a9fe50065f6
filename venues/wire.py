"""Integers to framed JSON text: declared messages, decimals, WebSocket frames, pages.

Mechanism only: what a message says and which decimals it pads belong to a venue. A message is declared once, as data:
a list of parts, each a piece of literal text or a column (`declare` reads it off the message's own text). Encoders are
derived from the declaration; the one here formats whole columns through one %-template. Nothing in here may meet a
client's input.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise, repeat
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from reactor.types import Column
from venues.base import Page

BOOLEAN = ("false", "true")


# ---------------------------------------------------------------- decimals
@dataclass(frozen=True, slots=True)
class Scale:
    """How an integer column reads as a decimal: value * step / 10**frac, with at least `least` decimals.

    Zeros beyond `least` decimals are dropped, so one number says it all: least >= frac is fixed
    width, padded with zeros ("1.50000000"); 0 is trimmed ("1.5", "2"); 1 is trimmed to one decimal ("1.5", "2.0").
    """

    frac: int
    least: int
    step: int = 1

    def text(self, value: int) -> str:
        """One value, negative ones included."""
        digits = str(abs(value) * self.step).zfill(self.frac + 1)
        whole = digits[: len(digits) - self.frac]
        part = digits[len(whole) :].rstrip("0").ljust(self.least, "0")
        return f"{'-' * (value < 0)}{whole}.{part}" if part else f"{'-' * (value < 0)}{whole}"


# ---------------------------------------------------------------- the parts a message is declared of
@dataclass(frozen=True, slots=True)
class Int:
    """An integer column, floor-divided by `per` (nanoseconds written as milliseconds: per = MS_NS)."""

    name: str
    per: int = 1


@dataclass(frozen=True, slots=True)
class Decimal:
    """An integer column written as a decimal; one finer than the scale is divided by `per` first, halves up."""

    name: str
    scale: Scale
    per: int = 1


@dataclass(frozen=True, slots=True)
class Choice:
    """A column of indices into a few texts."""

    name: str
    texts: tuple[str, ...] = BOOLEAN


@dataclass(frozen=True, slots=True)
class Text:
    """A column of ready texts."""

    name: str


@dataclass(frozen=True, slots=True)
class Each:
    """A JSON array's inside: the parts once per row of a `Ragged` column, separated by commas."""

    name: str
    parts: tuple[Part, ...]


Part: TypeAlias = str | Int | Decimal | Choice | Text | Each


@dataclass(frozen=True, slots=True, eq=False)
class Ragged:
    """Rows of all messages' lists, flattened: message i has rows [ends[i - 1], ends[i]), from 0 for the first."""

    ends: Column
    columns: Mapping[str, Values]


class Table:
    """Rows that many lists name. The text of a row is made when it is first asked for, once for each way to write it.

    Two threads may ask at once: at worst a text is made twice.
    """

    def __init__(self, columns: Mapping[str, Column]) -> None:
        self.columns = columns
        self._texts: dict[tuple[Part, ...], list[str]] = {}
        self._made: dict[tuple[Part, ...], NDArray[np.bool_]] = {}

    def texts(self, parts: tuple[Part, ...], rows: Column) -> list[str]:
        """The texts of these rows."""
        if parts not in self._texts:
            size = len(next(iter(self.columns.values())))
            self._texts[parts], self._made[parts] = [""] * size, np.zeros(size, np.bool_)
        known, made = self._texts[parts], self._made[parts]
        missing = np.zeros_like(made)
        missing[rows] = True
        new = np.flatnonzero(missing & ~made)
        if len(new):
            said = _texts(parts, {name: column[new] for name, column in self.columns.items()})
            for row, text in zip(new.tolist(), said, strict=True):
                known[row] = text
            made[new] = True
        return [known[row] for row in rows.tolist()]


@dataclass(frozen=True, slots=True, eq=False)
class Picked:
    """Lists of rows of a table: message i has those numbered rows[ends[i - 1]:ends[i]], from 0 for the first."""

    ends: Column
    rows: Column
    table: Table


Values: TypeAlias = Column | Sequence[str] | Ragged | Picked


def cut(columns: Mapping[str, Values], start: int, stop: int) -> dict[str, Values]:
    """Of all these columns, the rows [start, stop)."""
    return {name: _cut(values, start, stop) for name, values in columns.items()}


def _cut(values: Values, start: int, stop: int) -> Values:
    if not isinstance(values, Ragged | Picked):
        return values[start:stop]
    first, last = np.append(0, values.ends)[[start, stop]].tolist()
    if isinstance(values, Picked):
        return Picked(values.ends[start:stop] - first, values.rows[first:last], values.table)
    return Ragged(values.ends[start:stop] - first, cut(values.columns, first, last))


def declare(text: str, kinds: Mapping[str, Callable[[str], Part]]) -> tuple[Part, ...]:
    """A message as its own text, with `<name:kind>` where a column goes, or `<name>` for a plain integer.

    `kinds` makes the part of a name: a column of that kind, or literal text.
    """
    pieces = re.split(r"<(\w+)(?::(\w+))?>", text)
    parts: list[Part] = [pieces[0]]
    for name, kind, literal in zip(pieces[1::3], pieces[2::3], pieces[3::3], strict=True):
        parts += kinds[kind](name) if kind else Int(name), literal
    return tuple(part for part in parts if part)


# ---------------------------------------------------------------- the template encoder
def encode(parts: Sequence[Part], columns: Mapping[str, Values]) -> list[bytes]:
    """One JSON payload per row of the columns a message's parts name (at least one)."""
    return [text.encode() for text in _texts(parts, columns)]


def _texts(parts: Sequence[Part], columns: Mapping[str, Values]) -> list[str]:
    template: list[str] = []
    cells: list[Iterable[object]] = []
    for part in parts:
        if isinstance(part, str):
            template.append(part.replace("%", "%%"))
        else:
            form, more = _cells(part, columns[part.name])
            template.append(form)
            cells.extend(more)
    form = "".join(template)
    return [form % row for row in zip(*cells, strict=True)]


def _cells(part: Int | Decimal | Choice | Text | Each, values: Values) -> tuple[str, list[Iterable[object]]]:
    """The template's piece for a part, and the columns that fill it."""
    if isinstance(part, Each):
        assert isinstance(values, Ragged | Picked)
        if isinstance(values, Picked):
            rows = values.table.texts(part.parts, values.rows)
        else:
            rows = _texts(part.parts, values.columns)
        ends = values.ends.tolist()
        return "%s", [[",".join(rows[a:b]) for a, b in pairwise([0, *ends])]]
    if isinstance(part, Text):
        assert not isinstance(values, Ragged | Picked)
        return "%s", [values]
    assert isinstance(values, np.ndarray)
    if isinstance(part, Int):
        return "%d", [(values // part.per).tolist()]
    if isinstance(part, Choice):
        return "%s", [[part.texts[i] for i in values.tolist()]]
    scale = part.scale
    if part.per > 1:
        values = (values + part.per // 2) // part.per
    if not 0 < scale.frac <= scale.least or (len(values) and values.min() < 0):
        said = values.tolist()
        texts = {value: scale.text(value) for value in set(said)}  # most columns of a page repeat themselves
        return "%s", [[texts[value] for value in said]]
    whole, rest = np.divmod(values * scale.step, 10**scale.frac)
    return f"%d.%0{scale.frac}d{'0' * (scale.least - scale.frac)}", [whole.tolist(), rest.tolist()]


# ---------------------------------------------------------------- frames and pages
TEXT_FRAME, BINARY_FRAME = 0x81, 0x82  # first byte of a final one


def frame(payload: bytes, kind: int = TEXT_FRAME) -> bytes:
    """The payload as one unmasked, final frame.

    RFC 6455 section 5.2, https://www.rfc-editor.org/rfc/rfc6455, 2011-12.
    """
    return _header(len(payload), kind) + payload


def payloads(frames: bytes) -> Iterator[bytes]:
    """The payloads of such frames, one after another."""
    start = 0
    while start < len(frames):
        size, start = frames[start + 1], start + 2
        if size > 125:
            wide = 2 if size == 126 else 8
            size, start = int.from_bytes(frames[start : start + wide], "big"), start + wide
        yield frames[start : start + size]
        start += size


def _header(size: int, kind: int = TEXT_FRAME) -> bytes:
    if size < 126:
        return bytes((kind, size))
    if size < 1 << 16:
        return bytes((kind, 126)) + size.to_bytes(2, "big")
    return bytes((kind, 127)) + size.to_bytes(8, "big")


class _Headers(dict[int, bytes]):
    """The header of each size; few sizes are ever asked for."""

    def __missing__(self, size: int) -> bytes:
        header = self[size] = _header(size)
        return header


_HEADERS = _Headers()


def pack(
    start_ns: int,
    due_ns: Sequence[int] | Column,
    payloads: Sequence[bytes],
    head: bytes = b"",
    tail: bytes = b"",
) -> Page:
    """The page of PAGE_NS from start_ns; each frame holds a payload between `head` and `tail`.

    Payload i is due at the boundary due_ns[i], in (start_ns, start_ns + PAGE_NS] and ascending.
    """
    sizes = np.fromiter(map(len, payloads), np.int64, len(payloads)) + (len(head) + len(tail))
    headers = [_HEADERS[size] for size in sizes.tolist()]
    around = (repeat(head), payloads, repeat(tail)) if head or tail else (payloads,)
    pieces = chain.from_iterable(zip(headers, *around, strict=False))
    offsets = np.cumsum(sizes + np.fromiter(map(len, headers), np.int64, len(headers)))
    due = np.asarray(due_ns, dtype=np.int64)
    last = np.flatnonzero(np.diff(due, append=due[-1:] + 1))  # payload of each boundary
    ends = offsets[last]
    return Page(start_ns, b"".join(pieces), due[last].tolist(), ends.tolist(), len(payloads))
