"""Assigning authorities become systems, in the order of DOMAIN 1.1."""

import pytest

from tests.transforms.hl7v2.story import er7
from transforms.hl7v2.authority import NPI, SSN, npi_is_valid
from transforms.hl7v2.er7 import parse
from transforms.hl7v2.identity import entity_as, identifier
from transforms.hl7v2.profile import Profile, Registered
from transforms.hl7v2.rows import Reading

REGISTRY = {
    "MR": Registered(system="urn:ours:mr"),
    "MR&1.2.3&ISO": Registered(system="urn:ours:exact"),
    "1.2.9": Registered(system="urn:ours:by-oid"),
}


def reading(house: str = "NORTH", authorities: dict[str, Registered] | None = None) -> Reading:
    """A message from a house."""
    message = parse(er7(rf"MSH|^~\&|APP|{house}|||20261121||SIU^S12|1|P|2.5"))
    return Reading(message, Profile(tenant="t1", feed="f1", authorities=authorities or {}), 0)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("1^^^MR", "urn:ours:mr"),
        ("1^^^MR&1.2.3&ISO", "urn:ours:exact"),
        ("1^^^ANY&1.2.9&ISO", "urn:ours:by-oid"),
        ("1^^^MR&1.2.9&ISO", "urn:ours:by-oid"),
        ("1^^^OTHER", "urn:x-t1:f1:OTHER"),
        ("1^^^OTHER&1.2.840.1&ISO", "urn:oid:1.2.840.1"),
        ("1^^^&2.16.840.1.113883.3.9&ISO", "urn:oid:2.16.840.1.113883.3.9"),
        ("1^^^OTHER&not an oid&ISO", "urn:x-t1:f1:OTHER"),
        ("1^^^X&6BA7B810-9DAD-11D1-80B4-00C04FD430C8&UUID", "urn:uuid:6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
        ("1^^^X&http://who.example/ids&URI", "http://who.example/ids"),
        ("1^^^&rt23&HCD", "urn:x-t1:f1:rt23"),
        ("1^^^NEAR HERE", "urn:x-t1:f1:NEAR%20HERE"),
        ("1^^^NPI&2.16.840.1.113883.4.6&ISO^NPI", NPI),
        ("1^^^USSSA^SS", SSN),
        ("1^^^SSN", SSN),
        ("1^^^^SS", SSN),
        ("1^^^^MR", "urn:x-t1:f1:NORTH"),
        ("1", "urn:x-t1:f1:NORTH"),
    ],
)
def test_an_authority_is_resolved_in_the_order_of_its_certainty(sent: str, expected: str) -> None:
    """Registry, then what everybody knows, then a universal id, then a name of the feed's own, then the sender."""
    found = identifier(sent, reading(authorities=REGISTRY))
    assert found is not None
    assert expected == found.system


@pytest.mark.parametrize(
    ("house", "expected"),
    [("EAST^1.2.3^ISO", "urn:oid:1.2.3"), ("", "urn:x-t1:f1:APP"), ("^^", "urn:x-t1:f1:APP")],
)
def test_a_number_without_authority_belongs_to_the_sending_house(house: str, expected: str) -> None:
    """MSH-4, else MSH-3; and the sender hears of it once."""
    at = reading(house)
    found = [identifier(number, at) for number in ("1", "2")]
    assert [expected, expected] == [one.system for one in found if one]
    assert ["DQ-AUTHORITY-DEFAULTED"] == [one.code for one in at.problems]


def test_an_authority_that_nobody_registered_is_remarked_on_once() -> None:
    """Every message says so again, remembered or not."""
    for _ in range(2):
        at = reading()
        for number in ("1^^^LAB", "2^^^LAB", "3^^^XRAY"):
            identifier(number, at)
        assert ["information", "information"] == [one.severity for one in at.problems]
        assert {"DQ-AUTHORITY-UNREGISTERED"} == {one.code for one in at.problems}


def test_the_authority_stays_as_it_was_sent() -> None:
    """`original` keeps all three parts of the HD."""
    found = identifier("1^^^MR&1.2.3&ISO", reading(authorities=REGISTRY))
    assert found is not None
    assert found.original is not None
    assert ("MR", "1.2.3", "ISO") == (
        found.original.namespace_id,
        found.original.universal_id,
        found.original.universal_id_type,
    )


def test_entities_without_authority_are_numbered_by_their_role() -> None:
    """A placer's 12 is not a filler's 12; with an authority they share it."""
    at = reading()
    placer, filler = entity_as("placer", "PLAC"), entity_as("filler", "FILL")
    bare = [one.system for one in (placer("12", at), filler("12", at)) if one]
    assert ["urn:x-t1:f1:placer", "urn:x-t1:f1:filler"] == bare
    assert ["urn:oid:1.2.3"] == [one.system for one in (filler("12^X^1.2.3^ISO", at),) if one]


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("1234567893", True),
        ("1234567890", False),
        ("9941339109", False),
        ("123456789", False),
        ("12345678931", False),
        ("123456789३", False),
    ],
)
def test_npi_check_digit(number: str, expected: bool) -> None:
    """Luhn over 80840 and the number, ten ASCII digits."""
    assert expected == npi_is_valid(number)
