"""The limits admit what they promise, say what is left, and let a client in when they said."""

import asyncio
from math import ceil

import http_sf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.throttle import Limit, Throttle, Verdict

TEN_A_MINUTE = Limit(name="burst", quota=10, window=60)
THOUSAND_A_DAY = Limit(name="daily", quota=1000, window=86400)


def test_burst_then_refusal() -> None:
    """A whole quota may come at once, and one more may not."""
    throttle = Throttle([TEN_A_MINUTE])

    assert [throttle.admit("c", "t", 0).allowed for _ in range(11)] == [True] * 10 + [False]


def test_denied_flood_recovers_exactly_when_told() -> None:
    """A thousand refused calls change nothing: the client is let in at Retry-After, and not before."""
    throttle = Throttle([TEN_A_MINUTE])
    for _ in range(10):
        throttle.admit("c", "t", 0)
    refusals = [throttle.admit("c", "t", index / 1000) for index in range(1000)]

    assert not any(refused.allowed for refused in refusals)
    assert refusals[0].more_in == pytest.approx(6)
    assert not throttle.admit("c", "t", 5.99).allowed
    assert throttle.admit("c", "t", 6.0).allowed


def test_remaining_counts_down_and_recovers() -> None:
    """What is left is what GCRA would admit."""
    throttle = Throttle([TEN_A_MINUTE])
    counted = [throttle.admit("c", "t", 0).remaining for _ in range(3)]

    assert counted == [9, 8, 7]
    assert throttle.admit("c", "t", 120).remaining == 9


def test_tightest_limit_speaks() -> None:
    """Of two limits the one with less left is shown, and a refusal names the one that refused."""
    throttle = Throttle([Limit(name="burst", quota=2, window=1), Limit(name="daily", quota=3, window=86400)])
    shown = [throttle.admit("c", "t", now) for now in (0, 0, 0.5, 10)]

    assert [(verdict.limit, verdict.allowed) for verdict in shown] == [
        ("burst", True),
        ("burst", True),
        ("daily", True),
        ("daily", False),
    ]
    assert shown[-1].violated == ("daily",)


def test_refusal_by_one_limit_takes_from_none() -> None:
    """A call that the burst refuses is not taken from the day's quota."""
    throttle = Throttle([Limit(name="burst", quota=1, window=1), Limit(name="daily", quota=3, window=86400)])
    admitted = sum(throttle.admit("c", "t", second / 10).allowed for second in range(0, 40))

    assert admitted == 3


def test_keys_are_apart() -> None:
    """Clients, tenants and limits never share a count."""
    throttle = Throttle([Limit(name="one", quota=1, window=60)])

    assert [
        throttle.admit(client, tenant, 0).allowed for client, tenant in [("a", "t"), ("b", "t"), ("a", "u"), ("a", "t")]
    ] == [True, True, True, False]


def test_memory_is_bounded_and_recovered_keys_leave_first() -> None:
    """However many clients come, the table stays small, and who is being limited stays known."""
    throttle = Throttle([Limit(name="slow", quota=1, window=3600)], capacity=100)
    throttle.admit("limited", "t", 1000.0)
    for index in range(1000):
        throttle.admit(f"old{index}", "t", 0.0 if index < 500 else 900.0)
    assert len(throttle) <= 100

    assert not throttle.admit("limited", "t", 1001.0).allowed


def test_headers_parse() -> None:
    """RateLimit and RateLimit-Policy are structured field lists as draft 10 has them."""
    throttle = Throttle([TEN_A_MINUTE, THOUSAND_A_DAY])
    verdict = throttle.admit("c", "t", 0)
    headers = dict(throttle.headers(verdict))

    assert http_sf.parse(headers[b"ratelimit-policy"], tltype="list") == [
        ("burst", {"q": 10, "w": 60}),
        ("daily", {"q": 1000, "w": 86400}),
    ]
    assert http_sf.parse(headers[b"ratelimit"], tltype="list") == [("burst", {"r": 9, "t": 6})]
    assert b"retry-after" not in headers


def test_refusal_is_the_problem_of_the_draft() -> None:
    """A refused call hears 429, Retry-After not before `t`, and which limits were violated."""
    throttle = Throttle([Limit(name="daily", quota=1, window=1000)])
    throttle.admit("c", "t", 0)
    refusal = throttle.refusal(throttle.admit("c", "t", 0.5))
    headers = dict(refusal.headers)

    assert (refusal.status, refusal.members["violated-policies"]) == (429, ["daily"])
    assert http_sf.parse(headers[b"ratelimit"], tltype="list") == [("daily", {"r": 0, "t": 1000})]
    assert headers[b"retry-after"] == b"1000"


@pytest.mark.parametrize(("quota", "window", "burst"), [(0, 1, None), (1, 0, None), (1, 1, 0)])
def test_senseless_limits_are_refused(quota: int, window: float, burst: int | None) -> None:
    """A limit that could never admit anything is a mistake in the site's files."""
    with pytest.raises(ValueError, match="above zero"):
        Limit(name="x", quota=quota, window=window, burst=burst)


@pytest.mark.parametrize("name", ['a"b', "a\\b", "naïve", "a\nb"])
def test_names_fit_a_structured_string(name: str) -> None:
    """A name that would break the header is refused."""
    with pytest.raises(ValueError, match="printable"):
        Limit(name=name, quota=1, window=1)


@given(
    quota=st.integers(1, 50),
    window=st.floats(0.1, 3600),
    burst=st.none() | st.integers(1, 50),
    gaps=st.lists(st.floats(0, 60), max_size=200),
    start=st.sampled_from([0.0, 5.0e5, 1.8e9]),
)
def test_never_more_than_burst_and_rate(
    quota: int, window: float, burst: int | None, gaps: list[float], start: float
) -> None:
    """In any stretch of time, admitted <= burst + rate * time."""
    limit, now, times = Limit(name="l", quota=quota, window=window, burst=burst), start, []
    throttle = Throttle([limit])
    for gap in gaps:
        now += gap
        if throttle.admit("c", "t", now).allowed:
            times.append(now)

    for index, first in enumerate(times[:20]):
        for admitted, last in enumerate(times[index:], 1):
            assert admitted <= (burst or quota) + (last - first) * quota / window + 1e-3


@given(quota=st.integers(1, 20), window=st.floats(1, 600), knocks=st.integers(0, 50))
def test_retry_after_is_enough_and_not_too_much(quota: int, window: float, knocks: int) -> None:
    """Whole seconds of Retry-After later there is room; a full second earlier there was none."""
    throttle = Throttle([Limit(name="l", quota=quota, window=window)])
    for _ in range(quota + knocks):
        throttle.admit("c", "t", 100.0)
    refused = throttle.admit("c", "t", 100.0)

    assert not throttle.admit("c", "t", 100.0 + refused.more_in - 0.01).allowed
    assert throttle.admit("c", "t", 100.0 + ceil(refused.more_in)).allowed


async def test_concurrent_tasks_share_one_count() -> None:
    """Many tasks at once get one quota together."""
    throttle = Throttle([TEN_A_MINUTE])

    async def knock() -> bool:
        await asyncio.sleep(0)
        return throttle.admit("c", "t", 0).allowed

    assert sum(await asyncio.gather(*(knock() for _ in range(100)))) == 10


def test_what_is_owed_is_shown_as_nothing_left() -> None:
    """A limit that processes share may have admitted more than it had: the header has no number below 0."""
    headers = dict(Throttle([Limit(name="client", quota=5, window=1)]).headers(Verdict(True, "client", -3, 0.5)))

    assert b'"client";r=0;t=1' == headers[b"ratelimit"]
