"""The journal: what it was given is there after whatever ended the process, and nothing else is."""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from itertools import starmap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.config import DEMO, ConfigError, load
from emulator.gateway.journal import COMMANDS, Entry, FileJournal, RuleChange, Run, settings_hash
from reactor.exchange.orders import (
    CancelOrder,
    Command,
    Deposit,
    NewOrder,
    PlaceOrder,
    Remember,
    SelfTrade,
    TimeInForce,
)
from reactor.types import Side

RUN = Run(seed=7, settings="abc", origin_ns=0, start_ns=1_000)
ORDER = NewOrder(
    "demo",
    "venue:COIN",
    Side.SELL,
    101,
    5,
    time_in_force=TimeInForce.FOK,
    self_trade=SelfTrade.NONE,
    client_id="é",
    words=(("a", "b"),),
)
ENTRIES: list[tuple[int, str, Command]] = [
    (2_000, "venue", Deposit("demo", "spot", "COIN", 10**15)),
    (3_000, "venue", PlaceOrder(ORDER)),
    (3_000, "other", CancelOrder("demo", "venue:COIN", None, "é")),
    (4_000, "venue", Remember("demo", "nonce", "17", expires_ns=9_000)),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.journal"


def written(path: Path, entries: list[tuple[int, str, Command]] = ENTRIES) -> None:
    journal = FileJournal.open(path, RUN)
    for entry in entries:
        journal.record(*entry)
    journal.close()


def read(path: Path, run: Run = RUN) -> tuple[list[tuple[int, str, Command]], int]:
    journal = FileJournal.open(path, run)
    _, entries = journal.recorded()
    found = [(entry.at_ns, entry.venue, entry.command) for entry in entries if isinstance(entry, Entry)]
    journal.close()
    return found, journal.marked_ns


def test_commands_come_back_as_they_were(path: Path) -> None:
    written(path)
    assert read(path) == (ENTRIES, 4_000)


def test_every_command_can_be_kept() -> None:
    assert set(COMMANDS) == {
        "PlaceOrder", "PlacePair", "CancelOrder", "CancelAll", "AmendOrder", "SetLeverage", "Deposit", "Transfer",
        "SetMarginMode", "MoveMargin",
        "ScheduleCancel", "Deleverage", "MeetOrder", "Remember",
    }  # fmt: skip


def test_a_journal_is_continued_not_begun_anew(path: Path) -> None:
    written(path, ENTRIES[:2])
    written(path, ENTRIES[2:])
    assert read(path)[0] == ENTRIES


def test_time_goes_on_at_the_last_mark(path: Path) -> None:
    journal = FileJournal.open(path, RUN)
    journal.mark(5_000)
    journal.mark(4_000)
    journal.close()
    assert read(path) == ([], 5_000)


@given(cut=st.integers(1, 200))
def test_a_torn_last_line_is_dropped_and_written_over(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    path = tmp_path_factory.mktemp("torn") / "run.journal"
    written(path)
    whole = path.read_bytes()
    last = len(whole) - len(whole.splitlines(keepends=True)[-1])
    path.write_bytes(whole[: max(len(whole) - cut, last)])
    assert read(path)[0] == ENTRIES[:-1]
    written(path, ENTRIES[-1:])
    assert path.read_bytes() == whole


def test_a_damaged_line_within_is_refused(path: Path) -> None:
    written(path)
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)
    with pytest.raises(ConfigError, match=r"line \d is damaged"):
        read(path)


@pytest.mark.parametrize("name", ["seed", "settings", "start_ns", "origin_ns"])
def test_a_journal_of_another_run_is_refused(path: Path, name: str) -> None:
    written(path)
    other = Run(**{**asdict(RUN), name: "else" if name == "settings" else 60_000})
    with pytest.raises(ConfigError, match=f"is of a run with other {name.removesuffix('_ns')}"):
        read(path, other)


def test_a_run_from_now_on_takes_up_the_start_it_began_with(path: Path) -> None:
    written(path)
    journal = FileJournal.open(path, replace(RUN, start_ns=9_000, origin_ns=60_000), any_start=True)
    assert journal.run == RUN
    journal.close()


def test_a_journal_has_one_writer(path: Path) -> None:
    journal = FileJournal.open(path, RUN)
    with pytest.raises(ConfigError, match="in use by another process"):
        FileJournal.open(path, RUN)
    journal.close()


def test_what_is_no_journal_is_refused(path: Path) -> None:
    path.write_text("seed: 7\nvenues: []\n")
    with pytest.raises(ConfigError, match=r"run\.journal"):
        FileJournal.open(path, RUN)


def test_a_checkpoint_stands_for_what_was_recorded_before_it(path: Path) -> None:
    journal = FileJournal.open(path, RUN)
    for entry in ENTRIES[:2]:
        journal.record(*entry)
    journal.checkpoint(3_500, {"venue": {"orders": 1}})
    for entry in ENTRIES[2:]:
        journal.record(*entry)
    journal.close()
    journal = FileJournal.open(path, RUN)
    states, entries = journal.recorded()
    assert states == {"venue": {"orders": 1}}
    assert list(starmap(Entry, ENTRIES[2:])) == list(entries)
    journal.close()


def test_rules_about_markets_stay_in_order_and_a_checkpoint_has_those_before_it(path: Path) -> None:
    journal = FileJournal.open(path, RUN)
    journal.rule(1_500, "crash", {"kind": "mkt.flash_crash", "fall_pct": 20})
    journal.checkpoint(3_500, {})
    journal.record(*ENTRIES[0])
    journal.rule(5_000, "crash", None)
    journal.close()
    for _ in range(2):  # a checkpoint that was read is as good as one that was written
        journal = FileJournal.open(path, RUN)
        assert journal.rules == [RuleChange(1_500, "crash", {"kind": "mkt.flash_crash", "fall_pct": 20})]
        _, entries = journal.recorded()
        assert list(entries) == [Entry(*ENTRIES[0]), RuleChange(5_000, "crash", None)]
        journal.close()
    journal = FileJournal.open(path, RUN)
    journal.checkpoint(6_000, {})
    journal.close()
    journal = FileJournal.open(path, RUN)
    assert [change.at_ns for change in journal.rules] == [1_500, 5_000]
    journal.close()


def test_time_goes_on_at_a_checkpoint_with_nothing_after_it(path: Path) -> None:
    journal = FileJournal.open(path, RUN)
    journal.checkpoint(3_500, {})
    journal.close()
    assert read(path) == ([], 3_500)


def test_a_journal_begun_anew_has_nothing_of_the_one_before(path: Path) -> None:
    journal = FileJournal.open(path, RUN)
    journal.checkpoint(3_500, {"venue": {"orders": 1}})
    journal.close()
    path.unlink()
    journal = FileJournal.open(path, RUN)
    assert journal.recorded()[0] == {}
    journal.close()
    assert read(path) == ([], RUN.start_ns)


def test_a_journal_shorter_than_its_checkpoint_says_is_refused(path: Path) -> None:
    """As after a power cut, where it was not told to wait for the disk."""
    written(path)
    whole = path.read_bytes()
    journal = FileJournal.open(path, RUN)
    journal.record(*ENTRIES[0])
    journal.checkpoint(4_500, {})
    journal.close()
    path.write_bytes(whole)
    with pytest.raises(ConfigError, match=r"run\.journal is shorter than when run\.journal\.checkpoint was"):
        read(path)


def test_a_full_disk_spoils_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a line was written, and the rest had no room: the command is not kept, the next one is."""
    journal = FileJournal.open(path, RUN)
    real = os.write

    def full(file: int, data: bytes) -> int:
        if len(data) < 20:
            raise OSError(28, "No space left on device")
        return real(file, data[:-10])

    with monkeypatch.context() as patch:
        patch.setattr("emulator.gateway.journal.os.write", full)
        with pytest.raises(OSError, match="No space"):
            journal.record(*ENTRIES[0])
    journal.record(*ENTRIES[1])
    journal.close()
    assert read(path)[0] == ENTRIES[1:2]


def test_the_checkpoint_of_another_run_counts_for_nothing(path: Path) -> None:
    journal = FileJournal.open(path, replace(RUN, seed=8))
    journal.checkpoint(3_500, {"venue": {}})
    journal.close()
    path.unlink()
    written(path)
    assert read(path)[0] == ENTRIES


def test_what_shapes_the_run_is_in_its_hash_and_what_does_not_is_not() -> None:
    plain = load([], [])
    assert settings_hash(replace(plain, base_port=1, speed=5.0, log_level="error")) == settings_hash(plain)
    assert settings_hash(replace(plain, accounts=(DEMO,))) != settings_hash(plain)
