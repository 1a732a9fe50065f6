"""The pytest plugin: a fixture `exchange`, a fresh emulator for each test that asks for it.

pytest loads this in every project that has the emulator installed, so the product is imported by the fixture alone.
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from emulator.sdk import Emulator

SEED = "--emulator-seed"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option that has all tests on other markets."""
    group = parser.getgroup("exchange emulator")
    group.addoption(
        SEED, type=int, metavar="SEED", help="seed of every test's `exchange`, whatever its marker says"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers",
        "emulator(preset=, seed=, start=, venues=, scenario=, ...): settings of the test's `exchange`",
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
    if (seed := request.config.getoption(SEED)) is not None:
        settings["seed"] = seed
    with Emulator(**settings) as running:
        yield running


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show a failed test's emulators, whatever fixture they came by."""
    report = yield
    sdk = sys.modules.get("emulator.sdk")
    if sdk is not None and report.when == "call" and report.failed:
        for name, value in getattr(item, "funcargs", {}).items():
            if isinstance(value, sdk.Emulator) and value.running:
                again = (
                    f"reproduce: pytest {SEED} {value.seed} '{item.nodeid}'\n" if name == "exchange" else ""
                )
                report.sections.append((f"emulator ({name})", again + value.report()))
    return report
