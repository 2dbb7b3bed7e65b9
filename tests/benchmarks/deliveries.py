"""Deliveries to fill a store with: of the first events of its feed to two receivers, most of them delivered."""

from msgspec.structs import replace

from gateway.deliveries.fanout import delivery_of
from gateway.store.protocol import Attempt, Delivery, DeliveryQuery, Move, Store, Subscription

LEASE = 60_000_000
AT_ONCE = 500
SECOND = 1_000_000
RARE = 1000  # one of so many is parked


async def fill(store: Store, tenant: str, events: int) -> None:
    """Send so many events to each receiver."""
    receivers = [
        Subscription(id=f"sub_{name}", tenant=tenant, client="scale", url="https://receiver.test") for name in "ab"
    ]
    for one in receivers:
        await store.put_subscription(one, None)
    after = now = 0
    while after < events and (page := await store.events(tenant, after, AT_ONCE)):
        now = max(now, page[-1].at) + SECOND
        upto = page[-1].seq
        made = {one.id: [delivery_of(one, event, now) for event in page] for one in receivers}
        await store.derive([Move(subscription=one, cursor=after, upto=upto, deliveries=made[one]) for one in made])
        while found := await store.claim(now, LEASE, AT_ONCE, dict.fromkeys(made, AT_ONCE)):
            await store.conclude([_ended(delivery, now) for delivery, _ in found])
        after = upto


def _ended(one: Delivery, now: int) -> tuple[Delivery, Attempt]:
    parked = one.seq % RARE == 7
    state, outcome = ("parked", "http_4xx") if parked else ("delivered", "ok")
    attempt = Attempt(delivery=one.id, number=1, at=now, took=SECOND, outcome=outcome, status=400 if parked else 200)
    return replace(one, state=state, attempts=1, updated_at=now, outcome=outcome), attempt


def queries(tenant: str) -> dict[str, DeliveryQuery]:
    """What the API lists deliveries by."""
    every = DeliveryQuery(tenant=tenant)
    return {
        "": every,
        " that are parked": replace(every, state="parked"),
        " that are delivered": replace(every, state="delivered"),
        " that wait": replace(every, state="pending"),
        " that were cancelled": replace(every, state="cancelled"),
        " of a receiver": replace(every, subscription="sub_a"),
        " of a receiver that are parked": replace(every, subscription="sub_a", state="parked"),
        " of no such receiver": replace(every, subscription="sub_c"),
        " of an event": replace(every, event="evt_none"),
        " of a type": replace(every, type="appointment.cancelled"),
        " of no such type": replace(every, type="patient.merged"),
        " of a receiver, no such type": replace(every, subscription="sub_a", type="patient.merged"),
        " of long ago": replace(every, created_before=1),
        " of the future": replace(every, created_from=1 << 60),
    }
