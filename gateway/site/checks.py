"""What must be true between the settings of a site, and between them and the files they name.

What each setting must be by itself its form says (`forms`).
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from math import ceil
from pathlib import Path

from gateway.addresses import overlap
from gateway.site.papers import Wrong, wrong_with_key, wrong_with_pair
from gateway.site.references import POSTGRES, REDIS, wrong_with
from gateway.site.settings import ClientSettings, Feed, FeedSettings, Main, Peer, RetentionSettings
from gateway.site.tables import meant
from policies.retry import DEFAULT

Complain = Callable[[Path, str, str], None]
DAY = 86_400
YEARS = 3650  # as good as for ever
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
    for place, detail in _wrong_with(main.retention, main.store.dedup_days, main.webhooks.retry_seconds):
        complain(path, f"retention.{place}", detail)
    if main.store.path.exists() and not main.store.path.is_dir():
        complain(path, "store.path", "is a file, not a folder")
    server = main.server
    _papers("server", wrong_with_pair(server.certificate, server.private_key), path, complain)
    _pair(server.certificate, server.private_key, "server", path, complain)
    if sum(main.webhooks.retry_seconds) > DEFAULT.horizon:
        hours = f"{DEFAULT.horizon / 3600:g} hours"
        complain(path, "webhooks.retry-seconds", f"together more than {hours}, after which nothing is tried")
    if len(set(main.tenants)) < len(main.tenants):
        complain(path, "tenants", "names a tenant twice")


def _wrong_with(said: RetentionSettings, dedup: int, waits: Sequence[float]) -> Iterator[Wrong]:
    """What would go before it has done its work."""
    tries = ceil(sum(waits) / DAY)
    if said.messages_days and said.messages_days < dedup:
        yield "messages-days", f"is less than store.dedup-days ({dedup}): control ids are compared for that long"
    if said.events_days and said.events_days <= tries:
        yield "events-days", f"is no longer than the tries of a delivery take ({tries} days)"
    if said.audit_days and said.audit_days < (said.messages_days or YEARS):
        yield "audit-days", "the record of who saw a message must stay as long as the message does"
    for place, one in enumerate(said.classes, 1):
        if said.messages_days and one.days > said.messages_days:
            yield f"class[{place}].days", "is more than messages-days, after which the whole message goes"


def peer_alone(peer: Peer, path: Path, tenants: Collection[str] | None, complain: Complain) -> None:
    """One peer; `tenants` are not known where isthmus.toml cannot be read."""
    _tenant(peer.tenant, tenants, path, complain)
    if peer.feed:
        _feed(peer.feed, path, complain)


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
