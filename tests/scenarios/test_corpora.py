"""Messages that others wrote, sent over MLLP to a running Isthmus: each is applied, parked, unmapped or refused, with
the acknowledgement that goes with it, and nothing hangs, crashes or drops the line."""

from collections import Counter
from pathlib import Path

import pytest

from tests.isthmus import Isthmus
from tests.mllp import Line, code

CORPORA = Path(__file__).parents[3] / "shared" / "corpora"
FILES = sorted(
    path
    for path in (*CORPORA.rglob("*.hl7"), *CORPORA.rglob("*MDM_T02.txt"))
    if "MSH" in path.read_text("latin-1")[:2000] or path.suffix == ".hl7"
)
SUPPORTED_ADT = {
    *(f"A{number:02d}" for number in range(1, 18)),
    *("A21", "A22", "A23", "A28", "A29", "A31", "A34", "A35", "A36", "A40", "A44", "A45", "A46", "A47"),
}
SUPPORTED_SIU = {f"S{number}" for number in range(12, 27) if number != 25}
# What is not well formed, and so may be parked or refused: the reason beside it.
MALFORMED = {
    "no-msh-segment.hl7": "there is no MSH",
    "invalid-encoding-characters.hl7": "MSH-2 repeats a delimiter",
    "msh-too-short.hl7": "MSH ends before MSH-9",
}

pytestmark = pytest.mark.skipif(not FILES, reason="the corpora are not beside the project")


def test_every_file_ends_as_it_should(isthmus: Isthmus) -> None:
    """One answer for each file, on one line that is never dropped; well-formed SIU and supported ADT are applied."""
    line = Line(isthmus.mllp)
    sent: dict[str, tuple[str, str]] = {}
    for number, path in enumerate(FILES):
        raw = path.read_bytes().strip(b"\r\n\x0b\x1c")
        if b"MSH" not in raw or _wants_nothing(raw):
            _heard_in_silence(isthmus, raw)
            continue
        answer = line.say(raw)
        assert answer is not None, path
        sent[f"{number}:{path.name}"] = (code(answer), _event(raw))
    line.close()
    wrong = {name: how for name, how in sent.items() if not _right(name.partition(":")[2], *how)}

    assert not wrong
    states = Counter(str(one["state"]) for one in isthmus.all("/v1/messages"))
    assert set(states) <= {"applied", "unmapped", "parked", "refused"}
    assert sum(states.values()) + _repeats(isthmus) >= len(sent)


def _right(name: str, answer: str, event: str) -> bool:
    kind, _, trigger = event.partition("^")
    supported = (kind == "SIU" and trigger in SUPPORTED_SIU) or (kind == "ADT" and trigger in SUPPORTED_ADT)
    if supported and name not in MALFORMED:
        return answer in ("AA", "CA")
    return answer in ("AA", "CA", "AE", "AR", "CR")


def _event(raw: bytes) -> str:
    fields = raw.partition(b"\r")[0].partition(b"\n")[0].decode("latin-1").split(raw[3:4].decode("latin-1"))
    parts = fields[8].split(fields[1][:1]) if len(fields) > 8 else []
    return "^".join(parts[:2])


def _wants_nothing(raw: bytes) -> bool:
    """An acknowledgement is never acknowledged, and MSH-15 and MSH-16 may both be NE."""
    fields = raw.replace(b"\n", b"\r").partition(b"\r")[0].split(raw[3:4])
    return _event(raw).startswith("ACK") or fields[14:16] == [b"NE", b"NE"]


def _heard_in_silence(isthmus: Isthmus, raw: bytes) -> None:
    """What cannot or may not be answered is kept all the same."""
    line = Line(isthmus.mllp, timeout=0.5)
    with pytest.raises(TimeoutError):
        line.say(raw)
    line.close()


def _repeats(isthmus: Isthmus) -> int:
    return sum(int(str(one.get("duplicates", 0))) for one in isthmus.all("/v1/messages"))
