"""Who asks: API keys, signatures and timestamps of requests, judged in the venue's words.

Pure: the secrets are the run's own keys, the time is the request's. Nothing here knows what is asked for.
https://github.com/binance/binance-spot-api-docs/blob/master/rest-api.md#request-security, 2026-07-21;
https://developers.binance.com/docs/derivatives/usds-margined-futures/general-info, 2026-09.
"""

from __future__ import annotations

import hmac
import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_to_bytes

from reactor.exchange.orders import Remember
from reactor.types import MS_NS, SECOND_NS
from reactor.values import dataclass
from venues.base import ApiKey, Exchange, KeyKind, Trading, VenueError
from venues.binance.wire import US_NS
from venues.limits import Moment

LEAST_MICROSECONDS = 10**14  # as milliseconds, the year 5138

# what proves who asks, beside what is asked for
AUTHORITY = frozenset(["apiKey", "recvWindow", "signature", "timestamp"])
CLOCK = "clock_offset_ns"  # the fact of an account: its clients' clock less the exchange's

KEY = re.compile(r"[\w\-]{1,128}", re.ASCII)
TIMESTAMP = re.compile("[0-9]{1,20}")
RECV_WINDOW = re.compile(r"[0-9]{1,20}(\.[0-9]{1,3})?")
DEFAULT_WINDOW_NS = 5 * SECOND_NS
LONGEST_WINDOW_NS = 60 * SECOND_NS
AHEAD_NS = SECOND_NS


class Security(StrEnum):
    """What an endpoint asks of who calls it. All but the first three want a signature."""

    NONE = "NONE"
    MARKET_DATA = "MARKET_DATA"  # a key, whosever it is
    USER_STREAM = "USER_STREAM"  # a key
    USER_DATA = "USER_DATA"  # a key that may read
    TRADE = "TRADE"  # a key that may trade


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request brings to prove who asks.

    `params` are its parameters as read; `payload` is what its signature should be over, and its percent-decoded form is
    taken too, as the venue did until 2026-01-15. `session` is the key that its socket is logged on with, which needs no
    signature. `key_name` is the parameter that brings the key, where one does; `ahead_ns` is how far the exchange's
    clock is ahead for once.
    """

    key: str
    params: Mapping[str, str]
    payload: bytes
    client: str
    at: Moment
    session: ApiKey | None = None
    key_name: str = ""
    ahead_ns: int = 0


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and how far the clock of his requests is ahead of the exchange's."""

    key: ApiKey
    ahead_ns: int = 0

    @property
    def account(self) -> str:
        """The account that the key is of."""
        return self.key.account


def payload_of(query: str, body: bytes) -> bytes:
    """What a request over HTTP signs: its query and its body, one after the other, without the signature."""
    return _unsigned(query.encode()) + _unsigned(body)


def _unsigned(text: bytes) -> bytes:
    if b"signature=" not in text:
        return text
    return b"&".join(pair for pair in text.split(b"&") if not pair.startswith(b"signature="))


def socket_payload_of(params: Mapping[str, str]) -> bytes:
    """What a request on a socket signs: its parameters by name, as they are, without the signature.

    https://github.com/binance/binance-spot-api-docs/blob/master/web-socket-api.md#signed-request-security, 2026-07-21.
    """
    return "&".join([f"{name}={params[name]}" for name in sorted(params) if name != "signature"]).encode()


def authenticate(credentials: Credentials, security: Security, exchange: Exchange) -> Caller | None:
    """Who asks, by a key that may do this and, where one is needed, a signature of now; VenueError otherwise.

    None where that does not matter.
    """
    if security is Security.NONE:
        return None
    if security is Security.MARKET_DATA:
        if not KEY.fullmatch(credentials.key):
            raise VenueError("BAD_KEY")
        return None
    key = _key(credentials, security, exchange.trading)
    if security is Security.USER_STREAM:
        return Caller(key)
    assert exchange.trading is not None
    params = credentials.params
    by_session = key is credentials.session and "signature" not in params
    for name in ("timestamp",) if by_session else ("timestamp", "signature"):
        if not params.get(name):
            raise VenueError("MANDATORY_PARAMETER", name=name)
    told_ns, window_ns = _told_ns(params["timestamp"]), _window_ns(params.get("recvWindow"))
    if not by_session and not _signed(key, credentials.payload, params["signature"]):
        raise VenueError("BAD_SIGNATURE")
    if exchange.trading.rejects(key.account, credentials.payload, credentials.at.now_ns):
        raise VenueError("TIMESTAMP_LATE")
    off_ns = credentials.ahead_ns
    return Caller(key, _ahead_ns(key, exchange, told_ns, window_ns, credentials.at, off_ns))


def _key(credentials: Credentials, security: Security, trading: Trading | None) -> ApiKey:
    if not credentials.key:
        if credentials.session is not None:
            return _permitted(credentials.session, security, credentials.client)
        if credentials.key_name:
            raise VenueError("MANDATORY_PARAMETER", name=credentials.key_name)
    key = trading.keys.get(credentials.key) if trading else None
    if key is None:
        raise VenueError("REJECTED_KEY" if KEY.fullmatch(credentials.key) else "BAD_KEY")
    return _permitted(key, security, credentials.client)


