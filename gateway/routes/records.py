"""What all resources have in common: read, search, history and lineage, on whatever kind of record.

Two things are resolved when a record is read and not when it is written: patients are the survivors of all merges, and
an appointment's `encounter` is the visit that its number names, known by now or not. The ETag says what came of it.
"""

import inspect
import re
from hashlib import blake2b
from typing import Annotated, Any, Literal

from msgspec import Meta, Raw, Struct
from msgspec.structs import replace

from canonical.datatypes import Identifier
from canonical.meaning import PARTIAL_DATE, means, pattern_of
from canonical.records import Patient, Record
from canonical.status import MACHINES
from gateway.problems import not_found
from gateway.routes.lineage import WHOLE, Lineage, lineage_of
from gateway.routes.paging import Page, after, page
from gateway.routes.reading import Moment, Paged, Rule, split
from gateway.routes.rules import A_NUMBER, A_PARTIAL_DATE, SOME_WORDS, one_of
from gateway.routes.serving import Answer, Call, Route, Run, answer, encode, versioned
from gateway.store.protocol import Key, RecordQuery, Store
from policies.auth import allows
from transforms.api import v1
from transforms.api.masking import is_masking

Order = Annotated[
    Literal["created", "-created", "updated", "-updated"], Meta(description="`-` turns the order round: newest first.")
]
DatedOrder = Annotated[
    Literal["created", "-created", "updated", "-updated", "start", "-start"],
    Meta(description="`-` turns the order round: newest first."),
]
Identifiers = Annotated[
    tuple[str, ...],
    Meta(
        description="`value`, of any authority, or `system|value`, of one; exactly; any of several.",
        examples=[["N0001"], ["urn:x-main:east:NORTH|N0001"]],
    ),
    A_NUMBER,
]
Names = Annotated[
    str | None, Meta(description="All its words must be in a name; case and accents do not matter."), SOME_WORDS
]
Since = Annotated[Moment | None, Meta(description="Changed at or after this instant or day: `updatedAt`.")]
From = Annotated[Moment | None, Meta(description="Starts at or after this instant or day (a day is one of UTC).")]
To = Annotated[Moment | None, Meta(description="Starts at or before this instant, or on or before this day.")]
Number = Annotated[str | None, Meta(description="`value` or `system|value`, exactly.", examples=["V1"]), A_NUMBER]
Payer = Annotated[
    str | None,
    Meta(description="The payer's number, `value` or `system|value`, or the id of its record.", examples=["84261"]),
    A_NUMBER,
]
BirthDate = Annotated[str, Meta(pattern=PARTIAL_DATE, description="As precise as it was said."), A_PARTIAL_DATE] | None
PatientId = Annotated[
    str, Meta(pattern=pattern_of("patient"), description="The patient's id; all who were merged into it count.")
]
ProviderId = Annotated[str, Meta(pattern=pattern_of("provider"), description="The id of a provider who takes part.")]
CoverageId = Annotated[str, Meta(pattern=pattern_of("coverage"), description="The id of the insurance.")]
AppointmentId = Annotated[str, Meta(pattern=pattern_of("appointment"), description="The id of the appointment.")]
ReferralId = Annotated[str, Meta(pattern=pattern_of("referral"), description="The id of the referral.")]
LocationId = Annotated[str, Meta(pattern=pattern_of("location"), description="The id of a place that it takes.")]


SSN_WRITTEN = re.compile(r"(?<![^|])(\d{3})-(\d{2})-(\d{4})\Z", re.ASCII)  # they are kept without hyphens
PRIVATE = ("identifier", "name", "account", "visit", "birth_date", "payer", "supplier", "item")
CALLED = {"eligibility": "eligibility check"}  # kinds that callers know by another name
LINKED = ("patient", "provider", "location", "coverage", "appointment", "referral")
WORDS = (
    ("name", "name"),
    ("account", "account"),
    ("visit", "visit"),
    ("birth_date", "birthdate"),
    ("payer", "payer"),
    ("supplier", "supplier"),
    ("item", "item"),
)


def any_status(kind: str) -> Meta:
    """What is said of the statuses that a kind of record is searched by."""
    known = ", ".join(f"`{one}`" for one in MACHINES[kind] if one)
    return Meta(description=f"Any of these; repeat it or separate by commas: {known}.")


def status_of(kind: str) -> Rule:
    """A status that this kind of record can have."""
    return one_of([one for one in MACHINES[kind] if one], listed=True)


class Search(Paged, frozen=True):
    """What every kind of record is searched by; all that is given must hold."""

    identifier: Identifiers = ()
    status: tuple[str, ...] = ()
    updated_since: Since = None


class Versions(Struct, frozen=True, kw_only=True):
    """Every version of a record, newest first."""

    items: Annotated[list[v1.AnyResource], means("The versions.")]
    next: Annotated[None, means("Always null: a history is one page.")] = None


