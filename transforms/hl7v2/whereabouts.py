"""Where the patient of a visit is, and with whom: the places and staff of PV1, PV2 and ROL (2.5.1 ch. 3.4, 15.4).

Each field speaks for itself: a transfer that repeats the attending doctor alone says nothing about the referring one.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final
from zoneinfo import ZoneInfo

from msgspec import UNSET

from canonical.datatypes import Concept, Participant, Placement
from canonical.patches import Edit, Said
from canonical.placing import OVER

from .actors import Spot
from .converters import coded, codes_of
from .encounter_codes import PLACES, ROL_ROLES, ROLES
from .er7 import Segment
from .people import people, spots, united
from .resources import actor, refer
from .rows import Reading, take

PATHS: Final = {  # what is filled entry by entry, for the reference page
    "placements": tuple(f"PV1-{index}" for index in PLACES),
    "participants": (*(f"PV1-{index}" for index in ROLES), "PV2-13", "ROL-3", "ROL-4"),
    "zone": ("PV1-3",),
}
AFTER_THE_VISIT: Final = frozenset({"PID", "PR1", "IN1", "GT1", "MRG"})

_role_code = coded("0443")


def placements(pv1: Segment, said: Said, reading: Reading) -> Iterator[Edit]:
    """PV1-3, -6, -11, -42, -43: each says where the patient is, was, or is expected.

    After an event that ends the visit nobody is expected anywhere, whatever PV1-42 holds.
    """
    reading.field = "placements"
    is_over = said.status in OVER and not said.weak
    for index, kind in PLACES.items():
        found = take(spots, pv1, index, reading)
        if found is not UNSET:
            place = None if kind == "pending" and is_over else _placement(kind, found, reading)
            yield Edit(field="placements", key=kind, value=place)
    reading.field = None


def _placement(kind: str, found: Sequence[Spot] | None, reading: Reading) -> Placement | None:
    if not found:
        return None
    place = found[0]
    return Placement(kind=kind, location=refer(place, reading.at, reading), display=place.display)


def participants(pv1: Segment, pv2: Segment | None, reading: Reading) -> Iterator[Edit]:
    """PV1-7, -8, -9, -17, -52 and PV2-13: each names all the staff of one role, in order; then ROL."""
    reading.field = "participants"
    named: set[tuple[str, str | None]] = set()
    places = [(pv1, index, role) for index, role in ROLES.items()] + ([(pv2, 13, ROLES[8])] if pv2 else [])
    for segment, index, role in places:
        found = take(people, segment, index, reading)
        if found is UNSET:
            continue
        members = united(found or ())
        named |= {(role.codings[0].code, one.display) for one in members}
        yield _staff(f"{segment.name}-{index}", role, [actor(one, reading) for one in members])
    yield from _roles(pv1, named, reading)
    reading.field = None


def _staff(key: str, role: Concept | None, members: list[dict[str, Any]]) -> Edit:
    listed = tuple(Participant(role=role, key=f"{key}/{place}", **one) for place, one in enumerate(members, 1))
    return Edit(field="participants", key=key, value=listed)


def _roles(pv1: Segment, named: set[tuple[str, str | None]], reading: Reading) -> Iterator[Edit]:
    """The ROLs of the visit by role; those of procedures, insurances and the patient are not about it."""
    roles: dict[str, tuple[Concept | None, list[dict[str, Any]]]] = {}
    for rol in _rols(pv1, reading):
        role = take(_role_code, rol, 3, reading) or None
        code = next(iter(codes_of(role)), "")
        _, members = roles.setdefault(code, (role, []))
        if rol.get(2).strip().upper() == "DE":
            continue
        for one in united(take(people, rol, 4, reading) or ()):
            if (ROL_ROLES.get(code, code), one.display) not in named:
                members.append(actor(one, reading))
    for code, (role, members) in roles.items():
        yield _staff(f"ROL-{code}", role, members)


def _rols(pv1: Segment, reading: Reading) -> Iterator[Segment]:
    if "ROL" not in reading.message.named:
        return
    segments = reading.message.segments
    for at in range(pv1.number, len(segments)):
        segment = segments[at]
        if segment.name in AFTER_THE_VISIT:
            return
        if segment.name == "ROL":
            yield segment


def zone_of(pv1: Segment, reading: Reading) -> ZoneInfo | None:
    """The zone of the place in PV1-3, else the feed's (DOMAIN 2.10)."""
    zones = reading.profile.location_zones
    places = (take(spots, pv1, 3, reading) if zones else None) or ()
    parts = [part for place in places for part in (place.point_of_care, place.facility, place.building)]
    known = next((zones[part] for part in parts if part and part in zones), None)
    reading.zone_at = f"{pv1.path}-3" if known else ""
    return ZoneInfo(known) if known else reading.dialect.zone
