"""A keeper on each store, with a clock that a test sets."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from gateway.retention.keeper import Keeper
from gateway.site.settings import Main, RetentionSettings
from gateway.store.protocol import Store
from policies.metrics import Metrics
from tests.store_contract import made
from tests.store_contract.conftest import backend, store

__all__ = ["backend", "store"]

Keeping = Callable[..., Keeper]


@pytest.fixture
def keeping(store: Store) -> Keeping:
    """`keeping(days, messages=90)` is a keeper so many days after T0, of a site that says that."""

    def keeper(days: int, **said: Any) -> Keeper:
        main = Main(retention=RetentionSettings(**said), tenants=("main", "other"))
        return Keeper(store, main, lambda: made.T0 + days * 86_400_000_000, Metrics(), asyncio.Event())

    return keeper
