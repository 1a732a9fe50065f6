"""Declared messages, decimals, frames and pages."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal as Exact
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.types import TICK_NS
from tests.venues.spot import texts
from venues.base import PAGE_NS
from venues.wire import (
    Choice,
    Decimal,
    Each,
    Int,
    Part,
    Ragged,
    Scale,
    Text,
    Values,
    declare,
    encode,
    frame,
    pack,
)

SCALES = st.builds(Scale, frac=st.integers(0, 9), least=st.integers(0, 12), step=st.sampled_from([1, 5, 250]))


@pytest.mark.parametrize(
    ("scale", "value", "text"),
    [
        (Scale(2, 8), 6500012, "65000.12000000"),
        (Scale(5, 8), 1, "0.00001000"),
        (Scale(2, 2), 0, "0.00"),
        (Scale(1, 1, step=5), 3, "1.5"),
        (Scale(5, 1), 200_000, "2.0"),
        (Scale(5, 1), 150_000, "1.5"),
        (Scale(5, 0), 200_000, "2"),
        (Scale(5, 0), 150_000, "1.5"),
        (Scale(0, 0), 7, "7"),
        (Scale(0, 1), 7, "7.0"),
        (Scale(4, 8), -1, "-0.00010000"),
        (Scale(4, 0), -15_000, "-1.5"),
        (Scale(4, 2), -5, "-0.0005"),
    ],
)
def test_a_scale_says_how_many_decimals_there_are(scale: Scale, value: int, text: str) -> None:
    """Fixed, padded, trimmed and negative decimals, alone and in a column."""
    assert scale.text(value) == text
    assert encode((Decimal("x", scale),), {"x": np.array([value])}) == [text.encode()]


@given(SCALES, st.lists(st.integers(-(10**12), 10**12), min_size=1))
def test_decimals_are_exact_and_a_column_reads_as_its_values(scale: Scale, values: list[int]) -> None:
    """No decimal loses or gains value, and the fast column and the single value agree."""
    column = [text.decode() for text in encode((Decimal("x", scale),), {"x": np.array(values)})]
    assert column == [scale.text(value) for value in values]
    for text, value in zip(column, values, strict=True):
        assert Exact(text) == Exact(value * scale.step).scaleb(-scale.frac)
        decimals = len(text.partition(".")[2])
        assert decimals >= scale.least
        assert decimals == scale.least or not text.endswith("0")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0.00"), (49, "0.00"), (50, "0.01"), (149, "0.01"), (150, "0.02"), (6_500_049, "650.00")],
)
def test_a_finer_column_is_rounded_halves_up(value: int, text: str) -> None:
    """A column in 1e-4 written with two decimals."""
    assert encode((Decimal("x", Scale(2, 2), per=100),), {"x": np.array([value])}) == [text.encode()]


def test_a_message_is_declared_by_its_own_text() -> None:
    """Literal text stays, per cent signs included; names become columns of their kinds."""
    kinds: dict[str, Callable[[str], Part]] = {"flag": Choice, "symbol": lambda _: "BTC%", "text": Text}
    parts = declare('{"s":"<s:symbol>","n":<n>,"m":<m:flag>,"100%":"<x:text>"}', kinds)
    assert parts == ('{"s":"BTC%","n":', Int("n"), ',"m":', Choice("m"), ',"100%":"', Text("x"), '"}')
    columns: dict[str, Values] = {"n": np.array([1, 2]), "m": np.array([0, 1]), "x": ["a", "%d"]}
    assert encode(parts, columns) == [
        b'{"s":"BTC%","n":1,"m":false,"100%":"a"}',
        b'{"s":"BTC%","n":2,"m":true,"100%":"%d"}',
    ]


def test_lists_are_ragged() -> None:
    """Each message takes its own rows, none included; integers are floor-divided by their unit."""
    parts: tuple[Part, ...] = ("[", Each("rows", ("{", Int("t", per=1000), "}")), "]")
    rows = Ragged(np.array([2, 2, 3]), {"t": np.array([1000, 1999, 2000])})
    assert encode(parts, {"rows": rows}) == [b"[{1},{1}]", b"[]", b"[{2}]"]


def test_no_rows_are_no_messages() -> None:
    """An empty page has nothing to say, whatever its parts."""
    empty = np.array([], dtype=np.int64)
    parts = (Int("n"), Decimal("p", Scale(2, 8)), Each("rows", (Int("t"),)))
    assert encode(parts, {"n": empty, "p": empty, "rows": Ragged(empty, {"t": empty})}) == []


@pytest.mark.parametrize(
    ("size", "header"),
    [
        (0, b"\x81\x00"),
        (125, b"\x81\x7d"),
        (126, b"\x81\x7e\x00\x7e"),
        (65_535, b"\x81\x7e\xff\xff"),
        (65_536, b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
    ],
)
def test_a_frame_says_its_length_in_the_fewest_bytes(size: int, header: bytes) -> None:
    """RFC 6455 section 5.2 (2011-12), at the edges of the three forms of length."""
    payload = b"x" * size
    assert frame(payload) == header + payload
    assert list(texts(frame(payload))) == [payload]


@given(
    st.lists(st.tuples(st.integers(1, PAGE_NS // TICK_NS), st.integers(0, 300)), max_size=40).map(sorted),
    st.lists(st.integers(0, PAGE_NS // TICK_NS), max_size=8),
)
def test_a_page_gives_every_frame_once_at_its_boundary(rows: list[tuple[int, int]], cuts: list[int]) -> None:
    """Wherever a page is cut, the pieces are the frames due there and together the whole page."""
    start_ns = 7 * PAGE_NS
    payloads = [b"%d" % i + b"." * size for i, (_, size) in enumerate(rows)]
    page = pack(start_ns, [start_ns + tick * TICK_NS for tick, _ in rows], payloads)
    assert page.frames == len(rows)
    assert page.due_ns == sorted({start_ns + tick * TICK_NS for tick, _ in rows})
    assert page.buffer == b"".join(map(frame, payloads))
    edges = [0, *sorted(cuts), PAGE_NS // TICK_NS]
    for first, last in pairwise(edges):
        piece = page.cut(start_ns + first * TICK_NS, start_ns + last * TICK_NS)
        due = [text for text, (tick, _) in zip(payloads, rows, strict=True) if first < tick <= last]
        assert piece == b"".join(map(frame, due))
        ticks = list(page.ticks(start_ns + first * TICK_NS, start_ns + last * TICK_NS))
        assert piece == b"".join(text for _, text in ticks)
        assert all(text == page.cut(due_ns - TICK_NS, due_ns) for due_ns, text in ticks)
