"""Whole messages beside what they are mapped to: `tests/golden/hl7v2/*/in.hl7` and `out.json`.

`python -m tests.transforms.hl7v2.test_golden NAME ...` writes what a message is mapped to now, to be read before it is
committed.
"""

import json
import sys
from pathlib import Path

import msgspec
import pytest

from canonical.patches import Mapped
from tests.transforms.hl7v2.story import EAST, mapped

GOLDEN = Path(__file__).parents[2] / "golden" / "hl7v2"


def shown(said: Mapped) -> dict[str, object]:
    """A mapping without what says nothing."""
    plain = json.loads(msgspec.json.encode(said))
    plain["patches"] = [
        {key: value for key, value in one.items() if value or key == "type"} for one in plain["patches"]
    ]
    return {key: value for key, value in plain.items() if value}


@pytest.mark.parametrize("case", sorted(GOLDEN.glob("*/")), ids=lambda case: case.name)
def test_a_message_is_mapped_as_written_down(case: Path) -> None:
    """Every field of every patch, every problem and every search key is as in out.json."""
    assert json.loads((case / "out.json").read_text()) == shown(mapped((case / "in.hl7").read_bytes(), EAST))


def write(names: list[str]) -> None:
    """Write out.json for these cases, or for all."""
    for case in sorted(GOLDEN.glob("*/")):
        if not names or case.name in names:
            text = json.dumps(shown(mapped((case / "in.hl7").read_bytes(), EAST)), indent=2, ensure_ascii=False)
            (case / "out.json").write_text(f"{text}\n")


if __name__ == "__main__":
    write(sys.argv[1:])
