"""Subscriptions, and the deliveries, attempts and jobs that come of them.

Order is kept by the schema: a lane (one patient of one subscription) has one head, and only heads are claimed. Who may
decide which that is holds the subscription's row meanwhile. A claim has a lease, and what a process that is gone had
claimed can be claimed again when that has run out. Leases keep two workers from doing the same work; that a delivery
arrives does not depend on them, only how often.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from canonical.events import Event
from gateway.store.postgres.database import Connection, Database, Row, count
from gateway.store.postgres.keeping import columns
from gateway.store.postgres.named import named
from gateway.store.postgres.search import delivery_count, delivery_list
from gateway.store.protocol import Attempt, Backlog, Delivery, DeliveryQuery, Job, Move, Page, Subscription

SQL = named("deliveries.sql")
OF_EVENT = ("subject", "at", "patient", "version", "message", "feed")

Lane = tuple[str, str]


class Deliveries(Database):
    """The store's verbs on subscriptions, deliveries and jobs."""

    # -- subscriptions

    async def subscription(self, tenant: str, identity: str) -> Subscription | None:
        """One subscription of a tenant."""
        row = await self._one(SQL["subscription"], identity, tenant)
        return None if row is None else self._subscription(row)

    async def subscriptions(self, tenant: str | None = None) -> list[Subscription]:
        """All of a tenant, or of every tenant, in the order of their making."""
        of_all = tenant is None
        rows = await (self._all(SQL["subscriptions"]) if of_all else self._all(SQL["subscriptions_of"], tenant))
        return [self._subscription(row) for row in rows]

    async def put_subscription(self, subscription: Subscription, expected: int | None, most: int | None = None) -> bool:
        """Keep a new one, if its client has room for it, or replace one whose version is still the expected one."""
        one, body = subscription, self.vault.seal(msgspec.json.encode(subscription), subscription.id)
        if expected is None:
            new = (one.id, one.tenant, one.client, one.state, one.cursor, one.version, body, most)
            async with self._write() as connection:
                await connection.execute(SQL["hold_client"], self.digests(one.tenant, "subscriptions", "", one.client))
                return await count(connection, SQL["add_subscription"], *new) == 1
        changed = (one.id, one.tenant, one.state, one.version, body, expected)
        return await self._do(SQL["replace_subscription"], *changed) == 1

    async def delete_subscription(self, tenant: str, identity: str, expected: int | None) -> bool:
        """Delete it and cancel what it was still to receive; its history stays."""
        async with self._write() as connection:
            found = await count(connection, SQL["delete_subscription"], identity, tenant, expected) == 1
            if found:
                await connection.execute(SQL["cancel_deliveries"], identity)
        return found

    def _subscription(self, row: Row) -> Subscription:
        kept = msgspec.json.decode(self.vault.unseal(row["body"], row["id"]), type=Subscription)
        return msgspec.structs.replace(kept, cursor=row["cursor"], failing_since=row["failing_since"])

    # -- the worker's verbs

    async def derive(self, moves: Sequence[Move]) -> list[bool]:
        """Move cursors and insert deliveries, all in one transaction; False where a cursor was elsewhere."""
        async with self._write() as connection:
            held = await connection.fetch(SQL["hold"], sorted({move.subscription for move in moves}))
            cursors = {row["id"]: row["cursor"] for row in held}
            done: list[bool] = []
            for move in moves:
                done.append(cursors.get(move.subscription) == move.cursor)
                if done[-1]:
                    cursors[move.subscription] = move.upto
            if any(done):
                await connection.execute(SQL["move_cursors"], *columns(list(cursors.items())))
            moved = [one for move, was_moved in zip(moves, done, strict=True) if was_moved for one in move.deliveries]
            await _insert(connection, moved)
        return done

    async def claim(self, now: int, lease: int, limit: int, rooms: Mapping[str, int]) -> list[tuple[Delivery, Event]]:
        """Due deliveries, the oldest of each lane only, leased; what another process claims is passed over."""
        if not rooms or limit <= 0:
            return []
        async with self._write() as connection:
            rows = await connection.fetch(SQL["claim"], list(rooms), list(rooms.values()), now, lease, limit)
        return [_claimed(row) for row in rows]

    async def conclude(self, results: Sequence[tuple[Delivery, Attempt | None]]) -> None:
        """Keep how attempts ended, each under the lease of its claim only."""
        if not results:
            return
        stands = {(one.id, one.lease_until): one for one, _ in reversed(results)}
        async with self._write() as connection:
            await connection.execute(SQL["hold"], sorted({one.subscription for one in stands.values()}))
            if tried := [self._attempt_row(attempt) for _, attempt in results if attempt is not None]:
                await connection.execute(SQL["add_attempts"], *columns(tried))
            rows = await connection.fetch(SQL["conclude"], *columns([_stand(one) for one in stands.values()]))
            await promote(connection, {(row["subscription"], row["lane"]) for row in rows if row["state"] != "pending"})
            await _mark_health(connection, results)

    def _attempt_row(self, one: Attempt) -> tuple[object, ...]:
        sealed = self.vault.seal(one.answer.encode(), _name(one.delivery, one.number)) if one.answer else None
        return (one.delivery, one.number, one.at, one.took, one.outcome, one.status, sealed)

    # -- what people ask

    async def delivery(self, tenant: str, identity: str) -> Delivery | None:
        """One delivery of a tenant."""
        row = await self._one(SQL["delivery"], identity, tenant)
        return None if row is None else Delivery(**dict(row))

    async def deliveries(self, query: DeliveryQuery) -> Page[Delivery]:
        """A search; see DeliveryQuery."""
        found = await self._matching(query, query.limit + 1)
        items = found[: query.limit]
        return Page(items=items, next=(items[-1].seq, items[-1].id) if len(found) > query.limit else None)

    async def attempts(self, tenant: str, delivery: str) -> list[Attempt]:
        """The tries of one delivery, in order."""
        return [self._attempt(row) for row in await self._all(SQL["attempts"], delivery, tenant)]

    def _attempt(self, row: Row) -> Attempt:
        kept = row["answer"]
        answer = self.vault.unseal(kept, _name(row["delivery"], row["number"])).decode() if kept else None
        return Attempt(**{**row, "answer": answer})

    async def revive(self, query: DeliveryQuery, now: int, traceparent: str | None = None) -> int:
        """Make the finished deliveries of a page due again; how many there were."""
        found = await self._matching(query, query.limit)
        if not found:
            return 0
        async with self._write() as connection:
            await connection.execute(SQL["hold"], sorted({one.subscription for one in found}))
            rows = await connection.fetch(SQL["revive"], [one.id for one in found], now, traceparent)
            lanes = {(row["subscription"], row["lane"]) for row in rows}
            if lanes:
                await connection.execute(SQL["step_back"], *columns(sorted(lanes)))
            await promote(connection, lanes)
        return len(rows)

    async def revivable(self, query: DeliveryQuery, now: int) -> int:
        """How many deliveries `revive` would make due on all pages."""
        text, parameters = delivery_count(query, now)
        rows = await self._all(text, *parameters)
        return int(rows[0][0]) if rows else 0

    async def _matching(self, query: DeliveryQuery, limit: int) -> list[Delivery]:
        text, parameters = delivery_list(query, limit)
        return [Delivery(**dict(row)) for row in await self._all(text, *parameters)]

    async def backlog(self) -> Backlog:
        """What waits."""
        return Backlog(**dict((await self._all(SQL["backlog"]))[0]))

    # -- jobs

    async def job(self, tenant: str, identity: str) -> Job | None:
        """One job of a tenant."""
        row = await self._one(SQL["job"], identity, tenant)
        return None if row is None else self._job(row)

    async def jobs(self) -> list[Job]:
        """The jobs that still run."""
        return [self._job(row) for row in await self._all(SQL["running_jobs"])]

    async def put_job(self, job: Job) -> None:
        """Keep a job with its progress."""
        values = msgspec.structs.asdict(job) | {"body": self.vault.seal(job.body, job.id)}
        await self._do(SQL["put_job"], *values.values())

    def _job(self, row: Row) -> Job:
        return Job(**{**row, "body": self.vault.unseal(row["body"], row["id"])})


