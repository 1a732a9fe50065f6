"""The benchmarks say what they mean: they count right, and their output can be read by programs."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.__main__ import BENCHES, main
from benchmarks.harness import Bound, Row, in_turns
from benchmarks.markets import BARS
from benchmarks.sockets import payloads
from venues.registry import VENUES
from venues.wire import frame

ROOT = Path(__file__).parent.parent


@given(st.lists(st.sampled_from([0, 1, 125, 126, 200, 65_535, 65_536]), max_size=6), st.integers(0, 9))
def test_messages_are_taken_out_of_frames(sizes: list[int], missing: int) -> None:
    """However long each of them is; one that is not whole is left."""
    messages = [b"x" * size for size in sizes]
    data = b"".join(map(frame, messages))
    assert payloads(data) == messages
    assert payloads(data + frame(b"y" * 10)[: 11 - missing]) == messages


def test_ours_and_the_reference_are_measured_in_turns() -> None:
    """So that a machine that grows slower does so for both."""
    clock = count(1.0)
    assert in_turns(3, clock.__next__, clock.__next__) == [(1.0, 3.0, 5.0), (2.0, 4.0, 6.0)]


def test_a_row_is_the_median_of_its_runs() -> None:
    """Its ratio is the median of each run's own, and so is its spread: a slow machine slows both."""
    row = Row.of("b", "w", "s", [1.0, 2.0, 6.0], "r", [1.0, 4.0, 6.0], Bound(1.0))
    assert (row.ours, row.reference_cost, row.ratio, row.runs, row.spread) == (2.0, 4.0, 1.0, 3, 0.5)
    assert Row.of("b", "w", "s", [1.0, 2.0, 4.0]).spread == 1.5


@pytest.mark.parametrize(
    ("bound", "reached"),
    [
        (Bound(0.5), True),
        (Bound(0.4), False),
        (Bound(0.5, at_least=True), True),
        (Bound(0.6, at_least=True), False),
        (Bound(3.0, of_ours=True), True),
        (Bound(2.9, of_ours=True), False),
    ],
)
def test_a_bound_is_of_the_ratio_or_of_ours(bound: Bound, reached: bool) -> None:
    assert Row.of("b", "w", "s", [3.0], "r", [6.0], bound).reached is reached


def test_what_is_asked_for_is_there() -> None:
    """Every venue with bars is one there is."""
    assert {venue_id for venue_id, _ in BARS} <= {venue.id for venue in VENUES}


def test_json_has_a_line_for_each_row() -> None:
    """With these keys and no others."""
    command = (sys.executable, "-m", "benchmarks", "startup", "--json", "--runs", "1")
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    keys = ("bench", "workload", "unit", "ours", "reference", "reference_cost", "ratio", "runs", "spread")
    for line in told:
        row = json.loads(line)
        assert tuple(row) == keys
        assert row["bench"] == "startup"
        assert min(row["ours"], row["reference_cost"]) > 0
        if "CPU" in row["workload"]:
            assert row["ours"] > row["reference_cost"]
        assert row["runs"] == 1
    assert told


def test_an_unknown_bench_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """With the ones there are."""
    with pytest.raises(SystemExit):
        main(["--help"])
    known = capsys.readouterr().out
    assert all(name in known for name in BENCHES)
    with pytest.raises(SystemExit) as refused:
        main(["nothing"])
    assert refused.value.code == 2
