"""A run as Parquet files: columns of `reactor.runner`, written in parts by one process or many.

A part is a span of minutes, one file a table; it is a pure function of the run, so its bytes do not depend on who wrote
it or when. A file appears under its name only when it is whole, and says in its footer which run it belongs to: a run
that was interrupted goes on where it stopped, and no two runs get mixed.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from functools import lru_cache, partial
from hashlib import blake2b
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from emulator.config import ConfigError
from reactor.runner import TABLES as TAPE_TABLES
from reactor.runner import Run, Runner, Table
from reactor.types import BLOCK_NS, SECOND_NS, Column, Instrument
from reactor.values import dataclass
from venues.registry import funding_model

PART_MINUTES: Final = 10
FORMAT: Final = 2  # raised when the same run gets other bytes
SIDECAR: Final = "run.json"

TABLES: Final[Mapping[str, Mapping[str, str]]] = {
    **TAPE_TABLES,
    "funding": {
        "ts_ns": "when it was settled, ns since the epoch",
        "rate_e12": "rate of the interval, 1e-12",
        "premium_e12": "average premium it is made of, 1e-12",
        "interval_h": "length of the interval, hours",
    },
}
_STYLE: Final[Mapping[str, Any]] = {"compression": "zstd", "compression_level": 1, "use_dictionary": False}
_TYPES = {"side": pa.int8(), "interval_h": pa.int8(), "level": pa.int32()}
_SCHEMAS = {
    name: pa.schema([pa.field(column, _TYPES.get(column, pa.int64()), nullable=False) for column in columns])
    for name, columns in TABLES.items()
}


@dataclass(frozen=True, slots=True)
class Job:
    """What to write, and where: minutes [0, minutes) of a run, below a directory. The run's fate comes from `rules`, as
    they are written.
    """

    run: Run
    minutes: int
    out: Path
    rules: tuple[Mapping[str, object], ...] = ()

    @property
    def id(self) -> str:
        """What tells one job's files from another's, wherever they are."""
        said = (FORMAT, PART_MINUTES, self.minutes, self.run.seed, self.run.origin_ns, self.run.manifest.hash)
        fate = self.run.fate
        befell = [[type(each).__name__, asdict(each)] for each in (*fate.bends.each, *fate.veils)]
        whole = [*said, asdict(self.run.instrument), *([befell] if befell else [])]
        return blake2b(json.dumps(whole).encode(), digest_size=16).hexdigest()

    @property
    def parts(self) -> range:
        """The first minutes of its parts."""
        return range(0, self.minutes, PART_MINUTES)

    def path(self, table: str, first: int) -> Path:
        """The file of a table of the part that begins with this minute."""
        start_ns = self.run.origin_ns + first * BLOCK_NS
        return (
            self.out / table / f"{datetime.fromtimestamp(start_ns // SECOND_NS, UTC):%Y-%m-%dT%H-%MZ}.parquet"
        )


@dataclass(frozen=True, slots=True)
class Part:
    """A part that is written: its minutes, and by table how many rows it has and the digest of what they say."""

    minutes: int
    rows: Mapping[str, int]
    digests: Mapping[str, str]


def generate(job: Job, workers: int, done: Callable[[Part], None]) -> Mapping[str, Any]:
    """Write what is not there yet, telling `done` of every part, and then the sidecar, which is returned.

    ConfigError when the directory holds another run, or cannot be written to.
    """
    try:
        for table in TABLES:
            (job.out / table).mkdir(parents=True, exist_ok=True)
        _sweep(job)
        parts: dict[int, Part] = {}
        for first, part in _parts(job, workers):
            parts[first] = part
            done(part)
        sidecar = _sidecar(job, [parts[first] for first in job.parts])
        _replace(job.out / SIDECAR, (json.dumps(sidecar, indent=2) + "\n").encode())
    except OSError as error:
        raise ConfigError(f"{error.filename or job.out}: {error.strerror or error}") from None
    return sidecar


def _parts(job: Job, workers: int) -> Iterator[tuple[int, Part]]:
    """The parts by their first minutes: those there already, then the others as they get ready."""
    missing = []
    for first in job.parts:
        if part := _found(job, first):
            yield first, part
        else:
            missing.append(first)
    if min(workers, len(missing)) <= 1:
        yield from map(partial(_write, job), missing)
        return
    # A fresh interpreter each: what a fork would inherit, threads and locks, is nobody's to use.
    with get_context("spawn").Pool(min(workers, len(missing)), _heed_no_interrupt) as pool:
        try:
            yield from pool.imap_unordered(partial(_write, job), missing)
        finally:
            pool.terminate()
            pool.join()
            for draft in _drafts(job):
                draft.unlink(missing_ok=True)


def _heed_no_interrupt() -> None:
    """Ctrl-C reaches all processes of a terminal; the first one ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


# ---------------------------------------------------------------- a part
@lru_cache(1)
def _runner(run: Run) -> Runner:
    return Runner(run)


