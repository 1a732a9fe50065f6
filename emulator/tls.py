"""TLS for clients that refuse plain sockets: a certificate of the operator's, or one of a local authority of ours.

The authority is made once per user and kept, so that a client can go on trusting it; its key stays in a folder that
only the user may read. Certificates name localhost and the loopback addresses, nothing else.
"""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import trustme

from emulator.config import Config, ConfigError

CERTIFICATE = "ca.pem"
NAMES = ("localhost", "127.0.0.1", "::1")


def home() -> Path:
    """Where the local authority is kept."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "exchange-emulator" / "tls"


def context(config: Config) -> tuple[ssl.SSLContext, Path]:
    """What TLS listeners speak, and the file of the certificate that clients must trust.

    Raises ConfigError, naming the settings, when the operator's files are no certificate and key that belong together.
    """
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.set_alpn_protocols(["http/1.1"])
    if not config.tls_cert:
        _authority(home()).issue_cert(*NAMES).configure_cert(tls)
        return tls, home() / CERTIFICATE
    try:
        tls.load_cert_chain(config.tls_cert, config.tls_key or None)
    except OSError as error:  # an SSLError is one
        raise ConfigError(
            f"tls_cert, tls_key: not a certificate with its key: {error.strerror or error}"
        ) from None
    return tls, Path(config.tls_cert)


def _authority(folder: Path) -> trustme.CA:
    """The authority in a folder, made if it is not there."""
    certificate, key = folder / CERTIFICATE, folder / "ca.key"
    if certificate.exists() and key.exists():
        return trustme.CA.from_pem(certificate.read_bytes(), key.read_bytes())
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    authority = trustme.CA(organization_name="exchange-emulator", organization_unit_name="local authority")
    certificate.write_bytes(authority.cert_pem.bytes())
    key.touch(mode=0o600)
    key.write_bytes(authority.private_key_pem.bytes())
    return authority
