"""Subscriptions, and the deliveries, attempts and jobs that come of them.

Order is kept by the schema: a lane (one patient of one subscription) has one head, and only heads are claimed. Leases
keep two workers from doing the same work; that a delivery arrives does not depend on them, only how often.
"""

from collections.abc import Iterable, Mapping, Sequence
from sqlite3 import Connection

import msgspec

from canonical.events import Event
from gateway.store.protocol import Attempt, Backlog, Delivery, DeliveryQuery, Job, Move, Page, Subscription
from gateway.store.sqlite.database import Database, Row
from gateway.store.sqlite.named import named

SQL = named("deliveries.sql")
PATHS = ("from_subscription", "from_event", "from_parked", "from_tenant")
LIST = {path: f"{SQL['columns']} {SQL[path]} {SQL['matching']} {SQL['newest_first']}" for path in PATHS}
OLDEST = {path: f"{SQL['columns']} {SQL[path]} {SQL['matching']} {SQL['oldest_first']}" for path in PATHS}
COUNT = {path: f"{SQL['count']} {SQL[path]} {SQL['matching']} {SQL['finished']}" for path in PATHS}

Lane = tuple[str, str]


class Deliveries(Database):
    """The store's verbs on subscriptions, deliveries and jobs."""

    async def open(self) -> None:
        """Open, and take back what a process that is gone had claimed."""
        await super().open()
        async with self._write() as writer:
            writer.execute(SQL["forget_leases"])

    # -- subscriptions

    async def subscription(self, tenant: str, identity: str) -> Subscription | None:
        row = self._one(SQL["subscription"], (identity, tenant))
        return None if row is None else self._subscription(row)

    async def subscriptions(self, tenant: str | None = None) -> list[Subscription]:
        return [self._subscription(row) for row in self._all(SQL["subscriptions"], (tenant,))]

    async def put_subscription(self, subscription: Subscription, expected: int | None, most: int | None = None) -> bool:
        values = {
            "id": subscription.id,
            "tenant": subscription.tenant,
            "client": subscription.client,
            "state": subscription.state,
            "cursor": subscription.cursor,
            "version": subscription.version,
            "body": self.vault.seal(msgspec.json.encode(subscription), subscription.id),
        }
        async with self._write() as writer:
            if expected is None:
                return writer.execute(SQL["add_subscription"], values | {"most": most}).rowcount == 1
            return writer.execute(SQL["replace_subscription"], values | {"expected": expected}).rowcount == 1

    async def delete_subscription(self, tenant: str, identity: str, expected: int | None) -> bool:
        """Delete it and cancel what it was still to receive; its history stays."""
        values = {"id": identity, "tenant": tenant, "expected": expected}
        async with self._write() as writer:
            found = writer.execute(SQL["delete_subscription"], values).rowcount == 1
            if found:
                writer.execute(SQL["cancel_deliveries"], (identity,))
            return found

    def _subscription(self, row: Row) -> Subscription:
        identity, cursor, failing_since, body = row
        kept = msgspec.json.decode(self.vault.unseal(body, identity), type=Subscription)
        return msgspec.structs.replace(kept, cursor=cursor, failing_since=failing_since)

    # -- the worker's verbs

    async def derive(self, moves: Sequence[Move]) -> list[bool]:
        async with self._write() as writer:
            return [_move(writer, move) for move in moves]

    async def claim(self, now: int, lease: int, limit: int, rooms: Mapping[str, int]) -> list[tuple[Delivery, Event]]:
        hungry = [one for one in rooms if self._one(SQL["any_due"], (one, now))]
        rows: list[Row] = []
        if hungry:
            async with self._write() as writer:
                for one in hungry:
                    rows += writer.execute(SQL["due"], (one, now, min(rooms[one], limit - len(rows))))
                writer.executemany(SQL["lease"], [(now + lease, now, row[0]) for row in rows])
        return [_claimed(row, now, now + lease) for row in rows]

    async def conclude(self, results: Sequence[tuple[Delivery, Attempt | None]]) -> None:
        async with self._write() as writer:
            for delivery, attempt in results:
                if attempt is not None:
                    writer.execute(SQL["add_attempt"], self._sealed(attempt))
                changed = writer.execute(SQL["conclude"], msgspec.structs.asdict(delivery)).rowcount
                if changed and delivery.state != "pending":
                    writer.execute(SQL["promote"], (delivery.subscription, delivery.lane))
            _mark_health(writer, results)

    def _sealed(self, attempt: Attempt) -> dict[str, object]:
        answer = attempt.answer
        sealed = self.vault.seal(answer.encode(), _row(attempt.delivery, attempt.number)) if answer else None
        return msgspec.structs.asdict(attempt) | {"answer": sealed}

    # -- what people ask

    async def delivery(self, tenant: str, identity: str) -> Delivery | None:
        row = self._one(SQL["delivery"], (identity, tenant))
        return None if row is None else _delivery(row)

    async def deliveries(self, query: DeliveryQuery) -> Page[Delivery]:
        rows = await self._matching(query, query.limit + 1)
        items = [_delivery(row) for row in rows[: query.limit]]
        more = len(rows) > query.limit
        return Page(items=items, next=(items[-1].seq, items[-1].id) if more else None)

    async def attempts(self, tenant: str, delivery: str) -> list[Attempt]:
        return [self._attempt(row) for row in self._all(SQL["attempts"], (delivery, tenant))]

    def _attempt(self, row: Row) -> Attempt:
        delivery, number, at, took, outcome, status, kept = row
        answer = self.vault.unseal(kept, _row(delivery, number)).decode() if kept else None
        return Attempt(
            delivery=delivery, number=number, at=at, took=took, outcome=outcome, status=status, answer=answer
        )

    async def revive(self, query: DeliveryQuery, now: int, traceparent: str | None = None) -> int:
        found = [_delivery(row) for row in await self._matching(query, query.limit)]
        what = {"now": now, "traceparent": traceparent}
        async with self._write() as writer:
            revived = [one for one in found if writer.execute(SQL["revive"], what | {"id": one.id}).rowcount == 1]
            _settle_heads(writer, {(one.subscription, one.lane) for one in revived})
        return len(revived)

    async def revivable(self, query: DeliveryQuery, now: int) -> int:
        ((found,),) = await self._search(COUNT[_path(query)], _parameters(query) | {"now": now})
        return int(found)

    async def _matching(self, query: DeliveryQuery, limit: int) -> list[Row]:
        statements = OLDEST if query.oldest_first else LIST
        return await self._search(statements[_path(query)], _parameters(query) | {"limit": limit})

    async def backlog(self) -> Backlog:
        ((waiting, parked, pending, claimed, due_at, since, head),) = await self._search(SQL["backlog"])
        return Backlog(
            pending=waiting + pending,
            claimed=claimed,
            parked=parked,
            oldest_due_at=due_at,
            oldest_since=since,
            head=head,
        )

    # -- jobs

    async def job(self, tenant: str, identity: str) -> Job | None:
        row = self._one(SQL["job"], (identity, tenant))
        return None if row is None else self._job(row)

    async def jobs(self) -> list[Job]:
        return [self._job(row) for row in self._all(SQL["running_jobs"])]

    async def put_job(self, job: Job) -> None:
        async with self._write() as writer:
            body = self.vault.seal(job.body, job.id)
            writer.execute(SQL["put_job"], msgspec.structs.asdict(job) | {"body": body})

    def _job(self, row: Row) -> Job:
        names = Job.__struct_fields__
        values = dict(zip(names, row, strict=True))
        return Job(**values | {"body": self.vault.unseal(values["body"], values["id"])})


