"""Rows of text as arrays, and whole pages of them: byte for byte what a template would write, in a few numpy passes.

Three ideas make it fast. *Texts are looked up, not formatted*: rows are constant text with records of tables put over
it, as a `layout` says. *Texts are stored overlapping*: a row is put together with every text at its full width, and
copied, padding and all, to where it belongs; the next row, stored later, overwrites the padding. In numpy that is one
assignment through a view that has a record at every byte of the buffer, and nothing is squeezed out afterwards.
*Lengths are sums of table lengths*, so where everything goes is known before a byte is written, frame headers included.

A row is cut where a text's length varies, and each piece is stored by itself; what is of one length, such as a price
or a time, costs a column of the row alone.

The risk is in the second idea: numpy does not promise to assign `view[places] = records` in the order of the places
where records overlap. It does so in every version that this is tested with. IN_ORDER tells whether this one does,
found out when the module is loaded; where it does not, `wire` writes everything by template.

Mechanism only. Nothing in here knows a message.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from reactor.types import Column
from reactor.values import dataclass

Buffer: TypeAlias = NDArray[np.uint8]
Records: TypeAlias = NDArray[np.void]  # texts of one width, left-justified
Length: TypeAlias = int | Column  # of the text in each row, or one for all

FAST_WIDTHS = (4, 8, 16)  # of records that numpy copies three times as fast as others


# ---------------------------------------------------------------- rows
class _Piece(NamedTuple):
    """A part of a row up to a text of varying length: constant text, texts over it, and how long it is.

    A text is records[index], or the records themselves, at a place.
    """

    template: bytes
    texts: Sequence[tuple[int, Records, Column | None]]
    length: Length


class Rows:
    """`count` rows of text, of which pieces are added from left to right."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.width = (
            1  # of the bytes that are stored at once: up to so many may be written beyond a row's end
        )
        self.length: Length = 0  # of each row
        self._pieces: list[_Piece] = []

    def add(
        self, template: bytes, texts: Sequence[tuple[int, Records, Column | None]], length: Length
    ) -> Rows:
        """A piece: constant text, texts to put over it, and how long it is; where that varies, it ends with such."""
        self._pieces.append(_Piece(template, texts, length))
        self.length = self.length + length
        self.width = max([self.width, len(template), *[at + records.itemsize for at, records, _ in texts]])
        return self

    @property
    def lengths(self) -> Column:
        """Of each row, as a column."""
        return np.full(self.count, self.length) if isinstance(self.length, int) else self.length

    @property
    def constant_text(self) -> bytes | None:
        """The text of all rows, if it is the same."""
        return (
            None
            if any(piece.texts for piece in self._pieces)
            else b"".join([p.template for p in self._pieces])
        )

    def filled(self) -> Buffer:
        """All pieces of all rows, each of that width."""
        width, pieces = self.width, self._pieces
        step = width * len(pieces)
        space = np.empty(self.count * step, np.uint8)
        said = [bool(piece.template.strip(b"\0")) for piece in pieces]
        if all(said):
            blank = np.void(b"".join([piece.template.ljust(width, b"\0") for piece in pieces]))
            space.view(blank.dtype)[:] = blank
        for i, piece in enumerate(pieces):
            if said[i] and not all(said):
                blank = np.void(piece.template)
                np.ndarray((self.count,), blank.dtype, space, i * width, (step,))[:] = blank
            for at, records, index in piece.texts:
                column = np.ndarray((self.count,), records.dtype, space, i * width + at, (step,))
                column[:] = records if index is None else records.take(index)
        return space

    def store(self, buffer: Buffer, places: Column) -> None:
        """Write row i at places[i], ascending and no closer than rows are long."""
        if not self.count:
            return
        if len(self._pieces) > 1:
            spread = np.empty((self.count, len(self._pieces)), np.int64)
            spread[:, 0] = places
            for i, piece in enumerate(self._pieces[:-1]):
                np.add(spread[:, i], piece.length, out=spread[:, i + 1])
            places = spread.ravel()
        every_byte(buffer, self.width)[places] = self.filled().view(f"V{self.width}")


def every_byte(buffer: Buffer, width: int) -> Records:
    """The buffer as records of a width that start at every byte."""
    return np.ndarray((len(buffer) - width + 1,), f"V{width}", buffer, 0, (1,))


