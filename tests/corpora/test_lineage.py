"""Where every field of every record came from: each HL7v2 file of ours and of others, sent, and asked about by API.

Each file has a tenant of its own; then all of them come to one, where they meet and merge.
"""

import asyncio
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest

from gateway.site.settings import ClientSettings, FeedSettings, Main, Peer, Server, Site, feed_of
from tests.gateway.routes.conftest import HASHED, Gate
from tests.gateway.routes.said import ZONE
from transforms.hl7v2.er7 import Message, parse
from transforms.hl7v2.header import header
from transforms.hl7v2.mapping import EVENTS

TESTS = Path(__file__).parents[1]
CORPORA = TESTS.parents[1] / "shared" / "corpora"
KINDS = ("patients", "providers", "locations", "appointments", "encounters")
# What Isthmus says of every record itself; a problem has its own path, a line of the history its own message.
ENVELOPE = {
    *("id", "resourceType", "versionId", "createdAt", "updatedAt", "effectiveAt", "provenance"),
    *("statusHistory", "problems", "kind"),
}
LOOKED_UP = {"encounter"}  # found by `visit` when the record is shown
# What no place of the message holds, and what it follows from.
DERIVED = {"zone": ["feed.zone"]}
TIMES = ("start", "end", "previousStart", "plannedStart", "plannedEnd", "leaveExpectedReturn", "deceasedAt")
NUMBERS = ("visit", "account", "preadmitNumber", "group")
PARTS = ("pointOfCare", "room", "bed", "facility", "building", "floor", "description")


class Traced(NamedTuple):
    """A record as the API shows it, its lineage, and the messages that this names."""

    file: str
    kind: str
    record: dict[str, Any]
    lines: list[dict[str, Any]]
    messages: dict[str, Message]

    def hole(self, field: str) -> str:
        """A field that has no lineage, to be read by whoever mends it."""
        return f"{self.file}: {self.kind}.{field}"


def supported(paths: Sequence[Path]) -> list[Path]:
    """The files whose events the model knows."""
    heads = [(path, header(path.read_bytes())) for path in sorted(paths)]
    return [path for path, head in heads if head and (head.message_type, head.event) in EVENTS]


OURS = supported([*TESTS.glob("golden/hl7v2/*/in.hl7")])
THEIRS = supported([*CORPORA.rglob("*.hl7")])


def name(path: Path) -> str:
    """A file as it is told from the others."""
    return "/".join(path.parts[-2:])


@pytest.fixture(scope="module", params=["ours", "theirs", "together"])
def told(request: pytest.FixtureRequest) -> list[Traced]:
    """Every record that the files come to, with its lineage."""
    if request.param != "ours" and not THEIRS:
        pytest.skip("the corpora are not beside the project")
    files = {"ours": OURS, "theirs": THEIRS, "together": OURS + THEIRS}[request.param]
    groups = [[path] for path in files] if request.param != "together" else [files]
    return asyncio.run(tell(groups))


async def tell(groups: Sequence[Sequence[Path]]) -> list[Traced]:
    """Each group of files to a tenant of its own."""
    tenants = tuple(f"t{number}" for number in range(len(groups)))
    site = Site(
        main=Main(server=Server(max_body_bytes=100_000), tenants=tenants),
        feeds=tuple(feed_of(one, Peer(zone=ZONE, tenant=one, feed=FeedSettings()), {}) for one in tenants),
        clients={
            one: ClientSettings(client_id=one, secret_hash=HASHED, scopes=("admin",), tenant=one) for one in tenants
        },
    )
    found: list[Traced] = []
    with tempfile.TemporaryDirectory() as folder:
        gate = Gate(Path(folder), site)
        await gate.open()
        try:
            for tenant, files in zip(tenants, groups, strict=True):
                await gate.hear(*(path.read_bytes() for path in files), feed=tenant)
                found += await traced(gate, tenant, name(files[0]) if len(files) == 1 else "all")
        finally:
            await gate.close()
    return found


async def traced(gate: Gate, tenant: str, file: str) -> list[Traced]:
    """The records of a tenant."""
    found: list[Traced] = []
    messages: dict[str, Message] = {}
    for kind in KINDS:
        for record in await everything(gate, kind, tenant):
            lines = (await gate.get(f"/v1/{kind}/{record['id']}/lineage", tenant))["items"]
            for identity in {line["message"] for line in lines} - messages.keys():
                raw = await gate.ask("GET", f"/v1/messages/{identity}/raw", tenant)
                messages[identity] = parse(raw.content)
            found.append(Traced(file, kind, record, lines, messages))
    return found


