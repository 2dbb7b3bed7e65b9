"""SQL lives in .sql files beside the code: each statement has a name, a sentence, and nothing built from strings."""

from collections.abc import Iterator, Sequence
from pathlib import Path

HERE = Path(__file__).parent
MANY = (
    32  # how many values `:many` and `:rows` stand for: one statement for many point reads costs half of one for each
)


def named(file: str) -> dict[str, str]:
    """The statements of a file by name. A statement begins at `-- name: x`; comment lines below it are its sentence."""
    statements: dict[str, str] = {}
    for part in (HERE / file).read_text().split("-- name:")[1:]:
        name, _, text = part.partition("\n")
        lines = [line.strip() for line in text.splitlines() if not line.startswith("--")]
        text = " ".join(filter(None, lines)).replace(":many", ", ".join("?" * MANY))
        statements[name.strip()] = text.replace(":rows", ", ".join(["(?)"] * MANY))
    return statements


def chunks(values: Sequence[object]) -> Iterator[list[object]]:
    """The values in lots for `:many`, the last one filled up with NULL, which equals nothing."""
    for at in range(0, len(values), MANY):
        lot = list(values[at : at + MANY])
        yield lot + [None] * (MANY - len(lot))


def migrations() -> list[tuple[int, str]]:
    """The numbered files in order: the schema is what they add up to, and none is changed once released."""
    return [(int(path.name[:4]), path.read_text()) for path in sorted(HERE.glob("[0-9][0-9][0-9][0-9]_*.sql"))]
