"""A feed that stops is noticed, a quiet night is not."""

import msgspec
import pytest

from policies.silence import Memory, Pace, Silence

HOUR, DAY = 3600.0, 86400.0
MONDAY = 4 * DAY + 52 * 7 * DAY  # a Monday, 00:00 UTC


def workday(day: int, every: float = 120.0) -> list[float]:
    """Messages of one day, from 07:00 to 19:00."""
    return [MONDAY + day * DAY + 7 * HOUR + tick * every for tick in range(int(12 * HOUR / every))]


def live(detector: Silence, arrivals: list[float], until: float) -> list[tuple[str, float]]:
    """Observe the arrivals and check every minute; what was said, and when."""
    said: list[tuple[str, float]] = []
    waiting = sorted(arrivals, reverse=True)
    now = waiting[-1] if waiting else until
    while now <= until:
        while waiting and waiting[-1] <= now:
            detector.observe(waiting.pop())
        if change := detector.check(now):
            said.append((change, now))
        now += 60
    return said


def learned(days: list[int], last: float) -> Silence:
    detector = Silence()
    assert live(detector, [at for day in days for at in workday(day)], last) == []
    return detector


WEEKS = [day for day in range(21) if day % 7 < 5]


def test_three_weeks_of_nights_and_weekends_say_nothing() -> None:
    """A feed that rests every night and every weekend is never called silent, from its first day on."""
    learned(WEEKS, MONDAY + 21 * DAY + 7 * HOUR)


def test_silence_in_the_day_is_noticed_and_ends() -> None:
    """A feed that stops on a Tuesday at ten is reported at the minimum, once, and once more when it is back."""
    detector = learned(WEEKS, MONDAY + 21 * DAY + 7 * HOUR)
    before = [at for day in (21, 22) for at in workday(day) if at < MONDAY + 22 * DAY + 10 * HOUR]
    resumed = MONDAY + 22 * DAY + 13 * HOUR

    said = live(detector, [*before, *(at for at in workday(22) if at >= resumed)], MONDAY + 22 * DAY + 15 * HOUR)

    assert [change for change, _ in said] == ["silent", "back"]
    assert 10 * HOUR + 780 <= said[0][1] - (MONDAY + 22 * DAY) <= 10 * HOUR + 1080
    assert said[1][1] - resumed <= 60


def test_an_outage_does_not_hide_the_next() -> None:
    """The same hours stay watched after an outage was reported there."""
    detector = learned(WEEKS, MONDAY + 21 * DAY + 7 * HOUR)
    gap = (10 * HOUR, 12 * HOUR)
    arrivals = [at for day in (21, 22) for at in workday(day) if not gap[0] <= (at - MONDAY) % DAY < gap[1]]

    said = live(detector, arrivals, MONDAY + 22 * DAY + 15 * HOUR)

    assert [change for change, _ in said] == ["silent", "back"] * 2


def test_feed_that_does_not_come_back_in_the_morning() -> None:
    """A morning without messages is noticed soon after the hour that begins the day."""
    detector = learned(WEEKS, MONDAY + 21 * DAY + 6 * HOUR)

    minutes = [MONDAY + 21 * DAY + minute * 60 for minute in range(6 * 60, 13 * 60)]
    said = [(change, at) for at in minutes if (change := detector.check(at))]

    assert [change for change, _ in said] == ["silent"]
    assert said[0][1] <= MONDAY + 21 * DAY + 9 * HOUR + 900


def test_nothing_is_said_before_anything_is_known() -> None:
    """A new feed with one message is not silent a day later, unless a ceiling says so."""
    without, with_ceiling = Silence(), Silence(Pace(ceiling=2 * HOUR))
    for detector in (without, with_ceiling):
        detector.observe(MONDAY)

    assert without.check(MONDAY + 5 * HOUR) is None
    assert with_ceiling.check(MONDAY + 2 * HOUR) is None
    assert with_ceiling.check(MONDAY + 2 * HOUR + 1) == "silent"


def test_a_feed_never_heard_is_not_silent() -> None:
    """Silence needs a voice before it."""
    assert Silence(Pace(ceiling=1)).check(MONDAY) is None


def test_resume_forgives_the_time_we_were_away() -> None:
    """After our own restart, quiet counts from the restart and teaches nothing."""
    detector = learned(WEEKS, MONDAY + 21 * DAY + 7 * HOUR)
    for at in workday(21)[:60]:
        detector.observe(at)
    later = MONDAY + 21 * DAY + 12 * HOUR
    usual = list(detector.memory.usual)
    detector.resume(later)

    assert detector.check(later + 600) is None
    assert detector.check(later + 3000) == "silent"
    assert detector.memory.usual == usual


def test_memory_can_be_kept() -> None:
    """A detector goes on from its stored memory."""
    detector = learned(WEEKS, MONDAY + 21 * DAY + 7 * HOUR)
    kept = msgspec.json.decode(msgspec.json.encode(detector.memory), type=Memory)

    assert kept == detector.memory
    assert Silence(memory=kept).threshold(MONDAY + 22 * DAY + 10.5 * HOUR) == pytest.approx(900)


def test_a_silence_is_named_by_the_message_before_it() -> None:
    """Also when it is over, whenever that is noticed: so several who listen speak of the same silence."""
    detector = Silence(Pace(ceiling=100))
    detector.observe(MONDAY)
    detector.observe(MONDAY + 50)
    assert detector.check(MONDAY + 151) == "silent"
    detector.observe(MONDAY + 200)
    detector.observe(MONDAY + 201)

    assert (detector.check(MONDAY + 202), detector.memory.missed) == ("back", MONDAY + 50)


def test_a_clock_that_steps_back_is_harmless() -> None:
    """An older instant changes nothing."""
    detector = Silence(Pace(ceiling=100))
    detector.observe(MONDAY + 50)
    detector.observe(MONDAY)

    assert detector.check(MONDAY + 140) is None