class Shown(Struct, frozen=True, kw_only=True):
    """What a record is shown with beside what it holds: the same version with the same of these has the same body."""

    patient: str | None
    survivors: dict[str, str] = {}  # of the patients it names, those who were merged
    encounter: str | None = None
    is_masked: bool = False

    def tag(self, version: int) -> str:
        """The version, and in a suffix what is shown otherwise than it was said."""
        if not (self.survivors or self.encounter or self.is_masked):
            return str(version)
        other = encode((sorted(self.survivors.items()), self.encounter, self.is_masked))
        return f"{version}-{blake2b(other, digest_size=5).hexdigest()}"


class Known:
    """A record that was read lately: what is to be resolved for it, and the body that came of it last."""

    __slots__ = ("body", "is_private", "named", "plain", "record", "shown")

    def __init__(self, record: Record) -> None:
        self.record = record
        self.named = _named(record)
        self.is_private = is_masking(record)
        self.plain = Shown(patient=_patient(record))  # where nothing is shown otherwise than it was said
        self.shown: Shown | None = None
        self.body = b""


def _named(record: Record) -> tuple[str, ...]:
    """The patients it names, each once: whom it is about, and who takes part."""
    named = [getattr(record, "patient", None)]
    named += [one.actor for one in getattr(record, "participants", ()) if one.kind == "patient"]
    return tuple(dict.fromkeys([one for one in named if one]))


def _patient(record: Record) -> str | None:
    return record.id if isinstance(record, Patient) else getattr(record, "patient", None)


class Bodies:
    """The bodies of records that were read lately.

    A store may give the same object for a record until that changes; as long as it does, its bytes are the same too.
    """

    def __init__(self, most: int = 2048) -> None:
        self._most = most
        self._known: dict[str, Known] = {}

    def about(self, record: Record) -> Known:
        """What is known of the record as it stands."""
        known = self._known.get(record.id)
        if known is None or known.record is not record:
            if len(self._known) >= self._most:
                del self._known[next(iter(self._known))]
            known = self._known[record.id] = Known(record)
        return known

    def of(self, record: Record, shown: Shown) -> bytes:
        """The record in the form of the API, as JSON."""
        known = self.about(record)
        if known.shown is not shown and known.shown != shown:
            whole = not shown.is_masked
            known.body = encode(v1.present(record, shown.patient, shown.encounter, shown.survivors, whole))
            known.shown = shown
        return known.body


class Resolved:
    """Looks up what is resolved on reading; remembers it for the length of one request."""

    __slots__ = ("_bodies", "_patients", "_store", "_tenant", "_whole")

    def __init__(self, call: Call) -> None:
        self._store = call.api.services.store
        self._bodies = call.api.bodies
        self._tenant = call.tenant
        self._whole = allows(call.principal, WHOLE)
        self._patients: dict[str, str] = {}

    async def shown(self, record: Record) -> Shown:
        """All that the record is to be shown with."""
        known = self._bodies.about(record)
        survivors = {}
        for one in known.named:
            survivor = self._patients.get(one) or await self._survivor(one)
            if survivor != one:
                survivors[one] = survivor
        visit = getattr(record, "visit", None)
        encounter = await self._encounter(visit) if visit else None
        is_masked = known.is_private and not self._whole
        if not (survivors or encounter or is_masked):
            return known.plain
        patient = known.plain.patient
        if patient in survivors:
            patient = survivors[patient]
        return Shown(patient=patient, survivors=survivors, encounter=encounter, is_masked=is_masked)

    async def _survivor(self, named: str) -> str:
        found = self._patients[named] = await self._store.survivor(self._tenant, named)
        return found

    async def _encounter(self, visit: Identifier) -> str | None:
        """The encounter of an appointment, found by its visit number."""
        found = await self._store.find(self._tenant, "encounter", ("identifier", f"{visit.system}|{visit.value}"))
        return found[0] if len(found) == 1 else None


