"""Names, addresses, ways to reach someone, persons and places as canonical values (XPN, XAD, XTN, XCN, PL).

Staff and places repeat across messages and are remembered; what is a patient's own is not.
"""

from collections.abc import Callable, Sequence
from typing import Final

from msgspec.structs import replace

from canonical.datatypes import Address, Identifier, Name, Telecom

from .actors import Person, Spot
from .authority import NPI, Home, home, npi_is_valid, system
from .codes import ADDRESS_TYPES, ADDRESS_USES, NAME_USES, TELECOM_SYSTEMS, TELECOM_USES
from .converters import complain_of_escapes, repeated
from .dialect import Dialect
from .memory import remembered
from .reading import Reading

PL: Final = {  # the components of a place, by the field of a location that each fills
    "point_of_care": 1,
    "room": 2,
    "bed": 3,
    "facility": 4,
    "operational_status": 5,
    "building": 7,
    "floor": 8,
    "description": 9,
}


def name(text: str, reading: Reading) -> Name | None:
    """XPN. A name without a type is the official one (table 0200)."""
    dialect = reading.dialect
    if dialect.escape in text:
        complain_of_escapes(text, reading)
    parts = text.split(dialect.component)
    size = len(parts)
    kind = parts[6].strip().upper() if size > 6 else ""
    return _name(
        dialect.first(parts[0]),
        dialect.leaf(parts[1]) if size > 1 else None,
        dialect.leaf(parts[2]) if size > 2 else None,
        dialect.leaf(parts[3]) if size > 3 else None,
        dialect.leaf(parts[4]) if size > 4 else None,
        dialect.leaf(parts[5]) if size > 5 else None,
        NAME_USES.get(kind) if kind else "official",
    )


def _name(
    family: str | None,
    given: str | None,
    further: str | None,
    suffix: str | None,
    prefix: str | None,
    degree: str | None,
    use: str | None,
) -> Name | None:
    if not (family or given or further):
        return None
    first = (given,) if given else ()
    both = (*first, *further.split()) if further else first
    return Name(family=family, given=both, prefix=prefix, suffix=suffix, degree=degree, use=use)


names = repeated(name)


def address(text: str, reading: Reading) -> Address | None:
    """XAD: XAD-1 may hold the street alone or in three parts (SAD)."""
    dialect = reading.dialect
    if dialect.escape in text:
        complain_of_escapes(text, reading)
    parts = dialect.leaves(text, 9)
    street = " ".join(
        part for one in text.partition(dialect.component)[0].split(dialect.subcomponent) if (part := dialect.leaf(one))
    )
    lines = tuple(line for line in (street, parts[1], parts[7]) if line)
    place = parts[2:6]
    if not lines and not any(place):
        return None
    kind = (parts[6] or "").upper()
    return Address(
        lines=lines,
        city=parts[2],
        district=parts[8],
        state=parts[3],
        postal_code=parts[4],
        country=parts[5],
        use=ADDRESS_USES.get(kind),
        type=ADDRESS_TYPES.get(kind),
    )


addresses = repeated(address)


def telecom_at(place: str | None) -> Callable[[str, Reading], Telecom | None]:
    """The converter of an XTN in a field whose numbers are used at home or at work, where XTN-2 does not say."""

    def telecom(text: str, reading: Reading) -> Telecom | None:
        return _telecom(text, place, reading)

    return telecom


def _telecom(text: str, place: str | None, reading: Reading) -> Telecom | None:
    """XTN: an address in XTN-4, a number in parts (XTN-5 to -8), as typed (XTN-1), or unformatted (XTN-12)."""
    dialect = reading.dialect
    if dialect.escape in text:
        complain_of_escapes(text, reading)
    typed, use, kind, online, country, area, number, extension, _, _, _, plain = dialect.leaves(text, 12)[:12]
    equipment, purpose = (kind or "").upper(), (use or "").upper()
    system = TELECOM_SYSTEMS.get(equipment) or (
        "email" if purpose == "NET" else "pager" if purpose == "BPN" else "phone"
    )
    value = typed or online or plain
    if system == "email" or (online and "@" in online):
        system, value = "email", online or typed
    elif number:
        value = " ".join(part for part in (country and f"+{country.lstrip('+')}", area, number) if part)
        value += f" ext. {extension}" if extension else ""
    if not value:
        return None
    known = "mobile" if equipment == "CP" else TELECOM_USES.get(purpose)
    return Telecom(system=system, value=value, use=known or (place if system != "email" else None))


telecom = telecom_at(None)
telecoms = repeated(telecom)
home_telecoms, work_telecoms = repeated(telecom_at("home")), repeated(telecom_at("work"))


