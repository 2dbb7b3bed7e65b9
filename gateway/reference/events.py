"""The reference page of events: every type that a subscription can ask for."""

from collections.abc import Iterator

from canonical.events import SECTIONS

PATH = "docs/reference/events.md"
HEAD = """\
# Events

What changed, as CloudEvents in the feed at `GET /v1/events`, and in webhooks. A subscription names types, or patterns
such as `appointment.*`. Types are only ever added; consumers must ignore those that they do not know.

A change has the name that its sender gave it (`encounter.transferred` for an A02) when it took effect as the newest
word; otherwise it has the name of what can be seen to have changed. A message that changes nothing makes no event.
This page is written by `make docs` from the code.
"""


def render() -> str:
    """The page."""
    return "\n".join([HEAD, *(line for section in SECTIONS.items() for line in _section(*section))])


def _section(title: str, events: dict[str, str]) -> Iterator[str]:
    yield f"## {title}\n"
    yield "| type | when |"
    yield "|---|---|"
    yield from (f"| `{name}` | {when} |" for name, when in events.items())
    yield ""
