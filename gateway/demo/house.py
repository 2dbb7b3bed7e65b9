"""The demo's folder: a site as a user would write it, its key and its clients, made once and kept from then on.

Secrets stand in demo.json and in the file that outlives it, which only their owner may read; the site holds hashes.
demo.json is there from when everything can be used.
"""

import os
import secrets
from pathlib import Path

import msgspec
from msgspec import Struct

from policies.auth import hash_secret

SECRETS = ".clients.json"
READS = ("appointments", "encounters", "patients", "providers", "locations", "events", "subscriptions")
SCOPES = {"admin": ("admin",), "partner": (*(f"{one}.read" for one in READS), "subscriptions.write")}

MAIN = """\
# The demo's site. Change it and start the demo again: it stays as you leave it.
[server]
http = "127.0.0.1:8080"
requests-per-second = 5000.0
burst = 10000

[store]
path = "../data"
key-file = "site.key"

[webhooks]
# Webhooks go to public addresses only; the simulated partner lives on this machine, so it is named here.
allow = ["127.0.0.1", "::1", "localhost"]
retry-seconds = [0.0, 1.0, 5.0, 15.0, 60.0, 300.0]
"""
PEER = """\
# The simulated EHR of a hospital in the east.
zone = "America/New_York"

[feed]
mllp = "127.0.0.1:2575"
silent-after-seconds = 20.0

[authorities.EASTMRN]
system = "urn:oid:2.16.840.1.113883.3.999.2"
enterprise = true

[authorities.EASTVN]
system = "urn:oid:2.16.840.1.113883.3.999.3"

[authorities.EASTSCH]
system = "urn:oid:2.16.840.1.113883.3.999.4"

[authorities.EASTSTAFF]
system = "urn:oid:2.16.840.1.113883.3.999.5"
"""
CLIENT = """\
# The secret itself is in demo.json, beside this folder.
client-id = "{name}"
secret-hash = "{secret}"
scopes = [{scopes}]
"""


class Credentials(Struct, frozen=True):
    """What a client shows at /oauth/token."""

    client_id: str
    client_secret: str


class Demo(Struct, frozen=True):
    """demo.json: where the demo is, and who may use it."""

    http: str
    mllp: str
    clients: dict[str, Credentials]


def prepare(folder: Path) -> dict[str, Credentials]:
    """Make what is not there yet; the clients with their secrets."""
    site = folder / "site"
    for part in ("peers", "clients", "codes"):
        (site / part).mkdir(parents=True, exist_ok=True)
    key = site / "site.key"
    if not key.exists():
        write_private(key, secrets.token_bytes(32))
    for path, text in ((site / "isthmus.toml", MAIN), (site / "peers" / "east.toml", PEER)):
        if not path.exists():
            path.write_text(text, encoding="utf-8")
    known = _known(folder / SECRETS)
    clients = {name: _client(site, name, known.get(name)) for name in SCOPES}
    write_private(folder / SECRETS, msgspec.json.encode(clients))
    return clients


def _known(path: Path) -> dict[str, Credentials]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Credentials])
    except (OSError, msgspec.DecodeError):
        return {}


def _client(site: Path, name: str, known: Credentials | None) -> Credentials:
    """The client as it was, or with a new secret where nobody knows the old one any more."""
    path = site / "clients" / f"{name}.toml"
    if known and path.exists():
        return known
    fresh = Credentials(name, secrets.token_urlsafe(32))
    scopes = ", ".join(f'"{scope}"' for scope in SCOPES[name])
    hashed = hash_secret(fresh.client_secret, secrets.token_bytes(16))
    path.write_text(CLIENT.format(name=name, secret=hashed, scopes=scopes), encoding="utf-8")
    return fresh


def withdraw(folder: Path) -> None:
    """What an earlier run announced holds no longer."""
    (folder / "demo.json").unlink(missing_ok=True)


def announce(folder: Path, demo: Demo) -> None:
    """Write demo.json whole or not at all."""
    write_private(folder / "demo.json", msgspec.json.format(msgspec.json.encode(demo), indent=2) + b"\n")


def write_private(path: Path, content: bytes) -> None:
    """A file that only its owner may read, from its first byte on."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    fresh.replace(path)
