"""Somebody with an empty folder: `pip install` of the checkout, a test of ten lines, `pytest`."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.connectors.environments import reserved
from tests.connectors.test_clients import python

pytestmark = [pytest.mark.client, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
SHIPPED = ("emulator", "venues", "reactor", "configs", "pyproject.toml", "README.md", "LICENSE")

# The ten lines, of which docs/ci.md has the same; what watches the book is put in the place of KEEPER.
BOT = """
import asyncio, ccxt.pro, pytest

@pytest.mark.emulator(paused=False, speed=10)
async def test_the_book_survives_a_gap(exchange):
    exchange.faults.add("md.gap", venue="binance", channel="depth", after_n=10, count=1, size=5)
    async with exchange.configure(KEEPER(), "binance") as client:
        for _ in range(40):
            try:
                book = await client.watch_order_book("BTC/USDT")
            except ccxt.ChecksumError:  # a number was skipped; the next call begins anew
                await asyncio.sleep(0.1)
        exchange.clock.pause()
        await asyncio.sleep(0.2)
        bids, asks = ({str(price): str(size) for price, size in book[side][:50]} for side in ("bids", "asks"))
        exchange.assert_book_in_sync("binance", "BTCUSDT", bids, asks)
"""
NAIVE = '''
import ccxt.pro

class Naive(ccxt.pro.binance):
    """Every change goes into the book, whatever its number says."""

    def handle_order_book(self, client, message):
        book = self.orderbooks.get("BTC/USDT")
        if book is None or not book["nonce"]:
            return super().handle_order_book(client, message)
        self.handle_order_book_message(client, message, book)
        client.resolve(book, "orderbook::BTC/USDT")
'''


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment into which the checkout was just installed."""
    interpreter = python("stranger")
    checkout = tmp_path_factory.mktemp("checkout")
    for name in SHIPPED:
        source = ROOT / name
        if source.is_dir():
            skipped = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, checkout / name, symlinks=True, ignore=skipped)
        else:
            shutil.copy(source, checkout)
    pip = (interpreter, "-m", "pip", "--disable-pip-version-check")
    # What it is built with and what it asks for is there already, so that no index is asked again.
    install = (*pip, "install", "--quiet", "--force-reinstall", "--no-build-isolation", "--no-deps", checkout)
    with reserved("stranger"):
        for command in (install, (*pip, "check")):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
    return interpreter


def run(interpreter: Path, folder: Path) -> tuple[int, str]:
    """How pytest ends in a folder, and what it says."""
    options = ("-q", "-o", "asyncio_mode=auto", "-p", "no:cacheprovider")
    command = (interpreter, "-I", "-m", "pytest", *options)
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout + done.stderr


def test_a_strangers_first_test_passes(stranger: Path, tmp_path: Path) -> None:
    (tmp_path / "test_bot.py").write_text(BOT.replace("KEEPER", "ccxt.pro.binance"))
    code, said = run(stranger, tmp_path)
    assert code == 0, said


def test_a_naive_keeper_of_a_book_fails_and_is_told_why(stranger: Path, tmp_path: Path) -> None:
    (tmp_path / "test_bot.py").write_text(NAIVE + BOT.replace("KEEPER", "Naive"))
    code, said = run(stranger, tmp_path)
    assert code == 1, said
    assert "AssertionError: binance BTCUSDT is out of sync at 2026-01-01T00:00:" in said
    assert "; faults that hit: md.gap x 1" in said
    assert "reproduce: pytest --emulator-seed 1 'test_bot.py::test_the_book_survives_a_gap'" in said
    assert "#1 md.gap (rule-1) at " in said
