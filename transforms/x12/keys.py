"""What an interchange is known by: the numbers that tell it from others, and what it can be searched by."""

from collections.abc import Iterator

from .interchange import Interchange, Segment, element

Key = tuple[str, str]


def identity(found: Interchange) -> str:
    """Sender, receiver, ISA13, and GS06 and ST02 of all that is in it: the same again is the same message."""
    inner = (f"{group.control}.{one.control}" for group in found.groups for one in group.transactions)
    return "/".join((found.isa[6].strip(), found.isa[8].strip(), found.control, *inner))


def keys(found: Interchange) -> list[Key]:
    """Every number, name and date of birth in it, as (kind, value) pairs; in transactions that nobody maps, too."""
    pairs = (pair for one in found.transactions for segment in one.segments for pair in _of_segment(segment))
    return list(dict.fromkeys(pairs))


def _of_segment(segment: Segment) -> Iterator[Key]:
    match segment[0]:
        case "NM1":
            if number := element(segment, 9):
                yield "identifier", number
            if element(segment, 2) == "1":
                words = " ".join(segment[3:6]).casefold().split()
                yield from (("name", word) for word in words)
        case "REF" | "TRN" | "HCR" if number := element(segment, 2):
            yield "identifier", number
        case "DMG" if len(day := element(segment, 2)) == 8:
            yield "birthdate", f"{day[:4]}-{day[4:6]}-{day[6:]}"
