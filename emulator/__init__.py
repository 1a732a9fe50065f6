"""Everything that touches the world: sockets, time, files, the control API, the command line, the SDK.

Venues are met only through venues.base; no venue's name appears in the code of this package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emulator.sdk import Emulator

__all__ = ["Emulator"]


def __getattr__(name: str) -> object:
    """The SDK, when it is first asked for: whoever imports a module of this package need not load it."""
    if name == "Emulator":
        from emulator.sdk import Emulator  # noqa: PLC0415

        return Emulator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
