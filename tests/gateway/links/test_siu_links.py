"""An HL7 link: events about appointments arrive as SIU messages, acknowledged, in order, each once."""

from typing import Any

import pytest
from msgspec.structs import replace

from gateway.deliveries.resend import resend_one
from gateway.doors import Door
from tests.connectors.mllp.conftest import Papers
from tests.gateway.conftest import micros
from tests.gateway.links.conftest import Ehr, House
from tests.gateway.links.said import fields, siu


async def started(house: House, ehr: Ehr, **given: Any) -> House:
    """A house with one link to the EHR."""
    house.destination(mllp=f"127.0.0.1:{ehr.port}", events=("appointment.*",), **given)
    await house.start()
    return house


async def test_a_booking_arrives(house: House, ehr: Ehr) -> None:
    """What one feed says of an appointment the receiver hears as an SIU of ours; how it answered is kept."""
    await started(house, ehr, receiving_application="LAB")
    await house.hear(siu(1), siu(2, "S13", 15, "F1"), siu(3, "S14", 15, "F1"), siu(4, "S15", 15, "F1"))
    await house.idle()

    (delivery, *_) = await house.deliveries()
    (attempt,) = await house.store.attempts("main", delivery.id)
    heads = [fields(raw, "MSH") for raw in ehr.received()]
    assert ["SIU^S12^SIU_S12", "SIU^S13^SIU_S12", "SIU^S15^SIU_S12"] == [head[8] for head in heads]
    assert ["LAB"] * 3 == [head[4] for head in heads]
    assert delivery.id[-20:] == heads[0][9]
    assert ("delivered", "ack_aa", 1) == (delivery.state, attempt.outcome, attempt.number)
    assert (attempt.answer or "").startswith("MSH|")


async def test_accept_mode(house: House, ehr: Ehr) -> None:
    """In enhanced mode the message asks for an accept acknowledgement, and CA is enough."""
    await started(house, ehr, acknowledge="accept")
    await house.hear(siu(1))
    await house.idle()

    (delivery,) = await house.deliveries()
    assert ["AL", "NE"] == fields(ehr.received()[0], "MSH")[14:16]
    assert ("delivered", "ack_ca") == (delivery.state, delivery.outcome)


async def test_no_echo(house: House, ehr: Ehr) -> None:
    """A peer is not told what its own feed said, unless its file asks for that."""
    await started(house, ehr)
    await house.hear(siu(1), feed=house.named("lab"))
    await house.hear(siu(2))
    await house.idle()

    assert ["F2^^urn:x-main:east:EPICSCH^URI"] == [fields(raw, "SCH")[2] for raw in ehr.received()]


@pytest.mark.parametrize(
    ("rule", "outcome", "tries"),
    [
        ({"as": "AE", "errors": [103]}, "ack_ae", 1),
        ({"as": "AE"}, "ack_ae", 1),
        ({"as": "CE", "errors": [101]}, "ack_ce", 1),
        ({"as": "AR", "errors": [200]}, "ack_ar", 1),
        ({"as": "AR", "errors": [207]}, "tries_used_up", 4),
        ({"as": "CR"}, "tries_used_up", 4),
        ({"as": "AE", "errors": [206]}, "tries_used_up", 4),
    ],
)
async def test_what_is_refused(house: House, ehr: Ehr, rule: dict[str, object], outcome: str, tries: int) -> None:
    """What is about the content is parked at once, what is about the moment after the last try; a task says so."""
    ehr.behaves(**rule)
    await started(house, ehr)
    await house.hear(siu(1))
    await house.idle()

    (delivery,) = await house.deliveries()
    (task,) = (await house.store.tasks("main", "ready", "delivery", None, 10)).items
    assert ("parked", outcome, tries) == (delivery.state, delivery.outcome, delivery.attempts)
    assert [delivery.id[-20:]] * tries == ehr.attempts()
    assert ("DLV-PARKED", delivery.subscription) == (task.code, task.subject)


@pytest.mark.parametrize("how", ["foreign", "silent", "half", "hang_up", "huge"])
async def test_what_may_have_arrived(house: House, ehr: Ehr, how: str) -> None:
    """An answer that is none, or none of ours, leaves open what became of it: it goes out again under one id."""
    ehr.behaves(**{"as": how, "times": 1})
    await started(house, ehr, timeout_seconds=0.5)
    await house.hear(siu(1))
    await house.idle()

    (delivery,) = await house.deliveries()
    first, second = await house.store.attempts("main", delivery.id)
    assert ("delivered", 2) == (delivery.state, delivery.attempts)
    assert first.outcome in ("ack_foreign", "ack_timeout", "connection_closed")
    assert "ack_aa" == second.outcome
    assert {"accepted": 1, "duplicates": 1} == {name: ehr.counts()[name] for name in ("accepted", "duplicates")}


