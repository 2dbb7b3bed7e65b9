"""A process that commits groups and prints each message's id after its commit (BACKEND DIRECTORY FIRST)."""

import asyncio
import sys
from itertools import count
from pathlib import Path

from gateway.store.protocol import Batch
from tests.store_contract import made
from tests.store_contract.conftest import BACKENDS, KEY, keep

GROUP = 5


async def commit_for_ever(backend: str, directory: Path, first: int) -> None:
    """Commit groups of messages, each with a record and an event, until someone ends it."""
    store = BACKENDS[backend](directory, KEY)
    await store.open()
    for number in count(first, GROUP):
        numbers = range(number, number + GROUP)
        batch = Batch(
            messages=[made.message(one) for one in numbers],
            records=[made.new(made.patient(one, "Doe")) for one in numbers],
            events=[made.event(one, message=made.message(one).id) for one in numbers],
        )
        await keep(store, batch)
        print(*(one.id for one in batch.messages), sep="\n", flush=True)


if __name__ == "__main__":
    asyncio.run(commit_for_ever(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
