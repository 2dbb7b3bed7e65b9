"""What a payer says of a plan (271, loop 2110): every EB whole, with what stands under it (DOMAIN 1.9, 1.13)."""

from collections.abc import Sequence
from typing import Any, Final

from canonical.datatypes import Benefit, Coding, Concept, PlanDate, Rejection

from .codes import PLACES, X12
from .converters import (
    code,
    each,
    flag,
    money,
    number,
    pointers,
    procedure,
    quantity,
    span,
    text,
    trace_number,
)
from .loops import Node
from .parties import REF, read_entity
from .profile import Payer
from .rows import Join, Reading, Row, Table

EB: Final = Table(
    "EB",
    Row("information", 1, code("1390")),
    Row("coverage_level", 2, code("1207")),
    Row("service_types", 3, each(code("1365"))),
    Row("insurance_type", 4, code("1336")),
    Row("plan", 5, text),
    Row("period", 6, code("615")),
    Row("amount", 7, money),
    Row("percent", 8, number),
    quantity((9, 10), "673"),
    Row("authorization_required", 11, text),
    Row("in_network", 12, text),
    Row("procedure", 13, procedure),
    Row("diagnosis_pointers", 14, pointers),
)
DTP: Final = Table("DTP", Row("of", 1, code("374")), span("start", "end", (2, 3)))
MSG: Final = Table("MSG", Row("messages", 1, text))


def _read_place(texts: Sequence[str], reading: Reading) -> tuple[Concept]:
    kind, value = texts
    system = PLACES if kind == "ZZ" else f"{X12}1270/{kind}"
    return (Concept(codings=(Coding(code=value, system=system),)),)


def _write_place(values: Sequence[Any], payer: Payer) -> Sequence[str]:
    coding = values[0].codings[0]
    return ("ZZ" if coding.system == PLACES else (coding.system or "").rpartition("/")[2], coding.code)


III: Final = Table(
    "III", Join(("place",), (1, 2), "place", "A place of service (ZZ) or another code.", _read_place, _write_place)
)
AAA: Final = Table("AAA", Row("valid", 1, flag), Row("reason", 3, code("901")), Row("follow_up", 4, code("889")))


def _read_trace(texts: Sequence[str], reading: Reading) -> tuple[Any]:
    value, originator = (one.strip() for one in texts)
    return (trace_number(value, originator, reading.payer) if value else None,)


def _write_trace(values: Sequence[Any], payer: Payer) -> Sequence[str]:
    return (values[0].value, values[0].system.rpartition(":")[2])


TRN: Final = Table(
    "TRN",
    Row("side", 1, text),
    Join(("identifier",), (2, 3), "trace_number", "A trace number and whose it is.", _read_trace, _write_trace),
)


def read_benefit(node: Node, reading: Reading, at: str) -> Benefit | None:
    """One EB and all that belongs to it; None where it does not say what it is."""
    fields = EB.read(node.opening, reading, at)
    if "information" not in fields:
        return None
    if len(node.segments) == 1 and not node.nodes:
        return Benefit(**fields)
    numbers = (REF.read(found, reading, at).get("identifier") for found in node.all("REF"))
    words = (MSG.read(found, reading, at).get("messages") for found in node.all("MSG"))
    places = (III.read(inner.opening, reading, at).get("place") for inner in node.within("2115C", "2115D"))
    return Benefit(
        **fields,
        limits=tuple("*".join(found.elements[1:]) for found in node.all("HSD")),
        references=tuple(one for one in numbers if one),
        dates=read_dates(node, reading, at),
        places_of_service=tuple(one for one in places if one),
        messages=tuple(one for one in words if one),
        entities=tuple(read_entity(inner, reading, f"{at}entities/") for inner in node.within("2120C", "2120D")),
    )


def read_dates(node: Node, reading: Reading, at: str) -> tuple[PlanDate, ...]:
    """The dates of a loop, each with what it is the date of."""
    read = (DTP.read(found, reading, f"{at}dates/") for found in node.all("DTP"))
    return tuple(PlanDate(**one) for one in read if "of" in one and "start" in one)


def read_rejections(node: Node, reading: Reading) -> list[Rejection]:
    """Every AAA of a loop, also where the guide has none: it is a no all the same."""
    found = [one for one in (*node.segments, *node.strays) if one.name == "AAA"]
    return [Rejection(loop=node.loop.id, **AAA.read(one, reading, "rejections/")) for one in found]
