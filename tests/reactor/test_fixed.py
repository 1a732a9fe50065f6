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
    distinct,
    ends,
    exclusive,
    exp_q16,
    exp_q32,
    increments,
    isqrt,
    logistic_q16,
    muldiv,
    pareto_q16,
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


@given(st.data())
def test_a_share_is_what_apportion_gives_one_group(data: st.DataObject) -> None:
    """Whatever the weights, huge ones too, with one least for all or each its own."""
    weights = np.array(data.draw(st.lists(st.integers(0, 2**45), min_size=1, max_size=8)))
    weights[0] += 1
    each = np.array(data.draw(st.lists(st.integers(0, 9), min_size=len(weights), max_size=len(weights))))
    least: int | Column = each if data.draw(st.booleans()) else 3
    total = data.draw(st.integers(9 * len(weights), 2**52 - 1))
    alone = apportion(np.array([total]), weights, np.array([len(weights)]), least)
    assert share(total, weights, least).tolist() == alone.tolist()


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
