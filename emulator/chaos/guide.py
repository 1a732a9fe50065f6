"""What is said of kinds of faults to whoever asks: tables for a terminal, and where the documents say more."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from emulator.chaos.faults import KINDS
from emulator.chaos.rules import When, Where, Word, words
from emulator.config import ConfigError, nearest

PAGE = "docs/chaos.md"


def link(kind: str) -> str:
    """Where a kind is explained: its chapter's anchor has the name without dots."""
    return f"{PAGE}#{kind.replace('.', '')}"


def tell(kind: str | None, console: Console) -> None:
    """Print the kinds, or one of them with all the words that its rules may have. ConfigError when there is none."""
    if kind is None:
        table = Table("kind", "what a client sees", "options", "more")
        for name, fault in KINDS.items():
            table.add_row(name, fault.about, ", ".join(word.name for word in words(fault)), link(name))
        console.print(table)
        return
    if kind not in KINDS:
        raise ConfigError(f"faults: {kind!r} is no fault{nearest(kind, KINDS)}")
    fault = KINDS[kind]
    console.print(f"{kind}: {fault.about} {link(kind)}", markup=False, soft_wrap=True)
    table = Table("word", "default", "what it does", "allowed")
    for word in _every(fault):
        table.add_row(word.name, word.otherwise, word.help, word.allowed)
    console.print(table)


def _every(fault: type[object]) -> Iterator[Word]:
    for part in (fault, Where, When):
        yield from words(part)
