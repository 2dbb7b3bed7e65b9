"""From the feed of events to a partner's process: what arrives, in what order, and what becomes of what does not."""

import asyncio
import json
import random
from collections import defaultdict

import msgspec
import pytest
from msgspec.structs import replace

from canonical.events import Event
from canonical.records import Appointment
from gateway.deliveries.resend import Progress, resend, resend_one
from gateway.site.settings import Webhooks
from gateway.store.protocol import Batch, DeliveryQuery, Job, Subscription, Written
from gateway.store.sqlite import SqliteStore
from tests.gateway.conftest import QUICK, SECRETS, TRACEPARENT, House, Partner, micros
from transforms.api import v1


def query(subscription: Subscription, **given: object) -> DeliveryQuery:
    return replace(DeliveryQuery(tenant="main", subscription=subscription.id), **given)


async def parked(house: House, subscription: Subscription) -> int:
    return len((await house.store.deliveries(query(subscription, state="parked"))).items)


async def test_an_event_arrives(house: House, partner: Partner) -> None:
    """An event arrives once, signed, thin, with the trace it belongs to; the attempt is kept."""
    subscription = await house.subscribe(partner.url)
    (event,) = await house.happen("a")
    await house.idle()

    (taken,) = partner.received()
    (delivery,) = (await house.store.deliveries(query(subscription))).items
    (attempt,) = await house.store.attempts("main", delivery.id)
    assert {
        "specversion": "1.0",
        "id": event.id,
        "source": "/v1/events",
        "type": "appointment.created",
        "subject": event.subject,
        "seq": event.seq,
        "version": 1,
        "traceparent": TRACEPARENT,
    } == {name: value for name, value in taken["event"].items() if name != "time"}
    assert delivery.id == taken["id"]
    assert TRACEPARENT[:36] == taken["headers"]["traceparent"][:36]
    assert ("delivered", 1, 204) == (delivery.state, delivery.attempts, attempt.status)


async def test_a_full_event_arrives(house: House, partner: Partner) -> None:
    """A subscription to full events receives the record in the form of /v1."""
    await house.subscribe(partner.url, full=True)
    appointment = Appointment(id="apt_1", tenant="main", version=1, status="booked", created_at=1, updated_at=1)
    created = Event(
        id="evt_1", type="appointment.created", tenant="main", subject="apt_1", at=micros(), patient="pat_1", version=1
    )
    kept = Written(kind="appointment", before=None, after=appointment, fresh=True)
    async with house.store.unit() as unit:
        await unit.commit(Batch(records=[kept], events=[created]))
    house.worker.wake()
    await house.until(partner.received)

    (taken,) = partner.received()
    assert json.loads(msgspec.json.encode(v1.present(appointment, "pat_1"))) == taken["event"]["data"]


async def test_filters(house: House, partner: Partner) -> None:
    """A subscription receives only what it asked for."""
    await house.subscribe(partner.url, types=("patient.*",))
    await house.happen("a", kind="appointment.created")
    await house.happen("a", kind="patient.updated")
    await house.until(partner.received)

    assert ["patient.updated"] == [one["event"]["type"] for one in partner.received()]


async def test_trying_out(house: House, partner: Partner) -> None:
    """A receiver can be sent an event by itself; how it was received is the answer, and nothing is kept."""
    subscription = await house.subscribe(partner.url, state="paused")
    event = Event(id="evt_1", type="subscription.test", tenant="main", subject=subscription.id, at=micros())

    assert "http_204" == (await house.worker.test(subscription, event)).code
    partner.behaves(status=500)
    assert "http_500" == (await house.worker.test(subscription, event)).code
    assert [] == (await house.store.deliveries(query(subscription))).items


async def test_two_secrets(house: House, partner: Partner) -> None:
    """While a secret is rotated out both sign: a partner that knows either of them accepts."""
    late = Partner(SECRETS[1])
    await house.subscribe(partner.url, secrets=SECRETS, rotated_at=micros())
    await house.subscribe(late.url, secrets=SECRETS, rotated_at=micros())
    await house.happen("a")
    await house.idle()
    both = [*partner.received(), *late.received()]
    late.stop()

    assert [2, 2] == [len(one["headers"]["webhook-signature"].split()) for one in both]


async def test_a_retry_keeps_the_id(house: House, partner: Partner) -> None:
    """A transient failure is tried again with the same webhook-id, and every try is kept with its answer."""
    subscription = await house.subscribe(partner.url)
    partner.behaves(status=503, times=2, body="not now")
    await house.happen("a")
    await house.idle()

    (delivery,) = (await house.store.deliveries(query(subscription))).items
    tries = await house.store.attempts("main", delivery.id)
    assert [delivery.id] * 3 == [one["id"] for one in partner.attempts()]
    assert [(1, "http_503", "not now"), (2, "http_503", "not now"), (3, "http_204", None)] == [
        (one.number, one.outcome, one.answer) for one in tries
    ]


