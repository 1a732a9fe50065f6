"""TLS: the same venue for clients that refuse plain sockets, under an authority that they can go on trusting."""

from __future__ import annotations

import json
import ssl
import stat
import urllib.request
from pathlib import Path

import pytest
import trustme
from websockets.sync.client import connect

from emulator.config import ConfigError
from emulator.sdk import Emulator
from tests.emulator.toy import toys
from tests.patience import PATIENCE_S


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The authority of these tests is not the user's."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def get(url: str, trusting: ssl.SSLContext | None = None) -> bytes:
    with urllib.request.urlopen(url, timeout=PATIENCE_S, context=trusting) as answer:
        body: bytes = answer.read()
        return body


def test_requests_and_sockets_over_tls() -> None:
    """Beside the plain listeners, with every name of this machine in the certificate."""
    with Emulator({"tls": True}, registry=toys()) as running:
        trusting = ssl.create_default_context(cafile=running.ca)
        assert get(running.url("toy", tls=True) + "/messages", trusting) == get(
            running.url("toy") + "/messages"
        )
        for host in ("127.0.0.1", "localhost"):
            url = running.ws_url("toy", tls=True).replace("127.0.0.1", host)
            with connect(url, ssl=trusting) as socket:
                socket.send("sub a 10")
                assert socket.recv(timeout=PATIENCE_S) == "ok sub a 10"
                running.clock.advance(0.02)
                counted = [socket.recv(timeout=PATIENCE_S) for _ in range(2)]
                assert all(str(text).startswith("a ") for text in counted)
        health = json.loads(get(running.control_url + "/health"))
        assert health["ca"] == str(running.ca)
        assert health["venues"]["toy"]["wss"] == running.ws_url("toy", tls=True)


def test_a_stranger_is_not_trusted() -> None:
    """Without the authority, the client refuses; without TLS, there is no such listener."""
    with Emulator({"tls": True}, registry=toys()) as running, pytest.raises(ssl.SSLCertVerificationError):
        connect(running.ws_url("toy", tls=True), ssl=ssl.create_default_context())
    with Emulator({}, registry=toys()) as running:
        assert running.ca is None
        assert "ca" not in json.loads(get(running.control_url + "/health"))
        with pytest.raises(KeyError):
            running.url("toy", tls=True)


def test_the_authority_is_kept_and_its_key_private(cache: Path) -> None:
    """The next run is trusted by who trusted the last one; only the user may read the key."""
    certificates = []
    for _ in range(2):
        with Emulator({"tls": True}, registry=toys()) as running:
            assert running.ca is not None
            certificates.append(running.ca.read_bytes())
    assert certificates[0] == certificates[1]
    key = cache / "exchange-emulator" / "tls" / "ca.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_a_certificate_of_ones_own(tmp_path: Path) -> None:
    """Is served as it is; a key in the same file need not be named."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    chain = tmp_path / "own.pem"
    chain.write_bytes(issued.private_key_and_cert_chain_pem.bytes())
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    with Emulator({"tls": True, "tls_cert": str(chain)}, registry=toys()) as running:
        assert get(running.url("toy", tls=True) + "/messages", trusting) == b"0"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"tls": True, "tls_cert": "/nowhere.pem"}, "tls_cert, tls_key: not a certificate with its key"),
        ({"tls": True, "tls_cert": __file__}, "tls_cert, tls_key: not a certificate with its key"),
        ({"tls": True, "tls_key": "/nowhere.pem"}, "tls_key: a key takes its tls_cert"),
        ({"tls_cert": "/nowhere.pem"}, "tls_cert: a certificate takes tls"),
    ],
)
def test_bad_certificates_are_one_line(settings: dict[str, object], said: str) -> None:
    """That names the setting; no port is taken."""
    with pytest.raises(ConfigError) as error:
        Emulator(settings, registry=toys()).start()
    assert str(error.value).startswith(said)
    assert "\n" not in str(error.value)
