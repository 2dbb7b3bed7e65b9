"""What an account must not overlook."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from msgspec.structs import replace

from canonical.events import Event
from gateway.store.postgres import PostgresStore
from gateway.store.protocol import Batch
from tests.servers.postgres import Postgres
from tests.soak.account import Account, count_events, count_messages, count_webhooks
from tests.soak.readers import Poller
from tests.store_contract import made
from tests.store_contract.conftest import KEY, InSchema, keep

EVENTS = [made.event(number, subject="apt_1", version=number, message=f"msg_{number}") for number in (1, 2, 3)]


@pytest_asyncio.fixture
async def store(postgres_server: Postgres, tmp_path: Path) -> AsyncIterator[PostgresStore]:
    """An empty one."""
    opened = InSchema(tmp_path, KEY)
    await opened.open()
    yield opened
    await opened.close()


def taken(*events: Event) -> list[dict[str, Any]]:
    """Webhooks as a partner took them."""
    return [{"id": f"dlv_{one.id}", "event": {"id": one.id, "subject": one.subject, "seq": one.seq}} for one in events]


def numbered() -> list[Event]:
    """The events as the store numbers them."""
    return [replace(one, seq=seq) for seq, one in enumerate(EVENTS, 1)]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ((0, 1, 2), (0, 0, 0)),
        ((0, 2), (1, 0, 0)),
        ((0, 2, 1), (0, 1, 0)),
    ],
)
def test_webhooks(order: tuple[int, ...], expected: tuple[int, int, int]) -> None:
    """One that is missing, and one that came before its turn."""
    account, events = Account(), numbered()
    count_webhooks(account, events, taken(*(events[place] for place in order)), 0)

    assert expected == (account.undelivered, account.order, account.unstable)


def test_a_webhook_under_two_ids() -> None:
    """The same event was taken twice, because nobody could know that it was the same."""
    account, events = Account(), numbered()
    came = taken(*events)
    count_webhooks(account, events, [*came, {**came[2], "id": "dlv_other"}], 0)

    assert 1 == account.unstable


@pytest.mark.parametrize(
    ("seen", "gaps"), [((1, 2, 3), 0), ((1, 3), 1), ((1, 3, 2), 1), ((1, 2, 2, 3), 1), ((1, 2, 3, 4), 1)]
)
async def test_readers(store: PostgresStore, seen: tuple[int, ...], gaps: int) -> None:
    """What was skipped, swapped, told twice, or told though it is not there."""
    kept = {one.seq: one.id for one in await keep(store, Batch(events=EVENTS))}
    account, reader = Account(), Poller([])
    reader.seen = [(seq, kept.get(seq, "evt_none")) for seq in seen]
    await count_events(account, store, [reader])

    assert (gaps, 0, 0) == (account.gaps, account.twice, account.order)


async def test_messages(store: PostgresStore) -> None:
    """One acknowledged and not kept, one kept and never applied, one kept twice, and versions in another order."""
    booked = made.appointment(1, "pat_1", message=made.message(1).id)
    later = [made.message(number, records=(booked.id,)) for number in (1, 2, 3, 4, 7)]
    twice = made.message(9, control_id="M7")
    await keep(store, Batch(messages=[*later, twice], records=[made.new(booked)]))
    one = made.changed(booked, message=later[2].id)
    await keep(store, Batch(records=[one]))
    await keep(store, Batch(records=[made.changed(one.after, message=later[1].id)]))
    account = Account()
    await count_messages(account, store, {"M1": 1, "M2": 1, "M3": 1, "M4": 1, "M5": 1})

    assert (2, 1, 1) == (account.lost, account.twice, account.order)
