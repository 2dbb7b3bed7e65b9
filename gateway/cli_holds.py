"""The command `hold`: making, listing and releasing legal holds where the data is. A gateway that runs on the embedded
store has it to itself; then the API does the same.
"""

import argparse
import asyncio
import getpass
import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from msgspec.structs import replace

from gateway.cli_messages import plain
from gateway.clock import MICROS, micros
from gateway.retention.holds import hold_of, new_hold, patients_of, released, unknown_of
from gateway.routes.reading import Moment
from gateway.site.folder import load
from gateway.site.settings import Site
from gateway.stop import Stop
from gateway.store.holding import Hold
from gateway.store.protocol import Store, Unavailable
from gateway.trail import Trail
from policies.audit import Action, AuditRecord
from policies.metrics import Metrics

COVERING = ("record", "message", "feed")
Work = Callable[[Store], Awaitable[None]]


def hold(arguments: argparse.Namespace) -> int:
    """Make a hold, release one, or list them all."""
    site = load(arguments.site)
    tenant = arguments.tenant or site.main.tenants[0]
    if tenant not in site.main.tenants:
        raise Stop("--tenant is not one of isthmus.toml's tenants")
    named = [name for name in COVERING if getattr(arguments, name)]
    if arguments.release and not named:
        work = _release(tenant, arguments.release)
    elif named:
        work = _make(site, _asked(tenant, arguments, named))
    else:
        work = _list(tenant)
    asyncio.run(_with_store(site, work))
    return 0


def _asked(tenant: str, arguments: argparse.Namespace, named: list[str]) -> Hold:
    if len(named) > 1 or arguments.release:
        raise Stop("name one: --record, --message, --feed or --release")
    if not arguments.name or not arguments.reason:
        raise Stop("a hold needs a --name and a --reason")
    first, last = _moment("--from", arguments.since), _moment("--to", arguments.until)
    if (first or last) and not arguments.feed:
        raise Stop("--from and --to go with --feed")
    return new_hold(
        tenant,
        _who(),
        micros(),
        name=arguments.name,
        reason=arguments.reason,
        record=arguments.record,
        message=arguments.message,
        feed=arguments.feed,
        received_from=first.first if first else None,
        received_before=last.last + 1 if last else None,
    )


def _moment(option: str, text: str | None) -> Moment | None:
    try:
        return Moment(text) if text else None
    except (ValueError, OverflowError):
        raise Stop(f"{option} is an RFC 3339 instant or a date") from None


def _make(site: Site, made: Hold) -> Work:
    async def work(store: Store) -> None:
        if unknown := await unknown_of(store, site, made):
            raise Stop(f"there is no such {unknown}, or what it was is purged")
        await _recorded(store, made, "C")
        print(f"{made.id} stands: what it covers is kept until it is released")

    return work


def _release(tenant: str, identity: str) -> Work:
    async def work(store: Store) -> None:
        found = await hold_of(store, tenant, identity)
        if found is None:
            raise Stop("there is no such hold")
        await _recorded(store, released(found, _who(), micros()), "U")
        print(f"{identity} is released: what no other covers, and is past its days, goes with the next round")

    return work


def _list(tenant: str) -> Work:
    async def work(store: Store) -> None:
        for one in await store.holds(tenant):
            what = next(f"{name} {value}" for name in COVERING if (value := getattr(one, name)))
            since = f"since {_day(one.created_at)} by {one.by}"
            until = f", released {_day(one.released_at)} by {one.released_by}" if one.released_at else ""
            print(plain(" ".join(f"{one.id}  {what}  {since}{until}  {one.name}: {one.reason}".split("\n"))))

    return work


async def _recorded(store: Store, hold: Hold, action: Action) -> None:
    """Keep a hold, between the two records of who did it."""
    now = micros()
    record = AuditRecord(
        at=now / MICROS,
        actor=hold.released_by or hold.by,
        tenant=hold.tenant,
        action=action,
        what="isthmus hold",
        outcome=None,
        records=(hold.id,),
        patients=patients_of(hold),
    )
    trail = Trail(store, micros, Metrics())
    try:
        await trail.begin(record)
    except Unavailable:
        raise Stop("nothing was done: it cannot be recorded now") from None
    await store.put_hold(hold)
    trail.note(replace(record, outcome=0))
    await trail.stop()


async def _with_store(site: Site, work: Work) -> None:
    from gateway.store.choice import store_of

    store = store_of(site.main.store, os.environ)
    await store.open()
    try:
        await work(store)
    finally:
        await store.close()


def _who() -> str:
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):  # a user without a name
        return "cli"


def _day(at: int) -> str:
    return datetime.fromtimestamp(at / MICROS, UTC).strftime("%Y-%m-%d")
