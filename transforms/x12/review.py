"""The 278 request: what a payer is asked leave for (005010X217; DOMAIN 1.10, 4.4), written from an Authorization.

Every item is a service loop of its own with a trace of its own: the answer is taken apart by those, never by position.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from msgspec import Struct

from canonical.datatypes import (
    AuthorizationItem,
    Coding,
    Concept,
    Diagnosis,
    Participant,
    Subscriber,
    Telecom,
)
from canonical.problems import Problem
from canonical.records import Authorization, Coverage, Organization, Patient, Provider

from .benefits import TRN
from .codes import DIAGNOSES, ICD9, ICD10, X12
from .converters import (
    code,
    money,
    place,
    procedure_composite,
    procedure_system,
    quantity,
    span,
)
from .inquiry import is_dependent, member_of, subscriber_of, trace_of
from .parties import DMG, PER, Who, role_of, write_named
from .profile import Payer
from .rows import Join, Reading, Row, Table
from .snip import Written, refused, sealed
from .writer import Composite, Element, Line, Numbers

MOST_DIAGNOSES: Final = 12

UM: Final = Table(
    "UM",
    Row("category", 1, code("1525")),
    Row("certification_type", 2, code("1322")),
    Row("service_type", 3, code("1365")),
    Row("place_of_service", 4, place),
    Row("level_of_service", 6, code("1338")),
)


def read_diagnosis(text: str, reading: Reading) -> Diagnosis | None:
    """C022; ABK (BK) is the principal one."""
    qualifier, value = (*text.split(reading.delimiters.component), "", "")[:2]
    system, use = DIAGNOSES.get(qualifier, (f"{X12}1270/{qualifier}", None))
    if not value:
        return None
    dotted = f"{value[:3]}.{value[3:]}" if system in (ICD10, ICD9) and len(value) > 3 else value
    concept = Concept(codings=(Coding(code=dotted, system=system),))
    return Diagnosis(code=concept, use=use, rank=1 if qualifier in ("ABK", "BK") else None)


def write_diagnosis(value: Diagnosis, principal: bool) -> Composite:
    coding = next((one for one in value.code.codings if one.system in (ICD10, ICD9, None)), None)
    if coding is None:
        return ("", "")
    admitting = value.use == "admitting"
    old, new = ("BJ", "ABJ") if admitting else ("BK", "ABK") if principal else ("BF", "ABF")
    return (old if coding.system == ICD9 else new, coding.code.replace(".", ""))


def _read_diagnoses(texts: Sequence[str], reading: Reading) -> tuple[tuple[Diagnosis, ...]]:
    return (tuple(one for text in texts if (one := read_diagnosis(text, reading))),)


def _write_diagnoses(values: Sequence[Any], payer: Payer) -> Sequence[Element]:
    ranked = sorted(values[0], key=lambda one: (one.use == "admitting", one.rank or 99))[:MOST_DIAGNOSES]
    parts = [write_diagnosis(one, rank == 0) for rank, one in enumerate(ranked)]
    return (*parts, *[""] * (MOST_DIAGNOSES - len(parts)))


HI: Final = Table(
    "HI",
    Join(
        ("diagnoses",),
        tuple(range(1, MOST_DIAGNOSES + 1)),
        "diagnoses",
        "Diagnoses, the principal one first (C022).",
        _read_diagnoses,
        _write_diagnoses,
    ),
)


def _read_service(texts: Sequence[str], reading: Reading) -> tuple[Concept | None, tuple[Concept, ...]]:
    qualifier, value, *modifiers = (*texts[0].split(reading.delimiters.component), "", "")
    if not value:
        return None, ()
    codes = tuple(Concept(codings=(Coding(code=one, system=f"{X12}1339"),)) for one in modifiers[:4] if one)
    return Concept(codings=(Coding(code=value, system=procedure_system(qualifier, value)),)), codes


def _write_service(values: Sequence[Any], payer: Payer) -> Sequence[Element]:
    return (procedure_composite(values[0], values[1] or ()),)


_SERVICE: Final = ("code", "modifiers")
_WHAT: Final = "A procedure with its modifiers (C003)."
SV1: Final = Table(
    "SV1",
    Join(_SERVICE, (1,), "procedure", _WHAT, _read_service, _write_service),
    Row("charge", 2, money),
    quantity((3, 4), "355"),
)
SV2: Final = Table(
    "SV2",
    Join(_SERVICE, (2,), "procedure", _WHAT, _read_service, _write_service),
    Row("charge", 3, money),
    quantity((4, 5), "355"),
)
DTP: Final = Table("DTP", span("start", "end", (2, 3)), fixed={1: "472"})


class Review(Struct, frozen=True, kw_only=True):
    """An authorization with those whom it is about. `reference` is BHT03; `people` are the records of participants.

    The traces are among the identifiers of the authorization and of its items.
    """

    authorization: Authorization
    patient: Patient
    coverage: Coverage
    requester: Who | None = None
    contact: str = ""
    telecoms: tuple[Telecom, ...] = ()
    people: Mapping[str, Provider | Organization] = {}
    reference: str
    cancels: bool = False


def request(asked: Review, payer: Payer, numbers: Numbers, at: datetime) -> Written:
    """The 278 as bytes; none, and what is wrong, where a payer would have to refuse it. `at` has an offset."""
    problems = list(_restrictions(asked, payer))
    if problems:
        return refused(problems)
    local = at.astimezone(ZoneInfo(payer.zone))
    return sealed("278", _numbered(asked, payer, local), payer, numbers, local)


def _numbered(asked: Review, payer: Payer, at: datetime) -> list[Line]:
    wanted = asked.authorization
    said = wanted.requested_at
    when = datetime.fromisoformat(said).astimezone(at.tzinfo) if said else at
    holder = subscriber_of(asked.patient, asked.coverage)
    below = is_dependent(asked.coverage, holder, payer)
    lines: list[Line] = [
        ("BHT", "0007", "01" if asked.cancels else "13", asked.reference, f"{when:%Y%m%d}", f"{when:%H%M}"),
        ("HL", "1", "", "20", "1"),
        ("NM1", "X3", "2", payer.name, "", "", "", "", payer.payer_qualifier, payer.payer_id),
        ("HL", "2", "1", "21", "1"),
        *_requester(asked, payer),
        ("HL", "3", "2", "22", "1"),
        *_person("IL", holder if below else asked.patient, asked, payer),
    ]
    if below:
        lines += [("HL", "4", "3", "23", "1"), *_person("QC", asked.patient, asked, payer)]
    event = 5 if below else 4
    lines += [("HL", str(event), str(event - 1), "EV", "1" if wanted.items else "0"), *_event(asked, payer)]
    for number, item in enumerate(wanted.items, event + 1):
        lines += [("HL", str(number), str(event), "SS", "0"), *_item(item, asked, payer)]
    return lines


def _requester(asked: Review, payer: Payer) -> Iterator[Line]:
    yield write_named("1P", asked.requester or payer.provider, payer)
    if asked.telecoms:
        yield PER.write({"name": asked.contact or None, "telecoms": asked.telecoms}, payer)


def _person(role: str, who: Patient | Subscriber, asked: Review, payer: Payer) -> Iterator[Line]:
    yield write_named(role, who, payer, member_of(asked.coverage, payer) if role == "IL" else None)
    if len(who.birth_date or "") >= 10:
        yield DMG.write({"birth_date": who.birth_date, "gender": who.gender}, payer)


def _event(asked: Review, payer: Payer) -> Iterator[Line]:
    wanted = asked.authorization
    if (trace := trace_of(wanted.identifiers, payer)) is not None:
        yield TRN.write({"side": "1", "identifier": trace}, payer)
    yield UM.write(_common(wanted), payer)
    if wanted.start:
        yield ("DTP", "AAH", *_span(wanted.start, wanted.end, payer))
    if wanted.diagnoses:
        yield HI.write({"diagnoses": wanted.diagnoses}, payer)
    for party in wanted.participants:
        if (role := role_of(party)) in REVIEWED:
            yield write_named(role, _who(party, asked.people), payer)


def _span(start: str, end: str | None, payer: Payer) -> Sequence[Element]:
    return DTP.write({"start": start, "end": end}, payer)[2:]


def _common(wanted: Authorization) -> dict[str, Any]:
    """UM of the event: what the record says of itself, and what its first item says of the service."""
    first = wanted.items[0] if wanted.items else None
    return {
        "category": wanted.category,
        "certification_type": wanted.certification_type,
        "service_type": first.service_type if first else None,
        "place_of_service": first.place_of_service if first else None,
        "level_of_service": wanted.level_of_service,
    }


def _item(item: AuthorizationItem, asked: Review, payer: Payer) -> Iterator[Line]:
    if (trace := trace_of(item.identifiers, payer)) is not None:
        yield TRN.write({"side": "1", "identifier": trace}, payer)
    common = _common(asked.authorization)
    if (item.service_type, item.place_of_service) != (common["service_type"], common["place_of_service"]):
        own = {"service_type": item.service_type, "place_of_service": item.place_of_service}
        yield UM.write(common | own, payer)
    if item.start:
        yield DTP.write({"start": item.start, "end": item.end}, payer)
    if item.code:
        fields = ("code", "modifiers", "charge", "quantity")
        yield SV1.write({field: getattr(item, field) or None for field in fields}, payer)


def _who(party: Participant, people: Mapping[str, Provider | Organization]) -> Who | None:
    return people.get(party.actor) if party.actor else None


def _restrictions(asked: Review, payer: Payer) -> Iterator[Problem]:
    """What nobody could answer: told before anything is sent."""
    wanted = asked.authorization
    if member_of(asked.coverage, payer) is None:
        yield _missing("2010C/NM1-09", "the coverage has no member id", "coverage")
    if asked.requester is None and payer.provider is None:
        yield _missing("2010B/NM1", "nobody is named who asks", "participants")
    for field, path in (("category", "2000E/UM-01"), ("certification_type", "2000E/UM-02")):
        if getattr(wanted, field) is None:
            yield _missing(path, "a payer has to know it", field)
    if trace_of(wanted.identifiers, payer) is None:
        yield _missing("2000E/TRN-02", "the authorization has no trace number of ours", "identifiers")
    traces = [trace_of(item.identifiers, payer) for item in wanted.items]
    for number, (item, trace) in enumerate(zip(wanted.items, traces, strict=True), 1):
        loop = f"2000F[{number}]" if number > 1 else "2000F"
        if trace is None or traces.count(trace) > 1:
            yield _missing(f"{loop}/TRN-02", "the item has no trace number of its own", "items")
        if item.code and procedure_composite(item.code, ()) == ("", ""):
            yield _missing(f"{loop}/SV1-01", "the item has no code that a payer knows", "items")
    for party in wanted.participants:
        if role_of(party) in REVIEWED and _who(party, asked.people) is None:
            yield _missing("2010EA/NM1", "a participant's record is missing", "participants")


def _missing(path: str, detail: str, field: str) -> Problem:
    return Problem(code="required-field-missing", path=path, detail=detail, severity="error", field=field)


REVIEWED: Final = frozenset(["71", "72", "73", "77", "AAJ", "DD", "DK", "DN", "FA", "G3", "P3", "QB", "QV", "SJ"])
