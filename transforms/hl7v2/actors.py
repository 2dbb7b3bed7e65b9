"""Who and what a message names besides its subject: persons, places, and the patches that make them records.

A person or place that is named several times in one message becomes one patch; what refers to it says "@n".
"""

from functools import lru_cache

from msgspec import to_builtins

from canonical.datatypes import Identifier, Name, Value
from canonical.patches import SELF, Patch, Said


class Person(Value, frozen=True, cache_hash=True):
    """Someone by number and name (XCN)."""

    identifiers: tuple[Identifier, ...] = ()
    name: Name | None = None
    display: str | None = None


class Spot(Value, frozen=True, cache_hash=True):
    """A place in a house (PL). Its identifier is made of the whole tuple: bed 01 exists everywhere (DOMAIN 1.5)."""

    identifier: Identifier
    display: str
    facility: str | None = None
    building: str | None = None
    floor: str | None = None
    point_of_care: str | None = None
    room: str | None = None
    bed: str | None = None
    status: str | None = None  # table 0116
    type: str | None = None  # table 0305
    description: str | None = None


class Cast:
    """The patches of one message in the order in which they take effect."""

    __slots__ = ("_people", "_places", "patches")

    def __init__(self) -> None:
        self.patches: list[Patch] = []
        self._people: dict[Identifier, int] = {}
        self._places: dict[Spot, str] = {}

    def add(self, patch: Patch) -> str:
        """Take a patch; the answer stands for the record that it is about."""
        self.patches.append(patch)
        return f"{SELF}{len(self.patches) - 1}"

    def patient(self, patch: Patch | None) -> str | None:
        """The reference to a patient; None for one who cannot be told from others."""
        return self.add(patch) if patch else None

    def provider(self, person: Person | None) -> str | None:
        """The reference to a provider; None for a person without a number, who becomes no record."""
        if person is None or not person.identifiers:
            return None
        for one in person.identifiers:
            if one in self._people:
                return self._again(self._people[one], person)
        reference = self.add(_provider(person))
        for one in person.identifiers:
            self._people[one] = len(self.patches) - 1
        return reference

    def _again(self, place: int, person: Person) -> str:
        """Of what a message says twice about a person, the fuller name holds."""
        if _fullness(self.patches[place]) < _fullness(patch := _provider(person)):
            self.patches[place] = patch
        return f"{SELF}{place}"

    def location(self, spot: Spot | None) -> str | None:
        """The reference to a place."""
        if spot is None:
            return None
        if spot not in self._places:
            self._places[spot] = self.add(_location(spot))
        return self._places[spot]


_ACTIVE = Said(status="active", weak=True)


@lru_cache(maxsize=4096)
def _provider(person: Person) -> Patch:
    fields: dict[str, object] = {"names": (person.name,)} if person.name else {}
    return Patch(type="provider", anchors=person.identifiers, fields=fields, said=_ACTIVE)


def _fullness(patch: Patch) -> int:
    names = patch.fields.get("names")
    return len(repr(to_builtins(names[0]))) if isinstance(names, tuple) else 0


@lru_cache(maxsize=4096)
def _location(spot: Spot) -> Patch:
    named = {
        "name": spot.display,
        "physical_type": physical_type(spot),
        "facility": spot.facility,
        "building": spot.building,
        "floor": spot.floor,
        "point_of_care": spot.point_of_care,
        "room": spot.room,
        "bed": spot.bed,
        "description": spot.description,
        "operational_status": spot.status,
    }
    fields: dict[str, object] = {field: value for field, value in named.items() if value is not None}
    return Patch(type="location", anchors=(spot.identifier,), fields=fields, said=_ACTIVE)


def physical_type(spot: Spot) -> str | None:
    """What the place is, by its innermost part (FHIR location-physical-type)."""
    inner = (("bd", spot.bed), ("ro", spot.room), ("wa", spot.point_of_care))
    outer = (("lvl", spot.floor), ("bu", spot.building), ("si", spot.facility))
    return next((code for code, part in (*inner, *outer) if part), None)
