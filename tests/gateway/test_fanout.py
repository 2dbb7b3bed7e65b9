"""Which subscriptions an event is for, and the id that its delivery has ever after."""

import pytest
from msgspec.structs import replace

from canonical.events import Event
from gateway.deliveries.fanout import deliveries_of, wants
from gateway.store.protocol import Subscription

EVENT = Event(
    id="evt_1", type="appointment.created", tenant="main", subject="apt_1", at=5, seq=7, patient="pat_1", feed="epic"
)
SUBSCRIPTION = Subscription(id="sub_1", tenant="main", client="partner", url="https://partner.example/")


@pytest.mark.parametrize(
    ("filter", "is_wanted"),
    [
        ({}, True),
        ({"tenant": "other"}, False),
        ({"types": ("appointment.created",)}, True),
        ({"types": ("patient.*", "appointment.*")}, True),
        ({"types": ("appointment",)}, False),
        ({"types": ("appoint.*",)}, False),
        ({"types": ()}, False),
        ({"feeds": ("epic",)}, True),
        ({"feeds": ("cerner",)}, False),
        ({"patients": ("pat_1",)}, True),
        ({"patients": ("apt_1",)}, True),
        ({"patients": ("pat_2",)}, False),
    ],
)
def test_filter(filter: dict[str, object], is_wanted: bool) -> None:
    """An event passes where tenant, type, feed and patient all do."""
    assert is_wanted == wants(replace(SUBSCRIPTION, **filter), EVENT)


def test_ids_are_pure() -> None:
    """The same event and subscription always give the same id, whenever they meet."""
    (one,), (later,) = deliveries_of(SUBSCRIPTION, [EVENT], 1), deliveries_of(SUBSCRIPTION, [EVENT], 2)
    (other,) = deliveries_of(replace(SUBSCRIPTION, id="sub_2"), [EVENT], 1)

    assert one.id == later.id
    assert one.id != other.id
    assert ("pat_1", 7) == (one.lane, one.seq)


def test_lane_without_a_patient() -> None:
    """Where there is no patient, the record is the lane."""
    (one,) = deliveries_of(SUBSCRIPTION, [replace(EVENT, patient=None)], 1)

    assert "apt_1" == one.lane
