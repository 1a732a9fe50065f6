"""The log of a run's commands on disk: what makes an acknowledged order survive whatever ends the process.

A file of lines, each a checksum and a JSON object. The first is the run: seed, settings, origin and start. Then
commands with the boundary and the venue they were carried out at, in order, rules about markets that came and went, and
time marks: how far virtual time had surely come, written every virtual second and before anybody is told anything.
Beside it, in a file of its own that is replaced whole, the newest checkpoint: the floors' states, how much of the log
they stand for, and the rules in that, which go on being part of what markets are. A restart takes the checkpoint and
what came after it, and goes on at the last mark. A torn last line was never answered, and is dropped.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Protocol, get_args

import orjson

from emulator.config import Config, ConfigError
from reactor.exchange import orders
from reactor.exchange.orders import Command
from reactor.values import dataclass

FORMAT = 3
COMMANDS: Mapping[str, type] = {kind.__name__: kind for kind in get_args(orders.Command)}
# What a run may be restarted with otherwise than it was begun: where it listens, how fast it goes, what it says.
OF_THE_PROCESS = frozenset(
    {
        *("base_port", "host", "control_host", "api_key", "tls", "tls_cert", "tls_key", "limits"),
        *("start", "origin", "speed", "paused", "delivery", "socket_lifetime", "lazy_history"),
        *("journal", "fsync", "resume_gap", "log_level", "faults", "scenario"),
    }
)


class Journal(Protocol):
    """Where commands are kept before they count. Every call returns when what it was given is kept."""

    def record(self, now_ns: int, venue: str, command: Command) -> None:
        """A command, and when it is carried out."""
        ...

    def rule(self, now_ns: int, name: str, words: Mapping[str, object] | None) -> None:
        """A rule about markets was added at a boundary, as it was written, or removed (None)."""
        ...

    def mark(self, now_ns: int) -> None:
        """Virtual time has come so far. Idempotent."""
        ...

    def checkpoint(self, now_ns: int, states: Mapping[str, object]) -> None:
        """The states of all floors, by venue, as of now and of all that was recorded."""
        ...


@dataclass(frozen=True, slots=True)
class Entry:
    """A recorded command."""

    at_ns: int
    venue: str
    command: Command


@dataclass(frozen=True, slots=True)
class RuleChange:
    """A rule about markets that was added, by its words, or removed (None)."""

    at_ns: int
    name: str
    words: Mapping[str, object] | None


@dataclass(frozen=True, slots=True)
class Run:
    """The first line: a run's identity, and what "now" and its origin were when it began."""

    seed: int
    settings: str
    origin_ns: int
    start_ns: int


def settings_hash(config: Config) -> str:
    """A hash of every setting that shapes what a client reads."""
    values = {row.name: getattr(config, row.name) for row in fields(config) if row.name not in OF_THE_PROCESS}
    return hashlib.sha256(repr(sorted(values.items())).encode()).hexdigest()[:16]