def _stores_in_order() -> bool:
    """Whether overlapping records are stored in the order of their places, whatever their number and width."""
    for width in (3, 4, 8, 16, 100):
        for count in (1, 2, 7, 1_000):
            buffer, wanted = np.zeros(count + width, np.uint8), np.arange(count).astype(np.uint8)
            every_byte(buffer, width)[np.arange(count)] = np.repeat(wanted, width).view(f"V{width}")
            if not np.array_equal(buffer[:count], wanted):
                return False
    return True


IN_ORDER = _stores_in_order()


# ---------------------------------------------------------------- texts
def texts_of(texts: Sequence[str]) -> tuple[Records, Length]:
    """Texts as records, as wide as they are long where they are all of one length."""
    whole = "".join(texts).encode()
    if texts and len(set(map(len, texts))) == 1 and len(whole) == len(texts) * len(texts[0]) > 0:  # ASCII
        return np.frombuffer(whole, f"V{len(texts[0])}"), len(texts[0])
    return _records([text.encode() for text in texts])


def _records(texts: Sequence[bytes]) -> tuple[Records, Length]:
    sizes = set(map(len, texts))
    if len(sizes) == 1:
        size = sizes.pop()
        return np.frombuffer(b"".join(texts) if size else bytes(len(texts)), f"V{size or 1}"), size
    width = max([1, *sizes])
    width = next((fast for fast in FAST_WIDTHS if fast >= width), width)
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    return np.frombuffer(b"".join([text.ljust(width) for text in texts]), f"V{width}"), lengths


records_of = lru_cache(256)(_records)


