"""SQL lives in .sql files beside the code: each statement has a name, a sentence, and nothing built from strings."""

from pathlib import Path

HERE = Path(__file__).parent


def named(file: str) -> dict[str, str]:
    """The statements of a file by name. A statement begins at `-- name: x`; comment lines below it are its sentence."""
    statements: dict[str, str] = {}
    for part in (HERE / file).read_text().split("-- name:")[1:]:
        name, _, text = part.partition("\n")
        lines = [line.strip() for line in text.splitlines() if not line.startswith("--")]
        statements[name.strip()] = " ".join(filter(None, lines))
    return statements


def migrations() -> list[tuple[int, str]]:
    """The numbered files in order: the schema is what they add up to, and none is changed once released."""
    return [(int(path.name[:4]), path.read_text()) for path in sorted(HERE.glob("[0-9][0-9][0-9][0-9]_*.sql"))]
