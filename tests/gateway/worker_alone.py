"""A worker in a process of its own, on a store that exists, until it is killed.

python -m tests.gateway.worker_alone DIRECTORY
"""

import asyncio
import sys
from pathlib import Path

from gateway.store.sqlite import SqliteStore
from tests.gateway.conftest import KEY, House


async def main(directory: Path) -> None:
    store = SqliteStore(directory, KEY)
    await store.open()
    await House(store).worker.run()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
