"""Deliveries made due again: one, or all that a query finds, as a job that goes on where it was after a restart.

The oldest go first, as they did at first: what one receiver hears of one patient stays in order.
"""

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from gateway.store.protocol import Delivery, DeliveryQuery, Job, Store

PAGE = 100
FINISHED = ("delivered", "parked", "cancelled")


class Progress(Struct, frozen=True, kw_only=True):
    """What a job keeps: what is to be found, the place reached, and the trace of the request that began it."""

    query: DeliveryQuery
    traceparent: str | None = None


async def resend(
    store: Store,
    query: DeliveryQuery,
    identity: str,
    now: int,
    *,
    client: str,
    dry_run: bool = False,
    limit: int | None = None,
    traceparent: str | None = None,
) -> tuple[int, Job | None]:
    """How many deliveries a query would send again, and the job that does it unless it is only a trial.

    What is to be sent is fixed now: at most so many, and none that is made later.
    """
    before = min(query.created_before or now + 1, now + 1)
    query = replace(query, created_before=before, oldest_first=True, limit=PAGE)
    total = await store.revivable(query, now)
    if limit is not None and limit < total:
        total, query = limit, replace(query, upto=await _last(store, query, now, limit))
    if dry_run:
        return total, None
    body = msgspec.json.encode(Progress(query=query, traceparent=traceparent))
    job = Job(id=identity, tenant=query.tenant, client=client, kind="resend", created_at=now, total=total, body=body)
    await store.put_job(job)
    return total, job


async def _last(store: Store, query: DeliveryQuery, now: int, limit: int) -> tuple[int, str]:
    """The place of the last of so many deliveries that can be sent again; there are more."""
    receivers = {one.id for one in await store.subscriptions(query.tenant) if one.state != "disabled"}

    def can_go(one: Delivery) -> bool:
        return one.state in FINISHED and one.updated_at <= now and one.subscription in receivers

    while True:
        page = await store.deliveries(query)
        finished = [one for one in page.items if can_go(one)]
        if len(finished) >= limit or page.next is None:
            last = finished[limit - 1] if len(finished) >= limit else page.items[-1]
            return last.seq, last.id
        limit -= len(finished)
        query = replace(query, after=page.next)


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
    body = msgspec.json.encode(replace(progress, query=replace(progress.query, after=page.next)))
    state = "running" if page.next else "completed"
    job = replace(job, done=done, state=state, body=body)
    await store.put_job(job)
    return job
