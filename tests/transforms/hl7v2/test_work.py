"""The work that a message makes grows with its length and no faster, counted in Python's own steps."""

import sys
from collections.abc import Callable
from functools import partial
from types import FrameType

import pytest

from canonical.apply import Cause
from canonical.patches import Mapped
from canonical.settle import Working, settle
from tests.transforms.hl7v2.story import EAST, RECEIVED, er7, mapped, msh
from transforms.hl7v2.mapping import MOST, MOST_MERGES

SCH = "SCH|P1^EPICSCH|F1^EPICSCH|||||||||||||||||||||||Booked"
PID = "PID|1||1^^^EASTMRN^MR||ROE^RICHARD"
STAY = "PV1|1|I|||||||||||||||||V1"
SIZES = (100, 200, 400)

Made = Callable[[int, str], bytes]


def siu(each: str, event: str = "S12") -> Made:
    """An appointment with many of some segments; `#` stands for a number, `$` for one that no other message has."""
    return lambda count, own: er7(msh(f"SIU^{event}"), SCH, PID, *_many(each, count, own))


def adt(event: str, each: str, *before: str) -> Made:
    """A message about persons or visits with many of some segments."""
    return lambda count, own: er7(msh(f"ADT^{event}"), "EVN||20261121090000", PID, *before, *_many(each, count, own))


def repeating(segment: str, each: str, make: Callable[[str], Made] = siu) -> Made:
    """A field that repeats."""
    return lambda count, own: make(segment + "~".join(_many(each, count, own)))(1, own)


def _many(each: str, count: int, own: str) -> list[str]:
    return [each.replace("#", str(number)).replace("$", f"{own}{number}") for number in range(count)]


CASES = {
    "NTE": siu("NTE|1||$"),
    "NTE and Z": siu("NTE|1||$\rZZZ|1"),
    "AIS with NTE": siu("AIS|#||$^x\rNTE|1||hi"),
    "AIP": siu("AIP|#||$^N$^X^^^^^^AA"),
    "AIP of one id": siu("AIP|1||$^N^X"),
    "AIG that are people": siu("AIG|#||$^N|P^Provider\rAIP|#||$x^N$^X"),
    "AIL": siu("AIL|#||$^R^B"),
    "RGS": siu("RGS|#\rAIS|1||$^a"),
    "S18": siu("AIP|#|A|$^N$", "S18"),
    "S23": siu("AIP|#||$^N$", "S23"),
    "PID": siu("PID|#||$^^^EASTMRN^MR||N$\rPV1|1|I"),
    "DG1 and OBX": siu("DG1|#||$^x^I10\rOBX|#|ST|$^x^LN||1"),
    "AIP-3 people": repeating("AIP|1||", "$^N$"),
    "AIP-3 one person": repeating("AIP|1||", "$^N"),
    "AIL-3": repeating("AIL|1||", "$^R"),
    "PV1-7": repeating("AIP|1||1^X\rPV1|1|I|||||", "$^N$"),
    "PID-3": repeating("PID|2||", "$^^^EASTMRN^MR"),
    "PID-5": repeating("PID|2||9^^^EASTMRN||", "N$^X"),
    "NTE-3": repeating("NTE|1||", "$"),
    "escapes": lambda count, own: siu(f"NTE|1||{own}" + r"a\.br\b\XE4\ \q\X" * count)(1, own),
    "components": lambda count, own: siu(f"AIS|1||{own}" + "^A&B" * count)(1, own),
    "fields": lambda count, own: siu(f"AIS|1||{own}" + "|" * count)(1, own),
    "NK1": adt("A28", "NK1|#|N$^X|MTH"),
    "DG1 of a stay": adt("A01", "DG1|#||$^x^I10", STAY),
    "ROL": adt("A01", "ROL|#|AD|AT|$^N$", STAY),
    "ROL of many roles": adt("A01", "ROL|#|AD|R$|$^N$", STAY),
    "PV1-8": repeating("PV1|1|I||||||", "$^N$", lambda segment: adt("A01", segment)),
    "A17": adt("A17", "PID|1||$^^^EASTMRN^MR\rPV1|1|I|||||||||||||||||V$"),
    "A40": adt("A40", "PID|1||$^^^EASTMRN^MR\rMRG|m$^^^EASTMRN^MR", "MRG|x^^^EASTMRN^MR"),
    "A45": adt("A45", "MRG|||||m$^^^EASTVN^VN\rPV1|1|I|||||||||||||||||V$"),
}


def steps(work: Callable[[], object]) -> int:
    """How many instructions of Python a piece of work takes."""
    count = 0

    def trace(frame: FrameType, event: str, arg: object) -> object:
        nonlocal count
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)  # type: ignore[arg-type]  # a local trace function is one too
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def settled(said: Mapped) -> None:
    """A mapped message in an empty world."""
    cause = Cause(message="msg_1", tenant=EAST.tenant, feed=EAST.feed, clock=said.clock, received_at=RECEIVED)
    settle(Working(), said, cause)


@pytest.mark.parametrize("case", CASES)
def test_reading_is_linear(case: str) -> None:
    """Twice as much of anything is twice the work, not four times."""
    small, middle, large = (steps(partial(mapped, CASES[case](size, f"{case[:3]}{size}x"))) for size in SIZES)

    assert large - middle < 2.6 * (middle - small) + 2_000


@pytest.mark.parametrize("case", ["PID", "PV1-7", "S18", "AIL-3", "ROL of many roles", "PV1-8", "A17", "A45", "PID-3"])
def test_settling_is_linear(case: str) -> None:
    """So is what is done with it."""
    said = [mapped(CASES[case](size, f"{case[:3]}{size}y")) for size in SIZES]
    small, middle, large = (steps(partial(settled, one)) for one in said)

    assert large - middle < 2.6 * (middle - small) + 2_000


@pytest.mark.parametrize("event", ["A24", "A40"])
def test_a_message_of_too_many_merges_is_parked(event: str) -> None:
    """Each takes up all that is known of both: hundreds in one message are no registration clerk's."""
    each = {"A24": "PID|#||$^^^EASTMRN^MR", "A40": "MRG|$^^^EASTMRN^MR"}[event]
    enough, much = (mapped(adt(event, each)(count, "m")) for count in (MOST_MERGES, MOST_MERGES + 1))

    assert enough.anchor_missing is None
    assert much.anchor_missing is not None
    assert "value-too-long" == much.anchor_missing.code


def test_a_message_of_too_much_is_parked() -> None:
    """Beyond the bound nothing is read: a person looks at it, and the feed goes on."""
    enough, much = (mapped(siu("NTE|1||x")(count, "")) for count in (MOST - 4, MOST - 3))  # MSH-2 has one, too

    assert enough.anchor_missing is None
    assert much.anchor_missing is not None
    assert (("value-too-long", "MSH"), []) == ((much.anchor_missing.code, much.anchor_missing.path), much.patches)