@pytest.mark.parametrize(
    ("rule", "outcome", "tries"),
    [
        ({"status": 400}, "http_400", 1),
        ({"status": 302, "headers": {"location": "/elsewhere"}}, "http_302", 1),
        ({"status": 503}, "tries_used_up", 4),
        ({"drop": True}, "tries_used_up", 4),
    ],
)
async def test_parking(house: House, partner: Partner, rule: dict[str, object], outcome: str, tries: int) -> None:
    """What is refused is parked at once, what fails too often after the last try; a task and its event say so."""
    subscription = await house.subscribe(partner.url, types=("appointment.*",))
    partner.behaves(**rule)
    await house.happen("a")
    await house.idle()

    (delivery,) = (await house.store.deliveries(query(subscription))).items
    (task,) = (await house.store.tasks("main", "ready", "delivery", None, 10)).items
    told = await house.store.events("main", 0, 10, ("task.*",))
    assert ("parked", outcome, tries) == (delivery.state, delivery.outcome, delivery.attempts)
    assert ["/hook"] * tries == [one["path"] for one in partner.attempts()]
    assert ("DLV-PARKED", subscription.id) == (task.code, task.subject)
    assert [TRACEPARENT] == [event.traceparent for event in told], "it is of the trace of what could not be delivered"
    assert [task.id] == [event.subject for event in told]


async def test_one_task_for_many(house: House, partner: Partner) -> None:
    """However many deliveries are parked, there is one open task about it."""
    subscription = await house.subscribe(partner.url, types=("appointment.*",))
    partner.behaves(status=400)
    await house.happen(*"abc")
    await house.happen(*"abc")
    await house.idle()

    assert 6 == await parked(house, subscription)
    assert 1 == len((await house.store.tasks("main", None, "delivery", None, 10)).items)


async def test_ambiguous_without_deduplication(house: House, partner: Partner) -> None:
    """Where a receiver would take a repeat for a second event, what may have taken effect is not repeated."""
    subscription = await house.subscribe(partner.url, types=("appointment.*",), deduplicates=False)
    partner.behaves(drop=True)
    await house.happen("a")
    await house.idle()

    (delivery,) = (await house.store.deliveries(query(subscription))).items
    assert ("parked", "ambiguous", 1) == (delivery.state, delivery.outcome, delivery.attempts)


async def test_a_slow_receiver(house: House, partner: Partner) -> None:
    """A receiver that answers too late is tried again; it took the event once."""
    await house.subscribe(partner.url)
    partner.behaves(delay=1.5, times=1)
    await house.happen("a")
    await house.until(lambda: partner.counts().get("accepted"))

    await house.idle()
    assert 1 == len(partner.received())


async def test_gone(house: House, partner: Partner) -> None:
    """A 410 disables the subscription: nothing more is sent, and it goes on from there when it is made active."""
    subscription = await house.subscribe(partner.url, types=("appointment.*",))
    partner.behaves(status=410, times=1)
    await house.happen("a")
    await house.until(lambda: _state(house, subscription, "disabled"))
    await house.happen("b")

    disabled = await house.store.subscription("main", subscription.id)
    assert disabled is not None
    assert "gone" == disabled.reason
    assert 1 == len(partner.attempts())

    await house.store.put_subscription(
        replace(disabled, state="active", version=disabled.version + 1), disabled.version
    )
    house.worker.refresh()
    await house.until(partner.received)


async def _state(house: House, subscription: Subscription, state: str) -> bool:
    found = await house.store.subscription("main", subscription.id)
    return found is not None and found.state == state


async def test_failing_for_days(store: SqliteStore, partner: Partner) -> None:
    """A receiver that has not once succeeded for five days is disabled, and a task says so."""
    house = House(store)
    subscription = await house.subscribe(partner.url, types=("appointment.*",))
    partner.behaves(status=503)
    house.start()
    await house.happen("a")
    await house.idle()
    house.worker.clock = lambda: micros() + 121 * 3600 * 1_000_000
    house.worker.refresh()

    await house.until(lambda: _state(house, subscription, "disabled"))
    tasks = (await store.tasks("main", "ready", "delivery", None, 10)).items
    await house.stop()
    assert {"DLV-PARKED", "DLV-FAILING"} == {task.code for task in tasks}


