"""Whether the segments of a transaction are what the dictionary says: SNIP types 1 and 2 (DOMAIN 4.1)."""

import re
from collections.abc import Iterator
from datetime import date
from functools import lru_cache

from .delimiters import Delimiters
from .dictionary import CODES, COMPOSITES, SEGMENTS, Element
from .faults import Fault
from .loops import Found, Tree, element_fault

_WHOLE = re.compile("-?[0-9]+")
_DECIMAL = re.compile(r"-?([0-9]+\.?[0-9]*|\.[0-9]+)")
_TIME = re.compile("([01][0-9]|2[0-3])[0-5][0-9]([0-5][0-9]([0-9]{1,2})?)?")
_PRINTABLE = re.compile("[ -~]*")  # the basic and the extended character set
BEARING = frozenset(("BHT", "HL", "NM1", "UM"))  # without what must stand in these, the rest hangs in the air
DATED = {"DTP": (2, 3), "DMG": (1, 2), "INS": (11, 12), "MPI": (6, 7)}  # a date, and the element that says its form


def elements(tree: Tree, d: Delimiters) -> Iterator[Fault]:
    """What is wrong with the elements of every segment that stands in its place."""
    for found in tree.every:
        definition = SEGMENTS.get(found.name)
        if definition:
            yield from _segment(found, definition, d)


def _segment(found: Found, definition: tuple[Element, ...], d: Delimiters) -> Iterator[Fault]:
    parts = found.elements
    for n, one in enumerate(definition, 1):
        text = parts[n] if n < len(parts) else ""
        if text:
            yield from _element(found, n, one, text, d)
        elif one.required:
            fatal = found.name in BEARING and (found.name, n) != ("HL", 1)
            yield element_fault(found, n, "1", reference=one.number, fatal=fatal)
        elif one.with_element and found.get(one.with_element):
            yield element_fault(found, n, "2", reference=one.number)
    if len(parts) > len(definition) + 1:
        yield element_fault(found, len(definition) + 1, "3")
    if found.name in DATED:
        yield from _dated(found, definition, *DATED[found.name])


def _element(found: Found, n: int, one: Element, text: str, d: Delimiters) -> Iterator[Fault]:
    repeated = text.split(d.repetition) if d.repetition and one.repeat > 1 else [text]
    if len(repeated) > one.repeat or (d.repetition and one.repeat == 1 and d.repetition in text):
        yield element_fault(found, n, "12", reference=one.number)
    for place, part in enumerate(repeated[: one.repeat], 1):
        repetition = place if place > 1 else 0
        if one.kind in COMPOSITES:
            yield from _composite(found, n, repetition, one, part, d)
        elif one.kind[0] != "C" and (code := wrong(one, part)):
            yield element_fault(found, n, code, repetition=repetition, reference=one.number)


def _composite(found: Found, n: int, repetition: int, one: Element, text: str, d: Delimiters) -> Iterator[Fault]:
    parts = text.split(d.component)
    definition = COMPOSITES[one.kind]
    for place, component in enumerate(definition, 1):
        part = parts[place - 1] if place <= len(parts) else ""
        code = wrong(component, part) if part else "1" if component.required else None
        if code:
            yield element_fault(found, n, code, component=place, repetition=repetition, reference=component.number)
    if len(parts) > len(definition):
        yield element_fault(found, n, "3", component=len(definition) + 1, repetition=repetition)


def _dated(found: Found, definition: tuple[Element, ...], form: int, n: int) -> Iterator[Fault]:
    """A date in the form that another element names."""
    text = found.get(n)
    if text and not is_dated(text, found.get(form)):
        yield element_fault(found, n, "8", reference=definition[n - 1].number)


def is_dated(text: str, form: str) -> bool:
    """Whether a text is a date, or two, in a form of data element 1250; forms that we do not know are not judged."""
    match form:
        case "D8":
            return is_date(text)
        case "RD8":
            first, hyphen, last = text.partition("-")
            return bool(hyphen) and is_date(first) and is_date(last)
        case "D6":
            return False
        case "DT":
            return is_date(text[:8]) and _TIME.fullmatch(text[8:]) is not None
    return True


@lru_cache(maxsize=4096)
def is_date(text: str) -> bool:
    """CCYYMMDD, a day that there is."""
    if len(text) != 8 or not text.isascii() or not text.isdigit():
        return False
    try:
        date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return False
    return True


@lru_cache(maxsize=4096)
def wrong(one: Element, text: str) -> str | None:
    """What is wrong with a single value, as IK403 has it."""
    if not _PRINTABLE.fullmatch(text):
        return "6"
    if (code := _wrong_form(one.kind, text)) is not None:
        return code
    size = len(text.lstrip("-").replace(".", "")) if one.kind in ("N0", "R") else len(text)
    if size < one.least:
        return "4"
    if one.most and size > one.most:
        return "5"
    return "7" if one.number in CODES and text not in CODES[one.number] else None


def _wrong_form(kind: str, text: str) -> str | None:
    match kind:
        case "N0":
            return None if _WHOLE.fullmatch(text) else "6"
        case "R":
            return None if _DECIMAL.fullmatch(text) else "6"
        case "DT":
            return None if is_date(text) else "8"
        case "TM":
            return None if _TIME.fullmatch(text) else "9"
    return None
