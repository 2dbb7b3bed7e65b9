"""What we send is checked as if we had received it: SNIP types 1 to 5, before a byte leaves (DOMAIN 4.1).

Types 1 and 2 are the dictionary and the loops, 3 the counts, 4 what one segment calls for in another, 5 the code sets
of others, as far as their form shows a mistake.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from canonical.problems import Problem

from .ack import judge
from .delimiters import Delimiters
from .envelope import parse
from .faults import Fault
from .loops import Found, Tree, element_fault
from .profile import Payer
from .writer import Composite, Element, Line, Numbers, Unwritable, interchange

# ISO letters that X12's character sets do not have, as their plain ones.
PLAIN: Final = str.maketrans(
    "ÀÁÂÃÄÅÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜÝàáâãäåçèéêëìíîïñòóôõöøùúûüýÿ’‘“”–—",
    "AAAAAACEEEEIIIINOOOOOOUUUUYaaaaaaceeeeiiiinoooooouuuuyy''\"\"--",
)


class Written(Struct, frozen=True, kw_only=True):
    """Bytes that may be sent; None where they may not, and then the problems say why."""

    raw: bytes | None
    problems: tuple[Problem, ...] = ()


def refused(problems: Sequence[Problem]) -> Written:
    """Nothing that may be sent."""
    return Written(raw=None, problems=tuple(problems))


def sealed(
    kind: str, lines: Sequence[Line], payer: Payer, numbers: Numbers, at: datetime, problems: Sequence[Problem] = ()
) -> Written:
    """One transaction in its envelope, if nothing is wrong with it. `at` is the payer's local time."""
    try:
        plain = [[_plain(one) for one in line] for line in lines]
        raw = interchange(kind, [plain], payer.ends, numbers, at, payer.delimiters, line_ends=payer.line_ends)
    except Unwritable as bad:
        return refused([*problems, *bad.problems])
    found = [*problems, *(fault.problem for fault in faults(raw))]
    if any(one.severity == "error" for one in found):
        return refused(found)
    return Written(raw=raw, problems=tuple(found))


def _plain(one: Element) -> Element:
    """Letters with accents as those without, which is all that payers take."""
    if isinstance(one, str):
        return one.translate(PLAIN)
    if isinstance(one, tuple):
        return _composite(one)
    return [part.translate(PLAIN) if isinstance(part, str) else _composite(part) for part in one]


def _composite(one: Composite) -> Composite:
    return tuple(part.translate(PLAIN) for part in one)


def faults(raw: bytes) -> list[Fault]:
    """Everything that is wrong with an interchange of ours; whatever it is, it is not sent."""
    found = parse(raw)
    wrong = list(found.every_fault())
    for group in found.groups:
        for transaction in group.transactions:
            judged = judge(transaction, group, found.delimiters)
            wrong += judged.faults
            if judged.tree:
                wrong += code_sets(judged.tree, found.delimiters)
    return [replace(fault, fatal=True) for fault in dict.fromkeys(wrong)]


def code_sets(tree: Tree, d: Delimiters) -> Iterator[Fault]:
    """Type 5: NPI, taxonomy, ICD-10-CM, procedures, places of service by their form."""
    for found in tree.every:
        match found.name:
            case "NM1" if found.get(8) == "XX" and not is_npi(found.get(9)):
                yield element_fault(found, 9, "I12", reference="67")
            case "PRV" if found.get(2) == "PXC" and not _TAXONOMY.fullmatch(found.get(3)):
                yield element_fault(found, 3, "I12", reference="127")
            case "HI":
                yield from _diagnoses(found, d)
            case "EQ" | "SV1" | "SV2":
                yield from _procedure(found, 1 if found.name == "SV1" else 2, d)
            case "III" if found.get(1) == "ZZ" and not _PLACE.fullmatch(found.get(2)):
                yield element_fault(found, 2, "I12", reference="1271")


def _diagnoses(found: Found, d: Delimiters) -> Iterator[Fault]:
    for n, text in enumerate(found.elements[1:], 1):
        qualifier, value = (*text.split(d.component), "", "")[:2]
        if qualifier in ("ABK", "ABF", "ABJ", "APR") and not _ICD10.fullmatch(value):
            yield element_fault(found, n, "I12", component=2, reference="1271")


def _procedure(found: Found, n: int, d: Delimiters) -> Iterator[Fault]:
    qualifier, value = (*found.get(n).split(d.component), "", "")[:2]
    if qualifier == "HC" and not _HCPCS.fullmatch(value):
        yield element_fault(found, n, "I12", component=2, reference="234")


_TAXONOMY: Final = re.compile("[0-9A-Z]{9}X")
_ICD10: Final = re.compile("[A-Z][0-9][0-9A-Z]{1,5}")
_HCPCS: Final = re.compile("[0-9]{4}[0-9FTUM]|[A-V][0-9]{4}")
_PLACE: Final = re.compile("[0-9]{2}")


def is_npi(value: str) -> bool:
    """Ten digits whose last is the check digit: Luhn over 80840 and the number."""
    if not re.fullmatch("[12][0-9]{9}", value):
        return False
    digits = [int(one) for one in f"80840{value}"]
    doubled = [digit * 2 - 9 * (digit > 4) if n % 2 else digit for n, digit in enumerate(digits)]
    return sum(doubled) % 10 == 0
