"""Referrals, payers and supplies: any order of what is said ends the same; a status follows from its parts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canonical.apply import Cause
from canonical.datatypes import AuthorizationItem, Decision, Identifier, Item, Line, Progress, Quantity
from canonical.ids import RecordType
from canonical.machines import CORRECTIONS, MACHINES
from canonical.patches import Edit, Mapped, Patch, Said
from canonical.records import Requisition
from canonical.rollup import line_status, of_decisions, of_lines
from canonical.settle import Settled, Working, settle
from canonical.telling import STATUS_WORDS
from tests.canonical.world import Told, World

KINDS: tuple[RecordType, ...] = ("referral", "coverage", "eligibility", "authorization", "requisition", "organization")
NUMBER = Identifier(system="urn:x-test:number", value="1", type="PLAC")
LINES = tuple([Line(key=key, item=Item(description="pad"), quantity=Quantity(value="10")) for key in ("1", "2")])
ITEMS = tuple([AuthorizationItem(key=key) for key in ("1", "2")])


def done(line: str, what: str, quantity: str) -> Progress:
    return Progress(line=line, what=what, quantity=Quantity(value=quantity))


def edit(one: Progress | Decision) -> Edit:
    return Edit(field="progress" if isinstance(one, Progress) else "decisions", key=one.key, value=one)


@st.composite
def said(draw: st.DrawFn, kind: RecordType) -> Patch:
    """What one message says of a record: a status, parts of it, or both."""
    statuses = sorted(one for one in MACHINES[kind] if one)
    word = draw(st.none() | st.builds(Said, status=st.sampled_from(statuses)))
    edits: list[Edit] = []
    fields: dict[str, object] = {}
    if kind == "requisition":
        fields = draw(st.sampled_from([{}, {"lines": LINES}, {"needed_by": "2027-06-01"}]))
        parts = st.tuples(st.sampled_from("12"), st.sampled_from(["approved", "ordered", "received", "cancelled"]))
        found = draw(st.lists(parts, max_size=2, unique=True))
        edits = [edit(done(line, what, draw(st.sampled_from(["4", "10"])))) for line, what in found]
    if kind == "authorization":
        fields = draw(st.sampled_from([{}, {"items": ITEMS}, {"start": "2027-06-01"}]))
        keys = draw(st.lists(st.sampled_from(["1", "2", "*"]), max_size=2, unique=True))
        decided = st.sampled_from(["approved", "denied", "pended"])
        edits = [edit(Decision(key=key, status=draw(decided))) for key in keys]
    return Patch(type=kind, anchors=(NUMBER,), fields=fields, said=word, edits=tuple(edits))


@st.composite
def courses(draw: st.DrawFn) -> tuple[list[Told], list[int]]:
    """Some messages about one record with distinct clocks, and another order to receive them in."""
    patches = draw(st.lists(said(draw(st.sampled_from(KINDS))), min_size=2, max_size=6))
    clocks = draw(st.permutations(range(1, len(patches) + 1)))
    told = [Told(clock=clock, patches=(one,)) for clock, one in zip(clocks, patches, strict=True)]
    return told, draw(st.permutations(range(len(told))))


@given(course=courses())
def test_any_order_ends_in_the_same_state(course: tuple[list[Told], list[int]]) -> None:
    """Statuses, lines, progress and decisions do not depend on the order of receipt."""
    messages, order = course

    assert World(*messages).seen() == World(*(messages[place] for place in order)).seen()


@pytest.mark.parametrize("kind", KINDS)
def test_a_machine_knows_where_it_leads(kind: RecordType) -> None:
    """Every status that can be reached is a state, can be reached, and has a word when it is reached from another."""
    machine = MACHINES[kind]
    reached = set().union(*machine.values())

    assert reached == {one for one in machine if one}
    assert STATUS_WORDS[kind].keys() <= reached
    assert all(after in machine[before] for before, after in CORRECTIONS.get(kind, ()))


OF_LINES = [
    ("draft", [done("1", "received", "10")], "draft"),
    ("approved", [], "approved"),
    ("approved", [done("1", "ordered", "10")], "partially-ordered"),
    ("approved", [done("1", "ordered", "10"), done("2", "ordered", "4")], "partially-ordered"),
    ("approved", [done("1", "ordered", "10"), done("2", "ordered", "10")], "ordered"),
    ("ordered", [done("1", "received", "4")], "partially-received"),
    ("ordered", [done("1", "received", "10"), done("2", "received", "10")], "received"),
    ("ordered", [done("1", "received", "10"), done("2", "cancelled", "10")], "received"),
    ("ordered", [done("1", "received", "4"), done("1", "cancelled", "6"), done("2", "received", "10")], "received"),
    ("approved", [done("1", "approved", "4"), done("1", "ordered", "4"), done("2", "ordered", "10")], "ordered"),
    ("approved", [done("1", "cancelled", "10"), done("2", "cancelled", "10")], "cancelled"),
    ("pending-approval", [done("1", "rejected", "10"), done("2", "rejected", "10")], "rejected"),
    ("received", [done("1", "ordered", "10")], "received"),
    ("cancelled", [done("1", "received", "10")], "cancelled"),
]


@pytest.mark.parametrize(("word", "progress", "status"), OF_LINES)
def test_a_requisition_follows_its_lines(word: str, progress: list[Progress], status: str) -> None:
    """The lines move it on and never back; before approval and after the end they do not count."""
    assert status == of_lines(word, LINES, progress)


def test_a_line_by_itself() -> None:
    """One that nothing is known of has no status."""
    assert [None, "received"] == [line_status(one, [done("2", "received", "10")]) for one in LINES]


OF_DECISIONS = [
    ("submitted", {}, "submitted"),
    ("submitted", {"1": "approved"}, "pended"),  # the other is not decided
    ("submitted", {"1": "approved", "2": "pended"}, "pended"),
    ("submitted", {"*": "approved"}, "approved"),
    ("submitted", {"*": "approved", "2": "denied"}, "partially-approved"),
    ("pended", {"1": "denied", "2": "denied"}, "denied"),
    ("approved", {"2": "cancelled"}, "approved"),
    ("cancelled", {"*": "approved"}, "cancelled"),
    ("error", {"*": "approved"}, "error"),
]


@pytest.mark.parametrize(("word", "told", "status"), OF_DECISIONS)
def test_an_authorization_follows_its_items(word: str, told: dict[str, str], status: str) -> None:
    """Pended holds up all; what agrees gives its word; what does not makes it partial."""
    decisions = [Decision(key=key, status=one) for key, one in told.items()]

    assert status == of_decisions(word, ITEMS, decisions)


def test_a_revision_is_not_decided_by_what_was_said_before() -> None:
    """What is submitted again waits for a new decision."""
    first = Patch(type="authorization", anchors=(NUMBER,), fields={"items": ITEMS}, said=Said(status="submitted"))
    decided = Patch(type="authorization", anchors=(NUMBER,), edits=(edit(Decision(key="*", status="approved")),))
    again = Patch(type="authorization", anchors=(NUMBER,), said=Said(status="submitted"))
    told = [Told(clock=n, patches=(one,)) for n, one in enumerate((first, decided, again), 1)]
    statuses = [World(*told[:n]).record(NUMBER).status for n in (1, 2, 3)]

    assert ["submitted", "approved", "submitted"] == statuses


def command(working: Working, clock: int, one: Patch) -> Settled:
    cause = Cause(message=f"msg_{clock}", tenant="main", feed="api", clock=clock, received_at=clock, actor="buyer")
    return settle(working, Mapped(clock=clock, patches=[one]), cause)


def test_a_command_read_again() -> None:
    """It gives the same record and events as at first; who gave it is in the history."""
    made = Patch(type="requisition", fields={"lines": LINES}, said=Said(status="draft"))
    first, again = command(Working(), 1, made), command(Working(), 1, made)

    assert (first.after, first.events) == (again.after, again.events)
    (record,) = first.after.values()
    assert isinstance(record, Requisition)
    assert ["buyer"] == [fact.actor for fact in record.facts]


def test_a_command_about_a_record_by_its_id() -> None:
    """An order and a receipt of one line do not undo each other, and each is told."""
    working = Working()
    made = command(working, 1, Patch(type="requisition", fields={"lines": LINES}, said=Said(status="approved")))
    (subject,) = made.after
    told = [
        command(working, n, Patch(type="requisition", subject=subject, edits=(edit(one),))).events[0].type
        for n, one in enumerate((done("1", "ordered", "10"), done("2", "ordered", "10"), done("1", "received", "4")), 2)
    ]
    names = ["partially_ordered", "ordered", "partially_received"]

    assert [f"requisition.{name}" for name in names] == told
    record = working.records[subject]
    assert isinstance(record, Requisition)
    assert ["1/ordered", "1/received", "2/ordered"] == [one.key for one in record.progress]
