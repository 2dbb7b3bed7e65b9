"""The lineage of single fields: the component, the entry, the event, the place whose zone it is."""

import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from msgspec.structs import replace

from gateway.site.folder import pack, unpacked
from tests.gateway.routes.conftest import Gate, site
from tests.gateway.routes.said import admission, booking
from transforms.hl7v2.mapping import map_message

WEST = "America/Los_Angeles"


async def lines(gate: Gate, kind: str, **query: str) -> dict[str, set[tuple[str | None, str | None]]]:
    """For each field of the one record that a search finds: the places and mappings it came from."""
    found = await gate.only(kind, **query)
    told: dict[str, set[tuple[str | None, str | None]]] = {}
    for line in (await gate.get(f"/v1/{kind}s/{found['id']}/lineage"))["items"]:
        told.setdefault(line["field"], set()).add((line["path"], line["mapping"]))
    return told


@pytest_asyncio.fixture
async def zoned(tmp_path: Path) -> AsyncIterator[Gate]:
    """A gateway that knows one place which has a time of its own."""
    at = site()
    north = at.feeds[0]
    profile = replace(north.profile, location_zones={"IMG": WEST})
    made = Gate(tmp_path, replace(at, feeds=(replace(north, profile=profile), *at.feeds[1:])))
    await made.open()
    yield made
    await made.close()


async def test_a_part_of_a_place_is_a_component(gate: Gate) -> None:
    """Of two places in one field each has the repetition in which it stands."""
    await gate.hear(booking(1).replace(b"IMG^MR2^^NORTH|C", b"IMG^MR2^^NORTH~LAB^L7^^NORTH|C"))

    found = await lines(gate, "location", identifier="NORTH///LAB/L7/")

    assert {("AIL-3[2].1", "spot")} == found["pointOfCare"]
    assert {("AIL-3[2].2", "spot")} == found["room"]
    assert {("AIL-3[2]", "spot")} == found["name"]


async def test_an_entry_has_the_places_of_its_own_segment(gate: Gate) -> None:
    """The second AIP of a second group is not the first of the first."""
    second = b"RGS|2|A\rAIP|1|A|5522334^Stone^Paul^^^^MD|ASS^Assisting\rZPI"
    added = booking(1, "S18", at="20261121100000-0500").replace(b"ZPI", second)
    await gate.hear(booking(1), added)

    found = await lines(gate, "appointment")

    assert {"AIP[2]-3", "AIP[2]-4"} == {path for path, _ in found["participants/AIP/2.1"]}
    assert "AIP[1]-3" in {path for path, _ in found["participants/AIP/1"]}
    assert "AIP[2]-3" not in {path for path, _ in found["participants/AIP/1"]}


async def test_what_the_event_alone_decides(gate: Gate) -> None:
    """A13 takes the end of a visit back, and A03 the place that was held for the patient."""
    await gate.hear(
        admission(1), admission(1, "A03", at="20261121090000-0500"), admission(1, "A13", at="20261121100000-0500")
    )

    found = await lines(gate, "encounter")

    by_event = {("MSH-9.2", "event ADT^A13")}
    assert (by_event, by_event) == (found["end"], found["status"])
    assert {("MSH-9.2", "event ADT^A03")} == found["placements/pending"]


@pytest.mark.parametrize(
    ("sent", "place"),
    [
        (admission(1, "A06").replace(b"PV1|1|I|", b"PV1|1||"), ("MSH-9.2", "event ADT^A06")),
        (
            admission(1, "A06").replace(b"PV1|1|I|", b"PV1|1||").replace(b"ADT^A06|", b"ADT|"),
            ("EVN-1", "event ADT^A06"),
        ),
        (admission(1, "A06").replace(b"PV1|1|I|", b'PV1|1|""|'), ("MSH-9.2", "event ADT^A06")),
        (admission(1, "A06"), ("PV1-2", "visit_class")),
    ],
)
async def test_the_class_that_an_event_implies(gate: Gate, sent: bytes, place: tuple[str, str]) -> None:
    """A06 makes an inpatient of whoever has no class in PV1-2."""
    await gate.hear(sent)

    found = await lines(gate, "encounter")

    assert {place} == found["class"]


async def test_the_number_that_a_visit_had(gate: Gate) -> None:
    """MRG-5 of an A06 is a number of the visit, and none of the patient though it begins like it."""
    await gate.hear(admission(1, "A06") + b"MRG|N0001^^^NORTH^MR||||N00017^^^NORTH^VN\r")

    visit, patient = await lines(gate, "encounter"), await lines(gate, "patient")

    assert [{"MRG-5"}] == [{path for path, _ in visit[one]} for one in visit if one.endswith("|N00017")]
    assert [{"PID-3"}] == [{path for path, _ in patient[one]} for one in patient if one.endswith("|N0001")]


