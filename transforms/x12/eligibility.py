"""The 271: what a payer answered, as the result of an EligibilityCheck (005010X279A1; DOMAIN 1.9, 4.3).

`request` writes the question, `answer` reads what came back for it, `patches` are what that changes. An answer is taken
for its question by our trace number, else by BHT03; one that belongs to another question changes nothing.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from canonical.datatypes import Benefit, Concept, Entity, Identifier, Rejection, Subscriber
from canonical.patches import Patch, Said
from canonical.problems import Problem
from canonical.records import EligibilityCheck

from . import coverage_state
from .codes import X12
from .converters import code_of, trace_system
from .inquiry import Inquiry, request, service_type_codes
from .loops import Tree
from .profile import Payer
from .receipt import Receipt, receive
from .replies import Reply, replies
from .rows import Reading, Used

__all__ = ["Answer", "Inquiry", "answer", "next_search", "patches", "request"]

Repeat = Literal["no", "same", "other-keys"]

REPEATABLE: Final = (frozenset(("42", "80")), frozenset("PR"))  # AAA03 and AAA04 that allow the same question again
OTHER_KEYS: Final = "75"
PAYER_DOWN: Final = frozenset(("42", "80"))
GROUP_NUMBERS: Final = frozenset(("6P", "1L"))


class Answer(Struct, frozen=True, kw_only=True):
    """What came back for one question. `fields` are those of the check, `coverage` those of the coverage.

    `services` says of each service type and procedure that was asked about: covered, not-covered or unknown.
    `exceptions` are the stable codes of what a person or a flow has to look at (DOMAIN Annex B); `repeat` says whether
    the question may be asked again, and how. Where `matched` is false it was the answer to nothing of ours, and says
    nothing.
    """

    matched: bool
    status: str | None = None  # completed, failed; None while there is no answer yet
    fields: dict[str, Any] = {}
    coverage: dict[str, Any] = {}
    traces: tuple[Identifier, ...] = ()
    services: dict[str, str] = {}
    needs_authorization: tuple[str, ...] = ()
    exceptions: tuple[str, ...] = ()
    repeat: Repeat = "no"
    problems: tuple[Problem, ...] = ()

    def __repr__(self) -> str:
        return "Answer(...)"

    @property
    def state(self) -> str | None:
        """The coverage state."""
        return self.fields.get("coverage_state")


def answer(
    raw: bytes,
    asked: EligibilityCheck,
    payer: Payer,
    received_at: str,
    *,
    reference: str = "",
    trace: list[Used] | None = None,
) -> Answer:
    """The answer to a check; `reference` is the BHT03 that it was sent with. It takes any bytes, and never raises."""
    receipt = receive(raw, "271", payer)
    if receipt.kind == "acknowledgement":
        return _acknowledged(receipt)
    if receipt.kind == "refused" or receipt.interchange is None:
        return Answer(matched=False, exceptions=("INT-PARSE",), problems=tuple(receipt.problems))
    reading = Reading(payer, receipt.interchange.delimiters, trace)
    reading.problems += receipt.problems
    reply = _matching(receipt.trees, asked, payer, reference, reading)
    if reply is None:
        strange = Problem(
            code="unknown-key-identifier",
            path="2000C/TRN-02",
            severity="error",
            detail="this is not the answer to the question that was asked; nothing of it was taken",
        )
        return Answer(matched=False, exceptions=("INT-PARSE",), problems=(*reading.problems, strange))
    return _judged(reply, asked, payer, received_at, reading)


def patches(found: Answer, check: EligibilityCheck) -> list[Patch]:
    """What the answer changes: the check, and what the payer confirmed of the coverage. Never the patient."""
    if not found.matched or found.status is None:
        return []
    said = Said(status=found.status)
    about = [
        Patch(
            type="eligibility",
            subject=check.id,
            also=found.traces,
            fields=found.fields,
            said=said,
            problems=found.problems,
        )
    ]
    if check.coverage and found.coverage:
        fields = found.coverage | {"last_check": check.id}
        about.append(Patch(type="coverage", subject=check.coverage, fields=fields))
    return about


def next_search(found: Answer, asked: Inquiry, payer: Payer) -> Inquiry | None:
    """The same question by the payer's other combination, once; None where there is none, or it would not help."""
    if found.repeat != "other-keys" or asked.search or len(payer.searches) < 2:
        return None
    return replace(asked, search=1)


