"""Who the API's consumers are (the site's files name them, the store keeps others), and what each may have today.

What a client was given before, a token or a subscription, is worth as much as the client is now.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Literal

from canonical.events import EVENTS
from gateway.deliveries.fanout import speaks_of
from gateway.scopes import SCOPES
from gateway.site.settings import ClientSettings
from gateway.store.protocol import Store, Subscription
from policies.auth import Client, Principal, has

WRITE = "subscriptions.write"
Lack = Literal["client_unknown", "scope_missing"]
LACKS: tuple[Lack, ...] = ("client_unknown", "scope_missing")


class Clients:
    """All of them; one that a file names is what the file says."""

    def __init__(self, declared: Mapping[str, ClientSettings], store: Store) -> None:
        self._store = store
        self.become(declared)

    def become(self, declared: Mapping[str, ClientSettings]) -> None:
        """Go by what the files say now."""
        self._declared = {
            name: Client(client_id=name, secret_hash=one.secret_hash, tenant=one.tenant, scopes=frozenset(one.scopes))
            for name, one in declared.items()
        }
        self._trusted = frozenset(name for name, one in declared.items() if one.continues_trace)

    def continues_trace(self, client_id: str) -> bool:
        """Whether a client's own trace is gone on with."""
        return client_id in self._trusted

    async def find(self, client_id: str) -> Client | None:
        """A client; one that was revoked is not enabled."""
        declared = self._declared.get(client_id)
        kept = None if declared else await self._store.client(client_id)
        if kept is None:
            return declared
        return Client(
            client_id=kept.client_id,
            secret_hash=kept.secret_hash,
            tenant=kept.tenant,
            scopes=frozenset(kept.scopes),
            enabled=kept.revoked_at is None,
        )

    async def stands(self, principal: Principal) -> bool:
        """Whether the client of a token is still there, and may still have what the token is good for."""
        client = await self._of(principal.tenant, principal.client_id)
        return client is not None and has(client, principal.scopes)

    async def lack(self, subscription: Subscription) -> Lack | None:
        """Why a subscription's client could not make it today."""
        client = await self._of(subscription.tenant, subscription.client)
        if client is None:
            return "client_unknown"
        needed = needed_for(subscription.types) if subscription.full else frozenset()
        return None if has(client, needed | {WRITE}) else "scope_missing"

    async def _of(self, tenant: str, client_id: str) -> Client | None:
        client = await self.find(client_id)
        return client if client and client.enabled and client.tenant == tenant else None


@lru_cache(maxsize=4096)
def needed_for(types: tuple[str, ...]) -> frozenset[str]:
    """The scopes that full events of these types need: to read all that they are about."""
    about = {kind.partition(".")[0] for kind in EVENTS if speaks_of(types, kind)}
    return frozenset(f"{one}s.read" for one in about) & SCOPES.keys()
