"""One attempt: what is sent, and what is decided from how it ended."""

import asyncio
import random
from typing import Any

import msgspec
import pytest
from standardwebhooks import Webhook

from canonical.events import Event
from canonical.outcome import Outcome
from canonical.records import Appointment, Record
from connectors.webhook.client import Answered, Post
from gateway.deliveries.carriers import Carriers
from gateway.deliveries.delivery import Courier
from gateway.deliveries.fanout import deliveries_of
from gateway.deliveries.webhooks import WebhookCarrier
from gateway.site.settings import Webhooks
from gateway.store.protocol import Batch, Subscription, Written
from gateway.store.sqlite import SqliteStore
from policies.tracing import Span, Tracer
from tests.gateway.conftest import SECRETS, TRACEPARENT, micros

APPOINTMENT = Appointment(id="apt_1", tenant="main", version=1, status="booked", created_at=1, updated_at=1)
EVENT = Event(
    id="evt_1",
    type="appointment.created",
    tenant="main",
    subject="apt_1",
    patient="pat_1",
    at=5,
    seq=7,
    version=1,
    traceparent=TRACEPARENT,
)
SUBSCRIPTION = Subscription(
    id="sub_1",
    tenant="main",
    client="partner",
    url="https://partner.example/hook",
    secrets=SECRETS,
    rotated_at=micros(),
)


class Wire:
    """The outbound call, which ends as told."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.sent: list[Post] = []

    async def __call__(self, post: Post) -> Outcome:
        self.sent.append(post)
        return self.outcome


def present(record: Record, patient: str | None) -> object:
    return {"id": record.id, "status": record.status, "patient": patient}


async def delivered(
    store: SqliteStore,
    outcome: Outcome,
    subscription: Subscription = SUBSCRIPTION,
    attempts: int = 0,
    spent: int = 0,
    now: int | None = None,
) -> tuple[Any, Post]:
    """The result of one attempt, and what went over the wire."""
    now = now or micros()
    (delivery,) = deliveries_of(subscription, [EVENT], now)
    delivery = msgspec.structs.replace(delivery, attempts=attempts, spent=spent)
    wire = Wire(outcome)
    carrier = WebhookCarrier(store, wire, Webhooks(retry_seconds=(0, 5, 60)), present)
    courier = Courier(Carriers({"webhook": carrier}), lambda: now, lambda: 0.0)
    return await courier.deliver(subscription, delivery, EVENT), wire.sent[0]


@pytest.mark.parametrize(("hours", "signatures"), [(0, 2), (23.9, 2), (24, 1), (9000, 1)])
async def test_a_secret_that_was_rotated_out_ends(store: SqliteStore, hours: float, signatures: int) -> None:
    """It signs for a day beside the new one, which goes on."""
    now = micros()
    rotated = msgspec.structs.replace(SUBSCRIPTION, rotated_at=now - int(hours * 3_600_000_000))
    _, post = await delivered(store, Outcome(kind="delivered", code="http_200", status=200), rotated, now=now)

    assert signatures == len(post.headers["webhook-signature"].split())
    assert Webhook(SECRETS[0]).verify(post.body, post.headers)


@pytest.mark.parametrize(
    ("thrown", "end", "code"),
    [(ValueError(), "transient", "internal_error"), (asyncio.CancelledError(), "ambiguous", "cut_off")],
)
async def test_an_attempt_that_breaks_off_has_a_span(
    store: SqliteStore, thrown: BaseException, end: str, code: str
) -> None:
    """A fault of ours, or a stop, is seen in the trace of the delivery, which names the delivery."""
    spans: list[Span] = []
    tracer = Tracer(spans.append, 0.0, lambda: 1, random.Random(1).getrandbits)

    async def broken(post: Post) -> Outcome:
        raise thrown

    carrier = WebhookCarrier(store, broken, Webhooks(retry_seconds=(0,)))
    courier = Courier(Carriers({"webhook": carrier}), micros, lambda: 0.0, tracer=tracer)
    (delivery,) = deliveries_of(SUBSCRIPTION, [EVENT], micros())
    with pytest.raises(type(thrown)):
        await courier.deliver(SUBSCRIPTION, delivery, EVENT)

    assert [(end, code, delivery.id)] == [
        tuple(span.attributes[name] for name in ("outcome", "code", "delivery")) for span in spans
    ]


OK = Answered(kind="delivered", code="http_200", status=200, answer="fine")


async def test_headers(store: SqliteStore) -> None:
    """Every active secret signs what is sent, and the trace goes on."""
    result, sent = await delivered(store, OK)

    for secret in SECRETS:
        assert Webhook(secret).verify(sent.body, sent.headers)
    assert (result.delivery.id, TRACEPARENT) == (sent.headers["webhook-id"], sent.headers["traceparent"])
    assert "application/json" == sent.headers["content-type"]


@pytest.mark.parametrize(
    ("full", "data"), [(False, None), (True, {"id": "apt_1", "status": "booked", "patient": "pat_1"})]
)
async def test_data(store: SqliteStore, full: bool, data: object) -> None:
    """The record comes along, as it was at the event, only for a subscription to full events."""
    async with store.unit() as unit:
        await unit.commit(Batch(records=[Written(kind="appointment", before=None, after=APPOINTMENT, fresh=True)]))
    _, sent = await delivered(store, OK, msgspec.structs.replace(SUBSCRIPTION, full=full))

    assert data == msgspec.json.decode(sent.body).get("data")


@pytest.mark.parametrize(
    ("outcome", "attempts", "spent", "state", "waits"),
    [
        (OK, 0, 0, "delivered", None),
        (Outcome(kind="transient", code="http_503"), 0, 0, "pending", 5),
        (Outcome(kind="transient", code="http_503"), 1, 0, "pending", 60),
        (Outcome(kind="transient", code="http_503"), 2, 0, "parked", None),
        (Outcome(kind="transient", code="http_503"), 4, 4, "pending", 5),
        (Outcome(kind="transient", code="http_429", retry_after=30), 0, 0, "pending", 30),
        (Outcome(kind="ambiguous", code="http_502"), 0, 0, "pending", 5),
        (Outcome(kind="permanent", code="http_400"), 0, 0, "parked", None),
        (Outcome(kind="gone", code="http_410"), 0, 0, "parked", None),
    ],
)
async def test_decisions(
    store: SqliteStore, outcome: Outcome, attempts: int, spent: int, state: str, waits: int | None
) -> None:
    """The class of the outcome and the tries since the schedule began decide how the delivery stands."""
    result, _ = await delivered(store, outcome, attempts=attempts, spent=spent)

    assert (state, attempts + 1) == (result.delivery.state, result.delivery.attempts)
    assert attempts + 1 == result.attempt.number
    if waits is not None:
        assert waits * 1_000_000 == result.delivery.due_at - result.delivery.since


async def test_not_attempted(store: SqliteStore) -> None:
    """What never left the house is no attempt and uses up no try."""
    held = Outcome(kind="transient", code="circuit_open", retry_after=3, attempted=False)
    result, _ = await delivered(store, held, attempts=1)

    assert ("pending", 1, None) == (result.delivery.state, result.delivery.attempts, result.attempt)


async def test_the_answer_is_kept(store: SqliteStore) -> None:
    """What the receiver said is kept with the attempt."""
    result, _ = await delivered(store, OK)

    assert ("fine", 200) == (result.attempt.answer, result.attempt.status)
