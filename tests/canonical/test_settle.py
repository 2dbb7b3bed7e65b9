"""One message meets what is known: who is meant, who merges with whom, what is told."""

from itertools import permutations

import msgspec
import pytest

from canonical.datatypes import Identifier, Participant, Placement
from canonical.events import EVENTS
from canonical.patches import Merge, Patch, Said, Tie
from canonical.records import Appointment, Encounter, Patient, Record
from canonical.settle import Refused
from canonical.telling import FIRST_WORDS, STATUS_WORDS
from transforms.api import v1

from .world import Told, World, account, mrn, names, patch, person, stay, visit

START, LATER = "2027-06-01T14:00:00Z", "2027-06-02T14:00:00Z"


def update(clock: int, *numbers: str, **more: object) -> Told:
    """A31: what a patient is like."""
    return Told(clock=clock, patches=(person(*numbers, **more),), event="A31")


def merge(clock: int, source: str, survivor: str) -> Told:
    """A40: one patient is the other."""
    return Told(
        clock=clock,
        patches=(person(survivor),),
        merges=(Merge(source=(mrn(source),), survivor=0),),
        event="A40",
    )


def admit(clock: int, who: str, *numbers: Identifier, **more: object) -> Told:
    """A01: a patient's visit."""
    said = Said(status="in-progress")
    visit = stay(*numbers, patient="@0", said=said, event="encounter.started", **more)
    return Told(clock=clock, patches=(person(who), visit), event="A01")


def patient(world: World, number: str) -> Patient:
    """The patient that a number leads to."""
    record = world.record(mrn(number))
    assert isinstance(record, Patient)
    return record


def encounter(world: World, number: Identifier) -> Encounter:
    """The encounter that a number leads to."""
    record = world.record(number)
    assert isinstance(record, Encounter)
    return record


# -- merges


def test_merging_joins_what_is_known_of_both() -> None:
    """The survivor has the newest word about each field, the source says who replaced it."""
    world = World(update(1, "A", birth_date="1985", gender="male"), update(2, "B", gender="female"))
    settled = world.hear(merge(3, "A", "B"))

    record = patient(world, "B")

    assert (record.birth_date, record.gender, record.status) == ("1985", "female", None)
    assert ["patient.merged", "patient.updated"] == [event.type for event in settled.events]
    assert [("A", "old"), ("B", None)] == sorted((one.value, one.use) for one in record.identifiers)
    assert {"merged"} == {one.status for one in world.working.records.values() if one.id != record.id}


def test_an_unknown_source_leaves_a_tombstone() -> None:
    """What is heard of it later lands on the survivor, and nobody new appears."""
    world = World(merge(2, "A", "B"), update(1, "A", birth_date="1985"), update(3, "A", gender="male"))

    record = patient(world, "B")

    assert (record.birth_date, record.gender) == ("1985", "male")
    assert len(world.working.records) == 2


def test_a_merge_twice_is_a_merge_once() -> None:
    """Idempotent: no version, no event, no link is added."""
    world = World(update(1, "A"), update(2, "B"), merge(3, "A", "B"))
    settled = world.hear(merge(4, "A", "B"))

    assert settled.events == []
    assert settled.fresh == set()


@pytest.mark.parametrize("order", list(permutations(range(5))))
def test_a_chain_of_merges_ends_at_its_end(order: tuple[int, ...]) -> None:
    """A to B to C, told again and in any order: all that was said stands on C."""
    told = [
        update(1, "A", birth_date="1985"),
        update(2, "B", gender="male"),
        merge(3, "A", "B"),
        merge(4, "B", "C"),
        merge(5, "A", "B"),
    ]
    world = World(*(told[place] for place in order))

    record = patient(world, "C")

    assert [record] == world.standing()
    assert (record.birth_date, record.gender) == ("1985", "male")
    assert names(patient(world, "A")) == names(record)


