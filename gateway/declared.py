"""Where a field stands as the mapping declares it: what is left to say of a message that cannot be read any more."""

from functools import cache

from canonical.records import Appointment, Encounter, Patient, Record
from transforms.hl7v2 import appointment, encounter, patient
from transforms.hl7v2.rows import Table

TABLES: dict[type[Record], tuple[Table, ...]] = {
    Patient: patient.TABLES,
    Appointment: (appointment.SCH, appointment.REASON, appointment.PV1),
    Encounter: encounter.TABLES,
}


@cache
def place_of(kind: type[Record], field: str) -> str | None:
    """The one place that a field is read from; None where there are several, or a function of its own fills it."""
    found: set[str] = set()
    for table in TABLES.get(kind, ()):
        found.update(row.path for row in table.rows if row.field == field)
        found.update(path for rule in table.rules if rule.field == field for path in rule.paths)
        found.update(path for joint in table.joints if field in joint.fields for path in joint.paths)
    return found.pop() if len(found) == 1 else None
