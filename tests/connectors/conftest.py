"""One emulator for all clients: real time, from now on, as `serve` starts it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.serving import Served, serving


@pytest.fixture(scope="session")
def served() -> Iterator[Served]:
    with serving("--seed", "7") as emulator:
        yield emulator
