"""The characters an interchange is cut at: read from its ISA, which is the same 106 characters wide everywhere.

X12 has no escape: what is a delimiter cannot stand in data (DOMAIN 4.1). `Delimiters.segment` may be any character
that nothing else uses, also a line end; line ends after it are no data.
"""

from functools import lru_cache

from msgspec import Struct

ISA_LENGTH = 106
WIDTHS = (2, 10, 2, 10, 2, 15, 2, 15, 6, 4, 1, 5, 9, 1, 1, 1)  # of ISA01 to ISA16
FIRST_WITH_REPETITION = "00402"  # before it ISA11 is the standards id, U


class BadDelimiters(ValueError):
    """The ISA cannot be cut. `code` is that of TA105, `path` the element."""

    def __init__(self, code: str, path: str) -> None:
        super().__init__(f"{code} at {path}")
        self.code = code
        self.path = path


class Delimiters(Struct, frozen=True):
    """ISA11, ISA16 and the two that stand where the ISA's widths put them; no repetition before version 00402."""

    element: str = "*"
    component: str = ":"
    repetition: str = "^"
    segment: str = "~"

    @property
    def every(self) -> str:
        """All of them, as one string."""
        return self.element + self.component + self.repetition + self.segment


STANDARD = Delimiters()


def read(head: str) -> tuple[list[str], Delimiters]:
    """The ISA's name and 16 elements as they stand there, padding and all, and what it is cut at."""
    if len(head) < ISA_LENGTH:
        raise BadDelimiters("023", "ISA")
    element = head[3]
    isa = head[: ISA_LENGTH - 1].split(element)
    if tuple(map(len, isa[1:])) != WIDTHS:
        raise BadDelimiters("022", "ISA")
    return isa, of(element, isa[16], isa[11], head[ISA_LENGTH - 1], isa[12])


@lru_cache(maxsize=256)
def of(element: str, component: str, repetition: str, segment: str, version: str) -> Delimiters:
    """Delimiters that can do their work; BadDelimiters says which cannot."""
    if version < FIRST_WITH_REPETITION or repetition.isalnum() or repetition == " ":
        repetition = ""
    if not _punctuates(element):
        raise BadDelimiters("026", "ISA")
    if not _punctuates(component) or component == element:
        raise BadDelimiters("027", "ISA-16")
    if repetition and repetition in element + component:
        raise BadDelimiters("016", "ISA-11")
    if segment.isalnum() or segment in " " + element + component + repetition:
        raise BadDelimiters("004", "ISA")
    return Delimiters(element, component, repetition, segment)


def _punctuates(char: str) -> bool:
    return not char.isalnum() and char not in " \r\n"


def repetitions(text: str, d: Delimiters) -> list[str]:
    """The repetitions of an element; one even when it is empty."""
    return text.split(d.repetition) if d.repetition else [text]


def components(text: str, d: Delimiters) -> list[str]:
    """The components of one repetition."""
    return text.split(d.component)
