"""HL7 links: what an event says about an appointment, written as an SIU message; and messages sent on as they came."""

import asyncio
from collections.abc import Iterable, Sequence

from canonical.events import Event
from canonical.outcome import Outcome
from canonical.records import Appointment, Record
from gateway.deliveries.fanout import wants
from gateway.deliveries.links import UNKNOWN, Line, Links
from gateway.routing import wanted
from gateway.site.outward import DestinationSettings, Route
from gateway.site.settings import Site
from gateway.store.protocol import Delivery, Store, Subscription
from policies.retry import DEFAULT, Schedule
from policies.tracing import Trace
from transforms.hl7v2.editing import edited
from transforms.hl7v2.siu_out import Sender, Unwritable, siu

GONE = Outcome(kind="permanent", code="subject_gone", attempted=False)
NOT_WRITABLE = Outcome(kind="permanent", code="not_writable", attempted=False)


class LinkCarrier:
    """What both kinds have in common: one message at a time to a destination of the site's files."""

    def __init__(self, store: Store, links: Links) -> None:
        self._store, self._links = store, links

    def room(self, subscription: Subscription) -> int:
        """One."""
        return 1 if self._links.of(subscription) else 0

    def schedule(self, subscription: Subscription) -> Schedule:
        """As the destination says."""
        line = self._links.of(subscription)
        return line.schedule if line else DEFAULT

    async def become(self, site: Site) -> None:
        """Go by other files from now on."""
        await self._links.become(site.destinations)

    async def close(self) -> None:
        """Let go of the links."""
        await self._links.close()


class SiuCarrier(LinkCarrier):
    """Events about appointments as SIU messages."""

    async def sift(self, _: Subscription, events: Sequence[Event]) -> Sequence[Event]:
        """All of them: the filter says everything."""
        return events

    async def carry(
        self, subscription: Subscription, delivery: Delivery, event: Event, now: int, trace: Trace | None
    ) -> Outcome:
        """The appointment as it was at the event, written for the receiver."""
        line = self._links.of(subscription)
        if line is None:
            return UNKNOWN
        appointment = await self._appointment(event)
        if appointment is None:
            return GONE
        try:
            message = await self._written(appointment, event, delivery, line)
        except Unwritable:
            return NOT_WRITABLE
        return await line.send(message, delivery, trace)

    async def _appointment(self, event: Event) -> Appointment | None:
        """The version of the event; as it is now where that is kept no more."""
        found = await self._store.version(event.tenant, event.subject, event.version)
        found = found or await self._store.record(event.tenant, event.subject)
        return found if isinstance(found, Appointment) else None

    async def _written(self, appointment: Appointment, event: Event, delivery: Delivery, line: Line) -> bytes:
        named = {one.actor for one in appointment.participants} | {appointment.patient}
        found = await self._records(event.tenant, (one for one in named if one))
        destination = line.destination
        sender = sender_of(destination.settings)
        return siu(event.type, appointment, found, destination.profile, sender, delivery.id[-20:], event.at)

    async def _records(self, tenant: str, identities: Iterable[str]) -> dict[str, Record]:
        """Whom an appointment names, as they are now; a patient who was merged is who took that one's place."""
        found: dict[str, Record] = {}
        for identity in identities:
            standing = await self._store.survivor(tenant, identity) if identity.startswith("pat_") else identity
            if record := await self._store.record(tenant, standing):
                found[identity] = record
        return found


class RouteCarrier(LinkCarrier):
    """Messages as they came, with the edits of their route."""

    def __init__(self, store: Store, links: Links, routes: Iterable[Route]) -> None:
        super().__init__(store, links)
        self._routes = _by_name(routes)

    async def become(self, site: Site) -> None:
        """Go by other files from now on."""
        self._routes = _by_name(site.routes)
        await super().become(site)

    def room(self, subscription: Subscription) -> int:
        """One, where the route is known too."""
        return super().room(subscription) if self._route(subscription) else 0

    async def sift(self, subscription: Subscription, events: Sequence[Event]) -> Sequence[Event]:
        """Those whose message the route wants; its bytes need not be looked at where the feed says everything."""
        route = self._route(subscription)
        if route is None:
            return ()
        if not (route.settings.types or route.settings.senders or route.settings.keys):
            return events
        return [one for one in events if wants(subscription, one) and await self._is_wanted(route, one)]

    async def _is_wanted(self, route: Route, event: Event) -> bool:
        await asyncio.sleep(0)  # reading many messages must hold up no sender
        kept = await self._store.message(event.tenant, event.subject)
        return kept is not None and wanted(route, kept)

    async def carry(
        self, subscription: Subscription, delivery: Delivery, event: Event, now: int, trace: Trace | None
    ) -> Outcome:
        """The bytes that were received, edited where the route says so."""
        line, route = self._links.of(subscription), self._route(subscription)
        if line is None or route is None:
            return UNKNOWN
        kept = await self._store.message(event.tenant, event.subject)
        return await line.send(edited(kept.raw, route.edits), delivery, trace) if kept else GONE

    def _route(self, subscription: Subscription) -> Route | None:
        return self._routes.get((subscription.tenant, subscription.route or ""))


def _by_name(routes: Iterable[Route]) -> dict[tuple[str, str], Route]:
    return {(one.tenant, one.name): one for one in routes}


def sender_of(settings: DestinationSettings) -> Sender:
    """How we name ourselves and the receiver in MSH."""
    return Sender(
        application=settings.application,
        facility=settings.facility,
        receiving_application=settings.receiving_application,
        receiving_facility=settings.receiving_facility,
        processing_id=settings.processing_id,
        version=settings.version,
        charset=settings.charset,
        asks_accept=settings.acknowledge == "accept",
    )
