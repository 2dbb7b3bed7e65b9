"""Canonical values as HL7 data types (2.5.1 ch. 2.A): what `converters`, `identity` and `people` read, written.

Fields are written with the usual delimiters. Numbers go out under the receiver's own names for their authorities; what
its registry does not name goes by its universal id, so that nobody takes one house's numbers for another's.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from canonical.datatypes import Address, Coding, Concept, Identifier, Name, Telecom
from canonical.records import Location, Provider, Record

from .authority import NPI, SSN
from .codes import CODING_SYSTEMS, V2_TABLE
from .delimiters import STANDARD
from .escapes import escape
from .profile import Profile

Write = Callable[[Any, "Writing"], str]

GENDERS: Final = {"female": "F", "male": "M", "other": "O", "unknown": "U"}
NAME_TYPES: Final = {
    **{"official": "L", "usual": "D", "maiden": "M", "nickname": "N", "old": "A", "anonymous": "S"},
}
ADDRESS_TYPES: Final = {"home": "H", "work": "B", "temp": "C", "old": "BA", "billing": "BI"}
TELECOM_USES: Final = {"home": "PRN", "work": "WPN", "temp": "VHN", "mobile": "PRS"}
EQUIPMENT: Final = {"phone": "PH", "fax": "FX", "pager": "BP", "other": "MD"}
SYSTEM_NAMES: Final = {uri: name for name, uri in reversed(CODING_SYSTEMS.items())}  # the first name of each
BREAK: Final = f"{STANDARD.escape}.br{STANDARD.escape}"
_OID: Final = re.compile(r"[0-2](\.(0|[1-9]\d*))+", re.ASCII)
_LINE: Final = re.compile(r"\r\n|\r|\n")


class Writing:
    """One message being written for one receiver; `records` are those that it names."""

    def __init__(self, profile: Profile, records: Mapping[str, Record], zone: ZoneInfo | None) -> None:
        self.profile = profile
        self.records = records
        self.zone = zone
        self.urn = f"urn:x-{profile.tenant}:{profile.feed}:"
        self.names = {one.system: name for name, one in reversed(profile.authorities.items())}

    def knows(self, number: Identifier) -> bool:
        """Whether the receiver knows the authority of a number."""
        return number.system in self.names


def leaf(text: str | None) -> str:
    """Text as a leaf; a line break as `\\.br\\`."""
    return BREAK.join(escape(line, STANDARD) for line in _LINE.split(text)) if text else ""


def composed(*parts: str) -> str:
    """Components of a field, without empty ones at the end."""
    return STANDARD.component.join(parts).rstrip(STANDARD.component)


def repeated(write: Write, values: Sequence[Any], writing: Writing) -> str:
    """Each value as a repetition."""
    return STANDARD.repetition.join(text for one in values if (text := write(one, writing)))


def plain(value: object, _: Writing) -> str:
    """ST, NM, ID."""
    return leaf(str(value))


def flag(value: bool, _: Writing) -> str:
    """Table 0136."""
    return "Y" if value else "N"


def gender(value: str, _: Writing) -> str:
    """Table 0001."""
    return GENDERS.get(value, "U")


def day(value: str, _: Writing) -> str:
    """DT, as precise as it is known."""
    return value.replace("-", "")


def moment(value: str, writing: Writing) -> str:
    """DTM: the wall clock of the place with its offset then; without a zone it is UTC's."""
    at = datetime.fromisoformat(value)
    at = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(writing.zone or UTC)
    if (offset := at.utcoffset()) and offset.total_seconds() % 60:  # of an age that counted in seconds
        at = at.astimezone(UTC)
    fraction = f".{at.microsecond:06}".rstrip("0") if at.microsecond else ""
    return f"{at.year:04}{at:%m%d%H%M%S}{fraction}{at:%z}"


def day_or_moment(value: str, writing: Writing) -> str:
    """A date, or an instant."""
    return moment(value, writing) if "T" in value else day(value, writing)


# Authorities and numbers


def authority(system: str, writing: Writing) -> tuple[str, str, str]:
    """An authority as the parts of an HD: the receiver's own name for it, else its universal id."""
    if name := writing.names.get(system):
        parts = name.split("&")
        if len(parts) == 3:
            return parts[0], parts[1], parts[2]
        return ("", name, "ISO") if _OID.fullmatch(name) else (name, "", "")
    if system == NPI:
        return "NPI", "2.16.840.1.113883.4.6", "ISO"
    if system.startswith(writing.urn):
        return unquote(system[len(writing.urn) :]), "", ""
    for begin, scheme in (("urn:oid:", "ISO"), ("urn:uuid:", "UUID")):
        if system.startswith(begin):
            return "", system[len(begin) :], scheme
    return ("", system, "URI") if ":" in system else (system, "", "")


def held(system: str, writing: Writing) -> str:
    """An HD as a component."""
    return STANDARD.subcomponent.join(map(leaf, authority(system, writing))).rstrip(STANDARD.subcomponent)


def entity(one: Identifier, writing: Writing) -> str:
    """EI."""
    return composed(leaf(one.value), *map(leaf, authority(one.system, writing)))


