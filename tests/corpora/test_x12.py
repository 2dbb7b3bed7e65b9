"""Every 270, 271, 278, 999 and TA1 of others: taken or refused, with the right code at the right place.

The expected lines are our own reading of the standard; what a corpus calls wrong on purpose is told where we find it.
"""

from pathlib import Path

import pytest

from canonical.records import Authorization, EligibilityCheck
from transforms.x12 import authorization, eligibility
from transforms.x12.ack import judge, read_ta1, read_verdict
from transforms.x12.asked import Inquired, inquiries
from transforms.x12.converters import concept, trace_number
from transforms.x12.delimiters import Delimiters
from transforms.x12.envelope import parse
from transforms.x12.interchange import Interchange
from transforms.x12.profile import Payer
from transforms.x12.rows import Reading
from transforms.x12.writer import Ends, write

CORPORA = Path(__file__).parents[3] / "shared" / "corpora"
COSYTE = CORPORA / "cosyte__x12" / "test" / "fixtures"
HEALTH = CORPORA / "LinuxForHealth__x12"
pytestmark = pytest.mark.skipif(not COSYTE.is_dir(), reason="the corpora of others are not on this machine")

COUNT, CONTROL, GROUP = ("4", "SE-01"), ("3", "SE-02"), ("4", "GE-02")
# What an acknowledgement says of each file: IK501 of every transaction, and all faults as (code, place).
JUDGED: dict[str, tuple[str, list[tuple[str, str]]]] = {
    "270-canonical": ("A", []),
    "270-minimal": ("A", []),
    "270-quirk-delimiters": ("A", []),
    "270-quirk-linebreaks": ("A", []),
    "270-dependent": ("R", [COUNT]),
    "270-two-transactions": ("AR", [("I6", "2110C/EQ")]),
    "270-no-inquiry": ("R", [COUNT, ("I6", "2110C/EQ")]),
    "270-missing-hierarchy": ("R", [("3", "2000A/HL")]),
    "270-dangling-parent": ("R", [COUNT, ("7", "2000C/HL-02")]),
    "270-hl-cycle": ("R", [("7", "2000B/HL-02")]),
    "270-duplicate-hl-id": ("R", [("7", "2000C[2]/HL-01"), ("7", "2000C/HL-04"), ("7", "2000C[2]/HL-04")]),
    "271-canonical": ("A", []),
    "271-dependent": ("E", [("7", "2100D/NM1-01")]),
    "271-no-benefits-no-aaa": ("A", []),
    "271-aaa-with-benefits": ("A", []),
    "271-aaa-repeated": ("A", []),
    "271-aaa-malformed": ("E", [("3", "2100C/AAA[4]-05")]),
    "271-aaa-information-source": ("A", []),
    "271-aaa-information-receiver": ("A", []),
    "271-aaa-before-hierarchy": ("E", [("2", "ST/AAA"), ("2", "ST/AAA[2]")]),
    "271-aaa-two-dependents": ("E", [("7", "2100D/NM1-01"), ("7", "2100D[2]/NM1-01")]),
    "271-aaa-only-loop": ("R", [("2", "2000C/AAA"), ("3", "2100C/NM1")]),
    "271-aaa-dependent": ("E", [("7", "2100D/NM1-01")]),
    "271-aaa-two-subscribers": ("A", []),
    "271-aaa-no-hierarchy-id": ("E", [("1", "2000C/HL-01")]),
    "271-aaa-subscriber": ("A", []),
    "278-request": ("E", [("7", "ST/BHT-01"), ("7", "2000E/HL-04")]),
    "278-response": ("E", [("7", "ST/BHT-01"), ("7", "2000E/HL-04")]),
    "278-comprehensive": (
        "E",
        [
            GROUP,
            ("7", "ST/BHT-01"),
            ("7", "2000E/REF"),
            ("7", "2000E/DTP"),
            ("5", "2000E/MSG[2]"),
            ("7", "HL/HL-03"),
            ("2", "HL/NM1"),
            ("7", "2000F/HL-04"),
            ("1", "2000E/DTP-03"),
            ("1", "2000E/MSG[2]-01"),
        ],
    ),
    "278-edge": (
        "R",
        [
            GROUP,
            ("7", "ST/BHT-01"),
            ("2", "2010A/DMG"),
            ("2", "2010A/TRN"),
            ("2", "2010A/UM"),
            ("6", "2010A/HCR"),
            ("2", "2010A/HI"),
            ("2", "2010A/REF"),
            ("2", "2000C/DMG"),
            ("3", "2000E/UM"),
            ("7", "2000E/HL-04"),
            ("1", "2000E/HI-01.1"),
        ],
    ),
    "subscriber-health-benefit-check.270": ("A", []),
    "dependent-health-benefit-check.270": ("A", []),
    "demo.270": ("A", []),
    "demo-single-line.270": ("A", []),
    "subscriber-health-benefit-check.271": ("A", []),
    "dependent-health-benefit-check.271": ("A", []),
    "subscriber-health-benefit-check-error.271": ("R", [CONTROL]),
    "demo.271": ("A", []),
}
# What a 271 comes to for the one who asked: matched, state, outcome, and rejections as (loop, reason, follow-up).
ANSWERED: dict[str, tuple[bool, str | None, list[tuple[str, str, str]]]] = {
    "271-canonical": (True, "active", []),
    "271-dependent": (True, "active", []),
    "271-no-benefits-no-aaa": (True, "unknown", []),
    "271-aaa-with-benefits": (True, "active", [("2110C", "42", "C")]),
    "271-aaa-repeated": (True, "not-found", [("2100C", "72", "C"), ("2100C", "72", "R")]),
    "271-aaa-malformed": (
        True,
        "not-found",
        [("2100C", "", "C"), ("2100C", "72", ""), ("2100C", "72", ""), ("2100C", "72", "C")],
    ),
    "271-aaa-information-source": (True, "unknown", [("2100A", "42", "C")]),
    "271-aaa-information-receiver": (True, "unknown", [("2100B", "79", "C")]),
    "271-aaa-before-hierarchy": (True, "unknown", [("ST", "42", "C"), ("ST", "43", "C")]),
    "271-aaa-two-dependents": (False, None, []),
    "271-aaa-only-loop": (True, "unknown", [("2000C", "42", "C")]),
    "271-aaa-dependent": (True, "not-found", [("2100D", "67", "C")]),
    "271-aaa-two-subscribers": (False, None, []),
    "271-aaa-no-hierarchy-id": (True, "not-found", [("2100C", "72", "C")]),
    "271-aaa-subscriber": (True, "not-found", [("2100C", "72", "C")]),
    "subscriber-health-benefit-check.271": (True, "active", []),
    "dependent-health-benefit-check.271": (True, "active", []),
    "subscriber-health-benefit-check-error.271": (False, None, []),
    "demo.271": (True, "active", []),
}