async def test_the_zone_of_the_feed_stands_in_no_message(gate: Gate) -> None:
    """It has no path, and says where it is set."""
    await gate.hear(booking(1), admission(2))

    for kind in ("appointment", "encounter"):
        found = await gate.only(kind)
        told = (await gate.get(f"/v1/{kind}s/{found['id']}/lineage"))["items"]
        (zone,) = (line for line in told if line["field"] == "zone")
        assert (None, "zone_of_feed", ["feed.zone"], True) == (
            zone["path"],
            zone["mapping"],
            zone["derivedFrom"],
            zone["exact"],
        )


async def test_the_zone_of_a_place_stands_where_the_place_does(zoned: Gate) -> None:
    """The place of the appointment, or of the visit."""
    await zoned.hear(booking(1), admission(2).replace(b"WEST^12^1^NORTH", b"IMG^12^1^NORTH"))

    assert WEST == (await zoned.only("appointment"))["zone"]
    assert {("AIL-3", "zone_of_place")} == (await lines(zoned, "appointment"))["zone"]
    assert {("PV1-3", "zone_of_place")} == (await lines(zoned, "encounter"))["zone"]


async def test_why_and_as_what_a_status_was_said(gate: Gate) -> None:
    """The reason is in SCH-6 where an event ends an appointment, the sender's own word in SCH-25."""
    await gate.hear(booking(1, "S15", status="Cancelled"))

    found = await lines(gate, "appointment")

    assert {"SCH-6"} == {path for path, _ in found["statusReason"]}
    assert {"SCH-25"} == {path for path, _ in found["sourceStatus"]}


async def test_the_visits_of_an_account_that_moves(gate: Gate) -> None:
    """A44 moves every visit on the account, and each says so, though the message keeps only one of them."""
    on_account = (b"77 Canal Street^^Albany^NY^12207^USA", b"77 Canal Street^^Albany^NY^12207^USA|||||||ACC1^^^NORTH")
    visits = [admission(number).replace(*on_account) for number in (1, 2)]
    move = admission(9, "A44", patient=2, at="20261121110000-0500").replace(*on_account).partition(b"PV1")[0]
    await gate.hear(*visits, move + b"MRG|N0001^^^NORTH^MR||ACC1^^^NORTH\r")

    for number in (1, 2):
        found = await lines(gate, "encounter", identifier=f"V{number}")
        assert {("PID-3", "patient")} == found["patient"]
        assert {("PID-18", "identifier")} == found["account"]


@pytest_asyncio.fixture
async def earlier(gate: Gate, tmp_path: Path) -> Gate:
    """A gateway that mapped a booking by other site files than it has now."""
    folder = tmp_path / "site"
    for name, zone in (("north", WEST), ("other", "none")):
        path = folder / "peers" / f"{name}.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'zone = "{zone}"\n[feed]\nmllp = "127.0.0.1:0"\n')
    files = pack(folder)
    gate.digest = sha256(files).hexdigest()
    await gate.store.keep_site(gate.digest, files)
    await gate.hear(booking(1))
    return gate


async def test_earlier_files_are_read_once_and_beside_the_loop(earlier: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unpacking them and mapping again hold up nobody else: they run in a thread, and the feed is remembered."""
    done: list[tuple[str, bool]] = []

    def watched(work: Callable[..., Any]) -> Callable[..., Any]:
        def working(*given: Any, **more: Any) -> Any:
            done.append((work.__name__, threading.current_thread() is threading.main_thread()))
            return work(*given, **more)

        return working

    monkeypatch.setattr("gateway.rereading.unpacked", watched(unpacked))
    monkeypatch.setattr("gateway.routes.lineage.map_message", watched(map_message))
    path = f"/v1/appointments/{(await earlier.only('appointment'))['id']}/lineage"
    found = [(await earlier.get(path))["items"] for _ in range(2)]

    assert [("unpacked", False), ("map_message", False), ("map_message", False)] == done
    assert found[0] == found[1]
    assert {True} == {line["exact"] for line in found[0] if line["path"]}


async def test_files_that_are_not_kept(earlier: Gate) -> None:
    """The place is told by the feed as it is now, and said not to be exact."""
    with sqlite3.connect(earlier.folder / "isthmus.db") as database:
        database.execute("DELETE FROM sites")

    path = f"/v1/appointments/{(await earlier.only('appointment'))['id']}/lineage"
    (start,) = [line for line in (await earlier.get(path))["items"] if line["field"] == "start"]

    assert (False, True) == (start["exact"], bool(start["path"]))
