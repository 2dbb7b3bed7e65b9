"""Deliveries made due again: one, or all that a query finds, as a job that goes on where it was after a restart."""

import msgspec
from msgspec import Struct

from gateway.store.protocol import DeliveryQuery, Job, Store

PAGE = 100


class Progress(Struct, frozen=True, kw_only=True):
    """What a job keeps: what is to be found, the place reached, and the trace of the request that began it."""

    query: DeliveryQuery
    traceparent: str | None = None


async def resend(
    store: Store,
    query: DeliveryQuery,
    identity: str,
    now: int,
    dry_run: bool = False,
    traceparent: str | None = None,
) -> tuple[int, Job | None]:
    """How many deliveries a query would send again, and the job that does it unless it is only a trial."""
    total = await store.revivable(query, now)
    if dry_run:
        return total, None
    first = msgspec.structs.replace(query, after=None, limit=PAGE)
    body = msgspec.json.encode(Progress(query=first, traceparent=traceparent))
    job = Job(id=identity, tenant=query.tenant, kind="resend", created_at=now, total=total, body=body)
    await store.put_job(job)
    return total, job


async def resend_one(store: Store, tenant: str, identity: str, now: int, traceparent: str | None = None) -> bool:
    """Make one finished delivery due now; False where there is none, or it is still under way."""
    delivery = await store.delivery(tenant, identity)
    if delivery is None:
        return False
    query = DeliveryQuery(tenant=tenant, subscription=delivery.subscription, event=delivery.event)
    return await store.revive(query, now, traceparent) == 1


async def advance(store: Store, job: Job) -> Job:
    """Send one more page. After a crash a page is taken again, and what it revived before is left alone."""
    progress = msgspec.json.decode(job.body, type=Progress)
    page = await store.deliveries(progress.query)
    done = job.done + await store.revive(progress.query, job.created_at, progress.traceparent)
    rest = msgspec.structs.replace(progress.query, after=page.next)
    body = msgspec.json.encode(msgspec.structs.replace(progress, query=rest))
    state = "running" if page.next else "completed"
    job = msgspec.structs.replace(job, done=done, state=state, body=body)
    await store.put_job(job)
    return job