class Resource:
    """A kind of record and its routes."""

    def __init__(self, kind: str, record: type[Record], search: type[Search]) -> None:
        self.kind = kind
        self.called = CALLED.get(kind, kind)
        self.type = record
        self.search_type = search

    @property
    def routes(self) -> tuple[Route, ...]:
        """All of its routes; each reads, and each leaves a record of what it showed."""
        tag = f"{self.called.replace(' ', '-')}s"
        name, path, wire = self.called.replace(" ", "_"), f"/v1/{tag}", v1.WIRE[self.type]
        called = f"{'an' if self.called[0] in 'aeiou' else 'a'} {self.called}"
        page_of = Page[wire]  # type: ignore[valid-type]  # one type for each resource, made when the app is wired

        def route(run: Run, method: str, path: str, name: str, **rest: Any) -> Route:
            about = (inspect.getdoc(run) or "").replace("a record", called, 1).replace("record", self.called, 1)
            guard = f"{tag}.read"
            return Route(
                method=method, path=path, run=run, guard=guard, audit="R", tag=tag, name=name, text=about, **rest
            )

        one = f"{path}/{{id:str}}"
        search = {"gives": page_of, "fails": ("cursor_expired",)}
        linked = {**search, "headers": ("Link",)}
        return (
            route(self.read, "GET", one, f"read_{name}", gives=wire, fails=("not_found",), headers=("ETag",)),
            route(self.search, "GET", path, f"search_{name}s", query=self.search_type, **linked),
            route(self.search_by_body, "POST", f"{path}/_search", f"find_{name}s", body=self.search_type, **search),
            route(self.history, "GET", f"{one}/history", f"history_of_{name}", gives=Versions, fails=("not_found",)),
            route(self.lineage, "GET", f"{one}/lineage", f"lineage_of_{name}", gives=Lineage, fails=("not_found",)),
        )

    async def _found(self, call: Call) -> Record:
        record = await call.api.services.store.record(call.tenant, call.id)
        if type(record) is not self.type:
            raise not_found()
        return record

    async def read(self, call: Call) -> Answer:
        """Read one record.

        What belongs to another tenant answers as what does not exist. Send If-None-Match to be spared what you have.
        """
        record = await self._found(call)
        shown = await Resolved(call).shown(record)
        call.saw(record.id, patient=shown.patient)
        return versioned(call, shown.tag(record.version), lambda: call.api.bodies.of(record, shown))

    async def search(self, call: Call, query: Search) -> Answer:
        """Search for a record.

        Where you search by identifier or name, use `_search`: a URL may end in other people's logs. The Link header
        of a search by one of these is left out; `next` is in the body.
        """
        return await self._page(call, query, query)

    async def search_by_body(self, call: Call, body: Search) -> Answer:
        """Search for a record, with what is searched for in the body."""
        return await self._page(call, body, None)

    async def _page(self, call: Call, query: Search, in_url: Search | None) -> Answer:
        store = call.api.services.store
        asked = asked_for(self.kind, call.tenant, query)
        wanted = replace(asked, after=after(call, query, asked), limit=query.limit)
        found = await store.records(await with_aliases(store, wanted))
        resolved = Resolved(call)
        shown = [await resolved.shown(record) for record in found.items]
        items = [Raw(call.api.bodies.of(record, one)) for record, one in zip(found.items, shown, strict=True)]
        call.saw(*[record.id for record in found.items], count=len(items))
        call.seen.patients = tuple(dict.fromkeys([one.patient for one in shown if one.patient]))
        is_public = not any(getattr(query, name, None) for name in PRIVATE)
        return page(call, items, found.next, asked, in_url if is_public else None)

    async def history(self, call: Call) -> Answer:
        """Every version of a record, newest first."""
        record = await self._found(call)
        versions = await call.api.services.store.history(call.tenant, call.id)
        resolved, bodies = Resolved(call), call.api.bodies
        newest_first = sorted(versions, key=lambda one: -one.version)
        items = [Raw(bodies.of(one.record, await resolved.shown(one.record))) for one in newest_first]
        call.saw(record.id, patient=(await resolved.shown(record)).patient, count=len(items))
        return answer({"items": items, "next": None})

    async def lineage(self, call: Call) -> Answer:
        """Where each field of a record came from: the message, the place in it, the mapping that read it.

        A line that is not `exact` names the message alone, or the place where today's mapping would read it.
        """
        record = await self._found(call)
        call.saw(record.id, patient=(await Resolved(call).shown(record)).patient)
        return answer(await lineage_of(call, record))


def asked_for(kind: str, tenant: str, query: Search) -> RecordQuery:
    """A search as the store takes it, from its beginning."""
    keys: list[tuple[Key, ...]] = []
    if query.identifier:
        keys.append(tuple(("identifier", SSN_WRITTEN.sub(r"\1\2\3", one.strip())) for one in query.identifier))
    for name in LINKED:
        if value := getattr(query, name, None):
            keys.append(((name, value),))
    for name, key in WORDS:
        if value := getattr(query, name, None):
            keys.append(((key, value),))
    start, end = getattr(query, "date_from", None), getattr(query, "date_to", None)
    order: str = getattr(query, "order", "created")
    return RecordQuery(
        tenant=tenant,
        kind=kind,
        keys=tuple(keys),
        statuses=split(query.status),
        start_from=start.first if start else None,
        start_before=end.last + 1 if end else None,
        updated_since=query.updated_since.first if query.updated_since else None,
        order=order.removeprefix("-"),  # type: ignore[arg-type]  # the search's Literal has the same three
        descending=order.startswith("-"),
    )


async def with_aliases(store: Store, query: RecordQuery) -> RecordQuery:
    """A search by patient finds what was said about every patient that was merged into that one."""
    keys = []
    for group in query.keys:
        if len(group) == 1 and group[0][0] == "patient":
            aliases = await store.aliases(query.tenant, group[0][1])
            group = tuple(("patient", one) for one in aliases) or group
        keys.append(group)
    return replace(query, keys=tuple(keys))
