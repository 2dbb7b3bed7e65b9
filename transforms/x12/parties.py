"""Who is named in a transaction (NM1 and what stands under it): payers, providers, subscribers, dependents."""

from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct

from canonical.datatypes import Address, Concept, Entity, Identifier, Name, Participant, Subscriber, Telecom
from canonical.records import Organization, Patient, Provider

from .codes import NPI, X12
from .converters import (
    code,
    code_of,
    concept,
    gender,
    read_birth,
    read_identifier,
    text,
    write_birth,
    write_identifier,
)
from .loops import Found, Node
from .profile import Payer
from .rows import Join, Reading, Row, Table
from .writer import Line

Who = Entity | Provider | Organization | Patient | Subscriber


class Named(Struct, frozen=True, kw_only=True):
    """NM1 as it stands: a person by name, or a body by its own, and one number."""

    role: Concept | None = None
    name: Name | None = None
    body: str | None = None
    identifier: Identifier | None = None


def _read_name(texts: Sequence[str], reading: Reading) -> tuple[Name | None, str | None]:
    """A person (1) has up to five names; anything else has one."""
    kind, last, first, middle, prefix, suffix = (one.strip() for one in texts)
    if kind != "1":
        return None, last or None
    given = tuple(one for one in (first, middle) if one)
    name = Name(family=last or None, given=given, prefix=prefix or None, suffix=suffix or None)
    return (name if last or given else None), None


def _write_name(values: Sequence[Any], payer: Payer) -> Sequence[str]:
    name, body = values
    if name is None:
        return ("2", body, "", "", "", "")
    first, middle = (*name.given, "", "")[:2]
    return ("1", name.family or "", first, middle, name.prefix or "", name.suffix or "")


NM1: Final = Table(
    "NM1",
    Row("role", 1, code("98")),
    Join(
        ("name", "body"),
        (2, 3, 4, 5, 6, 7),
        "name",
        "The names of a person, or the one of a body.",
        _read_name,
        _write_name,
    ),
    Join(
        ("identifier",),
        (8, 9),
        "identifier",
        "A number, whose kind stands before it.",
        read_identifier,
        write_identifier,
    ),
)
REF: Final = Table(
    "REF",
    Join(("identifier",), (1, 2), "identifier", "A further number.", read_identifier, write_identifier),
    Row("words", 3, text),
)
DMG: Final = Table(
    "DMG",
    Join(("birth_date",), (1, 2), "birth_date", "Date of birth.", read_birth, write_birth),
    Row("gender", 3, gender),
)


def _read_lines(texts: Sequence[str], reading: Reading) -> tuple[tuple[str, ...]]:
    return (tuple(one.strip() for one in texts if one.strip()),)


def _write_lines(values: Sequence[Any], payer: Payer) -> Sequence[str]:
    return (*(one.strip() for one in values[0][:2]), "", "")[:2]


N3: Final = Table("N3", Join(("lines",), (1, 2), "lines", "The street.", _read_lines, _write_lines))
N4: Final = Table(
    "N4", Row("city", 1, text), Row("state", 2, text), Row("postal_code", 3, text), Row("country", 4, text)
)
_MEANS: Final = {"TE": "phone", "FX": "fax", "EM": "email", "UR": "url", "CP": "phone", "HP": "phone", "WP": "phone"}


def _read_telecoms(texts: Sequence[str], reading: Reading) -> tuple[tuple[Telecom, ...]]:
    pairs = zip(texts[::2], texts[1::2], strict=True)
    return (tuple(Telecom(system=_MEANS.get(kind, "other"), value=value) for kind, value in pairs if value),)


def _write_telecoms(values: Sequence[Any], payer: Payer) -> Sequence[str]:
    kinds = {"phone": "TE", "fax": "FX", "email": "EM", "url": "UR"}
    known = [(kinds[one.system], one.value) for one in values[0] if one.system in kinds][:3]
    flat = [part for pair in known for part in pair]
    return (*flat, *[""] * (6 - len(flat)))


PER: Final = Table(
    "PER",
    Row("name", 2, text),
    Join(("telecoms",), (3, 4, 5, 6, 7, 8), "telecoms", "How to reach them.", _read_telecoms, _write_telecoms),
    fixed={1: "IC"},
)


