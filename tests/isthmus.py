"""An Isthmus of one's own: a site folder, the real command in a process that can be killed, and its API."""

import asyncio
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from copy import copy
from pathlib import Path
from typing import Any, NamedTuple, Self

from policies.auth import hash_secret
from tests.servers.postgres import create, url_of

SECRET = "crash-test-secret-0123456789"
STARTS_WITHIN = 30.0
BACKEND = "ISTHMUS_TEST_BACKEND"  # postgres: whoever names no database of its own gets one; else it has a folder

Settings = Mapping[str, object]

QUICK_SPANS = {"OTEL_BSP_SCHEDULE_DELAY": "100"}  # milliseconds between two exports
ZONE = "America/New_York"
RETRIES = [0.0, 0.2, 0.5, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait(until: Callable[[], object], within: float = 20.0) -> None:
    """Ask until it is so; after too long, fail."""
    deadline = time.monotonic() + within
    while not until():
        assert time.monotonic() < deadline, "it did not become so in time"
        time.sleep(0.03)


def toml(top: Settings, tables: Mapping[str, Settings]) -> str:
    """A settings file; JSON writes text, numbers, truth and lists as TOML does."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in top.items()]
    for name, settings in tables.items():
        lines += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in settings.items())]
    return "\n".join(lines) + "\n"


class Reply(NamedTuple):
    """What the API said, whatever it said."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON; Any, because tests reach into it."""
        return json.loads(self.body)


def _database(folder: Path) -> Settings:
    """Where the data is, if not in the folder: a schema of its own of the tests' PostgreSQL."""
    if os.environ.get(BACKEND) != "postgres":
        return {}
    asyncio.run(create(folder))
    return {"database": url_of(folder)}


class Isthmus:
    """One gateway on one data directory, started and killed as often as wanted.

    It has a peer `soak` and a client `admin`; `feed` and `settings` (by table of isthmus.toml) add to what they say.
    `peer` and `client` add others, before a start.
    """

    def __init__(
        self,
        folder: Path,
        otlp: str | None = None,
        *,
        feed: Settings | None = None,
        settings: Mapping[str, Settings] | None = None,
        tenants: Sequence[str] = ("main",),
    ) -> None:
        self.folder = folder
        self.http = free_port()
        self.ports: dict[str, int] = {}  # of each peer's feed
        self.log = folder / "isthmus.log"
        self._arguments: tuple[str, ...] = ()
        self._process: subprocess.Popen[bytes] | None = None
        self._tokens: dict[str, str] = {}
        key = folder / "site.key"
        key.write_bytes(os.urandom(32))
        key.chmod(0o600)
        self._tenants, self._main = tenants, self._usual(otlp)
        self.configure(settings or {})
        self.mllp = self.peer("soak", feed)
        self.client("admin", ["admin"])

    def _usual(self, otlp: str | None) -> dict[str, dict[str, object]]:
        return {
            "server": {"http": f"127.0.0.1:{self.http}", "requests-per-second": 100000.0, "burst": 100000},
            "store": {"path": str(self.data), "key-file": str(self.folder / "site.key"), **_database(self.folder)},
            "webhooks": {"allow": ["127.0.0.1"], "retry-seconds": RETRIES},
            "tracing": {"otlp": otlp} if otlp else {},
        }

    # -- the site

    def configure(self, settings: Mapping[str, Settings]) -> None:
        """Change settings of isthmus.toml, by table."""
        for table, changes in settings.items():
            self._main.setdefault(table, {}).update(changes)
        self._write("isthmus.toml", toml({"tenants": list(self._tenants)}, self._main))

    def peer(self, name: str, feed: Settings | None = None, tenant: str | None = None, port: int | None = None) -> int:
        """An outside system, and the port that its feed listens on: a free one, or one that is shared."""
        self.ports[name] = port = port or free_port()
        top = {"zone": ZONE, "tenant": tenant or self._tenants[0]}
        self._write(f"peers/{name}.toml", toml(top, {"feed": {"mllp": f"127.0.0.1:{port}", **(feed or {})}}))
        return port

    def client(self, name: str, scopes: Sequence[str], tenant: str | None = None, **more: object) -> None:
        """An API consumer; all have the same secret. More settings are given with `_` for `-`."""
        said = {
            "client-id": name,
            "secret-hash": hash_secret(SECRET, os.urandom(16)),
            "scopes": list(scopes),
            "tenant": tenant or self._tenants[0],
            **{key.replace("_", "-"): value for key, value in more.items()},
        }
        self._write(f"clients/{name}.toml", toml(said, {}))

    def file(self, name: str, top: Settings, tables: Mapping[str, Settings] | None = None) -> None:
        """Any settings file of the site."""
        self._write(name, toml(top, tables or {}))

    def _write(self, name: str, text: str) -> None:
        path = self.folder / "site" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    @property
    def data(self) -> Path:
        """Where the store is."""
        return self.folder / "data"

    @property
    def key(self) -> bytes:
        """The site key."""
        return (self.folder / "site.key").read_bytes()

    # -- the process

    def beside(self, role: str) -> Self:
        """Another process of the same site, which does one thing."""
        other = copy(self)
        other.http = free_port()
        other.log = self.folder / f"{role}-{other.http}.log"
        other._arguments = ("--role", role, "--http", f"127.0.0.1:{other.http}")
        other._process, other._tokens = None, {}
        return other

    @property
    def pid(self) -> int:
        """The running process."""
        assert self._process
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process is not None and self._process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Any signal."""
        assert self._process
        self._process.send_signal(number)

    def start(self) -> None:
        """Start, and wait until it is ready."""
        self.launch()
        self.ready()

    def launch(self) -> None:
        """Start, and no waiting."""
        command = [sys.executable, "-m", "gateway.cli", "serve", str(self.folder / "site"), *self._arguments]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | QUICK_SPANS)

    def ready(self) -> None:
        """Wait until it is ready."""
        assert self._process
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

    def reload(self, until: str = "site.reloaded") -> None:
        """Have the site's files read again, and wait until the log says what came of it."""
        before = self.log.read_text().count(until)
        os.kill(self.pid, signal.SIGHUP)
        wait(lambda: self.log.read_text().count(until) > before)

    def kill(self) -> None:
        """kill -9."""
        assert self._process
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def crash(self) -> None:
        """kill -9, and started again."""
        self.kill()
        self.start()

    def terminate(self) -> None:
        """SIGTERM, and no waiting."""
        assert self._process
        self._process.send_signal(signal.SIGTERM)

    def left(self, within: float = 60.0) -> int:
        """Wait until it has left, and how."""
        assert self._process
        return self._process.wait(timeout=within)

    def stop(self) -> int:
        """SIGTERM, and how it left."""
        self.terminate()
        return self.left()

    # -- the API

    def token(self, client: str = "admin") -> str:
        """An access token, fetched when there is none."""
        if client not in self._tokens:
            form = f"grant_type=client_credentials&client_id={client}&client_secret={SECRET}".encode()
            request = urllib.request.Request(f"{self.url}/oauth/token", data=form)
            with urllib.request.urlopen(request, timeout=10) as answer:
                self._tokens[client] = json.load(answer)["access_token"]
        return self._tokens[client]

    @property
    def url(self) -> str:
        """The API's base."""
        return f"http://127.0.0.1:{self.http}"

    def ask(
        self, method: str, path: str, body: object = None, *, client: str | None = "admin", **headers: str
    ) -> Reply:
        """Any request, and whatever it is answered; bytes go as they are, other bodies as JSON.

        `client` is who asks (None: nobody); headers are given with `_` for `-`.
        """
        sent = {key.replace("_", "-"): value for key, value in headers.items()}
        if client and "authorization" not in sent:
            sent["authorization"] = f"Bearer {self.token(client)}"
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            sent.setdefault("content-type", "application/json")
        connection = http.client.HTTPConnection("127.0.0.1", self.http, timeout=20)
        try:
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            return Reply(answer.status, {key.lower(): value for key, value in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def get(self, path: str, token: bool = True, body: Settings | None = None) -> dict[str, Any]:
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
                found: dict[str, Any] = json.load(answer)
                return found
        except urllib.error.HTTPError as error:
            if error.code == 401 and token:
                self._tokens.clear()
            raise

    def all(self, path: str) -> list[dict[str, Any]]:
        """Every item of a list, page by page."""
        items: list[dict[str, Any]] = []
        joint = "&" if "?" in path else "?"
        page = self.get(f"{path}{joint}limit=200")
        while True:
            items += page["items"]
            if not page["next"]:
                return items
            page = self.get(f"{path}{joint}limit=200&cursor={page['next']}")


@contextmanager
def running(isthmus: Isthmus) -> Iterator[Isthmus]:
    """Started for a while and killed at the end of it; its log must hold no traceback and no fault of ours."""
    with together(isthmus):
        yield isthmus


@contextmanager
def together(*processes: Isthmus) -> Iterator[None]:
    """As `running`, for several that start at once."""
    with ExitStack() as ending:
        for one in processes:
            one.launch()
            ending.callback(one.kill)
        for one in processes:
            one.ready()
        yield
    for one in processes:
        log = one.log.read_text()
        assert "Traceback" not in log
        assert '"level":"error"' not in log
