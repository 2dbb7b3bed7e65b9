"""What a record is shown with: survivors of merges, visits by their numbers, numbers that not everybody may see."""

from typing import Any

import pytest

from tests.gateway.routes.conftest import Gate
from tests.gateway.routes.said import admission, booking, merge

SSN = "http://hl7.org/fhir/sid/us-ssn"


def known_by_ssn(at: str = "20261121080000-0500") -> bytes:
    """A person whose social security number is in PID-19, and whose next of kin has one too."""
    lines = (
        f"MSH|^~\\&|ADT|NORTH|ISTHMUS|HUB|{at}||ADT^A28|SSN{at}|T|2.5.1",
        f"EVN|A28|{at}",
        "PID|1||N0009^^^NORTH^MR||Archer^Lena||19710305|F|||||||||||123-45-6789",
        "NK1|1|Archer^Max|SPO" + "|" * 30 + "987-65-4321^^^SSA^SS",
    )
    return "\r".join((*lines, "")).encode()


async def tagged(gate: Gate, path: str, client: str = "admin", **headers: str) -> tuple[int, str, Any]:
    """Status, ETag and body of a read."""
    answer = await gate.ask("GET", path, client, headers=headers)
    return answer.status_code, answer.headers["etag"], answer.json() if answer.content else None


async def test_confirming_leaves_what_was_read(gate: Gate) -> None:
    """Forty repetitions with newer clocks: the same version, the same tag, the same bytes."""
    await gate.hear(booking(1))
    path = f"/v1/appointments/{(await gate.only('appointment'))['id']}"
    before = await tagged(gate, path)

    await gate.hear(*(booking(1, at=f"202611220930{n:02}-0500", control=f"again{n}") for n in range(40)))

    assert before == await tagged(gate, path)
    assert 304 == (await tagged(gate, path, **{"if-none-match": before[1]}))[0]


@pytest.mark.parametrize("restart", [False, True])
async def test_a_merge_changes_the_tag(gate: Gate, restart: bool) -> None:
    """Patient and participant are the survivor, the version is as it was, and what was read before is not the same."""
    await gate.hear(booking(1, patient=1), booking(2, patient=2))
    first, kept = await gate.only("appointment", identifier="F1"), await gate.only("patient", identifier="N0002")
    path = f"/v1/appointments/{first['id']}"
    _, before, _ = await tagged(gate, path)

    await gate.hear(merge(1, 2))
    if restart:
        await gate.serve()
    status, after, body = await tagged(gate, path, **{"if-none-match": before})

    assert ('"1"', 200, "1") == (before, status, body["versionId"])
    assert after.startswith('"1-')
    assert [kept["id"]] == [one["actor"] for one in body["participants"] if one["kind"] == "patient"]
    assert kept["id"] == body["patient"]
    assert body == await gate.only("appointment", identifier="F1")
    for sent in (after, f"W/{after}", f'"7", {after}'):
        assert 304 == (await tagged(gate, path, **{"if-none-match": sent}))[0]


async def test_a_visit_that_is_found_changes_the_tag(gate: Gate) -> None:
    """The encounter is known by its number before anyone says so in a message about the appointment."""
    await gate.hear(booking(7))
    path = f"/v1/appointments/{(await gate.only('appointment'))['id']}"
    _, before, _ = await tagged(gate, path)

    await gate.hear(admission(7))

    assert 200 == (await tagged(gate, path, **{"if-none-match": before}))[0]


async def test_a_replay_after_a_merge_is_no_change(gate: Gate) -> None:
    """Every message again, as of when it came: versions, tags and bodies are what they were."""
    await gate.hear(booking(1, patient=1), admission(3, patient=1), booking(2, patient=2), merge(1, 2))
    paths = [
        f"/v1/{kind}s/{one['id']}"
        for kind in ("appointment", "encounter", "patient")
        for one in (await gate.get(f"/v1/{kind}s"))["items"]
    ]
    before = [await tagged(gate, path) for path in paths]

    for message in (await gate.get("/v1/messages"))["items"]:
        assert 200 == (await gate.post(f"/v1/messages/{message['id']}/replay")).status_code

    assert before == [await tagged(gate, path) for path in paths]


async def test_a_problem_says_how_bad_it_is(gate: Gate) -> None:
    """Severity is there, also where it is the usual one."""
    await gate.hear(booking(1).replace(b"0|min|45|min", b"0|min|45|parsecs"))

    problems = (await gate.only("appointment"))["problems"]

    assert {"warning"} == {one["severity"] for one in problems}


