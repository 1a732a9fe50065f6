"""Fixed-point arithmetic on int64 columns: exp, normal and exponential quantiles, logistic, integer square
root, apportionment.

Q16 means 65536 = 1. The tables are made once at import with floats and rounded to integers; a test shows that each is
what the standard library's functions round to, that no entry lies so near a rounding boundary that another libm could
round it otherwise, and pins their hash.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import overload

import numpy as np
from numpy.typing import NDArray

from reactor.types import Column

ONE = 1 << 16
_ROWS: Column = np.arange(1 << 16)
_ROWS.flags.writeable = False
_HALF_BITS, _DIVISOR_BITS = 26, 36  # of muldiv
_LOG2E_Q26 = round(math.log2(math.e) * (1 << 26))


@overload
def nearest(value: int, divisor: int) -> int: ...
@overload
def nearest(value: Column, divisor: int | Column) -> Column: ...
def nearest(value: int | Column, divisor: int | Column) -> int | Column:
    """The nearest integer to value / divisor, halves up; the divisor is positive."""
    return (2 * value + divisor) // (2 * divisor)


def fixed_point(value: float, scale: int = ONE) -> int:
    """A parameter in 1 / scale, to the nearest integer, halves up."""
    return math.floor(value * scale + 0.5)


def _table(values: NDArray[np.float64] | list[float], scale: int) -> Column:
    column = np.floor(np.asarray(values) * scale + 0.5).astype(np.int64)  # as `fixed_point`, exactly
    column.flags.writeable = False
    return column


# Quantiles at the midpoints of 65,536 equal slices, so that a 16-bit word indexes them directly. The normal ones are
# symmetric, to the last bit.
_MIDPOINTS = (np.arange(ONE) + 0.5) / ONE
_OUTER = ONE * 37 // 40  # from here on, beyond +-0.425 from the middle, the normal ones are made one by one
# A ratio of polynomials: M. J. Wichura, Algorithm AS 241, Applied Statistics 37 (1988), as in the standard library.
_NUMERATOR = (
    *(2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4, 4.5921953931549871457e4),
    *(1.3731693765509461125e4, 1.9715909503065514427e3, 1.3314166789178437745e2, 3.3871328727963666080e0),
)
_DENOMINATOR = (
    *(5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4, 2.1213794301586595867e4),
    *(5.3941960214247511077e3, 6.8718700749205790830e2, 4.2313330701600911252e1, 1.0),
)


def _positive_quantiles() -> NDArray[np.float64]:
    """The normal ones of the upper half."""
    inner = _MIDPOINTS[ONE // 2 : _OUTER] - 0.5
    rest = 0.180625 - inner * inner
    inner *= np.polyval(_NUMERATOR, rest) / np.polyval(_DENOMINATOR, rest)
    outer = list(map(NormalDist().inv_cdf, _MIDPOINTS[_OUTER:].tolist()))
    return np.concatenate((inner, outer))


_POSITIVE = _positive_quantiles()
NORMAL_Q16 = _table(np.concatenate((-_POSITIVE[::-1], _POSITIVE)), ONE)
EXPONENTIAL_Q16 = _table(-np.log(_MIDPOINTS), ONE)
_EXP2_Q30 = _table([2.0 ** (i / 4096) for i in range(4097)], 1 << 30)
_EXP2_STEPS_Q30 = np.diff(_EXP2_Q30)
# A column's operation with an array of one number costs a third of a microsecond less than with a Python integer, which
# is a quarter of a short column's exponential.
_14, _16, _28, _30, _FFF, _FFFF, _LOG2E = map(np.array, (14, 16, 28, 30, 0xFFF, 0xFFFF, _LOG2E_Q26))
_LOGISTIC_Q16 = _table([1 / (1 + math.exp(-(i - 2048) / 256)) for i in range(4097)], ONE)


def _exp2(y_q28: Column, scale: int | Column) -> Column:
    """scale * 2**y; writes into y."""
    i: Column = (y_q28 >> _16) & _FFF
    rest: Column = y_q28 & _FFFF
    rest *= _EXP2_STEPS_Q30.take(i)
    rest >>= _16
    rest += _EXP2_Q30.take(i)  # the mantissa: Q30, in [1, 2), relative error below 4e-9
    y_q28 >>= _28
    rest *= scale
    np.subtract(_30, y_q28, out=y_q28)  # |x| < 20 keeps the shift between 1 and 59
    rest >>= y_q28
    return rest


def exp_q16(x_q16: Column, scale: int | Column = ONE) -> Column:
    """scale * exp(x), rounded down; x in Q16, |x| < 20; scale < 2**31. With the default scale the result is
    Q16.
    """
    y = x_q16 * _LOG2E
    y >>= _14
    return _exp2(y, scale)


def exp_of_q16(x_q16: int, scale: int = ONE) -> int:
    """`exp_q16` of one number, at a tenth of its cost."""
    y_q28 = (x_q16 * _LOG2E_Q26) >> 14
    i, rest = (y_q28 >> 16) & 0xFFF, y_q28 & 0xFFFF
    mantissa = int(_EXP2_Q30[i]) + ((int(_EXP2_STEPS_Q30[i]) * rest) >> 16)
    return (mantissa * scale) >> (30 - (y_q28 >> 28))


def exp_q32(x_q32: Column, scale: int | Column) -> Column:
    """scale * exp(x), rounded down; x in Q32, |x| < 4; scale < 2**31. Fine enough for prices (relative error
    below 1e-8).
    """
    y = x_q32 * _LOG2E
    y >>= _30
    return _exp2(y, scale)


def logistic_q16(x_q16: Column) -> Column:
    """1 / (1 + exp(-x)) in Q16, x in Q16, flat beyond +-8."""
    value: Column = _LOGISTIC_Q16.take((x_q16 >> 8) + 2048, mode="clip")
    return value


def pareto_q16(exponential_q16: Column, inverse_alpha_q16: int) -> Column:
    """Pareto variates of minimum 1 and tail index alpha in Q16, from exponential ones (u**(-1/alpha) =
    exp(E/alpha)).
    """
    return exp_q16((exponential_q16 * inverse_alpha_q16) >> 16)


def isqrt(x: Column) -> Column:
    """Floor of the square root of non-negative integers below 2**52."""
    root = np.sqrt(x.astype(np.float64)).astype(np.int64)  # sqrt is correctly rounded by IEEE 754 everywhere
    return root - (root * root > x)


def rows(n: int) -> Column:
    """0, 1, 2, ... n - 1: not to be written to, mostly a part of one column, which costs next to nothing."""
    return _ROWS[:n] if n <= len(_ROWS) else np.arange(n)


def exclusive(counts: Column) -> Column:
    """Where each of consecutive groups of these sizes starts."""
    start: Column = counts.cumsum() - counts
    return start


def group_of(counts: Column) -> Column:
    """The group index of each member of consecutive groups."""
    group: Column = rows(len(counts)).repeat(counts)
    return group


def ordered(key: Column) -> tuple[Column, Column]:
    """Non-negative keys in ascending order and the row of each, equal ones in their present order. Key and row number
    share one word (keys below 2**43 for a million rows), so that it is one sort of plain integers.
    """
    bits = len(key).bit_length()
    assert not len(key) or int(key.max()) < 1 << (63 - bits), (
        "keys too large to be packed with their row numbers"
    )
    packed = key << bits
    packed |= rows(len(key))
    packed.sort()
    order: Column = packed & ((1 << bits) - 1)
    packed >>= bits
    return packed, order


def stable_order(key: Column) -> Column:
    """The order that sorts non-negative keys, equal ones in their present order."""
    return ordered(key)[1]


def inserted(key: Column, before: Column, after: Column) -> tuple[Column, Column]:
    """How new rows go between those of an ascending `key`, ahead of equal ones (`before`) or behind them (`after`).

    Which row of the key stands in each row of the whole, of no meaning where a new one does; and where the new ones
    stand, those of `before` first. Half of a sort's cost, where they are few.
    """
    new, order = ordered(np.concatenate((before, after)))
    place = key.searchsorted(new)
    later = (order >= len(before)).nonzero()[0]
    place[later] = key.searchsorted(new.take(later), side="right")
    place += rows(len(new))
    is_new = np.zeros(len(key) + len(new), np.int64)
    is_new[place] = 1
    at = np.empty_like(place)
    at[order] = place
    return rows(len(is_new)) - is_new.cumsum(), at


def radix_order(key: Column) -> Column:
    """The same of keys below 65536, at half the cost: numpy sorts 16-bit words by their digits."""
    order: Column = key.astype(np.uint16).argsort(kind="stable")
    return order


def bounded(column: Column, low: int, high: int) -> Column:
    """Each value held within [low, high], at half of np.clip's cost up to a few thousand."""
    out: Column = np.maximum(column, low)
    return np.minimum(out, high, out=out)


