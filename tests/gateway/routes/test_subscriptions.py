"""Subscriptions and their deliveries, with the worker and a partner who receives."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from msgspec.structs import replace

from gateway.routes import subscriptions
from gateway.store.protocol import Subscription
from tests.gateway.conftest import SECRETS, Partner
from tests.gateway.routes.conftest import Gate
from tests.gateway.routes.said import booking

OURS = "/v1/subscriptions"


@pytest_asyncio.fixture
async def working(gate: Gate) -> AsyncIterator[Gate]:
    """A gate whose worker delivers."""
    gate.pipeline.on_events.append(lambda events: gate.worker.wake())
    running = asyncio.create_task(gate.worker.run())
    yield gate
    await gate.worker.stop()
    await running


async def subscribe(gate: Gate, url: str = "http://127.0.0.1:9/hook", client: str = "partner", **more: Any) -> Any:
    """A subscription that must be made."""
    answer = await gate.post(OURS, {"url": url, **more}, client)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def known_to(partner: Partner, gate: Gate, made: Any) -> None:
    """The partner began before its subscription, so the subscription takes the secret that the partner knows."""
    kept = await gate.store.subscription("main", made["id"])
    assert kept
    await gate.store.put_subscription(replace(kept, secrets=SECRETS[:1], version=2), 1)
    gate.worker.refresh()


async def test_life(gate: Gate) -> None:
    """Made, read, changed, held, released, deleted; its secret shown once."""
    made = await subscribe(gate, types=["appointment.*"], description="ours")
    path = f"{OURS}/{made['id']}"
    read = await gate.ask("GET", path, "partner")
    blind = await gate.ask("PATCH", path, "partner", json={"types": ["*"]})
    changed = await gate.ask(
        "PATCH", path, "partner", json={"types": ["*"]}, headers={"if-match": read.headers["etag"]}
    )
    paused = await gate.post(f"{path}/pause", client="partner")
    released = await gate.post(f"{path}/release", client="partner")
    gone = await gate.ask("DELETE", path, "partner")

    assert made["secret"].startswith("whsec_")
    assert made == read.json() | {"secret": made["secret"]}
    assert 428 == blind.status_code
    assert (["*"], "ours", "2") == tuple(changed.json()[name] for name in ("types", "description", "versionId"))
    assert ("paused", "active") == (paused.json()["state"], released.json()["state"])
    assert (204, b"", 404) == (gone.status_code, gone.content, (await gate.ask("GET", path, "partner")).status_code)


async def test_a_deletion_that_was_overtaken(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """If-Match holds at the write: what was changed after it was looked at is not deleted."""
    path = f"{OURS}/{(await subscribe(gate))['id']}"
    read = gate.store.subscription

    async def overtaken(tenant: str, identity: str) -> Subscription | None:
        found = await read(tenant, identity)
        assert found
        await gate.store.put_subscription(replace(found, description="keep me", version=found.version + 1), 1)
        return found

    monkeypatch.setattr(gate.store, "subscription", overtaken)
    deleted = await gate.ask("DELETE", path, "partner", headers={"if-match": '"1"'})
    monkeypatch.setattr(gate.store, "subscription", read)

    assert (412, "precondition_failed") == (deleted.status_code, deleted.json()["code"])
    assert "keep me" == (await gate.get(path, "partner"))["description"]
    assert 204 == (await gate.ask("DELETE", path, "partner", headers={"if-match": '"2"'})).status_code
    assert 404 == (await gate.ask("DELETE", path, "partner")).status_code


async def test_a_client_has_its_limit(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it asks for all of them at once."""
    monkeypatch.setattr(subscriptions, "MOST_OF_A_CLIENT", 2)
    body = {"url": "http://127.0.0.1:9/hook"}
    await gate.token("partner")

    answers = await asyncio.gather(*(gate.post(OURS, body, "partner") for _ in range(6)))

    assert [201] * 2 + [409] * 4 == sorted(one.status_code for one in answers)
    assert {"too_many"} == {one.json()["code"] for one in answers if one.status_code == 409}
    assert 201 == (await gate.post(OURS, body, "rival")).status_code


