"""Who may, what may be used once, what is held and by whom, and what is secret."""

from gateway.store.protocol import StoredClient
from gateway.store.sqlite.database import Database
from gateway.store.sqlite.named import named

SQL = named("access.sql")


class Access(Database):
    """The store's verbs on clients, nonces, switches, leases and secrets."""

    async def open(self) -> None:
        """Open, and take back what a process that is gone did for all."""
        await super().open()
        async with self._write() as writer:
            writer.execute(SQL["forget_leases"])

    async def client(self, client_id: str) -> StoredClient | None:
        """An API consumer that was created through the API or the demo."""
        row = self._one(SQL["client"], (client_id,))
        if row is None:
            return None
        identity, tenant, secret_hash, scopes, name, created_at, revoked_at = row
        return StoredClient(
            client_id=identity,
            tenant=tenant,
            secret_hash=secret_hash,
            scopes=tuple(scopes.split()),
            name=name,
            created_at=created_at,
            revoked_at=revoked_at,
        )

    async def put_client(self, client: StoredClient) -> None:
        """Keep an API consumer, new or changed."""
        scopes = " ".join(client.scopes)
        head = (client.client_id, client.tenant, client.secret_hash, scopes)
        async with self._write() as writer:
            writer.execute(SQL["put_client"], (*head, client.name, client.created_at, client.revoked_at))

    async def once(self, key: str, until: int, now: int) -> bool:
        """Remember a nonce until then; False if it is known already."""
        digest = self.digests("", "once", "", key)
        if self._one(SQL["nonce"], (digest, now)):
            return False
        async with self._write() as writer:
            if writer.execute(SQL["nonce"], (digest, now)).fetchone():
                return False
            writer.execute(SQL["forget_nonces"], (now,))
            writer.execute(SQL["put_nonce"], (digest, until))
        return True

    async def secret(self, name: str, fresh: bytes) -> bytes:
        """A value kept sealed under a name: the one kept before, or the fresh one from now on."""
        row = f"secret/{name}"
        async with self._write() as writer:
            known = writer.execute(SQL["meta"], (row,)).fetchone()
            if known is None:
                writer.execute(SQL["put_meta"], (row, self.vault.seal(fresh, row)))
        return self.vault.unseal(known[0], row) if known else fresh

    async def switches(self) -> dict[str, str]:
        """What is held."""
        return dict(self._all(SQL["switches"]))

    async def set_switch(self, name: str, value: str | None) -> None:
        """Hold something, or with None let it go on."""
        async with self._write() as writer:
            if value is None:
                writer.execute(SQL["release"], (name,))
            else:
                writer.execute(SQL["hold"], (name, value))

    async def lease(self, name: str, holder: str, until: int, now: int) -> bool:
        """Hold what one process does for all; here there is one process, whose parts may take turns."""
        async with self._write() as writer:
            is_held = writer.execute(SQL["lease"], (name, holder, until, now)).rowcount == 1
            writer.execute(SQL["forget_ended"], (now,))
            return is_held
