"""Whole pages written by arrays: byte for byte what the template encoder writes and frames."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactor.types import Column
from tests.venues.spot import texts
from venues import wire
from venues.array_text import Records, _stores_in_order, every_byte
from venues.wire import (
    MANY_ITEMS,
    MANY_MESSAGES,
    REPEATED,
    Choice,
    Decimal,
    Draft,
    Each,
    Framed,
    Int,
    Message,
    Part,
    Picked,
    Ragged,
    Scale,
    Table,
    Text,
    Values,
    by_arrays,
    cut,
    encode,
    form_of,
    frame,
    frame_all,
    joined,
    write,
)

INT64 = np.iinfo(np.int64)
LITERALS = st.sampled_from(
    ["", ",", '"],["', ',"quantity":"', "%d", '{"e":"aVeryLongConstantOfAMessage","s":"']
)
WORDS = ("", "a", "false", "\u00e9\u00df\u4e2d", "0x" + "7f" * 32, "seventeen letters", "another of these.")
# where columns start, and how far they reach: prices and ids lie close together, quantities do not
STARTS = [0, 1, 9, 990, 9_990, 16_380, 99_990, 10**6 - 20, 617_326, 10**9, 1_769_590_256_675, 10**14]
SPANS = [1, 3, 30, 3_000, 30_000, 10**8, 10**13]


@st.composite
def numbers(draw: st.DrawFn, count: int) -> Column:
    """So many integers as markets have them, and now and then the extremes of what a column holds."""
    chance = np.random.default_rng(draw(st.integers(0, 999)))
    if draw(st.integers(0, 9)) == 0:
        column: Column = chance.integers(INT64.min, INT64.max, count, endpoint=True)
        column[chance.random(count) < 0.5] = draw(st.sampled_from([INT64.min, INT64.max, -1, 0]))
        return column
    start = draw(st.sampled_from(STARTS))
    sign = draw(st.sampled_from([1, 1, 1, 1, 1, -1]))
    return sign * chance.integers(start, start + draw(st.sampled_from(SPANS)), count)


@st.composite
def columns_of(draw: st.DrawFn, count: int, name: str, texts: bool) -> tuple[Part, Values]:
    """A part of one column, and so many values for it."""
    kind = draw(st.sampled_from(["int", "decimal", "decimal", "decimal", "choice", *["text"] * texts]))
    chance = np.random.default_rng(draw(st.integers(0, 999)))
    if kind == "choice":
        words = draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=4))
        return Choice(name, tuple(words)), chance.integers(0, len(words), count)
    if kind == "text":
        words = draw(st.sampled_from([WORDS, WORDS[-2:]]))
        return Text(name), [words[i] for i in chance.integers(0, len(words), count).tolist()]
    values = draw(numbers(count))
    if kind == "int":
        return Int(name, draw(st.sampled_from([1, 1, 1_000, 1_000_000]))), values
    scale = Scale(draw(st.integers(0, 9)), draw(st.integers(0, 9)), draw(st.sampled_from([1, 1, 5, 250])))
    return Decimal(name, scale, draw(st.sampled_from([1, 1, 1, 100]))), values


@st.composite
def rows_of(
    draw: st.DrawFn, count: int, names: str, least: int = 1, texts: bool = True
) -> tuple[list[Part], dict[str, Values]]:
    """Literal text and columns by turns."""
    parts: list[Part] = [draw(LITERALS)]
    columns: dict[str, Values] = {}
    for i in range(draw(st.integers(least, 4))):
        part, columns[f"{names}{i}"] = draw(columns_of(count, f"{names}{i}", texts))
        parts += part, draw(LITERALS)
    return [part for part in parts if part], columns


@st.composite
def messages(draw: st.DrawFn) -> tuple[list[Part], dict[str, Values]]:
    """A declaration, with lists or without, and its columns. Lists are of rows of their own or share a table; some are
    empty, and some long.
    """
    count = draw(st.sampled_from([0, 1, 2, 5, 40]))
    parts, columns = draw(rows_of(count, "a"))
    known = draw(st.integers(1, 30))
    items, said = draw(rows_of(known, "t", texts=False))
    table = Table({name: np.asarray(column) for name, column in said.items()})
    for name in draw(st.sampled_from(["", "", "x", "xy"])):
        chance = np.random.default_rng(draw(st.integers(0, 999)))
        ends = np.cumsum(chance.choice([0, 0, 1, 2, 9, draw(st.sampled_from([5, 2_000]))], count))
        total = int(ends[-1]) if count else 0
        if draw(st.booleans()):
            columns[name] = Picked(ends, chance.integers(0, known, total), table)
            parts.append(Each(name, tuple(items)))
        else:
            own, inner = draw(rows_of(total, "r"))
            columns[name] = Ragged(ends, inner)
            parts.append(Each(name, tuple(own)))
        more, others = draw(rows_of(count, f"{name}_", least=0))
        parts += more
        columns |= others
    return parts, columns


@settings(max_examples=150, deadline=None)
@given(messages(), st.sampled_from(["", '{"stream":"btcusdt@trade","data":']), st.sampled_from(["", "}"]))
def test_both_encoders_write_the_same(
    message: tuple[list[Part], dict[str, Values]], head: str, tail: str
) -> None:
    """Whatever is declared and whatever the columns hold: frames, where each ends, and what stands in them."""
    parts, columns = message
    said = encode(parts, columns)
    framed = by_arrays(Draft(parts, columns, head.encode(), tail.encode()))
    wanted = [frame(head.encode() + text + tail.encode()) for text in said]
    assert framed.buffer == b"".join(wanted)
    assert framed.ends.tolist() == np.cumsum([len(each) for each in wanted], dtype=np.int64).tolist()
    assert framed.payloads() == said


@pytest.mark.parametrize("items", [0, 5, 6, 40, 6_552, 6_553, 6_554, 9_000])
def test_frames_of_every_form_of_length_stand_side_by_side(items: int) -> None:
    """Two, four and ten bytes of header: around 125 and 65,535 bytes of payload, by RFC 6455 section 5.2."""
    parts = ("[", Each("rows", ("abcdefg", Int("n"))), "]")
    ends = np.cumsum([1, items, 14, 0, items])
    numbers = np.arange(ends[-1]) % 100
    framed = by_arrays(Draft(parts, {"rows": Ragged(ends, {"n": numbers})}))
    lists = [numbers[a:b] for a, b in pairwise([0, *ends.tolist()])]
    said = [("[" + ",".join(f"abcdefg{n}" for n in each) + "]").encode() for each in lists]
    assert list(texts(framed.buffer)) == said
    assert framed.buffer == b"".join(map(frame, said))


def test_the_encoder_is_chosen_by_how_much_there_is_to_write(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few rows go by template, many messages or many rows of lists by arrays; and all by template where numpy does not
    store overlapping records in order.
    """
    chosen: list[str] = []

    def watched(draft: Draft) -> Framed:
        chosen.append("arrays")
        return by_arrays(draft)

    monkeypatch.setattr(wire, "by_arrays", watched)
    lists = ("[", Each("rows", (Int("n"),)), "]")
    table = Table({"n": np.arange(9)})

    def written(parts: tuple[Part, ...], *columns: Values) -> int:
        chosen.clear()
        drafts = [Draft(parts, {"rows": rows}) for rows in columns]
        said = [frame_all(encode(parts, draft.columns)).buffer for draft in drafts]
        assert [framed.buffer for framed in write(drafts)] == said
        return len(chosen)

    def own(items: int) -> Ragged:
        return Ragged(np.array([items]), {"n": np.arange(items)})

    def picked(items: int) -> Picked:
        return Picked(np.array([items]), np.zeros(items, np.int64), table)

    assert [written(lists, own(MANY_ITEMS + n)) for n in (-1, 0)] == [0, 1]
    assert [written(lists, picked(MANY_ITEMS)), written(lists, picked(REPEATED * MANY_ITEMS))] == [0, 1]
    assert [written((Int("rows"),), np.arange(MANY_MESSAGES + n)) for n in (-1, 0)] == [0, 1]
    assert written((Int("rows"),), np.arange(MANY_MESSAGES - 1), np.arange(1)) == 1, "together they are many"
    monkeypatch.setattr(wire, "IN_ORDER", False)
    assert written(lists, own(MANY_ITEMS)) == written((Int("rows"),), np.arange(MANY_MESSAGES)) == 0


