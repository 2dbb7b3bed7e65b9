"""The 278 answer: what a payer decided, item by item (005010X217; DOMAIN 1.10, 4.4).

A decision at a service overrides the one at the event; one at the event holds for every service without its own. Which
item a decision is about is told by our trace number and by nothing else. A rejection (AAA) stands beside decisions.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from canonical.datatypes import Decision, DocumentRequest, Identifier, Rejection
from canonical.patches import Edit, Patch, Said
from canonical.problems import Problem
from canonical.records import Authorization
from canonical.rollup import EVERY_ITEM

from .benefits import MSG, TRN, read_dates, read_rejections
from .codes import LOINC, X12
from .converters import code, code_of, each, text, trace_system
from .loops import Node, Tree
from .parties import REF
from .profile import Payer
from .receipt import Receipt, receive
from .review import HI, SV1, SV2, Review, request
from .rows import Reading, Row, Table, Used

__all__ = ["Answer", "Review", "answer", "patches", "request"]

HCR: Final = Table("HCR", Row("action", 1, code("306")), Row("number", 2, text), Row("reasons", 3, each(code("1271"))))
PWK: Final = Table("PWK", Row("code", 1, code("755")), Row("control_number", 6, text))

STATUSES: Final = {
    "A1": "approved",
    "A2": "partially-approved",
    "A3": "denied",
    "A4": "pended",
    "A6": "modified",
    "C": "cancelled",
    "CT": "contact-payer",
    "NA": "not-required",
}
EXCEPTIONS: Final = {"pended": "AUTH-PENDED", "denied": "AUTH-DENIED", "contact-payer": "AUTH-CONTACT"}
VALID: Final = ("472", "AAH", "435", "007", "036")  # dates of a decision, the most exact first
AGAIN: Final = frozenset(("42", "80"))


class Answer(Struct, frozen=True, kw_only=True):
    """What came back for one request. `decisions` go by the key of the item, `*` being all that have none of their own.

    `final` is false where the payer will say more (BHT06 19). `exceptions` are the stable codes of what a person or a
    flow has to look at. Where `matched` is false it was the answer to nothing of ours, and says nothing.
    """

    matched: bool
    decisions: tuple[Decision, ...] = ()
    rejections: tuple[Rejection, ...] = ()
    documents: tuple[DocumentRequest, ...] = ()
    traces: tuple[Identifier, ...] = ()
    numbers: tuple[Identifier, ...] = ()
    final: bool = True
    failed: bool = False
    may_repeat: bool = False
    decided_at: str | None = None
    exceptions: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()

    def __repr__(self) -> str:
        return "Answer(...)"


def answer(
    raw: bytes,
    asked: Authorization,
    payer: Payer,
    received_at: str,
    *,
    reference: str = "",
    trace: list[Used] | None = None,
) -> Answer:
    """The answer to a request; `reference` is the BHT03 that it was sent with. It takes any bytes, and never raises."""
    receipt = receive(raw, "278", payer)
    if receipt.kind == "acknowledgement":
        return _acknowledged(receipt)
    if receipt.kind == "refused" or receipt.interchange is None:
        return Answer(matched=False, exceptions=("INT-PARSE",), problems=tuple(receipt.problems))
    reading = Reading(payer, receipt.interchange.delimiters, trace)
    reading.problems += receipt.problems
    for tree in receipt.trees:
        if _is_answer(tree) and _is_ours(tree, asked, payer, reference, reading):
            return _read(tree, asked, received_at, reading)
    strange = Problem(
        code="unknown-key-identifier",
        path="2000E/TRN-02",
        severity="error",
        detail="this is not the answer to the request that was made; nothing of it was taken",
    )
    return Answer(matched=False, exceptions=("INT-PARSE",), problems=(*reading.problems, strange))


def patches(found: Answer, asked: Authorization, received_at: str) -> list[Patch]:
    """What the answer changes. The status of the whole follows from the decisions (canonical/rollup.py)."""
    if not found.matched or not (found.decisions or found.failed):
        return []
    fields: dict[str, Any] = {"rejections": found.rejections}
    if found.decisions:
        known = {one.key: one for one in asked.decisions} | {one.key: one for one in found.decisions}
        pended = any(one.status == "pended" for one in known.values())
        fields["pended_at" if pended else "decided_at"] = received_at
    if found.documents:
        fields["attachments_requested"] = found.documents
    return [
        Patch(
            type="authorization",
            subject=asked.id,
            also=(*found.traces, *found.numbers),
            fields=fields,
            edits=tuple(Edit(field="decisions", key=one.key, value=one) for one in found.decisions),
            said=Said(status="error") if not found.decisions else None,
            problems=found.problems,
        )
    ]


def _is_answer(tree: Tree) -> bool:
    header = tree.root.first("BHT")
    return header is not None and header.get(2) == "11"


def _is_ours(tree: Tree, asked: Authorization, payer: Payer, reference: str, reading: Reading) -> bool:
    """By any trace number of ours; else by BHT03, where no trace of ours came back at all."""
    numbers = [*asked.identifiers, *(one for item in asked.items for one in item.identifiers)]
    ours = {(one.system, one.value) for one in numbers}
    found = [one for node in tree.all("2000E", "2000F") for one in _traces(node, reading)]
    if any((one.system, one.value) in ours for one in found):
        return True
    own = trace_system(payer.originator, payer)
    header = tree.root.first("BHT")
    silent = not any(one.system == own for one in found)
    return silent and bool(reference) and header is not None and header.get(3) == reference


def _traces(node: Node, reading: Reading) -> list[Identifier]:
    read = (TRN.read(found, reading, "identifiers/").get("identifier") for found in node.all("TRN"))
    return [one for one in read if one]


def _read(tree: Tree, asked: Authorization, received_at: str, reading: Reading) -> Answer:
    keys = {(one.system, one.value): item.key for item in asked.items for one in item.identifiers}
    rejections = [
        one
        for node in (tree.root, *tree.all("2000A", "2010A", "2000B", "2010B", "2000C", "2010C", "2000D", "2010D"))
        for one in read_rejections(node, reading)
    ]
    decisions: dict[str, Decision] = {}
    documents: list[DocumentRequest] = []
    traces: list[Identifier] = []
    numbers: list[Identifier] = []
    for node in tree.all("2000E", "2000F"):
        found = _traces(node, reading)
        traces += found
        key = EVERY_ITEM if node.loop.id == "2000E" else _key(node, found, keys, asked, reading)
        inner = [node, *(one for one in node.nodes if not one.loop.level)]  # the services within have their own
        rejections += [_of_item(one, key) for loop in inner for one in read_rejections(loop, reading)]
        if key is None:
            continue
        if decision := _decision(node, key, received_at, reading):
            decisions[key] = decision
        documents += _documents(node, key, reading)
        numbers += [one for ref in node.all("REF") if (one := REF.read(ref, reading).get("identifier"))]
    header = tree.root.first("BHT")
    return Answer(
        matched=True,
        decisions=tuple(decisions.values()),
        rejections=tuple(rejections),
        documents=tuple(documents),
        traces=tuple(dict.fromkeys(traces)),
        numbers=tuple(dict.fromkeys(numbers)),
        final=header is None or header.get(6) != "19",
        failed=not decisions,
        may_repeat=_may_repeat(rejections),
        decided_at=received_at,
        exceptions=tuple(_exceptions(decisions.values(), rejections, documents)),
        problems=tuple(reading.problems),
    )


def _of_item(one: Rejection, key: str | None) -> Rejection:
    item = None if key in (None, EVERY_ITEM) else key
    return Rejection(loop=one.loop, valid=one.valid, reason=one.reason, follow_up=one.follow_up, item=item)


def _key(
    node: Node, found: Sequence[Identifier], keys: Mapping[tuple[str, str], str], asked: Authorization, reading: Reading
) -> str | None:
    """The item of a service loop: by its trace; where nothing else could be meant, the only one that was asked for."""
    known = next((keys[pair] for one in found if (pair := (one.system, one.value)) in keys), None)
    if known is None and not found and len(asked.items) == 1:
        return asked.items[0].key
    if known is None and node.first("HCR"):
        detail = "the decision names no item that was asked for; it was left out"
        path = f"{node.path}/TRN-02"
        reading.problems.append(
            Problem(code="unknown-key-identifier", path=path, detail=detail, severity="error", field="decisions")
        )
    return known


def _decision(node: Node, key: str, received_at: str, reading: Reading) -> Decision | None:
    found = node.first("HCR")
    at = f"decisions/{key}/"
    fields = HCR.read(found, reading, at) if found else {}
    action = code_of(fields.get("action"), f"{X12}306")
    if not action or found is None:
        return None
    if action not in STATUSES:
        reading.problems.append(
            Problem(
                code="DQ-CODE-UNMAPPED",
                path=f"{found.path}-01",
                detail="no decision is read from a code that is not in the table",
                severity="error",
                field="decisions",
            )
        )
        return None
    words = [MSG.read(one, reading, at).get("messages") for one in node.all("MSG")]
    return Decision(
        key=key,
        status=STATUSES[action],
        text="\n".join(one for one in words if one) or None,
        at=received_at,
        **fields,
        **_authorized(node, reading, at),
    )


def _authorized(node: Node, reading: Reading, at: str) -> dict[str, Any]:
    """What was authorized, and when it holds, as the payer repeats it."""
    fields: dict[str, Any] = {}
    for name, table in (("SV1", SV1), ("SV2", SV2)):
        if found := node.first(name):
            service = table.read(found, reading, at)
            fields |= {field: service[field] for field in ("code", "quantity") if field in service}
    dates = {code_of(one.of, f"{X12}374"): one for one in reversed(read_dates(node, reading, at))}
    exact = next((dates[one] for one in VALID[:3] if one in dates), None)
    if exact:
        return fields | {"start": exact.start, "end": exact.end or exact.start}
    begins, ends = dates.get("007"), dates.get("036")
    return fields | {"start": begins.start if begins else None, "end": (ends.end or ends.start) if ends else None}


def _documents(node: Node, key: str, reading: Reading) -> Iterator[DocumentRequest]:
    """What the payer wants to see before it decides: PWK, or HI with LOINC."""
    item = None if key == EVERY_ITEM else key
    for found in node.all("PWK"):
        if "code" in (fields := PWK.read(found, reading, "attachments_requested/")):
            yield DocumentRequest(item=item, **fields)
    for found in node.all("HI"):
        for one in HI.read(found, reading, "attachments_requested/").get("diagnoses", ()):
            if any(coding.system == LOINC for coding in one.code.codings):
                yield DocumentRequest(item=item, code=one.code)


def _exceptions(decisions: Any, rejections: Sequence[Rejection], documents: Sequence[DocumentRequest]) -> Iterator[str]:
    if rejections or not decisions:
        yield "AUTH-ERROR"
    if documents and any(one.status == "pended" for one in decisions):
        yield "AUTH-DOCS"
    yield from dict.fromkeys(EXCEPTIONS[one.status] for one in decisions if one.status in EXCEPTIONS)


def _may_repeat(rejections: Sequence[Rejection]) -> bool:
    pairs = [(code_of(one.reason, f"{X12}901"), code_of(one.follow_up, f"{X12}889")) for one in rejections]
    return bool(pairs) and all(reason in AGAIN and follow_up in ("P", "R") for reason, follow_up in pairs)


def _acknowledged(receipt: Receipt) -> Answer:
    """Instead of an answer: it was refused, or taken and not yet decided."""
    verdict = receipt.verdict
    if verdict is None or verdict.accepted:
        return Answer(matched=False, final=False, problems=tuple(receipt.problems))
    return Answer(matched=True, failed=True, exceptions=("INT-ACK-NEG",), problems=tuple(receipt.problems))
