"""Resident memory after many messages: it must not grow with what has been kept."""

from pathlib import Path

from tests.benchmarks.durable import isthmus, load

MESSAGES = 100_000
PATIENTS = 5_000


def resident(pid: int) -> float:
    """Resident megabytes of a process (Linux)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def run() -> list[str]:
    """The lines to print."""
    with isthmus() as ours:
        load(ours.mllp, 16, 2_000, 0, PATIENTS)
        warm = resident(ours.pid)
        load(ours.mllp, 64, MESSAGES // 2, 10_000_000, PATIENTS)
        half = resident(ours.pid)
        load(ours.mllp, 64, MESSAGES // 2, 20_000_000, PATIENTS)
        full = resident(ours.pid)
    return [f"resident memory: {warm:.0f} MiB warm, {half:.0f} MiB after 50,000 messages, {full:.0f} MiB after 100,000"]


if __name__ == "__main__":
    print("\n".join(run()))