@pytest.mark.parametrize("verb", ["pause", "release", "rotate", "test"])
async def test_a_command_on_a_stale_version(gate: Gate, verb: str) -> None:
    """If-Match need not be sent; where it is, it holds: nothing happens to what the caller has not seen."""
    made = await subscribe(gate)
    path = f"{OURS}/{made['id']}"
    before = await gate.get(path, "partner")

    stale = await gate.post(f"{path}/{verb}", client="partner", headers={"if-match": '"7"'})
    assert (412, "precondition_failed") == (stale.status_code, stale.json()["code"])
    assert before == await gate.get(path, "partner")

    fresh = await gate.post(f"{path}/{verb}", client="partner", headers={"if-match": '"1"'})
    blind = await gate.post(f"{path}/{verb}", client="partner")
    now = (await gate.ask("GET", path, "partner")).headers["etag"]
    assert [200, 200] == [fresh.status_code, blind.status_code]
    assert now == blind.headers.get("etag", now if verb == "test" else None)


async def test_held_and_let_go_twice(gate: Gate) -> None:
    """What is so already makes no new version."""
    path = f"{OURS}/{(await subscribe(gate))['id']}"

    seen = [(await gate.post(f"{path}/{verb}")).json() for verb in ("release", "pause", "pause", "release", "release")]

    assert ["1", "2", "2", "3", "3"] == [one["versionId"] for one in seen]
    assert ["active", "paused", "paused", "active", "active"] == [one["state"] for one in seen]


async def test_rotation(gate: Gate) -> None:
    """A new secret signs together with the one before, unless that is to be void at once."""
    made = await subscribe(gate)
    path = f"{OURS}/{made['id']}/rotate"

    first = (await gate.post(path, client="partner")).json()["secret"]
    kept = await gate.store.subscription("main", made["id"])
    second = (await gate.post(path, {"overlap": False}, "partner")).json()["secret"]
    last = (await gate.store.subscription("main", made["id"])).secrets  # type: ignore[union-attr]

    assert kept
    assert ((first, made["secret"]), (second,)) == (kept.secrets, last)
    assert kept.created_at < kept.rotated_at <= kept.updated_at


@pytest.mark.parametrize(
    ("body", "codes"),
    [
        ({"url": "http://example.com/"}, {"url_scheme"}),
        ({"url": "https://10.0.0.1/"}, {"address_internal"}),
        ({"url": "https://[::ffff:10.0.0.1]/"}, {"address_internal"}),
        ({"url": "https://metadata.google.internal/"}, {"host_internal"}),
        ({"url": "https://user:word@example.com/"}, {"url_credentials"}),
        ({"url": "nonsense"}, {"url_malformed"}),
        ({"url": "https://10.0.0.1/", "types": ["no.such"]}, {"address_internal", "unknown_type"}),
        ({"url": "http://127.0.0.1:9/", "feeds": ["none"]}, {"unknown_feed"}),
        ({"url": "http://127.0.0.1:9/", "full": True, "types": ["encounter.*"]}, {"scope_missing"}),
    ],
)  # fmt: skip
async def test_what_is_not_taken(gate: Gate, body: dict[str, Any], codes: set[str]) -> None:
    """Internal addresses, unknown types and feeds, full events without the scope: all told at once."""
    answer = await gate.post(OURS, body, "partner")

    assert (422, codes) == (answer.status_code, {one["code"] for one in answer.json()["errors"]})


async def test_where_it_begins(gate: Gate) -> None:
    """From the head or before it; a place that the feed does not have yet would skip what comes, and is refused."""
    await gate.hear(booking(1))
    head = int((await gate.get("/v1/events"))["next"])
    body = {"url": "http://127.0.0.1:9/hook", "after": head + 1}

    made = await subscribe(gate, after=head)
    beyond = await gate.post(OURS, body, "partner")

    assert head == made["cursor"]
    assert (422, [("invalid_cursor", "/after")]) == (
        beyond.status_code,
        [(one["code"], one["pointer"]) for one in beyond.json()["errors"]],
    )


async def test_no_types_are_all(gate: Gate, partner: Partner) -> None:
    """An empty list is all, as it is of feeds and patients: no subscription is active and deaf."""
    made = await subscribe(gate, types=[])
    other = await subscribe(gate, types=["patient.*"])
    changed = await gate.ask(
        "PATCH", f"{OURS}/{other['id']}", "partner", json={"types": []}, headers={"if-match": '"1"'}
    )
    blind = await gate.post(OURS, {"url": "http://127.0.0.1:9/hook", "types": [], "full": True}, "partner")

    assert [["*"], ["*"]] == [made["types"], changed.json()["types"]]
    assert (422, "scope_missing") == (blind.status_code, blind.json()["errors"][0]["code"])


