"""A command as the message that it is: checked against what is known, settled, and kept with what it did, or not.

seen before     the first answer once more: an Idempotency-Key is the dedup key of this protocol
forbidden       a transition that the machine does not know is refused, and nothing is kept but audit
carried out     message, record and events in one transaction; only then the answer
"""

import re
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from canonical.apply import Cause
from canonical.datatypes import Identifier
from canonical.ids import CROCKFORD, PREFIXES, new_id
from canonical.machines import MACHINES
from canonical.patches import Mapped, Patch
from canonical.records import RECORDS, Record
from canonical.settle import Settled, Working, settle
from gateway.pipeline import Pipeline
from gateway.problems import Stop, Wrong, invalid, not_found, stop, unavailable
from gateway.settling import written
from gateway.store.protocol import Batch, Conflict, Kept, Seen
from gateway.witness import group_rows
from transforms.api.cloudevent import instant
from transforms.api.v1.commands import Command, Moment, Sent

PROTOCOL = "api"  # also the name of the feed that commands come by
TRIES = 3
OUR_IDS = re.compile(rf"({'|'.join(PREFIXES[kind] for kind in RECORDS)})_[{CROCKFORD}]{{26}}", re.ASCII)
KINDS = {PREFIXES[kind]: kind for kind in RECORDS}
TYPES = {shape: kind for kind, shape in RECORDS.items()}


class Order(Struct, frozen=True, kw_only=True):
    """A command as it was received. `key` is the Idempotency-Key, `match` the version that If-Match names."""

    command: Command
    body: Sent
    raw: bytes
    tenant: str
    client: str
    path: str
    request: str
    target: str | None = None
    key: str | None = None
    match: frozenset[str] | None = None
    traceparent: str | None = None

    @property
    def dedup(self) -> str:
        """One client's key for one kind of command; without a key no other request is the same."""
        return f"{PROTOCOL}|{self.client}|{self.command.kind}.{self.command.name}|{self.key or self.request}"

    @property
    def hash(self) -> bytes:
        """What must be equal where the key is."""
        return sha256(f"{self.path}\n".encode() + self.raw).digest()


class Done(Struct, frozen=True, kw_only=True):
    """What a command did: the version of the record that it made, or made when it was first sent."""

    record: str
    version: int
    repeated: bool = False


async def carry_out(pipeline: Pipeline, order: Order) -> Done:
    """Carry a command out, once; Stop says why not."""
    if "intake" in pipeline.switches or f"feed:{PROTOCOL}" in pipeline.switches:
        raise unavailable("Intake is held; try again later.")
    at = pipeline.now()
    for left in reversed(range(TRIES)):
        try:
            return await _once(pipeline, order, at)
        except Conflict:
            if not left:
                raise
    raise AssertionError("a try either ends or raises")


async def _once(pipeline: Pipeline, order: Order, at: int) -> Done:
    batch = Batch()
    async with pipeline.store.unit() as unit:
        seen = await unit.seen(order.tenant, [(order.dedup, order.hash)], at - pipeline.window)
        if known := seen.get(order.dedup):
            return _again(order, known)
        working, named = Working(), dict(ids_in(order.body))
        numbers = _numbers(order)
        wanted = [*([order.target] if order.target else ()), *named.values()]
        await unit.load(order.tenant, working, numbers, wanted)
        before = _target(order, working)
        _check(order, working, named, before)
        cause = _cause(order, at, before)
        patch = replace(_said(order, before, at), subject=before.id if before else None)
        settled = settle(working, Mapped(clock=cause.clock, patches=[patch]), cause)
        done = _done(settled)
        batch.messages.append(_kept(order, settled, done, cause))
        batch.records, batch.events = written(settled), settled.events
        batch.audit = group_rows(batch.messages, at, PROTOCOL)
        events = await unit.commit(batch)
    pipeline.count(PROTOCOL, order.command.kind, "applied")
    for hear in pipeline.on_events:
        hear(events)
    return done


def _again(order: Order, known: list[Seen]) -> Done:
    """The answer that the same request had; another request under the key is a mistake."""
    for one in known:
        if one.hash == order.hash and one.ack is not None:
            return replace(msgspec.json.decode(one.ack, type=Done), repeated=True)
    raise stop(422, "idempotency_key_reused", "This Idempotency-Key was sent before with another request.")


