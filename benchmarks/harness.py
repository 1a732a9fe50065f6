"""What benches are made with: rows and their bounds, measures taken in turns, processes beside this one.

A bench is a function of how often to measure that yields rows. Each row is one figure of ours and, where there is one,
the same figure of a reference from the same run: the two are measured in turns, ours first, so that whatever else the
machine does meets both.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

RUNS = 5
END_S = 10  # so long a process may take to end
READERS, SERVERS = (
    0,
    -1,
)  # which of the cores there are: who is measured has one of its own, where there are two

PUBLIC = ("bench", "workload", "unit", "ours", "reference", "reference_cost", "ratio", "runs", "spread")


@dataclass(frozen=True, slots=True)
class Bound:
    """What a row is to reach: at most so much, or at least; of its ratio, or of our figure itself."""

    limit: float
    at_least: bool = False
    of_ours: bool = False

    def __str__(self) -> str:
        return f"{'>=' if self.at_least else '<='} {self.limit:.4g}{' of ours' if self.of_ours else ''}"


@dataclass(frozen=True, slots=True)
class Row:
    """A figure, and the same of a reference from the same run, where there is one.

    Each is the median of its runs, and so is the ratio of ours to the reference's, run by run. `spread` is how far
    these ratios lie apart (our figures, where there is no reference): the largest less the smallest, by the median.
    """

    bench: str
    workload: str
    unit: str
    ours: float
    reference: str | None
    reference_cost: float | None
    ratio: float | None
    runs: int
    spread: float
    bound: Bound | None = None

    @classmethod
    def of(
        cls,
        bench: str,
        workload: str,
        unit: str,
        ours: Sequence[float],
        reference: str | None = None,
        costs: Sequence[float] = (),
        bound: Bound | None = None,
    ) -> Row:
        """The row of our figures, one a run, and of the reference's."""
        median, runs = statistics.median(ours), len(ours)
        if reference is None:
            return cls(bench, workload, unit, median, None, None, None, runs, _spread(ours), bound)
        ratios = [mine / cost for mine, cost in zip(ours, costs, strict=True)]
        cost, ratio = statistics.median(costs), statistics.median(ratios)
        return cls(bench, workload, unit, median, reference, cost, ratio, runs, _spread(ratios), bound)

    @property
    def reached(self) -> bool | None:
        """Whether it is within its bound; None where it has none."""
        if self.bound is None:
            return None
        figure = self.ours if self.bound.of_ours or self.ratio is None else self.ratio
        return figure >= self.bound.limit if self.bound.at_least else figure <= self.bound.limit

    def told(self) -> dict[str, str | float | None]:
        """The row as it is printed for programs."""
        return {key: getattr(self, key) for key in PUBLIC}


def _spread(figures: Sequence[float]) -> float:
    return (max(figures) - min(figures)) / (abs(statistics.median(figures)) or 1.0)


def in_turns(runs: int, *measures: Callable[[], float]) -> list[tuple[float, ...]]:
    """The figures of each measure, all of them taken once before any is taken again."""
    return list(zip(*([measure() for measure in measures] for _ in range(runs)), strict=True))


@contextmanager
def on_core(which: int) -> Iterator[None]:
    """Have this process run on one of the cores it may run on, where the system lets one say so."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {sorted(cores)[which]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


@contextmanager
def beside(work: Callable[[Connection], None]) -> Iterator[Connection]:
    """A process on a core of its own that does this work with the other end of a pipe, until it is sent None."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    child: BaseProcess = context.Process(target=_work, args=(work, theirs), daemon=True)
    child.start()
    theirs.close()  # if it fails, whoever waits for it is told
    try:
        yield ours
    finally:
        with suppress(BrokenPipeError):
            ours.send(None)
        child.join(END_S)
        child.kill()


def _work(work: Callable[[Connection], None], pipe: Connection) -> None:
    with on_core(SERVERS):
        work(pipe)


CPU_TIME = "CPU time?"


def serve(pipe: Connection, acts: Mapping[str, Callable[[], object]]) -> None:
    """Do what is asked by name, and tell what came of it, until there is no more; a process's CPU time can always be
    asked for.
    """
    while (name := pipe.recv()) is not None:
        pipe.send(time.process_time() if name == CPU_TIME else acts[name]())


def tell(pipe: Connection, name: str) -> Any:
    """Ask a process that `serve`s to do something; what came of it."""
    pipe.send(name)
    return pipe.recv()


def cpu_time_s(pipe: Connection) -> float:
    """The CPU time of a process that tells it when asked."""
    told: float = tell(pipe, CPU_TIME)
    return told
