"""One mapped message meets the records it speaks about: who is meant, who merges with whom, what happened.

Pure: it reads a working set that the pipeline loaded and answers with what must be committed. A message that names two
different people, or merges in a circle, changes nothing and says why.
"""

from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace

from canonical.apply import Cause, amend, blank, holds, identifier_key, join, replaced, survivor_link, tie
from canonical.datatypes import AuthorizationItem, Entity, Identifier, Participant, Party, Placement, Role, Subscriber
from canonical.events import Event
from canonical.ids import RecordType, new_id
from canonical.patches import SELF, Mapped, Merge, Patch
from canonical.problems import Problem
from canonical.records import Record
from canonical.tasks import Task
from canonical.telling import event_type
from canonical.working import Refused, Settled, Working

__all__ = ["Refused", "Settled", "Settlement", "Working", "settle", "task_for"]

HOUR = 3_600_000_000

# The fields in which `@n` stands for another record of the message; anywhere else it is a sender's text.
REFERRING = frozenset(
    {
        *("patient", "replaces", "general_practitioners", "participants", "placements"),
        *("provider", "location", "part_of", "managing_organization", "roles"),
        *("coverage", "coverages", "authorizations", "referral", "appointment", "encounter", "last_check"),
        *("payer", "subscriber", "primary_care", "other_payers", "supplier", "requester", "items"),
    }
)
# The parts of records that refer to records, and by which of their own fields.
LINKS: dict[type, tuple[str, ...]] = {
    AuthorizationItem: ("location", "provider"),
    Entity: ("organization", "provider"),
    Participant: ("actor",),
    Party: ("actor",),
    Placement: ("location",),
    Role: ("organization", "location"),
    Subscriber: ("patient",),
}


