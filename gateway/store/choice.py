"""Which backend a site has: PostgreSQL where its settings say where that is, else the embedded one."""

from collections.abc import Collection, Mapping

from gateway.site.references import POSTGRES, resolved
from gateway.site.settings import ROLES, Role, StoreSettings
from gateway.store.moving.shape import Source, Target
from gateway.store.protocol import Store
from gateway.store.sqlite import SqliteStore
from gateway.store.sqlite.arriving import SqliteTarget
from gateway.store.sqlite.leaving import SqliteSource
from gateway.store.unusable import Unusable

# How many connections to PostgreSQL who does only this may have, beside the one that listens: feeds commit one group at
# a time, a worker derives, claims and concludes at once and reads for full events, and an API reads for whoever asks.
CONNECTIONS: dict[Role, int] = {"api": 10, "feeds": 5, "worker": 7}


def store_of(settings: StoreSettings, environment: Mapping[str, str], roles: Collection[Role] = ROLES) -> Store:
    """The store of these settings for a process of these roles, not yet open; Unusable with what is missing."""
    key = _key(settings)
    if settings.database is None:
        return SqliteStore(settings.path, key)
    url = _url(settings, environment)
    try:
        from gateway.store.postgres import PostgresStore
    except ModuleNotFoundError as missing:
        if missing.name != "asyncpg":
            raise
        raise Unusable("PostgreSQL needs the extra `postgres`: pip install 'isthmus[postgres]'") from None
    store = PostgresStore(url, key)
    store.most = max(CONNECTIONS[role] for role in roles)
    return store


def source_of(settings: StoreSettings, environment: Mapping[str, str]) -> Source:
    """What these settings keep, to be carried elsewhere."""
    store = store_of(settings, environment)
    if isinstance(store, SqliteStore):
        return SqliteSource(settings.path, _key(settings))
    from gateway.store.postgres.leaving import PostgresSource

    return PostgresSource(_url(settings, environment), _key(settings))


def target_of(settings: StoreSettings, environment: Mapping[str, str]) -> Target:
    """Where these settings keep things, to be filled."""
    store = store_of(settings, environment)
    if isinstance(store, SqliteStore):
        return SqliteTarget(settings.path, _key(settings))
    from gateway.store.postgres.arriving import PostgresTarget

    return PostgresTarget(_url(settings, environment), _key(settings))


def _key(settings: StoreSettings) -> bytes | None:
    return settings.key_file.read_bytes() if settings.key_file else None


def _url(settings: StoreSettings, environment: Mapping[str, str]) -> str:
    return resolved(settings.database or "", environment, POSTGRES)
