"""What explain says of a field is true: one that became nothing changes nothing when it is taken away."""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from gateway.explain import NOT_MAPPED, explain
from gateway.frames import messages
from gateway.site.settings import FeedSettings, Peer, feed_of
from transforms.hl7v2 import names
from transforms.hl7v2.er7 import parse
from transforms.hl7v2.header import header
from transforms.hl7v2.mapping import EVENTS, map_message

GOLDEN = sorted((Path(__file__).parents[1] / "golden").rglob("in.hl7"))
FEEDS = [
    feed_of("east", Peer(zone="America/New_York", feed=FeedSettings(siu_creates_encounter=planned)), {})
    for planned in (False, True)
]
NOW = 1_800_000_000_000_000
FIELD = re.compile(r"  (\w{3}(?:\[\d+\])?-\d+) ")
VALUES = {  # by datatype; N is another number each time
    **dict.fromkeys(("TS", "DTM"), "20261202093000"),
    **{"DT": "20261202", "NM": "3", "SI": "1", "CX": "N^^^AUTH^MR", "EI": "N^AUTH", "XPN": "Doe^Jane^^^^^L"},
    **{"XCN": "N^Doc^Tor^^^^^^AUTH", "XAD": "1 St^^City^ST^12345^USA^H", "XTN": "^PRN^PH^^1^555^1234567"},
    **{"PL": "N^R1^B1^FAC", "TQ": "1^^M30^20261202093000^20261202100000^R", "CQ": "5^min", "EIP": "N^N", "DLN": "N"},
    **{"CE": "N^Word^L", "CWE": "N^Word^L", "XON": "Org^^N", "DLD": "D^20261202", "DR": "20261201^20261205"},
}
SCHEDULED = ("SCH", "TQ1", "NTE", "PID", "PV1", "PV2", "OBX", "DG1", "RGS", "AIS", "NTE", "AIG", "AIL", "AIP")
VISITED = (
    "EVN",
    "PID",
    "PD1",
    "ROL",
    "NK1",
    "PV1",
    "PV2",
    "ROL",
    "DB1",
    "OBX",
    "AL1",
    "DG1",
    "PR1",
    "ROL",
    "GT1",
    "IN1",
)
MERGED = ("EVN", "PID", "PD1", "MRG", "PV1")
LAYOUT = {"AIS": 5, "AIG": 9, "AIL": 7, "AIP": 7}  # where the offset stands; its unit, length and unit follow
SAID = {
    "EVN": {2: "20261101060000", 6: "20261101055500"},
    "PID": {3: "0001^^^EASTMRN^MR", 7: "19850612", 8: "F", 24: "N", 29: "", 30: "N"},
    "MRG": {1: "0002^^^EASTMRN^MR"},
    "PV1": {2: "I", 45: ""},
    "SCH": {9: "2", 10: "h", 25: "Booked"},
    "TQ1": {6: "2^h", 8: "20261202113000"},
    "NPU": {2: "1"},
    "OBX": {2: "ST"},
    "RGS": {1: "1", 2: "A"},
    **{name: {2: "", at: "1", at + 1: "h", at + 2: "2", at + 3: "h"} for name, at in LAYOUT.items()},
}


def full(family: str, event: str) -> bytes:
    """A message of this event in which every field holds something."""
    kinds: tuple[str, ...] = SCHEDULED if family == "SIU" else VISITED
    if family == "ADT" and re.fullmatch(r"A(18|3[04569]|4\d|5[01])", event):
        kinds = MERGED
    kinds = {"A20": ("EVN", "NPU")}.get(event, kinds) + (("PID", "PV1") if event in ("A17", "A24", "A37") else ())
    head = f"MSH|^~\\&|EHR|EAST|HUB|HUB|20261101060749-0500||{family}^{event}|C1|T|2.5.1||||||UNICODE UTF-8"
    numbers = iter(range(1, 10_000))
    return "\r".join([head, *(segment(kind, event, numbers) for kind in kinds), ""]).encode()


def segment(kind: str, event: str, numbers: Iterator[int]) -> str:
    """A segment in which every field holds something of its type; the start of AIL is told by the offset alone."""
    types = [names.field_type(kind, index, "2.5.1") for index in range(1, 51)]
    values = [VALUES.get(one, "text").replace("N", str(next(numbers))) if one else "" for one in types]
    for index, value in {**SAID.get(kind, {}), **({6: ""} if kind == "AIL" else {})}.items():
        values[index - 1] = value
    return "|".join([kind, *values]).rstrip("|")


def unread(raw: bytes, planned: bool) -> Iterator[str]:
    """The fields that explain says became nothing."""
    lines = explain(raw, FEEDS[planned], NOW).splitlines()
    for line, after in pairwise(lines):
        if (found := FIELD.match(line)) and after.strip() == NOT_MAPPED:
            yield found[1]


def said(raw: bytes, planned: bool) -> str:
    """All that a message comes to."""
    head = header(raw)
    assert head
    return repr(map_message(parse(raw, None), head, FEEDS[planned].profile, NOW))


def without(raw: bytes, path: str) -> bytes:
    """The message without this field."""
    message, separator = parse(raw, None), header(raw)
    assert separator
    name, _, index = path.partition("-")
    lines = []
    for segment in message.segments:
        fields = list(segment.fields)
        if segment.path == name:
            fields[int(index)] = ""
        if segment.name == "MSH":
            fields[1:2] = []  # the separator itself
        lines.append(separator.delimiters.field.join(fields))
    return "\r".join([*lines, ""]).encode()


GIVEN = [(path.parent.name, messages(path.read_bytes())[0]) for path in GOLDEN] + [
    (f"{family}^{event}", full(family, event)) for family, event in EVENTS
]


@pytest.mark.parametrize("planned", [False, True])
@pytest.mark.parametrize(("name", "raw"), GIVEN, ids=[name for name, _ in GIVEN])
def test_what_became_nothing_changes_nothing(name: str, raw: bytes, planned: bool) -> None:
    """Every field that is read is told of: times, units, actions, numbers that are merged away."""
    whole = said(raw, planned)

    assert [] == [path for path in unread(raw, planned) if said(without(raw, path), planned) != whole]
