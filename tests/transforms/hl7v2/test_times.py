"""Times keep the precision and the wall clock they were sent with, and say what had to be assumed."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.hl7v2.times import BadTime, Policy, instant, parse_dtm, partial_date, rfc3339

NEW_YORK = ZoneInfo("America/New_York")
WINTER = -300  # what MSH-7 says in November


def read(text: str, msh_offset: int | None = None, policy: Policy = "zone", zone: ZoneInfo | None = NEW_YORK) -> str:
    """An instant and its codes in one line."""
    moment = parse_dtm(text)
    assert moment is not None
    value, codes = instant(moment, zone, msh_offset, policy)
    return " ".join([rfc3339(value) if value else "-", *codes])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("202612020930", "2026-12-02T14:30:00Z"),
        ("2026120209", "2026-12-02T14:00:00Z"),
        ("20261202093000", "2026-12-02T14:30:00Z"),
        ("20261202093000.5", "2026-12-02T14:30:00.5Z"),
        ("20261202093000.1234+0215", "2026-12-02T07:15:00.1234Z"),
        ("20261202093000.123456+0000", "2026-12-02T09:30:00.123456Z"),
        ("20270715093000", "2027-07-15T13:30:00Z"),
        ("20261101013000", "2026-11-01T05:30:00Z DQ-DST"),
        ("20270314023000", "2027-03-14T07:30:00Z DQ-DST"),
        ("202612020000", "2026-12-02T05:00:00Z"),
        ("202612022400", "2026-12-03T05:00:00Z data-type-error"),
        ("20261231240000", "2027-01-01T05:00:00Z data-type-error"),
        ("20261202", "- DQ-PRECISION"),
        ("202612", "- DQ-PRECISION"),
        ("2026", "- DQ-PRECISION"),
        ("20261202-0500", "- DQ-PRECISION"),
        ("99991231235959", "- data-type-error"),
    ],
)
def test_instants(text: str, expected: str) -> None:
    """The vectors of annex A7 in New York, with a November MSH-7 that must not move a July appointment."""
    assert expected == read(text, msh_offset=WINTER)


@pytest.mark.parametrize(
    ("policy", "zone", "msh", "text", "expected"),
    [
        ("zone", NEW_YORK, WINTER, "20270715093000", "2027-07-15T13:30:00Z"),
        ("spec", NEW_YORK, WINTER, "20270715093000", "2027-07-15T14:30:00Z"),
        ("spec", NEW_YORK, None, "20270715093000", "2027-07-15T13:30:00Z"),
        ("spec", None, None, "20270715093000", "2027-07-15T09:30:00Z DQ-ZONE-ASSUMED"),
        ("zone", None, WINTER, "20270715093000", "2027-07-15T14:30:00Z DQ-ZONE-ASSUMED"),
        ("zone", None, None, "20270715093000", "2027-07-15T09:30:00Z DQ-ZONE-ASSUMED"),
        ("zone", NEW_YORK, WINTER, "20270715093000+0000", "2027-07-15T09:30:00Z"),
        ("ignore", NEW_YORK, WINTER, "20270715093000+0000", "2027-07-15T13:30:00Z"),
    ],
)
def test_offset_policy(policy: Policy, zone: ZoneInfo | None, msh: int | None, text: str, expected: str) -> None:
    """Whose offset counts is the feed's decision; an assumption is reported."""
    assert expected == read(text, msh, policy, zone)


@pytest.mark.parametrize("text", ["", '""', "00000000", "0000", "00000000000000"])
def test_nulls(text: str) -> None:
    """The ways of saying that there is no time."""
    assert parse_dtm(text) is None
    assert partial_date(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "20261302",
        "202602300000",
        "20260230000000",
        "20261202256000",
        "202612022430",
        "1",
        "198",
        "19850",
        "20261202093000.1234567",
        "202612020930.5",
        "20261202093000+9900",
        "20261202093000+0060",
        "20261202093000-05",
        "2026-11-21",
        "2026-11-21T09:30:00",
        "20261121093000Z",
        " 20261121",
        "٢٠٢٦١١٢١",
        "tomorrow",
        "99991231235959-0500",
    ],
)
def test_not_a_time(text: str) -> None:
    """A thirteenth month and its like are data type errors, and the error does not quote them."""
    with pytest.raises(BadTime) as error:
        parse_dtm(text)
    assert ("data-type-error", "data-type-error") == (error.value.code, str(error.value))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-21T09:30:00Z", datetime(2026, 11, 21, 9, 30, tzinfo=UTC)),
        ("2026-11-21T09:30:00.25-05:00", datetime(2026, 11, 21, 14, 30, 0, 250_000, UTC)),
        ("2026-11-21 09:30", datetime(2026, 11, 21, 9, 30)),
        ("2026-11-21", datetime(2026, 11, 21)),
        ("20261121093000Z", datetime(2026, 11, 21, 9, 30, tzinfo=UTC)),
        ("20261121  ", datetime(2026, 11, 21)),
    ],
)
def test_lenient(text: str, expected: datetime) -> None:
    """A lenient feed may write ISO 8601, a Z, and blanks around a time."""
    moment = parse_dtm(text, lenient=True)

    assert moment is not None
    assert expected == moment.value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1985", "1985"),
        ("198506", "1985-06"),
        ("19850612", "1985-06-12"),
        ("198506122330", "1985-06-12"),
        ("198506122330+0900", "1985-06-12"),
        ("19850612233000-0500", "1985-06-12"),
    ],
)
def test_dates_are_never_widened_or_shifted(text: str, expected: str) -> None:
    """A date of birth keeps its precision and its day, whatever zone came with it."""
    assert expected == partial_date(text)


def test_moment_keeps_what_was_sent() -> None:
    """Precision, the offset, and the sender's own clock stay readable."""
    moment = parse_dtm("20261202093000.1234+0215")

    assert moment is not None
    assert ("fraction", 135) == (moment.precision, moment.offset)
    assert datetime(2026, 12, 2, 9, 30, 0, 123_400) == moment.wall


@given(st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)), st.sampled_from(["America/New_York", "Europe/Madrid"]))
def test_an_unreported_instant_is_that_wall_clock(wall: datetime, name: str) -> None:
    """Unless the clocks changed just then, the instant read back in its zone shows what was sent."""
    wall = wall.replace(microsecond=0)
    moment = parse_dtm(wall.strftime("%Y%m%d%H%M%S"))
    assert moment is not None
    value, codes = instant(moment, ZoneInfo(name))

    assert value is not None
    back = value.astimezone(ZoneInfo(name))
    assert codes == ("DQ-DST",) or back.replace(tzinfo=None) == wall
    assert codes in ((), ("DQ-DST",))


@given(st.text(st.sampled_from("0123456789.+-TZ: "), max_size=30), st.booleans())
def test_any_text_is_a_time_or_bad(text: str, lenient: bool) -> None:
    """Nothing but BadTime comes out of a text that is no time."""
    try:
        moment = parse_dtm(text, lenient)
    except BadTime:
        return
    assert moment is None or instant(moment, NEW_YORK)[1] is not None


@pytest.mark.parametrize(("sent", "expected"), [("202612312400", "2026-12-31"), ("20261231", "2026-12-31")])
def test_a_day_does_not_become_the_next(sent: str, expected: str) -> None:
    """Hour 24 belongs to the day that it ends: a date of birth stays."""
    assert expected == partial_date(sent)
