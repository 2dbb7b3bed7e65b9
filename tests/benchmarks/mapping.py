"""Decode and map, beside a bare parse by python-hl7 and hl7apy: messages a second on one core."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import hl7
from hl7apy.parser import parse_message

from tests.benchmarks.sample import booking
from transforms.hl7v2.er7 import Unparseable, parse
from transforms.hl7v2.header import header
from transforms.hl7v2.mapping import map_message
from transforms.hl7v2.profile import Profile

CORPUS = (
    Path(__file__).parents[3] / "shared" / "corpora" / "microsoft__FHIR-Converter" / "data" / "SampleData" / "Hl7v2"
)
PROFILE = Profile(tenant="bench", feed="bench", zone="America/New_York")
RECEIVED = 1_795_255_800_000_000
SECONDS = 2.0


def ours(raw: bytes) -> None:
    """Header, decode, map: everything that stands between a frame and its patches."""
    head = header(raw)
    if head is None:
        return
    try:
        message = parse(raw)
    except Unparseable:
        return
    map_message(message, head, PROFILE, RECEIVED)


def python_hl7(raw: bytes) -> None:
    """python-hl7's parse; it keeps fields as strings until they are asked for."""
    hl7.parse(raw.decode("utf-8-sig", "replace").replace("\n", "\r"))


def hl7apy(raw: bytes) -> None:
    """hl7apy's parse, without validation and without its groups, which is its fastest way."""
    try:
        parse_message(raw.decode("utf-8-sig", "replace").replace("\n", "\r"), validation_level=2, find_groups=False)
    except Exception:  # hl7apy refuses some real messages; what it spent on them counts all the same
        return


def rate(work: Callable[[bytes], None], messages: Sequence[bytes], seconds: float = SECONDS) -> float:
    """Messages a second, over whole rounds of the messages."""
    for raw in messages[:20]:
        work(raw)
    done, began = 0, time.process_time()
    while (took := time.process_time() - began) < seconds:
        for raw in messages:
            work(raw)
        done += len(messages)
    return done / took


def corpus() -> list[bytes]:
    """The SIU and ADT samples of the Microsoft corpus, where it lies beside the project."""
    if not CORPUS.is_dir():
        return []
    return [path.read_bytes() for path in sorted(CORPUS.glob("*.hl7")) if path.name.startswith(("ADT", "SIU"))]


def distinct(count: int) -> list[bytes]:
    """Bookings that differ in what really differs: control id, order numbers, patient."""
    return [booking(number, patients=97) for number in range(count)]


def run() -> list[str]:
    """The lines to print."""
    lines = []
    for name, messages in (("own booking, 1 kB", distinct(500)), ("Microsoft SIU and ADT samples", corpus())):
        if not messages:
            lines.append(f"decode+map, {name}: the corpus is not here")
            continue
        mine = rate(ours, messages)
        theirs = rate(python_hl7, messages)
        slow = rate(hl7apy, messages[:20])
        lines.append(
            f"decode+map, {name}: {mine:,.0f}/s a core; python-hl7 bare parse {theirs:,.0f}/s ({mine / theirs:.1f}x), "
            f"hl7apy bare parse {slow:,.0f}/s ({mine / slow:.0f}x)"
        )
    return lines


if __name__ == "__main__":
    print("\n".join(run()))
