"""The chain shows every change of what was kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.audit import GENESIS, AuditRecord, ChainRow, covers, decode, digest, encode, link, verify

RECORD = AuditRecord(
    at=1.5,
    actor="partner",
    tenant="north",
    action="R",
    what="/v1/appointments/{id}",
    outcome=0,
    records=("apt_1",),
    patients=("pat_1",),
    purpose="TREAT",
)


def chain(groups: list[list[bytes]]) -> list[ChainRow]:
    rows, head = [], GENESIS
    for group in groups:
        digests = tuple(map(digest, group))
        rows.append(ChainRow(previous=head, digests=digests, head=link(head, digests)))
        head = rows[-1].head
    return rows


def test_one_form_of_a_record() -> None:
    """A record has one encoding: sorted keys, nothing absent, and it comes back whole."""
    assert encode(RECORD) == (
        b'{"action":"R","actor":"partner","at":1.5,"outcome":0,"patients":["pat_1"],"purpose":"TREAT",'
        b'"records":["apt_1"],"tenant":"north","what":"/v1/appointments/{id}"}'
    )
    assert decode(encode(RECORD)) == RECORD


groups = st.lists(st.lists(st.binary(max_size=20), min_size=1, max_size=4), min_size=1, max_size=6)


@given(groups)
def test_untouched_chain_holds(kept: list[list[bytes]]) -> None:
    """What nobody changed verifies, and each row covers its records."""
    rows = chain(kept)

    assert verify(rows) is None
    assert all(covers(row, group) for row, group in zip(rows, kept, strict=True))


@given(kept=groups, data=st.data())
def test_any_change_is_seen(kept: list[list[bytes]], data: st.DataObject) -> None:
    """A changed digest, a dropped row, a moved row or a new head breaks the chain at its place or the next."""
    rows = chain(kept)
    index = data.draw(st.integers(0, len(rows) - 1))
    row = rows[index]
    changed = ChainRow(previous=row.previous, digests=(digest(b"else"), *row.digests[1:]), head=row.head)
    longer = ChainRow(previous=row.previous, digests=(*row.digests, digest(b"more")), head=row.head)
    reheaded = ChainRow(previous=row.previous, digests=row.digests, head=digest(b"head"))

    for forged in (longer, reheaded, *([changed] if changed != row else [])):
        assert verify([*rows[:index], forged, *rows[index + 1 :]]) == index
    if index < len(rows) - 1:
        assert verify(rows[:index] + rows[index + 1 :]) == index


def test_groups_cannot_be_cut_differently() -> None:
    """Bytes that move from one digest to its neighbour make another link."""
    one = ChainRow(previous=GENESIS, digests=(b"a" * 33, b"b" * 31), head=link(GENESIS, [b"a" * 33, b"b" * 31]))

    assert verify([one]) == 0


def test_changed_record_is_not_covered() -> None:
    """A record that was edited in its table no longer fits its link."""
    row = chain([[encode(RECORD)]])[0]

    assert not covers(row, [encode(RECORD).replace(b"partner", b"nobody!")])


@pytest.mark.parametrize("rows", [[], chain([[b"a"]])])
def test_continuing_from_an_anchor(rows: list[ChainRow]) -> None:
    """A part of the chain verifies from the head before it."""
    later = chain([[b"a"], [b"b"]])[len(rows) :]

    assert verify(later, rows[-1].head if rows else GENESIS) is None
