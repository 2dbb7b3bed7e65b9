"""The queries that a busy worker asks, each by an index and none by a scan."""

from collections.abc import Iterator
from pathlib import Path
from sqlite3 import Connection, connect

import pytest

from gateway.store.protocol import Delivery, DeliveryQuery
from gateway.store.sqlite.deliveries import COUNT, LIST, OLDEST, SQL
from gateway.store.sqlite.named import migrations

EXTRA = ("cursor", "now", "last_seq", "last_id")
NAMES = {name: 0 for name in (*Delivery.__struct_fields__, *DeliveryQuery.__struct_fields__, *EXTRA)}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Connection]:
    """An empty database of the newest schema."""
    connection = connect(tmp_path / "plans.db")
    for _, script in migrations():
        connection.executescript(script)
    yield connection
    connection.close()


def plan(database: Connection, sql: str, parameters: object) -> str:
    rows = database.execute(f"EXPLAIN QUERY PLAN {sql}", parameters).fetchall()  # type: ignore[arg-type]  # as given
    return "\n".join(row[3] for row in rows)


@pytest.mark.parametrize(
    ("name", "parameters", "index"),
    [
        ("any_due", 2, "deliveries_due (subscription=? AND <expr><?)"),
        ("due", 3, "deliveries_due (subscription=? AND <expr><?)"),
        ("lease", 3, "INTEGER PRIMARY KEY (rowid=?)"),
        ("promote", 2, "deliveries_waiting (subscription=? AND lane=?)"),
        ("step_back", 2, "deliveries_head (subscription=? AND lane=?)"),
        ("forget_leases", 0, "USING INDEX deliveries_due"),
        ("delivery", 2, "sqlite_autoindex_deliveries_1 (id=?)"),
        ("attempts", 2, "PRIMARY KEY (delivery=?)"),
        ("running_jobs", 0, "jobs_running"),
    ],
)
def test_by_place(database: Connection, name: str, parameters: int, index: str) -> None:
    """Each statement walks the index that was made for it, and sorts nothing."""
    found = plan(database, SQL[name], (0,) * parameters)

    assert index in found
    assert "SCAN deliveries\n" not in found + "\n"
    assert "TEMP B-TREE" not in found


@pytest.mark.parametrize(
    ("sql", "index"),
    [
        (SQL["conclude"], "sqlite_autoindex_deliveries_1 (id=?)"),
        (SQL["insert"], "deliveries_head (subscription=? AND lane=?)"),
        (LIST["from_subscription"], "deliveries_once (subscription=?)"),
        (LIST["from_event"], "deliveries_event (event=?)"),
        (LIST["from_parked"], "deliveries_parked (tenant=?)"),
        (LIST["from_tenant"], "deliveries_tenant (tenant=?)"),
        (OLDEST["from_subscription"], "deliveries_once (subscription=?)"),
        (OLDEST["from_parked"], "deliveries_parked (tenant=?)"),
        (OLDEST["from_tenant"], "deliveries_tenant (tenant=?)"),
        (COUNT["from_parked"], "deliveries_parked (tenant=?)"),
    ],
)
def test_by_name(database: Connection, sql: str, index: str) -> None:
    """Lists and changes walk the index that was made for them."""
    assert index in plan(database, sql, NAMES)


def test_backlog(database: Connection) -> None:
    """What waits is counted in small indexes, never in the table."""
    found = plan(database, SQL["backlog"], ())

    assert all(name in found for name in ("deliveries_waiting", "deliveries_parked", "deliveries_due"))
    assert "SCAN deliveries\n" not in found + "\n"