def _matching(
    trees: Sequence[Tree], asked: EligibilityCheck, payer: Payer, reference: str, reading: Reading
) -> Reply | None:
    """By our trace number; else, where the payer gave none back, the only patient under our BHT03."""
    ours = {(one.system, one.value) for one in asked.identifiers}
    own = trace_system(payer.originator, payer)
    for tree in trees:
        if not tree.root.segments[1:]:
            continue
        before = len(reading.problems)
        found = replies(tree, reading)
        for one in found:
            if any((trace.system, trace.value) in ours for trace in one.traces):
                return one
        header = tree.root.first("BHT")
        silent = len(found) == 1 and not any(trace.system == own for trace in found[0].traces)
        if silent and reference and header and header.get(3) == reference:
            return found[0]
        del reading.problems[before:]
    return None


def _judged(reply: Reply, asked: EligibilityCheck, payer: Payer, received_at: str, reading: Reading) -> Answer:
    types = service_type_codes(asked)
    procedures = [coding.code for one in asked.procedures for coding in one.code.codings]
    on = asked.start
    state = coverage_state.of(reply.benefits, reply.rejections, reply.dates, types, on)
    services = coverage_state.of_services(reply.benefits, types, procedures)
    if state != "active":
        services = {one: "not-covered" if state == "inactive" else "unknown" for one in services}
    corrected = _corrected(reply.person, asked.subscriber, reading)
    _remark(reply, reading)
    fields: dict[str, Any] = {
        "checked_at": received_at,
        "outcome": _outcome(reply),
        "coverage_state": state,
        "plan_name": _plan_name(reply.benefits),
        "plan_dates": tuple(reply.dates),
        "benefits": tuple(reply.benefits),
        "rejections": tuple(reply.rejections),
        "primary_care": next(_entities(reply.benefits, "L"), None),
        "other_payers": tuple(_entities(reply.benefits, "R")),
        "corrected_subscriber": corrected,
    }
    return Answer(
        matched=True,
        status="completed" if reply.benefits or _reasons(reply) & coverage_state.NOT_FOUND else "failed",
        fields=fields,
        coverage=_of_coverage(reply, received_at) if reply.benefits else {},
        traces=tuple(reply.traces),
        services=services,
        needs_authorization=coverage_state.needing_leave(reply.benefits, [*types, *procedures]),
        exceptions=tuple(_exceptions(state, services, reply)),
        repeat=_repeat(reply.rejections),
        problems=tuple(reading.problems),
    )


def _outcome(reply: Reply) -> str:
    if reply.benefits:
        return "partial" if reply.rejections else "complete"
    return "error"


def _exceptions(state: str, services: dict[str, str], reply: Reply) -> Iterator[str]:
    """The stable codes of what has to be looked at, the one that matters most first."""
    match state:
        case "inactive" | "pending":
            yield "ELG-INACTIVE"
        case "not-found":
            yield "ELG-NOTFOUND"
        case "unknown":
            yield "ELG-PAYER-DOWN" if _reasons(reply) & PAYER_DOWN else "ELG-AMBIGUOUS"
        case "active" if "not-covered" in services.values():
            yield "ELG-SERVICE-NOTCOVERED"


def _reasons(reply: Reply) -> set[str]:
    return {code_of(one.reason, f"{X12}901") for one in reply.rejections}


