"""Integers to framed JSON text: declared messages, decimals, WebSocket frames, pages.

Mechanism only: what a message says and which decimals it pads belong to a venue. A message is declared once, as data:
a list of parts, each a piece of literal text or a column (`declare` reads it off the message's own text). Two encoders
are derived from the declaration: one formats columns through one %-template, row by row; the other writes whole pages
by arrays (`array_text`), which costs more for few rows and far less for many. They write the same bytes. Nothing in
here may meet a client's input.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain, pairwise, repeat
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from reactor.types import Column
from reactor.values import dataclass
from venues.array_text import (
    IN_ORDER,
    Items,
    Rows,
    Texts,
    frames,
    list_frames,
    put_choice,
    put_number,
    put_texts,
)
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
            said = _texts(parts, {name: column[new] for name, column in self.columns.items()})
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
    values = (values + part.per // 2) // part.per if part.per > 1 else values
    scaled = _scaled(values, scale.step)
    if scaled is None or not 0 < scale.frac <= scale.least:
        said = values.tolist()
        texts = {value: scale.text(value) for value in set(said)}  # most columns of a page repeat themselves
        return "%s", [[texts[value] for value in said]]
    whole, rest = np.divmod(scaled, 10**scale.frac)
    return f"%d.%0{scale.frac}d{'0' * (scale.least - scale.frac)}", [whole.tolist(), rest.tolist()]


_MOST = np.iinfo(np.int64).max


def _scaled(values: Column, step: int) -> Column | None:
    """So many times each of these; None where one is negative or the product has more than 64 bits."""
    if not len(values):
        return values
    if int(values.min()) < 0 or int(values.max()) > _MOST // step:
        return None
    return values * step if step > 1 else values


# ---------------------------------------------------------------- the array encoder
# From so many messages, or rows of their lists, on arrays are the cheaper: they were for 285 trades and for 720 levels
# of a page, and not for 70 trades. So many rows whose text is there already count as one.
MANY_MESSAGES, MANY_ITEMS, REPEATED = 120, 600, 4


def by_arrays(draft: Draft) -> Framed:
    """The frames of these messages, by arrays."""
    between, lists = [Rows(draft.count)], list[Items]()
    between[0].say(draft.head)
    pieces: list[Part] = []
    for part in draft.parts:
        if isinstance(part, Each):
            _write(between[-1], pieces, draft.columns)
            lists.append(_items(part, draft.columns[part.name]))
            between.append(Rows(draft.count))
            pieces = []
        else:
            pieces.append(part)
    _write(between[-1], [*pieces, draft.tail.decode()], draft.columns)
    buffer, ends = list_frames(between, lists) if lists else frames(between[0])
    return Framed(buffer.tobytes(), ends, draft.head, draft.tail)


def _count(values: Values) -> int:
    return len(values.ends if isinstance(values, LISTS) else values)


def _items(part: Each, values: Values) -> Items:
    if isinstance(values, Picked):
        return Items(values.ends, values.table.records(part.parts), values.rows)
    assert isinstance(values, Ragged)
    return Items(values.ends, _item_rows(part.parts, values.columns))


def _item_rows(parts: Sequence[Part], columns: Mapping[str, Values]) -> Rows:
    rows = Rows(_count(next(iter(columns.values()))))
    _write(rows, [*parts, ","], columns)
    return rows


def _write(rows: Rows, parts: Sequence[Part], columns: Mapping[str, Values]) -> None:
    """These parts, at the rows' end; literal text at the very end goes into the table of the texts before it.

    A number that arrays do not write is written by template.
    """
    pieces = merged(parts)
    ending = pieces[-1] if len(pieces) > 1 and isinstance(pieces[-1], str) else ""
    last = len(pieces) - 2 if ending else len(pieces) - 1
    for i, part in enumerate(pieces[: last + 1]):
        after = ending.encode() if i == last else b""
        if isinstance(part, str):
            rows.say(part.encode())
            continue
        values = columns[part.name]
        if isinstance(part, Choice) and isinstance(values, np.ndarray):
            put_choice(rows, values, [text.encode() + after for text in part.texts])
        elif isinstance(part, Text) and not isinstance(values, Ragged | Picked | np.ndarray):
            put_texts(rows, values)
            rows.say(after)
        elif not (isinstance(values, np.ndarray) and _put(rows, part, values, after)):
            put_texts(rows, [text.decode() for text in encode((part,), columns)])
            rows.say(after)


def _put(rows: Rows, part: Part, values: Column, after: bytes) -> bool:
    if isinstance(part, Int):
        return put_number(rows, values // part.per if part.per > 1 else values, ending=after)
    if not isinstance(part, Decimal):
        return False
    values = (values + part.per // 2) // part.per if part.per > 1 else values
    scaled = _scaled(values, part.scale.step)
    return scaled is not None and put_number(rows, scaled, part.scale.frac, part.scale.least, after)


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
        ends = [part.ends + start for part, start in zip(parts, starts.tolist(), strict=True)]
        buffer = b"".join(part.buffer for part in parts)
        return cls(buffer, np.concatenate(ends), parts[0].head, parts[0].tail)


def frame_all(payloads: Sequence[bytes], head: bytes = b"", tail: bytes = b"") -> Framed:
    """Each of these in a frame, between `head` and `tail`."""
    sizes = np.fromiter(map(len, payloads), np.int64, len(payloads)) + (len(head) + len(tail))
    headers = [_HEADERS[size] for size in sizes.tolist()]
    around = (repeat(head), payloads, repeat(tail)) if head or tail else (payloads,)
    pieces = chain.from_iterable(zip(headers, *around, strict=False))
    ends = np.cumsum(sizes + np.fromiter(map(len, headers), np.int64, len(headers)))
    return Framed(b"".join(pieces), ends, head, tail)


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
        for part in self.parts:
            if not isinstance(part, str):
                return _count(self.columns[part.name])
        return 0


def write(drafts: Sequence[Draft]) -> list[Framed]:
    """The frames of each, by whichever encoder is the cheaper for all of them: they are of one shape."""
    if not (IN_ORDER and _many(drafts)):
        return [frame_all(encode(each.parts, each.columns), each.head, each.tail) for each in drafts]
    if len(drafts) == 1:
        return [by_arrays(drafts[0])]
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
            ends = whole.ends[start:stop] - first
            found[i] = Framed(whole.buffer[first:last], ends, drafts[i].head, drafts[i].tail)
            start = stop
    return [found[i] for i in range(len(drafts))]


def payloads_of(draft: Draft) -> list[bytes]:
    """What these messages say, by whichever encoder is the cheaper."""
    if IN_ORDER and _many((draft,)):
        return by_arrays(draft).payloads()
    return encode(draft.parts, draft.columns)


def _many(drafts: Sequence[Draft]) -> bool:
    """Whether there is enough to write for arrays."""
    items, lists = 0.0, False
    for each in drafts:
        for values in each.columns.values():
            if isinstance(values, LISTS):
                lists, size = True, int(values.ends[-1]) if len(values.ends) else 0
                own = min(size, values.table.rows) if isinstance(values, Picked) else size
                items += own + (size - own) / REPEATED
    return items >= MANY_ITEMS if lists else sum(each.count for each in drafts) >= MANY_MESSAGES


def shape_of(parts: Sequence[Part]) -> object:
    """The same for all declarations that differ in literal text alone, whose messages can be written together."""
    return _shape(tuple("" if isinstance(part, str) else part for part in parts))


@lru_cache(1_024)
def _shape(_parts: tuple[Part, ...]) -> object:
    return object()


def merged(parts: Sequence[Part]) -> tuple[Part, ...]:
    """The same message with neighbouring literals as one."""
    runs: list[Part] = []
    for part in parts:
        if isinstance(part, str) and runs and isinstance(runs[-1], str):
            runs[-1] += part
        else:
            runs.append(part)
    return tuple(runs)


def joined(drafts: Sequence[Draft]) -> Draft:
    """The messages of all these, one after another; literal text in which they differ becomes a choice."""
    if len(drafts) == 1:
        return drafts[0]
    which = np.repeat(np.arange(len(drafts)), [each.count for each in drafts])
    columns: dict[str, Values] = {
        name: _join([each.columns[name] for each in drafts])
        for name in (part.name for part in drafts[0].parts if not isinstance(part, str))
    }
    wholes = [(each.head.decode(), *each.parts, each.tail.decode()) for each in drafts]
    parts: list[Part] = []
    for place, same in enumerate(zip(*wholes, strict=True)):
        texts = tuple(part for part in same if isinstance(part, str))
        if len(set(texts)) < 2:
            parts.append(same[0])
        else:
            name = f" {place}"  # no field's
            parts.append(Choice(name, texts))
            columns[name] = which
    return Draft(parts, columns)


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
    last = np.append(np.flatnonzero(due[1:] != due[:-1]), len(due) - 1)[: len(due)]  # frame of each boundary
    return Page(start_ns, framed.buffer, due[last].tolist(), framed.ends[last].tolist(), len(due))


def pack(start_ns: int, due_ns: Sequence[int] | Column, payloads: Sequence[bytes]) -> Page:
    """The page of these payloads, due likewise."""
    return page_of(start_ns, due_ns, frame_all(payloads))
