"""Integers to framed JSON text: declared messages, decimals, WebSocket frames, pages.

Mechanism only: what a message says and which decimals it pads belong to a venue. A message is declared once, as data:
a list of parts, each a piece of literal text or a column (`declare` reads it off the message's own text). Two encoders
are derived from the declaration: one makes columns lists of texts and joins each row of them; the other writes whole
pages by arrays (`array_text`), which costs more for few rows and far less for many. They write the same bytes. Nothing
in here may meet a client's input.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import accumulate, chain, pairwise, repeat
from operator import add
from typing import Any, TypeAlias, TypeVar, cast

import numpy as np
import orjson
from numpy.typing import NDArray

from reactor.fixed import ends
from reactor.types import Column
from reactor.values import dataclass
from venues.array_text import (
    IN_ORDER,
    Items,
    Rows,
    Texts,
    frames,
    list_frames,
    texts_of,
)
from venues.base import Page
from venues.layout import Builder, Layout, Shape, are_put, shape_of

BOOLEAN = ("false", "true")
K = TypeVar("K")
LAYOUTS_KEPT = 32  # of a message


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


Number: TypeAlias = Int | Decimal
Part: TypeAlias = str | Number | Choice | Text | Each
NUMBERS = (Int, Decimal)


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
        self._records: dict[tuple[Part, ...], Texts] = {}

    @property
    def rows(self) -> int:
        """How many there are."""
        return len(next(iter(self.columns.values())))

    def texts(self, parts: tuple[Part, ...], rows: Column) -> list[str]:
        """The texts of these rows."""
        if parts not in self._texts:
            size = self.rows
            self._texts[parts], self._made[parts] = [""] * size, np.zeros(size, np.bool_)
        known, made = self._texts[parts], self._made[parts]
        missing = np.zeros_like(made)
        missing[rows] = True
        new = np.flatnonzero(missing & ~made)
        if len(new):
            said = _texts_of(parts, {name: column[new] for name, column in self.columns.items()})
            for row, text in zip(new.tolist(), said, strict=True):
                known[row] = text
            made[new] = True
        return [known[row] for row in rows.tolist()]

    def records(self, parts: tuple[Part, ...]) -> Texts:
        """The texts of all rows, a comma behind each."""
        if parts not in self._records:
            self._records[parts] = Texts.of(_item_rows(parts, self.columns))
        return self._records[parts]


@dataclass(frozen=True, slots=True, eq=False)
class Picked:
    """Lists of rows of a table: message i has those numbered rows[ends[i - 1]:ends[i]], from 0 for the first."""

    ends: Column
    rows: Column
    table: Table


Values: TypeAlias = Column | Sequence[str] | Ragged | Picked
LISTS = (Ragged, Picked)


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


class Message(tuple[Part, ...]):  # noqa: SLOT001  # it keeps what is found out
    """A declaration's parts, neighbouring literals as one, and what is known of them before there are columns."""

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return super().__hash__()

    @classmethod
    def of(cls, parts: Iterable[Part]) -> Message:
        """The message of these parts."""
        return parts if isinstance(parts, cls) else cls(_merged(parts))

    @cached_property
    def numbers(self) -> Numbers:
        """Its numbers."""
        return Numbers.of([part for part in self if isinstance(part, NUMBERS)])

    @cached_property
    def cells(self) -> Sequence[Part | int]:
        """What the template joins: literals, columns that are no numbers, and the place of a number's texts."""
        cells: list[Part | int] = []
        for part in self:
            cells += self.numbers.cells(part) if isinstance(part, NUMBERS) else [part]
        return _merged(cells)

    @cached_property
    def counted(self) -> str:
        """The name of a column, which has as many rows as there are messages; empty if it has none."""
        return next((part.name for part in self if not isinstance(part, str)), "")

    @cached_property
    def constant(self) -> bytes | None:
        """All of it, if it has no columns."""
        texts = [part for part in self if isinstance(part, str)]
        return "".join(texts).encode() if len(texts) == len(self) else None

    @cached_property
    def texts(self) -> Sequence[Text]:
        """Its columns of texts."""
        return [part for part in self if isinstance(part, Text)]

    @cached_property
    def choices(self) -> Sequence[Choice]:
        """Its columns of choices."""
        return [part for part in self if isinstance(part, Choice)]

    @cached_property
    def _layouts(self) -> dict[tuple[object, ...], Layout]:
        return {}

    def layout(
        self, around: tuple[bytes, bytes], shapes: Sequence[Shape | None], widths: Sequence[int | None]
    ) -> Layout:
        """How it is written by arrays between these, without lists, if its numbers are of such shapes. Texts, and
        numbers without a shape, a page has of its own: they are so long, None where that varies. The latest are kept.
        """
        key = around, tuple(shapes), tuple(widths)
        if key not in self._layouts:
            while len(self._layouts) >= LAYOUTS_KEPT:
                self._layouts.pop(next(iter(self._layouts)), None)
            self._layouts[key] = self._lay_out(*around, shapes, widths)
        return self._layouts[key]

    def _lay_out(
        self, head: bytes, tail: bytes, shapes: Sequence[Shape | None], widths: Sequence[int | None]
    ) -> Layout:
        builder, numbers = Builder(), self.numbers.parts
        own: list[Part] = [
            *self.texts,
            *(part for part, shape in zip(numbers, shapes, strict=True) if not shape),
        ]
        choices, parts = iter(range(len(numbers), len(numbers) + len(self.choices))), list(self)
        if parts and isinstance(last := parts[-1], str):
            parts, tail = parts[:-1], last.encode() + tail
        builder.say(head)
        for i, part in enumerate(parts):
            ending = tail if i == len(parts) - 1 else b""
            if isinstance(part, str):
                builder.say(part.encode() + ending)
            elif isinstance(part, Choice):
                builder.put_choice([text.encode() + ending for text in part.texts], next(choices))
            elif part in own:
                builder.put_own(own.index(part), widths[own.index(part)])
                builder.say(ending)
            else:
                assert isinstance(part, NUMBERS)
                number, least = numbers.index(part), part.scale.least if isinstance(part, Decimal) else 0
                builder.put_number(number, cast(Shape, shapes[number]), _frac(part), least, ending)
        if not parts:
            builder.say(tail)
        return builder.layout(len(numbers) + len(self.choices))

    @cached_property
    def lists(self) -> Sequence[Each]:
        """Its lists."""
        return [part for part in self if isinstance(part, Each)]

    @cached_property
    def between(self) -> Sequence[Message]:
        """What stands before, between and after its lists."""
        at = [-1, *(i for i, part in enumerate(self) if isinstance(part, Each)), len(self)]
        return [Message(self[start + 1 : stop]) for start, stop in pairwise(at)]


