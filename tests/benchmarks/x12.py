"""A 271 parsed to the canonical answer, beside what peers make of it: documents a second on one core.

linuxforhealth-x12 builds models of a 271, which compares best; it needs pydantic 1, so it is not among the development
dependencies: `pip install linuxforhealth-x12 'pydantic<2'` in an environment of its own adds its line. pyx12 has no map
of a 5010 271: its reader cuts segments and checks envelopes, no more, so ours is shown without the mapping too.
"""

import importlib
import io
from collections.abc import Callable
from pathlib import Path

from pyx12.x12file import X12Reader

from canonical.datatypes import Identifier
from canonical.records import EligibilityCheck
from tests.benchmarks.mapping import rate
from transforms.x12 import eligibility
from transforms.x12.envelope import parse
from transforms.x12.profile import Payer
from transforms.x12.writer import Ends

ANSWER = (Path(__file__).parents[1] / "golden" / "x12" / "271-covered.x12").read_bytes().replace(b"\n", b"")
TRACE = "9877281234"  # ten characters, as the peers want it
PAYER = Payer(ends=Ends(sender="US", receiver="THEM"), name="PAYER", payer_id="1", originator=TRACE)
CHECK = EligibilityCheck(
    id="elg_1",
    tenant="main",
    identifiers=(Identifier(value="01JD8ELG0001", system=f"urn:x-main:trace:{TRACE}"),),
    start="2026-12-02",
)


def ours(raw: bytes) -> None:
    """From bytes to the answer of a check."""
    found = eligibility.answer(raw, CHECK, PAYER, "2026-11-21T09:00:05Z")
    assert found.state == "active"


def envelope(raw: bytes) -> None:
    """From bytes to segments in their envelope, which is checked."""
    assert not list(parse(raw).every_fault())


def pyx12_reader(raw: bytes) -> None:
    """pyx12's segments in their envelope."""
    for _ in X12Reader(io.StringIO(raw.decode())):
        pass


def models() -> Callable[[bytes], None] | None:
    """linuxforhealth-x12's models, where it is installed."""
    try:
        reader = importlib.import_module("linuxforhealth.x12.io").X12ModelReader
    except ImportError:
        return None

    def read(raw: bytes) -> None:
        with reader(raw.decode()) as found:
            assert list(found.models())

    return read


def run() -> list[str]:
    """The lines to print."""
    raw = ANSWER.replace(b"9SENDERID00", TRACE.encode())
    whole, cut, peer = rate(ours, [raw]), rate(envelope, [raw]), rate(pyx12_reader, [raw])
    lines = [f"X12 271 cut, envelope checked: {cut:,.0f}/s a core; pyx12's reader {peer:,.0f}/s ({cut / peer:.1f}x)"]
    other = models()
    if other is None:
        beside = "linuxforhealth-x12 is not installed here"
    else:
        theirs = rate(other, [raw])
        beside = f"linuxforhealth-x12's models {theirs:,.0f}/s ({whole / theirs:.1f}x)"
    return [*lines, f"X12 271 to the canonical answer: {whole:,.0f}/s a core; {beside}"]


if __name__ == "__main__":
    print("\n".join(run()))
