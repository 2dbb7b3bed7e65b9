"""The embedded store: SQLite in one directory, everything that a site on one machine needs."""

from gateway.store.sqlite.deliveries import Deliveries


class SqliteStore(Deliveries):
    """The whole seam of gateway/store/protocol.py on one embedded database."""
