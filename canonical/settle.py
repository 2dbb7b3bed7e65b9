"""One mapped message meets the records it speaks about: who is meant, who merges with whom, what happened.

Pure: it reads a working set that the pipeline loaded and answers with what must be committed. A message that names two
different people, or merges in a circle, changes nothing and says why.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from canonical.apply import Cause, amend, blank, join, survivor_link, tie
from canonical.datatypes import Identifier, Link, Participant, Placement
from canonical.events import Event
from canonical.ids import new_id
from canonical.patches import SELF, Mapped, Merge, Patch, Said
from canonical.problems import Problem
from canonical.records import Record
from canonical.tasks import Task

DAY = 86_400_000_000
STATUS_EVENTS = {
    "cancelled": "cancelled",
    "noshow": "noshow",
    "entered-in-error": "deleted",
    "arrived": "arrived",
    "checked-in": "checked_in",
    "fulfilled": "fulfilled",
    "pending": "pending",
    "waitlist": "waitlisted",
    "booked": "booked",
    "proposed": "proposed",
    "finished": "finished",
    "in-progress": "started",
    "planned": "preadmitted",
    "onleave": "leave_started",
    "inactive": "deactivated",
    "active": "activated",
}

# What a record may be first heard of by; anything else about an unknown record is its creation.
FIRST_WORDS = frozenset(
    {
        *("appointment.cancelled", "appointment.discontinued", "appointment.deleted", "appointment.noshow"),
        *("encounter.started", "encounter.registered", "encounter.preadmitted", "encounter.finished"),
        *("encounter.admit_cancelled", "encounter.cancelled", "encounter.deleted", "patient.deactivated"),
    }
)


class Refused(Exception):
    """The message contradicts what is known; nothing of it is applied. The code is a public exception code."""

    def __init__(self, code: str, queue: str, problem: Problem) -> None:
        super().__init__(code)
        self.code = code
        self.queue = queue
        self.problem = problem


class Working:
    """The records a group of messages may touch, by id and by identifier; later messages see what earlier ones did."""

    __slots__ = ("index", "records")

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        self.index: dict[tuple[str, str, str], list[str]] = {}

    def add(self, kind: str, record: Record) -> None:
        """Know a record, and find it by each of its identifiers."""
        known = self.records.get(record.id)
        self.records[record.id] = record
        if known is not None and known.identifiers is record.identifiers:
            return
        for one in record.identifiers:
            ids = self.index.setdefault((kind, one.system, one.value), [])
            if record.id not in ids:
                ids.append(record.id)


class Settled(Struct, kw_only=True):
    """What a message did: for each record its state before and after, and whether it is a new version."""

    before: dict[str, Record | None] = {}
    after: dict[str, Record] = {}
    fresh: set[str] = set()
    kinds: dict[str, str] = {}
    events: list[Event] = []
    tasks: list[Task] = []
    records: list[str] = []  # the ids of the records the message was about, in the order of its patches
    problems: list[Problem] = []


class Settlement:
    """The course of one message through the working set, which it leaves alone until it succeeds."""

    def __init__(self, working: Working, mapped: Mapped, cause: Cause) -> None:
        self.working = working
        self.mapped = mapped
        self.cause = cause
        self.out = Settled(problems=list(mapped.problems))
        self.index: dict[tuple[str, str, str], list[str]] = {}

    def run(self) -> Settled:
        """Apply every patch, then merges and links; raises Refused before anything is changed."""
        sources = {(one.system, one.value) for merge in self.mapped.merges for one in merge.source}
        for place, patch in enumerate(self.mapped.patches):
            self.out.records.append(self._patch(place, patch, sources))
        for merge in self.mapped.merges:
            self._merge(merge)
        for bond in self.mapped.ties:
            self._tie(self.out.records[bond.one], self.out.records[bond.other], bond.linked)
        self._tell()
        for identity, record in self.out.after.items():
            self.working.add(self.out.kinds[identity], record)
        return self.out

    def record(self, identity: str) -> Record:
        """The record as this message has it so far."""
        return self.out.after.get(identity) or self.working.records[identity]

    def _found(self, kind: str, one: Identifier) -> list[str]:
        key = (kind, one.system, one.value)
        return [*self.working.index.get(key, ()), *self.index.get(key, ())]

    def surviving(self, identity: str) -> str:
        """The patient that now stands for this one, along any chain of merges."""
        seen = {identity}
        while (follow := survivor_link(self.record(identity))) and follow not in seen:
            identity = follow
            seen.add(identity)
        return identity

    def _patch(self, place: int, patch: Patch, sources: set[tuple[str, str]]) -> str:
        identity = self._subject(patch, sources)
        patch = self._linked(patch)
        if identity is None:
            if patch.mentions:
                return ""
            identity = new_id(patch.type, self.cause.received_at, self.cause.message, place)
            before = blank(patch.type, identity, self.cause)
            self.out.before.setdefault(identity, None)
        else:
            before = self.record(identity)
            self.out.before.setdefault(identity, before)
        after, fresh = amend(before, patch, self.cause)
        self._put(patch.type, after, fresh)
        return identity

    def _put(self, kind: str, record: Record, fresh: bool) -> None:
        if fresh and record.id in self.out.fresh:  # one message makes one version
            known = self.out.before.get(record.id)
            record = replace(record, version=(known.version if known else 0) + 1)
        self.out.after[record.id] = record
        self.out.kinds[record.id] = kind
        if fresh:
            self.out.fresh.add(record.id)
        for one in record.identifiers:
            key = (kind, one.system, one.value)
            if record.id not in self._found(kind, one):
                self.index.setdefault(key, []).append(record.id)

    def _subject(self, patch: Patch, sources: set[tuple[str, str]]) -> str | None:
        """The record that the anchors name: for people all must agree, for the rest the best one decides."""
        if patch.type == "patient":
            return self._person(patch.anchors, sources)
        for rank, anchor in enumerate(patch.anchors):
            for identity in self._found(patch.type, anchor):
                if not _contradicts(self.record(identity), patch.anchors[:rank]):
                    return identity
        return None

    def _person(self, anchors: Sequence[Identifier], sources: set[tuple[str, str]]) -> str | None:
        named = [one for one in anchors if (one.system, one.value) not in sources] or list(anchors)
        found = {self.surviving(identity) for one in named for identity in self._found("patient", one)}
        if len(found) > 1:
            problem = Problem(code="PAT-MULTI", path="PID-3", detail="the identifiers belong to different patients")
            raise Refused("PAT-MULTI", "patient-identity", replace(problem, severity="error"))
        return found.pop() if found else None

    def _linked(self, patch: Patch) -> Patch:
        """The patch with `@n` references replaced by the ids of this message's other records."""
        fields = {field: self._resolve(value) for field, value in patch.fields.items()}
        edits = tuple(replace(edit, value=self._resolve(edit.value)) for edit in patch.edits)
        return replace(patch, fields=fields, edits=edits)

    def _resolve(self, value: object) -> object:
        if isinstance(value, str):
            return self._reference(value)
        if isinstance(value, Participant):
            return replace(value, actor=self._reference(value.actor)) if value.actor else value
        if isinstance(value, Placement):
            return replace(value, location=self._reference(value.location)) if value.location else value
        if isinstance(value, tuple) and value and isinstance(value[0], Participant | Placement):
            return tuple(self._resolve(entry) for entry in value)
        return value

    def _reference(self, value: str | None) -> str | None:
        if value and value.startswith(SELF) and value[1:].isdecimal():
            return self.out.records[int(value[1:])] or None
        return value

    def _merge(self, merge: Merge) -> None:
        """DOMAIN 2.4: idempotent, never in a circle; an unknown source leaves a tombstone."""
        survivor = self.out.records[merge.survivor]
        found = [identity for one in merge.source for identity in self._found("patient", one)]
        named = [i for one in self.mapped.patches[merge.survivor].anchors for i in self._found("patient", one)]
        if not found:
            self._bury(merge.source, survivor)
            return
        for source in dict.fromkeys(found):
            if source == survivor:
                self._rename(source, merge, named)
            elif self.surviving(source) != survivor:
                self._absorb(self.surviving(source), survivor)

    def _rename(self, identity: str, merge: Merge, named: Iterable[str]) -> None:
        if any(survivor_link(self.record(one)) for one in named):
            problem = Problem(
                code="PAT-MERGE-CONFLICT", path="MRG-1", detail="the two are already merged the other way"
            )
            raise Refused("PAT-MERGE-CONFLICT", "patient-identity", replace(problem, severity="error"))
        kept = {(one.system, one.value) for one in self.mapped.patches[merge.survivor].anchors}
        retires = tuple(one for one in merge.source if (one.system, one.value) not in kept)
        patch = Patch(type="patient", anchors=(), retires=retires, event="patient.identifier_changed")
        after, fresh = amend(self.record(identity), patch, self.cause)
        self._put("patient", after, fresh)

    def _bury(self, source: tuple[Identifier, ...], survivor: str) -> None:
        identity = new_id(
            "patient", self.cause.received_at, self.cause.message, "tombstone", *(o.value for o in source)
        )
        self.out.before[identity] = None
        after, _ = amend(blank("patient", identity, self.cause), Patch(type="patient", anchors=source), self.cause)
        self._put("patient", after, True)
        self._absorb(identity, survivor)

    def _absorb(self, source: str, survivor: str) -> None:
        """`source` is replaced by `survivor`, which takes over what was said about it."""
        self.out.before.setdefault(source, self.record(source))
        said = Patch(type="patient", anchors=(), said=Said(status="merged"), event="patient.merged")
        merged, _ = amend(self.record(source), said, self.cause)
        link = Link(type="replaced-by", other=survivor, message=self.cause.message)
        merged, _fresh = tie(merged, [link], self.cause)
        taken, _ = join(self.record(survivor), merged, self.cause)
        back = Link(type="replaces", other=source, message=self.cause.message)
        taken, _ = tie(taken, [back], self.cause)
        self._put("patient", merged, True)
        self._put("patient", taken, True)
        self._event("patient.merged", merged, survivor)

    def _tie(self, one: str, other: str, linked: bool) -> None:
        for left, right in ((one, other), (other, one)):
            if not left or not right or left == right:
                return
            link = [Link(type="seealso", other=right, message=self.cause.message)]
            record = self.record(left)
            after, fresh = tie(record, link, self.cause) if linked else tie(record, (), self.cause, without=link)
            self._put("patient", after, fresh)
            if fresh:
                self._event("patient.linked" if linked else "patient.unlinked", after, left)

    def _tell(self) -> None:
        """One event for each new version that a patch made; merges come first and told theirs themselves."""
        told = {event.subject for event in self.out.events}
        for place, patch in enumerate(self.mapped.patches):
            identity = self.out.records[place]
            if identity not in self.out.fresh or identity in told:
                continue
            told.add(identity)
            before, after = self.out.before[identity], self.out.after[identity]
            self._event(event_type(patch, before, after, self.cause), after, self._patient(after))

    def _patient(self, record: Record) -> str | None:
        if self.out.kinds[record.id] == "patient":
            return self.surviving(record.id)
        patient = getattr(record, "patient", None)
        return self.surviving(patient) if patient and self._knows(patient) else patient

    def _knows(self, identity: str) -> bool:
        return identity in self.out.after or identity in self.working.records

    def _event(self, kind: str, record: Record, patient: str | None) -> None:
        cause = self.cause
        self.out.events.append(
            Event(
                id=new_id("event", cause.received_at, cause.message, record.id, kind),
                type=kind,
                tenant=cause.tenant,
                subject=record.id,
                at=cause.received_at,
                patient=patient,
                version=record.version,
                message=cause.message,
                feed=cause.feed,
                traceparent=cause.traceparent,
            )
        )