async def everything(gate: Gate, kind: str, tenant: str) -> list[dict[str, Any]]:
    """Every record of a kind, page by page."""
    items: list[dict[str, Any]] = []
    query = {"limit": "200"}
    while True:
        page = await gate.get(f"/v1/{kind}", tenant, params=query)
        items += page["items"]
        if not page["next"]:
            return items
        query["cursor"] = page["next"]


def test_there_is_something_to_ask_about(told: list[Traced]) -> None:
    """All five kinds of records came of the files."""
    assert set(KINDS) == {one.kind for one in told}


def test_every_field_names_its_message_and_place(told: list[Traced]) -> None:
    """Whatever the API shows of a record has a line; each line has a place, or what it is derived from."""
    holes = [one.hole(field) for one in told for field in one.record.keys() - ENVELOPE - LOOKED_UP - spoken(one)]
    holes += [one.hole(line["field"]) for one in told for line in one.lines if is_hole(line)]
    assert not holes, "\n".join(sorted(holes))


def spoken(one: Traced) -> set[str]:
    """The fields that have a line."""
    return {line["field"].partition("/")[0] for line in one.lines}


def is_hole(line: dict[str, Any]) -> bool:
    """Whether a line fails to say where its field came from."""
    if not (line["message"] and line["mapping"] and line["exact"]):
        return True
    return line["path"] is None and line["derivedFrom"] != DERIVED.get(line["field"])


def test_every_entry_of_a_list_has_its_own_place(told: list[Traced]) -> None:
    """Each number of a record, and each resource and member of staff that was said by itself."""
    holes = [
        one.hole(f"identifiers/{key}")
        for one in told
        for key in {f"{number['system']}|{number['value']}" for number in one.record["identifiers"]}
        if f"identifiers/{key}" not in {line["field"] for line in one.lines}
    ]
    assert not holes, "\n".join(sorted(holes))


def test_every_place_holds_something(told: list[Traced]) -> None:
    """No line names a place of its message where nothing stands."""
    wrong = [
        one.hole(f"{line['field']} <- {line['path']}")
        for one in told
        for line in one.lines
        if line["path"] and not one.messages[line["message"]].value(line["path"])
    ]
    assert not wrong, "\n".join(sorted(wrong))


def test_the_place_of_a_value_holds_it(told: list[Traced]) -> None:
    """Numbers, dates, instants, names and the parts of a place stand in the message where their lines say."""
    checked, wrong = 0, []
    for one in told:
        for field in sorted({line["field"] for line in one.lines}):
            lines = [line for line in one.lines if line["field"] == field and line["path"] and "value" in line]
            texts = [one.messages[line["message"]].value(line["path"]) for line in lines]
            for is_there in wanted(one.kind, field, lines):
                checked += 1
                if not any(map(is_there, texts)):
                    wrong.append(one.hole(f"{field} {[line['path'] for line in lines]} {texts}"))
    assert not wrong, "\n".join(wrong)
    assert checked > len(told)


def wanted(kind: str, field: str, lines: Sequence[dict[str, Any]]) -> Iterator[Callable[[str], object]]:
    """What must be true of the text in one of the places of a field."""
    if not lines or any(line["mapping"] == "derived" for line in lines):
        return
    value = lines[0]["value"]
    name, _, key = field.partition("/")
    if name == "identifiers" and kind != "locations":
        yield re.compile("-?".join(map(re.escape, key.rpartition("|")[2]))).search
    elif name == "birthDate" or (name in TIMES and "T" not in value):
        yield re.compile(value.replace("-", "")).match
    elif name in TIMES:
        yield lambda text: moment(text) == datetime.fromisoformat(value).replace(second=0, microsecond=0)
    elif name == "names":
        yield from (re.compile(re.escape(one["family"])).search for one in value if one.get("family"))
    elif name in PARTS:
        yield re.compile(f"{re.escape(value)}(&|$)").match
    elif name in NUMBERS:
        yield re.compile(re.escape(value["value"])).search


def moment(text: str) -> datetime | None:
    """A point in time as it stands in a message: by the clock on the feed's wall, unless it says otherwise."""
    found = re.search(r"(\d{12})(?:\d\d(?:\.\d+)?)?([+-]\d{4})?", text)
    if not found:
        return None
    minute, offset = found.groups()
    said = datetime.strptime(minute + (offset or "+0000"), "%Y%m%d%H%M%z")
    return said if offset else said.replace(tzinfo=ZoneInfo(ZONE))