def person(text: str, reading: Reading) -> Person | None:
    """XCN: a number with its authority, and a name. The check digit of an NPI is looked at, never enforced."""
    dialect = reading.dialect
    parts = text.split(dialect.component)
    if dialect.escape in text:
        complain_of_escapes(text, reading)
    value = dialect.leaf(parts[0])
    if value is None:
        return _person(text, None, dialect)
    held = parts[8] if len(parts) > 8 else ""
    kind = dialect.leaf(parts[12]) if len(parts) > 12 else None
    namespace, universal, scheme = (*held.split(dialect.subcomponent, 2), "", "")[:3]
    by = system(namespace, universal, scheme, reading, kind)
    if by.system == NPI and not npi_is_valid(value):
        reading.complain("DQ-NPI-CHECK", "the number is not a valid National Provider Identifier")
    original = None if isinstance(by, Home) else by.original
    return _person(text, Identifier(value=value, system=by.system, type=kind, original=original), dialect)


def _person(text: str, identifier: Identifier | None, dialect: Dialect) -> Person | None:
    parts = dialect.leaves(text, 10)
    family = dialect.first(text.split(dialect.component)[1]) if parts[1] else None
    use = NAME_USES.get((parts[9] or "L").upper())
    called = _name(family, parts[2], parts[3], parts[4], parts[5], parts[6], use)
    if not identifier and not called:
        return None
    shown = (
        " ".join(part for part in (called.prefix, *called.given, called.family, called.suffix) if part)
        if called
        else None
    )
    return Person(identifiers=(identifier,) if identifier else (), name=called, display=shown)


people = remembered(repeated(person))


class Roll:
    """Persons of one message, found again by any number, or by name where one of the two mentions has no number."""

    __slots__ = ("_named", "_numbers", "_unnumbered")

    def __init__(self, *persons: Person) -> None:
        self._numbers: dict[tuple[str, str], int] = {}
        self._named: dict[tuple[str, ...], int] = {}
        self._unnumbered: dict[tuple[str, ...], int] = {}
        for place, one in enumerate(persons):
            self.add(one, place)

    def add(self, one: Person, place: int) -> None:
        """Another mention of the person at this place; the first to claim a number or a name keeps it."""
        for held in one.identifiers:
            self._numbers.setdefault((held.system, held.value), place)
        if one.name is not None:
            called = _called(one.name)
            self._named.setdefault(called, place)
            if not one.identifiers:
                self._unnumbered.setdefault(called, place)
            elif self._unnumbered.get(called) == place:
                del self._unnumbered[called]

    def find(self, one: Person) -> int | None:
        """The place of the person whom this mention is of."""
        named = self._unnumbered if one.identifiers else self._named
        found = [self._numbers.get((held.system, held.value)) for held in one.identifiers]
        found.append(named.get(_called(one.name)) if one.name is not None else None)
        return min((place for place in found if place is not None), default=None)


def _called(name: Name) -> tuple[str, ...]:
    return tuple(part.casefold() for part in (name.family or "", *name.given[:1]))


def united(mentions: Sequence[Person]) -> list[Person]:
    """Repetitions that name one person, as that person with all the numbers."""
    if len(mentions) < 2:
        return [*mentions]
    roll, found, numbers = Roll(), list[Person](), list[dict[Identifier, None]]()
    named: dict[Name, int] = {}
    for one in mentions:
        places = (roll.find(one), named.get(one.name) if one.name is not None else None)
        at = min((place for place in places if place is not None), default=len(found))
        if at == len(found):
            found.append(one)
            numbers.append({})
        numbers[at].update(dict.fromkeys(one.identifiers))
        roll.add(one, at)
        if one.name is not None:
            named.setdefault(one.name, at)
    return [replace(one, identifiers=tuple(held)) for one, held in zip(found, numbers, strict=True)]


def spot(text: str, reading: Reading) -> Spot | None:
    """PL: a place by its whole tuple; without a facility it belongs to the sender's."""
    if reading.dialect.escape in text:
        complain_of_escapes(text, reading)
    dialect = reading.dialect
    raw = [*text.split(dialect.component), *[""] * 9]
    care, room, bed, facility, status, kind, building, floor, description = (dialect.first(part) for part in raw[:9])
    if not any((care, room, bed, facility, building, floor, description)):
        return None
    place = (facility or home(dialect).name, building, floor, care, room, bed)
    inner = (care, room, bed)
    key = "/".join((part or "").replace("/", "%2F") for part in place) + (
        "" if any(place[1:]) else f"/{description or ''}"
    )
    shown = description or " ".join(part for part in (inner if any(inner) else (facility, building, floor)) if part)
    return Spot(
        identifier=Identifier(value=key, system=f"urn:x-{dialect.profile.tenant}:location"),
        display=shown,
        facility=facility,
        building=building,
        floor=floor,
        point_of_care=care,
        room=room,
        bed=bed,
        status=status,
        type=kind,
        description=description,
    )


spots = remembered(repeated(spot))
