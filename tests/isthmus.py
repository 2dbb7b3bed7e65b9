"""An Isthmus of one's own: a site folder, the real command in a process that can be killed, and its API."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from policies.auth import hash_secret

SECRET = "crash-test-secret-0123456789"
STARTS_WITHIN = 30.0

MAIN = """
[server]
http = "127.0.0.1:{http}"
requests-per-second = 100000.0
burst = 100000

[store]
path = "{data}"
key-file = "{key}"

[webhooks]
allow = ["127.0.0.1"]
retry-seconds = [0.0, 0.2, 0.5, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0]
"""
PEER = """
zone = "America/New_York"

[feed]
mllp = "127.0.0.1:{mllp}"
"""
CLIENT = """
client-id = "admin"
secret-hash = "{secret}"
scopes = ["admin"]
"""


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Isthmus:
    """One gateway on one data directory, started and killed as often as wanted."""

    def __init__(self, folder: Path, otlp: str | None = None) -> None:
        self.folder = folder
        self.otlp = otlp
        self.http, self.mllp = free_port(), free_port()
        self.log = folder / "isthmus.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._token = ""
        self._write_site()

    def _write_site(self) -> None:
        site = self.folder / "site"
        for part in ("peers", "clients"):
            (site / part).mkdir(parents=True)
        key = self.folder / "site.key"
        key.write_bytes(os.urandom(32))
        key.chmod(0o600)
        tracing = f'\n[tracing]\notlp = "{self.otlp}"\n' if self.otlp else ""
        (site / "isthmus.toml").write_text(MAIN.format(http=self.http, data=self.data, key=key) + tracing)
        (site / "peers" / "soak.toml").write_text(PEER.format(mllp=self.mllp))
        hashed = hash_secret(SECRET, os.urandom(16))
        (site / "clients" / "admin.toml").write_text(CLIENT.format(secret=hashed))

    @property
    def data(self) -> Path:
        """Where the store is."""
        return self.folder / "data"

    @property
    def key(self) -> bytes:
        """The site key."""
        return (self.folder / "site.key").read_bytes()

    @property
    def pid(self) -> int:
        """The running process."""
        assert self._process
        return self._process.pid

    def start(self) -> None:
        """Start, and wait until it is ready."""
        command = [sys.executable, "-m", "gateway.cli", "serve", str(self.folder / "site")]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + STARTS_WITHIN
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise RuntimeError(f"isthmus ended at once: {self.log.read_text()[-2000:]}")
            try:
                self.get("/health/ready", token=False)
            except (OSError, urllib.error.URLError):
                time.sleep(0.05)
            else:
                return
        raise RuntimeError("isthmus was not ready in time")

    def kill(self) -> None:
        """kill -9."""
        assert self._process
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def stop(self) -> int:
        """SIGTERM, and how it left."""
        assert self._process
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(timeout=60)

    def token(self) -> str:
        """An access token, fetched when there is none."""
        if not self._token:
            form = f"grant_type=client_credentials&client_id=admin&client_secret={SECRET}".encode()
            request = urllib.request.Request(f"{self.url}/oauth/token", data=form)
            with urllib.request.urlopen(request, timeout=10) as answer:
                self._token = json.load(answer)["access_token"]
        return self._token

    @property
    def url(self) -> str:
        """The API's base."""
        return f"http://127.0.0.1:{self.http}"

    def get(self, path: str, token: bool = True, body: dict[str, object] | None = None) -> dict[str, object]:
        """A JSON answer of the API (POST when there is a body)."""
        request = urllib.request.Request(self.url + path)
        if token:
            request.add_header("authorization", f"Bearer {self.token()}")
        data = None
        if body is not None:
            request.add_header("content-type", "application/json")
            data = json.dumps(body).encode()
        try:
            with urllib.request.urlopen(request, data=data, timeout=10) as answer:
                found: dict[str, object] = json.load(answer)
                return found
        except urllib.error.HTTPError as error:
            if error.code == 401 and token:
                self._token = ""
            raise

    def all(self, path: str) -> list[dict[str, object]]:
        """Every item of a list, page by page."""
        items: list[dict[str, object]] = []
        joint = "&" if "?" in path else "?"
        page = self.get(f"{path}{joint}limit=200")
        while True:
            items += page["items"]  # type: ignore[operator] # JSON of the API
            if not page["next"]:
                return items
            page = self.get(f"{path}{joint}limit=200&cursor={page['next']}")