async def test_sending_again_without_saying_whose(gate: Gate) -> None:
    """Who is not `admin` names a subscription; what is missing has its place in the body."""
    answer = await gate.post("/v1/deliveries/_resend", {"state": "parked"}, "partner")

    assert (422, "/subscription") == (answer.status_code, answer.json()["errors"][0].get("pointer"))


async def test_clients_keep_apart(gate: Gate) -> None:
    """A client sees its own, an admin the tenant's, another tenant nothing."""
    made = await subscribe(gate)
    path = f"{OURS}/{made['id']}"

    async def seen(client: str) -> tuple[int, int]:
        return len((await gate.get(OURS, client))["items"]), (await gate.ask("GET", path, client)).status_code

    assert [(1, 200), (1, 200), (0, 404), (0, 404)] == [
        await seen(one) for one in ("partner", "admin", "rival", "stranger")
    ]
    assert 404 == (await gate.post(f"{path}/rotate", client="rival")).status_code
    assert 404 == (await gate.ask("GET", f"{path}/deliveries", "rival")).status_code
    assert 404 == (await gate.ask("GET", "/v1/deliveries", "rival", params={"subscription": made["id"]})).status_code
    assert 422 == (await gate.ask("GET", "/v1/deliveries", "rival")).status_code


async def until(found: Callable[[], Awaitable[list[Any]]], count: int) -> None:
    """Wait until there are so many."""
    async with asyncio.timeout(20):
        while True:
            if len(await found()) >= count:
                return
            await asyncio.sleep(0.02)


async def deliveries(gate: Gate, subscription: str, **query: Any) -> list[Any]:
    """What a subscription was sent."""
    found: list[Any] = (await gate.get(f"{OURS}/{subscription}/deliveries", "partner", params=query))["items"]
    return found


async def settled(gate: Gate, subscription: str, state: str, count: int) -> list[Any]:
    """Its deliveries, once so many have a state."""
    await until(lambda: deliveries(gate, subscription, state=state), count)
    return await deliveries(gate, subscription, state=state)


async def test_deliveries(working: Gate, partner: Partner) -> None:
    """What was sent is listed with its tries, and sent again with the same webhook-id."""
    made = await subscribe(working, partner.url, types=["appointment.*"])
    await known_to(partner, working, made)
    await working.hear(booking(1))
    (sent,) = await settled(working, made["id"], "delivered", 1)
    read = await working.get(f"/v1/deliveries/{sent['id']}", "partner")

    again = await working.post(f"/v1/deliveries/{sent['id']}/resend", client="partner")
    await until(lambda: asyncio.to_thread(partner.attempts), 2)

    assert [("http_204", 204)] == [(one["outcome"], one["status"]) for one in read["tries"]]
    assert (202, sent["id"]) == (again.status_code, again.json()["id"])
    assert 404 == (await working.ask("GET", f"/v1/deliveries/{sent['id']}", "rival")).status_code


async def test_sending_many_again(working: Gate, partner: Partner) -> None:
    """A dry run counts what a filter finds; the job sends it again and says how far it is."""
    made = await subscribe(working, partner.url, types=["appointment.*"])
    await known_to(partner, working, made)
    await working.hear(*(booking(n) for n in range(1, 6)))
    await settled(working, made["id"], "delivered", 5)
    body = {"subscription": made["id"], "state": "delivered"}

    dry = await working.post("/v1/deliveries/_resend", body | {"dryRun": True}, "partner")
    begun = await working.post("/v1/deliveries/_resend", body, "partner")
    await until(lambda: asyncio.to_thread(partner.attempts), 10)
    job = await working.finished(begun.headers["location"], "partner")

    assert {"total": 5, "dryRun": True} == dry.json()
    assert ("completed", 5) == (job["state"], job["done"])


async def test_a_job_is_its_clients(gate: Gate) -> None:
    """Who started a job may see it, and an admin of the tenant; another client with the same scope may not."""
    made = await subscribe(gate)
    begun = await gate.post("/v1/deliveries/_resend", {"subscription": made["id"]}, "partner")
    replayed = await gate.post("/v1/messages/_replay", {"all": True})
    job, other = begun.headers["location"], replayed.headers["location"]

    seen = [(await gate.ask("GET", job, who)).status_code for who in ("partner", "admin", "rival", "stranger")]

    assert [200, 200, 404, 404] == seen
    assert [200, 404] == [(await gate.ask("GET", other, who)).status_code for who in ("admin", "partner")]


