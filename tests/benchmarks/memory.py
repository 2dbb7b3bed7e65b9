"""Resident memory after many messages: it must not grow with what has been kept."""

from pathlib import Path

from tests.benchmarks.durable import isthmus, load

MESSAGES = 100_000
PATIENTS = 5_000


def resident(pid: int) -> str:
    """Resident memory of a process, and how much of it is its own and not pages of the database's file (Linux)."""
    status = Path(f"/proc/{pid}/status").read_text()
    whole, own = (int(status.partition(f"{name}:")[2].split()[0]) / 1024 for name in ("VmRSS", "RssAnon"))
    return f"{whole:.0f} MiB ({own:.0f} its own)"


def run() -> list[str]:
    """The lines to print."""
    with isthmus() as ours:
        load(ours.mllp, 16, 2_000, 0, PATIENTS)
        warm = resident(ours.pid)
        load(ours.mllp, 64, MESSAGES // 2, 10_000_000, PATIENTS)
        half = resident(ours.pid)
        load(ours.mllp, 64, MESSAGES // 2, 20_000_000, PATIENTS)
        full = resident(ours.pid)
    return [f"resident memory: {warm} warm, {half} after 50,000 messages, {full} after 100,000"]


if __name__ == "__main__":
    print("\n".join(run()))
