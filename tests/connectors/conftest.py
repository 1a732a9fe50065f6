"""Emulators for all clients, running from now on as `serve` starts them: one in real time, one for impatient tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.serving import Served, serving

HASTE = "30"  # virtual seconds per second


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    authority = {
        "XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache"))
    }  # not the one of whoever runs the tests
    with serving("--seed", "7", "--tls", environment=authority) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def hastened() -> Iterator[Served]:
    with serving("--seed", "7", "--speed", HASTE) as emulator:
        yield emulator
