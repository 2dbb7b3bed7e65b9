"""What must be true between the settings of a site, and between them and the files they name.

What each setting must be by itself its form says (`forms`).
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from math import ceil
from pathlib import Path
from typing import NamedTuple

from gateway.addresses import overlap
from gateway.retention.lives import lives_of, longest, speaks_of
from gateway.site.outward import EditSettings, RouteSettings
from gateway.site.papers import Wrong, wrong_with_key, wrong_with_pair
from gateway.site.references import POSTGRES, REDIS, wrong_with
from gateway.site.settings import ClientSettings, Feed, FeedSettings, Main, MessageClass, Peer
from gateway.site.tables import meant
from policies.retry import DEFAULT
from transforms.hl7v2.keys import KINDS

DAY = 86_400  # seconds
Complain = Callable[[Path, str, str], None]
SHARED = (
    *("certificate", "private_key", "client_ca", "strict_framing", "commit_blocks"),
    *("max_connections", "max_in_flight", "frame_seconds", "idle_seconds"),
)


def main_alone(main: Main, path: Path, complain: Complain) -> None:
    """isthmus.toml and the files that it names."""
    if main.store.key_file and (wrong := wrong_with_key(main.store.key_file)):
        complain(path, "store.key-file", wrong)
    if main.store.database and (wrong := wrong_with(main.store.database, POSTGRES)):
        complain(path, "store.database", wrong)
    if main.redis.url and (wrong := wrong_with(main.redis.url, REDIS)):
        complain(path, "redis.url", wrong)
    if main.store.path.exists() and not main.store.path.is_dir():
        complain(path, "store.path", "is a file, not a folder")
    server = main.server
    _papers("server", wrong_with_pair(server.certificate, server.private_key), path, complain)
    _pair(server.certificate, server.private_key, "server", path, complain)
    _schedule(main.webhooks.retry_seconds, "webhooks.retry-seconds", path, complain)
    if len(set(main.tenants)) < len(main.tenants):
        complain(path, "tenants", "names a tenant twice")
    _retention(main, path, complain)


def _retention(main: Main, path: Path, complain: Complain) -> None:
    """What has to outlive what: the audit all messages, an event the tries to deliver it, a message its repeats."""
    kept, lives = main.retention, lives_of(main.retention)
    last = longest(lives)
    if kept.audit is not None and last is None:
        complain(path, "retention.audit", "messages are kept for ever, so the audit of them has to be")
    elif kept.audit is not None and last is not None and kept.audit < last:
        complain(path, "retention.audit", f"shorter than messages are kept ({last} days)")
    tries = ceil(sum(main.webhooks.retry_seconds) / DAY)
    if kept.events is not None and kept.events < tries:
        complain(
            path, "retention.events", f"shorter than a webhook is tried ({tries} days); see webhooks.retry-seconds"
        )
    for life in lives:
        if life.days is not None and life.days < main.store.dedup_days:
            place = f"retention.class[{life.number}].days" if life.number else "retention.messages"
            complain(path, place, f"shorter than store.dedup-days ({main.store.dedup_days})")
    _classes(kept.classes, path, complain)


def _classes(classes: Sequence[MessageClass], path: Path, complain: Complain) -> None:
    """Each must speak of some messages, not all, and be reached."""
    for number, one in enumerate(classes, 1):
        if not (one.tenant or one.feed or one.type or one.event):
            complain(
                path,
                f"retention.class[{number}]",
                "names no tenant, feed, type or event: that is retention.messages",
            )
        for before, other in enumerate(classes[: number - 1], 1):
            if speaks_of(other, one.tenant, one.feed, one.type, one.event):
                complain(path, f"retention.class[{number}]", f"class {before} comes before it and speaks of all of it")


def classes_of(main: Main, feeds: Sequence[Feed], path: Path, complain: Complain) -> None:
    """A class of a feed that is none would keep nothing and purge nothing."""
    names = [feed.name for feed in feeds]
    for number, one in enumerate(main.retention.classes, 1):
        if one.tenant and one.tenant not in main.tenants:
            place = f"retention.class[{number}].tenant"
            complain(path, place, f"is not one of the tenants{meant(one.tenant, main.tenants)}")
        if one.feed and one.feed not in names:
            complain(path, f"retention.class[{number}].feed", f"there is no such feed{meant(one.feed, names)}")


def peer_alone(peer: Peer, path: Path, tenants: Collection[str] | None, complain: Complain) -> None:
    """One peer; `tenants` are not known where isthmus.toml cannot be read."""
    _tenant(peer.tenant, tenants, path, complain)
    if peer.feed:
        _feed(peer.feed, path, complain)


class Known(NamedTuple):
    """What the files name: feeds and destinations with their tenants."""

    tenants: Collection[str] | None
    feeds: Collection[tuple[str, str]]
    destinations: Collection[tuple[str, str]]


def destination(peer: Peer, path: Path, known: Known, complain: Complain) -> None:
    """A peer's door out."""
    one = peer.destination
    if one is None:
        return
    if bool(one.mllp) == bool(one.http):
        complain(path, "destination", "is one of the two: mllp or http")
    if one.http and (one.tls or one.server_name):
        complain(path, "destination.http", "tls and server-name are about MLLP; here the URL says both")
    wrong = wrong_with_pair(one.certificate, one.private_key, one.ca)
    _papers("destination", (("ca" if name == "client-ca" else name, said) for name, said in wrong), path, complain)
    _pair(one.certificate, one.private_key, "destination", path, complain)
    _schedule(one.retry_seconds, "destination.retry-seconds", path, complain)
    _named("destination.feeds", one.feeds, known.feeds, peer.tenant, path, complain)


