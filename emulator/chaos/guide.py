"""What is said of kinds of faults to whoever asks: tables for a terminal, and where the documents say more."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from emulator.chaos.faults import KINDS
from emulator.chaos.rules import When, Where, Word, words
from emulator.chaos.scenarios import read_scenario, scenarios
from emulator.config import ConfigError, nearest

PAGE = "docs/chaos.md"
INDENT = 4  # of what is said of a kind, below its name


def link(kind: str) -> str:
    """Where a kind is explained: its chapter's anchor has the name without dots."""
    return f"{PAGE}#{kind.replace('.', '')}"


def tell(kind: str | None, console: Console) -> None:
    """Print the kinds, or one of them with all the words that its rules may have. ConfigError when there is none."""
    if kind is None:
        for name, fault in KINDS.items():
            options = f"  [{', '.join(word.name for word in words(fault))}]" if words(fault) else ""
            console.print(f"{name}{options}", markup=False, soft_wrap=True)
            console.print(Padding.indent(Text(fault.about), INDENT))
            console.print(Padding.indent(Text(link(name), no_wrap=True, overflow="ignore"), INDENT))
        return
    if kind not in KINDS:
        raise ConfigError(f"faults: {kind!r} is no fault{nearest(kind, KINDS)}")
    fault = KINDS[kind]
    console.print(f"{kind}: {fault.about} {link(kind)}", markup=False, soft_wrap=True)
    table = Table("word", "default", "what it does", "allowed")
    for word in _every(fault):
        table.add_row(word.name, word.otherwise, word.help, word.allowed)
    console.print(table)


def tell_scenarios(name: str | None, console: Console) -> None:
    """Print the scenarios, or the timeline of one. ConfigError when there is none such."""
    if name is None:
        table = Table("scenario", "what it is")
        for known in scenarios():
            table.add_row(known, read_scenario(known).about)
        console.print(table)
        return
    scenario = read_scenario(name, "scenarios")
    console.print(scenario.about, markup=False, soft_wrap=True)
    if scenario.source:
        console.print(f"source: {scenario.source}", markup=False, soft_wrap=True)
    for rule in scenario.rules:
        words = ", ".join(f"{word}: {value}" for word, value in rule.items)
        console.print(f"- {{{words}}}", markup=False, soft_wrap=True)


def _every(fault: type[object]) -> Iterator[Word]:
    for part in (fault, Where, When):
        yield from words(part)
