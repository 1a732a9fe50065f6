"""Who signed an action: EIP-712 digests of actions, and the address that a signature over one recovers.

There is no wrong signature, only one that belongs to somebody else: whatever differs between what was signed and what
arrived (a key's place, a zero too many) makes it a stranger's.
https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/signing and
https://github.com/hyperliquid-dex/hyperliquid-python-sdk/blob/master/hyperliquid/utils/signing.py, 2026-04.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from typing import Any, Final

import msgpack
from coincurve import PublicKey

ZERO_ADDRESS: Final = "0x" + "00" * 20

# The chain a phantom agent stands for: "a" is the main network, "b" a test network. A client that is pointed elsewhere
# than at the main network's own address takes itself to be on the test network.
SOURCES: Final = ("a", "b")
CHAINS: Final = ("Mainnet", "Testnet")

# The primary type of each action that the user's own wallet signs, and its fields: name and type.
_CHAIN = ("hyperliquidChain", "string")
_NONCE = ("nonce", "uint64")
_PAYMENT = (_CHAIN, ("destination", "string"), ("amount", "string"), ("time", "uint64"))
USER_SIGNED: Final[Mapping[str, tuple[str, tuple[tuple[str, str], ...]]]] = {
    "usdSend": ("UsdSend", _PAYMENT),
    "withdraw3": ("Withdraw", _PAYMENT),
    "spotSend": (
        "SpotSend",
        (_CHAIN, ("destination", "string"), ("token", "string"), ("amount", "string"), ("time", "uint64")),
    ),
    "usdClassTransfer": ("UsdClassTransfer", (_CHAIN, ("amount", "string"), ("toPerp", "bool"), _NONCE)),
    "sendAsset": (
        "SendAsset",
        (
            _CHAIN,
            ("destination", "string"),
            ("sourceDex", "string"),
            ("destinationDex", "string"),
            ("token", "string"),
            ("amount", "string"),
            ("fromSubAccount", "string"),
            _NONCE,
        ),
    ),
    "approveAgent": (
        "ApproveAgent",
        (_CHAIN, ("agentAddress", "address"), ("agentName", "string"), _NONCE),
    ),
    "approveBuilderFee": (
        "ApproveBuilderFee",
        (_CHAIN, ("maxFeeRate", "string"), ("builder", "address"), _NONCE),
    ),
    "tokenDelegate": (
        "TokenDelegate",
        (_CHAIN, ("validator", "address"), ("wei", "uint64"), ("isUndelegate", "bool"), _NONCE),
    ),
    "userDexAbstraction": ("UserDexAbstraction", (_CHAIN, ("user", "address"), ("enabled", "bool"), _NONCE)),
    "userSetAbstraction": (
        "UserSetAbstraction",
        (_CHAIN, ("user", "address"), ("abstraction", "string"), _NONCE),
    ),
}


class UnsignedError(Exception):
    """What was sent as a signature or as what it is over is none."""


def keccak(data: bytes) -> bytes:
    """Keccak-256, which is not SHA3-256."""
    from Crypto.Hash import keccak as hashes  # noqa: PLC0415  # before anybody signs, only a wait

    return hashes.new(data=data, digest_bits=256).digest()


# ---------------------------------------------------------------- EIP-712, of types without nested ones
@lru_cache(maxsize=256)  # most are the name of a chain or of a source
def _text_hash(text: str) -> bytes:
    return keccak(text.encode())


def _word(number: int) -> bytes:
    return number.to_bytes(32, "big")


_ENCODERS: Final[Mapping[str, Callable[[Any], bytes]]] = {
    "string": _text_hash,
    "address": lambda value: bytes(12) + address_bytes(value),
    "bytes32": lambda value: value,
    "bool": lambda value: _word(int(value)),
    "uint64": _word,
    "uint256": _word,
}


def _struct(name: str, fields: tuple[tuple[str, str], ...], values: Mapping[str, Any]) -> bytes:
    """hashStruct of https://eips.ethereum.org/EIPS/eip-712."""
    encoded = b"".join(_ENCODERS[kind](values[field]) for field, kind in fields)
    return keccak(_type_hash(name, fields) + encoded)


@cache
def _type_hash(name: str, fields: tuple[tuple[str, str], ...]) -> bytes:
    return keccak(f"{name}({','.join(f'{kind} {field}' for field, kind in fields)})".encode())


@cache
def _domain(name: str, chain_id: int) -> bytes:
    fields = (
        ("name", "string"),
        ("version", "string"),
        ("chainId", "uint256"),
        ("verifyingContract", "address"),
    )
    values = {"name": name, "version": "1", "chainId": chain_id, "verifyingContract": ZERO_ADDRESS}
    return _struct("EIP712Domain", fields, values)


# ---------------------------------------------------------------- digests
def connection_id(
    action: Mapping[str, Any], nonce: int, vault: str | None, expires_after_ms: int | None
) -> bytes:
    """The hash of an action that an agent may sign. Keys count in the order in which they came."""
    data = msgpack.packb(action) + nonce.to_bytes(8, "big")
    data += b"\x00" if vault is None else b"\x01" + address_bytes(vault)
    if expires_after_ms is not None:
        data += b"\x00" + expires_after_ms.to_bytes(8, "big")
    return keccak(data)


def agent_digest(connection: bytes, source: str) -> bytes:
    """What is signed for such an action: a phantom agent of this source."""
    fields = (("source", "string"), ("connectionId", "bytes32"))
    agent = _struct("Agent", fields, {"source": source, "connectionId": connection})
    return keccak(b"\x19\x01" + _domain("Exchange", 1337) + agent)


def user_digest(action: Mapping[str, Any]) -> bytes:
    """What is signed for an action of USER_SIGNED. Raises UnsignedError where a field is missing or no such value."""
    name, fields = USER_SIGNED[action["type"]]
    if action["type"] == "approveAgent":
        action = {**action, "agentName": action.get("agentName") or ""}
    try:
        domain = _domain("HyperliquidSignTransaction", int(action["signatureChainId"], 16))
        message = _struct(f"HyperliquidTransaction:{name}", fields, action)
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise UnsignedError from error
    return keccak(b"\x19\x01" + domain + message)


# ---------------------------------------------------------------- signatures
def recover(digest: bytes, signature: Mapping[str, Any]) -> str:
    """The address, in lower case, whose signature this is: {"r", "s"} in hex, zeros in front left out or not, and
    "v", 27 or 28. Raises UnsignedError where it is nobody's.
    """
    try:
        r, s, v = int(signature["r"], 16), int(signature["s"], 16), signature["v"]
        packed = _word(r) + _word(s) + bytes((v - 27 if v >= 27 else v,))
        public = PublicKey.from_signature_and_message(packed, digest, hasher=None)
    except Exception as error:  # the library's own are plain ones
        raise UnsignedError from error
    return "0x" + keccak(public.format(compressed=False)[1:])[12:].hex()


def address_bytes(address: str) -> bytes:
    """The 20 bytes of an address. ValueError where it is none."""
    data = bytes.fromhex(address.removeprefix("0x"))
    if len(data) != 20:
        raise ValueError(address)
    return data
