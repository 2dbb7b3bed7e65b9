"""Receivers follow the feed beside those of other processes, and no event is passed over."""

from canonical.ids import new_id
from canonical.outcome import Outcome
from connectors.webhook.client import Post
from gateway.deliveries.carriers import Carriers
from gateway.deliveries.receivers import Receivers
from gateway.deliveries.webhooks import WebhookCarrier
from gateway.site.settings import Webhooks
from gateway.store.protocol import Batch, DeliveryQuery, Subscription
from gateway.store.sqlite import SqliteStore
from tests.store_contract import made
from tests.store_contract.conftest import keep

SUB = Subscription(id=new_id("subscription", made.T0, 1), tenant="main", client="p", url="https://partner.example/")


async def unreachable(_: Post) -> Outcome:
    """Nobody is there."""
    return Outcome(kind="transient", code="connect_failed")


async def happen(store: SqliteStore, *numbers: int) -> None:
    """Events of these numbers."""
    await keep(store, Batch(events=[made.event(number, patient="pat_1") for number in numbers]))


async def test_who_comes_second_passes_nothing_over(store: SqliteStore) -> None:
    """One whose step was refused, because another had made one meanwhile, goes on from where that one ended."""
    await store.put_subscription(SUB, None)
    carriers = Carriers({"webhook": WebhookCarrier(store, unreachable, Webhooks())})
    one, other = Receivers(store, carriers), Receivers(store, carriers)
    for receivers in (one, other):
        await receivers.refresh()
    await happen(store, 1, 2)
    await other.derive(made.T0)
    await happen(store, 3, 4)
    await one.derive(made.T0)  # it read all four, and the cursor was elsewhere
    await one.refresh()
    await happen(store, 5)
    for receivers in (one, other):
        await receivers.derive(made.T0)
        await receivers.refresh()
        await receivers.derive(made.T0)

    found = (await store.deliveries(DeliveryQuery(tenant="main"))).items
    assert [5, 4, 3, 2, 1] == [delivery.seq for delivery in found]
