"""Bybit's clients, and why they cannot be pointed here."""

from __future__ import annotations

from typing import Final

from venues.clients import Client

_WHY = "Bybit is not served yet"

CLIENTS: Final = (
    Client("ccxt", "ccxt", ("bybit",), refusal=_WHY),
    Client("pybit", "pybit", (), refusal=_WHY),
)
