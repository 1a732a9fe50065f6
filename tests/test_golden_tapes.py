"""Every preset's tape is the same on every machine: with any vector unit, with the oldest numpy and with the newest.

The recorded hashes change when the tape does, on purpose: `python -m tests.tape_hashes 200` prints new ones.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from tests.emulator.test_presets import SEVEN

ROOT = Path(__file__).parent.parent
GOLDEN: Mapping[str, Mapping[str, str]] = json.loads(
    (Path(__file__).parent / "golden_tapes.json").read_text()
)
VECTOR_UNITS: list[str] = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
WIDEST = [name for name in VECTOR_UNITS if "AVX512" in name or name == "X86_V4"]
OLDEST = (
    "2.0.0" if sys.version_info < (3, 13) else "2.1.0"
)  # the first that pyproject.toml and this Python allow
LENGTHS = [pytest.param("2", id="2 minutes"), pytest.param("200", id="200 minutes", marks=pytest.mark.long)]
UNITS = [
    pytest.param([], id="all vector units"),
    pytest.param(WIDEST, id="no AVX-512", marks=pytest.mark.skipif(not WIDEST, reason="none here")),
    pytest.param(VECTOR_UNITS, id="no AVX2", marks=pytest.mark.skipif(not VECTOR_UNITS, reason="none here")),
]


def hashes(minutes: str, **environment: str) -> Mapping[str, str]:
    command = (sys.executable, "-m", "tests.tape_hashes", minutes)
    told = subprocess.run(
        command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=True
    )
    found: Mapping[str, str] = json.loads(told.stdout)
    return found


def test_every_preset_is_recorded() -> None:
    """At both lengths, and no two are alike."""
    assert [sorted(recorded) for recorded in GOLDEN.values()] == [sorted(SEVEN)] * 2
    assert len({value for recorded in GOLDEN.values() for value in recorded.values()}) == 2 * len(SEVEN)


@pytest.mark.parametrize("minutes", LENGTHS)
@pytest.mark.parametrize("disabled", UNITS)
@pytest.mark.timeout(1_200)
def test_vector_units_do_not_change_a_tape(disabled: list[str], minutes: str) -> None:
    """With all that the machine has, and without the wider ones."""
    assert hashes(minutes, NPY_DISABLE_CPU_FEATURES=" ".join(disabled)) == GOLDEN[minutes]


@pytest.mark.long
@pytest.mark.timeout(1_200)
def test_the_oldest_numpy_makes_the_same_tapes(tmp_path: Path) -> None:
    """200 minutes of each preset."""
    install = ("pip", "install", "--quiet", "--target", str(tmp_path), f"numpy=={OLDEST}")
    subprocess.run((sys.executable, "-m", *install), check=True)
    version = (sys.executable, "-c", "import numpy; print(numpy.__version__)")
    env = os.environ | {"PYTHONPATH": str(tmp_path)}
    assert (
        subprocess.run(version, env=env, capture_output=True, text=True, check=True).stdout.strip() == OLDEST
    )
    assert hashes("200", PYTHONPATH=str(tmp_path)) == GOLDEN["200"]
