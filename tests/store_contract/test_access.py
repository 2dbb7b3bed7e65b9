"""Clients, nonces, secrets and switches: durable, and closed when in doubt."""

import asyncio
from pathlib import Path

from msgspec.structs import replace

from gateway.store.protocol import Store, StoredClient
from tests.store_contract.conftest import KEY, Open

CLIENT = StoredClient(
    client_id="partner", tenant="main", secret_hash="x", scopes=("appointments.read", "messages.read"), created_at=1
)


async def test_a_client_is_kept_and_replaced(store: Store) -> None:
    """The last word about a client holds."""
    assert None is await store.client("partner")
    await store.put_client(CLIENT)
    assert await store.client("partner") == CLIENT
    revoked = replace(CLIENT, revoked_at=2, scopes=())
    await store.put_client(revoked)

    assert await store.client("partner") == revoked


async def test_a_nonce_is_used_once(store: Store) -> None:
    """Until its time is over; then it is new again."""
    assert await store.once("jti:1", 100, 50)
    assert not await store.once("jti:1", 100, 50)
    assert not await store.once("jti:1", 200, 100)
    assert await store.once("jti:2", 100, 50)
    assert await store.once("jti:1", 200, 101)
    assert not await store.once("jti:1", 200, 150)


async def test_one_of_many_at_once_has_the_nonce(store: Store) -> None:
    """However many try together, one is first."""
    tries = await asyncio.gather(*(store.once("jti", 100, 50) for _ in range(20)))

    assert 1 == sum(tries)


async def test_what_must_outlive_the_process_does(backend: Open, tmp_path: Path) -> None:
    """Nonces, secrets and switches are as they were after opening again."""
    first = backend(tmp_path, KEY)
    await first.open()
    await first.once("jti", 100, 50)
    await first.set_switch("feed:ehr", "ann")
    await first.secret("tokens", b"first")
    await first.close()
    second = backend(tmp_path, KEY)
    await second.open()

    assert not await second.once("jti", 100, 50)
    assert {"feed:ehr": "ann"} == await second.switches()
    assert b"first" == await second.secret("tokens", b"second")
    await second.close()


async def test_a_secret_stays_as_it_was_first(store: Store) -> None:
    """Many that ask at once get the same one; another name is another secret."""
    offers = [bytes([number]) for number in range(10)]
    (kept,) = set(await asyncio.gather(*(store.secret("cursor", one) for one in offers)))

    assert kept in offers
    assert b"other" == await store.secret("tokens", b"other")


async def test_a_switch_is_held_and_released(store: Store) -> None:
    """What is held says by whom; releasing what is not held is nothing."""
    assert {} == await store.switches()
    await store.set_switch("intake", "ann")
    await store.set_switch("intake", "bob")
    assert {"intake": "bob"} == await store.switches()
    await store.set_switch("intake", None)
    await store.set_switch("intake", None)

    assert {} == await store.switches()


async def test_a_lease_is_one_holders_at_a_time(store: Store) -> None:
    """Who holds it may go on; another waits until its time is over, or it was let go."""
    assert await store.lease("watch", "first", 100, 50)
    assert await store.lease("watch", "first", 120, 60)
    assert not await store.lease("watch", "second", 200, 119)
    assert await store.lease("job:1", "second", 200, 119)
    assert await store.lease("watch", "second", 200, 121)
    assert not await store.lease("watch", "first", 300, 122)
    assert await store.lease("watch", "second", 0, 123)
    assert await store.lease("watch", "first", 300, 124)


async def test_one_of_many_at_once_has_the_lease(store: Store) -> None:
    """However many ask together, one holds it."""
    tries = await asyncio.gather(*(store.lease("watch", f"process-{n}", 100, 50) for n in range(20)))

    assert 1 == sum(tries)
