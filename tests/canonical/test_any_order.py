"""Messages with distinct clocks end in the same state whatever order they are received in (DESIGN 2)."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from canonical.datatypes import Participant, Placement
from canonical.patches import Edit, Merge, Patch, Said
from canonical.problems import Problem

from .world import Told, World, mrn, patch, person, stay, visit

VISITS = Merge(source=(visit("2"),), survivor=1, type="encounter")
PEOPLE = ("A", "B", "C", "D")
DATES = st.sampled_from(["1985", "1985-06", "1985-06-12", None])
TEXTS = st.sampled_from(["x", "y", None])


def problems(fields: Sequence[str | None]) -> st.SearchStrategy[tuple[Problem, ...]]:
    """Some problems of some fields."""
    one = st.builds(
        Problem,
        code=st.sampled_from(["DQ-CODE-UNMAPPED", "data-type-error"]),
        path=st.sampled_from(["PID-7", "PV1-2"]),
        field=st.sampled_from(fields),
    )
    return st.lists(one, max_size=2).map(tuple)


def some(**fields: st.SearchStrategy[object]) -> st.SearchStrategy[dict[str, object]]:
    """Any of these fields, each with any of its values."""
    return st.fixed_dictionaries({}, optional=fields)


def facts(statuses: Sequence[str]) -> st.SearchStrategy[Said | None]:
    """A status, weak or strong or the cancel of some event, or none."""
    cancels = st.sampled_from([(), (), ("A01", "A04"), ("A03",)])
    said = st.builds(Said, status=st.sampled_from(statuses), weak=st.booleans(), cancels=cancels)
    return st.one_of(st.none(), said)


@st.composite
def about_people(draw: st.DrawFn) -> tuple[Patch, ...]:
    """A08, A28, A29, A31: one patient. C always comes with two numbers."""
    who = draw(st.sampled_from(PEOPLE))
    fields = draw(some(birth_date=DATES, gender=TEXTS, birth_place=TEXTS))
    said = draw(facts(["active", "inactive"]))
    wrong = draw(problems(["birth_date", "gender", "identifiers", None]))
    also = draw(st.sampled_from([(), (mrn(f"{who}-extra"),), (mrn(f"{who}-extra", use="old"),)]))
    return (person(*((who, "C2") if who == "C" else who), also=also, said=said, problems=wrong, **fields),)


@st.composite
def about_stays(draw: st.DrawFn) -> tuple[Patch, ...]:
    """A01 to A13: a patient and a visit."""
    who = draw(st.sampled_from(PEOPLE))
    fields = draw(some(zone=TEXTS, start=TEXTS, participants=snapshots))
    said = draw(facts(["planned", "arrived", "in-progress", "finished", "cancelled", "entered-in-error"]))
    number = draw(st.sampled_from("12"))
    changes = draw(st.lists(fillings, max_size=2, unique_by=lambda one: one.field).map(tuple))
    wrong = draw(problems(["start", None]))
    event = stay(visit(number), said=said, problems=wrong, edits=changes, patient="@0", **fields)
    return (person(*((who, "C2") if who == "C" else who)), event)


def participant(key: str, display: str | None) -> Participant:
    """A provider of an appointment."""
    return Participant(kind="provider", key=key, display=display)


KEYS = ("AIP/1", "AIP/2", "AIL/1", "XYZ/1", "ABC/1")
entries = st.builds(participant, st.sampled_from(KEYS), TEXTS)
snapshots = st.lists(entries, max_size=4, unique_by=lambda one: one.key).map(tuple)
edits = st.builds(
    lambda key, display, gone: Edit(field="participants", key=key, value=None if gone else participant(key, display)),
    st.sampled_from(KEYS),
    TEXTS,
    st.booleans(),
)


def staff(field: str, count: int) -> Edit:
    """All the staff of one field of PV1."""
    return Edit(
        field="participants", key=field, value=tuple(participant(f"{field}/{one}", "x") for one in range(1, count + 1))
    )


def place(kind: str, shown: str | None) -> Edit:
    """One of the places of PV1, or none there."""
    return Edit(field="placements", key=kind, value=Placement(kind=kind, display=shown) if shown else None)


fillings = st.one_of(
    st.builds(staff, st.sampled_from(["PV1-7", "PV1-8"]), st.integers(0, 3)),
    st.builds(place, st.sampled_from(["assigned", "pending"]), TEXTS),
)


@st.composite
def about_appointments(draw: st.DrawFn) -> tuple[Patch, ...]:
    """S12 to S22: whole lists and single entries."""
    fields = draw(some(start=TEXTS, participants=snapshots))
    said = draw(facts(["booked", "cancelled", "noshow", "entered-in-error"]))
    changes = draw(st.lists(edits, max_size=2, unique_by=lambda one: one.key).map(tuple))
    found = draw(problems(["participants", "start"]))
    return (patch("appointment", (visit("P1"),), {"said": said, "edits": changes, "problems": found, **fields}),)


@st.composite
def about_groups(draw: st.DrawFn) -> tuple[Patch, ...]:
    """S12 to S22 of a group: the whole list, all the patients, or each of them one by one."""
    named = draw(st.lists(st.sampled_from(PEOPLE), min_size=1, max_size=3, unique=True))
    members = tuple(Participant(kind="patient", actor=f"@{at}", key=f"PID/{who}") for at, who in enumerate(named))
    others = draw(snapshots)
    changes = draw(
        st.sampled_from(
            [
                (),
                (Edit(field="participants", key="PID", value=members),),
                tuple(Edit(field="participants", key=one.key or "", value=one) for one in members),
            ]
        )
    )
    fields = {} if changes else {"participants": (*members, *others)}
    people = [person(*((who, "C2") if who == "C" else who)) for who in named]
    about = patch("appointment", (visit("G1"),), {"edits": changes, "patient": "@0", **fields})
    return (*people, about)


@st.composite
def forests(draw: st.DrawFn) -> list[tuple[str, str]]:
    """Merges without contradictions: who is replaced by whom, each at most once, never in a circle."""
    found = []
    for place, source in enumerate(PEOPLE[:-1]):
        survivor = draw(st.sampled_from(["", *PEOPLE[place + 1 :]]))
        if survivor:
            found += [(source, survivor)] * draw(st.integers(1, 2))
    return found


def merging(source: str, survivor: str, fields: dict[str, object]) -> tuple[tuple[Patch, ...], tuple[Merge, ...]]:
    """A40 for one pair."""
    return (person(*((survivor, "C2") if survivor == "C" else survivor), **fields),), (
        Merge(source=(mrn(source),), survivor=0),
    )


@st.composite
def courses(draw: st.DrawFn) -> tuple[list[Told], list[int]]:
    """Some messages with distinct clocks, and another order to receive them in."""
    said = draw(
        st.lists(st.one_of(about_people(), about_stays(), about_appointments(), about_groups()), min_size=1, max_size=6)
    )
    merges = [merging(*pair, draw(some(birth_date=DATES))) for pair in draw(forests())]
    if draw(st.booleans()):
        merges.append(((person("D"), stay(visit("1"), patient="@0")), (VISITS,)))
    told = [(patches, ()) for patches in said] + merges
    clocks = draw(st.permutations(range(1, len(told) + 1)))
    events = st.sampled_from(["A01", "A03", "A08"])
    messages = [
        Told(
            clock=clock,
            patches=patches,
            merges=merge,
            event=draw(events),
            feed=draw(st.sampled_from(["adt", "siu"])),
            rank=draw(st.sampled_from([0, 0, 1])),
        )
        for clock, (patches, merge) in zip(clocks, told, strict=True)
    ]
    return messages, draw(st.permutations(range(len(messages))))


@settings(max_examples=400, deadline=None)
@given(courses())
def test_any_order_ends_in_the_same_state(course: tuple[list[Told], list[int]]) -> None:
    """Fields, statuses, lists, problems, identifiers and merges: all the same at the end."""
    messages, order = course

    assert World(*messages).seen() == World(*(messages[place] for place in order)).seen()


@settings(max_examples=100, deadline=None)
@given(courses())
def test_hearing_all_again_changes_nothing(course: tuple[list[Told], list[int]]) -> None:
    """A replay of everything, in any order, makes no new version of anything that stands."""
    messages, order = course
    world = World(*messages)
    before = world.seen()
    for place in order:
        world.hear(messages[place])

    assert before == world.seen()
