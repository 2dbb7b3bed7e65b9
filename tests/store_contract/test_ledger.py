"""The audit chain holds, and a site's files are kept by their hash."""

from gateway.store.protocol import Batch, Store
from policies.audit import ChainRow, verify
from tests.store_contract import made
from tests.store_contract.conftest import keep


async def test_the_chain_covers_every_row_in_order(store: Store) -> None:
    """One link for each call and each unit, over the digests of its rows, each following on the one before."""
    rows = [made.audit_row(number) for number in range(6)]
    await store.audit(rows[:2])
    await keep(store, Batch(audit=rows[2:5]))
    await store.audit([])
    await keep(store, Batch(events=[made.event(1)]))
    await store.audit(rows[5:])
    links = await store.audit_links()
    chain = [ChainRow(previous=previous, digests=tuple(digests), head=head) for previous, head, digests in links]

    assert [[one.digest for one in part] for part in (rows[:2], rows[2:5], rows[5:])] == [one[2] for one in links]
    assert None is verify(chain)
    assert 1 == verify([chain[0], chain[2]])


async def test_rows_are_read_by_tenant_after_a_number(store: Store) -> None:
    """Rows come in order with the number to go on from."""
    rows = [made.audit_row(1), made.audit_row(2, tenant="other"), made.audit_row(3)]
    await store.audit(rows)
    (number, first), (_, last) = await store.audit_rows("main", 0, 10)

    assert [rows[0], rows[2]] == [first, last]
    assert [rows[2]] == [row for _, row in await store.audit_rows("main", number, 10)]
    assert [rows[1]] == [row for _, row in await store.audit_rows("other", 0, 10)]
    assert [rows[0]] == [row for _, row in await store.audit_rows("main", 0, 1)]


async def test_a_site_is_kept_under_its_hash(store: Store) -> None:
    """Keeping the same files again is nothing; an unknown hash has none."""
    await store.keep_site("abc", b"files")
    await store.keep_site("abc", b"files")

    assert b"files" == await store.site("abc")
    assert None is await store.site("abd")
