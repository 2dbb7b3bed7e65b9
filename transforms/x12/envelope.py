"""Bytes become an interchange, and whether its control numbers and counts agree is told (DOMAIN 4.1).

Whatever follows a readable ISA comes out, with a fault for each thing that is wrong; only bytes without such an ISA are
`Unparseable`.
"""

import re
from collections.abc import Iterator

from .delimiters import ISA_LENGTH, BadDelimiters, Delimiters, read
from .faults import Fault, Unparseable
from .interchange import Group, Interchange, Segment, Transaction, element

LEADING = b"\xef\xbb\xbf \t\r\n\x0b\x1c\x1d\x1e\x00"  # what wraps an interchange and is none of it
VERSION = "00501"
QUALIFIERS = frozenset((*(f"{n:02d}" for n in range(1, 39)), "AM", "NR", "SA", "SN", "ZZ"))


def parse(raw: bytes) -> Interchange:
    """One interchange. What follows its IEA is a fault; `interchanges` reads several."""
    found, rest = _one(_text(raw))
    if rest:
        found.faults.append(_interchange("024", "IEA", fatal=False))
    return found


def interchanges(raw: bytes) -> Iterator[Interchange]:
    """One interchange after another, each with delimiters of its own; what follows the last is ignored."""
    rest = _text(raw)
    while rest:
        found, rest = _one(rest)
        yield found
        rest = rest[rest.find("ISA") :] if "ISA" in rest else ""


def _text(raw: bytes) -> str:
    """The text from the ISA on. X12 is ASCII; where it is not, UTF-8 is tried, and then every byte is a character."""
    raw = raw.lstrip(LEADING)
    if not raw.startswith(b"ISA"):
        raise Unparseable(_interchange("022", "ISA"))
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _one(text: str) -> tuple[Interchange, str]:
    try:
        isa, d = read(text)
    except BadDelimiters as bad:
        raise Unparseable(_interchange(bad.code, bad.path)) from None
    found = Interchange(delimiters=d, isa=isa, faults=list(_of_isa(isa)))
    lines = text[ISA_LENGTH:].split(d.segment)
    rest = _Filling(found, d).take(lines)
    return found, d.segment.join(lines[rest:]).strip("\r\n \x00\x1a\x1c")


