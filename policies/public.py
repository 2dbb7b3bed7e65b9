"""What may leave the house in a log line, a span or a label: the keys listed here, in the shapes listed here.

Everything else is dropped, so a new field is private until someone adds it to this page. A shape is narrow enough that
a name, a date or a sentence does not fit it; what does not fit is written as `?`. What a shape cannot see is a single
lower-case word or a bare number under a key that takes one: codes are constants of ours, counts are counted.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from os import sep
from pathlib import Path
from typing import Final

from canonical.events import EVENTS
from canonical.ids import CROCKFORD, PREFIXES
from canonical.problems import CODES as PROBLEMS

Shape = Callable[[object], bool]
Value = str | int | float | bool

HIDDEN: Final = "?"
ROOT: Final = Path(__file__).parents[1]
ROOMS: Final = frozenset({"canonical", "transforms", "connectors", "policies", "gateway"})

# HL7 table 0076 in one alternation: three letters alone could be a name.
MESSAGE_CODES: Final = (
    "ACK|ADT|BAR|BPS|BRP|BRT|BTS|CCF|CCI|CCM|CCQ|CCU|CQU|CRM|CSU|DBC|DBU|DEL|DEO|DER|DFT|DPR|DRC|DRG|EAC|EAN|EAR|EHC|"
    "ESR|ESU|INR|INU|LSR|LSU|MDM|MFK|MFN|MFQ|MFR|NMD|NMQ|NMR|OMB|OMD|OMG|OMI|OML|OMN|OMP|OMQ|OMS|OPL|OPR|OPU|ORA|ORB|"
    "ORD|ORF|ORG|ORI|ORL|ORM|ORN|ORP|ORR|ORS|ORU|ORX|OSM|OSQ|OSR|OSU|OUL|PEX|PGL|PIN|PMU|PPG|PPP|PPR|PPT|PPV|PRR|PTR|"
    "QBP|QCK|QCN|QRY|QSB|QSX|QVR|RAR|RAS|RCI|RCL|RDE|RDR|RDS|RDY|REF|RER|RGR|RGV|ROR|RPA|RPI|RPL|RPR|RQA|RQC|RQI|RQP|"
    "RRA|RRD|RRE|RRG|RRI|RSP|RTB|SCN|SDN|SDR|SIU|SLN|SLR|SMD|SQM|SQR|SRM|SRR|SSR|SSU|STC|STI|SUR|TBR|TCR|TCU|UDM|VXQ|"
    "VXR|VXU|VXX"
)


def _text(pattern: str) -> Shape:
    # Codes, routes and names come again and again: an answer is remembered, which costs a tenth of matching.
    fits = lru_cache(maxsize=1024)(re.compile(pattern).fullmatch)
    return lambda value: isinstance(value, str) and fits(value) is not None


def _either(one: Shape, other: Shape) -> Shape:
    return lambda value: one(value) or other(value)


def _number(value: object) -> bool:
    return isinstance(value, int | float)


def _flag(value: object) -> bool:
    return isinstance(value, bool)


CODE = _text(r"[a-z][a-z0-9_.\-]{0,63}")
OUR_ID = _text(rf"({'|'.join(PREFIXES.values())})_[{CROCKFORD}]{{26}}")
TOKEN = _text(r"[a-z]{3}_[0-9a-f]{8}")
HEX = _text(r"[0-9a-f]{32}|[0-9a-f]{64}")
EVENT_TYPE = _text("|".join(map(re.escape, EVENTS)))
MESSAGE_TYPE = _text(rf"({MESSAGE_CODES})([\^_][A-Z]\d\d(\^({MESSAGE_CODES})_[A-Z]\d\d)?)?")
PROBLEM = _text("|".join(map(re.escape, PROBLEMS)))
ADDRESS = _text(r"(\d{1,3}\.){3}\d{1,3}|(?=.*:.*:)[0-9a-f:.]{2,45}(%[a-z0-9]{1,15})?")
ACK = _text(r"[AC][AER]")
ROUTE = _text(r"/|(/v\d{1,2}|/[$_.]?[a-z][a-z_.\-]*|/\{[a-z_]+(:[a-z]+)?\})+/?")
METHOD = _text(r"GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|_OTHER")
PLACE = _text(r"[A-Z][A-Z0-9]{2}(\[\d{1,3}\])?-\d{1,3}((\[\d{1,3}\])?(\.\d{1,2}){0,2})?")
FRAME = _text(r"[a-z0-9_/]+\.py:\d+")
CLASS = _text(r"[A-Za-z_][A-Za-z0-9_.]{0,95}")
VERSION = _text(r"\d{1,3}(\.\d{1,3}){1,3}([abrc]{1,2}\d{1,2})?")


def _all(keys: str, shape: Shape) -> dict[str, Shape]:
    return dict.fromkeys(keys.split(), shape)


SHAPES: Final[dict[str, Shape]] = {
    **_all("code kind outcome state action verb why mode fault queue", CODE),
    **_all("feed peer destination client tenant flow listener limit policy", CODE),
    **_all("message delivery subscription task record subject patient id", _either(OUR_ID, TOKEN)),
    **_all("trace digest", HEX),
    "type": _either(EVENT_TYPE, MESSAGE_TYPE),
    "problem": PROBLEM,
    "address": ADDRESS,
    "ack": ACK,
    "route": ROUTE,
    "method": METHOD,
    "place": PLACE,
    "version": VERSION,
    **_all("count size depth attempt attempts problems status port seq group connections backlog dropped", _number),
    **_all("messages aside months events deliveries audit tombstones", _number),
    **_all("seconds after age rate", _number),
    **_all("tls replay duplicate dry_run", _flag),
}


def public(fields: Mapping[str, object]) -> dict[str, Value]:
    """The fields that may be seen: those of an unknown key are left out, those of a wrong shape hidden."""
    seen: dict[str, Value] = {}
    for key, value in fields.items():
        shape = SHAPES.get(key)
        if shape is not None and value is not None:
            seen[key] = _plain(value) if shape(value) else HIDDEN
    return seen


def _plain(value: object) -> Value:
    """A fitting value without its class: an enumeration's member is the text or number it stands for."""
    if isinstance(value, str):
        return str.__str__(value)
    return value if isinstance(value, int | float) else HIDDEN


def places(frames: Iterable[tuple[str, int]]) -> list[str]:
    """Frames of ours as `room/file.py:line`; the paths of others, and what stands above the room, are left out."""
    found = []
    for path, line in frames:
        inner = path.removeprefix(f"{ROOT}{sep}").replace(sep, "/")
        frame = f"{inner}:{line}"
        if inner != path and inner.partition("/")[0] in ROOMS and FRAME(frame):
            found.append(frame)
    return found