async def test_retry_after_rests_the_receiver(house: House, partner: Partner) -> None:
    """A 429 holds the whole subscription for as long as it asks for, not one lane of it."""
    await house.subscribe(partner.url)
    partner.behaves(status=429, headers={"retry-after": "1"}, times=1)
    await house.happen("a")
    await house.until(partner.attempts)
    await house.happen("b")
    await house.idle()

    first, *later = partner.attempts()
    assert 2 == len(later)
    assert first["at"] + 900_000 < min(one["at"] for one in later)


@pytest.mark.parametrize("seed", range(3))
async def test_order_in_each_lane(house: House, partner: Partner, seed: int) -> None:
    """Whatever fails and is retried, each patient's events arrive in their order; other patients do not wait."""
    dice = random.Random(seed)
    await house.subscribe(partner.url)
    events = await house.happen(*(dice.choice("abcd") for _ in range(60)))
    for event in dice.sample(list(events), 3):
        partner.behaves(status=503, times=2, subjects=[event.subject])
    await house.idle()

    arrived = defaultdict(list)
    lane_of = {event.id: event.lane for event in events}
    for one in partner.received():
        arrived[lane_of[one["event"]["id"]]].append(one["event"]["seq"])
    assert 60 == sum(map(len, arrived.values()))
    assert all(sorted(seqs) == seqs for seqs in arrived.values())


async def test_a_failing_lane_holds_itself_only(house: House, partner: Partner) -> None:
    """While one patient's delivery fails, those of others arrive, and its own successor waits."""
    slow = House(house.store, replace(QUICK, retry_seconds=(0, 60.0)))
    await house.stop()
    slow.start()
    await slow.subscribe(partner.url)
    stuck, behind, other = await slow.happen("a", "a", "b")
    partner.behaves(status=503, subjects=[stuck.subject])
    await slow.until(partner.received)
    await slow.happen("c")
    await slow.until(lambda: len(partner.received()) == 2)
    await slow.stop()

    subjects = [one["event"]["subject"] for one in partner.received()]
    assert other.subject in subjects
    assert behind.subject not in subjects


async def test_held_and_released(house: House, partner: Partner) -> None:
    """What is held derives and waits, visibly; released, it is sent."""
    held = await house.subscribe(partner.url, state="paused")
    await house.happen("a", "b")
    await house.until(lambda: _pending(house, 2))
    assert [] == partner.received()

    await house.store.put_subscription(replace(held, state="active", version=2), 1)
    house.worker.refresh()
    await house.idle()
    assert 2 == len(partner.received())


async def _pending(house: House, count: int) -> bool:
    return (await house.store.backlog()).pending == count


async def test_resend_one(house: House, partner: Partner) -> None:
    """A delivery can be sent again; the partner recognises it by its id."""
    subscription = await house.subscribe(partner.url)
    await house.happen("a")
    await house.idle()
    (delivery,) = (await house.store.deliveries(query(subscription))).items

    assert await resend_one(house.store, "main", delivery.id, micros())
    house.worker.wake()
    await house.until(lambda: partner.counts().get("duplicates"))
    assert not await resend_one(house.store, "main", "dlv_unknown", micros())
    assert not await resend_one(house.store, "other", delivery.id, micros())


async def test_resend_in_bulk(house: House, partner: Partner) -> None:
    """A trial counts and changes nothing; a job sends everything that was parked again and says when it is done."""
    subscription = await house.subscribe(partner.url, types=("appointment.*",))
    partner.behaves(status=400)
    await house.happen(*(f"lane{n}" for n in range(250)))
    await house.idle()
    partner.behaves()
    wanted = query(subscription, state="parked")

    assert (250, None) == await resend(house.store, wanted, "job_1", micros(), client="partner", dry_run=True)
    assert 250 == len((await house.store.deliveries(replace(wanted, limit=500))).items)

    total, job = await resend(house.store, wanted, "job_1", micros(), client="partner")
    assert job is not None
    house.worker.refresh()
    await house.until(lambda: len(partner.received()) == total)
    done = await house.store.job("main", "job_1")
    assert done is not None
    assert ("completed", 250, 250) == (done.state, done.done, done.total)


async def test_a_job_of_another_worker_is_left_to_it(house: House, partner: Partner) -> None:
    """While another holds it nothing is sent; let go it is taken up, done once, and free again."""
    subscription = await house.subscribe(partner.url, types=("appointment.*",))
    await house.happen(*"abc")
    await house.idle()
    now = micros()
    assert await house.store.lease("job:job_1", "another", now + 60_000_000, now)
    await resend(house.store, query(subscription), "job_1", micros(), client="admin")
    house.worker.refresh()
    await asyncio.sleep(0.3)
    held = await house.store.job("main", "job_1")
    assert held is not None
    assert ("running", 0) == (held.state, held.done)

    await house.store.lease("job:job_1", "another", 0, micros())
    house.worker.refresh()
    await house.until(lambda: partner.counts().get("duplicates") == 3)
    await house.idle()
    await house.stop()
    done = await house.store.job("main", "job_1")
    assert done is not None
    assert ("completed", 3) == (done.state, done.done)
    assert await house.store.lease("job:job_1", "another", micros() + 1, micros())