def read_named(found: Found, reading: Reading, at: str) -> Named:
    """NM1 as it stands."""
    return Named(**NM1.read(found, reading, at))


def read_address(node: Node, reading: Reading, at: str) -> Address | None:
    """N3 and N4 of a loop together."""
    parts: dict[str, Any] = {}
    for name, table in (("N3", N3), ("N4", N4)):
        if found := node.first(name):
            parts |= table.read(found, reading, f"{at}address/")
    return Address(**parts) if parts else None


def read_entity(node: Node, reading: Reading, at: str) -> Entity:
    """A payer, provider or other whom a loop names."""
    named = read_named(node.opening, reading, at)
    identifiers = [named.identifier] if named.identifier else []
    for found in node.all("REF"):
        identifiers += [one] if (one := REF.read(found, reading, at).get("identifier")) else []
    telecoms = [one for found in node.all("PER") for one in PER.read(found, reading, at).get("telecoms", ())]
    return Entity(
        name=named.body or (display(named.name) if named.name else None),
        role=named.role,
        identifiers=tuple(identifiers),
        telecoms=tuple(telecoms),
        address=read_address(node, reading, at),
    )


def read_person(node: Node, reading: Reading, at: str) -> Subscriber:
    """A subscriber or dependent: NM1, REF, N3, N4, DMG."""
    named = read_named(node.opening, reading, at)
    further = [REF.read(found, reading, at).get("identifier") for found in node.all("REF")]
    found = node.first("DMG")
    born = DMG.read(found, reading, at) if found else {}
    return Subscriber(
        name=named.name,
        identifiers=tuple(one for one in (named.identifier, *further) if one),
        address=read_address(node, reading, at),
        **born,
    )


def display(name: Name) -> str:
    """A name as people write it."""
    parts = (name.prefix, *name.given, name.family, name.suffix)
    return " ".join(part for part in parts if part)


def write_named(role: str, who: Who | None, payer: Payer, number: Identifier | None = None, named: bool = True) -> Line:
    """NM1 in a role; without `number` by the best of the numbers that they have, without `named` by it alone."""
    number = number or _number(who, payer)
    name, body = _names(who) if named and who else (None, None)
    if payer.upper_case:
        name, body = _upper(name), body.upper() if body else None
    values = {"role": concept(role, "98"), "name": name, "body": body, "identifier": number}
    line = list(NM1.write(values, payer))
    line += [""] * (3 - len(line))
    line[2] = line[2] or ("1" if role in PERSONS else "2")
    return tuple(line)


def _names(who: Who) -> tuple[Name | None, str | None]:
    match who:
        case Entity() | Organization():
            return None, who.name
        case Subscriber():
            return who.name, None
        case Provider() if who.kind != "person":
            return None, next((one.family for one in who.names if one.family), None)
    return next(iter(who.names), None), None


def _upper(name: Name | None) -> Name | None:
    if name is None:
        return None
    return Name(
        family=name.family and name.family.upper(),
        given=tuple(one.upper() for one in name.given),
        prefix=name.prefix and name.prefix.upper(),
        suffix=name.suffix and name.suffix.upper(),
    )


def _number(who: Who | None, payer: Payer) -> Identifier | None:
    """The NPI where there is one, else whatever number comes first; of a person in care only the payer's own."""
    numbers = [one for one in who.identifiers if one.use != "old"] if who else []
    if isinstance(who, Patient | Subscriber):
        return next((one for one in numbers if one.system == payer.members), None)
    return next((one for one in numbers if one.system == NPI), numbers[0] if numbers else None)


def role_of(party: Participant) -> str:
    """Data element 98 of someone who takes part in an authorization: as it was said, else what HL7 and FHIR call it."""
    found = code_of(party.role, f"{X12}98")
    return HL7_ROLES.get(found, found)


HL7_ROLES: Final = {"RP": "DK", "RT": "SJ", "PP": "P3", "ATT": "71", "OPE": "72"}
PERSONS: Final = frozenset(("IL", "03", "QC"))
