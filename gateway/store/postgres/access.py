"""Who may, what may be used once, what is held, and what is secret."""

from gateway.store.postgres.database import SQL as DATABASE
from gateway.store.postgres.database import Database, count
from gateway.store.postgres.named import named
from gateway.store.protocol import StoredClient

SQL = named("access.sql")


class Access(Database):
    """The store's verbs on clients, nonces, switches and secrets."""

    async def client(self, client_id: str) -> StoredClient | None:
        """An API consumer that was created through the API or the demo."""
        row = await self._one(SQL["client"], client_id)
        return StoredClient(**{**row, "scopes": tuple(row["scopes"].split())}) if row else None

    async def put_client(self, client: StoredClient) -> None:
        """Keep an API consumer, new or changed."""
        head = (client.client_id, client.tenant, client.secret_hash, " ".join(client.scopes))
        await self._do(SQL["put_client"], *head, client.name, client.created_at, client.revoked_at)

    async def once(self, key: str, until: int, now: int) -> bool:
        """Remember a nonce until then; False if it is known already."""
        digest = self.digests("", "once", "", key)
        async with self._write() as connection:
            is_new = await count(connection, SQL["nonce"], digest, until, now) == 1
            if is_new:
                await connection.execute(SQL["forget_nonces"], now)
        return is_new

    async def secret(self, name: str, fresh: bytes) -> bytes:
        """A value kept sealed under a name: the one kept before, or the fresh one from now on."""
        row = f"secret/{name}"
        if (known := await self._one(DATABASE["meta"], row)) is None:
            await self._do(DATABASE["add_meta"], row, self.vault.seal(fresh, row))
            known = (await self._all(DATABASE["meta"], row))[0]
        return self.vault.unseal(known[0], row)

    async def switches(self) -> dict[str, str]:
        """What is held."""
        return {row["name"]: row["value"] for row in await self._all(SQL["switches"])}

    async def set_switch(self, name: str, value: str | None) -> None:
        """Hold something, or with None let it go on."""
        if value is None:
            await self._do(SQL["release"], name)
        else:
            await self._do(SQL["hold"], name, value)

    async def lease(self, name: str, holder: str, until: int, now: int) -> bool:
        """Hold what one process does for all."""
        async with self._write() as connection:
            is_held = await count(connection, SQL["lease"], name, holder, until, now) == 1
            if is_held:
                await connection.execute(SQL["forget_leases"], now)
        return is_held