async def test_nobody_to_send_it_to(working: Gate, partner: Partner) -> None:
    """What a deleted subscription received is history, and is not sent again; the answer says why."""
    made = await subscribe(working, partner.url, types=["appointment.*"])
    await known_to(partner, working, made)
    await working.hear(booking(1))
    (sent,) = await settled(working, made["id"], "delivered", 1)
    await working.ask("DELETE", f"{OURS}/{made['id']}", "partner")

    alone = await working.post(f"/v1/deliveries/{sent['id']}/resend")
    in_bulk = await working.post("/v1/deliveries/_resend", {"state": "delivered", "dryRun": True})

    assert (409, "subscription_deleted") == (alone.status_code, alone.json()["code"])
    assert {"total": 0, "dryRun": True} == in_bulk.json()


async def test_sending_again_to_a_disabled_one(working: Gate, partner: Partner) -> None:
    """A disabled subscription is sent nothing: the answer says so, in bulk it is left out, after a release it goes."""
    made = await subscribe(working, partner.url, types=["appointment.*"])
    await known_to(partner, working, made)
    await working.hear(booking(1))
    (sent,) = await settled(working, made["id"], "delivered", 1)
    kept = await working.store.subscription("main", made["id"])
    assert kept
    await working.store.put_subscription(replace(kept, state="disabled", reason="http_410", version=3), 2)
    working.worker.refresh()

    alone = await working.post(f"/v1/deliveries/{sent['id']}/resend")
    named = await working.post("/v1/deliveries/_resend", {"subscription": made["id"]})
    trials = [
        (await working.post("/v1/deliveries/_resend", {"all": True, "dryRun": True} | bound)).json()["total"]
        for bound in ({}, {"limit": 1})
    ]
    begun = await working.post("/v1/deliveries/_resend", {"all": True})
    job = await working.finished(begun.headers["location"])
    assert [(409, "subscription_disabled")] * 2 == [(one.status_code, one.json()["code"]) for one in (alone, named)]
    assert ([0, 0], 0) == (trials, job["done"])
    assert "delivered" == (await working.get(f"/v1/deliveries/{sent['id']}"))["state"]

    await working.post(f"{OURS}/{made['id']}/release")
    assert 202 == (await working.post(f"/v1/deliveries/{sent['id']}/resend")).status_code
    await until(lambda: asyncio.to_thread(partner.attempts), 2)


async def test_sending_again_to_a_paused_one(working: Gate, partner: Partner) -> None:
    """What is sent again to a subscription that is held waits until it is released."""
    made = await subscribe(working, partner.url, types=["appointment.*"])
    await known_to(partner, working, made)
    await working.hear(booking(1))
    (sent,) = await settled(working, made["id"], "delivered", 1)
    await working.post(f"{OURS}/{made['id']}/pause")

    again = await working.post(f"/v1/deliveries/{sent['id']}/resend")
    waiting = await settled(working, made["id"], "pending", 1)
    await working.post(f"{OURS}/{made['id']}/release")
    await until(lambda: asyncio.to_thread(partner.attempts), 2)

    assert (202, [sent["id"]]) == (again.status_code, [one["id"] for one in waiting])


async def test_sending_some_again(working: Gate, partner: Partner) -> None:
    """`limit` takes the oldest, in a dry run and in the job, which says so; what has no meaning here is refused."""
    made = await subscribe(working, partner.url, types=["appointment.*"])
    await known_to(partner, working, made)
    await working.hear(*(booking(n, patient=n) for n in range(1, 6)))
    sent = await settled(working, made["id"], "delivered", 5)
    body = {"subscription": made["id"], "limit": 2}

    dry = await working.post("/v1/deliveries/_resend", body | {"dryRun": True}, "partner")
    begun = await working.post("/v1/deliveries/_resend", body, "partner")
    job = await working.finished(begun.headers["location"], "partner")
    await until(lambda: asyncio.to_thread(partner.attempts), 7)
    many = [one["id"] for one in await settled(working, made["id"], "delivered", 5) if one["attempts"] == 2]

    assert ({"total": 2, "dryRun": True}, 2) == (dry.json(), begun.json()["total"])
    assert ("completed", 2, 2) == (job["state"], job["total"], job["done"])
    assert [one["id"] for one in sent[-2:]] == many
    assert [400, 400] == [
        (await working.post("/v1/deliveries/_resend", body | wrong, "partner")).status_code
        for wrong in ({"cursor": "x"}, {"limit": 0})
    ]
    assert 400 == (await working.post(f"/v1/deliveries/{many[0]}/resend", headers={"if-match": '"1"'})).status_code