def files() -> list[Path]:
    """All of these kinds."""
    found = [path for room in ("eligibility", "auth") for path in sorted((COSYTE / room).glob("*.edi"))]
    return [*found, *sorted(HEALTH.rglob("*.270")), *sorted(HEALTH.rglob("*.271"))]


def name(path: Path) -> str:
    return path.stem if path.suffix == ".edi" else path.name


def payer(usage: str, receiver: str = "9SAMPLEORG") -> Payer:
    """Whoever asked in the corpus: its traces are told by their originator."""
    ends = Ends(sender="US", receiver="THEM", usage=usage)
    return Payer(ends=ends, name="PAYER", payer_id="PAYER01", originator=receiver)


@pytest.mark.parametrize("path", files(), ids=name)
def test_judged(path: Path) -> None:
    """Every transaction is accepted or refused, and every fault has its code and place."""
    found = parse(path.read_bytes())
    judged = [judge(one, group, found.delimiters) for group in found.groups for one in group.transactions]
    faults = [fault for group in found.groups for fault in group.faults]
    faults += [fault for one in judged for fault in one.faults]

    assert [] == found.faults
    assert JUDGED[name(path)] == (
        "".join(one.code for one in judged),
        [(fault.code, fault.path) for fault in faults],
    )


@pytest.mark.parametrize("path", [one for one in files() if name(one) in ANSWERED], ids=name)
def test_answered(path: Path) -> None:
    """What each 271 says to the one who asked, by the trace or by BHT03."""
    found = parse(path.read_bytes())
    segments = found.transactions[0].segments
    traces = [one for one in segments if one[0] == "TRN"]
    who = payer(found.usage, traces[-1][3] if traces else "9SAMPLEORG")
    ours = tuple(trace_number(one[2], one[3], who) for one in traces[-1:])
    asked = EligibilityCheck(id="elg_1", tenant="main", identifiers=ours)
    if name(path) == "271-dependent":
        asked = EligibilityCheck(id="elg_1", tenant="main", identifiers=ours, service_types=(concept("35", "1365"),))
    answer = eligibility.answer(path.read_bytes(), asked, who, "2026-06-01T12:00:00Z", reference=segments[1][3])
    told = [
        (
            one.loop or "",
            one.reason.codings[0].code if one.reason else "",
            one.follow_up.codings[0].code if one.follow_up else "",
        )
        for one in answer.fields.get("rejections", ())
    ]

    assert ANSWERED[name(path)] == (answer.matched, answer.state, told)


