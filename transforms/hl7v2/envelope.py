"""What is wrong with an MSH that can be read all the same: its control id, its processing id, its version.

None of it costs the message anything. Whether a feed takes test messages is the feed's decision, in the gateway.
"""

from collections.abc import Iterator
from typing import Final

from canonical.problems import Problem

from .header import Header

PROCESSING_IDS: Final = frozenset({"P", "T", "D"})  # table 0103
LOWER_CASE: Final = Problem(
    code="DQ-MSGSTRUCT", path="MSH-9", detail="the type is not in upper case; it was read as if it were"
)
VERSIONS: Final = frozenset(  # table 0104
    {
        *("2.0", "2.0D", "2.1", "2.2", "2.3", "2.3.1", "2.3.2", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.7.1"),
        *("2.8", "2.8.1", "2.8.2", "2.9", "2.9.1"),
    }
)
NO_CONTROL_ID: Final = Problem(
    code="required-field-missing", path="MSH-10", detail="no control id: a message sent twice is known by its content"
)
NO_PROCESSING_ID: Final = Problem(code="required-field-missing", path="MSH-11", detail="no processing id")
ODD_PROCESSING_ID: Final = Problem(
    code="unsupported-processing-id", path="MSH-11.1", detail="not in table 0103; the message is read like any other"
)
NO_VERSION: Final = Problem(
    code="required-field-missing", path="MSH-12", detail="no version: the message is read like one of a recent version"
)
ODD_VERSION: Final = Problem(
    code="unsupported-version-id",
    path="MSH-12.1",
    detail="not a known version; the message is read like one of a recent version",
)


def complaints(header: Header, kind: str) -> Iterator[Problem]:
    """Everything that is wrong; `kind` is MSH-9 as sent."""
    if kind != kind.upper():
        yield LOWER_CASE
    if not header.control_id.strip():
        yield NO_CONTROL_ID
    processing, version = header.processing_id.strip().upper(), header.version.strip().upper()
    if processing not in PROCESSING_IDS:
        yield ODD_PROCESSING_ID if processing else NO_PROCESSING_ID
    if version not in VERSIONS:
        yield ODD_VERSION if version else NO_VERSION
