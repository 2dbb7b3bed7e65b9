"""Webhooks as a partner lives with them: subscribe, verify, refuse, come back, and be sent again what was missed."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from tests.isthmus import Isthmus, running, wait
from tests.mllp import Line, code
from tests.scenarios.collector import Collector, Request
from tests.scenarios.messages import booking

TRIES = [0.0, 0.05, 0.05]
PARTNER = ["appointments.read", "subscriptions.read", "subscriptions.write", "events.read"]


@pytest.fixture(scope="module")
def isthmus(backend: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Isthmus]:
    """Three quick tries, a partner beside the admin, and another who only reads."""
    made = Isthmus(tmp_path_factory.mktemp("hooks"), settings={"webhooks": {"retry-seconds": TRIES}})
    made.client("partner", PARTNER)
    made.client("rival", PARTNER)
    with running(made) as started:
        yield started


@pytest.fixture
def hooks() -> Iterator[Collector]:
    """The partner's receiver."""
    collector = Collector()
    yield collector
    collector.close()


def subscribe(isthmus: Isthmus, hooks: Collector, **more: object) -> dict[str, Any]:
    """A new subscription of the partner's to appointments, from now on."""
    body = {"url": f"{hooks.url}/hook", "types": ["appointment.*"], **more}
    made = isthmus.ask("POST", "/v1/subscriptions", body, client="partner")
    assert 201 == made.status, made.body
    found: dict[str, Any] = made.json
    return found


def say(isthmus: Isthmus, *messages: bytes) -> None:
    """Send messages one after the other, and have each accepted."""
    with Line(isthmus.mllp) as line:
        assert ["AA"] * len(messages) == [code(line.say(one)) for one in messages]


def deliveries(isthmus: Isthmus, subscription: dict[str, Any], state: str = "") -> list[dict[str, Any]]:
    """The deliveries of a subscription, the newest first."""
    narrowed = f"&state={state}" if state else ""
    return isthmus.all(f"/v1/deliveries?subscription={subscription['id']}{narrowed}")


def stands(isthmus: Isthmus, subscription: dict[str, Any]) -> dict[str, Any]:
    return isthmus.get(f"/v1/subscriptions/{subscription['id']}")


def gone(isthmus: Isthmus, subscription: dict[str, Any]) -> None:
    """Let no other test's messages come by."""
    assert 204 == isthmus.ask("DELETE", f"/v1/subscriptions/{subscription['id']}").status


# -- what a partner receives


def test_signed_thin_and_told_once_what_the_secret_is(isthmus: Isthmus, hooks: Collector) -> None:
    """The answer to the POST shows the secret, nothing else ever does; the reference library verifies with it."""
    made = subscribe(isthmus, hooks)
    say(isthmus, booking("A1", "A1", mrn="SECRETMRN"))
    (request,) = hooks.wait(1)
    event = Webhook(made["secret"]).verify(request.body, request.headers)
    again = [
        isthmus.ask("GET", path, client="partner").body
        for path in (
            "/v1/subscriptions",
            f"/v1/subscriptions/{made['id']}",
            f"/v1/subscriptions/{made['id']}/deliveries",
        )
    ]
    gone(isthmus, made)

    assert made["secret"].startswith("whsec_")
    assert not any(made["secret"].encode() in body for body in (*again, request.body, isthmus.log.read_bytes()))
    assert ("1.0", "appointment.created", "application/json") == (
        event["specversion"],
        event["type"],
        request.headers["content-type"],
    )
    assert "data" not in event
    assert b"SECRETMRN" not in request.body
    assert "A1" in str(isthmus.get(f"/v1/appointments/{event['subject']}")["identifiers"])
    with pytest.raises(WebhookVerificationError):
        Webhook(made["secret"]).verify(request.body + b" ", request.headers)


