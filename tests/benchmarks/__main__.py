"""`make bench`: every figure of the README, from one run."""

import platform
import time

from tests.benchmarks import api, durable, mapping, memory, webhooks, x12


def main() -> None:
    """Run all and print each line as it is known."""
    print(f"{platform.system()} {platform.machine()}, Python {platform.python_version()}, {time.strftime('%Y-%m-%d')}")
    for part in (mapping, x12, durable, api, webhooks, memory):
        for line in part.run():
            print(line, flush=True)


if __name__ == "__main__":
    main()
