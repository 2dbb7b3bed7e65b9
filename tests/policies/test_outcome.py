"""Statuses become classes, and Retry-After becomes seconds."""

import pytest

from canonical.outcome import Kind, kind_of_status, of_status, seconds_to_wait

CLASSES: dict[Kind, list[int]] = {
    "delivered": [200, 201, 202, 204, 299],
    "permanent": [101, 301, 302, 307, 308, 400, 401, 403, 404, 409, 413, 415, 422, 451, 501, 505],
    "gone": [410],
    "transient": [408, 425, 429, 500, 503, 507, 520, 599],
    "ambiguous": [502, 504],
}


@pytest.mark.parametrize(("kind", "status"), [(kind, status) for kind, all_ in CLASSES.items() for status in all_])
def test_class_after_a_post(kind: Kind, status: int) -> None:
    """Each status has the class of GATEWAY 2.11 and DESIGN 2."""
    assert kind == of_status(status).kind


def test_every_status_has_a_class() -> None:
    """No status between 100 and 599 is without a class."""
    assert set(CLASSES) == {kind_of_status(status) for status in range(100, 600)}


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_a_proxy_error_is_only_transient_where_repeating_is_harmless(method: str) -> None:
    """A 504 is ambiguous because of what a POST may have done."""
    assert kind_of_status(504, method) == "transient"


def test_outcome_keeps_status_and_wait() -> None:
    """The outcome of an answer names its status, and how long to wait."""
    outcome = of_status(503, retry_after=7.0)

    assert (outcome.status, outcome.retry_after, outcome.code, outcome.attempted) == (503, 7.0, "http_503", True)


@pytest.mark.parametrize(
    ("seconds", "header"),
    [
        (120.0, "120"),
        (0.0, "0"),
        (30.0, " 30 "),
        (60.0, "Thu, 01 Jan 1970 00:01:00 GMT"),
        (60.0, "Thu, 01 Jan 1970 00:01:00 -0000"),
        (0.0, "Wed, 31 Dec 1969 00:00:00 GMT"),
        (None, "soon"),
        (None, "-5"),
        (None, ""),
        (None, "Thu, 99 Jan 1970 00:01:00 GMT"),
        (None, "١٢"),
        (None, None),
    ],
)
def test_retry_after(seconds: float | None, header: str | None) -> None:
    """Both forms of RFC 9110 section 10.2.3 are read, and what is neither is ignored."""
    assert seconds == seconds_to_wait(header, now=0.0)
