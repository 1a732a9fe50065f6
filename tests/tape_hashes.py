"""`python -m tests.tape_hashes MINUTES [PRESET ...]`: a hash of each preset's first minutes, as JSON.

A program of its own, so that tests can run it with other versions of numpy and without vector units.
"""

from __future__ import annotations

import json
import sys
from dataclasses import fields
from hashlib import blake2b

from emulator.config import presets
from emulator.presets import get_preset
from reactor.runner import Run, Runner
from reactor.types import SECOND_NS

ORIGIN_NS = 1_767_225_600 * SECOND_NS  # 2026-01-01T00:00Z
SEED = 7


def tape_hash(preset: str, minutes: int) -> str:
    """Of every column of the books, prints, quotes and level changes of so many minutes."""
    made = get_preset(preset)
    market = Runner(Run(SEED, ORIGIN_NS, made.instrument, made.manifest)).market
    digest = blake2b(digest_size=16)
    for k in range(minutes):
        frame, block = market.keyframe(k), market.block(k)
        for table in (block.quotes, block.prints, block.levels):
            for column in fields(table):
                digest.update(getattr(table, column.name).astype("<i8").tobytes())
        for side in (frame.bid_ticks, frame.bid_lots, frame.ask_ticks, frame.ask_lots):
            digest.update(side.astype("<i8").tobytes())
    return digest.hexdigest()


if __name__ == "__main__":
    names = sys.argv[2:] or [name for name in presets() if name != "default"]
    print(json.dumps({name: tape_hash(name, int(sys.argv[1])) for name in names}, indent=1))  # noqa: T201
