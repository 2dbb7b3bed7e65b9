"""Messages: found by any key, shown as bytes and as a tree, mapped again one by one or all that a filter finds."""

import asyncio
import threading
from typing import Any

import pytest

from gateway import replays
from gateway.routes import messages
from gateway.routes.rules import KINDS
from gateway.store.protocol import Job, Unavailable
from tests.gateway.routes.conftest import Gate
from tests.gateway.routes.said import admission, booking, merge, pid

BOTH = booking(9).replace(b"PID|1||N0001^^^NORTH^MR", b"PID|1||N0001^^^NORTH^MR~N0002^^^NORTH^MR")
GARBLED = b"MSH|^~\\&|A|B|C|D|20261121||SIU^S12|G1|T|2.5.1\rthis is no segment"


async def found(gate: Gate, **query: Any) -> list[str]:
    """The control ids of the messages that a search finds."""
    return [one["controlId"] for one in (await gate.get("/v1/messages", params=query))["items"]]


async def test_search(gate: Gate) -> None:
    """Every parameter narrows; newest first."""
    await gate.hear(booking(1), booking(2, patient=2), admission(3, patient=2))
    newest = (await gate.get("/v1/messages"))["items"][0]
    patient = (await gate.only("patient", identifier="N0002"))["id"]

    assert ["A3A01", "B2S12", "B1S12"] == await found(gate)
    assert ["B1S12"] == await found(gate, controlId="B1S12")
    assert ["A3A01", "B2S12"] == await found(gate, identifier="N0002")
    assert ["A3A01", "B2S12"] == await found(gate, record=patient)
    assert ["B2S12"] == await found(gate, record=patient, type="SIU")
    assert ["A3A01"] == await found(gate, event="A01", feed="north", state="applied")
    assert ["A3A01"] == await found(gate, receivedFrom=newest["receivedAt"])
    assert [] == await found(gate, state="parked")
    assert ["B1S12"] == await found(gate, key="control_id=B1S12")
    body = await gate.post("/v1/messages/_search", {"controlId": "B2S12"})
    assert ["B2S12"] == [one["controlId"] for one in body.json()["items"]]


async def test_raw_and_tree(gate: Gate) -> None:
    """The bytes are those that were received; the tree names every field."""
    await gate.hear(booking(1))
    message = (await gate.get("/v1/messages"))["items"][0]

    raw = await gate.ask("GET", f"/v1/messages/{message['id']}/raw")
    tree = (await gate.get(f"/v1/messages/{message['id']}/tree"))["items"]
    fields = {field["path"]: field["name"] for segment in tree for field in segment["fields"]}

    assert (booking(1), "application/hl7-v2") == (raw.content, raw.headers["content-type"])
    assert "Patient Name" == fields["PID-5"]
    assert ["/v1/messages", "/v1/messages/{id}/raw", "/v1/messages/{id}/tree"] == [
        one.what for one in await gate.audited() if one.action == "R"
    ]


async def test_pages_of_a_tree(gate: Gate) -> None:
    """A long message comes page by page, whole and in its order; a cursor is of its message alone."""
    await gate.hear(long_result(1200), booking(1))
    (long,), (other,) = [(await gate.get("/v1/messages", params={"type": kind}))["items"] for kind in ("ORU", "SIU")]
    path, seen, pages, cursor = f"/v1/messages/{long['id']}/tree", [], 0, None
    while cursor or not pages:
        answer = await gate.ask("GET", path, params={"cursor": cursor} if cursor else None)
        cursor, pages = answer.json()["next"], pages + 1
        seen += [segment["path"] for segment in answer.json()["items"]]
        assert bool(cursor) == ("link" in answer.headers)
    first = await gate.get(path, params={"limit": 2})
    foreign = await gate.ask("GET", f"/v1/messages/{other['id']}/tree", params={"cursor": first["next"]})

    assert (3, ["MSH", "PID", *(f"NTE[{n}]" for n in range(1, 1201))]) == (pages, seen)
    assert ["MSH", "PID"] == [segment["path"] for segment in first["items"]]
    assert (400, "invalid_cursor") == (foreign.status_code, foreign.json()["errors"][0]["code"])


