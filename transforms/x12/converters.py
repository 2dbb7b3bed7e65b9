"""X12 values as canonical ones and back. Each reader takes an element as it was sent and gives a value, None where
nothing stands in it, or BadValue; each writer gives what stands in the element."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from canonical.datatypes import Authority, Coding, Concept, Identifier, Money, Procedure, Quantity

from .checks import is_date, is_dated
from .codes import (
    BILLS,
    CLOSED,
    CPT,
    HCPCS,
    NUMBERS,
    PAYERS_OWN,
    PLACES,
    PROCEDURES,
    WORDS,
    X12,
)
from .profile import Payer
from .rows import BadValue, Codec, Join, Reading
from .writer import Composite, Element

NOT_A_NUMBER = ("data-type-error", "not a decimal number")
NOT_A_DATE = ("data-type-error", "not a date in the form that is named beside it")
_DECIMAL = re.compile(r"(-?)([0-9]*)(?:\.([0-9]*))?", re.ASCII)


def plain(element: Element) -> str:
    """A single value that was written."""
    assert isinstance(element, str)
    return element


def _text(text: str, reading: Reading) -> str | None:
    return text.strip() or None


def _write_text(value: str, payer: Payer) -> str:
    return value.upper() if payer.upper_case else value


text = Codec("text", "Text.", _text, _write_text)


@lru_cache(maxsize=4096)
def decimal(text: str) -> str:
    """An R or N0 value with the digits that the canonical form wants: `.2` is `0.2`."""
    match = _DECIMAL.fullmatch(text.strip())
    if not match or not (match[2] or match[3]):
        raise BadValue(*NOT_A_NUMBER)
    sign, whole, fraction = match.groups()
    return f"{sign}{whole.lstrip('0') or '0'}" + (f".{fraction}" if fraction else "")


def write_decimal(value: str, payer: Payer | None = None) -> str:
    """The reverse: no zeros that say nothing."""
    sign, digits = ("-", value[1:]) if value.startswith("-") else ("", value)
    whole, _, fraction = digits.partition(".")
    whole, fraction = whole.lstrip("0"), fraction.rstrip("0")
    return sign + (whole or ("" if fraction else "0")) + (f".{fraction}" if fraction else "")


number = Codec("number", "A decimal number.", lambda text, reading: decimal(text), write_decimal)
money = Codec(
    "money",
    "An amount in the currency that is agreed with the payer.",
    lambda text, reading: Money(amount=decimal(text), currency=reading.payer.currency),
    lambda value, payer: write_decimal(value.amount),
)


@lru_cache(maxsize=8192)
def concept(code: str, element: str) -> Concept:
    """A code of a data element, with the words that we have for it."""
    words = WORDS.get(element, {}).get(code)
    return Concept(codings=(Coding(code=code, system=X12 + element, display=words),), text=words)


def code_of(value: Concept | None, system: str) -> str:
    """The code of this system in a concept; else a code that names no system; else none."""
    for wanted in (system, None):
        for coding in value.codings if value else ():
            if coding.system == wanted:
                return coding.code
    return ""


@lru_cache(maxsize=64)
def code(element: str) -> Codec:
    """The converter of codes of one data element."""
    known = WORDS[element] if element in CLOSED else None

    def read(text: str, reading: Reading) -> Concept | None:
        text = text.strip()
        if known is not None and text and text not in known:
            reading.complain("DQ-CODE-UNMAPPED", "the code is not in the table; it was kept as sent")
        return concept(text, element) if text else None

    def write(value: Concept, payer: Payer) -> str:
        return code_of(value, X12 + element)

    return Codec(f"code_of_{element}", f"A code of data element {element}.", read, write)


def each(codec: Codec) -> Codec:
    """The converter of an element that repeats; a bad repetition costs itself only."""

    def read(text: str, reading: Reading) -> tuple[Any, ...] | None:
        separator = reading.delimiters.repetition
        parts = text.split(separator) if separator else [text]
        return tuple(value for part in parts if part and (value := codec.read(part, reading)) is not None) or None

    def write(values: Sequence[Any], payer: Payer) -> Element:
        return [codec.write(value, payer) for value in values]  # type: ignore[misc] # a list of lists cannot be made

    return Codec(codec.name, f"{codec.says[:-1]}, as often as it is repeated.", read, write)


_SAID = {"Y": True, "N": False}
flag = Codec(
    "flag",
    "Y or N.",
    lambda text, reading: _SAID.get(text),
    lambda value, payer: "Y" if value else "N",
)
_GENDERS = {"M": "male", "F": "female", "U": "unknown"}
gender = Codec(
    "gender",
    "M, F or U.",
    lambda text, reading: _GENDERS.get(text),
    lambda value, payer: next((code for code, gender in _GENDERS.items() if gender == value), "U"),
)


def day(text: str) -> str:
    """CCYYMMDD as the canonical date."""
    if not is_date(text[:8]):
        raise BadValue(*NOT_A_DATE)
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}"


def write_day(value: str) -> str:
    return value[:10].replace("-", "")


def read_span(texts: Sequence[str], reading: Reading) -> tuple[str, str | None]:
    """D8, DT: one day. RD8: the first and the last."""
    form, dates = texts
    if not dates or not is_dated(dates, form or "D8"):
        raise BadValue(*NOT_A_DATE)
    first, _, last = dates.partition("-")
    return day(first), day(last) if last else None


def write_span(values: Sequence[Any], payer: Payer) -> Sequence[str]:
    first, last = values
    if not last or last[:10] == first[:10]:
        return ("D8", write_day(first))
    return ("RD8", f"{write_day(first)}-{write_day(last)}")


def span(first: str, last: str, elements: tuple[int, int]) -> Join:
    """A date or two, whose form (1250) stands in one element and which (1251) stand in the other."""
    return Join((first, last), elements, "span", "A date (D8), or the first and the last (RD8).", read_span, write_span)


def read_birth(texts: Sequence[str], reading: Reading) -> tuple[str]:
    return (read_span(texts, reading)[0],)


def write_birth(values: Sequence[Any], payer: Payer) -> Sequence[str]:
    whole = len(values[0]) >= 10  # X12 has no date that is less than a day
    return ("D8", write_day(values[0])) if whole else ("", "")


def read_identifier(texts: Sequence[str], reading: Reading) -> tuple[Identifier | None]:
    """A number and what kind it is (66 and 67, 128 and 127). Whose it is follows from that, or it is this payer's."""
    kind, value = (text.strip() for text in texts)
    return (identifier(kind, value, reading.payer) if value else None,)