async def test_what_may_have_arrived_is_not_repeated(house: House, ehr: Ehr) -> None:
    """Where the receiver would take it for a second message, a person decides."""
    ehr.behaves(**{"as": "hang_up", "times": 1})
    await started(house, ehr, deduplicates=False)
    await house.hear(siu(1))
    await house.idle()

    (delivery,) = await house.deliveries()
    assert ("parked", "ambiguous", 1) == (delivery.state, delivery.outcome, delivery.attempts)


async def test_down_then_up(house: House, ehr: Ehr) -> None:
    """While nobody is there no try is used up, and nothing overtakes: once it is up all of it comes, in order."""
    ehr.behaves(**{"as": "hang_up"})
    other = Ehr()
    port = other.port
    other.stop()
    house.destination(mllp=f"127.0.0.1:{port}", events=("appointment.*",))
    await house.start()
    await house.hear(*(siu(n) for n in range(1, 6)))

    async def waits() -> bool:
        found = await house.deliveries(state="pending")
        return len(found) == 5 and found[0].outcome == "connect_failed"

    await house.until(waits)
    up = Ehr("--port", str(port))
    await house.idle()
    received, counts = up.received(), up.counts()
    up.stop()

    assert [f"F{n}" for n in range(1, 6)] == [fields(raw, "SCH")[2].partition("^")[0] for raw in received]
    assert 1 == counts["connections"], "the connection stays open between messages"
    assert {1} == {one.attempts for one in await house.deliveries()}


async def test_order_behind_a_failure(house: House, ehr: Ehr) -> None:
    """What follows waits for what is tried again."""
    ehr.behaves(**{"as": "AR", "times": 2})
    await started(house, ehr)
    await house.hear(*(siu(n) for n in range(1, 5)))
    await house.idle()

    first, *others = (one.id[-20:] for one in await house.deliveries())
    assert [first] * 3 + others == ehr.attempts()


async def test_held_and_released(house: House, ehr: Ehr) -> None:
    """What is held waits in order; once it is released it goes out."""
    await started(house, ehr)
    (one,) = await house.subscriptions()
    await house.store.put_subscription(replace(one, state="paused", paused_at=micros(), version=2), 1)
    house.worker.refresh()
    await house.hear(siu(1), siu(2))

    async def waits() -> bool:
        return len(await house.deliveries(state="pending")) == 2

    await house.until(waits)
    assert [] == ehr.attempts()
    (one,) = await house.subscriptions()
    await house.store.put_subscription(
        replace(one, state="active", paused_at=None, version=one.version + 1), one.version
    )
    house.worker.refresh()
    await house.idle()

    assert [one.id[-20:] for one in await house.deliveries()] == ehr.attempts()


async def test_sent_again(house: House, ehr: Ehr) -> None:
    """A resend has the same control id and the same bytes."""
    await started(house, ehr)
    await house.hear(siu(1))
    await house.idle()
    (delivery,) = await house.deliveries()
    assert await resend_one(house.store, "main", delivery.id, micros())
    house.worker.refresh()
    await house.until(lambda: len(ehr.attempts()) == 2)

    assert [delivery.id[-20:]] * 2 == ehr.attempts()
    assert 1 == ehr.counts()["duplicates"]


async def test_the_event_s_own_version(house: House, ehr: Ehr) -> None:
    """What was booked for nine and moved since is told as it was, and then as it is."""
    await started(house, ehr)
    (one,) = await house.subscriptions()
    await house.store.put_subscription(replace(one, state="paused", version=2), 1)
    house.worker.refresh()
    await house.hear(siu(1), siu(2, "S13", 15, "F1"))
    (one,) = await house.subscriptions()
    await house.store.put_subscription(replace(one, state="active", version=one.version + 1), one.version)
    house.worker.refresh()
    await house.idle()

    assert ["20261202090000-0500", "20261202091500-0500"] == [fields(raw, "TQ1")[7] for raw in ehr.received()]


async def test_mutual_tls(house: House, papers: Papers) -> None:
    """A destination shows its certificate, trusts the receiver's CA, and is told by a feed of ours that it was kept."""
    east = replace(house.feed.settings, certificate=papers.server, private_key=papers.server, client_ca=papers.ca)
    house.destination(
        mllp="127.0.0.1:0",
        events=("appointment.*",),
        ca=papers.ca,
        certificate=papers.client,
        private_key=papers.client,
    )
    await house.start()
    door = Door([replace(house.named("west"), settings=replace(east, mllp="127.0.0.1:0"))], house.pipeline)
    await door.open()
    (lab,) = house.site.destinations
    there = replace(lab.settings, mllp=f"127.0.0.1:{door.listener.port}", feeds=("east",))
    house.site = replace(house.site, destinations=(replace(lab, settings=there),))
    await house.restart()
    door.pipeline = house.pipeline
    await house.hear(siu(1))
    await house.idle()
    feeds = {one.feed: one.state for one in await house.messages()}
    await door.listener.drain(1)

    assert {"east": "applied", "west": "applied"} == feeds
    assert ["delivered"] == [one.state for one in await house.deliveries()]