class _Filling:
    """An interchange while its segments come in."""

    def __init__(self, interchange: Interchange, d: Delimiters) -> None:
        self.interchange, self.separator = interchange, d.element
        self.group: Group | None = None
        self.transaction: Transaction | None = None
        self.controls: set[str] = set()

    def take(self, lines: list[str]) -> int:
        """All segments up to IEA; how many lines that were."""
        last = len(lines) - 1
        for place, line in enumerate(lines):
            line = line.lstrip("\r\n")
            if not line.strip("\r\n \x00\x1a\x1c"):
                continue
            if line.startswith("ISA"):  # the next interchange begins: this one has no end
                self._end()
                return place
            segment = line.rstrip("\r\n").split(self.separator) if place == last else line.split(self.separator)
            if place == last and segment[0] != "IEA":  # it has no terminator, so who knows what is missing of it
                self._keep(segment, place)
                break
            if self._place(segment, place):
                return place + 1
        self._end()
        return len(lines)

    def _place(self, segment: Segment, place: int) -> bool:
        """Put a segment where it belongs; whether it was the last one."""
        match segment[0]:
            case "ST":
                self._begin_transaction(segment, place)
            case "SE" if self.transaction:
                self._close_transaction(segment)
            case "GS":
                self._begin_group(segment)
            case "GE" if self.group:
                self._close_group(segment)
            case "IEA":
                self._close(segment)
                return True
            case "TA1" if self.group is None:
                self.interchange.ta1.append(segment)
            case _:
                self._keep(segment, place)
        return False

    def _keep(self, segment: Segment, place: int) -> None:
        if self.transaction:
            self.transaction.segments.append(segment)
            return
        if not self.interchange.strays:
            self.interchange.faults.append(_interchange("024", "ISA", fatal=False))
        self.interchange.strays.append(segment)

    def _begin_group(self, segment: Segment) -> None:
        self._end_group()
        self.group = Group(gs=segment)
        self.controls.clear()
        if not re.fullmatch("[0-9]{1,9}", self.group.control):
            self.group.faults.append(_group("6", "GS-06"))
        self.interchange.groups.append(self.group)

    def _begin_transaction(self, segment: Segment, place: int) -> None:
        if self.group is None:
            self.interchange.faults.append(_interchange("022", "GS"))
            self._begin_group(["GS"])
        self._end_transaction()
        assert self.group is not None
        self.transaction = Transaction(segments=[segment], position=place + 2)
        self.transaction.faults += _of_st(segment)
        if self.transaction.control in self.controls:
            self.transaction.faults.append(_transaction("23", "ST-02"))
        self.controls.add(self.transaction.control)
        self.group.transactions.append(self.transaction)

    def _close_transaction(self, segment: Segment) -> None:
        transaction = self.transaction
        assert transaction is not None
        transaction.segments.append(segment)
        if element(segment, 2) != transaction.control:
            transaction.faults.append(_transaction("3", "SE-02"))
        if _number(element(segment, 1)) != len(transaction.segments):
            transaction.faults.append(_transaction("4", "SE-01"))
        self.transaction = None

    def _close_group(self, segment: Segment) -> None:
        self._end_transaction()
        group = self.group
        assert group is not None
        group.ge = segment
        if element(segment, 2) != group.control:
            group.faults.append(_group("4", "GE-02"))
        if _number(element(segment, 1)) != len(group.transactions):
            group.faults.append(_group("5", "GE-01"))
        self.group = None

    def _close(self, segment: Segment) -> None:
        self._end_group()
        found = self.interchange
        found.iea = segment
        if element(segment, 2) != found.control:
            found.faults.append(_interchange("001", "IEA-02"))
        if _number(element(segment, 1)) != len(found.groups):
            found.faults.append(_interchange("021", "IEA-01"))

    def _end(self) -> None:
        """There is no IEA."""
        self._end_group()
        self.interchange.faults.append(_interchange("023", "IEA"))

    def _end_group(self) -> None:
        self._end_transaction()
        if self.group:
            self.group.faults.append(_group("3", "GE"))
            self.group = None

    def _end_transaction(self) -> None:
        if self.transaction:
            self.transaction.faults.append(_transaction("2", "SE"))
            self.transaction = None


def _of_isa(isa: Segment) -> Iterator[Fault]:
    """What is wrong with the ISA itself. Ids are not checked here: who may send is for the door to say."""
    if isa[5].strip() not in QUALIFIERS:
        yield _interchange("005", "ISA-05", fatal=False)
    if isa[7].strip() not in QUALIFIERS:
        yield _interchange("007", "ISA-07", fatal=False)
    if not _is_date(isa[9]):
        yield _interchange("014", "ISA-09", fatal=False)
    if not re.fullmatch("([01][0-9]|2[0-3])[0-5][0-9]", isa[10]):
        yield _interchange("015", "ISA-10", fatal=False)
    if isa[12] != VERSION:
        yield _interchange("017", "ISA-12")
    if not re.fullmatch("[0-9]{9}", isa[13]):
        yield _interchange("018", "ISA-13")
    if isa[14] not in ("0", "1"):
        yield _interchange("019", "ISA-14", fatal=False)
    if isa[15] not in ("T", "P"):
        yield _interchange("020", "ISA-15")


def _of_st(st: Segment) -> Iterator[Fault]:
    if not re.fullmatch("[0-9]{3}", element(st, 1)):
        yield _transaction("6", "ST-01")
    if not 4 <= len(element(st, 2)) <= 9:
        yield _transaction("7", "ST-02")


def _is_date(text: str) -> bool:
    """ISA09, YYMMDD."""
    return re.fullmatch("[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])", text) is not None


def _number(text: str) -> int:
    return int(text) if re.fullmatch("[0-9]{1,10}", text) else -1


def _interchange(code: str, path: str, fatal: bool = True) -> Fault:
    return Fault(level="interchange", code=code, path=path, fatal=fatal)


def _group(code: str, path: str) -> Fault:
    return Fault(level="group", code=code, path=path)


def _transaction(code: str, path: str) -> Fault:
    return Fault(level="transaction", code=code, path=path)
