"""Making and releasing a legal hold, by the API or the command line."""

import os

from msgspec.structs import replace

from canonical.ids import PREFIXES, new_id
from gateway.site.settings import Site
from gateway.store.holding import Hold
from gateway.store.protocol import MessageQuery, Store


def new_hold(tenant: str, by: str, now: int, *, name: str, reason: str, **covers: str | int | None) -> Hold:
    """A hold that begins now."""
    made = Hold(
        id=new_id("hold", now, os.urandom(8).hex()), tenant=tenant, name=name, reason=reason, by=by, created_at=now
    )
    return replace(made, **covers)


async def unknown_of(store: Store, site: Site, hold: Hold) -> str | None:
    """Which of what a hold is to cover is not there: `record`, `message` or `feed`. A typing error must not look like
    a hold."""
    if hold.record and await store.record(hold.tenant, hold.record) is None:
        return "record"
    if hold.message and await store.message(hold.tenant, hold.message) is None:
        return "message"
    if hold.feed and site.feed(hold.feed, hold.tenant) is None:
        once = await store.messages(MessageQuery(tenant=hold.tenant, feed=hold.feed, limit=1))
        return None if once.items else "feed"
    return None


async def hold_of(store: Store, tenant: str, identity: str) -> Hold | None:
    """A hold of a tenant by its id."""
    return next((one for one in await store.holds(tenant) if one.id == identity), None)


def patients_of(hold: Hold) -> tuple[str, ...]:
    """The patient that a hold is about, for the audit."""
    return (hold.record,) if hold.record and hold.record.startswith(f"{PREFIXES['patient']}_") else ()


def released(hold: Hold, by: str, now: int) -> Hold:
    """The hold as it is from its release on; one that is released stays as it is."""
    return hold if hold.released_at is not None else replace(hold, released_at=now, released_by=by)
