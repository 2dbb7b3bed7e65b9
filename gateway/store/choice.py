"""Which backend a site has: PostgreSQL where its settings say where that is, else the embedded one."""

from collections.abc import Mapping

from gateway.site.references import POSTGRES, resolved
from gateway.site.settings import StoreSettings
from gateway.store.protocol import Store
from gateway.store.sqlite import SqliteStore
from gateway.store.unusable import Unusable


def store_of(settings: StoreSettings, environment: Mapping[str, str]) -> Store:
    """The store of these settings, not yet open; Unusable with what is missing."""
    key = settings.key_file.read_bytes() if settings.key_file else None
    if settings.database is None:
        return SqliteStore(settings.path, key)
    url = resolved(settings.database, environment, POSTGRES)
    try:
        from gateway.store.postgres import PostgresStore
    except ModuleNotFoundError as missing:
        if missing.name != "asyncpg":
            raise
        raise Unusable("PostgreSQL needs the extra `postgres`: pip install 'isthmus[postgres]'") from None
    return PostgresStore(url, key)