def test_two_merges_of_one_message_make_a_chain() -> None:
    """An A40 with two groups, the second about the survivor of the first."""
    both = Told(
        clock=3,
        patches=(person("B"), person("C")),
        merges=(Merge(source=(mrn("B"),), survivor=1), Merge(source=(mrn("A"),), survivor=0)),
    )
    world = World(update(1, "A", birth_date="1985"), both)

    assert [patient(world, "C")] == world.standing()
    assert patient(world, "C").birth_date == "1985"


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_circle_is_refused(order: tuple[int, ...]) -> None:
    """B cannot become A once A became B (or C, through B): a task, and nothing changes (DOMAIN 2.4)."""
    world = World(merge(1, "A", "B"), merge(2, "B", "C"))
    before = world.seen()

    for source, survivor in (("B", "A"), ("C", "A"), ("C", "B")):
        with pytest.raises(Refused) as caught:
            world.hear(merge(3 + order[0], source, survivor))
        assert caught.value.code == "PAT-MERGE-CONFLICT"

    assert before == world.seen()


def test_a_source_merged_twice_goes_where_the_newest_said() -> None:
    """A into B, then A into C: all three are C, whichever is received first."""
    one, other = merge(1, "A", "B"), merge(2, "A", "C")

    for world in (World(one, other), World(other, one)):
        assert {"A", "B", "C"} == {value.value for value in patient(world, "C").identifiers}
        assert {"A": "old", "C": None}.items() <= {v.value: v.use for v in patient(world, "C").identifiers}.items()
        assert world.standing() == [patient(world, "C")]
        assert world.standing()[0].id == world.surviving(world.hear(update(3, "C")).records[0])


def test_merging_within_one_record_renames() -> None:
    """Survivor and source are one patient already: the source's number is retired (A47 semantics)."""
    world = World(update(1, "A", "B"))
    settled = world.hear(merge(2, "A", "B"))

    assert ["patient.identifier_changed"] == [event.type for event in settled.events]
    assert [("B", None), ("A", "old")] == [(one.value, one.use) for one in patient(world, "B").identifiers]


def rename(clock: int, old: str, new: str) -> Told:
    """A47: the number is another now."""
    changed = person(new, old, retires=(mrn(old),), event="patient.identifier_changed")
    return Told(clock=clock, patches=(changed,), merges=(Merge(source=(mrn(old),), survivor=0),), event="A47")


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_renamed_patient_is_found_by_both_numbers(order: tuple[int, ...]) -> None:
    """Messages under either number, received in any order, are about one patient."""
    told = [update(1, "A", birth_date="1985"), rename(2, "A", "B"), update(3, "B", gender="male")]
    world = World(*(told[place] for place in order))

    record = patient(world, "A")

    assert [record] == world.standing()
    assert [("B", None), ("A", "old")] == [(one.value, one.use) for one in record.identifiers]
    assert (record.birth_date, record.gender) == ("1985", "male")


def test_a_rename_keeps_the_record() -> None:
    """The patient keeps its id, and the event says what happened."""
    world = World(update(1, "A"))
    before = patient(world, "A").id
    settled = world.hear(rename(2, "A", "B"))

    assert before == patient(world, "B").id
    assert ["patient.identifier_changed"] == [event.type for event in settled.events]


def test_encounters_merge_too() -> None:
    """A42: the visit that was replaced is entered in error; what was said of it stands on the other."""
    world = World(admit(1, "A", visit("1"), zone="x"), admit(2, "A", visit("2")))
    settled = world.hear(
        Told(
            clock=3,
            patches=(person("A"), stay(visit("2"), patient="@0")),
            merges=(Merge(source=(visit("1"),), survivor=1, type="encounter"),),
        )
    )

    record = encounter(world, visit("2"))

    assert (record.zone, record.status) == ("x", "in-progress")
    assert record is encounter(world, visit("1"))
    assert ["encounter.merged", "encounter.updated"] == [event.type for event in settled.events]
    assert {patient(world, "A").id} == {event.patient for event in settled.events}


# -- who is meant


def test_numbers_of_two_patients_are_refused() -> None:
    """A message that names two people is nobody's (DOMAIN 1.1, IDM-MULTI)."""
    world = World(update(1, "A"), update(2, "B"))

    with pytest.raises(Refused) as caught:
        world.hear(update(3, "A", "B"))

    assert (caught.value.code, caught.value.queue) == ("PAT-MULTI", "patient-identity")


def test_a_refused_message_changes_nothing() -> None:
    """What it said before it was refused is not kept either."""
    world = World(update(1, "A"), update(2, "B"))
    before = world.seen()
    with pytest.raises(Refused):
        world.hear(Told(clock=3, patches=(person("C"), person("A", "B"))))

    assert before == world.seen()


