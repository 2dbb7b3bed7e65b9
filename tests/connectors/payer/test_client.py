"""The client against a payer in a process of its own: real CORE envelopes, real X12, real failures."""

import asyncio
import json
import sys
import uuid
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from canonical.outcome import Outcome
from connectors.payer.client import PayerClient, Question, Reply
from connectors.payer.core import outcome_of_error

SIMULATOR = Path(__file__).parents[2] / "simulators" / "payer.py"
GOLDEN = Path(__file__).parents[2] / "golden" / "x12"
ASKED = "X12_270_Request_005010X279A1"


class Peer:
    """The process, and where it listens."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.process, self.port = process, port
        self.url = f"http://127.0.0.1:{port}/core"

    async def asked(self) -> list[dict[str, str]]:
        async with httpx.AsyncClient() as http:
            found: list[dict[str, str]] = (await http.get(f"http://127.0.0.1:{self.port}/asked")).json()
            return found


@asynccontextmanager
async def payer(pause: float = 30.0) -> AsyncIterator[Peer]:
    """A payer that is gone at the end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(SIMULATOR), "--pause", str(pause)), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout
    try:
        yield Peer(process, json.loads(await process.stdout.readline())["port"])
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


class Ticks:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def client(ticks: Ticks, seconds: float = 20.0) -> AsyncIterator[PayerClient]:
    def anywhere(host: str, addresses: Iterable[str]) -> str | None:
        return None

    made = PayerClient(lambda url: None, anywhere, lambda: 1_795_255_200.0, ticks, timeout=seconds, connect_timeout=5.0)
    yield made
    await made.close()


def question(url: str, member: str, **given: object) -> Question:
    """The 270 of Annex A9 about this member."""
    payload = (GOLDEN / "270-asked.x12").read_bytes().replace(b"W11122333301", member.encode())
    return Question(
        url=url,
        payload_type=ASKED,
        payload=payload,
        payload_id=str(uuid.uuid4()),
        sender="US",
        receiver="THEM",
        **given,  # type: ignore[arg-type]
    )


async def outcome(member: str, seconds: float = 20.0, **given: object) -> Outcome:
    """How a question about this member ends."""
    async with payer() as peer, client(Ticks(), seconds) as ask:
        return await ask(question(peer.url, member, **given))


async def test_an_answer() -> None:
    """The payload comes as it was sent, with what CORE wants kept: ids and times of both envelopes."""
    async with payer() as peer, client(Ticks()) as ask:
        asked = question(peer.url, "COVERED1")
        found = await ask(asked)
        [heard] = await peer.asked()

    assert isinstance(found, Reply)
    assert ("delivered", "http_200", "X12_271_Response_005010X279A1") == (found.kind, found.code, found.payload_type)
    assert found.payload.startswith(b"ISA*")
    assert found.payload.endswith(b"IEA*1*000000777~")
    assert "2026-11-21T10:00:00Z" == found.sent_at == found.answered_at
    assert asked.payload_id == heard["payloadId"]
    assert uuid.UUID(found.payload_id)


@pytest.mark.parametrize(
    ("member", "kind", "code"),
    [
        ("DOWN", "transient", "http_503"),
        ("DROP", "ambiguous", "disconnected"),
        ("GARBLED", "ambiguous", "answer_garbled"),
        ("ACCEPTED", "ambiguous", "no_answer"),
        ("ENVELOPE", "permanent", "core_payloadtype_notsupported"),
        ("RECEIVER", "transient", "core_receiver"),
        ("REFUSED", "delivered", "http_200"),
        ("CUT", "delivered", "http_200"),
    ],
)
async def test_outcomes(member: str, kind: str, code: str) -> None:
    """The class says whether asking again can help; what the payload says is not asked here."""
    found = await outcome(member)

    assert (kind, code) == (found.kind, found.code)


async def test_a_question_that_changes_nothing() -> None:
    """It may be asked again where its fate is unknown; a request for leave may not."""
    assert "transient" == (await outcome("DROP", changes_nothing=True)).kind
    assert "ambiguous" == (await outcome("DROP")).kind


async def test_no_answer_in_time() -> None:
    """A slow payer may have taken the question."""
    found = await outcome("SLOW", seconds=0.5)

    assert ("ambiguous", "read_timeout") == (found.kind, found.code)


async def test_nobody_there() -> None:
    """Nothing was sent, so nothing has to be waited for."""
    async with payer() as peer:
        url = peer.url
    async with client(Ticks()) as ask:
        found = await ask(question(url, "COVERED"))

    assert ("transient", "connect_failed", None) == (found.kind, found.code, found.retry_after)


async def test_a_payer_that_is_killed_while_it_thinks() -> None:
    """The connection ends without an answer: the payer may have taken the question."""
    async with payer() as peer, client(Ticks()) as ask:
        asking = asyncio.create_task(ask(question(peer.url, "SLOW")))
        while not await peer.asked():  # noqa: ASYNC110 - it is another process
            await asyncio.sleep(0.01)
        peer.process.kill()
        found = await asking

    assert ("ambiguous", "disconnected") == (found.kind, found.code)


async def test_not_again_within_ninety_seconds() -> None:
    """What may have arrived is not sent again before its time, and the outcome says when that is."""
    ticks = Ticks()
    async with payer() as peer, client(ticks) as ask:
        asked = question(peer.url, "DOWN", changes_nothing=True)
        first = await ask(asked)
        ticks.now += 89.0
        early = await ask(asked)
        ticks.now += 1.0
        late = await ask(asked)
        heard = await peer.asked()

    assert 90.0 == first.retry_after  # the payer's own 7 are too few
    assert ("resend_too_early", False, 1.0) == (early.code, early.attempted, early.retry_after)
    assert ("http_503", True) == (late.code, late.attempted)
    assert 2 == len(heard)


async def test_a_question_that_never_left_may_leave_at_once() -> None:
    """The ninety seconds count from what was sent."""
    async with payer() as peer:
        url = peer.url
    async with client(Ticks()) as ask:
        asked = question(url, "COVERED")
        await ask(asked)
        again = await ask(asked)

    assert "connect_failed" == again.code


async def test_addresses_are_judged() -> None:
    """A URL and an address that may not be reached are not."""

    def nowhere(host: str, addresses: Iterable[str]) -> str | None:
        return "address_private"

    ask = PayerClient(lambda url: None if url.startswith("http") else "url_scheme", nowhere, lambda: 0.0, lambda: 0.0)
    inner = await ask(question("http://127.0.0.1:9/core", "COVERED"))
    named = await ask(question("http://localhost:9/core", "COVERED"))
    other = await ask(question("ftp://127.0.0.1/core", "COVERED"))
    await ask.close()

    assert ["address_private", "address_private", "url_scheme"] == [one.code for one in (inner, named, other)]
    assert {"permanent"} == {one.kind for one in (inner, named, other)}


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("PayloadIDRequired", ("permanent", "core_payloadid_required")),
        ("UnAuthorized", ("permanent", "core_unauthorized")),
        ("Receiver", ("transient", "core_receiver")),
        ("SMITH ROBERT", ("permanent", "core_error")),
        ("", ("permanent", "core_error")),
    ],
)
def test_envelope_errors(code: str, expected: tuple[str, str]) -> None:
    """Known codes by their class; what a payer makes up is not repeated."""
    assert expected == outcome_of_error(code)
