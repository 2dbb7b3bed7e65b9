"""The vectors of DOMAIN Annex A9 and A10, byte by byte out and value by value in."""

from decimal import Decimal

from canonical.datatypes import Benefit
from canonical.rollup import of_decisions
from tests.transforms.x12.story import AT, AUTHORIZATION, CHECK, INQUIRY, PAYER, RECEIVED, REVIEW, golden, numbers
from transforms.x12 import authorization, eligibility
from transforms.x12.ack import judge
from transforms.x12.coverage_state import information, service_types
from transforms.x12.envelope import parse
from transforms.x12.rows import Used
from transforms.x12.snip import faults


def found() -> eligibility.Answer:
    return eligibility.answer(golden("271-covered"), CHECK, PAYER, RECEIVED)


def benefit(kind: str, service_type: str) -> Benefit:
    """The one statement of this kind about this service type."""
    said = found().fields["benefits"]
    [one] = [one for one in said if information(one) == kind and service_type in service_types(one)]
    assert isinstance(one, Benefit)
    return one


def test_the_question() -> None:
    """A9: the 270 is written as it stands there."""
    written = eligibility.request(INQUIRY, PAYER, numbers(101), AT)

    assert () == written.problems
    assert golden("270-asked") == written.raw


def test_the_request() -> None:
    """A10: the 278 is written as it stands there."""
    written = authorization.request(REVIEW, PAYER, numbers(303), AT)

    assert () == written.problems
    assert golden("278-asked") == written.raw


def test_the_plan() -> None:
    """A9: matched by TRN02, active, with the plan, its begin, its group and the primary care provider."""
    answer = found()

    assert answer.matched
    assert ("completed", "complete", "active") == (answer.status, answer.fields["outcome"], answer.state)
    assert "GOLD HMO" == answer.fields["plan_name"]
    assert "GRP778" == answer.coverage["group_number"]
    assert "2026-01-01" == answer.coverage["start"]
    assert "MARCUS JONES" == answer.fields["primary_care"].name
    assert () == answer.exceptions


def test_what_the_patient_pays() -> None:
    """A9: a copay a visit, what is left of a deductible, and 20 % where EB08 says `.2`."""
    copay, deductible, share = benefit("B", "98"), benefit("C", "30"), benefit("A", "62")

    assert copay.amount
    assert deductible.amount
    assert copay.period
    assert deductible.period
    assert (Decimal("30.00"), "27", "Y") == (
        Decimal(copay.amount.amount),
        copay.period.codings[0].code,
        copay.in_network,
    )
    assert (Decimal("412.50"), "29") == (Decimal(deductible.amount.amount), deductible.period.codings[0].code)
    assert (Decimal("0.20"), None) == (Decimal(share.percent or "0"), share.amount)


def test_what_needs_leave() -> None:
    """A9: the MRI does, and the payer's words stand at that statement and at no other."""
    answer = found()

    assert ("62",) == answer.needs_authorization
    assert ("MRI REQUIRES PRIOR AUTHORIZATION",) == benefit("A", "62").messages
    assert 1 == sum(bool(one.messages) for one in answer.fields["benefits"])


def test_the_member_as_the_payer_has_him() -> None:
    """A9: the middle name is told, as a remark; no patch is about the patient."""
    answer = found()

    assert ("ROBERT", "L") == answer.fields["corrected_subscriber"].name.given
    assert [("DQ-MEMBER-CORRECTED", "information")] == [(one.code, one.severity) for one in answer.problems]
    assert {"eligibility", "coverage"} == {one.type for one in eligibility.patches(answer, CHECK)}


def test_the_decisions() -> None:
    """A10: one item approved with its number and span, one pended with its reason; the whole is pended."""
    answer = authorization.answer(golden("278-decided"), AUTHORIZATION, PAYER, RECEIVED)
    approved, pended = answer.decisions

    assert ("1", "approved", "AUTH778001") == (approved.key, approved.status, approved.number)
    assert ("2026-12-02", "2026-12-31") == (approved.start, approved.end)
    assert approved.quantity
    assert "1" == approved.quantity.value
    assert ("2", "pended", None) == (pended.key, pended.status, pended.number)
    assert ["0U"] == [one.codings[0].code for one in pended.reasons]
    assert "pended" == of_decisions("submitted", AUTHORIZATION.items, answer.decisions)
    assert not answer.final
    assert ("AUTH-PENDED",) == answer.exceptions


def test_every_vector_is_without_fault() -> None:
    """None of the four has anything that an acknowledgement would tell, or that we would not send."""
    for name in ("270-asked", "271-covered", "278-asked", "278-decided"):
        raw = golden(name)
        interchange = parse(raw)
        [group] = interchange.groups
        [transaction] = group.transactions

        assert "A" == judge(transaction, group, interchange.delimiters).code
        assert [] == faults(raw)


def test_lineage() -> None:
    """Each value names the element that it came from."""
    trace: list[Used] = []
    eligibility.answer(golden("271-covered"), CHECK, PAYER, RECEIVED, trace=trace)

    assert Used("benefits/4/percent", "2110C[5]/EB-08", "number") in trace
    assert Used("benefits/4/messages", "2110C[5]/MSG-01", "text") in trace
    assert Used("plan_dates/start", "2100C/DTP-03", "span") in trace
