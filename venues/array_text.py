"""Columns to text by arrays: whole pages of JSON in a few numpy passes, byte for byte what a template would write.

Three ideas make it fast. *Texts are looked up, not formatted*: the last digits of a number index a small table of
ready texts, and so do those before them, together with the constant text in front. *Texts are stored overlapping*: a
row is put together with every text at its full width, and copied, padding and all, to where it belongs; the next row,
stored later, overwrites the padding. In numpy that is one assignment through a view that has a record at every byte of
the buffer, and nothing is squeezed out afterwards. *Lengths are sums of table lengths*, so where everything goes is
known before a byte is written, frame headers included.

A row is cut where a text's length varies, and each piece is stored by itself; what is of one length, such as a price
or a time, costs a column of the row alone.

The risk is in the second idea: numpy does not promise to assign `view[places] = records` in the order of the places
where records overlap. It does so in every version that this is tested with. IN_ORDER tells whether this one does,
found out when the module is loaded; where it does not, `wire` writes everything by template.

Mechanism only. Nothing in here knows a message, and nothing is kept between calls but tables of digits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field, replace
from functools import lru_cache
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from reactor.types import Column
from reactor.values import dataclass

Buffer: TypeAlias = NDArray[np.uint8]
Records: TypeAlias = NDArray[np.void]  # texts of one width, left-justified
Length: TypeAlias = int | Column  # of the text in each row, or one for all

MOST_HEADS = 4_096  # texts of leading digits that are made at once; what spans more is split again
MOST_ENDING = 12  # bytes that a table has behind its texts
FAST_WIDTHS = (4, 8, 16)  # of records that numpy copies three times as fast as others


# ---------------------------------------------------------------- rows
@dataclass(slots=True)
class _Piece:
    """A part of a row up to a text of varying length: constants with room for `texts`, and how long it is."""

    template: bytes = b""
    literal: int = 0  # bytes at the template's end that no text stands before
    texts: list[tuple[int, Records, Column]] = field(default_factory=list)
    length: Length = 0

    @property
    def width(self) -> int:
        return max([len(self.template), *(at + records.itemsize for at, records, _ in self.texts)])


class Rows:
    """`count` rows of text, written from left to right and then stored."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._pieces = [_Piece()]

    @property
    def lengths(self) -> Column:
        """Of each row."""
        total: Length = 0
        for piece in self._pieces:
            total = total + piece.length
        return np.full(self.count, total) if isinstance(total, int) else total

    @property
    def constant(self) -> bool:
        """Whether all rows are the same text."""
        return len(self._pieces) == 1 and not self._pieces[0].texts

    @property
    def constant_text(self) -> bytes:
        """It, where they are."""
        return self._pieces[0].template

    @property
    def width(self) -> int:
        """The bytes that are stored at once: up to so many may be written beyond a row's end."""
        return max(1, *(piece.width for piece in self._pieces))

    def say(self, text: bytes) -> None:
        """The same text in every row."""
        piece = self._pieces[-1]
        piece.template += text
        piece.literal += len(text)
        piece.length = piece.length + len(text)

    def put(self, records: Records, index: Column, length: Length) -> None:
        """In each row, as many bytes of records[index] as it is long; where that varies, a piece ends. Texts of one
        length fill their records.
        """
        if isinstance(length, int) and not length:
            return
        piece = self._pieces[-1]
        piece.texts.append((len(piece.template), records, index))
        piece.length = piece.length + length
        piece.literal = 0
        if isinstance(length, int):
            piece.template += bytes(length)
        else:
            self._pieces.append(_Piece())

    def unsay(self, most: int) -> bytes:
        """Take back up to so many bytes of constant text at the end, for a table to have them in front of its texts."""
        piece = self._pieces[-1]
        kept = len(piece.template) - min(most, piece.literal)
        taken, piece.template = piece.template[kept:], piece.template[:kept]
        piece.literal -= len(taken)
        piece.length = piece.length - len(taken)
        return taken

    def store(self, buffer: Buffer, places: Column) -> None:
        """Write row i at places[i], ascending and no closer than rows are long."""
        if not self.count:
            return
        pieces = self._pieces if self._pieces[-1].template or len(self._pieces) == 1 else self._pieces[:-1]
        width, step = self.width, self.width * len(pieces)
        space = np.empty(self.count * step, np.uint8)
        blank = np.void(b"".join(piece.template.ljust(width, b"\0") for piece in pieces))
        space.view(blank.dtype)[:] = blank
        for i, piece in enumerate(pieces):
            for at, records, index in piece.texts:
                column = np.ndarray((self.count,), records.dtype, space, i * width + at, (step,))
                column[:] = records.take(index)
        if len(pieces) > 1:
            spread = np.empty((self.count, len(pieces)), np.int64)
            spread[:, 0] = places
            for i, piece in enumerate(pieces[:-1]):
                np.add(spread[:, i], piece.length, out=spread[:, i + 1])
            places = spread.ravel()
        every_byte(buffer, width)[places] = space.view(f"V{width}")


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
def put_choice(rows: Rows, index: Column, texts: Sequence[bytes]) -> None:
    """In each row, one of a few texts."""
    records, length = _table(tuple(texts))
    rows.put(records, index, length if isinstance(length, int) else length.take(index))


