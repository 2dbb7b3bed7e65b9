"""`make soak-cluster`: six processes under load, they and what they stand on are taken away in turn; the account."""

import argparse
import asyncio
import os
import sys
import tempfile
from pathlib import Path

from tests.servers import postgres, redis
from tests.soak.account import Account
from tests.soak.trial import QUICK, Plan, soak


def main() -> int:
    """Run one soak and say whether every promise held."""
    usual = Plan()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=usual.seconds, help="how long the load and the blows last")
    parser.add_argument("--rate", type=float, default=usual.rate, help="messages a second")
    parser.add_argument("--seed", type=int, default=usual.seed, help="gives the order of the blows")
    parser.add_argument("--quick", action="store_true", help="half a minute, with shorter blows")
    options = parser.parse_args()
    account = _soaked(QUICK if options.quick else Plan(options.seconds, options.seed, options.rate))
    print(account)
    return 0 if account.holds() else 1


def _soaked(plan: Plan) -> Account:
    """On servers of its own, which are stopped afterwards."""
    account = Account()
    for database in postgres.started():
        os.environ[postgres.ADDRESS] = database.address
        for cache in redis.started():
            with tempfile.TemporaryDirectory(prefix="isthmus-soak-") as folder:
                account = asyncio.run(soak(Path(folder), database, cache, plan))
    return account


if __name__ == "__main__":
    sys.exit(main())