def test_a_weaker_anchor_must_not_contradict_a_better_one() -> None:
    """Two visits of one account are two encounters, though the account finds the first."""
    world = World(admit(1, "A", visit("1"), account("X")), admit(2, "A", visit("2"), account("X")))

    assert encounter(world, visit("1")).id != encounter(world, visit("2")).id


def test_a_better_anchor_is_learnt() -> None:
    """An encounter known by its account only is the one that later comes with a visit number too."""
    world = World(admit(1, "A", account("X")), admit(2, "A", visit("1"), account("X")))

    assert encounter(world, visit("1")) is encounter(world, account("X"))


def test_two_numbers_of_one_message_do_not_contradict_each_other() -> None:
    """PV1-19 and PV1-50 may be numbers of one kind from one authority."""
    world = World(admit(1, "A", visit("2")), admit(2, "A", visit("1"), visit("2")))

    assert encounter(world, visit("1")) is encounter(world, visit("2"))


def test_every_record_of_an_anchor_is_amended() -> None:
    """A44: all visits of an account move to the other patient; an unknown account leaves a tombstone that remembers."""
    told = [
        admit(1, "A", visit("1"), account("X")),
        admit(2, "A", visit("2"), account("X")),
        Told(
            clock=3,
            patches=(person("B"), stay(account("X"), patient="@0", every=True, event="encounter.moved")),
            event="A44",
        ),
    ]
    world = World(*told)

    assert {patient(world, "B").id} == {encounter(world, visit(number)).patient for number in "12"}

    late = World(told[2], told[0])
    assert encounter(late, visit("1")).patient == patient(late, "B").id


def test_one_event_for_each_record_that_moved() -> None:
    """Every amended record tells of itself."""
    world = World(admit(1, "A", visit("1"), account("X")), admit(2, "A", visit("2"), account("X")))
    moved = stay(account("X"), patient="@0", every=True, event="encounter.moved")
    settled = world.hear(Told(clock=3, patches=(person("B"), moved)))

    assert ["patient.created", "encounter.moved", "encounter.moved"] == [event.type for event in settled.events]
    assert {patient(world, "B").id} == {event.patient for event in settled.events}


def test_a_moved_number_leads_to_its_new_patient() -> None:
    """A43: dropped here and added there, it no longer finds the patient it was moved from."""
    world = World(update(1, "A", "shared"), update(2, "B"))
    world.hear(Told(clock=3, patches=(person("A", drops=(mrn("shared"),)), person("B", also=(mrn("shared"),)))))
    world.hear(update(4, "shared", birth_date="1985"))

    assert (patient(world, "A").birth_date, patient(world, "B").birth_date) == (None, "1985")


def test_a_mention_creates_nothing() -> None:
    """A patch that only mentions an unknown record leaves no trace, and what refers to it is not sent."""
    world = World()
    settled = world.hear(Told(clock=1, patches=(person("A", mentions=True), stay(visit("1"), patient="@0", zone="x"))))

    assert ["", encounter(world, visit("1")).id] == settled.records
    assert encounter(world, visit("1")).patient is None
    assert "patient" not in encounter(world, visit("1")).clocks


def test_references_of_a_message_become_ids() -> None:
    """`@n` stands for record n in the fields that refer, inside lists too, and is plain text anywhere else."""
    people = (Participant(kind="provider", actor="@1"),)
    places = (Placement(kind="assigned", location="@0"), Placement(kind="prior"))
    told = Told(
        clock=1,
        patches=(
            patch("location", (Identifier(system="urn:x", value="bed"),), {}),
            patch("provider", (Identifier(system="urn:x", value="npi"),), {}),
            person("A", birth_place="@1", general_practitioners=("@1",)),
            stay(visit("1"), patient="@2", participants=people, placements=places, zone="@9"),
        ),
    )
    world = World()
    found = world.hear(told).records

    record = encounter(world, visit("1"))

    assert (record.patient, record.zone) == (found[2], "@9")
    assert (record.participants[0].actor, record.placements[0].location) == (found[1], found[0])
    assert (patient(world, "A").birth_place, patient(world, "A").general_practitioners) == ("@1", (found[1],))


# -- links