class FileJournal:
    """A journal in a file, and its checkpoint in FILE.checkpoint.

    "Kept" means handed to the operating system, so it outlives the process; with `fsync`, that it is on the disk.
    """

    def __init__(self, path: Path, run: Run, *, fsync: bool = False) -> None:
        self.run = run
        self.marked_ns = run.start_ns  # the last mark
        self._path = path
        self._fsync = fsync
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._size = 0
        self._kept: Mapping[str, Any] | None = None  # the checkpoint that it goes on from
        self._rules: list[Mapping[str, Any]] = []  # lines of rules, all there were

    # ------------------------------------------------------------ opening
    @classmethod
    def open(cls, path: Path, run: Run, *, any_start: bool = False, fsync: bool = False) -> FileJournal:
        """A new journal, or the one that is there, if it is of a run with the same seed, settings and start.

        With `any_start` the run goes on from the start and origin of the one that is there. ConfigError, of one line,
        when it is of another run, when it is damaged, or when another process has it.
        """
        try:
            journal = cls(path, run, fsync=fsync)
        except OSError as error:
            raise ConfigError(f"journal: {path}: {error.strerror or error}") from None
        try:
            _lock(journal._file, path)
            journal._resume(run, any_start)
        except BaseException:
            journal.close()
            raise
        return journal

    def _resume(self, asked: Run, any_start: bool) -> None:
        lines = self._lines()
        first = next(lines, None)
        if first is None:
            self._checkpoint.unlink(missing_ok=True)  # of one that was here before
            self._append(_dump({"journal": FORMAT, "run": asked}))
            return
        if first.get("journal") != FORMAT:
            raise ConfigError(f"journal: {self._path} is no journal of this version")
        self.run = Run(**first["run"])
        for name in ("seed", "settings") if any_start else ("seed", "settings", "start_ns", "origin_ns"):
            if getattr(self.run, name) != getattr(asked, name):
                raise ConfigError(f"journal: {self._path} is of a run with other {name.removesuffix('_ns')}")
        self.marked_ns = self.run.start_ns
        self._kept = self._newest()
        if self._kept is not None:  # what came before it need not be read
            self.marked_ns = self._kept["at"]
            self._rules += self._kept.get("rules", ())
            lines = self._lines(self._kept["size"])
        for line in lines:
            self.marked_ns = max(self.marked_ns, line["at"])
            if "rule" in line:
                self._rules.append(line)
        os.ftruncate(self._file, self._size)

    def _newest(self) -> Mapping[str, Any] | None:
        """The newest checkpoint, if there is one of this run."""
        try:
            found = _load(self._checkpoint.read_bytes())
        except FileNotFoundError:
            return None
        if found is None or found["run"] != asdict(self.run):
            return None
        if found["size"] > os.fstat(self._file).st_size:
            raise ConfigError(
                f"journal: {self._path} is shorter than when {self._checkpoint.name} was written"
            )
        return found

    @property
    def rules(self) -> list[RuleChange]:
        """What became of rules about markets before the checkpoint that a restart goes on from."""
        lines = self._kept.get("rules", ()) if self._kept is not None else ()
        return [_rule_change(line) for line in lines]

    def recorded(self) -> tuple[Mapping[str, Any], Iterator[Entry | RuleChange]]:
        """What a restart goes on from: floors' states by venue, as JSON gives them back (none: nothing but the run),
        and what has happened since.
        """
        kept, self._kept = self._kept, None
        return (kept["states"], self._entries(kept["size"])) if kept else ({}, self._entries(0))

    def _entries(self, size: int) -> Iterator[Entry | RuleChange]:
        from pydantic import TypeAdapter  # noqa: PLC0415  # whoever keeps no journal need not wait for it

        adapters: Mapping[str, TypeAdapter[Command]] = {
            name: TypeAdapter(kind) for name, kind in COMMANDS.items()
        }
        for line in self._lines(size):
            if "do" in line:
                yield Entry(line["at"], line["venue"], adapters[line["do"]].validate_python(line["what"]))
            elif "rule" in line:
                yield _rule_change(line)

    def _lines(self, start: int = 0) -> Iterator[dict[str, Any]]:
        """The lines from there on, leaving `_size` behind the last whole one. ConfigError at a damaged one."""
        self._size = start
        with open(self._path, "rb") as file:  # noqa: PTH123  # twice open, so that reading does not move the writer
            file.seek(start)
            for number, line in enumerate(file, 1):
                content = _load(line)
                if content is None:
                    if file.read(1):
                        raise ConfigError(f"journal: {self._path}: line {number} is damaged")
                    return
                self._size += len(line)
                yield content

    # ------------------------------------------------------------ writing
    @property
    def _checkpoint(self) -> Path:
        return self._path.with_name(self._path.name + ".checkpoint")

    def record(self, now_ns: int, venue: str, command: Command) -> None:
        self._append(_dump({"at": now_ns, "venue": venue, "do": type(command).__name__, "what": command}))
        self.marked_ns = now_ns

    def rule(self, now_ns: int, name: str, words: Mapping[str, object] | None) -> None:
        line = {"at": now_ns, "rule": name, "words": words}
        self._append(_dump(line))
        self._rules.append(line)
        self.marked_ns = now_ns

    def mark(self, now_ns: int) -> None:
        if now_ns > self.marked_ns:
            self._append(_dump({"at": now_ns}))
            self.marked_ns = now_ns

    def checkpoint(self, now_ns: int, states: Mapping[str, object]) -> None:
        self.mark(now_ns)
        new = self._checkpoint.with_suffix(".new")
        stands_for = {"at": now_ns, "size": self._size, "states": states, "rules": self._rules}
        new.write_bytes(_dump({"run": self.run, **stands_for}))
        if self._fsync:
            with new.open("rb") as file:
                os.fsync(file.fileno())
        new.replace(self._checkpoint)

    def _append(self, line: bytes) -> None:
        left = line
        try:
            while left:
                left = left[os.write(self._file, left) :]
        except OSError:
            os.ftruncate(self._file, self._size)  # half a line would spoil those that follow
            raise
        self._size += len(line)
        if self._fsync:
            os.fsync(self._file)

    def close(self) -> None:
        """Let go of the file. Idempotent."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _dump(content: Mapping[str, object]) -> bytes:
    text = orjson.dumps(content, option=orjson.OPT_NON_STR_KEYS)
    return b"%08x %b\n" % (zlib.crc32(text), text)


def _load(line: bytes) -> dict[str, Any] | None:
    """A line's content; None where it is torn or damaged."""
    text = line[9:-1]
    if len(line) < 10 or line[-1:] != b"\n" or line[:9] != b"%08x " % zlib.crc32(text):
        return None
    content: dict[str, Any] = orjson.loads(text)
    return content


def _rule_change(line: Mapping[str, Any]) -> RuleChange:
    return RuleChange(line["at"], line["rule"], line["words"])


def _lock(file: int, path: Path) -> None:
    """Keep other processes from writing the same journal; where the system has no such locks, trust."""
    try:
        import fcntl  # noqa: PLC0415  # POSIX only
    except ImportError:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ConfigError(f"journal: {path} is in use by another process") from None
