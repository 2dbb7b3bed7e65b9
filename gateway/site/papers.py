"""Keys and certificates of a site as files: whether they can be read, are what they should be, and go together."""

from collections.abc import Iterator
from pathlib import Path
from ssl import SSLError

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from connectors.mllp.tls import tls
from gateway.store.vault import KEY_SIZE

Wrong = tuple[str, str]  # the setting, what is wrong with it


def wrong_with_key(path: Path) -> str | None:
    """What is wrong with a site key."""
    content = read(path)
    if isinstance(content, bytes):
        return None if len(content) == KEY_SIZE else f"a site key is {KEY_SIZE} random bytes"
    return content


def wrong_with_pair(certificate: Path | None, key: Path | None, ca: Path | None = None) -> Iterator[Wrong]:
    """What is wrong with a listener's certificate, its key, and the CA of those who come."""
    chain, private, trusted = read(certificate), read(key), read(ca)
    found = {"certificate": _certificates(chain), "client-ca": _certificates(trusted), "private-key": _key(private)}
    wrong = [(name, said) for name, said in found.items() if isinstance(said, str)]
    yield from wrong
    if certificate is None or key is None:
        return
    leaf, owner = found["certificate"], found["private-key"]
    if not wrong and leaf != owner:
        yield "private-key", "is not the key of the certificate"
    elif not wrong:
        try:
            tls(certificate, key, ca)
        except (SSLError, OSError) as error:
            yield "certificate", f"is refused by TLS ({getattr(error, 'reason', None) or error.strerror})"


def read(path: Path | None) -> bytes | str | None:
    """The content of a file, or in a text why there is none; None where no file is named."""
    if path is None:
        return None
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return "there is no such file"
    except OSError as error:
        return f"cannot be read ({error.strerror})"


def _certificates(pem: bytes | str | None) -> object:
    """The public key of the first certificate; a text says what is wrong."""
    if not isinstance(pem, bytes):
        return pem
    try:
        return x509.load_pem_x509_certificates(pem)[0].public_key()
    except (ValueError, UnsupportedAlgorithm):
        return "holds no certificate that can be read (PEM)"


def _key(pem: bytes | str | None) -> object:
    """The public half of a private key; a text says what is wrong."""
    if not isinstance(pem, bytes):
        return pem
    try:
        return load_pem_private_key(pem, None).public_key()
    except TypeError:
        return "is encrypted; nobody is there to give its passphrase"
    except (ValueError, UnsupportedAlgorithm):
        return "holds no private key that can be read (PEM)"
