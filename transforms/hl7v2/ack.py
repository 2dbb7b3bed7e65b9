"""Acknowledgements, written and read (HL7 2.5.1 ch. 2.9, DOMAIN 2.8): what the sender hears, and whether it wants to.

A reply gives back the sender's own bytes for its names, control id, processing id, version and delimiters, and says
what was wrong by place and code. It never quotes what a field held. The clock and the control id come from the caller.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

from canonical.problems import Problem, Severity

from . import charset as charsets
from .delimiters import Delimiters, component
from .er7 import Place, place
from .escapes import escape, unescape
from .header import Header, header, unwrapped

Mode = Literal["original", "enhanced"]

TABLE_0357: dict[str, tuple[int, str]] = {
    "message-accepted": (0, "Message accepted"),
    "segment-sequence-error": (100, "Segment sequence error"),
    "required-field-missing": (101, "Required field missing"),
    "data-type-error": (102, "Data type error"),
    "table-value-not-found": (103, "Table value not found"),
    "value-too-long": (104, "Value too long"),
    "unsupported-message-type": (200, "Unsupported message type"),
    "unsupported-event-code": (201, "Unsupported event code"),
    "unsupported-processing-id": (202, "Unsupported processing id"),
    "unsupported-version-id": (203, "Unsupported version id"),
    "unknown-key-identifier": (204, "Unknown key identifier"),
    "duplicate-key-identifier": (205, "Duplicate key identifier"),
    "application-record-locked": (206, "Application record locked"),
    "application-internal-error": (207, "Application internal error"),
}
_TAKEN_AS_IT_IS = ("TRANSITION", "LATE", "ZONE-ASSUMED", "AUTHORITY-DEFAULTED", "CURRENCY-ASSUMED", "MEMBER-CORRECTED")
DATA_QUALITY: dict[str, str] = {  # what is not here is about the form or the sense of a value: 102
    "DQ-MSGSTRUCT": "segment-sequence-error",
    "DQ-REQUIRED-MISSING": "required-field-missing",
    "DQ-CODE-UNMAPPED": "table-value-not-found",
    "DQ-AUTHORITY-UNREGISTERED": "table-value-not-found",
    "DQ-UOM": "table-value-not-found",
    "DQ-TOMBSTONE": "unknown-key-identifier",
    "PAT-MULTI": "unknown-key-identifier",  # which of the two, nobody knows
    "PAT-MERGE-CONFLICT": "unknown-key-identifier",
    "INT-PARSE": "data-type-error",
    "DQ-CTRLID-REUSE": "duplicate-key-identifier",
    **{f"DQ-{fact}": "message-accepted" for fact in _TAKEN_AS_IT_IS},
}

_SEVERITY: dict[Severity, str] = {"error": "E", "warning": "W", "information": "I"}
_CONDITIONS = {"AL": "AER", "NE": "", "": "", "ER": "ER", "SU": "A"}
_FRAMING = {0x0B: "?", 0x1C: "?"}  # MLLP's block characters, which a reply must not carry in its middle
_LONGEST_CONTROL_ID = 20  # MSH-10 below 2.7


def mode(inbound: Header) -> Mode:
    """Enhanced as soon as MSH-15 or MSH-16 says anything."""
    return "enhanced" if inbound.accept_ack or inbound.application_ack else "original"


def wants(inbound: Header, code: str) -> bool:
    """Whether the sender asked to be told this (table 0155). Nobody is ever told about an acknowledgement."""
    if inbound.message_type == "ACK":
        return False
    if mode(inbound) == "original":
        return code[0] == "A"
    condition = inbound.accept_ack if code[0] == "C" else inbound.application_ack
    return code[1] in _CONDITIONS.get(condition.upper(), "AER")


def wants_any(inbound: Header) -> bool:
    """Whether anything that can become of the message is told to its sender."""
    return any(wants(inbound, f"{kind}{code}") for kind in "AC" for code in "AER")


def replies(inbound: Header, code: str, kept: bool = True) -> tuple[str, ...]:
    """The acknowledgements to send for an outcome given in original mode's words, the immediate one first.

    What was refused, or could not be kept, was never accepted: in enhanced mode it is answered once, by CR or CE, or
    by the application's AR or AE where the sender asked for no accept acknowledgement (NE with AL is original mode).
    """
    if mode(inbound) == "original":
        return (code,) if wants(inbound, code) else ()
    if code == "AR" or not kept:
        return tuple(each for each in (f"C{code[1]}", code) if wants(inbound, each))[:1]
    return tuple(each for each in ("CA", code) if wants(inbound, each))  # a content error is kept: it is ours now


def build(
    inbound: Header,
    code: str,
    control_id: str,
    now: str,
    problems: Sequence[Problem] = (),
    *,
    text: str = "",
    expected: int | None = None,
) -> bytes:
    """An ACK for this header. `now` is HL7 time with its offset; `text` is ours and goes into MSA-3;
    `expected` is the next sequence number, for senders that number their messages in MSH-13."""
    if not 1 <= len(control_id) <= _LONGEST_CONTROL_ID:
        raise ValueError("the control id of a reply has 1 to 20 characters")
    d = inbound.delimiters
    number = "" if expected is None else str(expected)
    msa = ["MSA", code, inbound.control_id, _ours(text, inbound) if text else "", number]
    lines = [_msh(inbound, code, control_id, now), _line(msa, d), *_errors(inbound, problems)]
    return "".join(f"{line}\r" for line in lines).translate(_FRAMING).encode("latin-1")


def build_minimal(raw: bytes, code: str, control_id: str, now: str, problems: Sequence[Problem] = ()) -> bytes | None:
    """An ACK from whatever bytes of an MSH there are, behind any junk; None when there is nobody to answer.

    The code is in original mode's words, and says that nothing was kept of it but its bytes.
    """
    start = raw.find(b"MSH")
    inbound = header(raw[start:]) if start >= 0 else None
    codes = replies(inbound, code, kept=False) if inbound else ()
    return build(inbound, codes[0], control_id, now, problems) if inbound and codes else None


def read_ack(payload: bytes) -> tuple[str, str] | None:
    """MSA-1 and MSA-2 of an answer to something we sent; None when it is not an acknowledgement."""
    inbound = header(payload)
    if inbound is None:
        return None
    d = inbound.delimiters
    for line in re.split(r"[\r\n]+", unwrapped(payload).decode("latin-1")):
        name, *fields = line.split(d.field)
        if name == "MSA" and fields:
            control_id = fields[1] if len(fields) > 1 else ""
            return fields[0].strip().upper(), unescape(control_id, d, "latin-1")[0]
    return None


def error_code(code: str) -> tuple[int, str]:
    """A problem's code as table 0357 has it."""
    word = DATA_QUALITY.get(code, "data-type-error" if code.startswith("DQ-") else code)
    return TABLE_0357.get(word, TABLE_0357["application-internal-error"])


