"""The story of a delivery: shape it for the receiver, send it through the policies, record the outcome.

At least once: the id (a webhook-id, a control id) stays the same through all attempts, restarts and resends, so a
receiver that keeps the ids it has seen takes each event once.
"""

import asyncio
from collections.abc import Callable

import msgspec
from msgspec import Struct

from canonical.events import Event
from canonical.outcome import Outcome
from connectors.webhook.client import Answered
from gateway.clock import MICROS, Clock
from gateway.deliveries.carriers import Carriers
from gateway.deliveries.fanout import delivery_of
from gateway.store.protocol import Attempt, Delivery, DeliveryState, Subscription
from policies.metrics import Metrics
from policies.retry import Decision, decide
from policies.tracing import Trace, Tracer, parse

STATES: dict[str, DeliveryState] = {"done": "delivered", "retry": "pending", "park": "parked", "disable": "parked"}
NOT_MADE = Outcome(kind="transient", code="internal_error", attempted=False)
CUT_OFF = Outcome(kind="ambiguous", code="cut_off")


class Result(Struct, frozen=True, kw_only=True):
    """How an attempt ended: what is kept of it, and what was decided."""

    subscription: Subscription
    delivery: Delivery
    attempt: Attempt | None
    outcome: Outcome
    decision: Decision


class Courier:
    """Delivers, by the carrier of the subscription's kind."""

    def __init__(
        self,
        carriers: Carriers,
        clock: Clock,
        dice: Callable[[], float],
        metrics: Metrics | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        self._carriers, self._clock, self._dice = carriers, clock, dice
        self._metrics, self._tracer = metrics, tracer

    async def deliver(self, subscription: Subscription, delivery: Delivery, event: Event) -> Result:
        """Make one attempt."""
        trace = self._begun(delivery, event)
        try:
            began = self._clock()
            outcome = await self._carriers[subscription].carry(subscription, delivery, event, began, trace)
        except BaseException as error:
            self._traced(trace, CUT_OFF if isinstance(error, asyncio.CancelledError) else NOT_MADE, delivery)
            raise
        result = self._record(subscription, delivery, outcome, began, self._clock())
        self._traced(trace, outcome, result.delivery)
        self._count(result, event)
        return result

    async def send(self, subscription: Subscription, event: Event) -> Outcome:
        """Send an event outside any order, and keep nothing of it: how a receiver is tried out."""
        now = self._clock()
        delivery = delivery_of(subscription, event, now)
        trace = self._begun(delivery, event)
        outcome = await self._carriers[subscription].carry(subscription, delivery, event, now, trace)
        self._traced(trace, outcome, delivery)
        return outcome

    def not_made(self, subscription: Subscription, delivery: Delivery) -> Result:
        """What follows when a fault of ours kept an attempt from being made: it is put off, and uses up no try."""
        now = self._clock()
        return self._record(subscription, delivery, NOT_MADE, now, now)

    def cut_off(self, subscription: Subscription, delivery: Delivery) -> Result:
        """What follows when an attempt is given up because we leave: it may have arrived."""
        now = self._clock()
        return self._record(subscription, delivery, CUT_OFF, now, now)

    def _record(
        self, subscription: Subscription, delivery: Delivery, outcome: Outcome, began: int, ended: int
    ) -> Result:
        """What is kept of the attempt; one that never left the house is none, and uses up no try."""
        made = delivery.attempts + outcome.attempted
        decision = decide(
            outcome,
            made - delivery.spent,
            (ended - delivery.since) / MICROS,
            self._carriers[subscription].schedule(subscription),
            deduplicates=subscription.deduplicates,
            dice=self._dice(),
        )
        stands = msgspec.structs.replace(
            delivery,
            state=STATES[decision.verb],
            attempts=made,
            due_at=ended + int(decision.after * MICROS) if decision.verb == "retry" else delivery.due_at,
            updated_at=ended,
            outcome=decision.why,
        )
        attempt = None
        if outcome.attempted:
            answer = outcome.answer if isinstance(outcome, Answered) else None
            attempt = Attempt(
                delivery=delivery.id,
                number=made,
                at=began,
                took=ended - began,
                outcome=outcome.code,
                status=outcome.status,
                answer=answer or None,
            )
        return Result(subscription=subscription, delivery=stands, attempt=attempt, outcome=outcome, decision=decision)

    def _begun(self, delivery: Delivery, event: Event) -> Trace | None:
        """A span in the trace of what made the delivery due: its event, or the request that sends it again."""
        if self._tracer is None:
            return None
        happened = parse(event.traceparent or "") if event.traceparent != delivery.traceparent else None
        return self._tracer.start("deliver", delivery.traceparent, "client", (happened,) if happened else ())

    def _traced(self, trace: Trace | None, outcome: Outcome, delivery: Delivery) -> None:
        if self._tracer and trace:
            is_well = outcome.kind == "delivered"
            self._tracer.finish(
                trace,
                "ok" if is_well else outcome.kind,
                code=None if is_well else outcome.code,
                status=outcome.status,
                delivery=delivery.id,
                subscription=delivery.subscription,
                attempt=delivery.attempts,
            )

    def _count(self, result: Result, event: Event) -> None:
        outcome, delivery = result.outcome, result.delivery
        if self._metrics:
            self._metrics.deliveries.child(outcome.kind if outcome.attempted else "held").inc()
            if result.attempt:
                self._metrics.attempt_seconds.observe(result.attempt.took / MICROS)
            if outcome.kind == "delivered" and not delivery.spent:
                self._metrics.delivery_latency.observe((delivery.updated_at - event.at) / MICROS)
