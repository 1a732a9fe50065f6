"""Who may ask Binance for what: keys, signatures over the bytes as sent, timestamps by two clocks."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from reactor.types import MS_NS, SECOND_NS
from tests.venues.trader import KEY, OTHERS, Trader, signature
from venues.base import ApiKey, KeyKind
from venues.binance import BINANCE, BINANCE_USDM
from venues.binance.signing import payload_of, socket_payload_of
from venues.limits import Clocks

ACCOUNT = "/api/v3/account"
ED25519, RSA = Ed25519PrivateKey.from_private_bytes(bytes(32)), generate_private_key(65_537, 2_048)


def public(key: Any) -> str:
    pem: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem.decode()


ASYMMETRIC = (
    ApiKey("ed-key", "demo", public(ED25519), KeyKind.ED25519),
    ApiKey("rsa-key", "demo", public(RSA), KeyKind.RSA),
)
SIGN: Mapping[KeyKind, Callable[[bytes], bytes]] = {
    KeyKind.ED25519: ED25519.sign,
    KeyKind.RSA: lambda payload: RSA.sign(payload, PKCS1v15(), SHA256()),
}

# ---------------------------------------------------------------- vectors
# https://github.com/binance/binance-spot-api-docs/blob/master/rest-api.md#hmac-keys and web-socket-api.md#hmac-keys,
# 2026-07-21
SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
ORDER = "side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559"
SOCKET_ORDER = {
    "symbol": "BTCUSDT",
    "side": "SELL",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.01000000",
    "price": "52000.00",
    "recvWindow": "100",
    "timestamp": "1645423376532",
    "apiKey": "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A",
}


@pytest.mark.parametrize(
    ("symbol", "signed"),
    [
        ("LTCBTC", "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"),
        (quote("１２３４５６"), "e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3"),
    ],
)
@pytest.mark.parametrize("cut", [0, 14, 200])
def test_the_payload_is_query_and_body_as_sent_without_the_signature(
    symbol: str, signed: str, cut: int
) -> None:
    sent = f"symbol={symbol}&{ORDER}"
    payload = payload_of(sent[:cut], f"{sent[cut:]}&signature=ab".encode().lstrip(b"&"))
    assert signature(SECRET, payload.decode()) == signed


def test_on_a_socket_it_is_the_parameters_by_name() -> None:
    payload = socket_payload_of({**SOCKET_ORDER, "signature": "ab"}).decode()
    assert signature(SECRET, payload) == "aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24"


# ---------------------------------------------------------------- signatures
@pytest.mark.parametrize("where", ["query", "body", "both"])
def test_parameters_may_be_in_the_query_and_in_the_body(where: str) -> None:
    trader = Trader(BINANCE)
    parts = ["symbol=BTCUSDT&side=BUY&type=MARKET", f"quantity=1&timestamp={trader.now_ns // MS_NS}"]
    query, body = {"query": ("&".join(parts), ""), "body": ("", "&".join(parts)), "both": tuple(parts)}[where]
    sign = signature(KEY.secret, query + body)
    query, body = (f"{query}&signature={sign}", body) if query else (query, f"{body}&signature={sign}")
    assert trader.send("POST", "/api/v3/order/test", query, body.encode()).body == b"{}"


@pytest.mark.parametrize("upper", [False, True])
def test_hexadecimal_is_of_either_case(upper: bool) -> None:
    trader = Trader(BINANCE)
    query, _, sign = trader.sign({}).rpartition("=")
    assert trader.send("GET", ACCOUNT, f"{query}={sign.upper() if upper else sign}").status == 200


@pytest.mark.parametrize("encoded", [True, False])
def test_a_payload_may_be_signed_before_it_is_percent_encoded(encoded: bool) -> None:
    """As clients did until 2026-01-15; since then the venue wants it encoded first."""
    trader = Trader(BINANCE_USDM)
    orders = '[{"symbol":"BTCUSDT"}]'
    raw = f"batchOrders={orders}&timestamp={trader.now_ns // MS_NS}"
    sent = urlencode({"batchOrders": orders, "timestamp": trader.now_ns // MS_NS})
    query = f"{sent}&signature={signature(KEY.secret, sent if encoded else raw)}"
    assert trader.send("POST", "/fapi/v1/batchOrders", query).status == 200


@pytest.mark.parametrize("key", ASYMMETRIC, ids=lambda key: key.kind)
@pytest.mark.parametrize("escaped", [True, False])
def test_asymmetric_keys_sign_in_base64(key: ApiKey, escaped: bool) -> None:
    """Percent-encoded as it should be, or not."""
    trader = Trader(BINANCE, extra_keys=ASYMMETRIC, key=key)
    for at_ms in range(trader.now_ns // MS_NS, trader.now_ns // MS_NS + 3):
        query = f"timestamp={at_ms}"
        sign = b64encode(SIGN[key.kind](query.encode())).decode()
        sent = quote(sign, safe="") if escaped else sign
        assert trader.send("GET", ACCOUNT, f"{query}&signature={sent}").status == 200
    forged = trader.send("GET", ACCOUNT, f"timestamp={at_ms}1&signature={quote(sign, safe='')}")
    assert json.loads(forged.body)["code"] == -1022


# ---------------------------------------------------------------- refusals, spot's and USD-M's alike
NOW = "timestamp=1767225780000"
UNKNOWN = ApiKey("unknown-key", "demo", "test-secret")


def mandatory(name: str) -> str:
    return f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."


@pytest.mark.parametrize("venue", [BINANCE, BINANCE_USDM], ids=lambda venue: venue.id)
@pytest.mark.parametrize(
    ("key", "query", "status", "code", "text"),
    [
        ("", f"{NOW}&signature=ab", 401, -2014, "API-key format invalid."),
        ("no key!", f"{NOW}&signature=ab", 401, -2014, "API-key format invalid."),
        (
            *("unknown-key", f"{NOW}&signature=ab", 401, -2015),
            "Invalid API-key, IP, or permissions for action.",
        ),
        ("test-key", "signature=ab", 400, -1102, mandatory("timestamp")),
        ("test-key", NOW, 400, -1102, mandatory("signature")),
        ("test-key", f"{NOW}&signature=ab", 400, -1022, "Signature for this request is not valid."),
        ("test-key", f"{NOW}&signature=%C3%A9", 400, -1022, "Signature for this request is not valid."),
        (
            *("test-key", "timestamp=now&signature=ab", 400, -1100),
            "Illegal characters found in parameter 'timestamp'; legal range is '^[0-9]{1,20}$'.",
        ),
        (
            *("test-key", f"{NOW}&recvWindow=60001&signature=ab", 400, -1131),
            "'recvWindow' must be less than 60000.",
        ),
    ],
)
def test_who_asks_must_prove_it(venue: Any, key: str, query: str, status: int, code: int, text: str) -> None:
    trader = Trader(venue, key=ApiKey(key, "demo", ""))
    answer = trader.send("GET", "/api/v3/openOrders" if venue is BINANCE else "/fapi/v1/openOrders", query)
    assert (answer.status, json.loads(answer.body)) == (status, {"code": code, "msg": text})


def test_a_key_may_be_for_reading_only_and_for_some_addresses() -> None:
    reads, stays, _ = OTHERS
    trader = Trader(BINANCE, key=reads)
    assert trader.send("GET", ACCOUNT, trader.sign({})).status == 200
    assert trader.error("DELETE", "/api/v3/openOrders", symbol="BTCUSDT")[:2] == (401, -2015)
    trader = Trader(BINANCE, key=stays)
    assert trader.error("GET", ACCOUNT)[:2] == (401, -2015)
    for client in ("192.0.2.7", "192.0.2.7 home-key"):
        assert trader.send("GET", ACCOUNT, trader.sign({}), client=client).status == 200


# ---------------------------------------------------------------- time
LATE = "Timestamp for this request is outside of the recvWindow."
AHEAD = "Timestamp for this request was 1000ms ahead of the server's time."


@pytest.mark.parametrize(
    ("late_ms", "window", "text"),
    [
        (0, None, None),
        (5_000, None, None),
        (5_001, None, LATE),
        (6_000, "6000.346", None),
        (6_001, "6000.346", LATE),
        (-999, None, None),
        (-1_000, None, AHEAD),
    ],
)
def test_a_strict_clock_judges_timestamps(late_ms: int, window: str | None, text: str | None) -> None:
    trader = Trader(BINANCE, strict=True)
    params = {"timestamp": trader.now_ns // MS_NS - late_ms, **({"recvWindow": window} if window else {})}
    answer = trader.send("GET", ACCOUNT, trader.sign(params))
    assert json.loads(answer.body).get("msg") == text


def test_timestamps_may_be_in_microseconds() -> None:
    trader = Trader(BINANCE, strict=True)
    assert trader.ask("GET", ACCOUNT, timestamp=trader.now_ns // 1_000)
    assert trader.error("GET", ACCOUNT, timestamp=trader.now_ns // 1_000 - 5_000_001)[1] == -1021


@pytest.mark.parametrize(
    ("virtual_s", "wall_s", "told_s", "right"),
    [
        (10, 10, 10, True),
        (3_600, 10, 10, True),  # warped: the client goes by the wall
        (0, 60, 60, True),  # paused
        (3_600, 1, 3_600, True),  # the client goes by what it is told
        (3_600, 10, 0, False),
        (10, 10, 4, False),
        (10, 10, 11.5, True),  # the first was longer on its way
        (3_600, 10, 11.5, True),
        (10, 10, 15.001, False),  # not that long
    ],
)
def test_otherwise_an_accounts_clock_is_its_own(
    virtual_s: float, wall_s: float, told_s: float, right: bool
) -> None:
    """Whatever it first shows; then it must keep up with virtual time or with the wall."""
    trader = Trader(BINANCE)
    first_ms = 946_684_800_000  # 2000
    trader.ask("GET", ACCOUNT, timestamp=first_ms)
    trader.now_ns += int(virtual_s * SECOND_NS)
    trader.wall_ns += int(wall_s * SECOND_NS)
    answer = trader.send("GET", ACCOUNT, trader.sign({"timestamp": first_ms + int(told_s * 1_000)}))
    assert (answer.status, b"-1021" in answer.body) == ((200, False) if right else (400, True))


def test_a_first_request_that_came_late_is_nobodys_clock() -> None:
    """On a busy machine it may be on its way for seconds; those that come at once are in time, but no clock goes on
    gaining.
    """
    trader = Trader(BINANCE)
    signed_ms = trader.now_ns // MS_NS
    trader.now_ns, trader.wall_ns = trader.now_ns + 3 * SECOND_NS, trader.wall_ns + 3 * SECOND_NS
    trader.ask("GET", ACCOUNT, timestamp=signed_ms)
    for later_ms in (0, 1_900, 0):
        trader.ask("GET", ACCOUNT, timestamp=signed_ms + 3_000 + later_ms)
    assert trader.error("GET", ACCOUNT, timestamp=signed_ms + 3_000 + 3_001)[1] == -1021


def test_a_clock_that_ran_while_the_program_was_down_counts_anew() -> None:
    trader = Trader(BINANCE)
    first_ms = trader.now_ns // MS_NS
    trader.ask("GET", ACCOUNT, timestamp=first_ms)
    trader.exchange = replace(trader.exchange, clocks=Clocks())  # as after a restart from its journal
    trader.ask("GET", ACCOUNT, timestamp=first_ms + 3_600_000)
    assert trader.error("GET", ACCOUNT, timestamp=first_ms)[1] == -1021


def test_times_a_client_asks_about_are_by_its_own_clock() -> None:
    trader = Trader(BINANCE)
    first_ms = 946_684_800_000
    trader.ask(
        *("POST", "/api/v3/order"),
        symbol="BTCUSDT",
        side="BUY",
        type="MARKET",
        quantity="0.01",
        timestamp=first_ms,
    )
    for start_ms, rows in ((first_ms, 1), (first_ms + 1, 0)):
        params = {"symbol": "BTCUSDT", "startTime": start_ms, "timestamp": first_ms}
        assert len(trader.ask("GET", "/api/v3/allOrders", **params)) == rows