def _merged(parts: Iterable[K | str]) -> list[K | str]:
    """The same with neighbouring literals as one, and no empty ones."""
    runs: list[K | str] = []
    for part in parts:
        if isinstance(part, str) and runs and isinstance(runs[-1], str):
            runs[-1] += part
        elif part != "":
            runs.append(part)
    return runs


def declare(text: str, kinds: Mapping[str, Callable[[str], Part]]) -> Message:
    """A message as its own text, with `<name:kind>` where a column goes, or `<name>` for a plain integer.

    A kind makes the part of a name: a column of that kind, or literal text.
    """
    pieces = re.split(r"<(\w+)(?::(\w+))?>", text)
    parts: list[Part] = [pieces[0]]
    for name, kind, literal in zip(pieces[1::3], pieces[2::3], pieces[3::3], strict=True):
        parts += kinds[kind](name) if kind else Int(name), literal
    return Message.of(parts)


# ---------------------------------------------------------------- numbers
_MOST = np.iinfo(np.int64).max
FEW = 5  # rows whose numbers are written one by one


@dataclass(frozen=True, slots=True, eq=False)
class Numbers:
    """The numbers of a message, each once, those with decimals first, and by what their columns are multiplied and
    divided: columns of one number a row, None where nothing changes.
    """

    parts: Sequence[Number]
    fine: int  # so many have decimals
    ones: Column  # what is one of each of these, in units of its last decimal
    halves: Column | None
    pers: Column | None
    steps: Column | None
    decimals: Sequence[tuple[int, bool]]  # how many each has, and whether arrays write such

    @classmethod
    def of(cls, parts: Iterable[Number]) -> Numbers:
        """Of these parts."""
        told = sorted(dict.fromkeys(parts), key=lambda part: not _frac(part))
        halves = [part.per // 2 if isinstance(part, Decimal) else 0 for part in told]
        return cls(
            told,
            fine=sum(_frac(part) > 0 for part in told),
            ones=_upright([10 ** _frac(part) for part in told if _frac(part)]),
            halves=_upright(halves) if any(halves) else None,
            pers=_upright([part.per for part in told]) if any(part.per > 1 for part in told) else None,
            steps=_upright([*map(_step, told)]) if any(_step(part) > 1 for part in told) else None,
            decimals=[
                (_frac(part), isinstance(part, Int) or are_put(part.scale.frac, part.scale.least))
                for part in told
            ],
        )

    def units(self, columns: Mapping[str, Values]) -> tuple[Column, list[tuple[int, int]]]:
        """Their columns in units of the last digit, a row each, and the bounds of each.

        What has bounds beyond 64 bits is not what the row says.
        """
        rows = np.concatenate([cast(Column, columns[part.name]) for part in self.parts])
        units = rows.reshape(len(self.parts), -1)
        if self.pers is not None:
            wholes = units // self.pers
            if self.halves is not None:
                wholes += (units - wholes * self.pers + self.halves) // self.pers
            units = wholes
        bounds = list(zip(units.min(axis=1).tolist(), units.max(axis=1).tolist(), strict=True))
        if self.steps is not None:
            units *= self.steps
            steps = map(_step, self.parts)
            bounds = [(low * step, high * step) for (low, high), step in zip(bounds, steps, strict=True)]
        return units, bounds

    def shapes(self, bounds: Sequence[tuple[int, int]]) -> list[Shape | None]:
        """By these bounds, how each is written by arrays; None if it is not."""
        return [
            shape_of(low, high, frac) if put and low >= 0 and high <= _MOST else None
            for (low, high), (frac, put) in zip(bounds, self.decimals, strict=True)
        ]

    def texts(self, columns: Mapping[str, Values], count: int) -> Sequence[Sequence[str]]:
        """How they read in so many rows: before the point all of them, and then those with decimals behind it."""
        if count <= FEW:
            said = [self._said(part, columns[part.name]) for part in self.parts]
            return [wholes for wholes, _ in said] + [rest for _, rests in said for rest in rests]
        units, bounds = self.units(columns)
        rests: list[Sequence[str]] = []
        if self.fine:
            fine = units[: self.fine].copy()
            units[: self.fine] = fine // self.ones
            rests += _lists(fine - (units[: self.fine] - 1) * self.ones, leading="1")  # which keeps the zeros
        wholes: list[Sequence[str]] = [*_lists(units)]
        for i, (part, (low, high)) in enumerate(zip(self.parts, bounds, strict=True)):
            if isinstance(part, Decimal) and (low < 0 or high > _MOST):
                wholes[i], rests[i : i + 1] = self._said(part, columns[part.name])
            elif isinstance(part, Decimal) and i < self.fine and part.scale.least < part.scale.frac:
                least = part.scale.least
                kept = [t.rstrip("0").ljust(least, "0") if t[-1] == "0" else t for t in rests[i]]
                rests[i] = kept if least else [text and f".{text}" for text in kept]
        return wholes + rests

    def _said(self, part: Number, values: Values) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
        """The same of one of them, value by value."""
        said, per = cast(Column, values).tolist(), part.per
        if isinstance(part, Int):
            return [str(value // per) for value in said], []
        scale = part.scale
        texts = [scale.text((value + per // 2) // per) for value in said]
        wholes, points, rests = zip(*(text.partition(".") for text in texts), strict=True)
        if not scale.frac:
            return wholes, []
        return wholes, [
            [rest[: scale.frac] for rest in rests] if scale.least else list(map(add, points, rests))
        ]

    def cells(self, part: Number) -> Sequence[str | int]:
        """What a number is joined of, its texts by their place among all."""
        i = self.parts.index(part)
        if isinstance(part, Int):
            return [i]
        frac, least = part.scale.frac, part.scale.least
        if i >= self.fine:
            return [i, "." * (least > 0) + "0" * least]
        behind = len(self.parts) + i
        return [i, ".", behind, "0" * (least - frac)] if least else [i, behind]


def _frac(part: Number) -> int:
    return part.scale.frac if isinstance(part, Decimal) else 0


def _step(part: Number) -> int:
    return part.scale.step if isinstance(part, Decimal) else 1


def _upright(values: Sequence[int]) -> Column:
    return np.array(values, np.int64)[:, None]


def _lists(rows: Column, leading: str = "") -> list[list[str]]:
    """Each row of integers as texts, without the digit that all of them begin with, if they do."""
    text = "," + orjson.dumps(rows.ravel(), option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].decode()
    if leading:
        text = text.replace("," + leading, ",")
    texts, size = text.split(",")[1:], rows.shape[1]
    return [texts[start : start + size] for start in range(0, len(rows) * size, size)]


# ---------------------------------------------------------------- the template encoder
def encode(parts: Sequence[Part], columns: Mapping[str, Values]) -> list[bytes]:
    """One JSON payload per row of the columns a message's parts name (at least one)."""
    message = Message.of(parts)
    return [text.encode() for text in _texts(message, columns, _rows_of(message, columns))]


def _texts_of(parts: Sequence[Part], columns: Mapping[str, Values]) -> list[str]:
    message = Message.of(parts)
    return _texts(message, columns, _rows_of(message, columns))


def _texts(message: Message, columns: Mapping[str, Values], count: int) -> list[str]:
    """The same of so many rows as text: every column becomes a list of texts, all numbers at once, and then each row
    is joined.
    """
    if not count:
        return []
    numbers = message.numbers.texts(columns, count) if message.numbers.parts else []
    cells: list[Iterable[str]] = []
    for cell in message.cells:
        if isinstance(cell, str):
            cells.append(repeat(cell))
        elif isinstance(cell, int):
            cells.append(numbers[cell])
        else:
            assert not isinstance(cell, NUMBERS)
            cells.append(_column_texts(cell, columns[cell.name]))
    return list(map("".join, zip(*cells, strict=False)))


def _column_texts(part: Choice | Text | Each, values: Values) -> Sequence[str]:
    if isinstance(part, Each):
        assert isinstance(values, LISTS)
        if isinstance(values, Picked):
            rows = values.table.texts(part.parts, values.rows)
        else:
            rows = _texts_of(part.parts, values.columns)
        return [",".join(rows[a:b]) for a, b in pairwise([0, *values.ends.tolist()])]
    if isinstance(part, Choice):
        assert isinstance(values, np.ndarray)
        return [part.texts[i] for i in values.tolist()]
    assert not isinstance(values, Ragged | Picked | np.ndarray)
    return values


# ---------------------------------------------------------------- the array encoder
# From so many messages, or rows of their lists, on arrays are the cheaper: they were from 105 trades, from 370 in
# lists, and from 850 levels on. So many rows whose text is there already count as one.
MANY_MESSAGES, MANY_ITEMS, REPEATED = 110, 900, 4


def by_arrays(draft: Draft) -> Framed:
    """The frames of these messages, by arrays."""
    message = Message.of(draft.parts)
    heads, tails = [draft.head, *[b""] * len(message.lists)], [*[b""] * len(message.lists), draft.tail]
    between = [
        _rows(said, draft.columns, draft.count, around)
        for said, around in zip(message.between, zip(heads, tails, strict=True), strict=True)
    ]
    lists = [_items(part, draft.columns[part.name]) for part in message.lists]
    buffer, stops = list_frames(between, lists) if lists else frames(between[0])
    return Framed(buffer.tobytes(), stops, draft.head, draft.tail)


def _rows_of(message: Message, columns: Mapping[str, Values]) -> int:
    return _count(columns[message.counted]) if message.counted else 0


def _count(values: Values) -> int:
    return len(values.ends if isinstance(values, LISTS) else values)


def _items(part: Each, values: Values) -> Items:
    if isinstance(values, Picked):
        return Items(values.ends, values.table.records(part.parts), values.rows)
    assert isinstance(values, Ragged)
    return Items(values.ends, _item_rows(part.parts, values.columns))


def _item_rows(parts: Sequence[Part], columns: Mapping[str, Values]) -> Rows:
    return _rows(Message.of(parts), columns, _count(next(iter(columns.values()))), (b"", b","))


def _rows(
    message: Message, columns: Mapping[str, Any], count: int, around: tuple[bytes, bytes] = (b"", b"")
) -> Rows:
    """So many rows of a message without lists, between these.

    A number that arrays do not write is written by template.
    """
    if not count:
        return Rows(0)
    if message.constant is not None:
        text = b"".join((around[0], message.constant, around[1]))
        return Rows(count).add(text, (), len(text))
    numbers, own = message.numbers, [texts_of(columns[part.name]) for part in message.texts]
    units, bounds = numbers.units(columns) if numbers.parts else (np.zeros((0, count), np.int64), [])
    shapes = numbers.shapes(bounds)
    for part, shape in zip(numbers.parts, shapes, strict=True):
        if not shape:
            own.append(texts_of(_texts_of((part,), columns)))
    widths = [length if isinstance(length, int) else None for _, length in own]
    choices = [columns[part.name] for part in message.choices]
    return message.layout(around, shapes, widths).rows(units, [low for low, _ in bounds], choices, own)


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


@dataclass(frozen=True, slots=True, eq=False)
class Framed:
    """Finished frames, one after another, and where each ends. Every payload stands between `head` and `tail`."""

    buffer: bytes
    ends: Column
    head: bytes = b""
    tail: bytes = b""

    def payloads(self) -> list[bytes]:
        """What stands between."""
        first, last = len(self.head), len(self.tail)
        return [text[first : len(text) - last] for text in payloads(self.buffer)]

    def between(self, head: bytes, tail: bytes) -> Framed:
        """The same payloads between these."""
        return self if (head, tail) == (self.head, self.tail) else frame_all(self.payloads(), head, tail)

    @classmethod
    def join(cls, parts: Sequence[Framed]) -> Framed:
        """The frames of these, which stand between the same, one after another."""
        starts = np.cumsum([0, *(len(part.buffer) for part in parts[:-1])])
        stops = [part.ends + start for part, start in zip(parts, starts.tolist(), strict=True)]
        buffer = b"".join(part.buffer for part in parts)
        return cls(buffer, np.concatenate(stops), parts[0].head, parts[0].tail)


def frame_all(payloads: Sequence[bytes], head: bytes = b"", tail: bytes = b"") -> Framed:
    """Each of these in a frame, between `head` and `tail`."""
    around = len(head) + len(tail)
    sizes = [len(payload) + around for payload in payloads]
    headers = list(map(_HEADERS.__getitem__, sizes))
    stand = (repeat(head), payloads, repeat(tail)) if around else (payloads,)
    pieces = chain.from_iterable(zip(headers, *stand, strict=False))
    stops = np.fromiter(accumulate(map(add, sizes, map(len, headers))), np.int64, len(payloads))
    return Framed(b"".join(pieces), stops, head, tail)


@dataclass(frozen=True, slots=True, eq=False)
class Draft:
    """Messages to be written: one per row of the columns, each between `head` and `tail`."""

    parts: Sequence[Part]
    columns: Mapping[str, Values]
    head: bytes = b""
    tail: bytes = b""

    @property
    def count(self) -> int:
        """How many messages."""
        return _rows_of(Message.of(self.parts), self.columns)


def write(drafts: Sequence[Draft]) -> list[Framed]:
    """The frames of each, by whichever encoder is the cheaper for all of them: they are of one shape."""
    if len(drafts) == 1:
        return [_write(drafts[0])]
    if not (IN_ORDER and _many(drafts)):
        return [frame_all(encode(each.parts, each.columns), each.head, each.tail) for each in drafts]
    alike: dict[tuple[Table, ...], list[int]] = {}  # those whose lists are of the same tables
    for i, each in enumerate(drafts):
        tables = tuple(values.table for values in each.columns.values() if isinstance(values, Picked))
        alike.setdefault(tables, []).append(i)
    found: dict[int, Framed] = {}
    for those in alike.values():
        whole = by_arrays(joined([drafts[i] for i in those]))
        edges, start = np.append(0, whole.ends), 0
        for i in those:
            stop = start + drafts[i].count
            first, last = edges[[start, stop]].tolist()
            stops = whole.ends[start:stop] - first
            found[i] = Framed(whole.buffer[first:last], stops, drafts[i].head, drafts[i].tail)
            start = stop
    return [found[i] for i in range(len(drafts))]


def _write(draft: Draft) -> Framed:
    """One of them by itself: a message is to cost no more than its template, so nothing is found out twice."""
    message = Message.of(draft.parts)
    count = _rows_of(message, draft.columns)
    if IN_ORDER and _enough(message, count, _items_in(message, draft.columns)):
        return by_arrays(draft)
    texts = _texts(message, draft.columns, count)
    return frame_all([text.encode() for text in texts], draft.head, draft.tail)


def payloads_of(draft: Draft) -> list[bytes]:
    """What these messages say, by whichever encoder is the cheaper."""
    if IN_ORDER and _many((draft,)):
        return by_arrays(draft).payloads()
    return encode(draft.parts, draft.columns)


def _many(drafts: Sequence[Draft]) -> bool:
    """Whether there is enough to write for arrays."""
    message = Message.of(drafts[0].parts)
    counts = [_rows_of(message, each.columns) for each in drafts]
    return _enough(message, sum(counts), sum([_items_in(message, each.columns) for each in drafts]))


def _enough(message: Message, rows: int, items: float) -> bool:
    return items >= MANY_ITEMS if message.lists else rows >= MANY_MESSAGES


def _items_in(message: Message, columns: Mapping[str, Values]) -> float:
    """The rows of a page's lists, as the array encoder feels them."""
    items = 0.0
    for part in message.lists:
        values = columns[part.name]
        if isinstance(values, Ragged):
            items += _count(next(iter(values.columns.values())))
        else:
            assert isinstance(values, Picked)
            size = len(values.rows)
            own = min(size, values.table.rows)
            items += own + (size - own) / REPEATED
    return items


def form_of(parts: Sequence[Part]) -> object:
    """The same for all declarations that differ in literal text alone, whose messages can be written together."""
    return _form(tuple("" if isinstance(part, str) else part for part in parts))


@lru_cache(1_024)
def _form(_parts: tuple[Part, ...]) -> object:
    return object()


def joined(drafts: Sequence[Draft]) -> Draft:
    """The messages of all these, one after another; literal text in which they differ becomes a choice."""
    if len(drafts) == 1:
        return drafts[0]
    which = np.repeat(np.arange(len(drafts)), [each.count for each in drafts])
    columns: dict[str, Values] = {
        name: _join([each.columns[name] for each in drafts])
        for name in (part.name for part in drafts[0].parts if not isinstance(part, str))
    }
    wholes = tuple((each.head, Message.of(each.parts), each.tail) for each in drafts)
    message, choices = _joined(wholes)
    return Draft(message, columns | dict.fromkeys(choices, which))


@lru_cache(256)
def _joined(wholes: tuple[tuple[bytes, Message, bytes], ...]) -> tuple[Message, list[str]]:
    """One message for all these, which are of one shape, and its choices between literal texts."""
    parts: list[Part] = []
    choices: list[str] = []
    told = [(head.decode(), *message, tail.decode()) for head, message, tail in wholes]
    for place, same in enumerate(zip(*told, strict=True)):
        texts = tuple(part for part in same if isinstance(part, str))
        if len(set(texts)) < 2:
            parts.append(same[0])
        else:
            choices.append(f" {place}")  # no field's
            parts.append(Choice(choices[-1], texts))
    return Message.of(parts), choices


def _join(parts: Sequence[Values]) -> Values:
    if all(isinstance(part, np.ndarray) for part in parts):
        return np.concatenate(cast(list[Column], parts))
    if all(isinstance(part, Picked) for part in parts):
        picked = cast(list[Picked], parts)
        (table,) = {each.table for each in picked}
        return Picked(_stops(picked), np.concatenate([each.rows for each in picked]), table)
    if all(isinstance(part, Ragged) for part in parts):
        ragged = cast(list[Ragged], parts)
        names = ragged[0].columns
        return Ragged(
            _stops(ragged), {name: _join([each.columns[name] for each in ragged]) for name in names}
        )
    return [text for part in parts for text in cast(Sequence[str], part)]


def _stops(lists: Sequence[Ragged | Picked]) -> Column:
    sizes = [int(each.ends[-1]) if len(each.ends) else 0 for each in lists]
    starts = np.cumsum([0, *sizes[:-1]]).tolist()
    return np.concatenate([each.ends + start for each, start in zip(lists, starts, strict=True)])


def page_of(start_ns: int, due_ns: Sequence[int] | Column, framed: Framed) -> Page:
    """The page of PAGE_NS from start_ns.

    Frame i is due at the boundary due_ns[i], in (start_ns, start_ns + PAGE_NS] and ascending.
    """
    due = np.asarray(due_ns, dtype=np.int64)
    last = ends(due)  # frame of each boundary
    return Page(start_ns, framed.buffer, due[last].tolist(), framed.ends[last].tolist(), len(due))


def pack(start_ns: int, due_ns: Sequence[int] | Column, payloads: Sequence[bytes]) -> Page:
    """The page of these payloads, due likewise."""
    return page_of(start_ns, due_ns, frame_all(payloads))