def _move(writer: Connection, move: Move) -> bool:
    values = {"subscription": move.subscription, "cursor": move.cursor, "upto": move.upto}
    if writer.execute(SQL["move_cursor"], values).rowcount != 1:
        return False
    writer.executemany(SQL["insert"], [msgspec.structs.asdict(one) for one in move.deliveries])
    return True


def _settle_heads(writer: Connection, lanes: Iterable[Lane]) -> None:
    """Make the oldest of each lane its head, unless one is under way."""
    for lane in lanes:
        writer.execute(SQL["step_back"], lane)
        writer.execute(SQL["promote"], lane)


def _mark_health(writer: Connection, results: Sequence[tuple[Delivery, Attempt | None]]) -> None:
    """One success clears a subscription's record; without one, the first failure since the last is remembered."""
    tried = [(delivery, attempt) for delivery, attempt in results if attempt is not None]
    well = {delivery.subscription for delivery, _ in tried if delivery.state == "delivered"}
    writer.executemany(SQL["well"], [(one,) for one in well])
    failed = {delivery.subscription: attempt.at for delivery, attempt in reversed(tried)}
    writer.executemany(SQL["failing"], [(at, one) for one, at in failed.items() if one not in well])


def _path(query: DeliveryQuery) -> str:
    """The index that a list goes along."""
    if query.event is not None:
        return "from_event"
    if query.subscription is not None:
        return "from_subscription"
    return "from_parked" if query.state == "parked" else "from_tenant"


def _parameters(query: DeliveryQuery) -> dict[str, object]:
    seq, identity = query.after or (None, None)
    last_seq, last_id = query.upto or (None, None)
    return msgspec.structs.asdict(query) | {"seq": seq, "id": identity, "last_seq": last_seq, "last_id": last_id}


def _row(delivery: str, number: int) -> str:
    return f"{delivery}/{number}"


def _delivery(row: Row) -> Delivery:
    (identity, tenant, subscription, seq, event, kind, lane, state, attempts, spent, since) = row[:11]
    due_at, lease_until, created_at, updated_at, outcome, traceparent = row[11:]
    return Delivery(
        id=identity,
        tenant=tenant,
        subscription=subscription,
        seq=seq,
        event=event,
        type=kind,
        lane=lane,
        state=state,
        attempts=attempts,
        spent=spent,
        since=since,
        due_at=due_at,
        lease_until=lease_until,
        created_at=created_at,
        updated_at=updated_at,
        outcome=outcome,
        traceparent=traceparent,
    )


def _claimed(row: Row, now: int, lease_until: int) -> tuple[Delivery, Event]:
    _, *kept = row
    identity, tenant, subscription, seq, event, kind, lane, attempts, spent, since, due_at, created_at = kept[:12]
    outcome, traceparent, subject, at, patient, version, message, feed, happened_in = kept[12:]
    values = (identity, tenant, subscription, seq, event, kind, lane, "claimed", attempts, spent, since)
    delivery = _delivery((*values, due_at, lease_until, created_at, now, outcome, traceparent))
    return delivery, Event(
        id=event,
        type=kind,
        tenant=tenant,
        subject=subject,
        at=at,
        seq=seq,
        patient=patient,
        version=version,
        message=message,
        feed=feed,
        traceparent=happened_in,
    )
