"""The five resources: read, search, history, lineage, and what merges do to them."""

from typing import Any

import pytest

from tests.gateway.routes.conftest import Gate
from tests.gateway.routes.said import admission, booking, merge

KINDS = ("appointment", "encounter", "patient", "provider", "location")


async def ids(gate: Gate, path: str, **query: Any) -> list[str]:
    """The ids of the first page."""
    return [item["id"] for item in (await gate.get(path, params=query))["items"]]


async def test_read(gate: Gate) -> None:
    """An appointment shows what the message said, in camelCase, instants in UTC, the zone beside them."""
    await gate.hear(booking(1))

    found = await gate.only("appointment")
    read = await gate.get(f"/v1/appointments/{found['id']}")

    assert read == found
    assert ("appointment", "1", "booked") == (read["resourceType"], read["versionId"], read["status"])
    assert ("2027-06-01T14:00:00Z", "America/New_York", 45) == (read["start"], read["zone"], read["minutesDuration"])
    assert {"feed": "north", "message": read["statusHistory"][0]["message"]} == read["provenance"]
    assert {"at", "recordedAt", "to", "event", "message"} == set(read["statusHistory"][0])
    assert not {"facts", "stamps", "clocks", "tenant"} & set(read)


async def test_a_version_has_a_tag(gate: Gate) -> None:
    """The version is the strong ETag, and who has it already is told so without a body."""
    await gate.hear(booking(1))
    path = f"/v1/appointments/{(await gate.only('appointment'))['id']}"

    first = await gate.ask("GET", path)
    again = await gate.ask("GET", path, headers={"if-none-match": first.headers["etag"]})
    await gate.hear(booking(1, "S15", at="20261121110000-0500"))
    changed = await gate.ask("GET", path, headers={"if-none-match": first.headers["etag"]})

    assert ('"1"', 304, b"") == (first.headers["etag"], again.status_code, again.content)
    assert (200, '"2"', "cancelled") == (changed.status_code, changed.headers["etag"], changed.json()["status"])


@pytest.mark.parametrize("kind", KINDS)
async def test_a_tenant_sees_nothing_of_another(gate: Gate, kind: str) -> None:
    """By id and by search, another tenant's record is one that does not exist."""
    await gate.hear(booking(1), admission(1))
    found = (await gate.get(f"/v1/{kind}s"))["items"][0]

    answers = [
        await gate.ask("GET", f"/v1/{kind}s/{found['id']}{end}", "stranger") for end in ("", "/history", "/lineage")
    ]

    assert [404, 404, 404] == [answer.status_code for answer in answers]
    assert [] == (await gate.get(f"/v1/{kind}s", "stranger"))["items"]


async def test_a_record_is_read_as_what_it_is(gate: Gate) -> None:
    """A patient's id is no appointment's."""
    await gate.hear(booking(1))
    patient = await gate.only("patient")

    assert 404 == (await gate.ask("GET", f"/v1/appointments/{patient['id']}")).status_code


async def test_search(gate: Gate) -> None:
    """Every parameter narrows, alone and together."""
    await gate.hear(booking(1), booking(2, patient=2, day="20270605"), booking(3, patient=2, day="20270607"))
    await gate.hear(booking(3, "S15", patient=2, day="20270607", at="20261121110000-0500"))
    one, two, three = await ids(gate, "/v1/appointments")
    (patient,) = await ids(gate, "/v1/patients", name="archerc lena")
    (provider,), (location,) = await ids(gate, "/v1/providers"), await ids(gate, "/v1/locations")
    system = (await gate.get(f"/v1/appointments/{one}"))["identifiers"][0]["system"]

    async def found(**query: Any) -> list[str]:
        return await ids(gate, "/v1/appointments", **query)

    assert [one] == await found(identifier="F1")
    assert [one] == await found(identifier=f"{system}|P1")
    assert [] == await found(identifier="urn:other|P1")
    assert [one, two] == await found(identifier=["F1", "F2"])
    assert [two, three] == await found(patient=patient)
    assert [one, two, three] == await found(provider=provider, location=location)
    assert [three] == await found(status="cancelled")
    assert [one, two, three] == await found(status="booked,cancelled")
    assert [two] == await found(patient=patient, status=["booked", "pending"])
    assert [two, three] == await found(dateFrom="2027-06-02")
    assert [one, two] == await found(dateTo="2027-06-05")
    assert [two] == await found(dateFrom="2027-06-05T14:00:00Z", dateTo="2027-06-05T14:00:00Z")
    assert [three, two, one] == await found(order="-start")
    assert [two] == await found(visit="V2")
    updated = (await gate.get(f"/v1/appointments/{three}"))["updatedAt"]
    assert [three] == await found(updatedSince=updated)