def _msh(inbound: Header, code: str, control_id: str, now: str) -> str:
    """MSH with both ends swapped and our own MSH-7 and MSH-10; what the sender chose stays as it chose it."""
    d = inbound.delimiters
    ends = (
        inbound.receiving_application,
        inbound.receiving_facility,
        inbound.sending_application,
        inbound.sending_facility,
    )
    final = code[0] == "A" and mode(inbound) == "enhanced"
    event = inbound.event.strip()
    before, between, after = _constant(d, ends, event, inbound.processing, inbound.version_id, final, inbound.charset)
    return f"{before}{now}{between}{control_id}{after}"


@lru_cache(maxsize=256)  # a sender's messages differ in their time and control id alone
def _constant(
    d: Delimiters,
    ends: tuple[str, ...],
    event: str,
    processing: str,
    version: str,
    final: bool,
    charset: str,
) -> tuple[str, str, str]:
    """What stands before MSH-7, up to MSH-10, and after it. A `final` answer wants none itself."""
    before = d.field.join((f"MSH{d.field}{d.encoding}", *ends, ""))
    between = d.field.join(("", "", _type(d, event, version), ""))
    after = _line(["", processing, version, "", "", "NE" if final else "", "", "", charset], d)
    return before, between, after


def _type(d: Delimiters, event: str, version: str) -> str:
    """MSH-9: `ACK^A01^ACK` from 2.3.1 on, whose structure has a name, also for senders that leave theirs out."""
    return d.component.join(("ACK", event, "ACK")) if event and _version(version, d) >= (2, 3, 1) else "ACK"


def _errors(inbound: Header, problems: Sequence[Problem]) -> list[str]:
    """One ERR for each problem from 2.5 on (ERL in ERR-2), before that one ERR with a repetition for each (ELD)."""
    d = inbound.delimiters
    if not problems:
        return []
    if _version(inbound.version_id, d) < (2, 5):
        return [d.field.join(("ERR", (d.repetition or d.field).join(_eld(each, d) for each in problems)))]
    return [_err(each, inbound) for each in problems]


def _err(problem: Problem, inbound: Header) -> str:
    d, (number, name) = inbound.delimiters, error_code(problem.code)
    what = d.component.join((str(number), name, "HL70357"))
    detail = _ours(problem.detail, inbound)
    return _line(["ERR", "", _erl(problem, d), what, _SEVERITY[problem.severity], "", "", detail], d)


def _erl(problem: Problem, d: Delimiters) -> str:
    """`AIP[2]-3.1` as `AIP^2^3^1^1`: repetition 1 is said only when a component follows it.

    What is no date, time or number stands in the first component, where the path does not say another.
    """
    at = _place(problem.path)
    if at is None:
        return ""
    first = 1 if at.field and problem.code == "data-type-error" else None
    component = at.component or first
    repetition = at.repetition or (1 if component else None)
    parts = (at.segment, at.occurrence, at.field, repetition, component, at.subcomponent)
    return d.component.join(str(part) for part in parts if part is not None)


def _eld(problem: Problem, d: Delimiters) -> str:
    at, (number, name) = _place(problem.path), error_code(problem.code)
    what = d.subcomponent.join((str(number), name, "HL70357")) if d.subcomponent else str(number)
    where = (at.segment, str(at.occurrence), str(at.field or "")) if at else ("", "", "")
    return d.component.join((*where, what))


def _place(path: str) -> Place | None:
    try:
        at = place(path)
    except ValueError:
        return None
    return None if at.segment == "?" else at


def _version(sent: str, d: Delimiters) -> tuple[int, ...]:
    """An unreadable version counts as a recent one."""
    numbers = component(sent, 1, d).strip().split(".")
    return tuple(int(number) for number in numbers) if all(re.fullmatch("[0-9]{1,3}", n) for n in numbers) else (2, 5)


def _line(fields: Sequence[str], d: Delimiters) -> str:
    return d.field.join(fields).rstrip(d.field)


def _ours(text: str, inbound: Header) -> str:
    """Our own words in the sender's charset, as a header holds bytes: one character each."""
    d = inbound.delimiters
    codec = charsets.codec(inbound.charset, d.repetition) or charsets.UTF8
    return charsets.encode(escape(text, d), codec).decode("latin-1")
