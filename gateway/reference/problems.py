"""The reference page of problems: every code that a message's problems can have."""

from collections.abc import Iterator

from canonical.problems import FIELD_CODES, MESSAGE_CODES

PATH = "docs/reference/problems.md"
HEAD = """\
# Problems

What a sender or a person can mend. A problem has a code, a place (`PID-7`, `AIP[2]-3.1`), a severity and a sentence; it
never repeats what the field held. It is listed on the message, on the record whose field it cost, and in the
acknowledgement where the feed asks for that. Codes are stable, and the list only ever grows.
This page is written by `make docs` from the code.
"""
SECTIONS = (("Of a field", FIELD_CODES), ("Of a message", MESSAGE_CODES))


def render() -> str:
    """The page."""
    return "\n".join([HEAD, *(line for section in SECTIONS for line in _section(*section))])


def _section(title: str, codes: dict[str, str]) -> Iterator[str]:
    yield f"## {title}\n"
    yield "| code | what it says |"
    yield "|---|---|"
    yield from (f"| `{code}` | {says} |" for code, says in codes.items())
    yield ""
