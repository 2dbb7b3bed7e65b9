"""`make soak`: kill -9 at random moments under load, fifty times, and print the count."""

import argparse
import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.crash.trial import trial
from tests.isthmus import BACKEND
from tests.servers.postgres import ADDRESS, Postgres, started


def main() -> int:
    """Run one trial and say whether every promise held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--lanes", type=int, default=8)
    parser.add_argument("--seed", type=int, default=20261121)
    parser.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    options = parser.parse_args()
    with _database(options.store) as database:
        account = asyncio.run(trial(options.kills, options.lanes, options.seed, database))
    print(account)
    return 0 if account.holds() else 1


@contextmanager
def _database(store: str) -> Iterator[Postgres | None]:
    """The server that every Isthmus of this process keeps its data in, if it is not to be a folder."""
    if store == "sqlite":
        yield None
        return
    for server in started():
        os.environ |= {BACKEND: store, ADDRESS: server.address}
        yield server


if __name__ == "__main__":
    sys.exit(main())
