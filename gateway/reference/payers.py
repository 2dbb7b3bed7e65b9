"""The reference page of the X12 mapping: every field and element, from the tables that do the mapping both ways."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from transforms.x12 import authorization, benefits, codes, inquiry, parties, review
from transforms.x12.faults import WORDS
from transforms.x12.guides import VERSIONS
from transforms.x12.rows import Join, Row, Table

PATH: Final = "docs/reference/x12-mapping.md"
HEAD: Final = """\
# The X12 mapping

Which element of a 270, 271 or 278 is which field of a record. These tables do the work, in both directions:
what is written by a row is read by the same row. What the answers mean is in [the guide](../guides/payers.md).
Places are those of problems and lineage: `2110C[2]/EB-07` is element 07 of the EB in the second loop 2110C.
This page is written by `make docs` from the code.
"""


class Part(NamedTuple):
    """A table where it is used: in which loops, for which record or part of one."""

    what: str
    loops: str
    table: Table


SECTIONS: Final[dict[str, Sequence[Part]]] = {
    "The question about benefits (270)": (
        Part("trace", "2000C, 2000D", benefits.TRN),
        Part("who is named", "2100A to 2100D", parties.NM1),
        Part("patient, subscriber", "2100C, 2100D", parties.DMG),
        Part("eligibility check", "2100C, 2100D", inquiry.DTP),
        Part("eligibility check", "2110C, 2110D", inquiry.EQ),
        Part("place of service", "2110C, 2110D", benefits.III),
    ),
    "The answer (271)": (
        Part("trace", "2000C, 2000D", benefits.TRN),
        Part("who is named", "2100A to 2120D", parties.NM1),
        Part("numbers", "2100C, 2100D, 2110C, 2110D", parties.REF),
        Part("address", "2100C, 2100D, 2120C, 2120D", parties.N3),
        Part("address", "2100C, 2100D, 2120C, 2120D", parties.N4),
        Part("contact", "2120C, 2120D", parties.PER),
        Part("subscriber", "2100C, 2100D", parties.DMG),
        Part("plan date", "2100C, 2100D, 2110C, 2110D", benefits.DTP),
        Part("benefit", "2110C, 2110D", benefits.EB),
        Part("benefit", "2110C, 2110D", benefits.MSG),
        Part("benefit", "2115C, 2115D", benefits.III),
        Part("rejection", "all", benefits.AAA),
    ),
    "The request for leave and its answer (278)": (
        Part("trace", "2000E, 2000F", benefits.TRN),
        Part("authorization", "2000E, 2000F", review.UM),
        Part("authorization", "2000E", review.HI),
        Part("item", "2000F", review.DTP),
        Part("item, decision", "2000F", review.SV1),
        Part("decision", "2000F", review.SV2),
        Part("decision", "2000E, 2000F", authorization.HCR),
        Part("document request", "2000E, 2000F", authorization.PWK),
        Part("rejection", "all", benefits.AAA),
    ),
}


def render() -> str:
    """The page."""
    lines = [line for title, parts in SECTIONS.items() for line in _section(title, parts)]
    return "\n".join([HEAD, *lines, *_states(), *_faults()])


def _section(title: str, parts: Sequence[Part]) -> Iterator[str]:
    yield f"## {title}\n"
    yield "| of | loops | element | field | how |"
    yield "|---|---|---|---|---|"
    for part in parts:
        for row in part.table.rows:
            places, fields, says = _row(part.table.segment, row)
            yield f"| {part.what} | {part.loops} | {places} | {fields} | {says} |"
    yield ""


def _row(segment: str, row: Row | Join) -> tuple[str, str, str]:
    elements = (row.element,) if isinstance(row, Row) else row.elements
    fields = (row.field,) if isinstance(row, Row) else row.fields
    says = row.codec.says if isinstance(row, Row) else row.says
    first, last = f"`{segment}-{elements[0]:02d}`", f"`{segment}-{elements[-1]:02d}`"
    places = ", ".join(f"`{segment}-{n:02d}`" for n in elements) if len(elements) < 5 else f"{first} to {last}"
    return places, ", ".join(f"`{_camel(field)}`" for field in fields), says


def _camel(field: str) -> str:
    first, *rest = field.split("_")
    return first + "".join(one.capitalize() for one in rest)


def _states() -> Iterator[str]:
    yield "## Decisions (HCR01)\n"
    yield "| code | status | in words |"
    yield "|---|---|---|"
    for code, status in authorization.STATUSES.items():
        yield f"| {code} | `{status}` | {codes.ACTIONS[code]} |"
    yield ""


def _faults() -> Iterator[str]:
    yield "## What acknowledgements say\n"
    yield "Versions that are read: " + "; ".join(
        f"{kind} {', '.join(one for one in versions if one)}" for kind, versions in VERSIONS.items()
    )
    yield "\n| of | code | what is wrong |"
    yield "|---|---|---|"
    for level, words in WORDS.items():
        for code, text in words.items():
            yield f"| {ELEMENTS[level]} | {code} | {text} |"
    yield ""


ELEMENTS: Final = {
    "interchange": "TA105",
    "group": "AK905",
    "transaction": "IK502",
    "segment": "IK304",
    "element": "IK403",
}
