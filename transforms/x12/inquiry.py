"""The 270: what a payer is asked about one patient (005010X279A1; DOMAIN 4.3), written from an EligibilityCheck.

With a member id of their own a patient is asked for as the subscriber, even where another holds the insurance; else the
subscriber stands above as 2000C and the patient below as 2000D.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct

from canonical.datatypes import Concept, Identifier, Subscriber
from canonical.problems import Problem
from canonical.records import Coverage, EligibilityCheck, Patient

from .benefits import III, TRN
from .codes import X12
from .converters import code, concept, each, procedure, span, trace_number
from .parties import DMG, Who, write_named
from .profile import Key, Payer
from .rows import Row, Table
from .snip import Written, refused, sealed
from .writer import Line, Numbers

EQ: Final = Table("EQ", Row("service_types", 1, each(code("1365"))), Row("procedure", 2, procedure))
DTP: Final = Table("DTP", span("start", "end", (2, 3)), fixed={1: "291"})
PLAN: Final = concept("30", "1365")


class Inquiry(Struct, frozen=True, kw_only=True):
    """A check with those whom it is about. `reference` is BHT03; the trace is among the check's identifiers."""

    check: EligibilityCheck
    patient: Patient
    coverage: Coverage
    provider: Who | None = None
    reference: str
    search: int = 0  # which of the payer's searches: on AAA 75 the next one may find the member


def request(asked: Inquiry, payer: Payer, numbers: Numbers, at: datetime) -> Written:
    """The 270 as bytes; none, and what is wrong, where a payer would have to refuse it. `at` has an offset."""
    problems = list(_restrictions(asked, payer, at))
    if any(one.severity == "error" for one in problems):
        return refused(problems)
    local = at.astimezone(ZoneInfo(payer.zone))
    return sealed("270", list(_lines(asked, payer, local)), payer, numbers, local, problems)


def trace_of(identifiers: Sequence[Identifier], payer: Payer) -> Identifier | None:
    """Our own trace number among a record's identifiers."""
    system = trace_number("", payer.originator, payer).system
    return next((one for one in identifiers if one.system == system), None)


def _lines(asked: Inquiry, payer: Payer, at: datetime) -> Iterator[Line]:
    who = asked.provider or payer.provider
    yield ("BHT", "0022", "13", asked.reference, f"{at:%Y%m%d}", f"{at:%H%M}")
    yield ("HL", "1", "", "20", "1")
    yield ("NM1", "PR", "2", payer.name, "", "", "", "", payer.payer_qualifier, payer.payer_id)
    yield ("HL", "2", "1", "21", "1")
    yield write_named("1P", who, payer)
    holder = subscriber_of(asked.patient, asked.coverage, asked.check.subscriber)
    below = is_dependent(asked.coverage, holder, payer)
    yield ("HL", "3", "2", "22", "1" if below else "0")
    if below:
        yield from _person("IL", holder, asked, payer)
        yield ("HL", "4", "3", "23", "0")
        yield from _trace(asked, payer)
        yield from _person("03", asked.patient, asked, payer)
    else:
        yield from _trace(asked, payer)
        yield from _person("IL", asked.patient, asked, payer)
    yield from _questions(asked, payer)


def subscriber_of(patient: Patient, coverage: Coverage, said: Subscriber | None = None) -> Subscriber:
    """Who holds the insurance: as was said, else the patient."""
    if (known := said or coverage.subscriber) and known.name:
        return known
    return Subscriber(name=next(iter(patient.names), None), birth_date=patient.birth_date, gender=patient.gender)


def is_dependent(coverage: Coverage, holder: Subscriber, payer: Payer) -> bool:
    """Whether the patient has to be asked for beneath the subscriber."""
    relationship = {one.code for one in coverage.relationship.codings} if coverage.relationship else {"18"}
    return not payer.members_only and relationship.isdisjoint(("18", "SEL", "self")) and holder.name is not None


def member_of(coverage: Coverage, payer: Payer) -> Identifier | None:
    """The member id: the payer's own number, or the subscriber id."""
    found = next((one for one in coverage.identifiers if one.type == "MB" and one.use != "old"), None)
    value = found.value if found else coverage.subscriber_id
    return Identifier(value=value, system=payer.members, type="MB") if value else None


