"""What a sender or a person can mend: a code, a place, and never a value."""

from typing import Annotated, Final, Literal

from msgspec import Struct, field

from canonical.meaning import means

Severity = Literal["error", "warning", "information"]


def _usual() -> Severity:
    return "warning"


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One thing wrong with one place of a message.

    Codes are stable: those of the domain's own list, or table 0357 in words.
    """

    code: Annotated[str, means("What is wrong, for programs; codes are only ever added.")]
    path: Annotated[str, means("The place in the sender's own terms, as `PID-7` or `AIP[2]-3.1`.")]
    detail: Annotated[str, means("What to do, for people; it never repeats what the field held.")] = ""
    severity: Annotated[Severity, means("`error` where something could not be used.")] = field(
        default_factory=_usual  # not left out of JSON, as a plain default would be
    )
    field: Annotated[str | None, means("The field that stayed without a value because of it.")] = None


# Every code that a message's problems have, and what it says: a public list, which only ever grows (DOMAIN Annex B).
FIELD_CODES: Final = {
    "data-type-error": "A date, time or number is not one; the field was left out.",
    "DQ-CODE-UNMAPPED": "A code is in neither the table nor the feed's code map; what was sent is kept as it is.",
    "DQ-REQUIRED-MISSING": "Something is missing that should be there; what depends on it was left out.",
    "DQ-PRECISION": "A date stands where an instant is needed.",
    "DQ-DST": "A local time that the change of clocks skips or repeats.",
    "DQ-ZONE-ASSUMED": "A local time of a feed without a zone.",
    "DQ-TIME-CONFLICT": "Two places of the message say different times.",
    "DQ-DURATION-CONFLICT": "The duration is not the time from start to end.",
    "DQ-UOM": "A unit is missing or unknown.",
    "DQ-ESCAPE": "An escape sequence is unknown or never ends (kept as sent), or is a control character (left out).",
    "DQ-NPI-CHECK": "The check digit of a National Provider Identifier is wrong.",
    "DQ-AUTHORITY-UNREGISTERED": "The authority registry does not know who assigned a number.",
    "DQ-AUTHORITY-DEFAULTED": "A number came without its authority; the sender's own was taken.",
}
MESSAGE_CODES: Final = {
    "DQ-MSGSTRUCT": "The message is not built as the standard says.",
    "DQ-CHARSET": "Bytes do not fit the character set, it is not supported, or control characters were left out.",
    "DQ-FUTURE-CLOCK": "The sender's clock is ahead of ours; the time of receipt was taken.",
    "DQ-CTRLID-REUSE": "The control id was used before for another message.",
    "required-field-missing": "A field that the standard requires is empty; as an error: the message cannot be used.",
    "value-too-long": "The message or a field is larger than is allowed, or there is more in it than is read at once.",
    "application-internal-error": "A fault of ours; the message is kept, and a task says so.",
    "unsupported-message-type": "The type is outside the model, and the feed refuses what is.",
    "unsupported-event-code": "The event is outside the model, and the feed refuses what is.",
    "unsupported-processing-id": "MSH-11 is not in table 0103; as an error: the feed does not take such messages.",
    "unsupported-version-id": "MSH-12 is no known version; the message was read like one of a recent version.",
    "INT-PARSE": "The message cannot be read.",
    "INT-MAP": "The message could not be mapped, which is a fault of ours.",
    "ROUTE": "The feed is not open to this sender.",
    "X12-SEP": "A value holds a delimiter of X12, for which there is no escape; nothing was sent.",
    "X12-PARTNER": "What is agreed with the payer does not allow it; nothing was sent.",
    "DQ-MEMBER-CORRECTED": "A payer has a member otherwise than it was asked; the patient was left as it is.",
    "unknown-key-identifier": "An answer, or a decision in it, belongs to nothing that was asked; it was left out.",
    "PAT-MULTI": "The numbers of one patient belong to different patients.",
    "PAT-MERGE-CONFLICT": "The two patients are already merged the other way.",
}
CODES: Final = FIELD_CODES | MESSAGE_CODES