async def test_a_page_of_large_segments(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page ends early where its segments are large, and nothing is left out."""
    await gate.hear(long_result(20))
    (kept,) = (await gate.get("/v1/messages"))["items"]
    path = f"/v1/messages/{kept['id']}/tree"
    whole = await gate.get(path)
    monkeypatch.setattr(messages, "PAGE_SIZE", 500)

    page = await gate.get(path)
    seen = page["items"]
    while page["next"]:
        page = await gate.get(path, params={"cursor": page["next"]})
        seen += page["items"]

    assert whole["next"] is None
    assert len(page["items"]) < 22
    assert whole["items"] == seen


async def test_nobody_waits_for_a_tree(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """While someone looks at a huge message, senders get their acknowledgements: it is decoded beside the loop."""
    await gate.hear(long_result(20_000))
    (kept,) = (await gate.get("/v1/messages"))["items"]
    acknowledged, decode = threading.Event(), messages._segments

    def waiting(*asked: Any) -> Any:
        assert acknowledged.wait(10), "on the loop nobody could be acknowledged meanwhile"
        return decode(*asked)

    monkeypatch.setattr(messages, "_segments", waiting)
    looking = asyncio.create_task(gate.get(f"/v1/messages/{kept['id']}/tree"))
    await asyncio.sleep(0.05)
    await gate.hear(booking(1))
    acknowledged.set()

    assert "MSH" == (await looking)["items"][0]["path"]


def long_result(notes: int) -> bytes:
    """A result with so many lines of text."""
    lines = (
        "MSH|^~\\&|LAB|NORTH|ISTHMUS|HUB|20261121120000-0500||ORU^R01^ORU_R01|R2|T|2.5.1",
        pid(1),
        *(f"NTE|{n}|L|glucose^{n}" for n in range(1, notes + 1)),
    )
    return "\r".join((*lines, "")).encode()


async def test_what_cannot_be_read(gate: Gate) -> None:
    """A refused message is kept and shown as bytes; it has no tree."""
    await gate.hear(b"not HL7 at all")
    message = (await gate.get("/v1/messages", params={"state": "refused"}))["items"][0]

    raw = await gate.ask("GET", f"/v1/messages/{message['id']}/raw")
    tree = await gate.ask("GET", f"/v1/messages/{message['id']}/tree")

    assert (b"not HL7 at all", "application/octet-stream") == (raw.content, raw.headers["content-type"])
    assert (409, "not_decodable") == (tree.status_code, tree.json()["code"])


@pytest.mark.parametrize("end", ["", "/raw", "/tree", "/replay"])
async def test_a_tenant_sees_no_message_of_another(gate: Gate, end: str) -> None:
    """Not by id, and not by search."""
    await gate.hear(booking(1))
    message = (await gate.get("/v1/messages"))["items"][0]
    path = f"/v1/messages/{message['id']}{end}"

    answer = await (gate.post(path, client="stranger") if end == "/replay" else gate.ask("GET", path, "stranger"))

    assert 404 == answer.status_code
    assert [] == (await gate.get("/v1/messages", "stranger"))["items"]


async def test_replay(gate: Gate) -> None:
    """A replay gives the same ids and changes nothing that is in order."""
    await gate.hear(booking(1))
    before, head = await gate.only("appointment"), (await gate.get("/v1/events"))["next"]
    message = (await gate.get("/v1/messages"))["items"][0]

    again = (await gate.post(f"/v1/messages/{message['id']}/replay")).json()

    assert (message["id"], message["records"]) == (again["id"], again["records"])
    assert before == await gate.only("appointment")
    assert head == (await gate.get("/v1/events"))["next"]


async def test_replay_of_many(gate: Gate) -> None:
    """A dry run counts; the job replays all of it, says how far it is, and is seen by its own tenant only."""
    await gate.hear(*(booking(n) for n in range(1, 8)), GARBLED)

    dry = await gate.post("/v1/messages/_replay", {"state": "applied", "dryRun": True})
    begun = await gate.post("/v1/messages/_replay", {"state": "applied"})
    job = await gate.finished(begun.headers["location"])

    assert {"total": 7, "dryRun": True} == dry.json()
    assert (202, 7) == (begun.status_code, begun.json()["total"])
    assert ("completed", 7, 0) == (job["state"], job["done"], job["failed"])
    assert 404 == (await gate.ask("GET", begun.headers["location"], "stranger")).status_code
    assert 404 == (await gate.ask("GET", begun.headers["location"], "partner")).status_code


@pytest.mark.parametrize("path", ["/v1/messages/_replay", "/v1/deliveries/_resend"])
async def test_everything_is_said_in_as_many_words(gate: Gate, path: str) -> None:
    """A bulk command needs a filter or `all`, never both; a bound, a trial and an empty list are no filter."""
    await gate.hear(booking(1))
    empty: dict[str, Any] = {"identifier": []} if "replay" in path else {}
    missing = [await gate.post(path, body) for body in (None, {}, {"limit": 5, "dryRun": True}, {"all": False}, empty)]
    both = await gate.post(path, {"all": True, "state": "parked"})
    taken = [await gate.post(path, body) for body in ({"state": "parked"}, {"all": True})]

    assert [(422, "required", "/all")] * 5 == [
        (one.status_code, *(one.json()["errors"][0][name] for name in ("code", "pointer"))) for one in missing
    ]
    assert (422, "invalid_value") == (both.status_code, both.json()["errors"][0]["code"])
    assert [202, 202] == [one.status_code for one in taken]
    if "replay" in path:  # nobody sends here
        await gate.finished(taken[1].headers["location"])


async def test_an_interrupted_replay_goes_on(gate: Gate) -> None:
    """A job that the gateway left behind is finished by the next one."""
    await gate.hear(*(booking(n) for n in range(1, 5)))
    gate.leaving.set()
    begun = (await gate.post("/v1/messages/_replay", {"all": True})).json()
    await asyncio.sleep(0)
    gate.leaving = asyncio.Event()
    await gate.serve()
    job = await gate.finished(f"/v1/jobs/{begun['id']}")

    assert ("completed", 4) == (job["state"], job["done"])


async def test_a_message_that_cannot_be_read_is_one_that_failed(gate: Gate) -> None:
    """A replay counts it and goes on."""
    await gate.hear(*(booking(n) for n in range(1, 5)))
    broken = (await gate.get("/v1/messages"))["items"][1]["id"]
    async with gate.store._write() as writer:
        writer.execute("UPDATE messages SET raw = x'01FF' WHERE id = ?", (broken,))
    begun = await gate.post("/v1/messages/_replay", {"type": "SIU"})
    job = await gate.finished(begun.headers["location"])

    assert ("completed", 3, 1) == (job["state"], job["done"], job["failed"])


async def test_a_replay_that_cannot_go_on_has_failed(gate: Gate) -> None:
    """It says so, with what it had done, and the one behind it has its turn."""
    await gate.hear(booking(1))
    begun = (await gate.post("/v1/messages/_replay", {"all": True})).json()
    done = await gate.finished(f"/v1/jobs/{begun['id']}")
    broken = Job(
        id="job_0",
        tenant="main",
        client="admin",
        kind="replay",
        created_at=0,
        total=9,
        done=4,
        failed=1,
        body=b"{broken",
    )
    await gate.store.put_job(broken)
    await gate.serve()
    job = await gate.finished("/v1/jobs/job_0")
    next_one = await gate.post("/v1/messages/_replay", {"all": True})

    assert ("failed", 4, 1) == (job["state"], job["done"], job["failed"])
    assert done["state"] == (await gate.finished(next_one.headers["location"]))["state"]


async def test_every_kind_of_key(gate: Gate) -> None:
    """Each kind of key that is told of finds its message; one that is not known is refused."""
    await gate.hear(booking(1), admission(1), result())
    (visit,) = (await gate.get("/v1/encounters"))["items"]
    found = {
        "identifier": "urn:x-main:north:NORTH|N0001",
        "account": "AC77",
        "order": "ORD-7781",
        "birthdate": "1971-03-05",
        "name": "lena archerb",
        "control_id": "A1A01",
        "record": visit["id"],
    }
    of_nobody = {"birthdate": "1971-03-06", "record": f"{visit['id'][:-1]}{'A' if visit['id'][-1] != 'A' else 'B'}"}
    for kind, value in found.items():
        assert (await gate.get("/v1/messages", params={"key": f"{kind}={value}"}))["items"], kind
        assert not (await gate.get("/v1/messages", params={"key": f"{kind}={of_nobody.get(kind, 'of nobody')}"}))[
            "items"
        ], kind
    unknown = await gate.ask("GET", "/v1/messages", params={"key": "colour=red"})

    assert found.keys() == KINDS.keys()
    assert (400, "unknown_key") == (unknown.status_code, unknown.json()["errors"][0]["code"])


def result() -> bytes:
    """A result, which is outside the model."""
    lines = (
        "MSH|^~\\&|LAB|NORTH|ISTHMUS|HUB|20261121120000-0500||ORU^R01^ORU_R01|R1|T|2.5.1",
        f"{pid(1)}|||||||AC77^^^NORTH",
        "ORC|RE|ORD-7781^LAB",
        "OBR|1|ORD-7781^LAB||GLU^Glucose^L",
    )
    return "\r".join((*lines, "")).encode()


async def test_a_replay_waits_for_the_store(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that cannot take a write for a while costs a job time, and no message of it."""
    await gate.hear(*(booking(n, patient=n) for n in range(1, 4)))
    monkeypatch.setattr(replays, "PAUSE_SECONDS", 0.01)
    begun = await gate.post("/v1/messages/_replay", {"all": True})
    failures = iter(range(5))

    def away(written: Any) -> Any:
        if next(failures, None) is not None:
            raise Unavailable("away")
        return written

    kept, put_job = gate.store._keep, gate.store.put_job
    monkeypatch.setattr(gate.store, "_keep", lambda batch: kept(away(batch)))
    monkeypatch.setattr(gate.store, "put_job", lambda job: put_job(away(job)))
    job = await gate.finished(begun.headers["location"])

    assert ("completed", 3, 0) == (job["state"], job["done"], job["failed"])
    assert next(failures, None) is None


async def test_only_so_many(gate: Gate) -> None:
    """`limit` takes the oldest; a dry run counts the same; what has no meaning here is refused."""
    await gate.hear(*(booking(n, patient=n) for n in range(1, 8)))
    kept = (await gate.get("/v1/messages"))["items"]

    dry = await gate.post("/v1/messages/_replay", {"state": "applied", "limit": 3, "dryRun": True})
    begun = await gate.post("/v1/messages/_replay", {"state": "applied", "limit": 3})
    job = await gate.finished(begun.headers["location"])
    more = await gate.post("/v1/messages/_replay", {"all": True, "limit": 1000, "dryRun": True})

    assert ({"total": 3, "dryRun": True}, 7) == (dry.json(), more.json()["total"])
    assert ("completed", 3, 3, 0) == (job["state"], job["total"], job["done"], job["failed"])
    assert {"replay"} == {job["kind"]}
    assert [400, 400] == [
        (await gate.post("/v1/messages/_replay", {**wrong, "dryRun": True})).status_code
        for wrong in ({"cursor": "x"}, {"limit": 0})
    ]
    counted = [one.count for one in await gate.audited() if one.what == "/v1/messages/_replay" and one.outcome == 0]
    assert [3, 3, 7] == counted
    assert [one["id"] for one in kept] == [one["id"] for one in (await gate.get("/v1/messages"))["items"]]


async def test_an_interrupted_replay_keeps_to_its_limit(gate: Gate) -> None:
    """After a restart the same messages are left to do, also when those done no longer match the filter."""
    await gate.hear(admission(1, patient=1), admission(2, patient=2))
    await gate.hear(*(BOTH.replace(b"B9S12", f"Q{n}".encode()).replace(b"F9^", b"F9%d^" % n) for n in range(4)))
    await gate.hear(merge(2, 1))
    gate.leaving.set()
    begun = (await gate.post("/v1/messages/_replay", {"state": "parked", "limit": 2})).json()
    await asyncio.sleep(0)
    gate.leaving = asyncio.Event()
    await gate.serve()
    job = await gate.finished(f"/v1/jobs/{begun['id']}")

    assert (2, 2) == (job["total"], job["done"])
    left = (await gate.get("/v1/messages", params={"state": "parked"}))["items"]
    assert ["Q3", "Q2"] == [one["controlId"] for one in left]
