"""CAQH CORE Connectivity's envelope over HTTP MIME, in real time (vC2.2.0, also as vC4.0.0 keeps it; DOMAIN 4.9).

What the payload says is nobody's business here. An envelope's ErrorCode is an outcome: whether asking again can help.
"""

import re
from typing import Final, Literal

from msgspec import Struct

from canonical.outcome import Kind

Version = Literal["2.2.0", "4.0.0"]
SUCCESS: Final = "Success"
_REFUSED = re.compile(
    "(PayloadType|ProcessingMode|PayloadID|PayloadLength|TimeStamp|UserName|Password|SenderID|ReceiverID"
    "|CORERuleVersion|CheckSum|Payload)(Illegal|Required|NotUnderstood|NotSupported)"
)
KNOWN: Final[dict[str, tuple[Kind, str]]] = {
    "Receiver": ("transient", "core_receiver"),  # the fault is theirs
    "Sender": ("permanent", "core_sender"),
    "VersionMismatch": ("permanent", "core_version"),
    "UnAuthorized": ("permanent", "core_unauthorized"),
    "ChecksumMismatched": ("permanent", "core_checksum"),
    "RetryNotAllowed": ("permanent", "core_retry_not_allowed"),
}


class Envelope(Struct, frozen=True, kw_only=True):
    """What goes around a payload. `payload_id` is a UUID, `timestamp` UTC; a password only where the payer wants it."""

    payload_type: str
    payload: bytes
    payload_id: str
    timestamp: str
    sender: str
    receiver: str
    username: str = ""
    password: str = ""
    version: Version = "2.2.0"

    def __repr__(self) -> str:
        return "Envelope(...)"


def fields(envelope: Envelope) -> dict[str, bytes]:
    """The fields of a request in CORE's order."""
    given = {
        "PayloadType": envelope.payload_type,
        "ProcessingMode": "RealTime",
        "PayloadID": envelope.payload_id,
        "TimeStamp": envelope.timestamp,
        "UserName": envelope.username,
        "Password": envelope.password,
        "SenderID": envelope.sender,
        "ReceiverID": envelope.receiver,
        "CORERuleVersion": envelope.version,
    }
    optional = ("UserName", "Password")
    plain = {name: value.encode() for name, value in given.items() if value or name not in optional}
    return plain | {"Payload": envelope.payload}


def outcome_of_error(code: str) -> tuple[Kind, str]:
    """The class of an ErrorCode, and a code of ours for it; what a payer makes up is not repeated."""
    if known := KNOWN.get(code):
        return known
    if match := _REFUSED.fullmatch(code):
        field, what = match.groups()
        return "permanent", f"core_{field.lower()}_{what.lower()}"
    return "permanent", "core_error"
