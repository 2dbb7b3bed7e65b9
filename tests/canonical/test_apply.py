"""Patches on one record: registers, lists, identifiers, problems."""

import pytest
from msgspec.structs import replace

from canonical.apply import holds
from canonical.datatypes import Participant
from canonical.patches import Edit
from canonical.problems import Problem
from canonical.records import Appointment, Patient, Record

from .world import Told, World, mrn, patch, person, visit

BAD = Problem(code="data-type-error", path="PID-7", field="birth_date", severity="error")
ODD = Problem(code="DQ-MSGSTRUCT", path="PID")


def patient(*told: Told) -> Patient:
    """The patient A after these messages."""
    record = World(*told).record(mrn("A"))
    assert isinstance(record, Patient)
    return record


def said(clock: int, **more: object) -> Told:
    """One message about patient A."""
    return Told(clock=clock, patches=(person("A", **more),))


def test_absent_null_and_value_are_three_things() -> None:
    """A field that was not sent stays, one that was sent empty goes, any other is set (DOMAIN 1.0 rule 3)."""
    record = patient(said(1, birth_date="1985", gender="male"), said(2, birth_date=None))

    assert (record.birth_date, record.gender) == (None, "male")


def test_an_older_message_fills_what_no_newer_one_spoke_about() -> None:
    """It undoes nothing newer."""
    record = patient(said(2, birth_date="1985"), said(1, birth_date="1984", gender="male"))

    assert (record.birth_date, record.gender) == ("1985", "male")


def test_a_feed_of_higher_rank_is_not_overruled() -> None:
    """ADT before SIU for demographics, whichever is newer."""
    adt = Told(clock=1, patches=(person("A", birth_date="1985"),), rank=1)

    assert patient(adt, said(2, birth_date="1984")).birth_date == "1985"


def test_with_one_clock_the_later_received_wins() -> None:
    """Order of receipt decides between messages of one second (DOMAIN 2.10)."""
    other = Told(clock=1, patches=(person("A", birth_date="1984"),), feed="other")

    assert patient(said(1, birth_date="1985"), other).birth_date == "1984"


def test_the_clock_names_the_message() -> None:
    """Each field can say which message it came from."""
    record = patient(said(1, birth_date="1985", gender="male"), said(2, gender="female"))

    named = {field: record.stamps[at].message for field, at in record.clocks.items()}

    assert (named["birth_date"], named["gender"]) == ("msg_adt_0_1", "msg_adt_0_2")


def test_a_semantic_resend_makes_no_version_and_no_event() -> None:
    """The same content under a newer clock moves clocks alone."""
    world = World(said(1, birth_date="1985", problems=(BAD, ODD)))
    settled = world.hear(said(2, birth_date="1985", problems=(BAD, ODD)))

    assert settled.events == []
    assert settled.fresh == set()
    assert world.record(mrn("A")).version == 1


def test_what_is_said_about_an_identifier_is_the_newest_word() -> None:
    """Each identifier has a clock of its own: a late message does not bring an old number back into use."""
    retired = Told(clock=3, patches=(person("A", also=(mrn("B"),), retires=(mrn("B"),)),))
    record = patient(retired, Told(clock=2, patches=(person("A", "B"),)), said(4))

    assert [("A", None), ("B", "old")] == [(one.value, one.use) for one in record.identifiers]


def test_a_dropped_identifier_is_gone_and_stays_gone() -> None:
    """It belongs to another record now; older messages do not give it back."""
    world = World(Told(clock=1, patches=(person("A", "B"),)))
    world.hear(Told(clock=3, patches=(person("A", drops=(mrn("B"),)),)))
    world.hear(Told(clock=2, patches=(person("A", also=(mrn("B"),)),)))

    assert not holds(world.record(mrn("A")), mrn("B"))


def who(key: str, display: str = "x") -> Participant:
    """A participant under its key."""
    return Participant(kind="provider", key=key, display=display)


