"""Questions read back: a 270 as eligibility checks, a 278 request as an authorization, by the rows that write them.

So that what was sent can be shown, explained and compared, ours or another's, and what is sent says what was meant.
"""

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from canonical.datatypes import AuthorizationItem, Concept, Entity, Identifier, Party, Procedure, Subscriber

from .benefits import III, TRN
from .inquiry import DTP as WHEN
from .inquiry import EQ
from .loops import Node, Tree
from .parties import display, read_entity, read_named, read_person
from .review import DTP, HI, SV1, SV2, UM
from .rows import Reading


class Inquired(Struct, frozen=True, kw_only=True):
    """One patient of a 270. `fields` are those of an EligibilityCheck; `dependent` is the patient where that is not the
    subscriber."""

    fields: dict[str, Any]
    provider: Entity | None = None
    dependent: Subscriber | None = None

    def __repr__(self) -> str:
        return "Inquired(...)"


class Requested(Struct, frozen=True, kw_only=True):
    """One event of a 278 request. `fields` are those of an Authorization; an item's key is its place."""

    fields: dict[str, Any]
    requester: Entity | None = None
    patient: Subscriber | None = None

    def __repr__(self) -> str:
        return "Requested(...)"


def inquiries(tree: Tree, reading: Reading) -> Iterator[Inquired]:
    """What a 270 asks, patient by patient."""
    payer, provider = _entity(tree, "2100A", reading), _entity(tree, "2100B", reading)
    for holder in tree.all("2000C"):
        subscriber = _person(holder, "2100C", reading)
        below = list(holder.within("2000D"))
        for node in below if below and not list(holder.within("2110C")) else [holder, *below]:
            asked = {"payer": payer, "subscriber": subscriber, **_asked(node, reading)}
            dependent = _person(node, "2100D", reading) if node is not holder else None
            yield Inquired(fields=_said(asked), provider=provider, dependent=dependent)


def requests(tree: Tree, reading: Reading) -> Iterator[Requested]:
    """What a 278 asks leave for, event by event."""
    payer, requester = _entity(tree, "2010A", reading), _entity(tree, "2010B", reading)
    for event in tree.all("2000E"):
        fields: dict[str, Any] = {"payer": payer, "identifiers": _traces(event, reading), **_um(event, reading)}
        common = {name: fields.pop(name, None) for name in ("service_type", "place_of_service")}
        if found := event.first("HI"):
            fields |= HI.read(found, reading)
        services = list(event.within("2000F"))
        fields["items"] = tuple(_item(node, str(key), common, reading) for key, node in enumerate(services, 1))
        fields["participants"] = tuple(_party(node, reading) for node in event.within("2010EA"))
        above = next(node for node in event.up() if node.loop.id in ("2000D", "2000C"))
        person = _person(above, f"2010{above.loop.id[-1]}", reading)
        yield Requested(fields=_said(fields), requester=requester, patient=person)


def _asked(node: Node, reading: Reading) -> dict[str, Any]:
    types: list[Concept] = []
    procedures: list[Procedure] = []
    fields: dict[str, Any] = {"identifiers": _traces(node, reading)}
    for inner in node.nodes:
        if inner.loop.id in ("2110C", "2110D"):
            question = EQ.read(inner.opening, reading)
            types += question.get("service_types", ())
            procedures += [question["procedure"]] if "procedure" in question else []
            if found := inner.first("III"):
                fields["place_of_service"] = III.read(found, reading).get("place")
        elif (found := inner.first("DTP")) and found.get(1) == "291":
            fields |= WHEN.read(found, reading)
    return {**fields, "service_types": tuple(types), "procedures": tuple(procedures)}


def _item(node: Node, key: str, common: dict[str, Any], reading: Reading) -> AuthorizationItem:
    said = {name: value for name, value in _um(node, reading).items() if name in common}
    fields: dict[str, Any] = {**common, **said}
    for name, table in (("DTP", DTP), ("SV1", SV1), ("SV2", SV2)):
        if found := node.first(name):
            fields |= table.read(found, reading)
    return AuthorizationItem(key=key, identifiers=_traces(node, reading), **fields)


def _um(node: Node, reading: Reading) -> dict[str, Any]:
    found = node.first("UM")
    return UM.read(found, reading) if found else {}


def _party(node: Node, reading: Reading) -> Party:
    named = read_named(node.opening, reading, "participants/")
    shown = named.body or (display(named.name) if named.name else None)
    return Party(kind="provider", role=named.role, display=shown)


def _traces(node: Node, reading: Reading) -> tuple[Identifier, ...]:
    found = (TRN.read(one, reading).get("identifier") for one in node.all("TRN"))
    return tuple(one for one in found if one)


def _entity(tree: Tree, loop: str, reading: Reading) -> Entity | None:
    node = next(iter(tree.all(loop)), None)
    return read_entity(node, reading, "") if node else None


def _person(node: Node, loop: str, reading: Reading) -> Subscriber | None:
    inner = next(node.within(loop), None)
    return read_person(inner, reading, "") if inner else None


def _said(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in (None, ())}
