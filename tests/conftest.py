"""Servers that any test may ask for; each is started with the first test that does."""

from tests.servers.postgres import postgres_server
from tests.servers.redis import redis_server

__all__ = ["postgres_server", "redis_server"]
