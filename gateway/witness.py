"""What a commit group leaves in the audit: who brought which messages, chained over their hashes. Pure."""

from collections.abc import Sequence
from hashlib import sha256

from gateway.clock import MICROS
from gateway.store.protocol import AuditRow, Kept
from policies.audit import AuditRecord, digest, encode


def group_rows(messages: Sequence[Kept], at: int, what: str = "mllp") -> list[AuditRow]:
    """One row for each feed of a group; `content` in it is a hash over the hashes of its messages, in order."""
    brought: dict[tuple[str, str], list[Kept]] = {}
    for kept in messages:
        brought.setdefault((kept.tenant, kept.feed), []).append(kept)
    return [_row(tenant, feed, group, at, what) for (tenant, feed), group in brought.items()]


def _row(tenant: str, feed: str, group: Sequence[Kept], at: int, what: str) -> AuditRow:
    body = encode(
        AuditRecord(
            at=at / MICROS,
            actor=f"feed:{feed}",
            tenant=tenant,
            action="C",
            what=what,
            outcome=0,
            records=tuple(kept.id for kept in group),
            count=len(group),
            content=sha256(b"".join(kept.hash for kept in group)).hexdigest(),
        )
    )
    return AuditRow(at=at, tenant=tenant, actor=f"feed:{feed}", action="C", what=what, body=body, digest=digest(body))
