"""The pytest plugin: a fixture `exchange`, a fresh emulator for each test that asks for it.

pytest loads this in every project that has the emulator installed, so the product is imported by the fixture alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from emulator.sdk import Emulator


@pytest.fixture
def exchange() -> Iterator[Emulator]:
    """A running emulator: all venues, free ports, the clock standing at 2026-01-01 00:00 UTC, the default
    seed.
    """
    from emulator.sdk import Emulator  # noqa: PLC0415

    with Emulator() as running:
        yield running