async def _insert(connection: Connection, deliveries: Sequence[Delivery]) -> None:
    """Insert deliveries; the first of each lane may become its head."""
    if not deliveries:
        return
    lanes: set[Lane] = set()
    rows: list[tuple[object, ...]] = []
    for one in deliveries:
        head = (one.id, one.tenant, one.subscription, one.seq, one.event, one.type, one.lane)
        is_first = (one.subscription, one.lane) not in lanes
        lanes.add((one.subscription, one.lane))
        rows.append((*head, one.since, one.due_at, one.created_at, one.traceparent, is_first))
    if await count(connection, SQL["insert"], *columns(rows)) != len(rows):
        await promote(connection, lanes)  # one that was there before was to be a head


async def promote(connection: Connection, lanes: Iterable[Lane]) -> None:
    """Make the oldest that waits the head of each lane that has none."""
    if found := sorted(lanes):
        await connection.execute(SQL["promote"], *columns(found))


async def _mark_health(connection: Connection, results: Sequence[tuple[Delivery, Attempt | None]]) -> None:
    """One success clears a subscription's record; without one, the first failure since the last is remembered."""
    tried = [(delivery, attempt) for delivery, attempt in results if attempt is not None]
    well = {delivery.subscription for delivery, _ in tried if delivery.state == "delivered"}
    if well:
        await connection.execute(SQL["well"], sorted(well))
    first = {delivery.subscription: attempt.at for delivery, attempt in reversed(tried)}
    if failed := sorted((one, at) for one, at in first.items() if one not in well):
        await connection.execute(SQL["failing"], *columns(failed))


def _stand(one: Delivery) -> tuple[object, ...]:
    return (one.id, one.lease_until, one.state, one.attempts, one.due_at, one.updated_at, one.outcome)


def _name(delivery: str, number: int) -> str:
    return f"{delivery}/{number}"


def _claimed(row: Row) -> tuple[Delivery, Event]:
    values = dict(row)
    of_event = {name: values.pop(name) for name in OF_EVENT}
    del values["place"], values["ready"]
    happened_in = values.pop("happened_in")
    delivery = Delivery(**values)
    return delivery, Event(
        id=delivery.event,
        type=delivery.type,
        tenant=delivery.tenant,
        seq=delivery.seq,
        traceparent=happened_in,
        **of_event,
    )
