"""OKX's clients, and why they cannot be pointed here."""

from __future__ import annotations

from typing import Final

from venues.clients import Client

_WHY = "OKX is not served yet"

CLIENTS: Final = (
    Client("ccxt", "ccxt", ("okx",), refusal=_WHY),
    Client("python-okx", "okx", (), refusal=_WHY),
)
