"""What visits, referrals and requests for care are made of: who takes part, what is done, where, and why."""

from typing import Annotated

from canonical.datatypes.common import Address, Concept, Identifier, Note, Quantity, Telecom, Value
from canonical.meaning import codes, identity, means, roughly, when


class Participant(Value, frozen=True):
    """Who or what takes part in an appointment or encounter."""

    kind: Annotated[str, codes("What it is.", "patient", "provider", "location", "device")]
    role: Annotated[Concept | None, means("What it does there.")] = None
    actor: Annotated[
        str | None,
        identity(
            "The id of its record, where there is one; a patient's is that of the survivor of all merges.",
            "patient",
            "provider",
            "location",
        ),
    ] = None
    identifiers: Annotated[tuple[Identifier, ...], means("Its numbers, as the message gave them.")] = ()
    display: Annotated[str | None, means("Its name, in words.")] = None
    required: Annotated[bool, means("Whether it is needed; left out where it is.")] = True
    status: Annotated[
        str | None,
        codes("Whether it is coming (FHIR participationstatus).", "accepted", "declined", "tentative", "needs-action"),
    ] = None
    source_status: Annotated[Concept | None, means("What the sender called that status.")] = None
    start: Annotated[str | None, when("When it is needed from.")] = None
    minutes: Annotated[int | None, means("How long it is needed.")] = None
    quantity: Annotated[str | None, means("How many are needed, as the sender wrote it.")] = None
    substitution: Annotated[str | None, means("Whether another may stand in (HL7 table 0279).")] = None
    group: Annotated[str | None, means("The group of resources that it belongs to (RGS-1).")] = None
    notes: Annotated[tuple[Note, ...], means("What was written about it.")] = ()
    key: Annotated[str | None, means("Names this entry among the others; it stays through updates.")] = None


class Service(Value, frozen=True):
    """One service of an appointment (AIS)."""

    code: Annotated[Concept, means("What is done.")]
    start: Annotated[str | None, when("When it begins.")] = None
    minutes: Annotated[int | None, means("How long it takes.")] = None
    status: Annotated[Concept | None, means("The sender's status of it.")] = None
    supplemental: Annotated[tuple[Concept, ...], means("What else is said of what is done.")] = ()
    group: Annotated[str | None, means("The group of resources that it belongs to (RGS-1).")] = None
    notes: Annotated[tuple[Note, ...], means("What was written about it.")] = ()
    key: Annotated[str | None, means("Names this entry among the others; it stays through updates.")] = None


class Placement(Value, frozen=True):
    """A location held by an encounter (PV1-3, -6, -11, -42, -43)."""

    kind: Annotated[
        str, codes("What the place is to the visit.", "assigned", "prior", "temporary", "pending", "prior-temporary")
    ]
    location: Annotated[str | None, identity("The id of the place.", "location")] = None
    display: Annotated[str | None, means("The place in words.")] = None
    status: Annotated[str | None, codes("Whether it is taken.", "planned", "active", "reserved", "completed")] = None
    start: Annotated[str | None, when("Since when.")] = None
    end: Annotated[str | None, when("Until when.")] = None


class Diagnosis(Value, frozen=True):
    """A diagnosis of an encounter (DG1)."""

    code: Annotated[Concept, means("What was found.")]
    use: Annotated[str | None, codes("At what point of the visit it was made.", "admitting", "working", "final")] = None
    rank: Annotated[int | None, means("1 is the principal one.")] = None
    at: Annotated[str | None, roughly("When it was made.")] = None
    present_on_admission: Annotated[str | None, means("Whether it was there on admission, as the sender's code.")] = (
        None
    )
    identifier: Annotated[Identifier | None, means("The sender's number of it.")] = None


class Party(Participant, frozen=True):
    """Who takes part in a referral or an authorization, as was said of them there (PRD, 2010EA)."""

    telecoms: Annotated[tuple[Telecom, ...], means("How to reach them.")] = ()
    address: Annotated[Address | None, means("Where they are.")] = None
    organization: Annotated[str | None, means("The organisation they are of, in words.")] = None
    specialty: Annotated[Concept | None, means("What they do.")] = None
    end: Annotated[str | None, roughly("Until when they take part.")] = None


class Procedure(Value, frozen=True):
    """A service that is asked for (PR1, SV1)."""

    code: Annotated[Concept, means("What is to be done.")]
    modifiers: Annotated[tuple[Concept, ...], means("What changes its meaning.")] = ()
    date: Annotated[str | None, roughly("When it is to be done.")] = None
    quantity: Annotated[Quantity | None, means("How many or how much.")] = None
    authorization: Annotated[Identifier | None, means("The number of the authorization for this very service.")] = None
    key: Annotated[str | None, means("Names this entry among the others; it stays through updates.")] = None
