"""How the tests run: `--long` for the ones that take minutes, and examples that are the same on every machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import websockets.asyncio.client
import websockets.sync.client
from hypothesis import settings

from tests.patience import PATIENCE_S

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

# A client's own deadlines are stops, too, unless a test is about them: a busy machine answers a handshake when it can.
for connecting in (websockets.sync.client.connect, websockets.asyncio.client.connect.__init__):
    assert connecting.__kwdefaults__
    for deadline in ("open_timeout", "ping_timeout"):
        connecting.__kwdefaults__[deadline] = PATIENCE_S


# Files of a core's half a minute or of many pauses, the longest first: begun last, one of them would leave the other
# cores idle. Those with real clients are apart from each other, for they start many processes.
LONGEST = (
    "connectors/test_clients.py", "venues/test_contract.py", "test_law.py", "test_documents.py",
    "reactor/test_single_asset.py", "connectors/test_lasting.py", "venues/test_funding.py", "test_agreement.py",
    "connectors/test_configure.py", "venues/test_binance_rest.py", "test_crash.py", "connectors/test_stranger.py",
    "reactor/test_veils.py", "venues/test_hyperliquid_wire.py", "connectors/test_examples.py", "test_fidelity.py",
    "test_any_market.py", "test_benchmarks.py", "connectors/test_cookbook.py", "emulator/test_presets.py",
    "emulator/test_driver.py", "emulator/test_connection.py", "venues/test_occasions.py", "reactor/test_skeleton.py",
    "emulator/test_chaos_markets.py", "emulator/test_parquet.py", "emulator/test_judgements.py",
)  # fmt: skip
TESTS = Path(__file__).parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="also run the tests that take minutes")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--long"):
        skip = pytest.mark.skip(reason="takes minutes; run with --long")
        for item in items:
            if "long" in item.keywords:
                item.add_marker(skip)
    if hasattr(config, "workerinput"):  # files are given to several processes in this order
        rank = {TESTS / name: n for n, name in enumerate(LONGEST)}
        items.sort(key=lambda item: rank.get(item.path, len(rank)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One process more than there are cores: tests with real clients wait half of their time."""
    return (os.cpu_count() or 1) + 1