def _write(job: Job, first: int) -> tuple[int, Part]:
    """Make a part and put its files in place, the last of them when all are whole."""
    runner, stop = _runner(job.run), min(first + PART_MINUTES, job.minutes)
    rows, hashes = dict.fromkeys(TABLES, 0), {name: blake2b(digest_size=16) for name in TABLES}
    targets = {name: job.path(name, first) for name in TABLES}
    drafts = {name: path.with_name(f".{path.name}.tmp") for name, path in targets.items()}
    try:
        with ExitStack() as files:
            meaning = _contract(job.run.instrument)
            writers = {
                name: files.enter_context(
                    pq.ParquetWriter(drafts[name], schema.with_metadata(meaning), **_STYLE)
                )
                for name, schema in _SCHEMAS.items()
            }
            for k in range(first, stop):
                for name, columns in {**runner.minute(k), "funding": _funding(runner, k)}.items():
                    if n := len(columns["ts_ns"]):
                        ordered = [columns[column] for column in TABLES[name]]
                        rows[name] += n
                        for column in ordered:
                            hashes[name].update(np.ascontiguousarray(column, dtype="<i8").data)
                        writers[name].write_table(_table(name, ordered))
            part = Part(stop - first, rows, {name: value.hexdigest() for name, value in hashes.items()})
            for name, writer in writers.items():
                writer.add_key_value_metadata(_footer(job, part, name))
        for name, draft in drafts.items():
            draft.replace(targets[name])
    finally:
        for draft in drafts.values():
            draft.unlink(missing_ok=True)
    return first, part


def _table(name: str, columns: list[Column]) -> pa.Table:
    schema = _SCHEMAS[name]
    arrays = [
        pa.array(column.astype(field.type.to_pandas_dtype(), copy=False))
        for column, field in zip(columns, schema, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _funding(runner: Runner, k: int) -> Table:
    """The settlements of a minute, at its start if at all; none where nothing funds the market."""
    instrument, start_ns = runner.run.instrument, runner.run.origin_ns + k * BLOCK_NS
    model = funding_model(instrument)
    if model is None or start_ns % (3_600 * SECOND_NS):
        return {column: np.zeros(0, np.int64) for column in TABLES["funding"]}
    settled = model.settlements(runner.market, start_ns, start_ns + BLOCK_NS)
    return {column: getattr(settled, column) for column in TABLES["funding"]}


def _contract(instrument: Instrument) -> dict[str, str]:
    """What the numbers of a file mean."""
    names = ("market", "base", "quote", "price_decimals", "tick_size", "qty_decimals", "lot_size")
    return {name: str(getattr(instrument, name)) for name in names}


def _footer(job: Job, part: Part, name: str) -> dict[str, str]:
    """What a file is part of, and the digest of what it says."""
    return {"run": job.id, "minutes": str(part.minutes), "content_hash": part.digests[name]}


def _found(job: Job, first: int) -> Part | None:
    """The part if all its files are there already."""
    rows, digests, minutes = {}, {}, 0
    for name in TABLES:
        path = job.path(name, first)
        if not path.exists():
            return None
        footer = pq.read_metadata(path)
        said = footer.metadata
        rows[name], digests[name], minutes = (
            footer.num_rows,
            said[b"content_hash"].decode(),
            int(said[b"minutes"]),
        )
    return Part(minutes, rows, digests)


# ---------------------------------------------------------------- a directory
def _sweep(job: Job) -> None:
    """Remove what an interrupted run left behind; ConfigError when there are files of another one."""
    for draft in _drafts(job):
        draft.unlink()
    for path in chain.from_iterable((job.out / table).iterdir() for table in TABLES):
        if path.suffix != ".parquet" or _run_of(path) != job.id:
            raise ConfigError(f"--out: {path} is of another run; choose another directory")


def _drafts(job: Job) -> list[Path]:
    """Files that are being written, or were when somebody was stopped."""
    return [path for table in TABLES for path in (job.out / table).glob(".*.parquet.tmp")]


def _run_of(path: Path) -> str | None:
    try:
        said = pq.read_metadata(path).metadata or {}
    except pa.ArrowInvalid:
        return None
    return bytes(said.get(b"run", b"")).decode()


def _sidecar(job: Job, parts: list[Part]) -> dict[str, Any]:
    """What was generated from what: everything needed to do it again, and to tell that it is the same."""
    tables = {
        name: {
            "rows": sum(part.rows[name] for part in parts),
            "content_hash": _hash(part.digests[name] for part in parts),
            "columns": dict(columns),
        }
        for name, columns in TABLES.items()
    }
    return {
        "instrument": asdict(job.run.instrument),
        "seed": job.run.seed,
        "start": datetime.fromtimestamp(job.run.origin_ns // SECOND_NS, UTC).isoformat(),
        "minutes": job.minutes,
        "manifest": job.run.manifest.to_dict(),
        "manifest_hash": job.run.manifest.hash,
        **({"faults": list(job.rules)} if job.rules else {}),
        "run": job.id,
        "rows": sum(part.rows[name] for part in parts for name in TABLES),
        "content_hash": _hash(part.digests[name] for part in parts for name in TABLES),
        "tables": tables,
    }


def _hash(digests: Iterator[str]) -> str:
    return blake2b("".join(digests).encode(), digest_size=16).hexdigest()


def _replace(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.tmp")
    draft.write_bytes(content)
    draft.replace(path)
