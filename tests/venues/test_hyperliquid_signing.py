"""Signatures: the published vectors recover their signer, and whatever differs recovers somebody else.

Vectors: https://github.com/hyperliquid-dex/hyperliquid-python-sdk/blob/master/tests/signing_test.py, 2026-04.
"""

from __future__ import annotations

from typing import Any

import pytest
from coincurve import PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from venues.hyperliquid.signing import (
    USER_SIGNED,
    UnsignedError,
    agent_digest,
    connection_id,
    keccak,
    recover,
    user_digest,
)

KEY = PrivateKey.from_hex("0123456789012345678901234567890123456789012345678901234567890123")
SIGNER = "0x" + keccak(KEY.public_key.format(compressed=False)[1:])[12:].hex()
ETH_ORDER: dict[str, Any] = {
    "type": "order",
    "orders": [
        {"a": 4, "b": True, "p": "1670.1", "s": "0.0147", "r": False, "t": {"limit": {"tif": "Ioc"}}},
    ],
    "grouping": "na",
}


def signed(digest: bytes) -> dict[str, Any]:
    packed = KEY.sign_recoverable(digest, hasher=None)
    return {"r": "0x" + packed[:32].hex(), "s": "0x" + packed[32:64].hex(), "v": 27 + packed[64]}


def test_keccak_is_that_of_the_chain() -> None:
    assert keccak(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"


def test_the_hash_of_an_order_is_the_published_one() -> None:
    found = connection_id(ETH_ORDER, 1677777606040, None, None)
    assert found.hex() == "0fcbeda5ae3c4950a548021552a4fea2226858c4453571bf3f24ba017eac2908"


def test_a_published_signature_is_its_signers() -> None:
    """Of {"type": "dummy", "num": 100000000000} with nonce 0, on the main network."""
    connection = connection_id({"type": "dummy", "num": 100_000_000_000}, 0, None, None)
    signature = {
        "r": "0x53749d5b30552aeb2fca34b530185976545bb22d0b3ce6f62e31be961a59298",
        "s": "0x755c40ba9bf05223521753995abb2f73ab3229be8ec921f350cb447e384d8ed8",
        "v": 27,
    }
    assert recover(agent_digest(connection, "a"), signature) == SIGNER
    assert recover(agent_digest(connection, "b"), signature) != SIGNER


def test_the_order_of_keys_counts() -> None:
    turned = dict(reversed(ETH_ORDER.items()))
    assert connection_id(turned, 1, None, None) != connection_id(ETH_ORDER, 1, None, None)


@pytest.mark.parametrize(
    ("nonce", "vault", "expires"), [(2, None, None), (1, "0x" + "11" * 20, None), (1, None, 1), (1, None, 0)]
)
def test_all_that_is_signed_counts(nonce: int, vault: str | None, expires: int | None) -> None:
    signature = signed(agent_digest(connection_id(ETH_ORDER, 1, None, None), "b"))
    other = agent_digest(connection_id(ETH_ORDER, nonce, vault, expires), "b")
    assert recover(other, signature) != SIGNER


VALUES: dict[str, Any] = {"string": "x", "address": "0x" + "22" * 20, "uint64": 7, "bool": True}


@pytest.mark.parametrize("kind", USER_SIGNED)
def test_what_the_wallet_itself_signs_is_its_own(kind: str) -> None:
    fields = USER_SIGNED[kind][1]
    action = {"type": kind, "signatureChainId": "0x66eee"} | {name: VALUES[of] for name, of in fields}
    signature = signed(user_digest(action))
    assert recover(user_digest(action), signature) == SIGNER
    for name, of in fields:
        other = {"string": "y", "address": "0x" + "33" * 20, "uint64": 8, "bool": False}[of]
        assert recover(user_digest(action | {name: other}), signature) != SIGNER


@pytest.mark.parametrize("kind", USER_SIGNED)
def test_what_lacks_a_field_cannot_have_been_signed(kind: str) -> None:
    for name, _ in USER_SIGNED[kind][1]:
        action = {"type": kind, "signatureChainId": "0x66eee"}
        action |= {field: VALUES[of] for field, of in USER_SIGNED[kind][1]} | {name: None}
        if name != "agentName":  # an agent may go without a name
            with pytest.raises(UnsignedError):
                user_digest(action)


def test_zeros_in_front_may_be_left_out() -> None:
    digests = (agent_digest(connection_id(ETH_ORDER, nonce, None, None), "b") for nonce in range(10_000))
    digest, signature = next((d, s) for d in digests if (s := signed(d))["r"].startswith("0x00"))
    assert recover(digest, signature | {"r": hex(int(signature["r"], 16))}) == SIGNER


@given(
    st.fixed_dictionaries(
        {}, optional={name: st.none() | st.text(max_size=70) | st.integers() for name in "rsv"}
    )
)
def test_what_is_no_signature_is_nobodys(signature: dict[str, Any]) -> None:
    with pytest.raises(UnsignedError):
        recover(bytes(32), signature)
