"""The building blocks of every record: identifiers, codes, names, addresses, notes.

Frozen, camelCase on the wire, and silent in `repr`: a value that reaches a log by accident shows its type alone.
"""

from typing import Annotated

from msgspec import Struct

from canonical.meaning import codes, identity, means, partial_date, roughly, when


class Value(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel", gc=False):
    """Base of all data types. Its repr is the type's name: fields may be PHI."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"


class Authority(Value, frozen=True):
    """An assigning authority as the sender wrote it (HL7 v2 HD)."""

    namespace_id: Annotated[str | None, means("HD.1: its local name.")] = None
    universal_id: Annotated[str | None, means("HD.2: its universal id, as an OID.")] = None
    universal_id_type: Annotated[str | None, means("HD.3: what kind of universal id that is, as `ISO`.")] = None


class Identifier(Value, frozen=True):
    """A business identifier: matched exactly on (system, value) after trimming."""

    value: Annotated[str, means("The number itself.")]
    system: Annotated[
        str,
        means(
            "Who gives out such numbers, as a URI; a URN of the feed where the site's registry does not know them.",
            format="uri",
        ),
    ]
    type: Annotated[
        str | None,
        means("What kind of number it is (HL7 table 0203), as `MR`, `VN`, `NPI`."),
    ] = None
    use: Annotated[
        str | None,
        codes("How it is used; `old` numbers are no longer in use.", "usual", "official", "temp", "secondary", "old"),
    ] = None
    original: Annotated[Authority | None, means("The assigning authority as the sender wrote it.")] = None
    start: Annotated[str | None, partial_date("Since when it is valid.")] = None
    end: Annotated[str | None, partial_date("Until when it is valid.")] = None


class Coding(Value, frozen=True):
    """One code of one system."""

    code: Annotated[str, means("The code.")]
    system: Annotated[str | None, means("The list that the code is of, as a URI.", format="uri")] = None
    display: Annotated[str | None, means("The code in words, as the sender or the list has it.")] = None


class Concept(Value, frozen=True):
    """A coded idea: codings in the sender's order and the text a person reads (FHIR CodeableConcept)."""

    codings: Annotated[
        tuple[Coding, ...], means("The same idea in one or more lists of codes, in the sender's order.")
    ] = ()
    text: Annotated[str | None, means("The idea in words.")] = None


class Name(Value, frozen=True):
    """A person's name (XPN, XCN)."""

    family: Annotated[str | None, means("Family name.")] = None
    given: Annotated[tuple[str, ...], means("Given names, the first one first.")] = ()
    prefix: Annotated[str | None, means("What stands before it, as `Dr`.")] = None
    suffix: Annotated[str | None, means("What stands after it, as `Jr`.")] = None
    degree: Annotated[str | None, means("Academic degree, as `MD`.")] = None
    use: Annotated[
        str | None, codes("What it is used for.", "official", "usual", "maiden", "nickname", "old", "anonymous")
    ] = None


class Address(Value, frozen=True):
    """A postal address (XAD)."""

    lines: Annotated[tuple[str, ...], means("Street, and what else stands above the city.")] = ()
    city: Annotated[str | None, means("City.")] = None
    district: Annotated[str | None, means("County or parish.")] = None
    state: Annotated[str | None, means("State or province, as the sender writes it.")] = None
    postal_code: Annotated[str | None, means("Postal code.")] = None
    country: Annotated[str | None, means("Country, as the sender writes it.")] = None
    use: Annotated[str | None, codes("What it is used for.", "home", "work", "temp", "old", "billing")] = None
    type: Annotated[str | None, codes("Whether mail is sent there or someone is there.", "postal", "physical")] = None


class Telecom(Value, frozen=True):
    """A way to reach someone (XTN)."""

    system: Annotated[str, codes("By what means.", "phone", "fax", "email", "pager", "url", "sms", "other")]
    value: Annotated[str, means("The number or address, as it was said.")]
    use: Annotated[str | None, codes("What it is used for.", "home", "work", "mobile", "temp", "old")] = None


class Note(Value, frozen=True):
    """Free text, in the order it was said."""

    text: Annotated[str, means("What was written; lines are separated by `\\n`.")]
    author: Annotated[str | None, means("Who wrote it, in words.")] = None
    time: Annotated[str | None, roughly("When it was written.")] = None
    type: Annotated[str | None, means("What kind of note it is, as the sender's code.")] = None
    scope: Annotated[str | None, codes("What it is about.", "appointment", "service", "participant")] = None


class Contact(Value, frozen=True):
    """Someone named on a record who is not its subject: next of kin, placer, filler, enterer."""

    role: Annotated[
        str,
        means("`placer`, `filler` or `enterer` of a booking; of a patient the sender's code (HL7 table 0131)."),
    ]
    name: Annotated[Name | None, means("The person's name.")] = None
    relationship: Annotated[Concept | None, means("What the person is to the patient.")] = None
    telecoms: Annotated[tuple[Telecom, ...], means("How to reach the person.")] = ()
    address: Annotated[Address | None, means("Where the person is.")] = None
    identifiers: Annotated[tuple[Identifier, ...], means("The person's own numbers.")] = ()
    location: Annotated[str | None, means("The person's place of work, in words.")] = None


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


class Link(Value, frozen=True):
    """A tie between two patients; `other` is our id."""

    type: Annotated[str, codes("What the other is to this one.", "replaced-by", "replaces", "seealso")]
    other: Annotated[str, identity("The id of the other record.", "patient", "encounter")]
    message: Annotated[str | None, identity("The message that said so.", "message")] = None
    at: Annotated[str | None, when("When that was.")] = None
