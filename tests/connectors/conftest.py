"""Emulators for all clients, running from now on as `serve` starts them: one in real time, one for impatient tests."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.serving import Served, serving

HASTE = "30"  # virtual seconds per second
# One for each client that trades, so that what one does is not in the other's balances.
ACCOUNTS = {
    name: {"keys": [{"key": f"{name}-key", "secret": f"{name}-secret"}]}
    for name in ("ccxt", "python-binance")
}


# Of a package, so that no emulator runs on beside what else a worker has to do.
@pytest.fixture(scope="package")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    authority = {
        "XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache"))
    }  # not the one of whoever runs the tests
    options = ("--seed", "7", "--tls", "--accounts", json.dumps(ACCOUNTS))
    with serving(*options, environment=authority, history=True) as emulator:
        yield emulator


@pytest.fixture(scope="package")
def stepped() -> Iterator[Served]:
    """An hour before a settlement of funding, its clock standing still."""
    with serving("--seed", "7", "--start", "2026-01-01T07:00:00Z", "--paused") as emulator:
        yield emulator


@pytest.fixture(scope="package")
def hastened() -> Iterator[Served]:
    with serving("--seed", "7", "--speed", HASTE) as emulator:
        yield emulator
