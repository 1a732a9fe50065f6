"""Files of a run: the rows of the tape, the same whoever wrote them, whole or not there."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from shutil import rmtree

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emulator.config import ConfigError, Layer
from emulator.generate import job as asked_job
from emulator.parquet import PART_MINUTES, TABLES, Job, Part, generate
from emulator.sdk import Emulator
from reactor.runner import Run, Runner
from reactor.types import BLOCK_NS, SECOND_NS
from tests.patience import PATIENCE_S
from venues.registry import LISTED

EIGHT_NS = 1_767_254_400 * SECOND_NS  # 2026-01-01T08:00Z: funding is settled at every full hour
LISTING = LISTED["hyperliquid:SOL"]
RUN = Run(7, EIGHT_NS - 5 * BLOCK_NS, LISTING.instrument, LISTING.manifest)
MINUTES = 2 * PART_MINUTES + 3


def job(out: Path, run: Run = RUN, minutes: int = MINUTES) -> Job:
    return Job(run, minutes, out)


def contents(out: Path) -> dict[str, bytes]:
    """Every file by its name."""
    return {
        str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()
    }


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run, written by one process."""
    out = tmp_path_factory.mktemp("one")
    generate(job(out), 1, lambda _: None)
    return out


def test_files_hold_the_rows_of_the_tape(written: Path) -> None:
    """Table by table, in order, as the runner makes them; prices and quantities stay whole numbers."""
    runner = Runner(RUN)
    minutes = [runner.minute(k) for k in range(MINUTES)]
    for name in minutes[0]:
        table = pq.read_table(written / name)
        assert table.column_names == list(TABLES[name])
        assert all(pa.types.is_integer(field.type) for field in table.schema)
        for column in TABLES[name]:
            expected = np.concatenate([minute[name][column] for minute in minutes])
            assert np.array_equal(table[column].to_numpy(), expected), (name, column)


def test_funding_is_what_was_settled(written: Path) -> None:
    """One row at the full hour, of an interval of an hour."""
    (row,) = pq.read_table(written / "funding").to_pylist()
    assert (row["ts_ns"], row["interval_h"]) == (EIGHT_NS, 1)


def test_spot_is_not_funded(tmp_path: Path) -> None:
    """Its table of settlements is there and empty."""
    spot = LISTED["binance:SOLUSDT"]
    made = generate(job(tmp_path, replace(RUN, instrument=spot.instrument), 7), 1, lambda _: None)
    assert made["tables"]["funding"]["rows"] == 0
    assert pq.read_table(tmp_path / "funding").num_rows == 0


def test_a_file_says_what_its_numbers_mean(written: Path) -> None:
    """The scale of ticks and lots stands in each footer."""
    for path in written.rglob("*.parquet"):
        said = pq.read_metadata(path).metadata
        sol = LISTING.instrument
        assert said[b"market"] == b"hyperliquid:SOL"
        assert int(said[b"price_decimals"]) == sol.price_decimals
        assert int(said[b"qty_decimals"]) == sol.qty_decimals
        assert (int(said[b"tick_size"]), int(said[b"lot_size"])) == (sol.tick_size, sol.lot_size)


def test_many_workers_write_what_one_does(written: Path, tmp_path: Path) -> None:
    """File by file, byte by byte, the sidecar with its hashes too."""
    generate(job(tmp_path), 2, lambda _: None)
    assert contents(tmp_path) == contents(written)


def test_the_sidecar_tells_how_to_do_it_again(written: Path) -> None:
    """Its counts are those of the files; market, manifest, seed and start are the run's."""
    said = json.loads((written / "run.json").read_text())
    assert (said["seed"], said["minutes"], said["start"]) == (7, MINUTES, "2026-01-01T07:55:00+00:00")
    assert said["instrument"]["market"] == "hyperliquid:SOL"
    assert said["manifest"] == LISTING.manifest.to_dict()
    assert said["manifest_hash"] == LISTING.manifest.hash
    for name, row in said["tables"].items():
        assert row["rows"] == pq.read_table(written / name).num_rows
    assert said["rows"] == sum(row["rows"] for row in said["tables"].values())


def test_another_seed_has_another_hash(written: Path, tmp_path: Path) -> None:
    """The hash is of what the files say."""
    made = generate(job(tmp_path, replace(RUN, seed=8)), 1, lambda _: None)
    assert made["content_hash"] != json.loads((written / "run.json").read_text())["content_hash"]


def test_a_second_run_only_makes_what_is_missing(written: Path, tmp_path: Path) -> None:
    """Of a part with a file gone, all; whatever a stopped process left behind goes away."""
    generate(job(tmp_path), 1, lambda _: None)
    kept, lost = sorted((tmp_path / "bbo").glob("*.parquet"))[:2]
    before = kept.stat().st_mtime_ns
    lost.unlink()
    (tmp_path / "bbo" / f".{lost.name}.tmp").write_bytes(b"half")
    (tmp_path / "run.json").unlink()
    parts: list[Part] = []
    generate(job(tmp_path), 1, parts.append)
    assert sum(part.minutes for part in parts) == MINUTES
    assert kept.stat().st_mtime_ns == before
    assert contents(tmp_path) == contents(written)


@pytest.mark.parametrize("other", [{"seed": 8}, {"origin_ns": RUN.origin_ns + BLOCK_NS}])
def test_runs_are_not_mixed(written: Path, other: dict[str, int]) -> None:
    """A directory that holds another run is left as it is."""
    before = contents(written)
    with pytest.raises(ConfigError, match="of another run"):
        generate(job(written, replace(RUN, **other)), 1, lambda _: None)  # type: ignore[arg-type]
    assert contents(written) == before


