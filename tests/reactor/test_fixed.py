"""Fixed-point arithmetic: close to the real functions, exact where it says exact, and the same integers on
every machine.
"""

import functools
import itertools
import math
import operator
from collections.abc import Callable
from hashlib import blake2b
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor import fixed
from reactor.fixed import (
    ONE,
    apportion,
    begins,
    bounded,
    distinct,
    distinct_rows,
    ends,
    exclusive,
    exp_of_q16,
    exp_q16,
    exp_q32,
    increments,
    inserted,
    isqrt,
    lengths,
    logistic_q16,
    muldiv,
    ordered,
    pareto_q16,
    quotient,
    radix_order,
    rows,
    share,
)
from reactor.types import Column

TABLES: dict[str, tuple[Column, int, Callable[[int], float]]] = {
    "normal": (fixed.NORMAL_Q16, ONE, lambda i: NormalDist().inv_cdf((i + 0.5) / ONE)),
    "exponential": (fixed.EXPONENTIAL_Q16, ONE, lambda i: -math.log((i + 0.5) / ONE)),
    "exp2": (fixed._EXP2_Q30, 1 << 30, lambda i: 2.0 ** (i / 4096)),
    "logistic": (fixed._LOGISTIC_Q16, ONE, lambda i: 1 / (1 + math.exp(-(i - 2048) / 256))),
}
HASHES = {
    "normal": "f03b5e98d639586e",
    "exponential": "8ced14add7a5b1ba",
    "exp2": "887ff26526e87353",
    "logistic": "8aaf970daba9e5e9",
}


@pytest.mark.parametrize("name", TABLES)
def test_no_table_entry_hangs_on_the_last_bit_of_libm(name: str) -> None:
    """Every entry is what the standard library's function rounds to, so far from a rounding boundary that any libm
    within a few ulps makes the same integer.
    """
    table, scale, function = TABLES[name]
    ulp = 1e-15 * scale  # a few ulps of the values, which lie within +-16
    for i, entry in enumerate(table.tolist()):
        exact = function(i) * scale
        boundary = abs(exact + 0.5 - round(exact + 0.5))
        assert boundary > 4 * ulp or exact == entry, (i, boundary)
        assert entry == math.floor(exact + 0.5), i


@pytest.mark.parametrize("name", TABLES)
def test_tables_are_the_ones_the_golden_tapes_were_made_with(name: str) -> None:
    """The tables' bytes are pinned: a changed table is a changed market everywhere."""
    table = TABLES[name][0]
    assert blake2b(table.astype("<i8").tobytes(), digest_size=8).hexdigest() == HASHES[name]


def test_exponentials_follow_the_real_function() -> None:
    """exp_q16 and exp_q32 stay within the relative errors their docstrings and inputs allow."""
    x = np.linspace(-9, 9, 4001)
    q16 = (x * ONE).astype(np.int64)
    assert np.abs(exp_q16(q16, 1 << 30) / 2**30 / np.exp(q16 / ONE) - 1)[x > -3].max() < 1e-7
    x = np.linspace(-3, 3, 4001)
    q32 = (x * 2**32).astype(np.int64)
    assert np.abs(exp_q32(q32, 1 << 30) / 2**30 / np.exp(q32 / 2**32) - 1).max() < 3e-8


@given(st.integers(-20 * ONE + 1, 20 * ONE - 1), st.integers(0, 2**31 - 1))
def test_the_exponential_of_one_number_is_that_of_a_column(x: int, scale: int) -> None:
    """Over the whole range of both."""
    assert [exp_of_q16(x, scale)] == exp_q16(np.array([x]), scale).tolist()