def test_linking_and_unlinking() -> None:
    """A24 and A37 tie both ways; the newest word counts in any order of receipt."""
    both = (person("A"), person("B"))
    linked = Told(clock=1, patches=both, ties=(Tie(one=0, other=1),), event="A24")
    apart = Told(clock=2, patches=both, ties=(Tie(one=0, other=1, linked=False),), event="A37")

    world = World(linked)
    assert [patient(world, "B").id] == [link.other for link in patient(world, "A").links]
    assert [patient(world, "A").id] == [link.other for link in patient(world, "B").links]
    settled = world.hear(apart)
    assert ["patient.unlinked"] * 2 == [event.type for event in settled.events]
    assert not patient(world, "A").links
    assert not patient(World(apart, linked), "A").links


def test_linking_again_is_no_news() -> None:
    """The link names the message that made it."""
    both = (person("A"), person("B"))
    world = World(Told(clock=1, patches=both, ties=(Tie(one=0, other=1),)))

    assert world.hear(Told(clock=2, patches=both, ties=(Tie(one=0, other=1),))).events == []


# -- what is told


def test_a_message_is_about_all_that_it_changed() -> None:
    """First the records of its patches, in their order, then the source of a merge."""
    world = World(update(1, "A"), update(2, "B"))
    source, survivor = patient(world, "A").id, patient(world, "B").id

    assert [survivor, source] == world.hear(merge(3, "A", "B")).records


def test_one_message_makes_one_version() -> None:
    """However often it speaks of a record."""
    world = World(update(1, "A", birth_date="1985"), update(2, "B"))
    settled = world.hear(merge(3, "A", "B"))

    assert {2} == {one.version for one in settled.after.values()}
    assert all(event.version == settled.after[event.subject].version for event in settled.events)


@pytest.mark.parametrize(
    ("known", "told", "expected"),
    [
        ([], admit(1, "A", visit("1")), "encounter.started"),
        ([admit(1, "A", visit("1"))], admit(2, "A", visit("1"), zone="x"), "encounter.started"),
        ([admit(2, "A", visit("1"))], admit(1, "A", visit("1"), zone="x"), "encounter.updated"),
        (
            [admit(1, "A", visit("1"))],
            Told(
                clock=2,
                event="A11",
                patches=(
                    stay(
                        visit("1"), said=Said(status="cancelled", cancels=("A01",)), event="encounter.admit_cancelled"
                    ),
                ),
            ),
            "encounter.admit_cancelled",
        ),
        (
            [admit(1, "A", visit("1"))],
            Told(
                clock=2,
                event="A13",
                patches=(
                    stay(
                        visit("1"),
                        zone="x",
                        said=Said(status="in-progress", cancels=("A03",)),
                        event="encounter.discharge_cancelled",
                    ),
                ),
            ),
            "encounter.updated",
        ),
        (
            [Told(clock=3, event="A03", patches=(stay(visit("1"), zone="x"),))],
            Told(
                clock=2,
                event="A03",
                patches=(stay(visit("1"), said=Said(status="finished"), event="encounter.finished"),),
            ),
            "encounter.finished",
        ),
    ],
)
def test_the_sender_s_word_counts_when_it_took_effect(known: list[Told], told: Told, expected: str) -> None:
    """Late news is called by what can be seen to have changed, and a cancel without effect is no cancel."""
    settled = World(*known).hear(told)

    assert expected == next(event.type for event in settled.events if event.subject.startswith("enc_"))


def test_every_word_is_in_the_catalogue() -> None:
    """What a change can be called is what partners can subscribe to."""
    seen = {word for words in STATUS_WORDS.values() for word in words.values()}

    assert seen | FIRST_WORDS <= set(EVENTS)


def test_ids_do_not_depend_on_what_was_sent() -> None:
    """Ids come from the message and the place in it, and are the same on replay."""
    first, again = World(), World()
    told = admit(1, "A", visit("1"))

    assert first.hear(told).records == again.hear(told).records


def test_a_patch_without_anchors_makes_a_record_of_its_own() -> None:
    """It can never be found again, but nothing is lost."""
    world = World(Told(clock=1, patches=(Patch(type="encounter", anchors=()),)))

    assert len(world.standing()) == 1


