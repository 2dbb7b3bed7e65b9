"""What providers are made of: what they may do, and where they do it (STF, PRA, ORG, EDU, CER)."""

from typing import Annotated

from canonical.datatypes.common import Concept, Identifier, Telecom, Value
from canonical.meaning import codes, identity, means, partial_date


class Qualification(Value, frozen=True):
    """A degree, certificate, licence or board certification (PRA-5, PRA-6, EDU, CER)."""

    kind: Annotated[str, codes("What it is.", "degree", "certificate", "license", "board")]
    code: Annotated[Concept | None, means("Of or for what.")] = None
    identifier: Annotated[Identifier | None, means("Its number.")] = None
    issuer: Annotated[str | None, means("Who gave it, in words: a board, a state, a school.")] = None
    status: Annotated[Concept | None, means("Where it stands, as the sender's code.")] = None
    start: Annotated[str | None, partial_date("Since when.")] = None
    end: Annotated[str | None, partial_date("Until when.")] = None


class Privilege(Value, frozen=True):
    """What a practitioner may do at a facility (PRA-7)."""

    code: Annotated[Concept, means("What may be done.")]
    category: Annotated[Concept | None, means("The class of the privilege.")] = None
    facility: Annotated[str | None, means("Where, in words.")] = None
    start: Annotated[str | None, partial_date("Since when.")] = None
    end: Annotated[str | None, partial_date("Until when.")] = None


class Role(Value, frozen=True):
    """A provider's place in an organisation (ORG, PRA, STF; FHIR PractitionerRole)."""

    organization: Annotated[str | None, identity("The id of the organisation.", "organization")] = None
    location: Annotated[str | None, identity("The id of the place of work.", "location")] = None
    display: Annotated[str | None, means("The organisation or unit, in words.")] = None
    code: Annotated[Concept | None, means("What the provider is there.")] = None
    department: Annotated[Concept | None, means("The department (STF-8).")] = None
    hospital_service: Annotated[Concept | None, means("The hospital's service (STF-9).")] = None
    specialties: Annotated[tuple[Concept, ...], means("Specialties there (ORG-6 to -8).")] = ()
    billing: Annotated[Concept | None, means("How the provider's work is billed (PRA-4).")] = None
    active: Annotated[bool | None, means("Whether the provider works there now.")] = None
    primary: Annotated[bool | None, means("Whether it is the main one.")] = None
    primary_care: Annotated[bool | None, means("Whether the provider is a primary care provider there.")] = None
    telecoms: Annotated[tuple[Telecom, ...], means("How to reach the provider there.")] = ()
    start: Annotated[str | None, partial_date("Since when.")] = None
    end: Annotated[str | None, partial_date("Until when.")] = None
    key: Annotated[str | None, means("Names this entry among the others; it stays through updates.")] = None
