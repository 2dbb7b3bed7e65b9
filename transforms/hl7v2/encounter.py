"""PV1, PV2, DG1 and ROL as what they say about an encounter (2.5.1 ch. 3.4, 6.5, 15.4; DOMAIN 1.6, 2.4).

Each field of PV1 that names staff or a place speaks for itself: a transfer that repeats the attending doctor alone says
nothing about the referring one.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from canonical.datatypes import Concept, Diagnosis, Identifier, Participant, Placement
from canonical.patches import Edit
from canonical.records import Encounter

from .converters import coded, codes_of, concept, integer, repeated, text
from .encounter_codes import (
    CLASSES,
    DIAGNOSIS_USES,
    NO_VISIT,
    PLACES,
    RESTRICTED,
    ROL_ROLES,
    ROLES,
    V2_CLASS,
    V3_CLASS,
)
from .er7 import Segment
from .identity import entity_as, identifier
from .instants import date_time_or_date
from .patient import about
from .people import people, spot
from .resources import actor, united
from .rows import Reading, Row, Rule, Table, take

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
VISITED: Final = "no visit number was sent; the patient and the time of admission stand for one"
NO_NUMBER: Final = "neither a visit number, an account nor a time of admission: the visit cannot be told from others"

_class_code = coded("0004")
_role_code = coded("0443")


def visit_class(text: str, reading: Reading) -> Concept | None:
    """PV1-2 with its v3 class beside the sender's code (table 0004)."""
    found = _class_code(text, reading)
    known = next((CLASSES[code] for code in codes_of(found) if code in CLASSES), None)
    if found is None or known is None or known in found.codings:
        return found
    return Concept(codings=(*found.codings, known), text=found.text)


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
    use = next(iter(codes_of(take(coded("0052"), dg1, 6, reading) or None)), "")
    return Diagnosis(
        code=code if code.text or not described else replace(code, text=described),
        use=DIAGNOSIS_USES.get(use.upper()),
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
    Row("financial_classes", "PV1-20", repeated(coded("0064"))),
    Row("special_courtesy", "PV1-22", coded("0045")),
    Row("discharge_disposition", "PV1-36", coded("0112")),
    Row("discharged_to", "PV1-37", coded("0113")),
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
FURTHER: Final = {  # what the functions of this module fill entry by entry
    "placements": tuple(f"PV1-{index}" for index in PLACES),
    "participants": (*(f"PV1-{index}" for index in ROLES), "ROL-3", "ROL-4"),
    "identifiers": ("PV1-19", "PV1-50", "PID-18", "PV1-5"),
    "zone": ("PV1-3",),
}


def is_about_a_visit(pv1: Segment, reading: Reading) -> bool:
    """Whether there is more to a PV1 than that there is no visit (`PV1|1|N`)."""
    return any(pv1.fields[3:]) or pv1.get(2).partition(reading.dialect.component)[0].strip().upper() not in NO_VISIT


def fields(pid: Segment, pv1: Segment, reading: Reading) -> dict[str, object]:
    """What PV1, PV2, DG1 and PID-18 say about the encounter."""
    found: dict[str, object] = {}
    if reading.zone:
        found["zone"] = reading.zone.key
    PV1.read(pv1, reading, found)
    if pv2 := about(reading, pid, "PV2"):
        PV2.read(pv2[0], reading, found)
    PID.read(pid, reading, found)
    return found


# -- which visit


def numbers(pv1: Segment, reading: Reading) -> list[Identifier]:
    """The numbers of the visit itself: PV1-19 and PV1-50."""
    reading.field = "identifiers"
    found = [typed(take(identifier, pv1, index, reading), "VN") for index in (19, 50)]
    reading.field = None
    return [one for one in found if one]


def weaker(fields: dict[str, object]) -> list[Identifier]:
    """Numbers that find the visit where its own does not: the account and the number of the pre-admission."""
    found = (typed(fields.get("account"), "AN"), typed(fields.get("preadmit_number")))
    return [one for one in found if one]


def typed(one: object, kind: str | None = None) -> Identifier | None:
    """A number with its type, where the sender left that out."""
    if not isinstance(one, Identifier):
        return None
    return one if one.type or not kind else replace(one, type=kind)


def derived(pv1: Segment, patient: Identifier, reading: Reading) -> tuple[Identifier, ...]:
    """A number made of the patient's and PV1-44, for senders that number no visits."""
    admitted = take(date_time_or_date, pv1, 44, reading) if reading.profile.encounters_without_number else None
    if not admitted:
        reading.complain("DQ-REQUIRED-MISSING", NO_NUMBER, at=f"{pv1.path}-19")
        return ()
    reading.complain("DQ-REQUIRED-MISSING", VISITED, "information", at=f"{pv1.path}-19")
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


# -- where, and with whom


def placements(pv1: Segment, status: str, reading: Reading) -> Iterator[Edit]:
    """PV1-3, -6, -11, -42, -43: each says where the patient is, was, or is expected."""
    reading.field = "placements"
    for index, (kind, held) in PLACES.items():
        place = take(spot, pv1, index, reading)
        if place is UNSET:
            continue
        entry = None
        if place is not None:
            location = reading.cast.location(place)
            entry = Placement(kind=kind, location=location, display=place.display, status=_held(kind, held, status))
        yield Edit(field="placements", key=kind, value=entry)
    reading.field = None


def _held(kind: str, held: str, status: str) -> str:
    """The place of a planned visit is planned, that of a finished one was left."""
    if kind == "assigned" and status == "planned":
        return "planned"
    return "completed" if held == "active" and status in ("finished", "cancelled") else held


def participants(pv1: Segment, reading: Reading) -> Iterator[Edit]:
    """PV1-7, -8, -9, -17, -52: each names all the staff of one role, in order; then ROL."""
    reading.field = "participants"
    named: set[tuple[str, str | None]] = set()
    for index, role in ROLES.items():
        found = take(people, pv1, index, reading)
        if found is UNSET:
            continue
        members = united(found or ())
        named |= {(role.codings[0].code, one.display) for one in members}
        yield _staff(f"PV1-{index}", role, [actor(one, reading) for one in members])
    yield from _roles(pv1, named, reading)
    reading.field = None


def _staff(key: str, role: Concept | None, members: list[dict[str, object]]) -> Edit:
    shared = Participant(kind="provider", role=role)
    listed = tuple(replace(shared, key=f"{key}/{place}", **one) for place, one in enumerate(members, 1))
    return Edit(field="participants", key=key, value=listed)


def _roles(pv1: Segment, named: set[tuple[str, str | None]], reading: Reading) -> Iterator[Edit]:
    """The ROLs of the visit by role; those of procedures, insurances and the patient are not about it."""
    roles: dict[str, tuple[Concept | None, list[dict[str, object]]]] = {}
    for rol in _rols(pv1, reading):
        role = take(_role_code, rol, 3, reading) or None
        code = next(iter(codes_of(role)), "")
        _, members = roles.setdefault(code, (role, []))
        if rol.get(2).strip().upper() == "DE":
            continue
        for one in united(take(people, rol, 4, reading) or ()):
            if (ROL_ROLES.get(code, code), one.display) not in named:
                members.append(actor(one, reading))
    for code, (role, members) in roles.items():
        yield _staff(f"ROL-{code}", role, members)


AFTER_THE_VISIT: Final = frozenset({"PID", "PR1", "IN1", "GT1", "MRG"})


def _rols(pv1: Segment, reading: Reading) -> Iterator[Segment]:
    if "ROL" not in reading.message.named:
        return
    for segment in reading.message.segments[pv1.number :]:
        if segment.name in AFTER_THE_VISIT:
            return
        if segment.name == "ROL":
            yield segment


def zone_of(pv1: Segment, reading: Reading) -> ZoneInfo | None:
    """The zone of the place in PV1-3, else the feed's (DOMAIN 2.10)."""
    zones = reading.profile.location_zones
    place = take(spot, pv1, 3, reading) if zones else None
    parts = (place.point_of_care, place.facility, place.building) if place else ()
    known = next((zones[part] for part in parts if part and part in zones), None)
    return ZoneInfo(known) if known else reading.dialect.zone