def _repeat(rejections: Iterable[Rejection]) -> Repeat:
    """Only what the payer allows: anything else asked again by a machine would be asked in vain."""
    pairs = [(code_of(one.reason, f"{X12}901"), code_of(one.follow_up, f"{X12}889")) for one in rejections]
    reasons, follow_ups = REPEATABLE
    if pairs and all(reason in reasons and follow_up in follow_ups for reason, follow_up in pairs):
        return "same"
    return "other-keys" if any(reason == OTHER_KEYS for reason, _ in pairs) else "no"


def _entities(benefits: Iterable[Benefit], information: str) -> Iterator[Entity]:
    for one in benefits:
        if coverage_state.information(one) == information:
            yield from one.entities


def _plan_name(benefits: Sequence[Benefit]) -> str | None:
    """The plan of the first active statement; else whatever plan is named."""
    active = [one for one in benefits if coverage_state.information(one) in coverage_state.ACTIVE]
    return next((one.plan for one in (*active, *benefits) if one.plan), None)


def _of_coverage(reply: Reply, received_at: str) -> dict[str, Any]:
    """What the payer confirmed of the coverage: nothing that it does not say is touched."""
    found: dict[str, Any] = {"verified_at": received_at}
    active = [one for one in reply.benefits if coverage_state.information(one) in coverage_state.ACTIVE]
    if plan := next((one.plan for one in active if one.plan), None):
        found["plan"] = Concept(text=plan)
    if kind := next((one.insurance_type for one in active if one.insurance_type), None):
        found["type"] = kind
    for number in reply.person.identifiers if reply.person else ():
        if number.original and number.original.namespace_id in GROUP_NUMBERS:
            found["group_number"] = number.value
    for one in reply.dates:
        what = code_of(one.of, f"{X12}374")
        if what in coverage_state.BEGINS:
            found["start"] = one.start
        elif what in coverage_state.ENDS:
            found["end"] = one.end or one.start
        elif what in coverage_state.SPANS and one.end:
            found |= {"start": one.start, "end": one.end}
    return found


def _corrected(said: Subscriber | None, asked: Subscriber | None, reading: Reading) -> Subscriber | None:
    """What the payer has otherwise than it was asked: shown beside the patient, whom it does not change."""
    if said is None or asked is None:
        return None
    compared = ((said.name, asked.name), (said.birth_date, asked.birth_date), (said.gender, asked.gender))
    if all(one is None or other is None or _plain(one) == _plain(other) for one, other in compared):
        return None
    reading.problems.append(
        Problem(
            code="DQ-MEMBER-CORRECTED",
            path="2100C/NM1",
            severity="information",
            detail="the payer has this member otherwise; compare it with the patient, which was left as it is",
            field="corrected_subscriber",
        )
    )
    return said


def _plain(value: Any) -> Any:
    """Names are compared without regard to case and to what nobody said."""
    if hasattr(value, "family"):
        parts = (value.family, *value.given, value.suffix)
        return tuple(part.upper() for part in parts if part)
    return value


def _remark(reply: Reply, reading: Reading) -> None:
    if any(coverage_state.information(one) == coverage_state.INVESTIGATED for one in reply.benefits):
        detail = "the plan is active, and the payer is still looking into it"
        _note(reading, "DQ-CODE-UNMAPPED", f"{reply.loop}/EB-01", detail)
    if not reply.benefits and not reply.rejections:
        detail = "the answer neither states a benefit nor says why not"
        _note(reading, "DQ-REQUIRED-MISSING", f"{reply.loop}/EB", detail)


def _note(reading: Reading, code: str, path: str, detail: str) -> None:
    reading.problems.append(Problem(code=code, path=path, detail=detail, field="coverage_state"))


def _acknowledged(receipt: Receipt) -> Answer:
    """Instead of an answer: it was refused, or taken and not yet answered, which is odd in real time."""
    verdict = receipt.verdict
    if verdict is None or verdict.accepted:
        return Answer(matched=False, problems=tuple(receipt.problems))
    return Answer(
        matched=True,
        status="failed",
        fields={"outcome": "error"},
        exceptions=("INT-ACK-NEG",),
        problems=tuple(receipt.problems),
    )