def _permitted(key: ApiKey, security: Security, client: str) -> ApiKey:
    address = client.partition(" ")[0]  # what follows is whose limits it counts against
    if (key.addresses and address not in key.addresses) or (key.read_only and security is Security.TRADE):
        raise VenueError("REJECTED_KEY")
    return key


# ---------------------------------------------------------------- signatures
def _signed(key: ApiKey, payload: bytes, signature: str) -> bool:
    verify = _VERIFY[key.kind]
    if verify(key.secret, payload, signature):
        return True
    return b"%" in payload and verify(key.secret, unquote_to_bytes(payload), signature)


def _hmac(secret: str, payload: bytes, signature: str) -> bool:
    """Hexadecimal, in either case."""
    digest = _hmac_of(secret).copy()
    digest.update(payload)
    return hmac.compare_digest(digest.hexdigest().encode(), signature.lower().encode())


@lru_cache(maxsize=256)
def _hmac_of(secret: str) -> hmac.HMAC:
    return hmac.new(secret.encode(), digestmod="sha256")


def _rsa(secret: str, payload: bytes, signature: str) -> bool:
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15  # noqa: PLC0415  # few need it
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415

    return _verified(secret, signature, payload, PKCS1v15(), SHA256())


def _ed25519(secret: str, payload: bytes, signature: str) -> bool:
    return _verified(secret, signature, payload)


def _verified(secret: str, signature: str, payload: bytes, *scheme: Any) -> bool:
    """Base64; a plus sign that was not percent-encoded has become a space on its way here."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415

    try:
        _public_key(secret).verify(b64decode(signature.replace(" ", "+"), validate=True), payload, *scheme)
    except (InvalidSignature, NotBase64):
        return False
    return True


@lru_cache(maxsize=256)
def _public_key(pem: str) -> Any:
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415

    return load_pem_public_key(pem.encode())


_VERIFY = {KeyKind.HMAC: _hmac, KeyKind.RSA: _rsa, KeyKind.ED25519: _ed25519}


# ---------------------------------------------------------------- time
def time_ns(text: str, after: int = 0) -> int:
    """The time that a parameter says, in milliseconds or microseconds, or so many of these after it."""
    value = int(text)
    return (value + after) * (MS_NS if value < LEAST_MICROSECONDS else US_NS)


def _told_ns(text: str) -> int:
    if not TIMESTAMP.fullmatch(text):
        raise VenueError("ILLEGAL_CHARS", name="timestamp", legal="^[0-9]{1,20}$")
    return time_ns(text)


@lru_cache(maxsize=256)  # clients say the same with every request
def _window_ns(text: str | None) -> int:
    if text is None:
        return DEFAULT_WINDOW_NS
    if not RECV_WINDOW.fullmatch(text):
        raise VenueError("ILLEGAL_CHARS", name="recvWindow", legal=r"^[0-9]{1,20}(\.[0-9]{1,3})?$")
    whole, _, part = text.partition(".")
    window_ns = (int(whole) * 1_000 + int(part.ljust(3, "0"))) * US_NS
    if window_ns > LONGEST_WINDOW_NS:
        raise VenueError("BAD_RECV_WINDOW")
    return window_ns


def _ahead_ns(  # what a time is held against
    key: ApiKey, exchange: Exchange, told_ns: int, window_ns: int, at: Moment, off_ns: int
) -> int:
    """How far the account's clock is ahead of ours, which is remembered from its first request on.

    A request in time is one that is by this clock, or by what the wall clock has run since: a live client is not cut
    because virtual time was warped, nor because the program was down, after which his first request counts anew; nor
    because that first one was on its way for longer than the others, as it may be for as long as the window says. With
    a strict clock, there is only the exchange's. Where that is `off_ns` ahead, so late is every request.
    """
    trading = exchange.trading
    assert trading is not None
    if trading.strict_time:
        _check_late(at.now_ns + off_ns - told_ns, window_ns)
        return 0
    known = trading.floor.remembered(key.account, CLOCK)
    ahead_ns = told_ns - at.now_ns if known is None else int(known)
    late_ns = at.now_ns + ahead_ns + off_ns - told_ns
    if not -AHEAD_NS < late_ns <= window_ns:
        by_wall_ns = exchange.clocks.late_ns(key.account, told_ns, at)
        if by_wall_ns is None and not off_ns:
            ahead_ns = told_ns - at.now_ns
        elif by_wall_ns is None or not -AHEAD_NS < by_wall_ns + off_ns <= window_ns:
            if off_ns or not exchange.clocks.correct(key.account, told_ns, at, window_ns):
                _check_late(late_ns, window_ns)
            elif late_ns < 0:
                ahead_ns = told_ns - at.now_ns
    if known != str(ahead_ns):
        trading.execute(Remember(key.account, CLOCK, str(ahead_ns)), at.now_ns)
    exchange.clocks.start(key.account, told_ns, at)
    return ahead_ns


def _check_late(late_ns: int, window_ns: int) -> None:
    if late_ns <= -AHEAD_NS:
        raise VenueError("TIMESTAMP_AHEAD")
    if late_ns > window_ns:
        raise VenueError("TIMESTAMP_LATE")
