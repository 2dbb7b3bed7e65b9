"""Moving up and coming back, really done: a move to PostgreSQL with deliveries under way, and a restore to a moment."""

import asyncio
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import asyncpg
import pytest

from tests.isthmus import Isthmus, running, wait
from tests.mllp import Line, code
from tests.scenarios.collector import Collector
from tests.scenarios.messages import booking
from tests.servers.postgres import Postgres, binaries, create, name_of

ARCHIVED = "SELECT (last_archived_wal >= pg_walfile_name(pg_current_wal_lsn() - 1))::text FROM pg_stat_archiver"


@pytest.fixture(scope="module", autouse=True)
def backend() -> str:
    """It is the embedded store that is moved; what is restored names its database itself."""
    return "sqlite"


def say(isthmus: Isthmus, *messages: bytes) -> list[bytes | None]:
    """Send messages one after the other, and have each accepted."""
    with Line(isthmus.mllp) as line:
        answers = [line.say(one) for one in messages]
    assert ["AA"] * len(messages) == [code(one) for one in answers]
    return answers


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The real command, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "gateway.cli", *arguments], capture_output=True, text=True, check=False
    )


def test_moved_up(postgres_server: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused while it runs; then what waited is delivered once at the target, in order, and the feed goes on."""
    hooks = Collector()
    hooks.answer = lambda request: 503
    isthmus = Isthmus(tmp_path)
    site, file = str(tmp_path / "site"), str(tmp_path / "site.export")
    with running(isthmus):
        made = isthmus.ask("POST", "/v1/subscriptions", {"url": hooks.url, "types": ["appointment.*"]})
        assert 201 == made.status
        (first, *_) = say(isthmus, booking("A1", "C1"), booking("A1", "C2", "S15", at="20250111090000-0500"))
        hooks.wait(1)
        refused = command("export", site, file)
        copied = command("backup", site, str(tmp_path / "copy.db"))
        events = isthmus.get("/v1/events?limit=200")["items"]
        assert 0 == isthmus.stop()
        isthmus.launch()
        isthmus.ready()
    out = command("export", site, file)
    asyncio.run(create(tmp_path))
    monkeypatch.setenv("DATABASE", f"{postgres_server.address}/postgres?search_path={name_of(tmp_path)}")
    isthmus.configure({"store": {"database": "env:DATABASE"}})
    arrived = command("import", site, file)
    again = command("import", site, file)
    tried = {request.headers["webhook-id"] for request in hooks.requests}
    hooks.requests.clear()
    hooks.answer = lambda request: 200
    with running(isthmus):
        came = [(one.headers["webhook-id"], one.json["type"]) for one in hooks.wait(2)]
        assert [first] == say(isthmus, booking("A1", "C1"))
        say(isthmus, booking("A2", "C3", mrn="M2"))
        hooks.wait(3)
        now = isthmus.get("/v1/events?limit=200")["items"]
    verified = command("audit", "verify", site)
    hooks.close()

    assert (1, 0) == (refused.returncode, copied.returncode)
    assert "a gateway is running" in refused.stderr
    assert (0, 0, 1) == (out.returncode, arrived.returncode, again.returncode), out.stderr + arrived.stderr
    assert ["appointment.created", "appointment.cancelled"] == [kind for _, kind in came]
    assert tried == {came[0][0]}
    assert 3 == len(hooks.requests)
    assert events == now[: len(events)]
    assert list(range(1, len(now) + 1)) == [one["seq"] for one in now]
    assert 0 == verified.returncode, verified.stdout


def test_restored_to_a_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Base backup, more messages, a moment, more messages, the data destroyed: what is there is of that moment."""
    place = binaries()
    if place is None:
        pytest.skip("no PostgreSQL")
    folder = Path(tempfile.mkdtemp(prefix="isthmus-restore-"))
    server = Postgres(place, folder)
    archive = folder / "archive"
    archive.mkdir()
    if server.user:
        shutil.chown(archive, server.user)
    with (server.data / "postgresql.conf").open("a") as settings:
        settings.write(f"archive_mode = on\narchive_command = 'cp %p {archive}/%f'\n")
    monkeypatch.setenv("DATABASE", f"{server.address}/postgres")
    isthmus = Isthmus(tmp_path, settings={"store": {"database": "env:DATABASE"}})
    try:
        server.start()
        with running(isthmus):
            say(isthmus, booking("A1", "C1"))
            at = ("-h", "127.0.0.1", "-p", str(server.port), "-U", "postgres")
            server._run("pg_basebackup", *at, "-D", str(folder / "base"))
            say(isthmus, booking("A2", "C2", mrn="M2"))
            before = isthmus.get("/v1/events?limit=200")["items"]
            moment = asyncio.run(ask(server, "SELECT clock_timestamp()::text"))
            say(isthmus, booking("A3", "C3", mrn="M3"))
        asyncio.run(ask(server, "SELECT pg_switch_wal()::text"))
        wait(lambda: asyncio.run(ask(server, ARCHIVED)) == "true")
        server.stop(signal.SIGQUIT)
        shutil.rmtree(server.data)
        subprocess.run(["cp", "-a", str(folder / "base"), str(server.data)], check=True)
        with (server.data / "postgresql.conf").open("a") as settings:
            settings.write(f"restore_command = 'cp {archive}/%f %p'\nrecovery_target_time = '{moment}'\n")
            settings.write("recovery_target_action = 'promote'\n")
        (server.data / "recovery.signal").touch()
        server.start()
        wait(lambda: asyncio.run(ask(server, "SELECT pg_is_in_recovery()::text")) == "false")
        with running(isthmus):
            kept = {one["controlId"] for one in isthmus.all("/v1/messages")}
            after = isthmus.get("/v1/events?limit=200")["items"]
            say(isthmus, booking("A2", "C2", mrn="M2"), booking("A3", "C3", mrn="M3"))
            whole = [one["controlId"] for one in isthmus.all("/v1/messages")]
        assert 0 == command("audit", "verify", str(tmp_path / "site")).returncode
    finally:
        server.stop(signal.SIGQUIT)
        shutil.rmtree(folder, ignore_errors=True)

    assert {"C1", "C2"} == kept
    assert before == after
    assert ["C1", "C2", "C3"] == sorted(whole)


async def ask(server: Postgres, sql: str) -> str:
    """One value of the server."""
    connection = await asyncpg.connect(f"{server.address}/postgres")
    try:
        return str(await connection.fetchval(sql))
    finally:
        await connection.close()
