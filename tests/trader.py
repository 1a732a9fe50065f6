"""A trader of the tests' own on Binance's spot dialect: signed requests over one kept-alive connection."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import socket
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from tests.patience import PATIENCE_S

KEY, SECRET = "test-key", "test-secret"


class Refused(Exception):  # noqa: N818  # what the venue said
    """The venue's error."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status, body)
        self.status, self.body = status, body


class Trader:
    """One client. `clock_ms` is the time it signs with: any, as long as it moves on."""

    def __init__(
        self,
        url: str,
        key: str = KEY,
        secret: str = SECRET,
        clock_ms: int = 1_767_225_600_000,
        timeout_s: float = PATIENCE_S,
    ) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=timeout_s)
        self._key, self._secret, self.clock_ms = key, secret, clock_ms

    def signed(self, method: str, path: str, params: Mapping[str, object] | None = None) -> Any:
        """The answer's JSON; Refused where it is an error."""
        query = urlencode({**(params or {}), "timestamp": self.clock_ms, "recvWindow": 60_000})
        signature = hmac.new(self._secret.encode(), query.encode(), hashlib.sha256).hexdigest()
        return self._ask(method, f"{path}?{query}&signature={signature}")

    def public(self, path: str) -> Any:
        """An unsigned question's answer."""
        return self._ask("GET", path)

    def _ask(self, method: str, path: str) -> Any:
        self._connection.request(method, path, headers={"X-MBX-APIKEY": self._key})
        answer = self._connection.getresponse()
        body = json.loads(answer.read())
        if answer.status != 200:
            raise Refused(answer.status, body)
        return body

    def hang_up(self) -> None:
        """End the connection under whoever waits for an answer on it."""
        self._connection.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._connection.close()