def route(one: RouteSettings, path: Path, known: Known, complain: Complain) -> None:
    """A route: all that it names must be there, and each of its edits whole."""
    _tenant(one.tenant, known.tenants, path, complain)
    _named("to", one.to, known.destinations, one.tenant, path, complain)
    _named("feeds", one.feeds, known.feeds, one.tenant, path, complain)
    for kind in one.keys:
        if kind not in KINDS:
            complain(path, f"keys.{kind}", f"messages have no search key of this kind{meant(kind, KINDS)}")
    for number, edit in enumerate(one.edits, 1):
        if wrong := wrong_with_edit(edit):
            complain(path, f"edits[{number}]", wrong)


def wrong_with_edit(edit: EditSettings) -> str | None:
    """Why an edit says too little, or too much."""
    if sum(place is not None for place in (edit.set, edit.copy, edit.drop)) != 1:
        return "is one of these: set, copy, drop"
    if (edit.set is None) != (edit.value is None):
        return "set and value go together"
    if (edit.copy is None) != (edit.to is None):
        return "copy and to go together"
    targets = [place for place in (edit.set, edit.to) if place]
    return "a segment is only dropped; name one of its fields" if any("-" not in one for one in targets) else None


def _named(
    place: str,
    names: Sequence[str],
    known: Collection[tuple[str, str]],
    tenant: str,
    path: Path,
    complain: Complain,
) -> None:
    """Each of these must be a feed, or a destination, of the tenant."""
    there = [name for name, of in known if of == tenant]
    what = "destination" if place == "to" else "feed"
    for number, name in enumerate(names, 1):
        if name not in there:
            complain(path, f"{place}[{number}]", f"the tenant has no {what} of this name{meant(name, there)}")
        elif name in names[: number - 1]:
            complain(path, f"{place}[{number}]", "stands here twice")


def _schedule(waits: Sequence[float], place: str, path: Path, complain: Complain) -> None:
    if sum(waits) > DEFAULT.horizon:
        hours = f"{DEFAULT.horizon / 3600:g} hours"
        complain(path, place, f"together more than {hours}, after which nothing is tried")


def _feed(feed: FeedSettings, path: Path, complain: Complain) -> None:
    _papers("feed", wrong_with_pair(feed.certificate, feed.private_key, feed.client_ca), path, complain)
    _pair(feed.certificate, feed.private_key, "feed", path, complain)
    if feed.client_ca and not feed.certificate:
        complain(path, "feed.client-ca", "without certificate and private-key there is no TLS to ask in")
    if feed.certificates and not feed.client_ca:
        complain(path, "feed.certificates", "certificates are only asked for where client-ca is set")


def _papers(table: str, wrong: Iterable[Wrong], path: Path, complain: Complain) -> None:
    for name, detail in wrong:
        complain(path, f"{table}.{name}", detail)


def _pair(certificate: Path | None, key: Path | None, table: str, path: Path, complain: Complain) -> None:
    if bool(certificate) != bool(key):
        complain(path, table, "certificate and private-key go together")


def _tenant(tenant: str, tenants: Collection[str] | None, path: Path, complain: Complain) -> None:
    if tenants is not None and tenant not in tenants:
        complain(path, "tenant", f"is not one of isthmus.toml's tenants{meant(tenant, tenants)}")


def clients(
    found: Iterable[tuple[str, Path, ClientSettings]], tenants: Collection[str] | None, complain: Complain
) -> None:
    """Every client, and that no two have one name."""
    seen: set[str] = set()
    for _, path, client in found:
        if client.client_id in seen:
            complain(path, "client-id", "is used by another client")
        _tenant(client.tenant, tenants, path, complain)
        seen.add(client.client_id)


def doors(main: Main, feeds: Sequence[Feed], folder: Path, complain: Complain) -> None:
    """On a shared address each feed must be told apart, and transport settings must agree; others must not overlap."""
    shared: dict[str, list[Feed]] = {}
    for feed in feeds:
        if not feed.settings.mllp.endswith(":0"):
            shared.setdefault(feed.settings.mllp, []).append(feed)
    for group in shared.values():
        _shared(group, folder, complain)
    taken = {main.server.http: "server.http"}
    for address, (feed, *_) in shared.items():
        for other, whose in taken.items():
            if overlap(address, other):
                complain(_file(feed, folder), "feed.mllp", f"is the address of {whose} ({other})")
        taken.setdefault(address, f"{feed.name}.toml")


def _shared(group: Sequence[Feed], folder: Path, complain: Complain) -> None:
    first = group[0]
    vague = [feed for feed in group if not feed.settings.senders and not feed.settings.certificates]
    if len(group) > 1 and len(vague) > 1:
        complain(_file(vague[1], folder), "feed", f"shares {first.settings.mllp}: name its senders or certificates")
    for feed in group[1:]:
        for place in SHARED:
            if getattr(feed.settings, place) != getattr(first.settings, place):
                said = f"shares {first.settings.mllp}: must be as in {first.name}.toml"
                complain(_file(feed, folder), f"feed.{place.replace('_', '-')}", said)


def _file(feed: Feed, folder: Path) -> Path:
    return folder / "peers" / f"{feed.name}.toml"