def booked(clock: int, *participants: Participant) -> Told:
    """A snapshot of an appointment's participants."""
    return Told(clock=clock, patches=(patch("appointment", (visit("P"),), {"participants": participants}),))


def edited(clock: int, key: str, value: Participant | None) -> Told:
    """One participant set or removed."""
    edit = Edit(field="participants", key=key, value=value)
    return Told(clock=clock, patches=(patch("appointment", (visit("P"),), {"edits": (edit,)}),))


@pytest.mark.parametrize(
    ("told", "keys"),
    [
        ((booked(1, who("AIP/1"), who("AIL/1")),), "AIP/1 AIL/1"),
        ((booked(1, who("AIP/1")), edited(2, "AIP/2", who("AIP/2"))), "AIP/1 AIP/2"),
        ((booked(1, who("AIP/1"), who("AIP/2")), edited(2, "AIP/1", None)), "AIP/2"),
        ((edited(2, "AIP/1", None), booked(1, who("AIP/1"), who("AIP/2"))), "AIP/2"),
        ((edited(2, "AIL/1", who("AIL/1")), booked(1, who("AIP/1"))), "AIL/1 AIP/1"),
        ((edited(1, "AIL/1", who("AIL/1")), booked(2, who("AIP/1"))), "AIP/1"),
        ((booked(2, who("AIP/1")), edited(1, "AIL/1", who("AIL/1"))), "AIP/1"),
        ((booked(1, who("AIP/10"), who("AIP/9")), edited(2, "PID/1", who("PID/1"))), "PID/1 AIP/9 AIP/10"),
    ],
)
def test_a_snapshot_replaces_and_an_edit_changes_one(told: tuple[Told, ...], keys: str) -> None:
    """A whole list replaces all but what a newer message set or removed by itself (DOMAIN 2.3)."""
    record = World(*told).record(visit("P"))

    assert isinstance(record, Appointment)
    assert keys.split() == [one.key for one in record.participants]


def test_a_problem_stays_until_the_field_comes_in_order() -> None:
    """A message that says nothing of the field does not mend it; one that sends it does."""
    bad = said(2, problems=(BAD,))

    assert patient(said(1, birth_date="1985"), bad, said(3)).problems == (BAD,)
    assert patient(said(1, birth_date="1985"), bad, said(3)).birth_date == "1985"
    assert patient(bad, said(3, birth_date="1985")).problems == ()
    assert patient(bad, said(1, birth_date="1985")).problems == (BAD,)


def test_a_problem_of_no_field_is_the_newest_message_s() -> None:
    """It is gone with the next message about the record, and a late one does not bring it back."""
    assert patient(said(1, problems=(ODD,))).problems == (ODD,)
    assert patient(said(1, problems=(ODD,)), said(2)).problems == ()
    assert patient(said(2), said(1, problems=(ODD,))).problems == ()


def test_a_problem_of_an_identifier_goes_when_identifiers_come_in_order() -> None:
    """Identifiers have no register as a whole; the newest of them speaks for all."""
    wrong = replace(ODD, field="identifiers")

    assert patient(said(1, problems=(wrong,)), said(2)).problems == ()


def test_a_number_like_a_register_is_only_a_number() -> None:
    """Slashes and exclamation marks in an identifier do not confuse what registers are called."""
    world = World(Told(clock=1, patches=(person("a/b!", "links/!"),)), Told(clock=2, patches=(person("A"),)))

    record = world.record(mrn("a/b!"))

    assert {"a/b!", "links/!"} == {one.value for one in record.identifiers}


def test_stamps_that_no_register_names_are_dropped() -> None:
    """A record's clocks do not grow with the number of its messages."""
    record: Record = World(*(said(clock, birth_date=str(clock)) for clock in range(1900, 1950))).record(mrn("A"))

    assert len(record.stamps) == 1


def test_an_empty_list_is_a_value() -> None:
    """A snapshot without entries empties the list."""
    record = World(booked(1, who("AIP/1")), booked(2)).record(visit("P"))

    assert isinstance(record, Appointment)
    assert record.participants == ()
