"""How long a server takes to be of use, beside a Python that only imports what any such server would."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.harness import Row, in_turns

BARE = "import numpy, uvicorn, orjson"


def startup(runs: int) -> Iterator[Row]:
    """From the command to "ready", by the wall clock."""
    ours, bare = in_turns(runs, _ready_ms, _bare_ms)
    yield Row.of("startup", "serve, to ready", "ms", ours, BARE, bare)


def _ready_ms() -> float:
    program, start_s = str(Path(sys.executable).with_name("exchange-emulator")), time.perf_counter()
    command = (program, "serve", "--base-port", "0")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert any(line.strip() == "ready" for line in process.stdout)
        took_s = time.perf_counter() - start_s
        process.terminate()
    return took_s * 1_000


def _bare_ms() -> float:
    start_s = time.perf_counter()
    subprocess.run((sys.executable, "-c", BARE), check=True)
    return (time.perf_counter() - start_s) * 1_000
