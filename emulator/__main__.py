"""The program. What it imports is kept for good: nobody looks for garbage meanwhile, nor among it ever after."""

from __future__ import annotations

import gc

gc.disable()

from emulator.cli import main  # noqa: E402

gc.freeze()
gc.enable()

__all__ = ["main"]

if __name__ == "__main__":
    main()
