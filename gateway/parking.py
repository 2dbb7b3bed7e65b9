"""What a person must hear of: deliveries that are parked, and receivers that are disabled.

One open task per subscription and reason, found again by its id, so that a thousand parked deliveries are one task.
"""

from collections.abc import Sequence

import msgspec

from canonical.events import Event
from canonical.ids import new_id
from canonical.tasks import AUTO_RESOLVED, Task, task_event
from gateway.clients import LACKS
from gateway.store.protocol import Batch, Store, Subscription
from policies.redact import log

QUEUE = "delivery"
LACKING = "DLV-CLIENT"
TITLES = {
    "DLV-PARKED": "Deliveries to a subscription are parked",
    "DLV-GONE": "A receiver says that it is gone; its subscription is disabled",
    "DLV-FAILING": "A receiver has failed for days; its subscription is disabled",
    "DLV-EXPIRED": "Events that a subscription has not received are no longer kept; it goes on with those that are",
    LACKING: "The client of a subscription is unknown or lacks a scope; until it has it, the subscription is disabled",
}


async def raise_task(
    store: Store, subscription: Subscription, code: str, now: int, traceparent: str | None = None
) -> Sequence[Event]:
    """Open a task about a subscription, with its event; nothing where it is open already."""
    identity = new_id("task", subscription.created_at, subscription.id, code)
    found = await store.task(subscription.tenant, identity)
    if found is not None and found.status in ("ready", "in-progress"):
        return []
    task = Task(
        id=identity,
        tenant=subscription.tenant,
        queue=QUEUE,
        code=code,
        subject=subscription.id,
        title=TITLES[code],
        created_at=now,
        updated_at=now,
        version=found.version + 1 if found else 1,
    )
    async with store.unit() as unit:
        events = await unit.commit(
            Batch(tasks=[task], events=[task_event(task, "created", now, traceparent=traceparent)])
        )
    if code == "DLV-PARKED":
        log("delivery.parked", level="warning", subscription=subscription.id, task=identity)
    return events


async def disable(store: Store, subscription: Subscription, reason: str, now: int) -> None:
    """Disable a subscription, unless a person has changed it meanwhile: the next failure will tell."""
    current = await store.subscription(subscription.tenant, subscription.id)
    if current is None or current.state == "disabled":
        return
    changed = msgspec.structs.replace(
        current, state="disabled", reason=reason, version=current.version + 1, updated_at=now
    )
    if await store.put_subscription(changed, current.version):
        log("subscription.disabled", level="warning", subscription=subscription.id, why=reason)


async def resume(store: Store, subscription: Subscription, now: int) -> Sequence[Event]:
    """Let a subscription go on whose client may have it again, and complete the task that said it may not."""
    async with store.unit() as unit:
        found = [one for one in await unit.open_tasks(subscription.tenant, subscription.id) if one.code == LACKING]
        done = [
            msgspec.structs.replace(
                one, status="completed", resolution=AUTO_RESOLVED, version=one.version + 1, updated_at=now
            )
            for one in found
        ]
        told = [task_event(one, "completed", now) for one in done]
        events = await unit.commit(Batch(changed_tasks=done, events=told)) if done else []
    current = await store.subscription(subscription.tenant, subscription.id)
    if current and current.state == "disabled" and current.reason in LACKS:
        again = msgspec.structs.replace(
            current, state="active", reason=None, version=current.version + 1, updated_at=now
        )
        await store.put_subscription(again, current.version)
    return events
