"""The tables of docs/manifest.md and docs/generate.md are what the code says, row by row."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from emulator.parquet import PART_MINUTES, TABLES
from reactor.manifest import ASSET_PARAMETERS, SimulationManifest

DOCS = Path(__file__).parent.parent / "docs"


def rows(page: str) -> list[str]:
    return re.findall(r"^\| `[\w]+` \|.*$", (DOCS / page).read_text(), re.MULTILINE)


def parameters() -> list[str]:
    """A line for each parameter: default, unit, range, effect."""
    found = []
    for row in fields(SimulationManifest):
        low, high = row.metadata["range"]
        values = f"`{row.default}` | {row.metadata['unit']} | {low:g} to {high:g}"
        found.append(f"| `{row.name}` | {values} | {row.metadata['effect']} |")
    return found


def columns() -> list[str]:
    """A line for each column of each table."""
    return [f"| `{name}` | {said} |" for table in TABLES.values() for name, said in table.items()]


@pytest.mark.parametrize(("page", "expected"), [("manifest.md", parameters()), ("generate.md", columns())])
def test_the_tables_are_the_codes(page: str, expected: list[str]) -> None:
    """Every row, in order, and no other."""
    assert rows(page) == expected


def test_what_the_pages_say_beside_is_so() -> None:
    """The asset's own parameters, the tables and the length of a part."""
    manifest, generate = ((DOCS / page).read_text() for page in ("manifest.md", "generate.md"))
    assert f"({', '.join(f'`{name}`' for name in ASSET_PARAMETERS)})" in " ".join(manifest.split())
    assert re.findall(r"^### `(\w+)`$", generate, re.MULTILINE) == list(TABLES)
    assert f"{PART_MINUTES} minutes" in generate
