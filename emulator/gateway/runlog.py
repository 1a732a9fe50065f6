"""The inputs of a run, in order, each with the boundary at which it took effect. With the settings, they are the run.

What clients asked of a floor is in it as it was asked, what was asked of the control API too; what clients only looked
at, and how they came to look, is not: it changes nothing. The newest INPUTS_KEPT are kept.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, cast

import orjson

from emulator.config import ConfigError
from emulator.gateway.journal import COMMANDS
from reactor.exchange.orders import Command
from reactor.values import dataclass

FORMAT = 1
INPUTS_KEPT = 100_000
COMMAND = "command"


@dataclass(frozen=True, slots=True)
class Input:
    """One: `do` is what was asked, `what` its words; of a COMMAND, the venue and the command itself."""

    at_ns: int
    do: str
    what: object
    venue: str = ""


@dataclass(frozen=True, slots=True)
class Log:
    """A log that was read: the settings and instants of its run, and the inputs."""

    settings: Mapping[str, object]
    start_ns: int
    origin_ns: int
    now_ns: int
    inputs: tuple[Input, ...]


class RunLog:
    """The log of the run that goes on."""

    def __init__(self) -> None:
        self.inputs: deque[Input] = deque(maxlen=INPUTS_KEPT)
        self.count = 0

    def add(self, at_ns: int, do: str, what: object, venue: str = "") -> None:
        """An input takes effect."""
        self.count += 1
        self.inputs.append(Input(at_ns, do, what, venue))

    def lines(self, run: Mapping[str, object]) -> Iterator[bytes]:
        """The log as text: a line about the run, then a line for each input."""
        head = {"log": FORMAT, "inputs": self.count, "first": self.count - len(self.inputs) + 1, **run}
        yield _line(head)
        for each in self.inputs:
            row: dict[str, object] = {"at_ns": each.at_ns, "do": each.do}
            if each.do == COMMAND:
                row |= {"venue": each.venue, "command": type(each.what).__name__}
            yield _line({**row, "what": each.what})


def _line(content: Mapping[str, object]) -> bytes:
    return orjson.dumps(content, default=str) + b"\n"


def read_log(text: str) -> Log:
    """A log as it was exported. ConfigError, of one line, where it is none, or its beginning is lost."""
    head, *rows = text.splitlines() or [""]
    try:
        run = _object(head)
        if run.get("log") != FORMAT:
            raise ConfigError("log: line 1: this is no log of this version")
        if run["first"] != 1:
            raise ConfigError(
                f"log: its first {run['first'] - 1} inputs were no longer kept when it was exported"
            )
    except (ValueError, KeyError, TypeError):
        raise ConfigError("log: line 1: this is no log of a run") from None
    inputs = tuple(_input(number, row) for number, row in enumerate(rows, 2))
    return Log(run["settings"], run["start_ns"], run["origin_ns"], run["now_ns"], inputs)


def _object(line: str) -> dict[str, Any]:
    content = json.loads(line)
    if not isinstance(content, dict):
        raise TypeError
    return content


def _input(number: int, line: str) -> Input:
    try:
        row = _object(line)
        if row["do"] != COMMAND:
            return Input(row["at_ns"], row["do"], row["what"])
        return Input(row["at_ns"], COMMAND, _command(row["command"], row["what"]), row["venue"])
    except (ValueError, KeyError, TypeError):
        raise ConfigError(f"log: line {number}: this is no input") from None


def _command(kind: str, what: Mapping[str, object]) -> Command:
    from pydantic import TypeAdapter  # noqa: PLC0415  # whoever reruns nothing need not wait for it

    return cast(Command, TypeAdapter(COMMANDS[kind]).validate_python(what))