class Settlement:
    """The course of one message through the working set, which it leaves alone until it succeeds."""

    def __init__(self, working: Working, mapped: Mapped, cause: Cause) -> None:
        self.working = working
        self.mapped = mapped
        self.cause = cause
        self.out = Settled(problems=list(mapped.problems))
        self.index: dict[tuple[str, str, str], list[str]] = {}
        self.sources = {(one.system, one.value) for merge in mapped.merges for one in merge.source}
        self.amended: list[list[str]] = []
        self.renamed: set[str] = set()

    def run(self) -> Settled:
        """Apply every patch, then merges and links; raises Refused before anything is changed."""
        for place, patch in enumerate(self.mapped.patches):
            self.amended.append(self._patch(place, patch))
            self.out.records.append(next(iter(self.amended[place]), ""))
        for merge in self.mapped.merges:
            self._merge(merge)
        for bond in self.mapped.ties:
            self._tie(self.out.records[bond.one], self.out.records[bond.other], bond.linked)
        self._tell()
        named = set(self.out.records)
        self.out.records += [identity for identity in self.out.after if identity not in named]
        for identity, record in self.out.after.items():
            self.working.add(self.out.kinds[identity], record)
        return self.out

    # -- who is meant

    def record(self, identity: str) -> Record:
        """The record as this message has it so far."""
        return self.out.after.get(identity) or self.working.records[identity]

    def chain(self, identity: str) -> Iterator[str]:
        """A record, the one that replaced it, and so on."""
        seen: set[str] = set()
        follow: str | None = identity
        while follow and follow not in seen:
            yield follow
            seen.add(follow)
            follow = survivor_link(self.record(follow))

    def surviving(self, identity: str) -> str:
        """The record that now stands for this one, along any chain of merges."""
        if survivor_link(self.record(identity)) is None:
            return identity
        *_, last = self.chain(identity)
        return last

    def _found(self, kind: str, one: Identifier) -> list[str]:
        key = (kind, one.system, one.value)
        named = [*self.working.index.get(key, ()), *self.index.get(key, ())]
        return [identity for identity in named if holds(self.record(identity), one)] if named else named

    def _survivors(self, kind: str, anchors: Iterable[Identifier]) -> list[str]:
        """The records that anchors lead to, each once, the best anchor's first."""
        return list(dict.fromkeys([self.surviving(found) for one in anchors for found in self._found(kind, one)]))

    def _subjects(self, patch: Patch) -> list[str]:
        """Whom a patch is about: for people all anchors must agree, for the rest the best one decides."""
        if patch.subject:
            return [self.surviving(patch.subject)]
        if patch.every:
            return self._survivors(patch.type, patch.anchors)
        if patch.type == "patient":
            return self._person(patch.anchors)
        for rank, anchor in enumerate(patch.anchors):
            for identity in self._survivors(patch.type, (anchor,)):
                if not _contradicts(self.record(identity), patch.anchors, rank):
                    return [identity]
        return []

    def _person(self, anchors: Sequence[Identifier]) -> list[str]:
        """The patient by the identifiers that are not being merged away, or else by those (A47 renames)."""
        stays = [one for one in anchors if (one.system, one.value) not in self.sources]
        found = self._survivors("patient", stays) or self._survivors("patient", anchors)
        if len(found) > 1:
            raise refused("PAT-MULTI", "PID-3", "the identifiers belong to different patients")
        return found

    # -- what is said of them

    def _patch(self, place: int, patch: Patch) -> list[str]:
        if patch.successor is not None and self._heard_of(self.mapped.patches[patch.successor]):
            return []
        found = self._subjects(patch)
        if not found and not patch.mentions:
            found = [self._new(patch.type, place)]
        patch = self._linked(patch)
        for identity in found:
            before = self._before(identity)
            after, fresh = amend(before, self._standing(before, patch), self.cause)
            self._put(patch.type, after, fresh)
            if patch.unmoved and patch.unmoved in after.problems and patch.unmoved not in before.problems:
                self.out.problems.append(patch.unmoved)
        return found

    def _heard_of(self, patch: Patch) -> bool:
        """Whether another message has spoken of this record by then; of equal clocks the first received is older."""
        cause = self.cause
        known = (fact.stamp for identity in self._subjects(patch) for fact in self.record(identity).facts)
        return any((one.rank, one.at) <= (cause.rank, cause.clock) and one.message != cause.message for one in known)

    def _new(self, kind: RecordType, *seed: object) -> str:
        identity = new_id(kind, self.cause.received_at, self.cause.message, *seed)
        self.out.before[identity] = None
        self.out.after[identity] = blank(kind, identity, self.cause)
        return identity

    def _before(self, identity: str) -> Record:
        record = self.record(identity)
        self.out.before.setdefault(identity, record)
        return record

    def _put(self, kind: str, record: Record, fresh: bool) -> None:
        out, identity = self.out, record.id
        known = out.before[identity]
        if fresh:
            version = (known.version if known else 0) + 1
            if record.version != version:  # one message makes one version
                record = replace(record, version=version)
            out.fresh.add(identity)
        out.after[identity] = record
        out.kinds[identity] = kind
        if known is None or known.identifiers is not record.identifiers:
            for one in record.identifiers:
                ids = self.index.setdefault((kind, one.system, one.value), [])
                if identity not in ids:
                    ids.append(identity)

    def _linked(self, patch: Patch) -> Patch:
        """The patch with `@n` references replaced by the ids of this message's other records, known ones only."""
        referring = REFERRING.intersection(patch.fields)
        if not referring and not patch.edits:
            return patch
        fields = dict(patch.fields)
        for field in referring:
            value = self._resolve(fields[field])
            if value is None and fields[field] is not None:
                del fields[field]
            else:
                fields[field] = value
        edits = tuple(replace(edit, value=self._resolve(edit.value)) for edit in patch.edits)
        return replace(patch, fields=fields, edits=edits)

    def _resolve(self, value: object) -> object:
        if isinstance(value, str):
            return self._reference(value)
        if isinstance(value, tuple):
            return tuple([entry for entry in map(self._resolve, value) if entry is not None])
        links = LINKS.get(type(value), ())
        named = {name: self._reference(link) for name in links if (link := getattr(value, name))}
        return replace(value, **named) if named else value  # type: ignore[type-var]  # those in LINKS are structs

    def _reference(self, value: str) -> str | None:
        return (self.out.records[int(value[1:])] or None) if value.startswith(SELF) else value

    def _standing(self, record: Record, patch: Patch) -> Patch:
        """The patch with the references that stand, where they lead to the same survivor: merges are no news here."""
        held = self._moved(record)
        if not held:
            return patch
        named = {one.key: one for one in getattr(record, "participants", ())}

        def standing(value: object) -> object:
            if isinstance(value, Participant):
                known = named.get(value.key)
                is_same = known is not None and known.actor and held.get(known.actor) == value.actor
                return replace(value, actor=known.actor) if known and is_same else value
            return tuple([standing(one) for one in value]) if isinstance(value, tuple) else value

        fields = dict(patch.fields)
        if "patient" in fields and held.get(getattr(record, "patient", None) or "") == fields["patient"]:
            fields["patient"] = getattr(record, "patient", None)
        if "participants" in fields:
            fields["participants"] = standing(fields["participants"])
        edits = tuple([replace(edit, value=standing(edit.value)) for edit in patch.edits])
        return replace(patch, fields=fields, edits=edits)

    def _moved(self, record: Record) -> dict[str, str]:
        """The patients that a record refers to and that were merged since, each with its survivor."""
        named = {getattr(record, "patient", None)}
        named.update(one.actor for one in getattr(record, "participants", ()) if one.kind == "patient")
        known = {one: self.surviving(one) for one in named if one and self._knows(one)}
        return {one: survivor for one, survivor in known.items() if one != survivor}

    # -- who takes whose place

    def _merge(self, merge: Merge) -> None:
        """DOMAIN 2.4: idempotent, never in a circle; an unknown source leaves a tombstone."""
        survivor = self.surviving(self.out.records[merge.survivor])
        owners = list(dict.fromkeys(owner for one in merge.source if (owner := self._owner(merge.type, one))))
        for owner in owners or [self._tombstone(merge)]:
            survivor = self._replace(merge, owner, survivor)
        kept = {(one.system, one.value) for one in self._anchors(merge)}
        if survivor in owners:  # the two are one record already
            self.renamed.add(survivor)
        retires = tuple(one for one in merge.source if (one.system, one.value) not in kept)
        patch = Patch(type=merge.type, anchors=(), retires=retires)
        self._put(merge.type, *amend(self._before(survivor), patch, self.cause))

    def _anchors(self, merge: Merge) -> Sequence[Identifier]:
        return self.mapped.patches[merge.survivor].anchors

    def _owner(self, kind: str, one: Identifier) -> str | None:
        """Whose an identifier was first: one that was replaced keeps it, its survivor holds it as an old one."""
        return min(self._found(kind, one), key=lambda found: self._claim(found, one), default=None)

    def _claim(self, identity: str, one: Identifier) -> tuple[bool, bool]:
        record = self.record(identity)
        old = any(held.use == "old" and identifier_key(held) == identifier_key(one) for held in record.identifiers)
        return survivor_link(record) is None, old

    def _tombstone(self, merge: Merge) -> str:
        identity = self._new(merge.type, "tombstone", *(one.value for one in merge.source))
        patch = Patch(type=merge.type, anchors=merge.source)
        self._put(merge.type, *amend(self.record(identity), patch, self.cause))
        return identity

    def _replace(self, merge: Merge, owner: str, survivor: str) -> str:
        """The survivor takes the place of whoever now stands for the owner of the source; who survives is told."""
        source = self.surviving(owner)
        if source == survivor:
            self._refuse_circle(merge, owner)
            return survivor
        if owner != source and self._replaced_later(owner):
            source, survivor = survivor, source
        self._before(source)
        taken = join(self._before(survivor), self.record(source), self.cause)
        self._put(merge.type, taken, True)
        gone = replaced(self.record(source), merge.type, survivor, self.cause)
        self._put(merge.type, gone, True)
        self._event(f"{merge.type}.merged", gone, self._patient(taken))
        return survivor

    def _refuse_circle(self, merge: Merge, owner: str) -> None:
        """The record that is to survive was itself replaced by the one it should replace."""
        for anchor in self._anchors(merge):
            _, *after = self.chain(self._owner(merge.type, anchor) or owner)
            if owner in after:
                raise refused("PAT-MERGE-CONFLICT", "MRG-1", "the two are already merged the other way")

    def _replaced_later(self, identity: str) -> bool:
        """Whether a message with a newer clock has said who replaced this record: then that holds."""
        record = self.record(identity)
        stamp = record.stamps[record.clocks[f"links/replaced-by/{survivor_link(record)}"]]
        return not stamp.yields_to(self.cause.stamp)

    def _tie(self, one: str, other: str, linked: bool) -> None:
        if not one or not other or self.surviving(one) == self.surviving(other):
            return
        for left, right in ((one, other), (other, one)):
            left, right = self.surviving(left), self.surviving(right)
            after, fresh = tie(self._before(left), right, linked, self.cause)
            self._put("patient", after, fresh)
            if fresh:
                self._event("patient.linked" if linked else "patient.unlinked", after, left)

    # -- what happened

    def _tell(self) -> None:
        """One event for each new version that a patch made; merges come first and told theirs themselves."""
        told = {event.subject for event in self.out.events}
        for place, patch in enumerate(self.mapped.patches):
            for identity in self.amended[place]:
                if identity in self.out.fresh and identity not in told:
                    told.add(identity)
                    before, after = self.out.before[identity], self.out.after[identity]
                    word = f"{patch.type}.identifier_changed" if identity in self.renamed else None
                    self._event(event_type(patch, before, after, self.cause, word), after, self._patient(after))
        for kind in self.mapped.notices:
            self._notice(kind)

    def _notice(self, kind: str) -> None:
        """An event without a change: about each record that the message names, else about the message."""
        named = dict.fromkeys(identity for identity in self.out.records if identity)
        for identity in named:
            self._tell_of(kind, identity, version=self.out.after[identity].version)
        if not named:
            self._tell_of(kind, self.cause.message)

    def _patient(self, record: Record) -> str | None:
        if self.out.kinds[record.id] == "patient":
            return self.surviving(record.id)
        patient = getattr(record, "patient", None)
        return self.surviving(patient) if patient and self._knows(patient) else patient

    def _knows(self, identity: str) -> bool:
        return identity in self.out.after or identity in self.working.records

    def _event(self, kind: str, record: Record, patient: str | None) -> None:
        self._tell_of(kind, record.id, patient, self.out.after[record.id].version)

    def _tell_of(self, kind: str, subject: str, patient: str | None = None, version: int = 0) -> None:
        cause = self.cause
        self.out.events.append(
            Event(
                id=new_id("event", cause.received_at, cause.message, subject, kind),
                type=kind,
                tenant=cause.tenant,
                subject=subject,
                at=cause.received_at,
                patient=patient,
                version=version,
                message=cause.message,
                feed=cause.feed,
                traceparent=cause.traceparent,
            )
        )


def refused(code: str, path: str, detail: str) -> Refused:
    """A message that contradicts who is who: a person must look at it."""
    return Refused(code, "patient-identity", Problem(code=code, path=path, detail=detail, severity="error"))


def _contradicts(record: Record, anchors: Sequence[Identifier], rank: int) -> bool:
    """Whether the record has another value where an anchor better than this one names one."""
    named = {(one.system, one.value) for one in anchors}
    return any(
        held.system == one.system and held.type == one.type and held.use != "old"
        for one in anchors[:rank]
        for held in record.identifiers
        if (held.system, held.value) not in named
    )


def settle(working: Working, mapped: Mapped, cause: Cause) -> Settled:
    """What the message does to the working set, which is updated; Refused leaves it as it was."""
    return Settlement(working, mapped, cause).run()


def task_for(cause: Cause, queue: str, code: str, title: str, at: int, hours: int = 24) -> Task:
    """A task about a message, with a deadline counted from when it is raised; its id is the same on replay."""
    return Task(
        id=new_id("task", cause.received_at, cause.message, queue, code),
        tenant=cause.tenant,
        queue=queue,
        code=code,
        subject=cause.message,
        title=title,
        created_at=at,
        updated_at=at,
        due_at=at + hours * HOUR,
    )
