"""The examples' own tests, each where its client is installed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.connectors.environments import interpreter
from tests.connectors.test_clients import PYTHON_BINANCE, SDK, python, run, verdicts_on
from tests.connectors.test_configure import PATHS

pytestmark = [pytest.mark.client, pytest.mark.timeout(900)]

EXAMPLES = Path(__file__).parents[2] / "examples"
PYTEST = f"""
import os, sys
sys.path += {PATHS!r}
import pytest
os.chdir(sys.argv[1])
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "-p", "no:xdist"]))
"""


@dataclass(frozen=True, slots=True)
class Example:
    """A folder of examples/, and the pins of its client's environment."""

    folder: str
    pins: str

    def __str__(self) -> str:
        return self.folder


TABLE = (
    Example("ccxt_market_maker", "ccxt"),
    Example("python_binance_book", PYTHON_BINANCE),
    Example("hyperliquid_bot", SDK),
)


@pytest.fixture(scope="module")
def ends(request: pytest.FixtureRequest) -> Iterator[Mapping[Example, Future[str]]]:
    """How the tests of each example that is asked for will have ended."""
    verdict = lambda example: run(interpreter(example.pins), "-c", PYTEST, EXAMPLES / example.folder)
    with verdicts_on(Example, verdict, request) as found:
        yield found


@pytest.mark.parametrize("example", TABLE, ids=str)
def test_an_example_passes_its_own_tests(example: Example, ends: Mapping[Example, Future[str]]) -> None:
    python(example.pins)
    assert " passed" in ends[example].result()


def test_every_example_is_run() -> None:
    folders = {path.parent.name for path in EXAMPLES.glob("*/test_*.py")}
    assert folders == {example.folder for example in TABLE}
    readme = (EXAMPLES / "README.md").read_text()
    assert all(f"[{folder}]({folder})" in readme for folder in folders)
