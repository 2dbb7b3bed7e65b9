"""PV1, PV2 and DG1 as what they say about an encounter (2.5.1 ch. 3.4, 6.5; DOMAIN 1.6, 2.4).

Tables say which field comes from where; beside them stands what a table cannot say: which visit is meant, and in what
state one is that was never heard of before. Places and staff are in `whereabouts.py`.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Final

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from canonical.datatypes import Concept, Diagnosis, Identifier
from canonical.records import Encounter

from .belonging import about
from .changes import changed
from .converters import UNKNOWN_CODE, coded, codes_of, concept, integer, repeated, text
from .encounter_codes import (
    CLASSES,
    DIAGNOSIS_USES,
    NO_VISIT,
    OTHER_CLASSES,
    RESTRICTED,
    V2_CLASS,
    V3_CLASS,
)
from .er7 import Segment
from .identity import entity_as, identifier
from .instants import date_time_or_date
from .patient import named_at
from .rows import Reading, Row, Rule, Table, take

DERIVED: Final = "derived"  # how lineage calls what was made of other fields, and stands nowhere
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
VISITED: Final = "no visit number was sent; the patient and the time of admission stand for one"
NO_NUMBER: Final = "neither a visit number, an account nor a time of admission: the visit cannot be told from others"

_class_code = coded("0004")
_use_code = coded("0052")


def visit_class(text: str, reading: Reading) -> Concept | None:
    """PV1-2 with its v3 class beside the sender's code (table 0004)."""
    found = _class_code(text, reading)
    if found is None or any(one.system == V3_CLASS for one in found.codings):
        return found
    codes = [code.upper() for code in codes_of(found)]
    known = next((CLASSES[code] for code in codes if code in CLASSES), None)
    if known:
        return Concept(codings=(*found.codings, known), text=found.text)
    if OTHER_CLASSES.isdisjoint(codes):
        reading.complain("DQ-CODE-UNMAPPED", UNKNOWN_CODE)
    return found


def dated(table: str) -> Callable[[str, Reading], Concept | None]:
    """The converter of a code that a date may follow (FC, DLD): PV1-20, PV1-37."""
    code = coded(table)

    def dated_code(text: str, reading: Reading) -> Concept | None:
        first = text.partition(reading.dialect.component)[0]
        return code(first.replace(reading.dialect.subcomponent, reading.dialect.component), reading)

    dated_code.__name__ = code.__name__
    dated_code.__doc__ = code.__doc__
    return dated_code


def types(pv1: Segment, reading: Reading) -> tuple[Concept, ...] | UnsetType:
    """PV1-4, how the patient came to be admitted, and PV1-18, which kind of patient the site sees."""
    found = [take(coded(table), pv1, index, reading) for index, table in ((4, "0007"), (18, "0018"))]
    if all(one is UNSET for one in found):
        return UNSET
    return tuple(one for one in found if one)


def diagnoses(segment: Segment, reading: Reading) -> tuple[Diagnosis, ...] | UnsetType:
    """Every DG1 of this patient but those that DG1-21 deletes; they replace what was known."""
    found = about(reading, segment, "DG1")
    if not found:
        return UNSET
    return tuple(one for dg1 in found if (one := _diagnosis(dg1, reading)))


def _diagnosis(dg1: Segment, reading: Reading) -> Diagnosis | None:
    code = take(concept, dg1, 3, reading) or None
    described = take(text, dg1, 4, reading) or None
    if dg1.get(21).strip().upper() == "D" or not (code or described):
        return None
    code = code or Concept()
    uses = [one.upper() for one in codes_of(take(_use_code, dg1, 6, reading) or None)]
    if uses and DIAGNOSIS_USES.keys().isdisjoint(uses):
        reading.complain("DQ-CODE-UNMAPPED", UNKNOWN_CODE, at=f"{dg1.path}-6")
    return Diagnosis(
        code=code if code.text or not described else replace(code, text=described),
        use=next((DIAGNOSIS_USES[one] for one in uses if one in DIAGNOSIS_USES), None),
        rank=take(integer, dg1, 15, reading) or None,
        at=take(date_time_or_date, dg1, 5, reading) or None,
        present_on_admission=take(text, dg1, 26, reading) or None,
        identifier=take(entity_as("diagnosis"), dg1, 20, reading) or None,
    )


def labels(pv2: Segment, reading: Reading) -> tuple[Concept, ...] | UnsetType:
    """PV2-22: a protected visit is restricted (table 0136)."""
    match pv2.get(22).strip().upper():
        case "Y":
            return (RESTRICTED,)
        case "N" | '""':
            return ()
    return UNSET


def end(text: str, reading: Reading) -> str | None:
    """PV1-45; where it repeats, the last discharge counts."""
    return date_time_or_date(text.rpartition(reading.dialect.repetition)[2], reading)