# ---------------------------------------------------------------- frames
@dataclass(frozen=True, slots=True, eq=False)
class Texts:
    """Texts that are stored as often as they are asked for: records of one width, and how long each is."""

    records: Records
    lengths: Column

    @classmethod
    def of(cls, rows: Rows) -> Texts:
        lengths = rows.lengths
        width = -(-int(lengths.max(initial=1)) // 4) * 4
        buffer = np.empty(rows.count * width + rows.width, np.uint8)
        rows.store(buffer, np.arange(rows.count) * width)
        return cls(buffer[: rows.count * width].view(f"V{width}"), lengths)


@dataclass(frozen=True, slots=True, eq=False)
class Items:
    """What lists have in them, each with a comma behind it: of message i, those from ends[i - 1] (0 for the first) to
    ends[i], which are rows, or texts by their index.
    """

    ends: Column
    of: Rows | Texts
    index: Column | None = None


def frames(rows: Rows) -> tuple[Buffer, Column]:
    """Each row as a finished text frame: all of them, and where each ends."""
    return _framed(rows.lengths, rows.width, rows.store)


def list_frames(between: Sequence[Rows], lists: Sequence[Items]) -> tuple[Buffer, Column]:
    """The same of messages with lists in them: each is a row of between[0], a list, a row of between[1], a list, ...

    The lists come first, each in a store of its own, and then, to the byte, the texts that their padding ran over.
    """
    count = between[0].count
    if not count:
        return frames(between[0])
    texts = [_Between.of(rows) for rows in between]
    bodies = [_Bodies.of_items(items) for items in lists]
    sizes = bodies[0].sizes
    for length in (*(text.length for text in texts), *(body.sizes for body in bodies[1:])):
        sizes = sizes + length
    width = max(body.width for body in bodies)
    # the padding of one list must not reach the next message's, which is stored already
    around = 2 + sum(int(np.min(text.length)) for text in (texts[0], texts[-1]))
    tight = len(bodies) > 1 and around < width
    if tight:
        bodies = [body.in_records() for body in bodies]
        width = max(body.width for body in bodies)

    def store(buffer: Buffer, places: Column) -> None:
        at, joints, stores = places, [places], []
        for text, body in zip(texts, bodies, strict=False):
            at = at + text.length
            stores.append((body, body.places(at)))
            at = at + body.sizes
            joints.append(at)
        for message in range(count) if tight else (None,):
            for body, at in stores:
                body.store(buffer, at, message)
        for text, at in zip(texts, joints, strict=True):
            text.store(buffer, at)

    return _framed(sizes, width, store)


@dataclass(frozen=True, slots=True, eq=False)
class _Between:
    """Rows as records, or one record that stands for all of them, and how long they are."""

    records: Records
    length: Length

    @classmethod
    def of(cls, rows: Rows) -> _Between:
        if (text := rows.constant_text) is not None:
            return cls(np.frombuffer(text or b"\0", f"V{len(text) or 1}"), len(text))
        if isinstance(rows.length, int):
            return cls(rows.filled().view(f"V{rows.width}"), rows.length)
        texts = Texts.of(rows)
        return cls(texts.records, texts.lengths)

    def store(self, buffer: Buffer, at: Column) -> None:
        """Copy each text to the byte: those of one length at a time, of which there are few."""
        if isinstance(self.length, int):
            if self.length:
                every_byte(buffer, self.length)[at] = self.records
            return
        for size in set(self.length.tolist()) - {0}:
            which = np.flatnonzero(self.length == size)
            texts = np.ndarray(self.records.shape, f"V{size}", self.records, 0, self.records.strides)
            every_byte(buffer, size)[at[which]] = texts[which]


@dataclass(frozen=True, slots=True, eq=False)
class _Bodies:
    """What stands in each message's list: how long it is, and where each item is in it."""

    of: Rows | Texts
    index: Column | None
    ends: Column
    runs: Column  # how many items
    sizes: Column
    offsets: Column  # of the items, as if all lists were one, and where the last ends

    @classmethod
    def of_items(cls, items: Items) -> _Bodies:
        lengths = items.of.lengths if items.index is None else items.of.lengths.take(items.index)
        stops, ends = np.zeros(len(lengths) + 1, np.int64), np.append(0, items.ends)
        np.cumsum(lengths, out=stops[1:])
        runs = ends[1:] - ends[:-1]
        whole = stops[ends]
        sizes = whole[1:] - whole[:-1] - (runs > 0)  # no comma after the last
        return cls(items.of, items.index, items.ends, runs, sizes, stops)

    @property
    def width(self) -> int:
        """The bytes that are stored at once."""
        return self.of.width if isinstance(self.of, Rows) else self.of.records.itemsize

    def places(self, at: Column) -> Column:
        """Where the items are if message i's list begins at at[i]."""
        places = np.repeat(at - self.offsets[self.ends - self.runs], self.runs)
        places += self.offsets[:-1]
        return places

    def in_records(self) -> _Bodies:
        """The same, of which single messages' lists can be stored."""
        return replace(self, of=Texts.of(self.of)) if isinstance(self.of, Rows) else self

    def store(self, buffer: Buffer, places: Column, message: int | None = None) -> None:
        """Write all items, or those of one message."""
        if isinstance(self.of, Rows):
            assert message is None
            self.of.store(buffer, places)
            return
        here = slice(None)
        if message is not None:
            here = slice(int(self.ends[message] - self.runs[message]), int(self.ends[message]))
        records = self.of.records if self.index is None else self.of.records.take(self.index[here])
        every_byte(buffer, records.itemsize)[places[here]] = (
            records if self.index is not None else records[here]
        )


def _framed(sizes: Column, spill: int, store: Callable[[Buffer, Column], None]) -> tuple[Buffer, Column]:
    """Payloads of these sizes with their headers; `store` writes them where it is told to, and at most `spill` bytes
    beyond.

    RFC 6455 section 5.2, https://www.rfc-editor.org/rfc/rfc6455, 2011-12.
    """
    if not len(sizes):
        return np.zeros(0, np.uint8), sizes
    heads: Length = _header_size(int(sizes.min()))
    if heads != _header_size(int(sizes.max())):
        heads = 2 + 2 * (sizes > 125) + 6 * (sizes > 65_535)
    ends = (sizes + heads).cumsum()
    size = int(ends[-1])
    buffer = np.empty(size + spill + 8, np.uint8)
    store(buffer, ends - sizes)
    starts = ends - sizes - heads
    if isinstance(heads, int):
        _stamp(buffer, heads, starts, sizes)
    else:
        for head in (2, 4, 10):
            which = np.flatnonzero(heads == head)
            _stamp(buffer, head, starts[which], sizes[which])
    return buffer[:size], ends


def _header_size(size: int) -> int:
    return 2 if size < 126 else 4 if size < 1 << 16 else 10


def _stamp(buffer: Buffer, head: int, starts: Column, sizes: Column) -> None:
    """Headers of that many bytes."""
    if head == 2:
        _integers(buffer, ">u2")[starts] = sizes + 0x8100
    elif head == 4:
        _integers(buffer, ">u4")[starts] = sizes + 0x817E0000
    else:
        _integers(buffer, ">u2")[starts] = 0x817F
        _integers(buffer, ">u8")[starts + 2] = sizes


def _integers(buffer: Buffer, kind: str) -> NDArray[np.unsignedinteger]:
    """The buffer as integers that start at every byte."""
    return np.ndarray((len(buffer) - np.dtype(kind).itemsize + 1,), kind, buffer, 0, (1,))