def _trace(asked: Inquiry, payer: Payer) -> Iterator[Line]:
    if (trace := trace_of(asked.check.identifiers, payer)) is not None:
        yield TRN.write({"side": "1", "identifier": trace}, payer)


def _person(role: str, who: Patient | Subscriber, asked: Inquiry, payer: Payer) -> Iterator[Line]:
    keys: Sequence[Key] = payer.searches[asked.search]
    member = member_of(asked.coverage, payer) if role == "IL" and "member" in keys else None
    yield write_named(role, who, payer, member, named="name" in keys)
    born = {"birth_date": who.birth_date, "gender": who.gender if who.gender in ("male", "female") else None}
    if "birth_date" in keys and len(who.birth_date or "") >= 10:
        yield DMG.write(born, payer)
    about_patient = role != "IL" or not is_dependent(asked.coverage, _holder(asked), payer)
    if about_patient and asked.check.start:
        yield DTP.write({"start": asked.check.start, "end": asked.check.end}, payer)


def _holder(asked: Inquiry) -> Subscriber:
    return subscriber_of(asked.patient, asked.coverage, asked.check.subscriber)


def _questions(asked: Inquiry, payer: Payer) -> Iterator[Line]:
    """One EQ with all service types, and one for each procedure; without either the plan as such."""
    check = asked.check
    if check.service_types or not check.procedures:
        yield EQ.write({"service_types": check.service_types or (PLAN,)}, payer)
        yield from _place(check.place_of_service, payer)
    for one in check.procedures:
        yield EQ.write({"procedure": one}, payer)
        yield from _place(check.place_of_service, payer)


def _place(place: Concept | None, payer: Payer) -> Iterator[Line]:
    if place and place.codings:
        yield III.write({"place": place}, payer)


def _restrictions(asked: Inquiry, payer: Payer, at: datetime) -> Iterator[Problem]:
    """What this payer does not take, or nobody would: told before anything is sent."""
    keys = payer.searches[asked.search]
    if "member" in keys and member_of(asked.coverage, payer) is None:
        yield _missing("2100C/NM1-09", "the coverage has no member id", "coverage")
    if "birth_date" in keys and len(asked.patient.birth_date or "") < 10:
        yield _missing("2100C/DMG-02", "the patient has no full date of birth", "patient")
    if trace_of(asked.check.identifiers, payer) is None:
        yield _missing("2000C/TRN-02", "the check has no trace number of ours", "identifiers")
    if asked.provider is None and payer.provider is None:
        yield _missing("2100B/NM1", "nobody is named who asks", "provider")
    if len(asked.check.service_types) > payer.most_service_types:
        detail = f"this payer takes {payer.most_service_types} service types at once"
        yield Problem(code="X12-PARTNER", path="2110C/EQ-01", detail=detail, severity="error", field="service_types")
    yield from _too_far(asked.check.start, payer, at)


def _too_far(day: str | None, payer: Payer, at: datetime) -> Iterator[Problem]:
    if day is None or len(day) < 10:
        return
    today = at.astimezone(ZoneInfo(payer.zone)).date()
    first = today - timedelta(days=payer.days_back) if payer.days_back is not None else None
    last = today + timedelta(days=payer.days_ahead) if payer.days_ahead is not None else None
    if (first and day[:10] < first.isoformat()) or (last and day[:10] > last.isoformat()):
        detail = "this payer does not answer for a day that is so far away"
        yield Problem(code="X12-PARTNER", path="2100C/DTP-03", detail=detail, severity="error", field="start")


def _missing(path: str, detail: str, field: str) -> Problem:
    return Problem(code="required-field-missing", path=path, detail=detail, severity="error", field=field)


def service_type_codes(check: EligibilityCheck) -> list[str]:
    """The service types that a check asks about; the plan as such where it asks for nothing else."""
    found = [coding.code for one in check.service_types for coding in one.codings if coding.system in (None, X12_1365)]
    return found or ([] if check.procedures else ["30"])


X12_1365: Final = f"{X12}1365"
