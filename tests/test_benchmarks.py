"""The benchmarks say what they mean: they count right, and their output can be read by programs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.measures import BARS, MEASURES, count_frames
from venues.registry import VENUES
from venues.wire import frame

ROOT = Path(__file__).parent.parent


@given(st.lists(st.sampled_from([0, 1, 125, 126, 200, 65_535, 65_536]), max_size=6))
def test_frames_are_counted(sizes: list[int]) -> None:
    """However long each of them is."""
    assert count_frames(b"".join(frame(b"x" * size) for size in sizes)) == len(sizes)


def test_what_is_asked_for_is_there() -> None:
    """Every venue with bars is one there is."""
    assert {venue_id for venue_id, _ in BARS} <= {venue.id for venue in VENUES}


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-m", "benchmarks", *arguments)
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_json_has_a_row_for_each_figure() -> None:
    """Measure, subject, value, unit, and the reference of the same run with the ratio to it."""
    told = json.loads(bench("startup", "--json").stdout)
    (row,) = told["rows"]
    assert row["measure"] == "startup"
    assert row["value"] > row["reference"] > 0
    assert row["ratio"] == pytest.approx(row["value"] / row["reference"])
    assert set(told["machine"]) == {"python", "numpy", "system", "cpus"}


def test_an_unknown_measure_is_refused() -> None:
    """With the ones there are."""
    refused = bench("nothing")
    assert refused.returncode == 2
    assert all(name in bench("--help").stdout for name in MEASURES)
