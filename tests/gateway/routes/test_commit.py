"""What the commit promises where it goes wrong: the store is full, one of a group is poison, the feed refuses."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from msgspec.structs import replace

from canonical.events import Event
from gateway.clock import MICROS
from gateway.site.settings import Feed
from gateway.store.protocol import Batch, Unavailable, Unit
from tests.gateway.routes.conftest import Gate, micros
from tests.gateway.routes.said import booking, merge, pid


async def limit_pages(gate: Gate, more: int) -> None:
    """Let the database grow by so many pages and no further, as on a disk that is full."""
    writer = gate.store._writer
    (pages,) = writer.execute("PRAGMA page_count").fetchone()
    writer.execute(f"PRAGMA max_page_count = {pages + more}")


async def checks(gate: Gate) -> tuple[int, Any]:
    """What a probe of readiness hears."""
    answer = await gate.http.get("/health/ready")
    return answer.status_code, answer.json()["checks"]


async def test_not_ready_while_nothing_can_be_kept(gate: Gate) -> None:
    """From the first message that could not be kept until a write succeeds, there is no readiness."""
    await gate.hear(booking(1))
    before = await checks(gate)
    await limit_pages(gate, 0)
    answers = await gate.hear(*(booking(n, patient=n) for n in range(2, 5)))
    full = await checks(gate)
    await limit_pages(gate, 100_000)
    gate.pipeline.clock = lambda: micros() + MICROS
    after = await checks(gate)

    assert {b"MSA|AR"} == {one.payload[one.payload.find(b"MSA") :][:6] for one in answers if one.payload}
    assert (200, "ok") == (before[0], before[1]["store"])
    assert (503, "unwritable") == (full[0], full[1]["store"])
    assert before == after


async def test_many_probes_are_one_write(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks, and however often: in a second one write is tried, and all hear how that one went."""
    gate.pipeline.is_failing = True
    tries: list[str] = []

    async def refused(name: str, value: str | None) -> None:
        tries.append(name)
        raise Unavailable("full")

    monkeypatch.setattr(gate.store, "set_switch", refused)
    now = micros()
    gate.pipeline.clock = lambda: now
    together = await asyncio.gather(*(checks(gate) for _ in range(20)))
    first = len(tries)
    gate.pipeline.clock = lambda: now + MICROS
    await checks(gate)

    assert {(503, "unwritable")} == {(status, found["store"]) for status, found in together}
    assert [1, 2] == [first, len(tries)]


async def test_a_held_intake_is_ready(gate: Gate) -> None:
    """Who holds intake is told by the body; the API goes on, so there is no reason to take the process out."""
    await gate.post("/v1/intake/pause")

    assert (200, "paused") == ((await checks(gate))[0], (await checks(gate))[1]["intake"])


class Poisoned:
    """A store that fails every commit in which a certain message is."""

    def __init__(self, gate: Gate, poison: str) -> None:
        self.inner, self.poison = gate.store, poison

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    @asynccontextmanager
    async def unit(self) -> AsyncIterator["Poisoned._Unit"]:
        async with self.inner.unit() as unit:
            yield Poisoned._Unit(unit, self.poison)

    class _Unit:
        def __init__(self, unit: Unit, poison: str) -> None:
            self.load, self.seen, self._unit, self._poison = unit.load, unit.seen, unit, poison

        async def commit(self, batch: Batch) -> Sequence[Event]:
            if self._poison in {one.control_id for one in batch.messages}:
                raise ValueError("poison")
            return await self._unit.commit(batch)


async def test_what_one_try_found_is_forgotten_by_the_next(gate: Gate) -> None:
    """A merge that only contradicts one that was never kept is applied once it stands alone."""
    await gate.hear(booking(1, patient=1), booking(2, patient=2))
    gate.pipeline.store = Poisoned(gate, "M1-2")  # type: ignore[assignment]  # the store, but for one message

    first, second = await asyncio.gather(
        *(gate.pipeline.accept(gate.feed(), one) for one in (merge(1, 2), merge(2, 1, at="20261121100001-0500")))
    )
    kept = (await gate.get("/v1/messages", params={"controlId": "M2-1"}))["items"]

    assert (False, True) == (b"MSA|AA" in (first.payload or b""), b"MSA|AA" in (second.payload or b""))
    assert ["applied"] == [one["state"] for one in kept]
    assert "PAT-MERGE-CONFLICT" not in [one["code"] for one in kept[0]["problems"]]
    assert [] == (await gate.get("/v1/tasks"))["items"]


async def said(gate: Gate, feed: Feed, kind: str, *segments: str) -> list[str]:
    """The MSA and ERR segments that answer a message of this type."""
    head = f"MSH|^~\\&|A|NORTH|H|H|20261121120000-0500||{kind}|X{kind}{len(segments)}|T|2.5.1"
    answer = await gate.pipeline.accept(feed, "\r".join((head, *segments, "")).encode())
    return [line for line in (answer.payload or b"").decode().split("\r") if line.startswith(("MSA", "ERR"))]


@pytest.mark.parametrize(
    ("kind", "number"), [("ORU^R01", "200^Unsupported message type"), ("ADT^A60", "201^Unsupported event code")]
)
async def test_a_refusal_says_what_is_unsupported(gate: Gate, kind: str, number: str) -> None:
    """Where a feed refuses what is outside the model, it says whether that is the type or the event."""
    feed = gate.feed()
    strict = replace(feed, settings=replace(feed.settings, unmapped="AR"))

    msa, err = await said(gate, strict, kind, pid(1))

    assert msa.startswith("MSA|AR")
    assert f"|{number}^HL70357|E" in err


async def test_a_merge_in_a_circle_names_an_unknown_key(gate: Gate) -> None:
    """AE with 204: the two are one already, the other way round."""
    await gate.hear(booking(1, patient=1), booking(2, patient=2), merge(1, 2))

    (answer,) = await gate.hear(merge(2, 1, at="20261121110000-0500"))

    assert b"MSA|AE" in (answer.payload or b"")
    assert b"204^Unknown key identifier" in (answer.payload or b"")
