"""What records of every kind are made of: identifiers, codes, names, addresses, amounts, notes.

Frozen, camelCase on the wire, and silent in `repr`: a value that reaches a log by accident shows its type alone.
"""

from typing import Annotated

from msgspec import Struct

from canonical.meaning import DECIMAL, codes, identity, means, partial_date, roughly, when


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


class Link(Value, frozen=True):
    """A tie between two patients; `other` is our id."""

    type: Annotated[str, codes("What the other is to this one.", "replaced-by", "replaces", "seealso")]
    other: Annotated[str, identity("The id of the other record.", "patient", "encounter")]
    message: Annotated[str | None, identity("The message that said so.", "message")] = None
    at: Annotated[str | None, when("When that was.")] = None


class Money(Value, frozen=True):
    """An amount of money; never a float."""

    amount: Annotated[str, means("The amount, as a decimal number.", pattern=DECIMAL)]
    currency: Annotated[str, means("The currency (ISO 4217), as `USD`.", pattern="^[A-Z]{3}$")]


class Quantity(Value, frozen=True):
    """So many of something, in a unit that may be local: `EA` of X12 355 is not `EA` of UCUM."""

    value: Annotated[str, means("How many, as a decimal number.", pattern=DECIMAL)]
    unit: Annotated[str | None, means("The unit in words.")] = None
    system: Annotated[str | None, means("The list that the unit's code is of, as a URI.", format="uri")] = None
    code: Annotated[str | None, means("The unit's code.")] = None


class Attachment(Value, frozen=True):
    """A document that came with a message: what it is and where it stands there. Its bytes stay in the message."""

    title: Annotated[str | None, means("What it is called.")] = None
    type: Annotated[Concept | None, means("What kind of document it is.")] = None
    content_type: Annotated[str | None, means("Its media type, as `application/pdf`.")] = None
    message: Annotated[str | None, identity("The message that holds it.", "message")] = None
    place: Annotated[str | None, means("The place in that message, as `OBX[2]-5`.")] = None
    identifier: Annotated[Identifier | None, means("The sender's number of it.")] = None


class Observation(Value, frozen=True):
    """One thing that was found or measured (OBX)."""

    code: Annotated[Concept, means("What was looked at.")]
    text: Annotated[str | None, means("What was found, as it was said.")] = None
    quantity: Annotated[Quantity | None, means("What was measured.")] = None
    value: Annotated[Concept | None, means("What was found, as a code.")] = None
    at: Annotated[str | None, roughly("When.")] = None


class Entity(Value, frozen=True):
    """A payer, supplier, provider or other body as it was named, with its record where there is one (NM1, IN1-3)."""

    name: Annotated[str | None, means("Its name, in words.")] = None
    role: Annotated[Concept | None, means("What it is to the record.")] = None
    identifiers: Annotated[tuple[Identifier, ...], means("Its numbers.")] = ()
    organization: Annotated[str | None, identity("The id of its record, where it is a body.", "organization")] = None
    provider: Annotated[str | None, identity("The id of its record, where it provides care.", "provider")] = None
    telecoms: Annotated[tuple[Telecom, ...], means("How to reach it.")] = ()
    address: Annotated[Address | None, means("Where it is.")] = None