def lengths(starts: Column, n: int) -> Column:
    """How long consecutive groups are that start at these of n rows."""
    out = np.empty_like(starts)
    np.subtract(starts[1:], starts[:-1], out=out[:-1])
    out[-1:] = n - starts[-1:]
    return out


def increments(column: Column, before: int) -> Column:
    """By how much each value exceeds the one before it, the first one `before` (a third of np.diff's cost)."""
    out = np.empty_like(column)
    if len(column):
        np.subtract(column[1:], column[:-1], out=out[1:])
        out[0] = column[0] - before
    return out


def begins(*columns: Column) -> NDArray[np.bool_]:
    """Which rows differ from the one before them, the first one always."""
    out = np.empty(len(columns[0]), np.bool_)
    out[:1] = True
    np.not_equal(columns[0][1:], columns[0][:-1], out=out[1:])
    for column in columns[1:]:
        out[1:] |= column[1:] != column[:-1]
    return out


def ends(column: Column) -> NDArray[np.bool_]:
    """Which rows differ from the one after them, the last one always."""
    out = np.empty(len(column), np.bool_)
    out[-1:] = True
    np.not_equal(column[1:], column[:-1], out=out[:-1])
    return out


def distinct(values: Column) -> Column:
    """The different values, ascending."""
    different = np.sort(values)
    return different.compress(begins(different))