def test_a_rotated_secret(isthmus: Isthmus, hooks: Collector) -> None:
    """Both secrets sign while they overlap; without overlap the old one is void at once."""
    made = subscribe(isthmus, hooks)
    rotate = f"/v1/subscriptions/{made['id']}/rotate"
    second = isthmus.ask("POST", rotate, {}, client="partner").json["secret"]
    say(isthmus, booking("B1", "B1"))
    both = hooks.wait(1)[0]
    third = isthmus.ask("POST", rotate, {"overlap": False}, client="partner").json["secret"]
    say(isthmus, booking("B2", "B2"))
    alone = hooks.wait(2)[1]
    gone(isthmus, made)

    for secret in (made["secret"], second):
        Webhook(secret).verify(both.body, both.headers)
    Webhook(third).verify(alone.body, alone.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(second).verify(alone.body, alone.headers)


def test_full_events_hold_the_record(isthmus: Isthmus, hooks: Collector) -> None:
    """With `full`, and the scope to read it, the event holds the appointment as it was at that version."""
    made = subscribe(isthmus, hooks, full=True)
    say(isthmus, booking("C1", "C1"), booking("C1", "C2", "S15", at="20250111090000-0500"))
    first, second = (request.json for request in hooks.wait(2))
    gone(isthmus, made)

    assert [("booked", "1"), ("cancelled", "2")] == [
        (one["data"]["status"], one["data"]["versionId"]) for one in (first, second)
    ]
    assert isthmus.get(f"/v1/appointments/{first['subject']}") == second["data"]


def test_full_events_need_the_scope_of_what_they_hold(isthmus: Isthmus, hooks: Collector) -> None:
    """Who may not read patients is not sent them either."""
    body = {"url": hooks.url, "types": ["patient.*"], "full": True}
    refused = isthmus.ask("POST", "/v1/subscriptions", body, client="partner")

    assert (422, "scope_missing") == (refused.status, refused.json["errors"][0]["code"])


def test_order_is_kept_for_each_subject(isthmus: Isthmus, hooks: Collector) -> None:
    """Whatever fails in between, the events of one appointment come in their order; others do not wait for them."""
    failed: set[str] = set()

    def flaky(request: Request) -> int:
        first_time = request.headers["webhook-id"] not in failed
        failed.add(request.headers["webhook-id"])
        return 503 if first_time and request.json["seq"] % 3 == 0 else 200

    hooks.answer = flaky
    made = subscribe(isthmus, hooks)
    for n in range(6):
        day = f"202501{10 + n}090000-0500"
        say(
            isthmus,
            *(
                booking(f"D{k}", f"D{k}{n}", "S14", at=day, mrn=f"D{k}", start=f"2027060{n + 1}090000")
                for k in range(5)
            ),
        )
    wait(lambda: len(deliveries(isthmus, made, "delivered")) == 30)
    first = {request.headers["webhook-id"]: request.json for request in reversed(hooks.requests)}
    came: defaultdict[str, list[int]] = defaultdict(list)
    for identity in dict.fromkeys(request.headers["webhook-id"] for request in hooks.requests):
        came[first[identity]["subject"]].append(first[identity]["seq"])
    gone(isthmus, made)

    assert [6] * 5 == [len(seqs) for seqs in came.values()]
    assert [sorted(seqs) for seqs in came.values()] == list(came.values())
    assert len(hooks.requests) > 30, "some were refused, or this proves nothing"


def test_only_what_was_asked_for(isthmus: Isthmus, hooks: Collector) -> None:
    """By type, by patient; what came before the subscription only where `after` says so."""
    say(isthmus, booking("E1", "E1", mrn="E1"), booking("E2", "E2", mrn="E2"))
    (first,) = isthmus.all("/v1/appointments?identifier=E1")
    place = isthmus.get("/v1/events?limit=500")["next"]
    made = subscribe(isthmus, hooks, types=["appointment.cancelled"], patients=[first["patient"]])
    say(isthmus, *(booking(f"E{n}", f"EC{n}", "S15", mrn=f"E{n}", at="20250111090000-0500") for n in (1, 2)))
    (only,) = hooks.wait(1)
    late = subscribe(isthmus, hooks, after=int(place))
    caught_up = hooks.wait(3)[1:]
    gone(isthmus, made)
    gone(isthmus, late)

    assert ("appointment.cancelled", first["id"]) == (only.json["type"], only.json["subject"])
    assert ["appointment.cancelled"] * 2 == [one.json["type"] for one in caught_up]


# -- when it does not go well


def test_parked_after_the_last_try_and_sent_again(isthmus: Isthmus, hooks: Collector) -> None:
    """Each try is kept with its outcome; then it is parked, one task is raised, and a person sends it again."""
    hooks.answer = lambda request: 500
    made = subscribe(isthmus, hooks)
    say(isthmus, booking("G1", "G1"))
    wait(lambda: deliveries(isthmus, made, "parked"))
    (parked,) = deliveries(isthmus, made)
    read = isthmus.get(f"/v1/deliveries/{parked['id']}")
    tasks = [one for one in isthmus.all("/v1/tasks?queue=delivery") if one["subject"] == made["id"]]
    hooks.answer = lambda request: 200
    resent = isthmus.ask("POST", f"/v1/deliveries/{parked['id']}/resend", client="partner")
    wait(lambda: deliveries(isthmus, made, "delivered"))
    after = isthmus.get(f"/v1/deliveries/{parked['id']}")
    gone(isthmus, made)

    assert ("parked", len(TRIES), "tries_used_up") == (read["state"], read["attempts"], read["outcome"])
    assert [(1, "http_500", 500), (2, "http_500", 500), (3, "http_500", 500)] == [
        (one["number"], one["outcome"], one["status"]) for one in read["tries"]
    ]
    assert [("DLV-PARKED", "ready")] == [(one["code"], one["status"]) for one in tasks]
    assert 202 == resent.status
    assert ("delivered", len(TRIES) + 1) == (after["state"], after["attempts"])
    assert {parked["id"]} == {request.headers["webhook-id"] for request in hooks.requests}


def test_a_client_error_is_not_repeated(isthmus: Isthmus, hooks: Collector) -> None:
    """400 says that it will never be taken: parked after one try, and the next event goes out all the same."""
    hooks.answer = lambda request: 400 if len(hooks.requests) == 1 else 200
    made = subscribe(isthmus, hooks)
    say(isthmus, booking("H1", "H1"), booking("H1", "H2", "S15", at="20250111090000-0500"))
    wait(lambda: deliveries(isthmus, made, "delivered"))
    found = deliveries(isthmus, made)
    gone(isthmus, made)

    assert [("delivered", 1, "http_200"), ("parked", 1, "http_400")] == [
        (one["state"], one["attempts"], one["outcome"]) for one in found
    ]


def test_gone_is_disabled(isthmus: Isthmus, hooks: Collector) -> None:
    """410 disables the subscription and raises a task; released, it goes on with what it missed."""
    hooks.answer = lambda request: 410
    made = subscribe(isthmus, hooks)
    say(isthmus, booking("I1", "I1"))
    wait(lambda: stands(isthmus, made)["state"] == "disabled")
    say(isthmus, booking("I2", "I2"))
    tasks = [one["code"] for one in isthmus.all("/v1/tasks?queue=delivery") if one["subject"] == made["id"]]
    hooks.answer = lambda request: 200
    reason = stands(isthmus, made)["reason"]
    assert 200 == isthmus.ask("POST", f"/v1/subscriptions/{made['id']}/release", client="partner").status
    missed = hooks.wait(2)[1]
    (i2,) = isthmus.all("/v1/appointments?identifier=I2")
    after = stands(isthmus, made)
    gone(isthmus, made)

    assert ("gone", ["DLV-GONE"]) == (reason, tasks)
    assert i2["id"] == missed.json["subject"]
    assert ("active", None) == (after["state"], after["reason"])


def test_retry_after_is_heeded(isthmus: Isthmus, hooks: Collector) -> None:
    """A receiver that asks for a moment is given it, for all that goes to it."""
    hooks.answer = lambda request: (429, {"retry-after": "1"}) if len(hooks.requests) == 1 else 200
    made = subscribe(isthmus, hooks)
    say(isthmus, booking("J1", "J1"))
    wait(lambda: deliveries(isthmus, made, "delivered"))
    (delivery,) = deliveries(isthmus, made)
    first, second = isthmus.get(f"/v1/deliveries/{delivery['id']}")["tries"]
    gone(isthmus, made)

    assert ("http_429", "http_200") == (first["outcome"], second["outcome"])
    assert timedelta(seconds=1) <= datetime.fromisoformat(second["at"]) - datetime.fromisoformat(first["at"])


# -- what people do


def test_paused_and_released(isthmus: Isthmus, hooks: Collector) -> None:
    """Nothing is sent while it is held; what waits can be seen, and comes in order when it is released."""
    made = subscribe(isthmus, hooks)
    path = f"/v1/subscriptions/{made['id']}"
    assert "paused" == isthmus.ask("POST", f"{path}/pause", client="partner").json["state"]
    say(isthmus, booking("L1", "L1"), booking("L1", "L2", "S15", at="20250111090000-0500"))
    wait(lambda: len(deliveries(isthmus, made, "pending")) == 2)
    held = len(hooks.requests)
    isthmus.ask("POST", f"{path}/release", client="partner")
    came = [request.json["type"] for request in hooks.wait(2)]
    gone(isthmus, made)

    assert 0 == held
    assert ["appointment.created", "appointment.cancelled"] == came


def test_all_that_was_parked_is_sent_again(isthmus: Isthmus, hooks: Collector) -> None:
    """In bulk by filter: a dry run counts, a job does it and says how far it has come; nothing is sent twice."""
    hooks.answer = lambda request: 400
    made = subscribe(isthmus, hooks)
    say(isthmus, *(booking(f"N{n}", f"N{n}", mrn=f"N{n}") for n in range(12)))
    wait(lambda: len(deliveries(isthmus, made, "parked")) == 12)
    hooks.answer = lambda request: 200
    wanted = {"subscription": made["id"], "state": "parked"}
    trial = isthmus.ask("POST", "/v1/deliveries/_resend", {**wanted, "dryRun": True}, client="partner")
    before = len(hooks.requests)
    job = isthmus.ask("POST", "/v1/deliveries/_resend", wanted, client="partner")
    wait(lambda: isthmus.get(job.headers["location"])["state"] == "completed")
    done = isthmus.get(job.headers["location"])
    wait(lambda: len(deliveries(isthmus, made, "delivered")) == 12)
    gone(isthmus, made)

    assert (200, {"total": 12, "dryRun": True}, 12) == (trial.status, trial.json, before)
    assert (202, "resend", 12) == (job.status, job.json["kind"], job.json["total"])
    assert (12, 0) == (done["done"], done["failed"])
    assert 24 == len(hooks.requests)
    assert 12 == len({request.headers["webhook-id"] for request in hooks.requests})


def test_messages_are_replayed_in_bulk(isthmus: Isthmus, hooks: Collector) -> None:
    """By filter too: counted first, then as a job; without `emit` nobody is told."""
    say(isthmus, *(booking(f"O{n}", f"O{n}", mrn=f"O{n}") for n in range(3)))
    made = subscribe(isthmus, hooks)
    (kept,) = isthmus.all("/v1/messages?controlId=O0")
    wanted = {"feed": "soak", "receivedFrom": kept["receivedAt"]}
    trial = isthmus.ask("POST", "/v1/messages/_replay", {**wanted, "dryRun": True})
    job = isthmus.ask("POST", "/v1/messages/_replay", wanted)
    wait(lambda: isthmus.get(job.headers["location"])["state"] == "completed")
    done = isthmus.get(job.headers["location"])
    sent = len(hooks.requests)
    gone(isthmus, made)

    assert ({"total": 3, "dryRun": True}, 202) == (trial.json, job.status)
    assert (3, 3, 0, 0) == (done["total"], done["done"], done["failed"], sent)


def test_a_receiver_is_tried_out(isthmus: Isthmus, hooks: Collector) -> None:
    """One signed event of type `subscription.test`, now, and how it was received."""
    made = subscribe(isthmus, hooks)
    hooks.answer = lambda request: 403
    refused = isthmus.ask("POST", f"/v1/subscriptions/{made['id']}/test", client="partner").json
    hooks.answer = lambda request: 200
    taken = isthmus.ask("POST", f"/v1/subscriptions/{made['id']}/test", client="partner").json
    gone(isthmus, made)

    assert [("http_403", False), ("http_200", True)] == [(one["outcome"], one["delivered"]) for one in (refused, taken)]
    assert (
        "subscription.test" == Webhook(made["secret"]).verify(hooks.requests[0].body, hooks.requests[0].headers)["type"]
    )


def test_what_is_anothers_is_not_seen(isthmus: Isthmus, hooks: Collector) -> None:
    """A client sees and changes its own subscriptions and deliveries; for others they do not exist."""
    made = subscribe(isthmus, hooks)
    say(isthmus, booking("Q1", "Q1"))
    hooks.wait(1)
    (delivery,) = deliveries(isthmus, made)
    path = f"/v1/subscriptions/{made['id']}"
    tries = [
        ("GET", path, None),
        ("DELETE", path, None),
        ("POST", f"{path}/pause", None),
        ("POST", f"{path}/rotate", {}),
        ("GET", f"{path}/deliveries", None),
        ("GET", f"/v1/deliveries/{delivery['id']}", None),
        ("POST", f"/v1/deliveries/{delivery['id']}/resend", None),
        ("POST", "/v1/deliveries/_resend", {"subscription": made["id"]}),
    ]
    statuses = [isthmus.ask(method, at, body, client="rival").status for method, at, body in tries]
    all_of_it = isthmus.ask("POST", "/v1/deliveries/_resend", {}, client="rival").status
    gone(isthmus, made)

    assert [404] * len(tries) == statuses
    assert 422 == all_of_it
    assert [] == isthmus.ask("GET", "/v1/subscriptions", client="rival").json["items"]


# -- where a webhook may not lead


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://example.org/hook", "url_scheme"),
        ("https://user:password@example.org/", "url_credentials"),
        ("ftp://example.org/", "url_scheme"),
        ("https://10.0.0.1/", "address_internal"),
        ("https://169.254.169.254/latest/meta-data/", "address_internal"),
        ("https://[::1]/", "address_internal"),
        ("https://[::ffff:10.0.0.1]/", "address_internal"),
        ("https://2130706433/", "host_internal"),
        ("https://0x7f.1/", "host_internal"),
        ("https://localhost/", "host_internal"),
        ("https://metadata.google.internal/", "host_internal"),
        ("not a url", "url_malformed"),
    ],
)
def test_internal_addresses_are_refused(isthmus: Isthmus, url: str, expected: str) -> None:
    """Only public https, but for what an operator allowed; said at the place, without the URL."""
    refused = isthmus.ask("POST", "/v1/subscriptions", {"url": url}, client="partner")

    assert (422, expected, "/url") == (
        refused.status,
        refused.json["errors"][0]["code"],
        refused.json["errors"][0]["pointer"],
    )
    assert url.encode() not in refused.body


def test_an_address_that_is_no_longer_allowed(tmp_path: Path, hooks: Collector) -> None:
    """Every attempt asks again: without the allow-list nothing is sent, and the delivery is parked with the reason."""
    isthmus = Isthmus(tmp_path)
    isthmus.client("partner", PARTNER)
    isthmus.start()
    made = subscribe(isthmus, hooks)
    isthmus.stop()
    isthmus.configure({"webhooks": {"allow": []}})
    with running(isthmus):
        say(isthmus, booking("R1", "R1"))
        wait(lambda: deliveries(isthmus, made, "parked"))
        (parked,) = deliveries(isthmus, made)

    assert "url_scheme" == parked["outcome"]
    assert [] == hooks.requests