def booking(clock: int, status: str = "booked", event: str = "appointment.created", **more: object) -> Told:
    """S12 and its kind."""
    return Told(
        clock=clock,
        patches=(patch("appointment", (visit("F"),), {"said": Said(status=status), "event": event, **more}),),
    )


def shown(record: Record) -> object:
    """What the API shows of a record."""
    return msgspec.to_builtins(v1.present(record))


@pytest.mark.parametrize(
    "told",
    [
        [booking(at, start=START) for at in range(2, 82)],
        [booking(at, start=START, zone=None) for at in range(2, 82)],
        [booking(3, "noshow", start=START), booking(2, start=START), booking(4, "noshow"), booking(5, "noshow")],
        [
            booking(9, "entered-in-error"),
            booking(4, start=START),
            booking(5, "cancelled"),
            booking(10, "entered-in-error"),
        ],
    ],
)
def test_what_is_shown_changes_only_with_a_version(told: list[Told]) -> None:
    """Whatever is heard: the same version, the same body."""
    world = World(booking(1, start=START))
    bodies: dict[int, object] = {}
    for one in told:
        record = world.record(visit("F"))
        assert bodies.setdefault(record.version, shown(record)) == shown(record)
        world.hear(one)
    record = world.record(visit("F"))

    assert bodies.setdefault(record.version, shown(record)) == shown(record)


def test_confirming_moves_the_clock_alone() -> None:
    """Eighty repetitions are one version of the first one's time; what is older than the last is late all the same."""
    world = World(*(booking(at, start=START) for at in range(1, 81)))
    confirmed = world.record(visit("F"))
    world.hear(booking(40, start=LATER))
    late = world.record(visit("F"))

    assert isinstance(late, Appointment)
    assert (1, 1, 80) == (confirmed.version, confirmed.effective_at, confirmed.newest)
    assert (2, START, LATER) == (late.version, late.start, late.previous_start)


@pytest.mark.parametrize(
    ("known", "told"),
    [
        ([booking(9, "noshow", event="appointment.noshow")], booking(1, start=START)),
        ([booking(9, "entered-in-error", event="appointment.deleted")], booking(1, start=START)),
        ([booking(9, "cancelled", start=START)], booking(5, "cancelled", zone="Europe/Berlin")),
        ([booking(9, "cancelled", start=START)], booking(10, "cancelled", event="appointment.updated", start=LATER)),
        ([booking(9)], booking(10, event="appointment.updated", start=START)),
    ],
)
def test_a_fill_is_no_reschedule(known: list[Told], told: Told) -> None:
    """What comes late, what was not known before, and what has ended is updated; nobody is called to another time."""
    settled = World(*known).hear(told)

    assert ["appointment.updated"] == [event.type for event in settled.events]


def test_a_word_without_effect_is_not_told() -> None:
    """What one feed removed stays removed: a booking by another is an update."""
    world = World(booking(1, "entered-in-error"))
    told = Told(clock=2, patches=booking(2, event="appointment.checked_in").patches, feed="other")

    assert ["appointment.updated"] == [event.type for event in world.hear(told).events]


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_the_previous_start(order: tuple[int, ...]) -> None:
    """An appointment that moved keeps the start that it had before, in whatever order it was told."""
    told = [booking(1, start=START), booking(2, start=LATER), booking(3, start=LATER), booking(4, "cancelled")]
    record = World(*(told[place] for place in order)).record(visit("F"))

    assert isinstance(record, Appointment)
    assert (LATER, START) == (record.start, record.previous_start)


def test_the_previous_start_of_what_never_moved() -> None:
    """There is none, however often it is said and forgotten."""
    record = World(booking(1, start=START), booking(2), booking(3, start=START)).record(visit("F"))

    assert isinstance(record, Appointment)
    assert (START, None) == (record.start, record.previous_start)


REPLAYED = admit(1, "A", visit("1"), participants=(Participant(kind="patient", actor="@0", key="PID/1"),))


def test_a_replay_after_a_merge_changes_nothing() -> None:
    """The references of a message read again lead to the same survivor as those that stand."""
    world = World(REPLAYED, update(2, "B"), merge(3, "A", "B"))
    before = encounter(world, visit("1"))

    world.received = before.created_at - 1  # a replay is as of when the message came
    settled = world.hear(REPLAYED)

    assert (set(), []) == (settled.fresh, settled.events)
    assert before == encounter(world, visit("1"))
