"""Messages that others wrote, sent over MLLP to a running Isthmus: each is applied, parked, unmapped or refused, with
the acknowledgement that goes with it, and nothing hangs, crashes or drops the line."""

import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.isthmus import Isthmus
from tests.mllp import Line, code
from transforms.hl7v2.er7 import Message, Unparseable, parse

CORPORA = Path(__file__).parents[3] / "shared" / "corpora"
BEGINS = re.compile(rb"(?:\A|[\r\n\"'\x0b])(?:\xef\xbb\xbf)?MSH\|")
SUPPORTED_ADT = {
    *(f"A{number:02d}" for number in range(1, 18)),
    *("A21", "A22", "A23", "A28", "A29", "A31", "A34", "A35", "A36", "A40", "A44", "A45", "A46", "A47"),
}
SUPPORTED_SIU = {f"S{number}" for number in range(12, 27) if number != 25}
# Further events, for which there is a mapping all the same.
BESIDE = {("ADT", event) for event in ("A18", "A20", *(f"A{number}" for number in range(24, 56)), "A61", "A62")}
SUPPORTED = {("ADT", event) for event in SUPPORTED_ADT} | {("SIU", event) for event in SUPPORTED_SIU} | BESIDE


class End(NamedTuple):
    """How a message ends: its state, and the code of the answer (None: nothing is to be answered)."""

    state: str
    answer: str | None


# What is not well formed, and how that ends: the reason beside it.
MALFORMED = {
    "no-msh-segment.hl7": End("refused", None),  # there is no MSH, so there is nobody to answer
    "msh-too-short.hl7": End("refused", "AR"),  # MSH ends before MSH-9
    "invalid-encoding-characters.hl7": End("parked", "AE"),  # an A01 of MSH alone: there is no patient
}


def files() -> list[Path]:
    """Whatever looks like HL7v2, by its name or by what is in it."""
    found = (path for path in sorted(CORPORA.rglob("*")) if path.is_file())
    return [path for path in found if path.suffix == ".hl7" or BEGINS.search(path.read_bytes())]


FILES = files()
pytestmark = pytest.mark.skipif(not FILES, reason="the corpora are not beside the project")


def test_every_folder_with_messages_is_known() -> None:
    """Four of the corpora hold HL7v2, one message in each file; a fifth, or an embedded message, must be looked at."""
    folders = Counter(path.relative_to(CORPORA).parts[0] for path in FILES)
    several = [path.name for path in FILES if len(BEGINS.findall(path.read_bytes())) > 1]

    assert {
        "Balneario-de-Cofrentes__hl7v2": 116,
        "HL7__v2-to-fhir": 1,
        "cosyte__hl7": 57,
        "microsoft__FHIR-Converter": 83,
    } == folders
    assert [] == several


def test_every_file_ends_as_it_should(isthmus: Isthmus) -> None:
    """One answer for each file, on one line that is never dropped; well-formed SIU and supported ADT are applied."""
    line = Line(isthmus.mllp)
    wrong: list[tuple[str, End, End]] = []
    for path in FILES:
        raw = path.read_bytes().strip(b"\r\n\x0b\x1c")
        due = end_of(path)
        answer = line.say(raw) if due.answer else heard_in_silence(isthmus, raw)
        assert answer is not None or not due.answer, f"the line was dropped after {path.name}"
        (kept,) = isthmus.get("/v1/messages?limit=1")["items"]
        found = End(kept["state"], code(answer) or None)
        if found != due or (answer and acknowledged(answer) != kept.get("controlId", "")) or not shown(kept):
            wrong.append((path.name, due, found))
    line.close()

    assert not wrong, "\n".join(map(str, wrong))
    assert len(FILES) == sum(1 + int(str(one.get("duplicates", 0))) for one in isthmus.all("/v1/messages"))


def end_of(path: Path) -> End:
    """How a file has to end: by its event, and by the answers that its MSH-15 and MSH-16 want."""
    if path.name in MALFORMED:
        return MALFORMED[path.name]
    message = parse(path.read_bytes())
    event = (message.value("MSH-9.1"), message.value("MSH-9.2"))
    return End("applied" if event in SUPPORTED else "unmapped", wanted(message))


def wanted(message: Message) -> str | None:
    """The code of the first answer to a message that is taken; an acknowledgement is never acknowledged."""
    accept, application = message.value("MSH-15").strip(), message.value("MSH-16").strip()
    if message.value("MSH-9.1") == "ACK":
        return None
    if not accept and not application:
        return "AA"
    if accept in ("AL", "SU"):
        return "CA"
    return "AA" if application in ("AL", "SU") else None


def shown(kept: dict[str, object]) -> bool:
    """Whether a message that was applied is about records, and one that was not says why."""
    if kept["state"] == "applied":
        return bool(kept.get("records"))
    return kept["state"] == "unmapped" or bool(kept.get("problems"))


def acknowledged(answer: bytes) -> str:
    """MSA-2: which message is answered."""
    try:
        return parse(answer).value("MSA-2")
    except Unparseable:
        return "?"


def heard_in_silence(isthmus: Isthmus, raw: bytes) -> bytes | None:
    """What comes back where nothing should."""
    with Line(isthmus.mllp, timeout=0.5) as line:
        try:
            return line.say(raw)
        except TimeoutError:
            return None