async def test_search_by_body(gate: Gate) -> None:
    """`_search` takes the same names in a JSON object; one value may stand for a list."""
    await gate.hear(booking(1), booking(2))

    answer = await gate.post("/v1/appointments/_search", {"identifier": "F2", "status": ["booked"], "limit": 1})

    assert ["F2"] == [
        one["value"] for item in answer.json()["items"] for one in item["identifiers"] if one["type"] == "FILL"
    ]
    assert "link" not in answer.headers


@pytest.mark.parametrize(
    "query", [{}, {"order": "-created"}, {"order": "start"}, {"status": "booked", "order": "-updated"}]
)
async def test_pages(gate: Gate, query: dict[str, str]) -> None:
    """Following `next` visits each record once, in the order of one long page; so does the Link header."""
    await gate.hear(*(booking(n, day=f"2027060{n}") for n in range(1, 8)))
    whole = await ids(gate, "/v1/appointments", **query)
    seen, linked, page = [], [], {"next": None}
    while True:
        page = await gate.get(
            "/v1/appointments", params={**query, "limit": 3} | ({"cursor": page["next"]} if page["next"] else {})
        )
        seen += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
    url: str | None = "/v1/appointments?" + "&".join(f"{k}={v}" for k, v in {**query, "limit": "3"}.items())
    while url:
        answer = await gate.ask("GET", url)
        linked += [item["id"] for item in answer.json()["items"]]
        url = answer.links["next"]["url"] if "next" in answer.links else None

    assert (7, whole, whole) == (len(whole), seen, linked)


async def test_a_cursor_is_for_its_search(gate: Gate) -> None:
    """Tampered with, with another filter, at another resource or in another tenant, a cursor is refused."""
    await gate.hear(*(booking(n) for n in range(1, 4)))
    cursor = (await gate.get("/v1/appointments", params={"limit": 1, "status": "booked"}))["next"]

    async def status(path: str = "/v1/appointments", client: str = "admin", **query: Any) -> int:
        return (await gate.ask("GET", path, client, params={"limit": 1, **query})).status_code

    assert 200 == await status(status="booked", cursor=cursor)
    assert 400 == await status(cursor=cursor)
    assert 400 == await status(status="booked", cursor=cursor[:-2] + "xx")
    assert 400 == await status("/v1/encounters", status="booked", cursor=cursor)
    assert 400 == await status(client="stranger", status="booked", cursor=cursor)


async def test_an_old_cursor_is_gone(gate: Gate) -> None:
    """After a day a search begins again."""
    await gate.hear(booking(1), booking(2))
    cursor = (await gate.get("/v1/appointments", params={"limit": 1}))["next"]
    token = await gate.token()
    now = gate.clock
    gate.clock = lambda: now() + 200_000_000_000
    gate._tokens.clear()

    answer = await gate.ask("GET", "/v1/appointments", params={"limit": 1, "cursor": cursor})

    assert (410, "cursor_expired") == (answer.status_code, answer.json()["code"])
    assert token != await gate.token()


@pytest.mark.parametrize("name", ["identifier", "name", "account"])
async def test_what_identifies_is_not_repeated(gate: Gate, name: str) -> None:
    """Searched for by URL, an identifier or a name stands in no Link header."""
    answer = await gate.ask("GET", "/v1/patients", params={name: "Canary", "limit": 1})

    assert "canary" not in str(answer.headers).lower() + answer.text.lower()