def put_texts(rows: Rows, texts: Sequence[str]) -> None:
    """In each row, a text of its own."""
    whole = "".join(texts).encode()
    if (
        texts and len(set(map(len, texts))) == 1 and len(whole) == len(texts) * len(texts[0]) > 0
    ):  # ASCII of one length
        records, length = np.frombuffer(whole, f"V{len(texts[0])}"), cast(Length, len(texts[0]))
    else:
        records, length = _records([text.encode() for text in texts])
    rows.put(records, np.arange(len(texts)), length)


def put_number(rows: Rows, values: Column, frac: int = 0, least: int = 0, ending: bytes = b"") -> bool:
    """In each row, a decimal of that many units of 10**-frac, none negative, with at least so many decimals and no
    zeros beyond them, and behind it what ends the row; False if these cannot be written here, and nothing is.

    A number is split: its last digits, with the point where it falls among them, are four bytes of a permanent table,
    and what is before them is looked up in a window of few texts.
    """
    if not len(values):
        return False
    low, high = int(values.min()), int(values.max())
    if low < 0:
        return False
    zeros = b"." * (not frac and least > 0) + b"0" * (least - frac)
    trimmed = least < frac
    if trimmed and frac > 3 and least < max(frac - 4, 1):
        return False
    _put_digits(rows, values, (low, high), frac, least if trimmed else frac, zeros + ending, blank=False)
    return True


