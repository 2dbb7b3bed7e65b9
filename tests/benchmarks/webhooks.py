"""Webhook deliveries a second, and the time from a frame to the partner's answer, with a partner in its own process."""

import json
import subprocess
import sys
import time

from tests.benchmarks.durable import isthmus, load

MESSAGES = 5_000
QUIET = 400


def run() -> list[str]:
    """The lines to print."""
    command = [sys.executable, "-m", "tests.benchmarks.partner"]
    partner = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert partner.stdin
    assert partner.stdout
    try:
        port = int(partner.stdout.readline())
        with isthmus() as ours:
            ours.get("/v1/subscriptions", True, {"url": f"http://127.0.0.1:{port}/hook", "types": ["appointment.*"]})

            def heard(word: str = "report") -> dict[str, float]:
                assert partner.stdin
                assert partner.stdout
                partner.stdin.write(f"{word}\n")
                partner.stdin.flush()
                found: dict[str, float] = json.loads(partner.stdout.readline())
                return found

            load(ours.mllp, 1, QUIET, 0, 200)
            time.sleep(2)
            calm = heard("clear")
            began = time.perf_counter()
            load(ours.mllp, 64, MESSAGES, 1_000_000, 500)
            while heard()["count"] < MESSAGES // 64 * 64 and time.perf_counter() - began < 120:
                time.sleep(0.1)
            busy = heard()
        return [
            f"feed to webhook, one message at a time: p50 {calm['p50']:.1f} ms, p99 {calm['p99']:.1f} ms",
            f"webhook deliveries: {busy['rate']:,.0f}/s while {MESSAGES:,} messages come in; "
            f"feed to webhook then p50 {busy['p50']:,.0f} ms, p99 {busy['p99']:,.0f} ms",
        ]
    finally:
        partner.kill()
        partner.wait()


if __name__ == "__main__":
    print("\n".join(run()))
