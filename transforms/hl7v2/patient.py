"""PID, PD1 and NK1 as what they say about a patient (2.5.1 ch. 3.4; DOMAIN 2.4).

People are matched by the numbers of PID-3 alone: a member number names a coverage and an SSN proves nothing.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final, TypeVar

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from canonical.datatypes import Address, Contact, Identifier, Name, Telecom
from canonical.patches import Patch, Said
from canonical.records import Patient

from .authority import SSN
from .belonging import about
from .changes import changed
from .codes import MEMBER_TYPES
from .converters import coded, flag, gender, integer, repeated, text
from .er7 import Segment
from .identity import identifiers
from .instants import date_time_or_date, instant, partial_date
from .memory import Memory
from .people import addresses, home_telecoms, names, people, telecoms, work_telecoms
from .resources import refer
from .rows import Reading, Row, Rule, Table, take

ACTIVE: Final = Said(status="active", weak=True)
T = TypeVar("T")


def birth_time(text: str, reading: Reading) -> str | None:
    """The instant of birth, where PID-7 is more than a date."""
    return instant(text, reading) if len(text) > 8 else None


def all_names(segment: Segment, reading: Reading) -> tuple[Name, ...] | UnsetType:
    """PID-5, then PID-9 as names no longer in use."""
    known = take(names, segment, 5, reading)
    aliases = take(names, segment, 9, reading)
    if not aliases:
        return known or () if known is not UNSET else UNSET
    return (*_values(known), *(replace(one, use="old") for one in _values(aliases)))


def all_addresses(segment: Segment, reading: Reading) -> tuple[Address, ...] | UnsetType:
    """PID-11, with the county of PID-12 where an older sender put it there."""
    known = take(addresses, segment, 11, reading)
    if known is UNSET:
        return UNSET
    county = take(text, segment, 12, reading)
    if not county:
        return known or ()
    return tuple(one if one.district else replace(one, district=county) for one in known or ())


def all_telecoms(segment: Segment, reading: Reading) -> tuple[Telecom, ...] | UnsetType:
    """PID-13 at home and PID-14 at work, unless XTN-2 says otherwise; PID-40 from 2.7 on."""
    home = take(home_telecoms, segment, 13, reading)
    work = take(work_telecoms, segment, 14, reading)
    more = take(telecoms, segment, 40, reading)
    if work is UNSET and more is UNSET:
        return home or () if home is not UNSET else UNSET
    return tuple(dict.fromkeys((*_values(home), *_values(work), *_values(more))))


def practitioners(segment: Segment, reading: Reading) -> tuple[str, ...] | UnsetType:
    """PD1-4 as references to providers."""
    known = take(people, segment, 4, reading)
    if known is UNSET:
        return UNSET
    at = reading.at
    references = [refer(one, at, reading) for one in _values(known)]
    return tuple(reference for reference in references if reference)


def _values(known: Sequence[T] | UnsetType | None) -> Sequence[T]:
    return known or ()


PID = Table(
    "PID",
    Patient,
    Row("birth_date", "PID-7", partial_date),
    Row("birth_time", "PID-7", birth_time),
    Row("gender", "PID-8", gender),
    Row("gender_original", "PID-8", coded("0001")),
    Row("races", "PID-10", repeated(coded("0005"))),
    Row("languages", "PID-15", repeated(coded("0296"))),
    Row("marital_status", "PID-16", coded("0002")),
    Row("religion", "PID-17", coded("0006")),
    Row("accounts", "PID-18", identifiers),
    Row("ethnicities", "PID-22", repeated(coded("0189"))),
    Row("birth_place", "PID-23", text),
    Row("multiple_birth", "PID-24", flag),
    Row("birth_order", "PID-25", integer),
    Row("deceased_at", "PID-29", date_time_or_date),
    Row("deceased", "PID-30", flag),
    Row("identity_unknown", "PID-31", flag),
    Row("identity_reliability", "PID-32", repeated(coded("0445"))),
    Rule("names", ("PID-5", "PID-9"), all_names),
    Rule("addresses", ("PID-11", "PID-12"), all_addresses),
    Rule("telecoms", ("PID-13", "PID-14", "PID-40"), all_telecoms),
)
DOCTOR = Table("PD1", Patient, Rule("general_practitioners", ("PD1-4",), practitioners))
PD1 = Table(
    "PD1",
    Patient,
    Row("publicity", "PD1-11", coded("0215")),
    Row("protection", "PD1-12", flag),
)


_relationship, _contact_role = coded("0063"), coded("0131")


def contacts(segment: Segment, reading: Reading) -> tuple[Contact, ...]:
    """Every NK1 of this patient, in the sender's order."""
    return tuple(one for nk1 in about(reading, segment, "NK1") if (one := _contact(nk1, reading)))