async def test_sending_a_test(gate: Gate, partner: Partner) -> None:
    """One signed event goes out now, and the answer says how it was received."""
    made = await subscribe(gate, partner.url)
    await known_to(partner, gate, made)

    answer = (await gate.post(f"{OURS}/{made['id']}/test", client="partner")).json()

    assert {"outcome": "http_204", "status": 204, "delivered": True} == answer
    assert [] == await deliveries(gate, made["id"])


async def test_the_path_says_which_subscription(gate: Gate) -> None:
    """What the path says cannot be said otherwise in the query."""
    made, other = await subscribe(gate), await subscribe(gate)
    answer = await gate.ask("GET", f"{OURS}/{made['id']}/deliveries", "partner", params={"subscription": other["id"]})

    assert (400, "unknown_parameter") == (answer.status_code, answer.json()["errors"][0]["code"])


async def test_a_changed_filter_counts_from_the_change_on(working: Gate, partner: Partner) -> None:
    """What happened before is sent as it was asked for then, also when the gateway was away when it was changed."""
    made = await subscribe(working, partner.url, types=["patient.*"])
    await known_to(partner, working, made)
    await working.worker.stop()
    await working.hear(booking(1))
    etag = (await working.ask("GET", f"{OURS}/{made['id']}", "partner")).headers["etag"]
    changed = await working.ask(
        "PATCH", f"{OURS}/{made['id']}", "partner", json={"types": ["appointment.*"]}, headers={"if-match": etag}
    )
    head = await working.store.head()
    await working.hear(booking(2, patient=1))
    working.worker = working.working()
    running = asyncio.create_task(working.worker.run())
    sent = await settled(working, made["id"], "delivered", 2)
    await working.worker.stop()
    await running

    assert changed.json()["cursor"] == head
    assert ["appointment.created", "patient.created"] == [one["type"] for one in sent]
    assert sent[0]["event"] in {one["id"] for one in (await working.get(f"/v1/events?after={head}"))["items"]}


@contextlib.asynccontextmanager
async def at_work(gate: Gate) -> AsyncIterator[None]:
    """The gate's worker for a while."""
    running = asyncio.create_task(gate.worker.run())
    yield
    await gate.worker.stop()
    await running


@pytest.mark.parametrize(("scopes", "reason"), [(None, "client_unknown"), (("subscriptions.write",), "scope_missing")])
async def test_nothing_is_sent_for_a_client_that_may_not_have_it(
    gate: Gate, partner: Partner, scopes: tuple[str, ...] | None, reason: str
) -> None:
    """Neither once it is gone nor once it lacks a scope that its full events need; when it is back, it gets all."""
    declared = gate.site.clients["partner"]
    made = await subscribe(gate, partner.url, types=["appointment.*"], full=True)
    await known_to(partner, gate, made)
    path = f"{OURS}/{made['id']}"
    async with at_work(gate):
        await gate.hear(booking(1))
        await settled(gate, made["id"], "delivered", 1)
    await gate.hear(booking(2))
    await gate.serve_with(partner=replace(declared, scopes=scopes) if scopes else None)
    async with at_work(gate):
        await until(lambda: tasks(gate, "ready"), 1)
        shown = await gate.get(path)
        await gate.post(f"{path}/release")
        await asyncio.sleep(0.2)
        still, open_tasks, count = await gate.get(path), await tasks(gate, "ready"), len(partner.received())
    await gate.serve_with(partner=declared)
    async with at_work(gate):
        await settled(gate, made["id"], "delivered", 2)
        back = await gate.get(path)

    assert [("disabled", reason)] * 2 == [(one["state"], one["reason"]) for one in (shown, still)]
    assert (["DLV-CLIENT"], 1) == (open_tasks, count)
    assert ("active", None) == (back["state"], back["reason"])
    assert (["DLV-CLIENT"], []) == (await tasks(gate, "completed"), await tasks(gate, "ready"))


async def tasks(gate: Gate, status: str) -> list[str]:
    """The codes of the tasks about deliveries."""
    return [one["code"] for one in (await gate.get(f"/v1/tasks?queue=delivery&status={status}"))["items"]]
