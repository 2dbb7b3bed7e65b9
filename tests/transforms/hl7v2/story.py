"""Telling Isthmus a few messages in a test: map one, settle several, look at what came of it."""

from collections.abc import Iterable
from typing import TypeVar

from canonical.apply import Cause
from canonical.patches import Mapped, Patch
from canonical.records import Appointment, Record
from canonical.settle import Settled, Working, settle
from transforms.hl7v2.er7 import parse
from transforms.hl7v2.header import header
from transforms.hl7v2.mapping import map_message
from transforms.hl7v2.profile import Profile, Registered
from transforms.hl7v2.rows import Used

T = TypeVar("T", bound=Record)

RECEIVED = 1_797_000_000_000_000  # 2026-12-11, after all the messages that are told
EAST = Profile(
    tenant="t1",
    feed="east-sch",
    zone="America/New_York",
    authorities={
        "EPICSCH": Registered(system="urn:x-t1:east-sch:EPICSCH"),
        "EASTMRN": Registered(system="urn:oid:2.16.840.1.113883.3.999.2", enterprise=True),
        "ABCHP": Registered(system="urn:x-t1:payer:84261"),
        "EASTVN": Registered(system="urn:x-t1:east:visits"),
        "EASTACC": Registered(system="urn:x-t1:east:accounts"),
    },
)


def er7(*segments: str) -> bytes:
    """Segments as a message."""
    return "".join(f"{segment}\r" for segment in segments).encode()


def msh(event: str, at: str = "20261121090000-0500", control: str = "1") -> str:
    """An MSH of the eastern scheduling system."""
    return rf"MSH|^~\&|EPICSCH|EAST^2.16.840.1.113883.3.999.1^ISO|HUB|HUBFAC|{at}||{event}|{control}|T|2.5.1"


def mapped(raw: bytes, profile: Profile = EAST, received_at: int = RECEIVED, trace: list[Used] | None = None) -> Mapped:
    """What a message says."""
    head = header(raw)
    assert head is not None
    return map_message(parse(raw), head, profile, received_at, trace)


def patch(said: Mapped, kind: str = "appointment") -> Patch:
    """The last patch of a kind: appointments and encounters come after what they refer to."""
    return [one for one in said.patches if one.type == kind][-1]


def codes(said: Mapped) -> set[tuple[str, str]]:
    """The problems, without remarks about the sender's ways, as (code, path)."""
    return {(one.code, one.path) for one in said.problems if one.severity != "information"}


def tell(*messages: bytes, profile: Profile = EAST) -> tuple[Working, list[Settled]]:
    """Settle messages in this order, a second apart; what is then known, and what each did."""
    working, done = Working(), []
    for place, raw in enumerate(messages):
        head = header(raw)
        assert head is not None
        received_at = RECEIVED + place * 1_000_000
        said = mapped(raw, profile, received_at)
        cause = Cause(
            message=f"msg_{place}",
            tenant=profile.tenant,
            feed=profile.feed,
            clock=said.clock,
            received_at=received_at,
            event=head.event,
        )
        done.append(settle(working, said, cause))
    return working, done


def only(working: Working, kind: type[T]) -> T:
    """The one record of a kind."""
    (found,) = all_of(working, kind)
    return found


def all_of(working: Working, kind: type[T]) -> list[T]:
    """The records of a kind in the order in which they were heard of."""
    return [one for one in working.records.values() if isinstance(one, kind)]


def appointment(*messages: bytes, profile: Profile = EAST) -> Appointment:
    """The one appointment that messages are about."""
    return only(tell(*messages, profile=profile)[0], Appointment)


def events(done: Iterable[Settled], kind: str = "appointment") -> list[str]:
    """The events about records of a kind."""
    return [event.type for one in done for event in one.events if event.type.startswith(f"{kind}.")]
