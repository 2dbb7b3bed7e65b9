"""Social security numbers as they are shown to whoever need not know them: the last four digits, as on a pay slip.

They are found wherever a record lists numbers; what else stands beside a number stays as it is.
"""

from typing import Any

from msgspec.structs import replace

from canonical.datatypes import Identifier
from canonical.records import Record

SSN = "http://hl7.org/fhir/sid/us-ssn"
HOLDING = ("contacts", "participants")  # the lists whose entries have numbers of their own
NAMING = ("subscriber", "corrected_subscriber", "guarantor")  # the fields that name a person with numbers


def is_private(one: Identifier) -> bool:
    """Whether this is a social security number, by its system or, under another, by its type (table 0203)."""
    return one.system == SSN or one.type == "SS"


def shortened(number: str) -> str:
    """A number of which the last four digits are left; of a shorter one nothing is."""
    digits = number.replace("-", "")
    return f"***-**-{digits[-4:]}" if len(digits) > 4 else "***-**-****"


def is_masking(record: Record) -> bool:
    """Whether the record holds anything that is to be masked."""
    entries = [entry for name in HOLDING for entry in getattr(record, name, ())]
    entries += [one for name in NAMING if (one := getattr(record, name, None))]
    return any(map(is_private, record.identifiers)) or any(any(map(is_private, one.identifiers)) for one in entries)


def masked(values: dict[str, Any]) -> None:
    """Mask what a record lists, in the fields of its form for the API."""
    values["identifiers"] = _hidden(values["identifiers"])
    for name in HOLDING:
        if name in values:
            values[name] = tuple([replace(one, identifiers=_hidden(one.identifiers)) for one in values[name]])
    for name in NAMING:
        if one := values.get(name):
            values[name] = replace(one, identifiers=_hidden(one.identifiers))


def _hidden(numbers: tuple[Identifier, ...]) -> tuple[Identifier, ...]:
    return tuple([replace(one, value=shortened(one.value)) if is_private(one) else one for one in numbers])
