"""The building blocks of every record: identifiers, codes, names, addresses, notes.

Frozen, camelCase on the wire, and silent in `repr`: a value that reaches a log by accident shows its type alone.
"""

from msgspec import Struct


class Value(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel", gc=False):
    """Base of all data types. Its repr is the type's name: fields may be PHI."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"


class Authority(Value, frozen=True):
    """An assigning authority as the sender wrote it (HL7 v2 HD)."""

    namespace_id: str | None = None
    universal_id: str | None = None
    universal_id_type: str | None = None


class Identifier(Value, frozen=True):
    """A business identifier: matched exactly on (system, value) after trimming (DOMAIN 1.1)."""

    value: str
    system: str
    type: str | None = None  # table 0203: MR, VN, FILL, PLAC, NPI ...
    use: str | None = None  # usual | official | temp | secondary | old
    original: Authority | None = None
    start: str | None = None
    end: str | None = None


class Coding(Value, frozen=True):
    """One code of one system."""

    code: str
    system: str | None = None
    display: str | None = None


class Concept(Value, frozen=True):
    """A coded idea: codings in the sender's order and the text a person reads (FHIR CodeableConcept)."""

    codings: tuple[Coding, ...] = ()
    text: str | None = None


class Name(Value, frozen=True):
    """A person's name (XPN, XCN)."""

    family: str | None = None
    given: tuple[str, ...] = ()
    prefix: str | None = None
    suffix: str | None = None
    degree: str | None = None
    use: str | None = None  # official | usual | maiden | nickname | old | anonymous


class Address(Value, frozen=True):
    """A postal address (XAD)."""

    lines: tuple[str, ...] = ()
    city: str | None = None
    district: str | None = None
    state: str | None = None
    postal_code: str | None = None
    country: str | None = None
    use: str | None = None  # home | work | temp | old | billing
    type: str | None = None  # postal | physical


class Telecom(Value, frozen=True):
    """A way to reach someone (XTN)."""

    system: str  # phone | fax | email | pager | url | sms | other
    value: str
    use: str | None = None  # home | work | mobile | temp | old


class Note(Value, frozen=True):
    """Free text, in the order it was said."""

    text: str
    author: str | None = None
    time: str | None = None
    type: str | None = None
    scope: str | None = None  # appointment | service | participant


class Contact(Value, frozen=True):
    """Someone named on a record who is not its subject: next of kin, placer, filler, enterer."""

    role: str
    name: Name | None = None
    relationship: Concept | None = None
    telecoms: tuple[Telecom, ...] = ()
    address: Address | None = None
    identifiers: tuple[Identifier, ...] = ()
    location: str | None = None


class Participant(Value, frozen=True):
    """Who or what takes part in an appointment or encounter.

    `actor` is the id of our record, when there is one; `key` names the entry for action-mode edits
    (`AIP/1`: segment and set id).
    """

    kind: str  # patient | provider | location | device
    role: Concept | None = None
    actor: str | None = None
    identifiers: tuple[Identifier, ...] = ()
    display: str | None = None
    required: bool = True
    status: str | None = None  # accepted | declined | tentative | needs-action
    source_status: Concept | None = None
    start: str | None = None
    minutes: int | None = None
    quantity: str | None = None
    substitution: str | None = None  # table 0279
    group: str | None = None  # RGS-1/RGS-3
    notes: tuple[Note, ...] = ()
    key: str | None = None


class Service(Value, frozen=True):
    """One service of an appointment (AIS)."""

    code: Concept
    start: str | None = None
    minutes: int | None = None
    status: Concept | None = None
    supplemental: tuple[Concept, ...] = ()
    group: str | None = None
    notes: tuple[Note, ...] = ()
    key: str | None = None


class Placement(Value, frozen=True):
    """A location held by an encounter (PV1-3, -6, -11, -42, -43)."""

    kind: str  # assigned | prior | temporary | pending | prior-temporary
    location: str | None = None
    display: str | None = None
    status: str | None = None  # planned | active | reserved | completed
    start: str | None = None
    end: str | None = None


class Diagnosis(Value, frozen=True):
    """A diagnosis of an encounter (DG1)."""

    code: Concept
    use: str | None = None  # admitting | working | final
    rank: int | None = None
    at: str | None = None
    present_on_admission: str | None = None
    identifier: Identifier | None = None


class Link(Value, frozen=True):
    """A tie between two patients; `other` is our id."""

    type: str  # replaced-by | replaces | seealso
    other: str
    message: str | None = None
    at: str | None = None