def test_asked() -> None:
    """What each 270 that is accepted asks about: the patient's given name, the trace, the service types, the day."""
    told = {}
    for path in [one for one in files() if name(one).startswith("270") or one.suffix == ".270"]:
        found = parse(path.read_bytes())
        for group in found.groups:
            for transaction in group.transactions:
                judged = judge(transaction, group, found.delimiters)
                if judged.code != "R" and judged.tree:
                    reading = Reading(payer(found.usage), found.delimiters)
                    told[name(path)] = [_told(one) for one in inquiries(judged.tree, reading)]
    jane = [("JANE", "ELIG20260601001", ["30", "35"], "2026-06-01")]

    assert {
        "270-canonical": jane,
        "270-quirk-delimiters": jane,
        "270-quirk-linebreaks": jane,
        "270-minimal": [("JANE", None, ["30"], None)],
        "270-two-transactions": [("JANE", "ELIG20260601012", ["30"], None)],
        "dependent-health-benefit-check.270": [("MARY", "93175-012547", ["30"], "2006-05-01")],
        "subscriber-health-benefit-check.270": [("ROBERT", "93175-012547", ["30"], "2006-05-01")],
        "demo.270": [("ROBERT", "93175-012547", ["30"], "2006-05-01")],
        "demo-single-line.270": [("ROBERT", "93175-012547", ["30"], "2006-05-01")],
    } == told


def _told(one: Inquired) -> tuple[str, str | None, list[str], str | None]:
    patient = one.dependent or one.fields["subscriber"]
    trace = next((number.value for number in one.fields.get("identifiers", ())), None)
    types = [concept.codings[0].code for concept in one.fields["service_types"]]
    assert patient.name
    return patient.name.given[0], trace, types, one.fields.get("start")


def test_decided() -> None:
    """The one 278 answer that adds up approves; those whose groups do not are refused."""
    told = {}
    for path in sorted((COSYTE / "auth").glob("*.edi")):
        who = payer("P", "9SUBMITTER")
        asked = Authorization(
            id="aut_1", tenant="main", identifiers=(trace_number("AUTHREQ-202606-0001", "9SUBMITTER", who),)
        )
        answer = authorization.answer(path.read_bytes(), asked, who, "2026-06-01T12:00:00Z")
        told[path.stem] = (answer.matched, [(one.key, one.status, one.number) for one in answer.decisions])

    assert {
        "278-comprehensive": (False, []),
        "278-edge": (False, []),
        "278-request": (False, []),
        "278-response": (True, [("*", "approved", "AUTH123456")]),
    } == told


@pytest.mark.parametrize(
    ("file", "control", "code", "faults"),
    [
        ("999-accept", "1", "A", []),
        ("999-accept-with-errors", "2", "E", [("7", "2010BA/NM1-01.2")]),
        ("999-reject-control-number-mismatch", "3", "R", [("3", "ST")]),
        ("ta1-accept", "000000019", "A", []),
        ("ta1-accept-with-errors", "000000019", "E", [("016", "ISA")]),
        ("ta1-reject-control-mismatch", "000000019", "R", [("001", "ISA")]),
    ],
)
def test_acknowledgements(file: str, control: str, code: str, faults: list[tuple[str, str]]) -> None:
    """What others' 999 and TA1 say, also where their own counts are wrong."""
    found = parse((COSYTE / "ack" / f"{file}.edi").read_bytes())
    verdict = read_ta1(found.ta1[0]) if found.ta1 else read_verdict(found.transactions[0])
    assert verdict
    said = [*verdict.faults, *(fault for one in verdict.transactions for fault in one.faults)]

    assert (control, code, faults) == (verdict.control, verdict.code, [(one.code, one.path) for one in said])


@pytest.mark.parametrize(
    ("file", "delimiters", "faults"),
    [
        ("medicare-canonical", Delimiters(), []),
        ("availity-repetition", Delimiters(), []),
        ("bcbs-subelement", Delimiters(component="\\"), []),
        ("no-trailing-crlf", Delimiters(), []),
        ("syntactic-core-body", Delimiters(), [COUNT]),
    ],
)
def test_envelopes(file: str, delimiters: Delimiters, faults: list[tuple[str, str]]) -> None:
    """Transactions that are not read here come whole out of their envelopes all the same."""
    found = parse((COSYTE / "envelope" / f"{file}.edi").read_bytes())

    assert delimiters == found.delimiters
    assert faults == [(fault.code, fault.path) for fault in found.every_fault()]
    assert [("1", "ST-01")] == [
        (fault.code, fault.path)
        for group in found.groups
        for one in group.transactions
        for fault in judge(one, group, found.delimiters).faults
        if (fault.code, fault.path) not in faults
    ]


@pytest.mark.parametrize("path", [*files(), *sorted((CORPORA / "cosyte__x12").rglob("ack/*.edi"))], ids=name)
def test_written_again(path: Path) -> None:
    """parse(write(x)) = x for every file, with its own delimiters and with others."""
    found = parse(path.read_bytes())
    others = parse(write(found, Delimiters("|", ">", "!", "\n")))

    assert found.groups == parse(write(found)).groups
    assert _trimmed(found) == _trimmed(parse(write(others, found.delimiters)))


def _trimmed(found: Interchange) -> list[list[str]]:
    """The segments without the empty elements at their ends, which the standard leaves out."""
    segments = [segment for one in found.transactions for segment in one.segments]
    return ["*".join(segment).rstrip("*").split("*") for segment in segments]