async def test_merged_patients(gate: Gate) -> None:
    """The old id answers with its own record; everything else speaks of the survivor, and finds both."""
    await gate.hear(booking(1, patient=1), booking(2, patient=2))
    old, kept = [await gate.only("patient", identifier=f"N000{n}") for n in (1, 2)]
    first = await gate.only("appointment", identifier="F1")

    await gate.hear(merge(1, 2))
    merged = await gate.get(f"/v1/patients/{old['id']}")
    survivor = await gate.get(f"/v1/patients/{kept['id']}")
    again = await gate.get(f"/v1/appointments/{first['id']}")

    assert ("merged", [("replaced-by", kept["id"])]) == (
        merged["status"],
        [(x["type"], x["other"]) for x in merged["links"]],
    )
    assert [("replaces", old["id"])] == [(x["type"], x["other"]) for x in survivor["links"]]
    assert (old["id"], kept["id"]) == (first["patient"], again["patient"])
    for identity in (old["id"], kept["id"]):
        assert 2 == len(await ids(gate, "/v1/appointments", patient=identity))


async def test_an_appointment_names_its_encounter(gate: Gate) -> None:
    """The visit number becomes the encounter's id once that is known."""
    await gate.hear(booking(7))
    before = await gate.only("appointment")

    await gate.hear(admission(7))
    encounter = await gate.only("encounter")

    assert "encounter" not in before
    assert encounter["id"] == (await gate.only("appointment")).get("encounter")


async def test_history(gate: Gate) -> None:
    """Every version is there, newest first, as it was."""
    await gate.hear(booking(1), booking(1, "S13", day="20270603", at="20261121100000-0500"))
    found = await gate.only("appointment")

    history = await gate.get(f"/v1/appointments/{found['id']}/history")

    assert ["2", "1"] == [one["versionId"] for one in history["items"]]
    assert ["2027-06-03T14:00:00Z", "2027-06-01T14:00:00Z"] == [one["start"] for one in history["items"]]


async def test_lineage(gate: Gate) -> None:
    """Each field names its message, the place in it and the mapping; what was read by none is for a scope."""
    await gate.hear(booking(1), booking(1, "S15", at="20261121110000-0500"))
    found = await gate.only("appointment")
    path = f"/v1/appointments/{found['id']}/lineage"

    whole, narrow = await gate.get(path), await gate.get(path, "partner")
    lines = {(line["field"], line.get("path")): line for line in whole["items"]}
    last = found["provenance"]["message"]

    assert (last, True, "MRI") == (
        lines["appointmentType", "SCH-8"]["message"],
        lines["appointmentType", "SCH-8"]["exact"],
        lines["appointmentType", "SCH-8"]["value"]["codings"][0]["code"],
    )
    assert last == next(line for line in whole["items"] if line["field"] == "status")["message"]
    assert whole["items"] == narrow["items"]
    assert [] == narrow["unmapped"]
    assert "something nobody mapped" in [one["value"] for one in whole["unmapped"]]


async def test_lineage_after_another_site(gate: Gate) -> None:
    """What was mapped by files that are gone is read by today's, and says that this is not exact."""
    await gate.hear(booking(1))
    found = await gate.only("appointment")
    gate.digest = "another"
    await gate.hear(booking(1, "S14", at="20261121100000-0500"))

    lines = (await gate.get(f"/v1/appointments/{found['id']}/lineage"))["items"]

    assert {False} == {line["exact"] for line in lines}
    assert "SCH-8" in {line.get("path") for line in lines}


async def test_reads_are_recorded(gate: Gate) -> None:
    """The trail says who read what about whom, and what was searched for, for the trail's readers only."""
    await gate.hear(booking(1))
    found = await gate.only("appointment")
    await gate.get(f"/v1/appointments/{found['id']}", "partner")
    await gate.post("/v1/appointments/_search", {"identifier": "F1"})

    read, searched = (await gate.audited())[-2:]

    assert ("partner", "R", "/v1/appointments/{id}", 0) == (read.actor, read.action, read.what, read.outcome)
    assert ((found["id"],), (found["patient"],)) == (read.records, read.patients)
    assert (1, (found["patient"],), True) == (searched.count, searched.patients, bool(searched.query))


@pytest.mark.parametrize("name", ["dateFrom", "updatedSince", "patient", "location"])
@pytest.mark.parametrize("value", ["null", "Null", "N0001"])
async def test_a_filter_that_says_nothing(gate: Gate, name: str, value: str) -> None:
    """What is neither a date nor an id is refused, and never means everything; nor does it find nobody."""
    answer = await gate.ask("GET", "/v1/appointments", params={name: value})

    assert (400, [name]) == (answer.status_code, [one["parameter"] for one in answer.json()["errors"]])
    assert value not in answer.text.replace("null is", "")