def test_logistic_and_pareto() -> None:
    """logistic_q16 is the logistic function to 1/512, pareto_q16 has the tail it is asked for."""
    x = np.linspace(-10, 10, 2001)
    assert np.abs(logistic_q16((x * ONE).astype(np.int64)) / ONE - 1 / (1 + np.exp(-x))).max() < 1 / 512
    draws = pareto_q16(fixed.EXPONENTIAL_Q16, ONE * 2 // 3) / ONE  # alpha 1.5, one draw per quantile
    assert draws.min() >= 1
    assert abs((draws > 10).mean() - 10**-1.5) < 1e-3


@given(st.lists(st.integers(0, 2**52 - 1), min_size=1, max_size=20))
def test_isqrt_is_exact(values: list[int]) -> None:
    """The floor of the root, never one off."""
    assert isqrt(np.array(values)).tolist() == [math.isqrt(v) for v in values]


@given(st.integers(0, 2**52 - 1), st.integers(0, 2**36 - 1), st.integers(1, 2**36 - 1))
def test_muldiv_is_exact_for_small_divisors(a: int, b: int, c: int) -> None:
    """a * b // c without overflow, for b <= c < 2**36."""
    b = min(b, c)
    assert muldiv(np.array([a]), np.array([b]), np.array([c])).tolist() == [a * b // c]


@given(st.data())
def test_apportion_is_exact_and_fair(data: st.DataObject) -> None:
    """Each group's parts sum to its total, none is below the least, and each is within one of its
    proportional share.
    """
    groups = data.draw(
        st.lists(st.lists(st.integers(1, 1000), min_size=1, max_size=8), min_size=1, max_size=5)
    )
    least = data.draw(st.integers(0, 3))
    totals = [data.draw(st.integers(least * len(g), 10**9)) for g in groups]
    counts = np.array([len(g) for g in groups])
    parts = apportion(np.array(totals), np.array(functools.reduce(operator.iadd, groups, [])), counts, least)
    for start, weights, total in zip(exclusive(counts), groups, totals, strict=True):
        mine = parts[start : start + len(weights)]
        assert mine.sum() == total
        assert mine.min() >= least
        due = [(total - least * len(weights)) * w / sum(weights) + least for w in weights]
        assert all(abs(m - s) <= 1 for m, s in zip(mine, due, strict=True))


@given(st.lists(st.integers(0, 2**45), min_size=1, max_size=8), st.integers(0, 2**52 - 1))
def test_a_share_is_what_apportion_gives_one_group(weights: list[int], total: int) -> None:
    """Whatever the weights, huge ones too."""
    column = np.array([weights[0] + 1, *weights[1:]])
    alone = apportion(np.array([total]), column, np.array([len(weights)]))
    assert share(total, column).tolist() == alone.tolist()
    assert share(total, 0 * column).tolist() == [0] * len(weights)


@given(st.data())
def test_apportion_gives_each_its_own_least(data: st.DataObject) -> None:
    """As if it had been put aside before, for all alike or for each."""
    weights = np.array(data.draw(st.lists(st.integers(1, 1000), min_size=1, max_size=8)))
    each = np.array(data.draw(st.lists(st.integers(0, 9), min_size=len(weights), max_size=len(weights))))
    total = data.draw(st.integers(9 * len(weights), 2**52 - 1))
    for least, aside in ((each, int(each.sum())), (3, 3 * len(weights))):
        given_least = apportion(np.array([total]), weights, np.array([len(weights)]), least)
        assert given_least.tolist() == (share(total - aside, weights) + least).tolist()


@given(st.lists(st.integers(-3, 3)), st.integers(-3, 3))
def test_neighbours(values: list[int], before: int) -> None:
    """Increments sum to the column; runs of equal values begin and end where itertools groups them."""
    column = np.array(values, dtype=np.int64)
    assert (before + np.cumsum(increments(column, before))).tolist() == values
    runs = [len(list(run)) for _, run in itertools.groupby(values)]
    assert np.flatnonzero(begins(column)).tolist() == [sum(runs[:i]) for i in range(len(runs))]
    assert np.flatnonzero(ends(column)).tolist() == [sum(runs[: i + 1]) - 1 for i in range(len(runs))]
    assert begins(column, column[::-1]).tolist() == [
        i == 0 or values[i] != values[i - 1] or values[-i - 1] != values[-i] for i in range(len(values))
    ]
    assert distinct(column).tolist() == sorted(set(values))


FLOATS_ARE_EXACT = st.integers(0, 2**52 - 1)


@given(st.lists(st.tuples(FLOATS_ARE_EXACT, FLOATS_ARE_EXACT, st.integers(-1, 1)), min_size=1, max_size=20))
def test_a_quotient_is_the_floor(pairs: list[tuple[int, int, int]]) -> None:
    """Just above, at and just below whole multiples of the divisor too, up to the bounds of both."""
    b = [max(divisor, 1) for _, divisor, _ in pairs]
    near = [a // d * d + off for (a, _, off), d in zip(pairs, b, strict=True)]
    for dividends in (
        [a for a, _, _ in pairs],
        [min(max(a, 0), 2**52 - 1) for a in near],
        [2**52 - 1] * len(b),
    ):
        floors = [a // d for a, d in zip(dividends, b, strict=True)]
        assert quotient(np.array(dividends), np.array(b)).tolist() == floors


@given(st.lists(st.integers(0, 9) | st.integers(0, 2**16 - 1)))
def test_sorted_keys_keep_their_rows(keys: list[int]) -> None:
    """Equal ones in their order, in both ways of sorting."""
    order = sorted(range(len(keys)), key=keys.__getitem__)
    column = np.array(keys, dtype=np.int64)
    assert [part.tolist() for part in ordered(column)] == [sorted(keys), order]
    assert radix_order(column).tolist() == order
    different, row = distinct_rows(column)
    assert different.tolist() == distinct(column).tolist()
    assert different[row].tolist() == keys


@pytest.mark.parametrize("n", [0, 1, 5, 1 << 16, (1 << 16) + 1])
def test_rows_are_counted_from_0(n: int) -> None:
    """However many."""
    assert rows(n).tolist() == list(range(n))


@given(st.lists(st.integers(0, 5), min_size=1))
def test_groups_are_as_long_as_they_are_told(counts: list[int]) -> None:
    """Lengths are what starts were made of, empty groups too."""
    starts = exclusive(np.array(counts))
    assert lengths(starts, sum(counts)).tolist() == counts
    assert lengths(starts[:0], 0).tolist() == []


@given(st.lists(st.integers(-(2**62), 2**62)), st.integers(-9, 9), st.integers(0, 9))
def test_bounded_values(values: list[int], low: int, room: int) -> None:
    """Within both bounds, and themselves where they were."""
    column = np.array(values, dtype=np.int64)
    assert bounded(column, low, low + room).tolist() == [min(max(v, low), low + room) for v in values]


@given(*[st.lists(st.integers(0, 9) | st.integers(0, 2**40), max_size=12)] * 3)
def test_new_rows_take_their_places(keys: list[int], before: list[int], after: list[int]) -> None:
    """As a stable sort has them, of those before, the keys, and those after."""
    keys.sort()
    columns = [np.array(part, dtype=np.int64) for part in (keys, before, after)]
    row, at = inserted(*columns)
    new = [(key, -1, i) for i, key in enumerate(before)] + [(key, 1, i) for i, key in enumerate(after)]
    whole = [(keys[i], 0, i) if keys else (0, 0, 0) for i in row.tolist()]
    for place, each in zip(at.tolist(), new, strict=True):
        whole[place] = each
    assert whole == sorted([(key, 0, i) for i, key in enumerate(keys)] + new)
