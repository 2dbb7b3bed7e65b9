"""The commands of the API, one route each: POST /v1/appointments, POST /v1/appointments/{id}/cancel, and so on."""

import re

from canonical.records import RECORDS
from gateway.commanding import Done, Order, carry_out
from gateway.problems import Wrong, unreadable
from gateway.routes.records import CALLED, Resolved
from gateway.routes.serving import Answer, Call, Route
from transforms.api import v1
from transforms.api.v1.commands import COMMANDS, Command, Sent

KEY = re.compile(r'"[^"\\\x00-\x1f\x7f-\xff]{1,255}"|[!#-\[\]-~]{1,255}')
A_KEY = "1 to 255 printable ASCII characters, in quotes or bare."


def _route(command: Command) -> Route:
    called = CALLED.get(command.kind, command.kind)
    tag = f"{called.replace(' ', '-')}s"
    path = f"/v1/{tag}" if command.creates else f"/v1/{tag}/{{id:str}}/{command.name}"

    async def run(call: Call, body: Sent) -> Answer:
        return await _carried_out(call, command, body)

    fails = ("invalid_value", "idempotency_key_reused", "precondition_failed", "conflict")
    own = ("already_exists",) if command.creates else ("not_found", "invalid_transition")
    return Route(
        method="POST",
        path=path,
        run=run,
        guard=f"{tag}.write",
        audit="C" if command.creates else "U",
        body=command.body,
        gives=v1.WIRE[RECORDS[command.kind]],
        status=201 if command.creates else 200,
        fails=(*fails, *own),
        tag=tag,
        headers=("ETag", "Location") if command.creates else ("ETag",),
        name=f"{command.name.replace('-', '_')}_{called.replace(' ', '_')}",
        text=f"{command.text}\n\n{_about(command)}",
    )


def _about(command: Command) -> str:
    text = "What is refused is not kept. With an `Idempotency-Key` it is safe to send again: it takes effect once, and "
    text += "the answer is that of the first time."
    if command.creates:
        return f"An `Idempotency-Key` is needed. {text}"
    if command.needs_reason:
        text += " A `reason` is needed."
    return f"{text} A 409 lists as `allowed` what it can become."


async def _carried_out(call: Call, command: Command, body: Sent) -> Answer:
    scope, params = call.scope, call.scope["path_params"]
    order = Order(
        command=command,
        body=body,
        raw=call.sent,
        tenant=call.tenant,
        client=call.principal.client_id,
        path=scope["path"],
        request=call.trace.id,
        target=params.get("id"),
        key=_key(call, command),
        match=_match(call),
        traceparent=call.trace.traceparent,
    )
    done = await carry_out(call.api.services.pipeline, order)
    return await _answer(call, command, done)


async def _answer(call: Call, command: Command, done: Done) -> Answer:
    """The record in the version that the command made."""
    record = await call.api.services.store.version(call.tenant, done.record, done.version)
    assert record is not None
    shown = await Resolved(call).shown(record)
    call.saw(record.id, patient=shown.patient)
    headers = [(b"etag", f'"{shown.tag(record.version)}"'.encode())]
    if command.creates:
        headers.append((b"location", f"{call.scope['path']}/{record.id}".encode()))
    if done.repeated:
        headers.append((b"idempotency-replayed", b"true"))
    return Answer(call.api.bodies.of(record, shown), 201 if command.creates else 200, tuple(headers))


def _key(call: Call, command: Command) -> str | None:
    """The Idempotency-Key, which may be quoted or bare."""
    given = call.header(b"idempotency-key")
    if given is None and command.creates:
        raise unreadable([Wrong(code="required", header="Idempotency-Key", detail=f"Send one: {A_KEY}")])
    if given is not None and not KEY.fullmatch(given):
        raise unreadable([Wrong(code="malformed", header="Idempotency-Key", detail=f"It must be {A_KEY}")])
    return given and given.strip('"')


def _match(call: Call) -> frozenset[str] | None:
    """The versions that If-Match names; what else is in a tag is how the record was shown."""
    given = call.header(b"if-match")
    if given is None or given.strip() == "*":
        return None
    tags = (one.strip().removeprefix("W/").strip('"') for one in given.split(","))
    return frozenset(tag.partition("-")[0] for tag in tags)


def of(kind: str) -> tuple[Route, ...]:
    """The routes of a kind of record's commands."""
    return tuple(_route(command) for command in COMMANDS if command.kind == kind)