def _put_digits(
    rows: Rows, values: Column, bounds: tuple[int, int], frac: int, least: int, after: bytes, *, blank: bool
) -> None:
    """A decimal of values from bounds[0] to bounds[1] and what comes after; with `blank`, zero is no digit at all."""
    base = 1_000 if 0 < frac < 4 else 10_000
    first, last = (bound // base for bound in bounds)
    whole = frac < 3  # the tail begins with digits of the integer, so there may be none before them
    if first == last:
        tails = values - first * base
        if last or not whole:
            rows.say(_head_text(frac, last))
    else:
        heads = values // base
        tails = values - heads * base
        _put_heads(rows, heads, first, last, frac, blank=whole)
        if whole and not first:
            tails[heads == 0] += base
    if whole and not last:
        tails += base
    if not (least < frac or (whole and not first)):
        rows.put(_tails(frac, least, blank, b"")[0], tails, 4)
        rows.say(after)
        return
    taken = after if len(after) <= MOST_ENDING else b""  # or it would be a piece of its own
    records, lengths = _tails(frac, least, blank, taken)
    rows.put(records, tails, lengths.take(tails))
    rows.say(after[len(taken) :])


def _put_heads(rows: Rows, heads: Column, first: int, last: int, frac: int, *, blank: bool) -> None:
    """The digits before the last four bytes: from first to last, and both occur."""
    if last - first >= MOST_HEADS:
        rest = max(frac - 4, 0)
        _put_digits(rows, heads, (first, last), rest, rest, b"." * (frac == 4), blank=blank)
        return
    low, high = (0, 1 << last.bit_length()) if last < MOST_HEADS else (first, last + 1)
    index = heads - low if low else heads
    size, least = len(_head_text(frac, last)), len(_head_text(frac, first)) if first or not blank else 0
    width = next((fast for fast in FAST_WIDTHS if fast >= size), size)
    if least == size:
        before = rows.unsay(width - size)
        size += len(before)
        rows.put(_heads(frac, low, high, before, size, blank=blank)[0], index, size)
    else:
        records, lengths = _heads(frac, low, high, b"", width, blank=blank)
        rows.put(records, index, lengths.take(index))


def _head_text(frac: int, head: int) -> bytes:
    """How the digits before the last four bytes are written, with the point where it follows them or is among them."""
    if frac > 4:
        return b"%d.%0*d" % (head // 10 ** (frac - 4), frac - 4, head % 10 ** (frac - 4))
    return b"%d." % head if frac == 4 else b"%d" % head


@lru_cache(512)
def _heads(
    frac: int, low: int, high: int, before: bytes, width: int, *, blank: bool
) -> tuple[Records, Column]:
    """The texts of these heads behind some constant text; what does not fit the width is never asked for."""
    texts = [before + _head_text(frac, head) for head in range(low, high)]
    if blank and not low:
        texts[0] = before
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    return np.frombuffer(b"".join([each[:width].ljust(width) for each in texts]), f"V{width}"), lengths


@lru_cache(64)
def _tails(frac: int, least: int, blank: bool, after: bytes) -> tuple[Records, Column]:
    """The texts of what is left of a number and what comes after it; those from `base` on are of numbers with nothing
    before it.
    """
    decimals, kept = min(frac, 4), max(least - max(frac - 4, 0), 0)
    point = 0 < frac < 4
    integers = 4 - decimals - point  # digits before the point
    tails = range(10 ** (integers + decimals))
    texts = [f"{tail:0{integers + decimals}d}" for tail in tails]
    if integers:
        texts += [f"{tail:0{decimals + 1}d}" for tail in tails]
    if point:
        texts = [f"{text[:-decimals]}.{text[-decimals:]}" for text in texts]
    if least < frac:
        parts = [(text[:-decimals], text[-decimals:].rstrip("0").ljust(kept, "0")) for text in texts]
        texts = [before + part if part else before.rstrip(".") for before, part in parts]
    if blank:
        texts[len(texts) // 2] = ""
    lengths = np.fromiter(map(len, texts), np.int64, len(texts)) + len(after)
    width = next(fast for fast in FAST_WIDTHS if fast >= 4 + len(after))
    ending = after.decode()
    return np.frombuffer(
        "".join([(text + ending).ljust(width) for text in texts]).encode(), f"V{width}"
    ), lengths


def _records(texts: Sequence[bytes]) -> tuple[Records, Length]:
    """Texts as records, as wide as they are long where they are all of one length."""
    sizes = set(map(len, texts))
    if len(sizes) == 1:
        size = sizes.pop()
        return np.frombuffer(b"".join(texts) if size else bytes(len(texts)), f"V{size or 1}"), size
    width = max([1, *sizes])
    width = next((fast for fast in FAST_WIDTHS if fast >= width), width)
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    return np.frombuffer(b"".join([text.ljust(width) for text in texts]), f"V{width}"), lengths


_table = lru_cache(256)(_records)


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
    sizes = sum([body.sizes for body in bodies], start=np.zeros(count, np.int64))
    for text in texts:
        sizes = sizes + text.lengths
    width = max(body.width for body in bodies)
    # the padding of one list must not reach the next message's, which is stored already
    around = (texts[-1].lengths[:-1] + texts[0].lengths[1:] + 2) if len(bodies) > 1 else sizes[:0]
    tight = int(around.min(initial=width)) < width
    if tight:
        bodies = [body.in_records() for body in bodies]
        width = max(body.width for body in bodies)

    def store(buffer: Buffer, places: Column) -> None:
        at, joints, stores = places, [places], []
        for text, body in zip(texts, bodies, strict=False):
            at = at + text.lengths
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
    """Rows written to a buffer of their own, at `places` in it."""

    buffer: Buffer
    places: Column
    lengths: Column

    @classmethod
    def of(cls, rows: Rows) -> _Between:
        if rows.constant:  # one row stands for all
            text = rows.constant_text
            zeros = np.zeros(rows.count, np.int64)
            return cls(np.frombuffer(text, np.uint8), zeros, zeros + len(text))
        lengths = rows.lengths
        places = np.cumsum(lengths) - lengths
        buffer = np.empty(int(places[-1] + lengths[-1]) + rows.width, np.uint8)
        rows.store(buffer, places)
        return cls(buffer, places, lengths)

    def store(self, buffer: Buffer, at: Column) -> None:
        """Copy each text to the byte: those of one length at a time, of which there are few."""
        for size in set(self.lengths.tolist()) - {0}:
            which = np.flatnonzero(self.lengths == size)
            every_byte(buffer, size)[at[which]] = every_byte(self.buffer, size)[self.places[which]]


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
    heads = 2 + 2 * (sizes > 125) + 6 * (sizes > 65_535)
    ends = np.cumsum(sizes + heads)
    if not len(sizes):
        return np.zeros(0, np.uint8), ends
    size = int(ends[-1])
    buffer = np.empty(size + spill + 8, np.uint8)
    store(buffer, ends - sizes)
    starts = ends - sizes - heads
    middle = heads == 4
    if middle.all():
        _stamp(buffer, ">u4", starts, sizes + 0x817E0000)
    else:
        short, long = heads == 2, heads == 10
        _stamp(buffer, ">u2", starts[short], sizes[short] + 0x8100)
        _stamp(buffer, ">u4", starts[middle], sizes[middle] + 0x817E0000)
        _stamp(buffer, ">u2", starts[long], np.full(int(long.sum()), 0x817F))
        _stamp(buffer, ">u8", starts[long] + 2, sizes[long])
    return buffer[:size], ends


def _stamp(buffer: Buffer, kind: str, places: Column, values: Column) -> None:
    """Big-endian integers at these places."""
    np.ndarray((len(buffer) - np.dtype(kind).itemsize + 1,), kind, buffer, 0, (1,))[places] = values
