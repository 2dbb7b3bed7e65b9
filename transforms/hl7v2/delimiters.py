"""The characters an ER7 message is cut at: read from each MSH (HL7 2.5.1 ch. 2.5.4), never assumed.

Cutting is plain `str.split`; a delimiter that MSH-2 does not define never cuts. Leaves come out still escaped.
"""

from functools import lru_cache

from msgspec import Struct


class Delimiters(Struct, frozen=True):
    """MSH-1 and MSH-2; what an old feed leaves undefined is the empty string."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"
    truncation: str = ""

    @property
    def encoding(self) -> str:
        """MSH-2 as it was written."""
        return self.component + self.repetition + self.escape + self.subcomponent + self.truncation


STANDARD = Delimiters()


@lru_cache(maxsize=64)
def read(field: str, encoding: str) -> Delimiters:
    """MSH-1 and MSH-2 as delimiters; ValueError says why they cannot be."""
    every = field + encoding
    if len(field) != 1 or not 1 <= len(encoding) <= 5:
        raise ValueError("MSH-2 must hold one to five characters after the separator in MSH-1")
    if len(set(every)) != len(every):
        raise ValueError("two delimiters in MSH-1 and MSH-2 are the same character")
    if any(char.isalnum() or char == '"' or not "!" <= char <= "~" for char in every):
        raise ValueError("a delimiter in MSH-1 or MSH-2 is not a punctuation character")
    component, repetition, escape, subcomponent, truncation = (*encoding, *[""] * 4)[:5]
    return Delimiters(field, component, repetition, escape, subcomponent, truncation)


def repetitions(text: str, d: Delimiters) -> list[str]:
    """The repetitions of a field; one even when it is empty."""
    return text.split(d.repetition) if d.repetition else [text]


def components(text: str, d: Delimiters) -> list[str]:
    """The components of one repetition."""
    return text.split(d.component)


def subcomponents(text: str, d: Delimiters) -> list[str]:
    """The subcomponents of one component."""
    return text.split(d.subcomponent) if d.subcomponent else [text]


def component(text: str, n: int, d: Delimiters) -> str:
    """The n-th component counted from 1, empty when it was not sent."""
    parts = text.split(d.component, n)
    return parts[n - 1] if n <= len(parts) else ""
