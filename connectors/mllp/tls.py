"""TLS for MLLP: contexts for both ends, TLS 1.2 or newer, and who the other end proved to be.

A certificate is an identity only because a CA of ours signed it; nothing here trusts an address.
"""

import ssl
from hashlib import sha256
from pathlib import Path

from cryptography import x509
from msgspec import Struct

_NAMES: dict[type[x509.GeneralName], str] = {
    x509.DNSName: "DNS",
    x509.IPAddress: "IP",
    x509.RFC822Name: "email",
    x509.UniformResourceIdentifier: "URI",
}


class Certificate(Struct, frozen=True):
    """What a peer's verified certificate says: subject (RFC 4514), names (`DNS:his.example.org`), SHA-256 in hex."""

    subject: str
    names: tuple[str, ...]
    sha256: str


def tls(cert: Path | str, key: Path | str, client_ca: Path | str | None = None) -> ssl.SSLContext:
    """A listener's context; with `client_ca`, whoever shows no certificate signed by it is turned away."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(cert, key)
    if client_ca is not None:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def tls_client(
    ca: Path | str | None = None, cert: Path | str | None = None, key: Path | str | None = None
) -> ssl.SSLContext:
    """A sender's context: trusts `ca`, or else the system's, checks the host's name, and shows `cert` when asked."""
    context = ssl.create_default_context(cafile=ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if cert is not None:
        context.load_cert_chain(cert, key)
    return context


def failure(error: OSError) -> str:
    """Why a handshake failed, in a word: OpenSSL's own (`certificate_verify_failed`), or else `closed` or `timeout`."""
    if isinstance(error, ssl.SSLError):
        return (error.reason or "other").lower()
    return "timeout" if isinstance(error, ConnectionAbortedError | TimeoutError) else "closed"


def certificate(der: bytes | None) -> Certificate | None:
    """What the bytes of a verified certificate say.

    One that OpenSSL takes and we cannot read keeps its fingerprint and has no names, so no rule by name fits it.
    """
    if not der:
        return None
    fingerprint = sha256(der).hexdigest()
    try:
        read = x509.load_der_x509_certificate(der)
        return Certificate(read.subject.rfc4514_string(), _names(read), fingerprint)
    except ValueError:
        return Certificate("", (), fingerprint)


def _names(read: x509.Certificate) -> tuple[str, ...]:
    try:
        found = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(f"{_NAMES[type(name)]}:{name.value}" for name in found if type(name) in _NAMES)
