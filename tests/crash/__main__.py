"""`make soak`: kill -9 at random moments under load, fifty times, and print the count."""

import argparse
import asyncio
import sys

from tests.crash.trial import trial


def main() -> int:
    """Run one trial and say whether every promise held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--lanes", type=int, default=8)
    parser.add_argument("--seed", type=int, default=20261121)
    options = parser.parse_args()
    account = asyncio.run(trial(options.kills, options.lanes, options.seed))
    print(account)
    return 0 if account.holds() else 1


if __name__ == "__main__":
    sys.exit(main())
