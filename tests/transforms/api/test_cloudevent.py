"""The body of a webhook: attributes of CloudEvents 1.0.2, thin or with data."""

import json
import re

import pytest

from canonical.events import Event
from transforms.api.cloudevent import cloud_event, encode, instant

EVENT = Event(
    id="evt_1",
    type="appointment.resource_added",
    tenant="main",
    subject="apt_1",
    at=1_800_000_000_000_000,
    seq=7,
    patient="pat_1",
    version=3,
    message="msg_1",
    feed="epic",
)


def test_thin() -> None:
    """A thin event says what changed and where to read it, and nothing of whom."""
    assert {
        "specversion": "1.0",
        "id": "evt_1",
        "source": "/v1/events",
        "type": "appointment.resource_added",
        "time": "2027-01-15T08:00:00Z",
        "subject": "apt_1",
        "seq": 7,
        "version": 3,
    } == json.loads(encode(cloud_event(EVENT)))


def test_full() -> None:
    """Data comes with its content type."""
    body = json.loads(encode(cloud_event(EVENT, {"status": "booked"})))

    assert ({"status": "booked"}, "application/json") == (body["data"], body["datacontenttype"])


def test_names() -> None:
    """Attribute names are lower-case letters and digits (CloudEvents 1.0.2 section 3)."""
    assert all(re.fullmatch("[a-z0-9]{1,20}", name) for name in json.loads(encode(cloud_event(EVENT, {}))))


@pytest.mark.parametrize(
    ("micros", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_800_000_000_000_001, "2027-01-15T08:00:00.000001Z"),
        (-1_000_000, "1969-12-31T23:59:59Z"),
    ],
)
def test_instants(micros: int, text: str) -> None:
    """Instants are RFC 3339 in UTC."""
    assert text == instant(micros)