PV1: Final = Table(
    "PV1",
    Encounter,
    Row("class_", "PV1-2", visit_class),
    Row("preadmit_number", "PV1-5", identifier),
    Row("service_type", "PV1-10", coded("0069")),
    Row("readmission", "PV1-13", coded("0092")),
    Row("admit_source", "PV1-14", coded("0023")),
    Row("special_arrangements", "PV1-15", repeated(coded("0009"))),
    Row("vip", "PV1-16", coded("0099")),
    Row("financial_classes", "PV1-20", repeated(dated("0064"))),
    Row("special_courtesy", "PV1-22", coded("0045")),
    Row("discharge_disposition", "PV1-36", coded("0112")),
    Row("discharged_to", "PV1-37", dated("0113")),
    Row("diet", "PV1-38", coded("0114")),
    Row("start", "PV1-44", date_time_or_date),
    Row("end", "PV1-45", end),
    Rule("types", ("PV1-4", "PV1-18"), types),
    Rule("diagnoses", tuple(f"DG1-{index}" for index in (3, 4, 5, 6, 15, 20, 21, 26)), diagnoses),
)
PV2: Final = Table(
    "PV2",
    Encounter,
    Row("reasons", "PV2-3", repeated(concept)),
    Row("planned_start", "PV2-8", date_time_or_date),
    Row("planned_end", "PV2-9", date_time_or_date),
    Row("priority", "PV2-25", coded("0217")),
    Row("arrival_mode", "PV2-38", coded("0430")),
    Row("leave_expected_return", "PV2-47", date_time_or_date),
    Rule("security_labels", ("PV2-22",), labels),
)
PID: Final = Table("PID", Encounter, Row("account", "PID-18", identifier))
TABLES: Final = (PV1, PV2, PID)
NUMBERS: Final = ("PV1-19", "PV1-50", "PID-18", "PV1-5")


def is_about_a_visit(pv1: Segment, reading: Reading) -> bool:
    """Whether there is more to a PV1 than that there is no visit (`PV1|1|N`)."""
    return any(pv1.fields[3:]) or pv1.get(2).partition(reading.dialect.component)[0].strip().upper() not in NO_VISIT


def fields(pid: Segment, pv1: Segment, pv2: Segment | None, reading: Reading) -> dict[str, object]:
    """What PV1, PV2, DG1 and PID-18 say about the encounter."""
    found: dict[str, object] = {}
    if reading.zone:
        found["zone"] = reading.zone.key
        reading.used_zone()
    PV1.read(pv1, reading, found)
    if pv2:
        PV2.read(pv2, reading, found)
    PID.read(pid, reading, found)
    changed("encounter", pv1, reading, found)
    return found


# -- which visit


def numbers(pv1: Segment, reading: Reading) -> list[Identifier]:
    """The numbers of the visit itself: PV1-19 and PV1-50."""
    reading.field = "identifiers"
    found = [typed(take(identifier, pv1, index, reading), "VN") for index in (19, 50)]
    reading.field = None
    return [one for one in found if one]


def weaker(fields: dict[str, object], pid: Segment, pv1: Segment, reading: Reading) -> list[Identifier]:
    """Numbers that find the visit where its own does not: the account and the number of the pre-admission."""
    account, preadmit = typed(fields.get("account"), "AN"), typed(fields.get("preadmit_number"))
    if account:
        reading.used("identifiers", f"{pid.path}-18", "weaker")
    if preadmit:
        reading.used("identifiers", f"{pv1.path}-5", "weaker")
    return [one for one in (account, preadmit) if one]


def typed(one: object, kind: str | None = None) -> Identifier | None:
    """A number with its type, where the sender left that out."""
    if not isinstance(one, Identifier):
        return None
    return one if one.type or not kind else replace(one, type=kind)


def derived(pid: Segment, pv1: Segment, patient: Identifier, reading: Reading) -> tuple[Identifier, ...]:
    """A number made of the patient's and PV1-44, for senders that number no visits."""
    admitted = take(date_time_or_date, pv1, 44, reading) if reading.profile.encounters_without_number else None
    if not admitted:
        reading.complain("DQ-REQUIRED-MISSING", NO_NUMBER, at=f"{pv1.path}-19")
        return ()
    reading.remark("PV1-19", "DQ-REQUIRED-MISSING", VISITED, at=f"{pv1.path}-19")
    for path in (named_at(pid), f"{pv1.path}-44"):
        reading.used("identifiers", path, DERIVED)
    made = blake2b(f"{patient.system}|{patient.value}|{admitted}".encode(), digest_size=16).hexdigest()
    return (Identifier(value=made, system=f"{reading.dialect.urn}visit-of-patient", type="VN"),)


# -- in what state


def state(fields: dict[str, object], clock: int) -> str:
    """The status of a visit that is heard of without its beginning: PV1-45, else PV1-44 and the class."""
    if fields.get("end"):
        return "finished"
    if _is_planned(fields, clock):
        return "planned"
    return "in-progress" if {"EMER", "IMP"} & _classes(fields) else "arrived"


def registered(fields: dict[str, object], clock: int) -> str:
    """The status after an A04, about which converters disagree (DOMAIN 2.2)."""
    if _is_planned(fields, clock):
        return "planned"
    return "in-progress" if "EMER" in _classes(fields) else "arrived"


def _is_planned(fields: dict[str, object], clock: int) -> bool:
    """Class P, or an admission that lies ahead of the message's own clock; a date alone is not ahead of anything."""
    if "PRENC" in _classes(fields):
        return True
    start = fields.get("start")
    if not isinstance(start, str) or "T" not in start:
        return False
    return (datetime.fromisoformat(start) - EPOCH) // MICROSECOND > clock


def _classes(fields: dict[str, object]) -> set[str]:
    known = fields.get("class_")
    return {one.code for one in known.codings if one.system == V3_CLASS} if isinstance(known, Concept) else set()


def event_class(code: str, words: str) -> Concept:
    """The class that A06 and A07 imply where PV1-2 was not sent."""
    known = CLASSES[code]
    return Concept(codings=(replace(known, code=code, system=V2_CLASS, display=words), known), text=None)
