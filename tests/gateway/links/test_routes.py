"""Routes: messages are sent on as they came, byte for byte, mapped or not, in the order of their feed."""

from typing import Any

import pytest
from msgspec.structs import replace

from gateway.deliveries.declared import UNDECLARED
from gateway.replaying import replay
from gateway.site.outward import EditSettings
from gateway.site.settings import Site
from tests.gateway.conftest import micros
from tests.gateway.links.conftest import Ehr, House
from tests.gateway.links.said import er7, fields, oru, siu

ODD = b"MSH$%?#@$LAB$EAST$HUB$HUB$20261121090000$$ORU%R01$ODD1$P$2.3\nPID$1$$P1\r\nZZZ$kept$$$\n\nOBX$1$ST$$$a#F#b\r"


async def started(house: House, ehr: Ehr, **given: Any) -> House:
    """A house with one route to the EHR."""
    house.destination(mllp=f"127.0.0.1:{ehr.port}")
    house.route(to=("lab",), **given)
    await house.start()
    return house


async def routed(house: House) -> int:
    """How many events there are about messages as they came."""
    return len(await house.store.events("main", 0, 1000, ("message.received",)))


async def test_byte_for_byte(house: House, ehr: Ehr) -> None:
    """Odd delimiters, unknown segments, wrong line ends: what goes out is what came in."""
    await started(house, ehr)
    sent = [oru(1), ODD, siu(2), oru(3, family="M\xfcLLER")]
    await house.hear(*sent)
    await house.idle()

    assert sent == ehr.received()
    assert {"delivered"} == {one.state for one in await house.deliveries()}


async def test_which_messages(house: House, ehr: Ehr) -> None:
    """Applied, unmapped and parked ones are sent on; what was refused or came again is not."""
    await started(house, ehr)
    parked = er7(r"MSH|^~\&|EPIC|EAST|H|H|20261121090000||ADT^A01|PK1|P|2.5.1", "EVN|A01", "PID|1", "PV1|1|I")
    refused = rb"MSH|^~\&|EPIC|EAST|H|H|20261121090000|||RF1|P|2.5.1" + b"\r"
    await house.hear(siu(1), oru(2), parked, refused, oru(2), siu(1))
    await house.idle()

    states = {one.control_id: one.state for one in await house.messages()}
    assert {"S1": "applied", "R2": "unmapped", "PK1": "parked", "RF1": "refused"} == states
    assert ["S1", "R2", "PK1"] == ehr.attempts()


@pytest.mark.parametrize(
    ("wanted", "came"),
    [
        ({"types": ("ORU",)}, ["R1", "R2"]),
        ({"types": ("SIU^S12",)}, ["S3"]),
        ({"types": ("MDM", "SIU^S13")}, ["S4"]),
        ({"senders": ("LAB|EAST",)}, ["R1", "R2"]),
        ({"keys": {"order": ("8", "9")}}, ["R2"]),
        ({"keys": {"name": ("Doe",), "identifier": ("P1",)}}, ["R1", "S3", "S4"]),
        ({"feeds": ("east",), "types": ("ORU",), "keys": {"order": ("9",)}}, []),
        ({}, ["R1", "R2", "S3", "S4"]),
    ],
)
async def test_filters(house: House, ehr: Ehr, wanted: dict[str, Any], came: list[str]) -> None:
    """What a route asks for must all hold; what no route wants leaves no trace in the log."""
    await started(house, ehr, **wanted)
    await house.hear(oru(1), oru(2, "8"), siu(3), siu(4, "S13", 15, "F3"))
    await house.idle()

    assert came == ehr.attempts()
    assert len(came) == await routed(house)


async def test_without_routes(house: House, ehr: Ehr) -> None:
    """Where there are none, a message leaves no row of this kind."""
    house.destination(mllp=f"127.0.0.1:{ehr.port}")
    await house.start()
    await house.hear(oru(1), siu(2))

    assert 0 == await routed(house)
    assert [] == await house.subscriptions()


async def test_edits(house: House, ehr: Ehr) -> None:
    """What a file says is changed, and nothing else; an answer is found by the control id all the same."""
    edits = (
        EditSettings(set="MSH-5", value="LAB|7"),
        EditSettings(copy="OBR-2", to="OBR-18"),
        EditSettings(drop="PID-8"),
        EditSettings(drop="ORC"),
    )
    await started(house, ehr, edits=edits)
    await house.hear(oru(1))
    await house.idle()

    (raw,) = ehr.received()
    assert r"LAB\F\7" == fields(raw, "MSH")[4]
    assert ["7", ""] == [fields(raw, "OBR")[18], fields(raw, "PID")[8]]
    assert b"\rORC" not in raw
    assert fields(oru(1), "OBX") == fields(raw, "OBX")


async def test_two_destinations(house: House, ehr: Ehr) -> None:
    """Each has a queue of its own: one that is down holds up no other."""
    other = Ehr()
    house.destination("lab", mllp=f"127.0.0.1:{ehr.port}")
    house.destination("archive", mllp=f"127.0.0.1:{other.port}")
    house.route(to=("lab", "archive"))
    ehr.behaves(**{"as": "down"})
    await house.start()
    await house.hear(oru(1), oru(2))
    await house.until(lambda: len(other.received()) == 2)
    assert [] == ehr.received()
    ehr.behaves()
    await house.idle()
    other.stop()

    assert [oru(1), oru(2)] == ehr.received()