def distinct_rows(values: Column) -> tuple[Column, Column]:
    """The different ones of non-negative values, ascending, and in which of these rows each value is."""
    ascending, order = ordered(values)
    new = begins(ascending)
    row = np.empty_like(order)
    row[order] = new.cumsum() - 1
    return ascending.compress(new), row


def apportion(totals: Column, weights: Column, counts: Column, least: int | Column = 0) -> Column:
    """Split totals[i] over the counts[i] members of group i in proportion to their weights, exactly; each
    gets at least `least`.

    `counts` and the sum of weights are positive in every group, weights non-negative; totals < 2**52 and at
    least the sum of the members' `least` (a scalar or a column of members).
    """
    stop = counts.cumsum()
    start, running = stop - counts, weights.cumsum()
    through = running.take(stop - 1)
    span = increments(through, 0)
    spare = totals - (least * counts if isinstance(least, int) else np.add.reduceat(least, start))
    inside = running - (through - span).repeat(counts)
    edge = muldiv(spare.repeat(counts), inside, span.repeat(counts))
    part = increments(edge, 0)
    part[start] = edge.take(start)
    part += least
    return part


def share(total: int, weights: Column) -> Column:
    """`apportion` for one group, at a quarter of its cost: the divisor is one number. Nothing, where no weight is."""
    running = weights.cumsum()
    whole = max(int(running[-1]), 1)
    scale = max(0, whole.bit_length() - _DIVISOR_BITS)
    if scale:
        running >>= scale
        whole = max(whole >> scale, 1)
    return increments(_muldiv(total, running, whole), 0)


def muldiv(a: Column, b: Column, c: Column) -> Column:
    """a * b // c for 0 <= b <= c, a and c below 2**52, without overflow. Of a c beyond 2**36 the last bits do not
    count.
    """
    c = np.maximum(c, 1)
    if int(c.max(initial=1)) >> _DIVISOR_BITS:
        scale = np.maximum(0, bit_length(c) - _DIVISOR_BITS)
        b, c = b >> scale, c >> scale
    return _muldiv(a, b, c)


@overload
def _muldiv(a: Column, b: Column, c: Column) -> Column: ...
@overload
def _muldiv(a: int, b: Column, c: int) -> Column: ...
def _muldiv(a: int | Column, b: Column, c: int | Column) -> Column:
    """The same for c in [1, 2**36]: where a product could overflow, a is split in two halves."""
    if _greatest(a).bit_length() + _greatest(c).bit_length() < 64:
        return a * b // c
    high, low = a >> _HALF_BITS, a & ((1 << _HALF_BITS) - 1)
    product = high * b
    whole: Column = np.floor_divide(product, c)
    rest: Column = np.floor_divide(((product - whole * c) << _HALF_BITS) + low * b, c)
    return (whole << _HALF_BITS) + rest


def _greatest(a: int | Column) -> int:
    return a if isinstance(a, int) else int(a.max(initial=0))


def quotient(a: Column, b: Column) -> Column:
    """a // b for 0 <= a and 0 < b, both below 2**52, by the division of floats.

    It is exact: the true quotient, if no integer, lies 1 / b or more below the next integer m, and a float is rounded
    up to m only from within m / 2**53 of it; m * b < a + b <= 2**53. Division is correctly rounded everywhere.
    """
    return (a / b).astype(np.int64)


def bit_length(x: Column) -> Column:
    """Bits needed for non-negative integers below 2**52."""
    return np.frexp(x.astype(np.float64))[1].astype(np.int64)
