"""What the sender of an interchange hears: TA1 about its envelope, 999 about each group (005010X231A1, DOMAIN 4.2).

A transaction is accepted (A), accepted with errors noted (E), or rejected (R) as soon as one fault is fatal. Neither
acknowledgement repeats what an element held, so IK404 stays empty.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby

from msgspec import Struct

from .checks import elements
from .delimiters import STANDARD, Delimiters
from .faults import Fault
from .guides import GROUPS, VERSIONS, guide
from .interchange import Group, Interchange, Segment, Transaction, element
from .loops import Found, Node, Tree
from .reader import read
from .writer import Ends, Line, Numbers, bare, interchange

MOST_FAULTS = 1000  # of one transaction: whoever sends more knows enough


class Judged(Struct, frozen=True):
    """A transaction with everything that is wrong with it; no tree where we do not know its kind."""

    transaction: Transaction
    faults: tuple[Fault, ...]
    tree: Tree | None = None

    @property
    def code(self) -> str:
        """IK501."""
        return "R" if any(fault.fatal for fault in self.faults) else "E" if self.faults else "A"


class Said(Struct, frozen=True, kw_only=True):
    """What an acknowledgement says of one transaction of ours: its kind and ST02, IK501, and what was wrong."""

    kind: str
    control: str
    code: str
    faults: tuple[Fault, ...] = ()

    @property
    def accepted(self) -> bool:
        return self.code in ("A", "E")


class Verdict(Struct, frozen=True, kw_only=True):
    """A 999 or 997 about one group of ours (GS06), or a TA1 about a whole interchange (ISA13)."""

    control: str
    code: str
    faults: tuple[Fault, ...] = ()
    transactions: tuple[Said, ...] = ()

    @property
    def accepted(self) -> bool:
        """Whether all of it was; of a P some was."""
        return self.code in ("A", "E")


def judge(transaction: Transaction, group: Group, d: Delimiters) -> Judged:
    """Read one transaction against its guide."""
    purpose = next((element(one, 2) for one in transaction.segments[1:2] if one[0] == "BHT"), "")
    table = guide(transaction.kind, purpose)
    if table is None:
        return Judged(transaction, (*transaction.faults, _transaction("1", "ST-01")))
    known = (transaction.guide or group.guide) in VERSIONS[transaction.kind]
    tree = read(transaction, table)
    found = (*transaction.faults, *([] if known else [_transaction("I6", "ST-03")]), *tree.faults)
    return Judged(transaction, (*found, *called_for(tree), *elements(tree, d))[:MOST_FAULTS], tree)


def called_for(tree: Tree) -> Iterator[Fault]:
    """SNIP type 4: a 270 that comes to a patient without anything to ask about."""
    for node in tree.all("2000C", "2000D"):
        loop = "2110C" if node.loop.id == "2000C" else "2110D"
        asks = any(one.id == loop and one.opens.name == "EQ" for one in node.loop.loops)
        if asks and not any(one.loop.id == loop or one.loop.level for one in node.nodes):
            opening = node.opening
            yield Fault(
                level="segment",
                code="I6",
                path=f"{loop}/EQ",
                segment="EQ",
                position=node.nodes[-1].segments[-1].position + 1 if node.nodes else opening.position + 1,
                loop=loop,
                trigger=("HL", opening.position, node.loop.id),
            )


def acknowledge(
    found: Interchange, ends: Ends, numbers: Numbers, at: datetime, d: Delimiters = STANDARD
) -> bytes | None:
    """The 999 about all groups of an interchange; None where it has none to speak of."""
    about = [group for group in found.groups if element(group.gs, 1) != "FA"]  # nobody acknowledges those
    if not about or any(fault.fatal for fault in found.faults):
        return None
    return interchange("999", [_of_group(group, found.delimiters) for group in about], ends, numbers, at, d)


def ta1(
    found: Interchange, ends: Ends, numbers: Numbers, at: datetime, *, duplicate: bool = False, d: Delimiters = STANDARD
) -> bytes | None:
    """The TA1 about an interchange: where its sender asks for one, or where it is rejected."""
    faults = [*found.faults, *([Fault(level="interchange", code="025", path="ISA-13")] if duplicate else [])]
    worst = next((fault for fault in faults if fault.fatal), faults[0] if faults else None)
    rejected = worst is not None and worst.fatal
    if not rejected and found.isa[14] != "1":
        return None
    code = "R" if rejected else "E" if worst else "A"
    about = map(_echo, (found.control, found.isa[9], found.isa[10]))
    line = ("TA1", *about, code, worst.code if worst else "000")
    return bare([line], ends, numbers, at, d)


def _of_group(group: Group, d: Delimiters) -> list[Line]:
    judged = [judge(one, group, d) for one in group.transactions]
    known = element(group.gs, 1) in GROUPS.values()
    faults = [*([] if known else [Fault(level="group", code="1", path="GS-01")]), *group.faults]
    lines: list[Line] = [("AK1", *map(_echo, (element(group.gs, 1), group.control, group.guide)))]
    for one in judged:
        lines += _of_transaction(one)
    codes = [one.code for one in judged]
    accepted = 0 if faults else sum(code != "R" for code in codes)
    included = element(group.ge, 1) if group.ge else ""
    counts = (_echo(included) if included.isdecimal() else "0", str(len(judged)), str(accepted))
    lines.append(("AK9", _of_codes(codes, accepted), *counts, *_distinct(faults)))
    return lines


def _of_codes(codes: Sequence[str], accepted: int) -> str:
    """AK901 from the IK501 of all transactions."""
    if not accepted:
        return "R"
    if accepted < len(codes):
        return "P"
    return "E" if "E" in codes else "A"


def _of_transaction(judged: Judged) -> Iterator[Line]:
    transaction = judged.transaction
    yield ("AK2", *map(_echo, (transaction.kind, transaction.control, transaction.guide)))
    inner = [fault for fault in judged.faults if fault.level in ("segment", "element")]
    places = sorted(inner, key=lambda fault: (fault.position, fault.level == "element"))
    for _, faults in groupby(places, key=lambda fault: (fault.position, fault.level, fault.segment)):
        yield from _of_segment(list(faults))
    codes = _distinct([fault for fault in judged.faults if fault.level == "transaction"])
    yield ("IK5", judged.code, *(codes + (["5"] if inner else []))[:5])


def _of_segment(faults: Sequence[Fault]) -> Iterator[Line]:
    """IK3 for each thing wrong with the segment; one with the code 8 for its elements, and an IK4 for each."""
    first = faults[0]
    if first.level == "element":
        yield ("IK3", first.segment, str(first.position), first.loop, "8")
        yield from map(_of_element, faults)
        return
    for fault in faults:
        yield ("IK3", fault.segment, str(fault.position), fault.loop, fault.code)
        if fault.trigger:
            name, position, loop = fault.trigger
            yield ("CTX", "SITUATIONAL TRIGGER", name, str(position), loop)


def _of_element(fault: Fault) -> Line:
    where = (str(fault.element), *(str(n or "") for n in (fault.component, fault.repetition)))
    reference = fault.reference if fault.reference.isdecimal() else ""  # a composite has no number of its own
    return ("IK4", where, reference, fault.code)


def _echo(text: str) -> str:
    """A control number or version of the sender's; it may hold what is a delimiter here."""
    return _STRANGE.sub("?", text)[:35]