async def test_over_http(house: House) -> None:
    """A URL gets the bytes as application/hl7-v2; an acknowledgement in the answer decides as over MLLP."""
    ehr = Ehr("--http")
    house.destination(http=f"http://127.0.0.1:{ehr.port}/hl7", deduplicates=True)
    house.route(to=("lab",))
    await house.start()
    await house.hear(oru(1))
    await house.idle()
    ehr.behaves(**{"as": "AE"})
    await house.hear(oru(2))
    await house.idle()
    received = ehr.received()
    ehr.stop()

    assert [oru(1)] == received
    assert [("delivered", "ack_aa"), ("parked", "ack_ae")] == [
        (one.state, one.outcome) for one in await house.deliveries()
    ]


async def test_too_large(house: House, ehr: Ehr) -> None:
    """What is longer than the receiver takes is parked, and never sent."""
    house.destination(mllp=f"127.0.0.1:{ehr.port}", max_bytes=1024)
    house.route(to=("lab",))
    await house.start()
    await house.hear(oru(1, family="X" * 2000), oru(2))
    await house.idle()

    assert ["R2"] == ehr.attempts()
    assert [("parked", "too_large"), ("delivered", "ack_aa")] == [
        (one.state, one.outcome) for one in await house.deliveries()
    ]


async def test_a_sender_that_wants_no_answer(house: House, ehr: Ehr) -> None:
    """A message that forbids acknowledgements (NE, NE) is sent, and none is waited for."""
    await started(house, ehr)
    raw = oru(1).replace(b"|P|2.5.1", b"|P|2.5.1|||NE|NE")
    await house.hear(raw)
    await house.idle()

    await house.until(lambda: [raw] == ehr.received())
    assert ["sent_without_ack"] == [one.outcome for one in await house.deliveries()]


async def test_a_replay_sends_nothing(house: House, ehr: Ehr) -> None:
    """A message that is read again was sent on when it came."""
    await started(house, ehr)
    await house.hear(oru(1))
    await house.idle()
    (kept,) = await house.messages()
    whole = await house.store.message("main", kept.id)
    assert whole is not None
    await replay(house.pipeline, whole, house.feed)
    await house.idle()

    assert 1 == await routed(house)
    assert ["R1"] == ehr.attempts()


async def test_order_of_patients(house: House, ehr: Ehr) -> None:
    """By patient, a message about another patient need not wait; what names none is in the order of its feed."""
    await started(house, ehr, order="patient")
    await house.hear(siu(1), oru(2), siu(3))
    await house.idle()

    (one, two, three) = await house.deliveries()
    assert one.lane.startswith("pat_")
    assert (one.lane, "feed:east") == (three.lane, two.lane)


async def test_a_file_that_goes_and_comes_back(house: House, ehr: Ehr) -> None:
    """Its subscription is disabled meanwhile and stays where it is, so that nothing is lost."""
    await started(house, ehr)
    await house.hear(oru(1))
    await house.idle()
    site = house.site
    house.site = Site()
    await house.restart()
    (gone,) = await house.subscriptions()
    assert ("disabled", UNDECLARED) == (gone.state, gone.reason)
    house.site = site
    await house.stop()
    await house.start()
    (back,) = await house.subscriptions()
    await house.hear(oru(2))
    await house.idle()

    assert ("active", None, gone.id) == (back.state, back.reason, back.id)
    assert ["R1", "R2"] == ehr.attempts()


async def test_a_start_changes_nothing_twice(house: House, ehr: Ehr) -> None:
    """Files that say the same make no new version, and what a person holds stays held."""
    await started(house, ehr)
    before = await house.subscriptions()
    await house.restart()

    assert before == await house.subscriptions()


async def test_a_new_destination_begins_now(house: House, ehr: Ehr) -> None:
    """What came before a file was written is not sent."""
    await started(house, ehr)
    await house.hear(oru(1))
    await house.idle()
    other = Ehr()
    house.destination("archive", mllp=f"127.0.0.1:{other.port}")
    house.route("copies", to=("archive",))
    await house.restart()
    await house.hear(oru(2))
    await house.idle()
    received = other.received()
    other.stop()

    assert [oru(2)] == received


async def test_a_message_whose_time_is_over(house: House, ehr: Ehr) -> None:
    """What was taken away before it could be sent is parked, and nothing is sent in its place."""
    await started(house, ehr)
    (one,) = await house.subscriptions()
    await house.store.put_subscription(replace(one, state="paused", version=2), 1)
    house.worker.refresh()
    await house.hear(oru(1))
    await house.store.purge_messages("main", await house.store.old_messages("main", (0, 0), micros() + 1, 10))
    await house.store.put_subscription(replace(one, version=3), 2)
    house.worker.refresh()
    await house.idle()

    assert [("parked", "subject_gone")] == [(each.state, each.outcome) for each in await house.deliveries()]
    assert [] == ehr.attempts()