def identifier(kind: str, value: str, payer: Payer) -> Identifier:
    """A number of this kind as the payer writes it."""
    if kind in PAYERS_OWN:
        return Identifier(value=value, system=payer.members, type=PAYERS_OWN[kind])
    if kind in NUMBERS:
        system, type_ = NUMBERS[kind]
        return Identifier(value=value, system=system, type=type_)
    system = f"urn:x-{payer.tenant}:{payer.feed}:{kind}"
    return Identifier(value=value, system=system, original=Authority(namespace_id=kind or None))


def write_identifier(values: Sequence[Any], payer: Payer) -> Sequence[str]:
    one: Identifier = values[0]
    if one.system == payer.members:
        return ("MI", one.value)
    known = next((kind for kind, (system, _) in NUMBERS.items() if system == one.system), "")
    own = one.original.namespace_id if one.original and one.original.namespace_id else ""
    return (known or own or payer.payer_qualifier, one.value)


def trace_number(value: str, originator: str, payer: Payer) -> Identifier:
    """TRN02 of the one whom TRN03 names, as an identifier of the record that it traces."""
    return Identifier(value=value, system=trace_system(originator, payer), type="TRN")


def trace_system(originator: str, payer: Payer) -> str:
    return f"urn:x-{payer.tenant}:trace:{originator}"


def procedure_system(qualifier: str, value: str) -> str:
    """HC is CPT and HCPCS in one; which it is shows by the form of the code."""
    if qualifier == "HC":
        return HCPCS if re.fullmatch("[A-V][0-9]{4}", value) else CPT
    return PROCEDURES.get(qualifier, f"{X12}235/{qualifier}")


def procedure_qualifier(system: str | None) -> str:
    if system is None or system in (CPT, HCPCS):
        return "HC"
    prefix = f"{X12}235/"
    if system.startswith(prefix):
        return system[len(prefix) :]
    return next((one for one, known in PROCEDURES.items() if known == system), "ZZ")


def read_procedure(text: str, reading: Reading) -> Procedure | None:
    """C003: `HC:73721:26` and so on; the modifiers in their order."""
    qualifier, value, *rest = (*text.split(reading.delimiters.component), "", "")
    if not value:
        return None
    modifiers = tuple(concept(one, "1339") for one in rest[:4] if one)
    words = rest[4] if len(rest) > 4 and rest[4] else None
    coding = Coding(code=value, system=procedure_system(qualifier, value), display=words)
    return Procedure(code=Concept(codings=(coding,), text=words), modifiers=modifiers)


def write_procedure(value: Procedure, payer: Payer) -> Element:
    return procedure_composite(value.code, value.modifiers)


def procedure_composite(code: Concept, modifiers: Sequence[Concept]) -> Composite:
    """C003 of a code that may have several codings: the first that a payer knows."""
    coding = next((one for one in code.codings if procedure_qualifier(one.system) != "ZZ"), None)
    if coding is None:
        return ("", "")
    return (procedure_qualifier(coding.system), coding.code, *(code_of(one, f"{X12}1339") for one in modifiers[:4]))


procedure = Codec("procedure", "A procedure with its modifiers (C003).", read_procedure, write_procedure)


def read_pointers(text: str, reading: Reading) -> tuple[int, ...] | None:
    parts = text.split(reading.delimiters.component)
    return tuple(int(one) for one in parts if one.isascii() and one.isdigit() and len(one) < 3) or None


pointers = Codec(
    "pointers",
    "Which of the diagnoses that were sent (C004).",
    read_pointers,
    lambda value, payer: tuple(str(one) for one in value),
)


def read_place(text: str, reading: Reading) -> Concept | None:
    """C023: a place of service (B) or a type of bill (A)."""
    value, qualifier = (*text.split(reading.delimiters.component), "", "")[:2]
    system = {"A": BILLS, "B": PLACES}.get(qualifier)
    return Concept(codings=(Coding(code=value, system=system),)) if value else None


def write_place(value: Concept, payer: Payer) -> Element:
    if bill := next((one.code for one in value.codings if one.system == BILLS), ""):
        return (bill, "A")
    found = code_of(value, PLACES)
    return (found, "B") if found else ""


place = Codec("place", "A place of service or a type of bill (C023).", read_place, write_place)


def quantity(elements: tuple[int, int], units: str) -> Join:
    """So many of a unit: the unit stands first, and is of this data element (673, 355)."""
    system = f"{X12}{units}"

    def read(texts: Sequence[str], reading: Reading) -> tuple[Quantity | None]:
        unit, value = texts
        if not value:
            return (None,)
        return (Quantity(value=decimal(value), system=system if unit else None, code=unit or None),)

    def write(values: Sequence[Any], payer: Payer) -> Sequence[str]:
        one: Quantity = values[0]
        return (one.code or "UN", write_decimal(one.value))

    return Join(("quantity",), elements, "quantity", "So many, and of what.", read, write)
