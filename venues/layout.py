"""Layouts: how rows of text look whose numbers have so many digits, and what is looked up for them.

A number is written in chunks of four bytes, each of which is looked up in a table by the digits that it stands for;
where numbers of a column differ in length, the first of them in a table of up to a hundred thousand texts. Digits that
are the same in every row are constant text. All this depends on how many digits the least and the greatest number of
each column have and in how many they differ, and on nothing else of a page: a layout is worked out once for each such
shape, and filled in a few numpy passes over all columns of numbers at once.

Mechanism only. Nothing in here knows a message.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from functools import lru_cache
from typing import NamedTuple, TypeAlias

import numpy as np

from reactor.types import Column
from reactor.values import dataclass
from venues.array_text import FAST_WIDTHS, Buffer, Length, Records, Rows, records_of

WIDEST = 5  # digits of numbers that are looked up whole
MOST_ENDING = 12  # bytes that a table has behind its texts

# digits of the least, of the greatest, and chunks in which they differ
Shape: TypeAlias = tuple[int, int, int]
Lengths: TypeAlias = Column | Buffer  # of a table's texts


def shape_of(low: int, high: int, frac: int) -> Shape:
    """The shape of a column of numbers between these, with so many decimals."""
    least, most, differing = len(str(low)), len(str(high)), 0
    if least == most or most <= frac + 1:
        while low != high:
            base = 1_000 if 0 < frac < 4 else 10_000
            low, high, frac, differing = low // base, high // base, frac - 4, differing + 1
    return least, most, differing


def are_put(frac: int, least: int) -> bool:
    """Whether decimals, at least so many of which are written, can be written here: not if zeros are dropped beyond the
    last four bytes.
    """
    return least >= frac or frac < 4 or least >= max(frac - 4, 1)


# ---------------------------------------------------------------- tables
def _chunk_digits(frac: int) -> int:
    """How many digits are in the last four bytes of a number of so many decimals: the point may be among them."""
    return 3 if 0 < frac < 4 else 4


@dataclass(frozen=True, slots=True)
class _Texts:
    """The texts of all numbers below 10**size: at least so many digits, `frac` of them decimals, of which zeros beyond
    `least` are dropped; no point where it stands before them; with `blank`, zero is no digit at all.
    """

    size: int
    digits: int
    frac: int
    least: int
    point: bool = True
    blank: bool = False

    def written(self) -> tuple[Buffer, Column]:
        """A row each, left-justified, and how long they are."""
        numbers, point = np.arange(10**self.size, dtype=np.uint32), int(self.point and self.frac > 0)
        most = max(self.size, self.digits)
        texts = np.zeros((len(numbers), most + point), np.uint8)
        lengths = np.zeros(len(numbers), np.int64)
        for digits in range(self.digits, most + 1):
            rows = slice(0 if digits == self.digits else 10 ** (digits - 1), 10**digits)
            for i in range(digits):
                at = i + (point and i >= digits - self.frac)
                texts[rows, at] = numbers[rows] // 10 ** (digits - 1 - i) % 10 + ord("0")
            if point:
                texts[rows, digits - self.frac] = ord(".")
            lengths[rows] = digits + point
        dropped = sum(
            (numbers % 10**n == 0 for n in range(1, self.frac - self.least + 1)), np.zeros_like(numbers)
        )
        lengths -= dropped + (dropped == self.frac) * point
        lengths[: int(self.blank)] = 0
        return texts, lengths


def _chunk(frac: int, least: int) -> _Texts:
    """The last four bytes of numbers that have more."""
    digits = _chunk_digits(frac)
    return _Texts(digits, digits, min(frac, 4), max(least - max(frac - 4, 0), 0), point=frac < 4)


@lru_cache(256)
def _table(texts: tuple[_Texts, ...], after: bytes = b"") -> tuple[Records, Lengths]:
    """These texts, one after another, with something behind each of them, and how long they are."""
    written = [each.written() for each in texts]
    lengths = np.concatenate([length for _, length in written])
    width = max(text.shape[1] for text, _ in written) + len(after)
    width = next((fast for fast in FAST_WIDTHS if fast >= width), width)
    space, start = np.zeros((len(lengths), width), np.uint8), 0
    for text, _ in written:
        space[start : start + len(text), : text.shape[1]] = text
        start += len(text)
    ends = np.arange(len(lengths)) * width + lengths
    for i, byte in enumerate(after):
        space.reshape(-1)[ends + i] = byte
    return space.ravel().view(f"V{width}"), (lengths + len(after)).astype(np.uint8)


@lru_cache(256)
def _narrow(digits: int, frac: int, before: bytes) -> Records:
    """The texts of numbers of so many digits, behind some constant text."""
    texts, _ = _Texts(digits, digits, frac, frac).written()
    space = np.empty((len(texts), len(before) + texts.shape[1]), np.uint8)
    space[:, : len(before)] = np.frombuffer(before, np.uint8)
    space[:, len(before) :] = texts
    return space.ravel().view(f"V{space.shape[1]}")


# ---------------------------------------------------------------- layouts
@dataclass(frozen=True, slots=True)
class _Source:
    """A column: one that is given, or, of those split once, twice, ..., the last chunk of one or what is before it."""

    level: int
    place: int
    head: bool = True


_Index: TypeAlias = (
    _Source | tuple[_Source, _Source, int]
)  # or a chunk, its head, and what is added where that is 0


@dataclass(slots=True)
class _Piece:
    """A part of a row up to a text of varying length."""

    template: bytearray = field(default_factory=bytearray)
    literal: int = 0  # bytes at the template's end that no text stands before
    said: list[tuple[int, int, int, int]] = field(default_factory=list)
    texts: list[tuple[int, Records | int, _Index]] = field(default_factory=list)
    lengths: tuple[Lengths | int, _Index] | None = None  # of the text at its end


class Builder:
    """A layout while it is put together, from left to right."""

    def __init__(self) -> None:
        self._pieces = [_Piece()]
        self._split: list[dict[_Source, int]] = []  # of each level, what is split, and by what

    def say(self, text: bytes) -> None:
        """The same text in every row."""
        self._pieces[-1].template += text
        self._pieces[-1].literal += len(text)

    def put_own(self, number: int, width: int | None) -> None:
        """One of the columns of texts that a page brings with it, of one length where there is one."""
        if width is None:
            self._end(number, number, _Source(0, 0))
        else:
            self._put(number, _Source(0, 0), width)

    def put_choice(self, texts: Sequence[bytes], source: int) -> None:
        """One of a few texts."""
        records, lengths = records_of(tuple(texts))
        if isinstance(lengths, int):
            self._put(records, _Source(0, source), lengths)
        else:
            self._end(records, lengths, _Source(0, source))

    def put_number(self, source: int, shape: Shape, frac: int, least: int, ending: bytes) -> None:
        """A decimal of units of 10**-frac, with at least so many decimals and no zeros beyond them, and behind it what
        ends the row.
        """
        low, high, differing = shape
        shape = max(low, frac + 1), max(high, frac + 1), differing
        after = b"." * (not frac and least > 0) + b"0" * (least - frac) + ending
        self._put_digits(
            (source, frac), _Source(0, source), shape, frac, min(least, frac), after, blank=False
        )

    def _put_digits(
        self,
        of: tuple[int, int],  # the column and its decimals
        number: _Source,
        shape: Shape,
        frac: int,
        least: int,
        after: bytes,
        *,
        blank: bool,
    ) -> None:
        low, high, differing = shape
        if high <= WIDEST and (low != high or least < frac):
            self._vary((_Texts(high, frac + 1, frac, least, blank=blank),), number, after)
            return
        if low == high and least == frac:
            self._put_equal(of, number, high, differing, frac)
            self.say(after)
            return
        head, tail = self._parts(number, frac)
        digits, rest = _chunk_digits(frac), max(frac - 4, 0)
        heads = max(low - digits, rest + 1), max(high - digits, rest + 1), max(differing - 1, 0)
        self._put_digits(of, head, heads, rest, rest, b"." * (frac == 4), blank=frac < 3)
        if frac < 3 and low <= digits:  # there may be nothing before it
            alone = _Texts(digits, frac + 1, frac, least, blank=blank)
            self._vary((_chunk(frac, least), alone), (tail, head, 10**digits), after)
        elif least < frac:
            self._vary((_chunk(frac, least),), tail, after)
        else:
            self._put(_table((_chunk(frac, frac),))[0], tail, 4)
            self.say(after)

    def _put_equal(
        self, of: tuple[int, int], number: _Source, digits: int, differing: int, frac: int
    ) -> None:
        """Numbers of one length: a page says the least, and chunks in which others differ are put over it."""
        piece = self._pieces[-1]
        start, literal = len(piece.template), piece.literal
        piece.template += bytes(digits + (frac > 0))
        piece.literal, end = 0, len(piece.template)
        piece.said.append((start, *of, end - start))
        for _ in range(differing):
            if digits <= _chunk_digits(frac):
                spare = 4 - (end - start)
                before = bytes(piece.template[start - spare : start]) if spare <= literal else b""
                piece.texts.append((start - len(before), _narrow(digits, frac, before), number))
                break
            head, tail = self._parts(number, frac)
            piece.texts.append((end - 4, _table((_chunk(frac, frac),))[0], tail))
            digits, end = digits - _chunk_digits(frac), end - 4 - (frac == 4)
            number, frac = head, max(frac - 4, 0)

    def _parts(self, number: _Source, frac: int) -> tuple[_Source, _Source]:
        """What is before the last chunk, and that."""
        if len(self._split) == number.level:
            self._split.append({})
        split = self._split[number.level]
        split.setdefault(number, 10 ** _chunk_digits(frac))
        place = list(split).index(number)
        return _Source(number.level + 1, place), _Source(number.level + 1, place, head=False)

    def _vary(self, texts: tuple[_Texts, ...], index: _Index, after: bytes) -> None:
        taken = after if len(after) <= MOST_ENDING else b""  # or it would be a piece of its own
        records, lengths = _table(texts, taken)
        self._end(records, lengths, index)
        self.say(after[len(taken) :])

    def _put(self, records: Records | int, index: _Index, width: int) -> None:
        piece = self._pieces[-1]
        if width:
            piece.texts.append((len(piece.template), records, index))
            piece.template += bytes(width)
            piece.literal = 0

    def _end(self, records: Records | int, lengths: Lengths | int, index: _Index) -> None:
        """A text of varying length, and with it a piece."""
        piece = self._pieces[-1]
        piece.texts.append((len(piece.template), records, index))
        piece.lengths = lengths, index
        self._pieces.append(_Piece())

    def layout(self, given: int) -> Layout:
        """What has been put together, of so many columns that are given."""
        lone: list[tuple[int, int, int]] = []
        starts = [given]  # of the columns of each level among all
        for split in self._split:
            starts.append(starts[-1] + 2 * len(split))

        def column(of: _Index) -> int:
            if isinstance(of, tuple):
                tail, head, alone = of
                if (key := (column(tail), column(head), alone)) not in lone:
                    lone.append(key)
                return starts[-1] + lone.index(key)
            if not of.level:
                return of.place
            return starts[of.level - 1] + of.place + of.head * len(self._split[of.level - 1])

        pieces = [
            Piece(
                bytes(piece.template),
                piece.said,
                [(at, records, column(index)) for at, records, index in piece.texts],
                piece.lengths and (piece.lengths[0], column(piece.lengths[1])),
            )
            for piece in self._pieces
            if piece.template or piece.texts or len(self._pieces) == 1
        ]
        levels = [
            (np.array([source.place for source in split]), np.array([[base] for base in split.values()]))
            for split in self._split
        ]
        return Layout(pieces, levels, lone)


class Piece(NamedTuple):
    """A part of a row up to a text of varying length, which it ends with if it has such lengths.

    Over constant text are said numbers, those that a page has first, and put texts, of tables by a column, or of a page
    its own. Lengths are those of a table by a column, or of a page's own texts.
    """

    template: bytes
    said: Sequence[tuple[int, int, int, int]]  # where, of which column, its decimals, how many bytes
    texts: Sequence[tuple[int, Records | int, int]]  # where, of which table, by which column
    lengths: tuple[Lengths | int, int] | None


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """How a row looks: its pieces, and the columns that it needs beyond those given.

    `levels` tell which numbers are split, and by what: of those given, then of what was before their last chunks, ...;
    each has the last chunks, then what is before them. `lone` are chunks with nothing before some of them.
    """

    pieces: Sequence[Piece]
    levels: Sequence[tuple[Column, Column]]
    lone: Sequence[tuple[int, int, int]]  # a chunk, its head, and what is added where that is 0

    def rows(
        self,
        numbers: Column,
        firsts: Sequence[int],
        choices: Sequence[Column],
        own: Sequence[tuple[Records, Length]],
    ) -> Rows:
        """The rows of these numbers, a column in each row, and the least of each; of indices of choices; of texts that
        a page has of its own.
        """
        columns, heads = [*numbers, *choices], numbers
        for places, bases in self.levels:
            parted = heads[places]
            heads = parted // bases
            columns += [*(parted - heads * bases), *heads]
        for tail, head, alone in self.lone:
            columns.append(np.where(columns[head] == 0, columns[tail] + alone, columns[tail]))
        rows = Rows(numbers.shape[1])
        for template, said, texts, lengths in self.pieces:
            length: Length = len(template)
            if lengths is not None:
                table, index = lengths
                length = length + (
                    own[table][1] if isinstance(table, int) else table.take(columns[index]).astype(np.int64)
                )
            constant = bytearray(template)
            for at, number, frac, size in said:
                constant[at : at + size] = _decimal(firsts[number], frac)[:size]
            put = [
                (at, own[records][0], None) if isinstance(records, int) else (at, records, columns[index])
                for at, records, index in texts
            ]
            rows.add(bytes(constant), put, length)
        return rows


def _decimal(number: int, frac: int) -> bytes:
    digits = b"%0*d" % (frac + 1, number)
    return digits[:-frac] + b"." + digits[-frac:] if frac else digits
