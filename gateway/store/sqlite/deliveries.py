"""Subscriptions, and the deliveries, attempts and jobs that come of them."""

from gateway.store.sqlite.database import Database


class Deliveries(Database):
    """The store's verbs on subscriptions, deliveries and jobs."""
