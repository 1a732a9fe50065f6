"""The pytest plugin: a fixture `exchange`, a fresh emulator for each test that asks for it.

pytest loads this in every project that has the emulator installed, so the product is imported by the fixture alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from emulator.sdk import Emulator


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers", "emulator(preset=, seed=, start=, venues=, ...): settings of the test's `exchange`"
    )


@pytest.fixture
def exchange(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    """A running emulator: all venues, free ports, the clock standing at 2026-01-01 00:00 UTC, the default
    seed; or as the marker `emulator` of the test, its class or its module has it.
    """
    from emulator.sdk import Emulator  # noqa: PLC0415

    settings: dict[str, Any] = {}
    for mark in reversed(list(request.node.iter_markers("emulator"))):
        settings |= mark.kwargs
    with Emulator(**settings) as running:
        yield running
