"""A payer in a process of its own is asked and answers: the question is ours, the wire and the answers are real."""

import asyncio
import json
import sys
import uuid
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from canonical.apply import Cause
from canonical.datatypes import Identifier
from canonical.patches import Mapped, Patch, Said
from canonical.records import Authorization, EligibilityCheck, Record
from canonical.settle import Working, settle
from connectors.payer.client import PayerClient, Question, Reply
from tests.transforms.x12.story import AT, AUTHORIZATION, CHECK, COVERAGE, INQUIRY, PAYER, RECEIVED, REVIEW, numbers
from transforms.x12 import authorization, eligibility
from transforms.x12.delimiters import Delimiters
from transforms.x12.profile import Payer

SIMULATOR = Path(__file__).parents[1] / "simulators" / "payer.py"


@asynccontextmanager
async def payer() -> AsyncIterator[str]:
    """Where it listens; it is gone at the end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(SIMULATOR), "--pause", "0.2"), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout
    try:
        yield f"http://127.0.0.1:{json.loads(await process.stdout.readline())['port']}/core"
    finally:
        process.kill()
        await process.wait()


async def ask(url: str, kind: str, payload: bytes) -> bytes:
    """One question over the wire; the payload of the answer."""

    def anywhere(host: str, addresses: Iterable[str]) -> str | None:
        return None

    client = PayerClient(lambda url: None, anywhere, lambda: 0.0, lambda: 0.0)
    found = await client(
        Question(
            url=url,
            payload_type=kind,
            payload=payload,
            payload_id=str(uuid.uuid4()),
            sender="US",
            receiver="THEM",
        )
    )
    await client.close()
    assert isinstance(found, Reply), found.code
    assert "delivered" == found.kind
    return found.payload


def member(value: str) -> tuple[Identifier, ...]:
    return (Identifier(value=value, system=PAYER.members, type="MB"),)


async def inquire(url: str, who: str, profile: Payer = PAYER) -> eligibility.Answer:
    """A 270 about this member, and what its answer comes to."""
    asked = replace(INQUIRY, coverage=replace(COVERAGE, identifiers=member(who)))
    written = eligibility.request(asked, profile, numbers(), AT)
    assert written.raw
    raw = await ask(url, "X12_270_Request_005010X279A1", written.raw)
    return eligibility.answer(raw, CHECK, profile, RECEIVED, reference=INQUIRY.reference)


async def review(url: str, who: str) -> authorization.Answer:
    asked = replace(REVIEW, coverage=replace(COVERAGE, identifiers=member(who)))
    written = authorization.request(asked, PAYER, numbers(), AT)
    assert written.raw
    raw = await ask(url, "X12_278_Request_005010X217", written.raw)
    return authorization.answer(raw, AUTHORIZATION, PAYER, RECEIVED, reference=REVIEW.reference)


@pytest.mark.parametrize(
    ("who", "status", "state", "exceptions", "repeat"),
    [
        ("COVERED1", "completed", "active", (), "no"),
        ("NOTCOVERED1", "completed", "active", ("ELG-SERVICE-NOTCOVERED",), "no"),
        ("INACTIVE1", "completed", "inactive", ("ELG-INACTIVE",), "no"),
        ("NOBODY1", "completed", "not-found", ("ELG-NOTFOUND",), "other-keys"),
        ("BUSY1", "failed", "unknown", ("ELG-PAYER-DOWN",), "same"),
        ("CORRECTED1", "completed", "active", (), "no"),
        ("SLOW1", "completed", "active", (), "no"),
        ("REFUSED1", "failed", None, ("INT-ACK-NEG",), "no"),
        ("STRANGER1", None, None, ("INT-PARSE",), "no"),
        ("CUT1", None, None, ("INT-PARSE",), "no"),
        ("MISCOUNTED1", None, None, ("INT-PARSE",), "no"),
    ],
)
async def test_eligibility(
    who: str, status: str | None, state: str | None, exceptions: tuple[str, ...], repeat: str
) -> None:
    """Every way of answering comes to what DOMAIN 4.3 says, and what cannot be trusted to nothing."""
    async with payer() as url:
        found = await inquire(url, who)

    assert (status, state, exceptions, repeat) == (found.status, found.state, found.exceptions, found.repeat)


async def test_what_needs_leave_and_what_was_corrected() -> None:
    async with payer() as url:
        covered, corrected = await inquire(url, "COVERED1"), await inquire(url, "CORRECTED1")

    assert ({"98": "covered", "62": "covered"}, ("62",)) == (covered.services, covered.needs_authorization)
    assert None is covered.fields["corrected_subscriber"]
    assert ("CORINNA",) == corrected.fields["corrected_subscriber"].name.given
    assert "1950-12-24" == corrected.fields["corrected_subscriber"].birth_date


async def test_a_payer_with_other_delimiters() -> None:
    """Each side cuts at what the other wrote."""
    async with payer() as url:
        found = await inquire(url, "COVERED1", replace(PAYER, delimiters=Delimiters("|", ">", "!", "\n")))

    assert "active" == found.state


@pytest.mark.parametrize(
    ("who", "decisions", "exceptions"),
    [
        ("APPROVED1", {"1": "approved", "2": "approved"}, ()),
        ("DENIED1", {"1": "denied", "2": "denied"}, ("AUTH-DENIED",)),
        ("CONTACT1", {"1": "contact-payer", "2": "contact-payer"}, ("AUTH-CONTACT",)),
        ("NOBODY1", {}, ("AUTH-ERROR",)),
        ("REFUSED1", {}, ("INT-ACK-NEG",)),
        ("STRANGER1", {}, ("INT-PARSE",)),
    ],
)
async def test_authorization(who: str, decisions: dict[str, str], exceptions: tuple[str, ...]) -> None:
    async with payer() as url:
        found = await review(url, who)

    assert (decisions, exceptions) == ({one.key: one.status for one in found.decisions}, found.exceptions)


def settled(kind: str, record: Record, *told: list[Patch]) -> Record:
    """A record after what it was told, in this order."""
    working = Working()
    working.add(kind, record)
    working.add("coverage", COVERAGE)
    for clock, patches in enumerate(told, 1):
        cause = Cause(message=f"msg_{clock}", tenant="t1", feed="abc", clock=clock, received_at=clock)
        settle(working, Mapped(clock=clock, patches=patches), cause)
    return working.records[record.id]


async def test_pended_then_approved() -> None:
    """The first answer pends the whole, the later one approves it: each item by its own decision."""
    async with payer() as url:
        first, second = await review(url, "PENDED1"), await review(url, "PENDED1")
    submitted = [Patch(type="authorization", subject="aut_1", said=Said(status="submitted"))]
    told = [authorization.patches(one, AUTHORIZATION, RECEIVED) for one in (first, second)]
    pended = settled("authorization", AUTHORIZATION, submitted, told[0])
    approved = settled("authorization", AUTHORIZATION, submitted, *told)

    assert isinstance(pended, Authorization)
    assert isinstance(approved, Authorization)
    assert ("pended", ["approved", "pended"]) == (pended.status, [one.status for one in pended.decisions])
    assert ("approved", ["AUTH1", "AUTH2"]) == (approved.status, [one.number for one in approved.decisions])


async def test_the_check_is_completed() -> None:
    """The answer becomes part of the check, whose history is regular."""
    async with payer() as url:
        found = await inquire(url, "COVERED1")
    before = [
        [Patch(type="eligibility", subject="elg_1", said=Said(status=status))] for status in ("created", "submitted")
    ]
    check = settled("eligibility", CHECK, *before, eligibility.patches(found, CHECK))

    assert isinstance(check, EligibilityCheck)
    assert ("completed", "active", "GOLD HMO") == (check.status, check.coverage_state, check.plan_name)