def identifier(one: Identifier, writing: Writing) -> str:
    """CX."""
    period = (day(text, writing) if text else "" for text in (one.start, one.end))
    return composed(leaf(one.value), "", "", held(one.system, writing), leaf(one.type), "", *period)


def numbers(
    own: Sequence[Identifier], record: Record | None, writing: Writing, instead: bool = True
) -> list[Identifier]:
    """The numbers to send: those of authorities that the receiver knows; where it knows none of them, the own ones.

    A social security number goes to those alone whose registry names its authority.
    """
    every = list(dict.fromkeys((*own, *(record.identifiers if record else ()))))
    current = [one for one in _each_once(every) if one.use != "old"]
    known = [one for one in current if writing.knows(one) or one.system == NPI]
    if known or not instead:
        return known
    return [one for one in (own or current) if one.system != SSN]


def _each_once(found: Iterable[Identifier]) -> list[Identifier]:
    """Each number once, however it was written."""
    return list({(one.system, one.value): one for one in reversed([*found])}.values())[::-1]


# Codes


def concept(one: Concept, writing: Writing) -> str:
    """CWE: two codings at most, and the text where it is not that of a code."""
    if not one.codings:
        return composed("", leaf(one.text))
    both = one.codings[:2]
    shown = next((coding.display for coding in both if coding.display), None)
    parts = [part for coding in both for part in _coding(coding, writing)]
    own = "" if one.text == shown else leaf(one.text)
    return composed(*parts, *[""] * (8 - len(parts)), own)


def _coding(one: Coding, writing: Writing) -> tuple[str, str, str]:
    return leaf(one.code), leaf(one.display), leaf(system_name(one.system, writing)) if one.system else ""


def system_name(system: str, writing: Writing) -> str:
    """A coding system as table 0396 or the receiver calls it."""
    if known := SYSTEM_NAMES.get(system):
        return known
    if system.startswith(V2_TABLE):
        return f"HL7{system[len(V2_TABLE) :]}"
    if system.startswith(writing.urn):
        return system[len(writing.urn) :]
    return system.removeprefix("urn:oid:")


# People and places


def name(one: Name, _: Writing) -> str:
    """XPN."""
    return composed(*_name(one), NAME_TYPES.get(one.use or "", ""))


def _name(one: Name) -> tuple[str, ...]:
    """What XPN and XCN have in common: family, given, further, suffix, prefix, degree."""
    first, *further = one.given or ("",)
    return tuple(map(leaf, (one.family, first, " ".join(further), one.suffix, one.prefix, one.degree)))


def person(number: Identifier | None, called: Name | None, writing: Writing) -> str:
    """XCN."""
    value, by, kind = (leaf(number.value), held(number.system, writing), leaf(number.type)) if number else ("", "", "")
    use = NAME_TYPES.get(called.use or "", "") if called else ""
    return composed(value, *(_name(called) if called else ("",) * 6), "", by, use, "", "", kind)


def people(own: Sequence[Identifier], called: Name | None, writing: Writing) -> str:
    """One person: a repetition for each number."""
    return STANDARD.repetition.join(person(one, called, writing) for one in own) or person(None, called, writing)


def called(record: Record | None, display: str | None) -> Name | None:
    """What a person is called: by the record, else all of it as the family name."""
    if isinstance(record, Provider) and record.names:
        return record.names[0]
    return Name(family=display, use="official") if display else None


def address(one: Address, _: Writing) -> str:
    """XAD."""
    lines = (*one.lines[:3], "", "", "")[:3]
    kind = ADDRESS_TYPES.get(one.use or "", "M" if one.type == "postal" else "")
    place = (one.city, one.state, one.postal_code, one.country)
    return composed(leaf(lines[0]), leaf(lines[1]), *map(leaf, place), kind, leaf(lines[2]), leaf(one.district))


def telecom(one: Telecom, _: Writing) -> str:
    """XTN; what the standard has no word for is left out."""
    if one.system == "email":
        return composed("", "NET", "Internet", leaf(one.value))
    equipment = "CP" if one.use == "mobile" and one.system == "phone" else EQUIPMENT.get(one.system)
    return composed(leaf(one.value), TELECOM_USES.get(one.use or "", ""), equipment) if equipment else ""


def place(record: Record | None, display: str | None) -> str:
    """PL: the whole tuple, or in words."""
    if not isinstance(record, Location):
        return composed(*[""] * 8, leaf(display))
    inner = (record.point_of_care, record.room, record.bed, record.facility, record.operational_status)
    return composed(*map(leaf, inner), "", *map(leaf, (record.building, record.floor, record.description)))


def segment(name: str, fields: Mapping[int, str]) -> str:
    """A segment of these fields, by their number."""
    last = max((index for index, text in fields.items() if text), default=0)
    return STANDARD.field.join([name, *(fields.get(index, "") for index in range(1, last + 1))])


@lru_cache(maxsize=256)
def zone(name: str | None) -> ZoneInfo | None:
    """A zone by its name."""
    return ZoneInfo(name) if name else None
