"""What a receiver's acknowledgement says about a message of ours, and what follows from it (2.5.1 ch. 2.9, DOMAIN 2.8).

AA and CA are delivered. AE and CE are about the content, so that sending it unchanged helps nobody; AR and CR are about
the moment, unless the error in it can only be about the message. A record that is locked and a fault of the receiver's
own pass, whatever they come with.
"""

import re
from typing import Final

from msgspec import Struct

from canonical.outcome import Kind

from .delimiters import Delimiters, component, repetitions, subcomponents
from .escapes import unescape
from .header import header, unwrapped

PASSING: Final = frozenset({206, 207})  # table 0357: record locked, internal error
LASTING: Final = frozenset({*range(100, 106), *range(200, 206)})  # of content, or of what the receiver takes at all
CODES: Final = frozenset({"AA", "AE", "AR", "CA", "CE", "CR"})


class Ack(Struct, frozen=True):
    """MSA-1, MSA-2, and the codes of table 0357 that come with them."""

    code: str
    control_id: str
    errors: frozenset[int] = frozenset()

    @property
    def kind(self) -> Kind:
        """The class of the outcome."""
        if self.code in ("AA", "CA"):
            return "delivered"
        if self.errors & PASSING:
            return "transient"
        if self.code in ("AR", "CR") and not self.errors & LASTING:
            return "transient"
        return "permanent"


def verdict(payload: bytes) -> Ack | None:
    """What an answer says; None where it is no acknowledgement (no MSA, or no code of table 0008)."""
    head = header(payload)
    if head is None:
        return None
    d, code, control_id, errors = head.delimiters, "", "", set[int]()
    for line in re.split(r"[\r\n]+", unwrapped(payload).decode("latin-1")):
        name, *fields = line.split(d.field)
        if name == "MSA" and fields and not code:
            code, control_id = fields[0].strip().upper(), _field(fields, 2)
            errors |= _numbers(component(_field(fields, 6), 1, d))
        elif name == "ERR":
            errors |= _numbers(component(_field(fields, 3), 1, d))
            for one in repetitions(_field(fields, 1), d):  # before 2.5: ELD, the code in its fourth component
                errors |= _numbers(subcomponents(component(one, 4, d), d)[0])
    return Ack(code, _meant(control_id, d), frozenset(errors)) if code in CODES else None


def control_id_of(raw: bytes) -> str:
    """MSH-10 of a message, as an acknowledgement gives it back in MSA-2."""
    head = header(raw)
    return _meant(head.control_id, head.delimiters) if head else ""


def _field(fields: list[str], n: int) -> str:
    return fields[n - 1] if n <= len(fields) else ""


def _meant(text: str, d: Delimiters) -> str:
    return unescape(text, d, "latin-1")[0].strip()


def _numbers(text: str) -> set[int]:
    text = text.strip()
    return {int(text)} if text.isascii() and text.isdigit() and len(text) <= 6 else set()