def _contradicts(record: Record, better: Sequence[Identifier]) -> bool:
    """Whether the record has another value where a better anchor of the message names one."""
    return any(
        held.system == one.system and held.type == one.type and held.value != one.value and held.use != "old"
        for one in better
        for held in record.identifiers
    )


def event_type(patch: Patch, before: Record | None, after: Record, cause: Cause) -> str:
    """What to call the change: the sender's word when it took effect, else what can be seen to have changed."""
    kind = patch.type
    moved = before is not None and getattr(before, "start", None) != getattr(after, "start", None)
    if before is None:
        return patch.event if patch.event in FIRST_WORDS else f"{kind}.created"
    if patch.event and cause.clock >= before.effective_at and not patch.event.endswith((".created", ".updated")):
        return patch.event
    if after.status != before.status and after.status in STATUS_EVENTS:
        return f"{kind}.{STATUS_EVENTS[after.status]}"
    return f"{kind}.rescheduled" if moved and kind == "appointment" else f"{kind}.updated"


def settle(working: Working, mapped: Mapped, cause: Cause) -> Settled:
    """What the message does to the working set, which is updated; Refused leaves it as it was."""
    return Settlement(working, mapped, cause).run()


def task_for(cause: Cause, queue: str, code: str, title: str, hours: int = 24) -> Task:
    """A task about a message, with a deadline counted from its receipt."""
    return Task(
        id=new_id("task", cause.received_at, cause.message, queue, code),
        tenant=cause.tenant,
        queue=queue,
        code=code,
        subject=cause.message,
        title=title,
        created_at=cause.received_at,
        updated_at=cause.received_at,
        due_at=cause.received_at + hours * DAY // 24,
    )
