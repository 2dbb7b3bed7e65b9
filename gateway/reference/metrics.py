"""The reference page of metrics: everything that /metrics counts, with its labels."""

from collections.abc import Iterator

from policies.metrics import Metrics

PATH = "docs/reference/metrics.md"
HEAD = """\
# Metrics

What `GET /metrics` says, in Prometheus text format. A label is a feed's name or a word from a fixed list, never content
of a message; a value that is neither is counted as `other`. A histogram has `_bucket`, `_sum` and `_count`. What is
worth an alarm is in [the guide](../guides/operations.md#watch). The `process_` metrics
beside these are Prometheus' own.
This page is written by `make docs` from the code.
"""


def render() -> str:
    """The page."""
    return "\n".join([HEAD, *_table(), ""])


def _table() -> Iterator[str]:
    yield "| metric | type | labels | what it is |"
    yield "|---|---|---|---|"
    for one in Metrics().described:
        labels = ", ".join(f"`{label}`" for label in one.labels)
        yield f"| `{one.name}` | {one.kind} | {labels} | {one.text} |"