def _contact(nk1: Segment, reading: Reading) -> Contact | None:
    called = _values(take(names, nk1, 2, reading))
    home = take(addresses, nk1, 4, reading)
    relationship, role = take(_relationship, nk1, 3, reading), take(_contact_role, nk1, 7, reading)
    if not called and not relationship:
        return None
    codings = role.codings if role else ()
    return Contact(
        role=codings[0].code if codings else "N",
        name=called[0] if called else None,
        relationship=relationship or None,
        telecoms=(
            *_values(take(home_telecoms, nk1, 5, reading)),
            *_values(take(work_telecoms, nk1, 6, reading)),
        ),
        address=next(iter(_values(home)), None),
        identifiers=tuple(_values(take(identifiers, nk1, 33, reading))),
    )


NK1 = Table(
    "NK1",
    Patient,
    Rule("contacts", tuple(f"NK1-{index}" for index in (2, 3, 4, 5, 6, 7, 33)), contacts),
)
TABLES = (PID, PD1, DOCTOR, NK1)


Demographics = tuple[tuple[Identifier, ...], tuple[Identifier, ...], dict[str, object]]

_DAY = 86_400_000_000
_memory: Memory[Demographics] = Memory(4096)


def patient(reading: Reading, pid: Segment, event: str | None = None, said: Said = ACTIVE) -> Patch | None:
    """What a PID and the segments that belong to it say about a patient; None for one whom no number names."""
    problems, traced = len(reading.problems), len(reading.trace or ())
    anchors, also, fields = demographics(pid, reading)
    if not anchors:
        return None
    fields = dict(fields)  # those that are remembered stay as they are
    if pd1 := about(reading, pid, "PD1"):
        DOCTOR.read(pd1[0], reading, fields)
    changed("patient", pid, reading, fields)
    if said.weak and reading.trace is not None:
        reading.used("status", named_at(pid), "patient")
    reading.number(len(reading.cast.patches), traced)
    return Patch(
        type="patient",
        anchors=anchors,
        also=also,
        fields=fields,
        said=said,
        event=event,
        problems=reading.wrong(problems),
    )


def named_at(pid: Segment) -> str:
    """Where it stands who the patient is: PID-3, else PID-2 or PID-4, else the name alone."""
    index = next((one for one in (3, 2, 4) if pid.get(one)), 5)
    return f"{pid.path}-{index}"


def digest(one: Identifier) -> str:
    """What stands for a number where the number itself must not."""
    return blake2b(f"{one.system}|{one.value}".encode(), digest_size=16).hexdigest()


def demographics(pid: Segment, reading: Reading) -> Demographics:
    """Numbers and fields of a patient. Several messages a day are about the same one, word for word."""
    pd1, nk1 = about(reading, pid, "PD1"), about(reading, pid, "NK1")
    if pid.repeated:
        return _demographics(pid, pd1, nk1, reading)
    separator = reading.delimiters.field
    words = separator.join(separator.join(segment.fields) for segment in (pid, *pd1, *nk1))
    key = (words, reading.dialect, reading.zone, reading.msh_offset, reading.received_at // _DAY)
    reading.at = ""
    return _memory.recall(key, reading, lambda: _demographics(pid, pd1, nk1, reading))


def _demographics(pid: Segment, pd1: Sequence[Segment], nk1: Sequence[Segment], reading: Reading) -> Demographics:
    anchors, also, fields = numbers(pid, reading)
    if anchors:
        PID.read(pid, reading, fields)
        if pd1:
            PD1.read(pd1[0], reading, fields)
        if nk1:
            NK1.read(pid, reading, fields)
    return anchors, also, fields


def numbers(pid: Segment, reading: Reading) -> Demographics:
    """The numbers that find a patient, those that only belong to one, and the member numbers as a field.

    PID-2 and PID-4, which are older than PID-3, find a patient only where PID-3 does not.
    """
    reading.field = "identifiers"
    listed = _values(take(identifiers, pid, 3, reading))
    external = _values(take(identifiers, pid, 2, reading))
    alternate = _values(take(identifiers, pid, 4, reading))
    anchors: list[Identifier] = []
    also: list[Identifier] = []
    members: list[Identifier] = []
    for one in listed:
        kind = one.type
        if kind in MEMBER_TYPES:
            members.append(one)
        else:
            (also if one.system == SSN or kind == "SS" else anchors).append(one)
    for older in (external, alternate):
        (also if anchors else anchors).extend(older)
    if ssn := take(text, pid, 19, reading):
        number = ssn.partition(reading.dialect.component)[0].replace("-", "")
        also.append(Identifier(value=number, system=SSN, type="SS"))
    if licence := take(text, pid, 20, reading):
        value, _, state = licence.partition(reading.dialect.component)
        issuer = state.partition(reading.dialect.component)[0].strip() or "unknown"
        also.append(Identifier(value=value, system=f"{reading.dialect.urn}licence:{issuer}", type="DL"))
    reading.field = None
    fields: dict[str, object] = {}
    if members:
        fields["coverage_members"] = tuple(members)
        reading.used("coverage_members", f"{pid.path}-3", "identifier")
    return tuple(anchors), tuple(dict.fromkeys(also)), fields
