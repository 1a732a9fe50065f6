"""Counter-based randomness: `stream(seed, *path)` is an independent Philox generator; the only importer of
numpy.random.

Rule: only raw bits are drawn here, and everything made of them is integer arithmetic. numpy's distributions
change with its version and its float64 `exp` and `log` with the CPU's vector width; raw Philox words and
int64 arithmetic do neither, so the same (seed, path) gives the same numbers on every machine.
"""

from __future__ import annotations

import math
from hashlib import blake2b

import numpy as np
from numpy.random import Philox
from numpy.random.bit_generator import ISeedSequence
from numpy.typing import NDArray

from reactor.fixed import EXPONENTIAL_Q16, NORMAL_Q16, ONE
from reactor.types import Column

_AHEAD = 128  # 64-bit draws that are made at once, for what is asked for next
_DRAW = np.dtype("<u8")
_NONE = np.zeros(0, _DRAW)
_START = np.zeros(4, np.uint64)  # of the counter: as an array, numpy has it in no time
_WORDS = {8: np.uint8, 16: np.uint16, 32: np.uint32}


class _Key(ISeedSequence):
    """A Philox key, handed over as a seed sequence: with `key=` numpy would gather entropy first."""

    __slots__ = ("_words",)

    def __init__(self, key: bytes) -> None:
        self._words = np.frombuffer(key, _DRAW)

    def generate_state(self, n_words: int, dtype: object = np.uint32) -> NDArray[np.uint64]:  # noqa: ARG002
        """The key's two words, which is what Philox asks for."""
        return self._words


class Stream:
    """Draws from one stream, in order. Every draw is a column of integers; fixed-point values are Q16 (65536
    = 1).
    """

    __slots__ = ("_ahead", "_at", "_bits")

    def __init__(self, key: bytes) -> None:
        self._bits = Philox(_Key(key), counter=_START)  # type: ignore[arg-type]  # any ISeedSequence will do
        self._ahead, self._at = _NONE, 0

    def words(self, n: int, width: int) -> NDArray[np.unsignedinteger]:
        """n unsigned words of 8, 16 or 32 bits."""
        start, self._at = self._at, self._at - (-n * width // 64)
        if (missing := self._at - len(self._ahead)) > 0:
            # The words of a 64-bit draw are taken in little-endian order on every machine.
            more = self._bits.random_raw(missing + _AHEAD).astype(_DRAW, copy=False)
            self._ahead = np.concatenate((self._ahead[start:], more)) if start < len(self._ahead) else more
            start, self._at = 0, self._at - start
        return self._ahead[start : self._at].view(_WORDS[width])[:n]

    def uniform_q16(self, n: int) -> Column:
        """Uniform on [0, 65536)."""
        return self.words(n, 16).astype(np.int64)

    def uniform_q32(self, n: int) -> Column:
        """Uniform on [0, 2**32)."""
        return self.words(n, 32).astype(np.int64)

    def below(self, n: int, bound: int | Column) -> Column:
        """n integers uniform on [0, bound), bound < 2**31 (a scalar or a column of n)."""
        return (self.uniform_q32(n) * bound) >> 32

    def chance(self, n: int, p_q16: int | Column) -> NDArray[np.bool_]:
        """n coins, each true with probability p_q16 / 65536."""
        return self.words(n, 16) < p_q16

    def normal_q16(self, n: int) -> Column:
        """Standard normal variates in Q16."""
        value: Column = NORMAL_Q16.take(self.words(n, 16))
        return value

    def exponential_q16(self, n: int) -> Column:
        """Exponential variates of mean 1 in Q16."""
        value: Column = EXPONENTIAL_Q16.take(self.words(n, 16))
        return value

    def count(self, mean_q16: int) -> int:
        """One count of the given mean, below 2**37: what `poisson` draws for one, at a tenth of its cost."""
        z = int(NORMAL_Q16[self.words(1, 16)[0]])
        if mean_q16 >= 8 * ONE:
            root = int(math.sqrt(mean_q16 * ONE))  # sqrt is correctly rounded everywhere
            return max((mean_q16 + ((root * z) >> 16) + ONE // 2) >> 16, 0)
        elapsed = 0
        for few in range(32):
            elapsed += int(EXPONENTIAL_Q16[self.words(1, 16)[0]])
            if elapsed >= mean_q16:
                return few
        return 32

    def poisson(self, n: int, mean_q16: int | Column, *, apart: bool = False) -> Column:
        """n counts of the given mean(s): exact below 8 by inversion of the exponential clock's integer table,
        normal above. Where they are drawn `apart`, a count depends on its own mean alone, not on the others'.

        The cut-over keeps the cost flat; what matters downstream is mean and variance, which both branches
        have.
        """
        mean = np.broadcast_to(np.asarray(mean_q16, dtype=np.int64), n)
        z = self.normal_q16(n)
        root = np.sqrt(mean.astype(np.float64) * ONE).astype(np.int64)  # sqrt is correctly rounded everywhere
        large: Column = np.maximum((mean + ((root * z) >> 16) + ONE // 2) >> 16, 0)
        low = mean < 8 * ONE
        if apart:
            small, elapsed = np.zeros(n, np.int64), np.zeros(n, np.int64)
            for _ in range(32):
                elapsed = elapsed + self.exponential_q16(n)
                small += elapsed < mean
            return np.where(low, small, large)
        if not low.any():
            return large
        small = np.zeros(n, np.int64)
        m = int(low.sum())
        few, elapsed, budget = np.zeros(m, np.int64), np.zeros(m, np.int64), mean[low]
        for _ in range(32):
            elapsed = elapsed + self.exponential_q16(m)
            alive = elapsed < budget
            if not alive.any():
                break
            few += alive
        small[low] = few
        return np.where(low, small, large)


def stream(seed: int, *path: str | int) -> Stream:
    """The independent stream named by (seed, path)."""
    name = "/".join(map(str, (seed, *path))).encode()
    return Stream(blake2b(name, digest_size=16).digest())
