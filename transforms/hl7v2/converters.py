"""HL7 data types (2.5.1 ch. 2.A) as canonical values: text, numbers, codes.

Each converter takes a field as it was sent and gives a value, None where nothing stands in it, or BadField. Times are
in `instants.py`, identifiers in `identity.py`, names, addresses, persons and places in `people.py`.
"""

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import TypeVar

from canonical.datatypes import Coding, Concept
from canonical.problems import Severity

from .codes import GENDERS, V2_TABLE, coding_system
from .dialect import NULL, Dialect
from .escapes import audible, unescape
from .reading import BadField, Reading
from .shapes import SHAPES, Coded, Repeated

T = TypeVar("T")
Complaint = tuple[str, str, Severity]

ESCAPE: Complaint = ("DQ-ESCAPE", "an escape sequence is unknown or never ends; it was kept as sent", "warning")
SILENCED: Complaint = ("DQ-ESCAPE", "an escape sequence stands for a control character; it was left out", "warning")
NOT_A_NUMBER = "not a whole number"
NOT_A_FLAG = "neither Y nor N"
UNKNOWN_CODE = "the code is in neither the table nor the feed's code map"


def text(text: str, reading: Reading) -> str | None:
    """ST, ID, IS: what a person reads, on one line or several."""
    dialect = reading.dialect
    if dialect.escape in text:
        text = complain_of_escapes(text, reading)
    text = text.strip()
    return text if text and text != NULL else None


note_text = text


def complain_of_escapes(text: str, reading: Reading) -> str:
    """Report a sequence that nobody understands, in a field that has escape characters; what the field means."""
    meant, understood = unescape(text, reading.delimiters, reading.dialect.charset)
    if not understood:
        reading.complain(*ESCAPE)
    heard = audible(meant)
    if heard != meant:
        reading.complain(*SILENCED)
    return heard


def integer(text: str, reading: Reading) -> int | None:
    """NM without a fraction; SI."""
    found = reading.dialect.leaf(text)
    try:
        return int(found) if found else None
    except ValueError:
        raise BadField("data-type-error", NOT_A_NUMBER) from None


def number(text: str, reading: Reading) -> Decimal | None:
    """NM; sub-second and other fractions stay exact."""
    found = reading.dialect.first(text.partition(reading.dialect.component)[0])
    try:
        value = Decimal(found) if found else None
    except InvalidOperation:
        raise BadField("data-type-error", "not a number") from None
    if value is not None and not value.is_finite():
        raise BadField("data-type-error", "not a number")
    return value


def flag(text: str, reading: Reading) -> bool | None:
    """Table 0136."""
    found = reading.dialect.leaf(text.partition(reading.dialect.component)[0])
    if not found:
        return None
    match found.upper():
        case "Y" | "YES" | "1" | "T" | "TRUE":
            return True
        case "N" | "NO" | "0" | "F" | "FALSE":
            return False
    raise BadField("DQ-CODE-UNMAPPED", NOT_A_FLAG, "warning")


def repeated(convert: Callable[[str, Reading], T | None]) -> Callable[[str, Reading], tuple[T, ...] | None]:
    """The converter of a repeating field: every repetition that holds something; a bad one costs only itself."""

    def each(text: str, reading: Reading) -> tuple[T, ...] | None:
        if reading.dialect.repetition not in text:
            value = convert(text, reading)
            return None if value is None else (value,)
        field, values = reading.at, []
        for place, part in enumerate(text.split(reading.dialect.repetition), 1):
            reading.at = f"{field}[{place}]"
            try:
                value = convert(part, reading) if part else None
            except BadField as bad:
                reading.complain(bad.code, bad.detail, bad.severity)
                continue
            if value is not None:
                values.append(value)
        reading.at = field
        return tuple(values) or None

    each.__name__ = convert.__name__
    each.__doc__ = convert.__doc__
    SHAPES[each] = Repeated(convert)
    return each


def coded(table: str) -> Callable[[str, Reading], Concept | None]:
    """The converter of a CWE, CE, IS or ID whose codes are of this table where the sender names no system."""

    def concept(text: str, reading: Reading) -> Concept | None:
        dialect = reading.dialect
        place = field_of(reading.at) if dialect.profile.codes else ""
        if dialect.escape in text:
            complain_of_escapes(text, reading)
        return _concept(text, table, place, dialect)

    concept.__name__ = f"concept_of_{table}" if table else "concept"
    concept.__doc__ = f"A code of table {table}." if table else "A code of whichever table the sender names."
    SHAPES[concept] = Coded(table)
    return concept


concept = coded("")
concepts = repeated(concept)


@lru_cache(maxsize=8192)
def _concept(text: str, table: str, place: str, dialect: Dialect) -> Concept | None:
    code, words, name, other, other_words, other_name, *rest = dialect.leaves(text, 14)
    codings = []
    if code:
        named = coding_system(name, dialect) if name else f"{V2_TABLE}{table}" if table else _system_oid(rest, 7)
        codings.append(Coding(code=code, system=named, display=words))
    if other:
        codings.append(
            Coding(code=other, system=other_name and coding_system(other_name, dialect), display=other_words)
        )
    if code and (mapped := meaning(code, table, place, dialect)):
        codings.append(mapped)
    said = (rest[2] if rest else None) or words or other_words
    return Concept(codings=tuple(codings), text=said) if codings or said else None


def _system_oid(rest: list[str | None], place: int) -> str | None:
    """CWE-14, the coding system as an OID (2.7 and later)."""
    oid = rest[place] if len(rest) > place else None
    return f"urn:oid:{oid}" if oid else None


def meaning(code: str, table: str, place: str, dialect: Dialect) -> Coding | None:
    """What the feed's code map says of a code in this field, or in this table."""
    codes = dialect.profile.codes
    if not codes:
        return None
    return codes.get(place, {}).get(code) or codes.get(f"HL7{table}", {}).get(code)


def field_of(path: str) -> str:
    """`AIP[2]-4[1]` is a place in the field `AIP-4`."""
    segment, _, field = path.partition("-")
    return f"{segment.partition('[')[0]}-{field.partition('[')[0].partition('.')[0]}"


def codes_of(concept: Concept | None) -> list[str]:
    """Every code that a concept carries: what the feed's code map makes of it first, the sender's own last."""
    return [coding.code for coding in reversed(concept.codings)] if concept else []


def gender(text: str, reading: Reading) -> str | None:
    """Table 0001 as FHIR's four genders; what it cannot say stays in `gender_original`."""
    found = _concept(text, "0001", field_of(reading.at) if reading.profile.codes else "", reading.dialect)
    for one in codes_of(found):
        if known := GENDERS.get(one.upper()):
            return known
        if one in GENDERS.values():
            return one
    if not found or not found.codings:
        return None
    raise BadField("DQ-CODE-UNMAPPED", UNKNOWN_CODE, "warning")
