"""Somebody with an empty folder: `pip install` of the checkout, a test of ten lines, `pytest`."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import urllib.request
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.connectors.environments import reserved
from tests.connectors.test_clients import RUN_S, python
from tests.patience import PATIENCE_S
from tests.serving import free_ports

pytestmark = [pytest.mark.client, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COPIED = [name for line in re.findall(r"^COPY (.*) \S+$", DOCKERFILE, re.MULTILINE) for name in line.split()]
PAGE = (ROOT / "docs" / "ci.md").read_text()
(BOT,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
NAIVE = '''

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
    """The Python of an environment into which the checkout was just installed: of it, what an image is made of."""
    interpreter = python("stranger")
    checkout = tmp_path_factory.mktemp("checkout")
    for name in COPIED:
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
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=RUN_S, check=False)
    return done.returncode, done.stdout + done.stderr


def test_a_strangers_first_test_passes(stranger: Path, tmp_path: Path) -> None:
    (tmp_path / "test_bot.py").write_text(BOT)
    code, said = run(stranger, tmp_path)
    assert code == 0, said


def test_a_naive_keeper_of_a_book_fails_and_is_told_why(stranger: Path, tmp_path: Path) -> None:
    (tmp_path / "test_bot.py").write_text(BOT.replace("ccxt.pro.binance()", "Naive()") + NAIVE)
    code, said = run(stranger, tmp_path)
    assert code == 1, said
    assert "AssertionError: binance BTCUSDT is out of sync at 2026-01-01T00:00:" in said
    assert "; faults that hit: md.gap x 1" in said
    assert "reproduce: pytest --emulator-seed 1 'test_bot.py::test_the_book_survives_a_gap'" in said
    assert "#1 md.gap (rule-1) at " in said


def instruction(name: str) -> str:
    (words,) = re.findall(rf"^{name} (.*)$", DOCKERFILE, re.MULTILINE)
    return str(words)


def test_what_an_image_runs_is_healthy(stranger: Path) -> None:
    """The Dockerfile's command, and what it calls healthy, but for ports that are free here."""
    (program,) = json.loads(instruction("ENTRYPOINT"))
    with ExitStack() as stack:
        base = stack.enter_context(free_ports())
        command = [stranger.with_name(program), *json.loads(instruction("CMD")), "--base-port", str(base)]
        healthy = instruction("HEALTHCHECK --interval=2s CMD").replace(":9000", f":{base}")
        check = [str(stranger), *json.loads(healthy)[1:]]
        process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        try:
            assert process.stdout
            assert "ready\n" in iter(process.stdout.readline, "")
            assert subprocess.run(check, capture_output=True, check=False).returncode == 0
            ping = f"http://127.0.0.1:{base + 1}/api/v3/ping"
            with urllib.request.urlopen(ping, timeout=PATIENCE_S) as answer:
                assert answer.read() == b"{}"
        finally:
            process.terminate()
        assert process.wait(PATIENCE_S) == 0
        assert subprocess.run(check, capture_output=True, check=False).returncode != 0
