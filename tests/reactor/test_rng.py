"""Streams: independent, prefix-stable, reproducible, with the moments they promise."""

import numpy as np
import pytest

from reactor.fixed import ONE
from reactor.rng import stream


def test_a_stream_is_named_by_its_seed_and_path() -> None:
    """Same name, same bits; another seed, path or nesting, other bits."""
    names: tuple[tuple[int, str, int], ...] = (
        (7, "a", 1),
        (8, "a", 1),
        (7, "a", 2),
        (7, "b", 1),
        (7, "a", 11),
    )
    draws = [
        [tuple(stream(seed, name, part).words(8, 32).tolist()) for seed, name, part in names]
        for _ in range(2)
    ]
    assert draws[0] == draws[1]
    assert len(set(draws[0])) == len(names)


def test_first_bits_are_pinned() -> None:
    """Philox words are the same on every machine and with every numpy; these were written down once."""
    assert stream(7, "pinned").words(4, 32).tolist() == [2243075853, 2372410196, 3615476050, 3984046186]
    assert stream(7, "pinned").words(4, 16).tolist() == [40717, 34226, 6996, 36200]


def test_longer_draws_extend_shorter_ones() -> None:
    """The first n of m > n draws are the n draws."""
    assert stream(1, "x").normal_q16(1000)[:10].tolist() == stream(1, "x").normal_q16(10).tolist()


@pytest.mark.parametrize("mean", [0, 0.05, 1, 7.9, 8.1, 300])
def test_poisson_has_its_mean_and_variance(mean: float) -> None:
    """On both sides of the cut-over between the exact and the normal branch."""
    n = 100_000
    draws = stream(3, "poisson", str(mean)).poisson(n, round(mean * ONE))
    error = 5 * np.sqrt(max(mean, 1e-9) / n)
    assert draws.min() >= 0
    assert abs(draws.mean() - mean) <= error + 0.01 * mean
    assert abs(draws.var() - mean) <= 0.03 * mean + 0.1 * (mean >= 8)


@pytest.mark.parametrize("mean_q16", [0, 1, ONE, 8 * ONE - 1, 8 * ONE, 300 * ONE + 5, 2**37 - 1])
def test_one_count_is_drawn_as_many_are(mean_q16: int) -> None:
    """Alone or in a column of one: the same count, and the stream goes on at the same word."""
    for name in range(200):
        alone, column = stream(4, name), stream(4, name)
        assert [alone.count(mean_q16)] == column.poisson(1, mean_q16).tolist()
        assert alone.words(9, 16).tolist() == column.words(9, 16).tolist()


def test_uniforms_and_coins() -> None:
    """below() covers its range evenly, chance() comes true as often as it says."""
    draws = stream(5, "below").below(60_000, 6)
    assert sorted(set(draws.tolist())) == list(range(6))
    assert np.abs(np.bincount(draws) - 10_000).max() < 500
    assert abs(stream(5, "coin").chance(100_000, ONE // 4).mean() - 0.25) < 0.01