def test_half_a_file_is_nobodys(tmp_path: Path) -> None:
    """Under a whole one's name it is not taken for a part, nor written over."""
    path = job(tmp_path).path("trades", 0)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"PAR1half")
    with pytest.raises(ConfigError, match="of another run"):
        generate(job(tmp_path), 1, lambda _: None)


@pytest.mark.parametrize(("number", "workers"), [(signal.SIGINT, "2"), (signal.SIGKILL, "1")])
def test_an_interrupted_run_goes_on(
    written: Path, tmp_path: Path, number: signal.Signals, workers: str
) -> None:
    """What it leaves under a file's name is whole; the next run ends as if nothing had happened."""
    program = str(Path(sys.executable).with_name("exchange-emulator"))
    arguments = [
        program,
        "generate",
        "--market",
        "hyperliquid:SOL",
        "--seed",
        "7",
        "--start",
        "2026-01-01T07:55",
    ]
    arguments += ["--minutes", str(MINUTES), "--out", str(tmp_path), "--workers", workers]
    # What a shell runs in the background ignores the signal, and so would the program.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for _ in range(10):  # on a busy machine a run may be over before the signal is there
        with subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            deadline = time.monotonic() + PATIENCE_S
            while not list(tmp_path.glob("trades/.*.tmp")) and time.monotonic() < deadline:
                time.sleep(0.005)
            process.send_signal(number)
        if process.returncode:
            break
        rmtree(tmp_path)
    assert process.returncode
    assert not (tmp_path / "run.json").exists()
    for path in tmp_path.rglob("*.parquet"):
        pq.read_metadata(path)
    generate(job(tmp_path), 1, lambda _: None)
    assert contents(tmp_path) == contents(written)


# ---------------------------------------------------------------- what befalls a market
BAD_MINUTES = """
- {kind: mkt.flash_crash, symbol: BTCUSDT, at_s: 70, fall_pct: 15, fall_s: 20, times: 3}
- {kind: mkt.auction_reopen, venue: binance, symbol: BTC*, at_s: 130, halt_s: 20, call_s: 25}
- {kind: mkt.tick_size, venue: binance, symbol: BTCUSDT, at_s: 200, duration_s: 60}
- {kind: md.gap, venue: binance, channel: depth}
"""


def generated(out: Path, minutes: int, **settings: str) -> Job:
    """The command's job, done."""
    flags = Layer(lambda name: f"--{name}", {"start": "2026-01-01T00:00Z", **settings})
    asked = asked_job(None, None, "binance:BTCUSDT", flags, str(minutes), out)
    generate(asked, 1, lambda _: None)
    return asked


def test_files_of_what_befalls_a_market_are_what_a_server_lives_through(tmp_path: Path) -> None:
    """A crash, an auction, a larger tick size: every trade, and the books at the minutes' starts."""
    rules = tmp_path / "rules.yaml"
    rules.write_text(BAD_MINUTES)
    start_ns = generated(tmp_path / "tape", 5, faults=str(rules)).run.origin_ns
    trades = pq.read_table(tmp_path / "tape" / "trades").to_pylist()
    books = pq.read_table(tmp_path / "tape" / "l2_snapshots").to_pylist()
    with Emulator({"venues": ["binance"], "faults": str(rules)}) as running:
        running.clock.advance(300)
        lived = running.truth.trades(
            "binance", "BTCUSDT", after_ns=start_ns - 1, upto_ns=start_ns + 5 * BLOCK_NS
        )
        assert [row["trade_id"] for row in trades] == [trade.id for trade in lived]
        assert [Decimal(row["price_ticks"]) / 100 for row in trades] == [trade.price for trade in lived]
        for k in range(1, 5):
            book = running.truth.book("binance", "BTCUSDT", start_ns + k * BLOCK_NS)
            rows = [row for row in books if row["ts_ns"] == start_ns + k * BLOCK_NS]
            prices = [
                {Decimal(row["price_ticks"]) / 100 for row in rows if row["side"] == side} for side in (0, 1)
            ]
            assert prices == [set(book.bids), set(book.asks)]
    assert min(row["price_ticks"] for row in trades) < 0.86 * trades[0]["price_ticks"]
    seconds = {(row["ts_ns"] - start_ns) // SECOND_NS for row in trades}
    assert not seconds & set(range(130, 175))
    assert {120, 180} <= seconds
    inside = [row["price_ticks"] for row in trades if 200 <= (row["ts_ns"] - start_ns) // SECOND_NS < 260]
    assert inside
    assert not any(price % 10 for price in inside)
    said = json.loads((tmp_path / "tape" / "run.json").read_text())
    assert [rule["kind"].partition(".")[0] for rule in said["faults"]] == ["mkt", "mkt", "mkt", "md"]


def test_a_market_has_no_rows_before_its_listing(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("- {kind: mkt.new_listing, symbol: BTCUSDT, at_s: 120}")
    start_ns = generated(tmp_path / "tape", 3, faults=str(rules)).run.origin_ns
    for table in ("trades", "bbo", "l2_snapshots", "l2_updates", "mark"):
        times = pq.read_table(tmp_path / "tape" / table)["ts_ns"].to_numpy()
        assert times.min() - start_ns >= 2 * BLOCK_NS


def test_a_tape_of_what_befalls_a_market_is_another_run(tmp_path: Path) -> None:
    """Files of one are not taken for those of the other."""
    generated(tmp_path, 1, scenario="2024-01-19-tick-size")
    with pytest.raises(ConfigError, match="is of another run"):
        generated(tmp_path, 1, scenario="2021-10-21-flash-crash")
