"""What every resource of the API has, and how it is written."""

from typing import Annotated

from msgspec import Meta, Struct

from canonical.datatypes import Concept, Identifier
from canonical.machines import MACHINES
from canonical.meaning import codes, identity, means, when
from canonical.problems import Problem

OPAQUE = "Opaque, and good for ever."


class Wire(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """Base of everything that the API says: camelCase, and what is empty is left out."""


def in_zone(text: str) -> Meta:
    """An IANA time zone."""
    return means(f"{text} An IANA zone, as `America/New_York`.")


def status_of(kind: str) -> Meta:
    """A status of this kind of record, in FHIR R4's words where it has one."""
    return codes("Where it stands, by all that was said.", *(one for one in MACHINES[kind] if one))


class Transition(Wire, frozen=True):
    """One line of a status history: a status that was another before. `at` is the sender's time, `recordedAt` ours.

    An `anomaly` is a transition that the status machine does not know; it was applied, because the feed is the truth.
    A `late` line came after a newer one. A line that is not `effective` changed nothing (the cancel of an event that
    was not the current one). What only says again what holds makes no line.
    """

    at: Annotated[str, when("The sender's time of what it said.")]
    recorded_at: Annotated[str, when("When we were told.")]
    to: Annotated[str, means("The status that it became.")]
    from_: Annotated[str | None, means("The status that it was; left out at the beginning.")] = None
    event: Annotated[str | None, means("The sender's event, as `S12` or `A01`.")] = None
    message: Annotated[str | None, identity("The message that said so.", "message")] = None
    actor: Annotated[str | None, means("The client whose command it was.")] = None
    anomaly: Annotated[
        bool, means("The status machine does not know this transition; it was applied, because the feed is the truth.")
    ] = False
    late: Annotated[bool, means("It was said after something newer.")] = False
    effective: Annotated[bool, means("False where it changed nothing; left out where it did.")] = True


class Provenance(Wire, frozen=True):
    """The feed and the message that changed the record last."""

    feed: Annotated[str | None, means("The feed that the message came by.")] = None
    message: Annotated[str | None, identity("The message.", "message")] = None


class Resource(Wire, frozen=True):
    """What every resource has. Instants are RFC 3339 in UTC.

    `versionId` counts the versions from "1"; it is a string, as in FHIR, and the `version` of an event is the same
    number. It is also the ETag, with a suffix where what is shown differs from what was said: a patient who was merged
    since, a visit that was found by its number, a number that is masked. `effectiveAt` is the senders' time of the
    version.
    """

    id: str
    version_id: Annotated[
        str, means("The number of the version, from `1`; the ETag begins with it.", pattern=r"^[1-9]\d*$")
    ]
    created_at: Annotated[str, when("When we first heard of it.")]
    updated_at: Annotated[str, when("When this version was made.")]
    effective_at: Annotated[str | None, when("The senders' time of this version.")] = None
    status: str | None = None
    status_reason: Annotated[Concept | None, means("Why it is in that status.")] = None
    source_status: Annotated[Concept | None, means("What the sender called the status.")] = None
    status_history: Annotated[
        tuple[Transition, ...], means("Every status that was another before, in the order of the senders' clocks.")
    ] = ()
    identifiers: Annotated[tuple[Identifier, ...], means("The numbers by which others know it.")] = ()
    problems: Annotated[tuple[Problem, ...], means("What came and could not be read or believed.")] = ()
    security_labels: Annotated[tuple[Concept, ...], means("How confidential it is.")] = ()
    provenance: Annotated[Provenance, means("The feed and the message that changed it last.")] = Provenance()
