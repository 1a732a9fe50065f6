"""What is free goes back to the system, also while a server runs."""

from __future__ import annotations

import platform
import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from emulator import Emulator
from emulator.allocator import give_back
from tests.emulator.conftest import Client

PIECE, PIECES = 1 << 16, 1_000  # bytes of a piece, and how many there are, of which every other one stays

needs_glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="no other allocator is asked")


def resident() -> int:
    """Bytes of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.fixture
def holes() -> list[bytes]:
    """Pieces that stay, and between them what was freed and nobody gets back."""
    pieces = [bytes(range(256)) * (PIECE // 256) for _ in range(PIECES)]
    del pieces[::2]
    return pieces


@needs_glibc
def test_holes_between_what_stays_are_given_back(holes: list[bytes]) -> None:
    before = resident()
    give_back()
    assert before - resident() > PIECE * PIECES // 4
    assert len({*holes}) == 1


@needs_glibc
def test_a_server_gives_back_now_and_then(
    toy: Emulator, dial: Callable[..., Client], holes: list[bytes]
) -> None:
    """Within a quarter of an hour of its clock, in which it makes pages."""
    dial().tell("sub slow 1000")
    toy.clock.advance(60)
    before = resident()
    toy.clock.advance(900)
    assert before - resident() > PIECE * PIECES // 4