_STRANGE = re.compile("[^A-Z0-9]", re.IGNORECASE | re.ASCII)


def _distinct(faults: Sequence[Fault]) -> list[str]:
    return list(dict.fromkeys(fault.code for fault in faults))[:5]


def _transaction(code: str, path: str) -> Fault:
    return Fault(level="transaction", code=code, path=path)


def read_ta1(segment: Segment) -> Verdict:
    """A TA1 about an interchange of ours."""
    code, note = element(segment, 4), element(segment, 5)
    wrong = () if note in ("", "000") else (Fault(level="interchange", code=note, path="ISA", fatal=code == "R"),)
    return Verdict(control=element(segment, 1), code=code, faults=wrong)


def read_verdict(transaction: Transaction) -> Verdict | None:
    """A 999 or 997 about a group of ours; None where it is neither, or does not say which group or what of it."""
    table = guide(transaction.kind, "") if transaction.kind in ("999", "997") else None
    root = read(transaction, table).root if table else None
    about, sum_up = (root.first("AK1"), root.first("AK9")) if root else (None, None)
    if root is None or about is None or sum_up is None or not sum_up.get(1):
        return None
    code = sum_up.get(1)
    faults = [Fault(level="group", code=one, path="GS", fatal=code == "R") for one in sum_up.elements[5:] if one]
    said = tuple(_said(node) for node in root.within("2000"))
    return Verdict(control=about.get(2), code=code, faults=tuple(faults), transactions=said)


def _said(node: Node) -> Said:
    end = node.first("IK5") or node.first("AK5")
    code = end.get(1) if end else ""
    fatal = code not in ("A", "E")
    faults = [fault for inner in node.within("2100") for fault in _faults(inner, fatal)]
    notes = [one for one in end.elements[2:] if one and (one != "5" or not faults)] if end else []
    whole = [Fault(level="transaction", code=one, path="ST", fatal=fatal) for one in notes]
    opening = node.opening
    return Said(kind=opening.get(1), control=opening.get(2), code=code, faults=(*whole, *faults))


def _faults(node: Node, fatal: bool) -> Iterator[Fault]:
    """What one IK3 and the IK4 under it say, each where it was in what we sent."""
    segment = node.opening
    inner = list(node.within("2110"))
    if not inner:
        yield _pointed(segment, None, fatal)
    for one in inner:
        yield _pointed(segment, one.opening, fatal)


def _pointed(segment: Found, at: Found | None, fatal: bool) -> Fault:
    name, loop = segment.get(1), segment.get(3)
    path = f"{loop}/{name}" if loop else name
    where = [_count(text) for text in at.get(1).split(":")] if at else []
    element_, component, repetition = (*where, 0, 0, 0)[:3]
    if at:
        path += f"-{element_:02d}" + (f".{component}" if component else "")
    return Fault(
        level="element" if at else "segment",
        code=at.get(3) if at else segment.get(4),
        path=path,
        segment=name,
        position=_count(segment.get(2)),
        loop=loop,
        element=element_,
        component=component,
        repetition=repetition,
        reference=at.get(2) if at else "",
        fatal=fatal,
    )


def _count(text: str) -> int:
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 10 else 0
