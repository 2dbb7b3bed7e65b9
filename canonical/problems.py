"""What a sender or a person can mend: a code, a place, and never a value."""

from typing import Literal

from msgspec import Struct

Severity = Literal["error", "warning", "information"]


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing wrong with one place of a message.

    `code` is stable (DOMAIN Annex B, or table 0357 in words); `path` is the place in the sender's own
    terms (`PID-7`, `AIP[2]-3.1`); `detail` says what to do and never repeats what the field held.
    `field` is the canonical field that stayed without a value because of it.
    """

    code: str
    path: str
    detail: str = ""
    severity: Severity = "warning"
    field: str | None = None