def _target(order: Order, working: Working) -> Record | None:
    """The record that the command is about, as it stands; None where it makes one."""
    if order.target is None:
        return None
    found = working.records.get(order.target)
    if found is None or TYPES[type(found)] != order.command.kind:
        raise not_found()
    if order.match is not None and str(found.version) not in order.match:
        raise stop(412, "precondition_failed", "It was changed since you read it; read it again.")
    return found


def _check(order: Order, working: Working, named: dict[str, str], before: Record | None) -> None:
    """All that is wrong with the request at once; then whether it may be done now."""
    command = order.command
    wrong = [
        Wrong(code="unknown_record", pointer=pointer, detail=f"There is no such {KINDS[identity[:3]]}.")
        for pointer, identity in named.items()
        if identity not in working.records
    ]
    if command.check:
        faults = command.check(order.body, before)
        wrong += [Wrong(code="invalid_value", pointer=pointer, detail=detail) for pointer, detail in faults]
    status = before.status if before else None
    if (command.needs_reason or command.corrects(status, command.to)) and not getattr(order.body, "reason", None):
        wrong.append(Wrong(code="required", pointer="/reason", detail="Say why."))
    if wrong:
        raise invalid(wrong)
    if before is None:
        _refuse_known(order, working)
    elif not command.may_follow(status, command.to):
        raise _forbidden(command, status)


def _refuse_known(order: Order, working: Working) -> None:
    kind = order.command.kind
    if any(working.index.get((kind, one.system, one.value)) for _, one in _numbers(order)):
        raise stop(409, "already_exists", "One of these identifiers is in use already; search for it.")


def _forbidden(command: Command, status: str | None) -> Stop:
    detail = f"What is {status or 'new'} cannot become that; `allowed` lists what it can become."
    return stop(409, "invalid_transition", detail, allowed=sorted(MACHINES[command.kind].get(status, ())))


def _numbers(order: Order) -> list[tuple[str, Identifier]]:
    return [(order.command.kind, one) for one in getattr(order.body, "identifiers", ())]


def _said(order: Order, before: Record | None, at: int) -> Patch:
    return order.command.patch(order.body, before, Moment(at=instant(at), client=order.client))


def _cause(order: Order, at: int, before: Record | None) -> Cause:
    """A command is the newest word of the highest rank that the record has heard: its client sees it take effect.

    A sender's clock may be ahead of ours, so the clock is that of the receipt or just after what is known.
    """
    return Cause(
        message=new_id("message", at, order.client, order.request, order.hash.hex()),
        tenant=order.tenant,
        feed=PROTOCOL,
        clock=max(at, before.newest + 1) if before else at,
        received_at=at,
        event=order.command.name,
        rank=_rank(before) if before else 0,
        traceparent=order.traceparent,
        actor=order.client,
    )


def _rank(before: Record) -> int:
    return max([one.rank for one in (*before.stamps, *(fact.stamp for fact in before.facts))], default=0)


def _done(settled: Settled) -> Done:
    record = settled.after[settled.records[0]]
    return Done(record=record.id, version=record.version)


def _kept(order: Order, settled: Settled, done: Done, cause: Cause) -> Kept:
    return Kept(
        id=cause.message,
        tenant=order.tenant,
        feed=PROTOCOL,
        received_at=cause.received_at,
        state="applied",
        raw=order.raw,
        hash=order.hash,
        dedup=order.dedup,
        protocol=PROTOCOL,
        type=order.command.kind,
        event=order.command.name,
        version="v1",
        sender=order.client,
        ack=msgspec.json.encode(done),
        clock=cause.clock,
        records=tuple(settled.records),
        traceparent=order.traceparent,
    )


def ids_in(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Every id of a record that a body names, with its JSON pointer."""
    if isinstance(value, str):
        if OUR_IDS.fullmatch(value):
            yield place, value
    elif isinstance(value, Struct):
        called = zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True)
        for name, wire in called:
            yield from ids_in(getattr(value, name), f"{place}/{wire}")
    elif isinstance(value, tuple):
        for n, one in enumerate(value):
            yield from ids_in(one, f"{place}/{n}")