async def test_a_job_goes_on_after_a_restart(house: House, partner: Partner) -> None:
    """A job that was begun is taken up by the next worker."""
    subscription = await house.subscribe(partner.url, types=("appointment.*",))
    partner.behaves(status=400)
    await house.happen(*"abc")
    await house.idle()
    await house.stop()
    partner.behaves()
    await resend(house.store, query(subscription), "job_1", micros(), client="partner")

    again = House(house.store)
    again.start()
    await again.until(lambda: len(partner.received()) == 3)
    await again.stop()


async def test_stop_finishes(house: House, partner: Partner) -> None:
    """A stop waits for what is under way and keeps how it ended; nothing is claimed after it."""
    subscription = await house.subscribe(partner.url)
    partner.behaves(delay=0.3)
    await house.happen("a")
    await house.until(partner.attempts)
    await house.stop()

    (delivery,) = (await house.store.deliveries(query(subscription))).items
    assert "delivered" == delivery.state
    await house.happen("b")
    await asyncio.sleep(0)
    assert 1 == len(partner.attempts())


async def test_stop_does_not_wait_for_ever(house: House, partner: Partner) -> None:
    """What does not end in the time given is cut off: an ambiguous try that is kept and repeated, with the same id."""
    subscription = await house.subscribe(partner.url)
    partner.behaves(delay=0.9)
    await house.happen("a")
    await house.until(partner.attempts)
    await house.worker.stop(within=0.05)

    (delivery,) = (await house.store.deliveries(query(subscription))).items
    (attempt,) = await house.store.attempts("main", delivery.id)
    assert ("pending", 1, "cut_off") == (delivery.state, delivery.attempts, attempt.outcome)


async def test_internal_addresses(store: SqliteStore, partner: Partner) -> None:
    """Without an allow-list a subscription that leads inside is parked before anything is sent."""
    house = House(store, Webhooks())
    house.start()
    subscription = await house.subscribe(partner.url, types=("appointment.*",))
    await house.happen("a")
    await house.idle()
    (delivery,) = (await store.deliveries(query(subscription))).items
    await house.stop()

    assert "parked" == delivery.state
    assert [] == partner.attempts()


async def test_counted_and_traced(house: House, partner: Partner) -> None:
    """Attempts are counted by class, the time to the webhook is measured, and a span is a child of the message's."""
    await house.subscribe(partner.url)
    partner.behaves(status=503, times=1)
    await house.happen("a")
    await house.idle()

    text = house.metrics.render().decode()
    assert 'isthmus_deliveries_total{outcome="transient"} 1.0' in text
    assert 'isthmus_deliveries_total{outcome="delivered"} 1.0' in text
    assert "isthmus_feed_to_webhook_seconds_count 1.0" in text
    assert [True, False] == [span.is_error for span in house.spans]
    assert {int(TRACEPARENT[3:35], 16)} == {span.trace.trace_id for span in house.spans}


async def test_a_resend_that_cannot_go_on_has_failed(house: House, store: SqliteStore) -> None:
    """It says so, and the one behind it is done."""
    await store.put_job(
        Job(id="job_a", tenant="main", client="admin", kind="resend", created_at=1, total=1, body=b"{broken")
    )
    whole = msgspec.json.encode(Progress(query=DeliveryQuery(tenant="main")))
    await store.put_job(
        Job(id="job_b", tenant="main", client="admin", kind="resend", created_at=2, total=0, body=whole)
    )
    house.worker.refresh()

    async def ended() -> bool:
        return not await store.jobs()

    await house.until(ended)
    states = [job.state for one in ("job_a", "job_b") if (job := await store.job("main", one))]

    assert ["failed", "completed"] == states


async def test_the_cursor_shows_how_far_it_is(house: House, store: SqliteStore) -> None:
    """Also where a subscription wanted none of what came: within a second while the worker runs, at once at its end."""
    await house.subscribe("https://nobody.example/", types=("patient.*",))

    async def at_the_head() -> bool:
        (kept,) = await store.subscriptions()
        return kept.cursor == await store.head()

    await house.happen("a", "b")
    await house.until(at_the_head)
    await house.happen("c")
    await asyncio.sleep(0.1)
    await house.stop()

    assert await at_the_head()
