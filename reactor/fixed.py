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
_LOGISTIC_Q16 = _table([1 / (1 + math.exp(-(i - 2048) / 256)) for i in range(4097)], ONE)


def _exp2(y_q28: Column, scale: int | Column) -> Column:
    whole, part = y_q28 >> 28, y_q28 & ((1 << 28) - 1)
    i, rest = part >> 16, part & 0xFFFF
    low = _EXP2_Q30[i]
    mantissa = low + (((_EXP2_Q30[i + 1] - low) * rest) >> 16)  # Q30, in [1, 2), relative error below 4e-9
    value: Column = (mantissa * scale) >> (30 - whole)  # |x| < 20 keeps the shift between 1 and 59
    return value


def exp_q16(x_q16: Column, scale: int | Column = ONE) -> Column:
    """scale * exp(x), rounded down; x in Q16, |x| < 20; scale < 2**31. With the default scale the result is
    Q16.
    """
    return _exp2((x_q16 * _LOG2E_Q26) >> 14, scale)


def exp_q32(x_q32: Column, scale: int | Column) -> Column:
    """scale * exp(x), rounded down; x in Q32, |x| < 4; scale < 2**31. Fine enough for prices (relative error
    below 1e-8).
    """
    return _exp2((x_q32 * _LOG2E_Q26) >> 30, scale)


def logistic_q16(x_q16: Column) -> Column:
    """1 / (1 + exp(-x)) in Q16, x in Q16, flat beyond +-8."""
    value: Column = _LOGISTIC_Q16[np.clip((x_q16 >> 8) + 2048, 0, 4096)]
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


def exclusive(counts: Column) -> Column:
    """Where each of consecutive groups of these sizes starts."""
    return np.cumsum(counts) - counts


def group_of(counts: Column) -> Column:
    """The group index of each member of consecutive groups."""
    return np.repeat(np.arange(len(counts), dtype=np.int64), counts)


def stable_order(key: Column) -> Column:
    """The order that sorts non-negative keys, equal ones in their present order. Key and row number share one
    word (keys below 2**43 for a million rows), so that it is one sort of plain integers.
    """
    bits = len(key).bit_length()
    assert not len(key) or int(key.max()) < 1 << (63 - bits), (
        "keys too large to be packed with their row numbers"
    )
    packed = key << bits | np.arange(len(key))
    packed.sort()
    order: Column = packed & ((1 << bits) - 1)
    return order


def increments(column: Column, before: int) -> Column:
    """By how much each value exceeds the one before it, the first one `before` (a third of np.diff's cost)."""
    out = column.copy()
    out[1:] -= column[:-1]
    out[:1] -= before
    return out


def begins(*columns: Column) -> NDArray[np.bool_]:
    """Which rows differ from the one before them, the first one always."""
    out = np.ones(len(columns[0]), np.bool_)
    np.not_equal(columns[0][1:], columns[0][:-1], out=out[1:])
    for column in columns[1:]:
        out[1:] |= column[1:] != column[:-1]
    return out


def ends(column: Column) -> NDArray[np.bool_]:
    """Which rows differ from the one after them, the last one always."""
    out = np.ones(len(column), np.bool_)
    np.not_equal(column[1:], column[:-1], out=out[:-1])
    return out


def distinct(values: Column) -> Column:
    """The different values, ascending."""
    ordered = np.sort(values)
    different: Column = ordered[begins(ordered)]
    return different


def apportion(totals: Column, weights: Column, counts: Column, least: int | Column = 0) -> Column:
    """Split totals[i] over the counts[i] members of group i in proportion to their weights, exactly; each
    gets at least `least`.

    `counts` and the sum of weights are positive in every group, weights non-negative; totals < 2**52 and at
    least the sum of the members' `least` (a scalar or a column of members).
    """
    group, start = group_of(counts), exclusive(counts)
    floor = np.broadcast_to(np.asarray(least, dtype=np.int64), len(weights))
    running = np.cumsum(weights)
    base = np.where(start > 0, running[start - 1], 0)
    span = running[start + counts - 1] - base
    spare = totals - np.add.reduceat(floor, start) if len(start) else totals
    edge = muldiv(spare[group], running - base[group], span[group])
    part = increments(edge, 0)
    part[start] = edge[start]
    return part + floor


def share(total: int, weights: Column, least: int | Column = 0) -> Column:
    """`apportion` for one group, at 2/5 of its cost: the divisor is one number."""
    running = np.cumsum(weights)
    spare = total - (least * len(weights) if isinstance(least, int) else int(least.sum()))
    whole = max(int(running[-1]), 1)
    scale = max(0, whole.bit_length() - _DIVISOR_BITS)
    part = increments(_muldiv(spare, running >> scale, max(whole >> scale, 1)), 0)
    part += least
    return part


def muldiv(a: Column, b: Column, c: Column) -> Column:
    """a * b // c for 0 <= b <= c, a and c below 2**52, without overflow. Of a c beyond 2**36 the last bits do not
    count.
    """
    c = np.maximum(c, 1)
    scale = np.maximum(0, bit_length(c) - _DIVISOR_BITS)
    return _muldiv(a, b >> scale, c >> scale)


@overload
def _muldiv(a: Column, b: Column, c: Column) -> Column: ...
@overload
def _muldiv(a: int, b: Column, c: int) -> Column: ...
def _muldiv(a: int | Column, b: Column, c: int | Column) -> Column:
    """The same for c in [1, 2**36]: a is split in two halves."""
    high, low = a >> _HALF_BITS, a & ((1 << _HALF_BITS) - 1)
    product = high * b
    quotient: Column = np.floor_divide(product, c)
    rest: Column = np.floor_divide(((product - quotient * c) << _HALF_BITS) + low * b, c)
    return (quotient << _HALF_BITS) + rest


def bit_length(x: Column) -> Column:
    """Bits needed for non-negative integers below 2**52."""
    return np.frexp(x.astype(np.float64))[1].astype(np.int64)