async def test_social_security_numbers_are_masked(gate: Gate) -> None:
    """Without the scope for it a client sees the last four digits, in a read, a search, a history and a lineage."""
    await gate.hear(known_by_ssn())
    found = await gate.only("patient")
    path = f"/v1/patients/{found['id']}"

    answers = [await gate.ask("GET", f"{path}{end}", "partner") for end in ("", "/history", "/lineage")]
    answers.append(await gate.ask("GET", "/v1/patients", "partner"))
    text = "".join(answer.text for answer in answers)

    assert not [one for one in ("123456789", "123-45-6789", "987654321", "987-65-4321") if one in text]
    assert ["***-**-6789"] == [one["value"] for one in answers[0].json()["identifiers"] if one["system"] == SSN]
    assert ["***-**-4321"] == [one["value"] for one in answers[0].json()["contacts"][0]["identifiers"]]


async def test_who_may_sees_them_whole(gate: Gate) -> None:
    """With `patients.identifiers`, or `admin`, they are there; the tag tells the two forms from each other."""
    await gate.hear(known_by_ssn())
    found = await gate.only("patient")
    path = f"/v1/patients/{found['id']}"

    (_, masked, _), (_, whole, body) = await tagged(gate, path, "partner"), await tagged(gate, path)

    assert ["123456789"] == [one["value"] for one in body["identifiers"] if one["system"] == SSN]
    assert ('"1"', True) == (whole, masked.startswith('"1-'))


@pytest.mark.parametrize("number", ["123-45-6789", "123456789", f"{SSN}|123-45-6789", f"{SSN}|123456789"])
async def test_a_search_by_the_whole_number_finds(gate: Gate, number: str) -> None:
    """However it is written, by whoever may search patients."""
    await gate.hear(known_by_ssn())

    found = await gate.post("/v1/patients/_search", {"identifier": number}, "partner")

    assert 1 == len(found.json()["items"])


async def lineage(gate: Gate, kind: str, **query: str) -> dict[str, set[str | None]]:
    """For each field of the one record that a search finds: the places it came from."""
    found = await gate.only(kind, **query)
    lines = (await gate.get(f"/v1/{kind}s/{found['id']}/lineage"))["items"]
    places: dict[str, set[str | None]] = {}
    for line in lines:
        assert line["exact"] is bool(line["path"] or line["derivedFrom"])
        places.setdefault(line["field"], set()).add(line["path"])
    return places


@pytest.mark.parametrize(
    ("event", "place"), [("S12", "SCH-25"), ("S14", "SCH-25"), ("S26", "MSH-9.2"), ("S15", "MSH-9.2")]
)
async def test_a_status_names_what_decided_it(gate: Gate, event: str, place: str) -> None:
    """SCH-25 where it counts, the event where that does, whatever else was sent."""
    await gate.hear(booking(1, event))

    assert {place} == (await lineage(gate, "appointment"))["status"]


async def test_lineage_has_no_holes(gate: Gate) -> None:
    """Of kept bytes every field of every kind of record has its place, but the zone, which the feed knows."""
    await gate.hear(booking(1), admission(5), booking(1, "S13", day="20270603", at="20261121100000-0500"))

    appointment = await lineage(gate, "appointment")
    assert {"PID-3", "AIL-3", "AIL-4", "AIP-3", "AIP-4", "AIP-6", "AIP-9", "AIP-10"} == appointment["participants"]
    assert {"SCH-11.4"} == appointment["previousStart"]
    assert {"PV1-44", "MSH-9.2", "PID-3"} <= set().union(*(await lineage(gate, "encounter")).values())
    for kind, query in (
        ("appointment", {}),
        ("patient", {}),
        ("provider", {}),
        ("location", {"identifier": "NORTH///IMG/MR2/"}),
        ("location", {"identifier": "NORTH///WEST/12/1"}),
        ("encounter", {}),
    ):
        holes = {field for field, places in (await lineage(gate, kind, **query)).items() if None in places}
        assert holes <= {"zone"}, kind


async def test_lineage_after_a_merge(gate: Gate) -> None:
    """What the survivor has from the other is traced to the message about the other; so is a hyphenated number."""
    await gate.hear(booking(1, patient=1), known_by_ssn(), booking(2, patient=2))
    gone = await gate.only("patient", identifier="N0001")
    await gate.hear(merge(1, 9), merge(9, 2))

    places = await lineage(gate, "patient", identifier="N0002", status="active")

    numbers = {field: found for field, found in places.items() if field.startswith("identifiers/")}
    assert 4 == len(numbers)
    assert not [field for field, found in places.items() if None in found]
    assert {"PID-19"} == numbers[f"identifiers/{SSN}|123456789"]
    lines = (await gate.get(f"/v1/patients/{gone['id']}/lineage"))["items"]
    assert ["MSH-9.2"] == [line["path"] for line in lines if line["field"] == "status"]