@settings(max_examples=60, deadline=None)
@given(st.lists(messages(), min_size=1, max_size=1), st.integers(2, 4), st.data())
def test_messages_of_one_shape_are_written_together_as_they_would_be_alone(
    message: list[tuple[list[Part], dict[str, Values]]], times: int, data: st.DataObject
) -> None:
    """Whatever literal text they differ in, in the message or around it, and however many each of them are."""
    ((parts, columns),) = message
    drafts = []
    for n in range(times):
        own = tuple(f"{part}{n}" if isinstance(part, str) and n % 2 else part for part in parts)
        count = Draft(parts, columns).count
        start = data.draw(st.integers(0, count))
        some = cut(columns, start, data.draw(st.integers(start, count)))
        drafts.append(Draft(Message.of(own), some, b"<%d" % n, b">" * n))
    assert len({form_of(draft.parts) for draft in drafts}) == 1
    whole = by_arrays(joined(drafts))
    apart = [frame_all(encode(each.parts, each.columns), each.head, each.tail) for each in drafts]
    assert whole.buffer == b"".join(each.buffer for each in apart)


def test_a_numpy_that_stores_out_of_order_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked when the module is loaded says no of a view that is written backwards."""
    assert _stores_in_order()

    class Backwards:
        def __init__(self, view: Records) -> None:
            self._view = view

        def __setitem__(self, places: Column, records: Records) -> None:
            self._view[places[::-1]] = records[::-1]

    monkeypatch.setattr(
        "venues.array_text.every_byte", lambda buffer, width: Backwards(every_byte(buffer, width))
    )
    assert not _stores_in_order()


def test_an_envelope_is_changed_without_touching_what_it_holds() -> None:
    """Frames written for one stream are another's after a change of what stands around."""
    said = [b'{"n":%d}' % n for n in range(100)]
    plain = frame_all(said)
    dressed = plain.between(b'{"data":', b"}")
    assert dressed.payloads() == plain.payloads() == said
    assert dressed.buffer == b"".join(frame(b'{"data":%b}' % text) for text in said)
    both = Framed.join([dressed, dressed])
    assert both.payloads() == said * 2
    assert both.ends[-1] == len(both.buffer)
