"""Who may do what: scopes, tenants, tokens; and every refusal is a problem that says what to do."""

import base64
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.isthmus import SECRET, Isthmus, Reply, running, wait
from tests.mllp import Line, code
from tests.scenarios.collector import Collector
from tests.scenarios.messages import booking

FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def isthmus(backend: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Isthmus]:
    """Two hospitals that know nothing of each other, with an admin each; a partner of the first who may only read."""
    made = Isthmus(tmp_path_factory.mktemp("access"), tenants=("main", "south"), feed={"senders": ["SCHED|NORTH"]})
    made.peer("south", tenant="south")
    made.client("south", ["admin"], "south")
    made.client("partner", ["appointments.read", "events.read"])
    with running(made) as started:
        yield started


def tell(isthmus: Isthmus, number: str) -> None:
    """The same bytes to both tenants."""
    for port in isthmus.ports.values():
        with Line(port) as line:
            assert "AA" == code(line.say(booking(number, f"K{number}", mrn=f"M{number}")))


def is_problem(reply: Reply, status: int, expected: str) -> bool:
    """RFC 9457, with the members of this house."""
    said = reply.json
    return (
        (status, expected, "application/problem+json") == (reply.status, said["code"], reply.headers["content-type"])
        and said["status"] == status
        and said["requestId"] == reply.headers["x-request-id"]
        and bool(said["title"] and said["detail"])
    )


# -- scopes


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/v1/messages", "messages.read"),
        ("POST", "/v1/messages/_search", "messages.read"),
        ("GET", "/v1/messages/msg_1/raw", "messages.read"),
        ("POST", "/v1/messages/msg_1/replay", "messages.replay"),
        ("GET", "/v1/patients", "patients.read"),
        ("GET", "/v1/patients/pat_1", "patients.read"),
        ("GET", "/v1/encounters", "encounters.read"),
        ("GET", "/v1/tasks", "tasks.read"),
        ("PATCH", "/v1/tasks/tsk_1", "tasks.write"),
        ("GET", "/v1/subscriptions", "subscriptions.read"),
        ("POST", "/v1/subscriptions", "subscriptions.write"),
        ("GET", "/v1/feeds", "admin"),
        ("POST", "/v1/intake/pause", "admin"),
    ],
)
def test_a_missing_scope(isthmus: Isthmus, method: str, path: str, scope: str) -> None:
    """403, and the challenge names the scope that is needed (RFC 6750 section 3.1)."""
    refused = isthmus.ask(method, path, {} if method != "GET" else None, client="partner")

    assert is_problem(refused, 403, "insufficient_scope")
    assert f'scope="{scope}"' in refused.headers["www-authenticate"]
    assert 'error="insufficient_scope"' in refused.headers["www-authenticate"]


def test_a_token_with_less_than_its_client(isthmus: Isthmus) -> None:
    """A client may ask for fewer scopes than it has, and is held to them."""
    narrow = token(isthmus, scope="events.read").json
    headers = {"authorization": f"Bearer {narrow['access_token']}"}

    assert "events.read" == narrow["scope"]
    assert 200 == isthmus.ask("GET", "/v1/events", client=None, **headers).status
    assert 403 == isthmus.ask("GET", "/v1/appointments", client=None, **headers).status


# -- tenants


def test_tenants_never_meet(isthmus: Isthmus) -> None:
    """The same identifiers in two tenants are two people; each sees its own, and of the other's not that it exists."""
    tell(isthmus, "F1")
    found: dict[str, dict[str, Any]] = {}
    for client in ("admin", "south"):
        (found[client],) = isthmus.ask("GET", "/v1/appointments?identifier=F1", client=client).json["items"]
    ours, theirs = found["admin"], found["south"]
    paths = [
        f"/v1/appointments/{ours['id']}",
        f"/v1/appointments/{ours['id']}/history",
        f"/v1/appointments/{ours['id']}/lineage",
        f"/v1/patients/{ours['patient']}",
        f"/v1/messages/{ours['provenance']['message']}",
        f"/v1/messages/{ours['provenance']['message']}/raw",
        f"/v1/messages/{ours['provenance']['message']}/tree",
    ]

    assert {ours["id"], ours["patient"]}.isdisjoint({theirs["id"], theirs["patient"]})
    assert [(200, 404)] * len(paths) == [
        tuple(isthmus.ask("GET", path, client=client).status for client in ("admin", "south")) for path in paths
    ]
    assert 404 == isthmus.ask("POST", f"/v1/messages/{ours['provenance']['message']}/replay", {}, client="south").status
    assert [] == isthmus.ask("GET", f"/v1/appointments?patient={ours['patient']}", client="south").json["items"]
    assert [["south"], ["soak"]] == [
        sorted({one["feed"] for one in isthmus.ask("GET", "/v1/messages", client=client).json["items"]})
        for client in ("south", "admin")
    ]


def test_events_stay_in_their_tenant(isthmus: Isthmus) -> None:
    """The feed and the webhooks of one tenant hold nothing of the other's."""
    hooks = Collector()
    made = isthmus.ask("POST", "/v1/subscriptions", {"url": hooks.url, "types": ["appointment.*"]}, client="south").json
    tell(isthmus, "F2")
    (ours,) = isthmus.all("/v1/appointments?identifier=F2")
    (theirs,) = isthmus.ask("GET", "/v1/appointments?identifier=F2", client="south").json["items"]
    hooks.wait(1)
    wait(lambda: isthmus.ask("GET", "/v1/deliveries?state=delivered", client="south").json["items"])
    subjects = {
        client: {one["subject"] for one in isthmus.ask("GET", "/v1/events?limit=500", client=client).json["items"]}
        for client in ("admin", "south")
    }
    ids = [made["id"], isthmus.ask("GET", "/v1/deliveries", client="south").json["items"][0]["id"]]
    hooks.close()

    assert [theirs["id"]] == [request.json["subject"] for request in hooks.requests]
    assert set() == subjects["admin"] & subjects["south"]
    assert ours["id"] in subjects["admin"]
    assert [404, 404] == [
        isthmus.ask("GET", f"/v1/{kind}/{identity}").status
        for kind, identity in zip(("subscriptions", "deliveries"), ids, strict=True)
    ]
    assert [] == isthmus.all("/v1/deliveries")


def test_a_tenant_holds_its_own_feeds_alone(isthmus: Isthmus) -> None:
    """Of another's feed nothing is known; intake as a whole belongs to the first tenant."""
    assert [["soak"], ["south"]] == [
        [one["name"] for one in isthmus.ask("GET", "/v1/feeds", client=client).json["items"]]
        for client in ("admin", "south")
    ]
    assert is_problem(isthmus.ask("POST", "/v1/feeds/soak/pause", client="south"), 404, "not_found")
    assert is_problem(isthmus.ask("POST", "/v1/intake/pause", client="south"), 403, "not_the_operator")
    isthmus.ask("POST", "/v1/feeds/soak/pause")
    held = isthmus.ask("GET", "/v1/switches", client="south").json["items"]
    isthmus.ask("POST", "/v1/feeds/soak/release")
    assert [] == held


def test_a_page_of_one_tenant_is_no_page_of_another(isthmus: Isthmus) -> None:
    """A cursor is bound to who asked and what was asked."""
    for number in ("F3", "F4"):
        tell(isthmus, number)
    cursor = isthmus.get("/v1/appointments?limit=1")["next"]

    assert 200 == isthmus.ask("GET", f"/v1/appointments?limit=1&cursor={cursor}").status
    assert is_problem(
        isthmus.ask("GET", f"/v1/appointments?limit=1&cursor={cursor}", client="south"), 400, "invalid_request"
    )
    assert is_problem(
        isthmus.ask("GET", f"/v1/appointments?limit=1&status=booked&cursor={cursor}"), 400, "invalid_request"
    )


# -- tokens


def token(isthmus: Isthmus, **form: str) -> Reply:
    """The token endpoint's answer to the partner's form, with what is different about it."""
    given = {"grant_type": "client_credentials", "client_id": "partner", "client_secret": SECRET, **form}
    body = urlencode({key: value for key, value in given.items() if value}).encode()
    return isthmus.ask("POST", "/oauth/token", body, client=None, content_type=FORM)


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "nobody"}, 401, "invalid_client"),
        ({"client_secret": ""}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": ""}, 400, "invalid_request"),
        ({"scope": "messages.read"}, 400, "invalid_scope"),
        ({"scope": "no.such"}, 400, "invalid_scope"),
    ],
)
def test_token_errors(isthmus: Isthmus, form: dict[str, str], status: int, error: str) -> None:
    """As RFC 6749 section 5.2 has them, and never with a token."""
    refused = token(isthmus, **form)

    assert (status, error) == (refused.status, refused.json["error"])
    assert "access_token" not in refused.json
    assert "no-store" == refused.headers["cache-control"]


def test_a_token_by_basic_authentication(isthmus: Isthmus) -> None:
    """client_secret_basic works too; a wrong one is challenged for it, and two ways at once are refused."""
    right, wrong = (base64.b64encode(f"partner:{one}".encode()).decode() for one in (SECRET, "wrong"))

    def ask(credentials: str, body: bytes = b"grant_type=client_credentials") -> Reply:
        headers = {"authorization": f"Basic {credentials}", "content_type": FORM}
        return isthmus.ask("POST", "/oauth/token", body, client=None, **headers)

    assert 200 == ask(right).status
    assert (401, True) == (ask(wrong).status, ask(wrong).headers["www-authenticate"].startswith("Basic "))
    assert (
        "invalid_request" == ask(right, f"grant_type=client_credentials&client_secret={SECRET}".encode()).json["error"]
    )


def tampered(whole: str) -> str:
    """A token whose claims were changed after it was signed."""
    head, body, signature = whole.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    claims["scope"] = "admin"
    return ".".join((head, base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("="), signature))


def unsigned(whole: str) -> str:
    """A token that says of itself that it needs no signature."""
    head = base64.urlsafe_b64encode(b'{"alg":"none","typ":"at+jwt"}').decode().rstrip("=")
    return f"{head}.{whole.split('.')[1]}."


@pytest.mark.parametrize("kind", ["garbage", "tampered", "unsigned", "revoked", "another scheme"])
def test_what_is_no_token(isthmus: Isthmus, kind: str) -> None:
    """401 with a challenge that says so (RFC 6750 section 3), as a problem; and nothing about why."""
    fresh = token(isthmus).json["access_token"]
    if kind == "revoked":
        assert 200 == isthmus.ask("GET", "/v1/events", client=None, authorization=f"Bearer {fresh}").status
        form = urlencode({"client_id": "partner", "client_secret": SECRET, "token": fresh}).encode()
        assert 200 == isthmus.ask("POST", "/oauth/revoke", form, client=None, content_type=FORM).status
    shown = {
        "garbage": "Bearer abc.def.ghi",
        "tampered": f"Bearer {tampered(fresh)}",
        "unsigned": f"Bearer {unsigned(fresh)}",
        "revoked": f"Bearer {fresh}",
        "another scheme": "Basic YWRtaW46YWRtaW4=",
    }[kind]
    refused = isthmus.ask("GET", "/v1/events", client=None, authorization=shown)

    assert is_problem(refused, 401, "unauthenticated" if kind == "another scheme" else "invalid_token")
    assert refused.headers["www-authenticate"].startswith("Bearer ")
    assert ("error=" in refused.headers["www-authenticate"]) == (kind != "another scheme")


def test_no_token(isthmus: Isthmus) -> None:
    """401 with a bare challenge, that leads to the metadata of RFC 9728, and from there to the token endpoint."""
    refused = isthmus.ask("GET", "/v1/appointments", client=None)
    metadata = refused.headers["www-authenticate"].partition('resource_metadata="')[2].partition('"')[0]
    resource = isthmus.ask("GET", metadata.removeprefix(isthmus.url), client=None).json
    server = isthmus.ask("GET", "/.well-known/oauth-authorization-server", client=None).json

    assert is_problem(refused, 401, "unauthenticated")
    assert "error=" not in refused.headers["www-authenticate"]
    assert [isthmus.url] == resource["authorization_servers"]
    assert f"{isthmus.url}/oauth/token" == server["token_endpoint"]


def test_an_expired_token(tmp_path_factory: pytest.TempPathFactory) -> None:
    """It is good until its time, and then answered like any other that is not."""
    made = Isthmus(tmp_path_factory.mktemp("short"), settings={"server": {"token-seconds": 1}})
    with running(made):
        held = f"Bearer {made.token()}"
        first = made.ask("GET", "/v1/events", client=None, authorization=held).status
        wait(lambda: made.ask("GET", "/v1/events", client=None, authorization=held).status == 401)
        refused = made.ask("GET", "/v1/events", client=None, authorization=held)

    assert 200 == first
    assert is_problem(refused, 401, "invalid_token")


def test_tokens_are_good_after_a_restart(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The key outlives the process, and so does a revocation."""
    made = Isthmus(tmp_path_factory.mktemp("again"))
    made.start()
    good, bad = (token_of(made) for _ in range(2))
    form = urlencode({"client_id": "admin", "client_secret": SECRET, "token": bad}).encode()
    made.ask("POST", "/oauth/revoke", form, client=None, content_type=FORM)
    made.stop()
    with running(made):
        assert [200, 401] == [
            made.ask("GET", "/v1/events", client=None, authorization=f"Bearer {one}").status for one in (good, bad)
        ]


def token_of(isthmus: Isthmus) -> str:
    """A fresh token of the admin's."""
    return str(token(isthmus, client_id="admin").json["access_token"])


# -- every refusal


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status", "expected"),
    [
        ("GET", "/v1/nothing", None, {}, 404, "not_found"),
        ("GET", "/v1/appointments/apt_1", None, {}, 404, "not_found"),
        ("DELETE", "/v1/appointments", None, {}, 405, "method_not_allowed"),
        ("GET", "/v1/appointments?colour=red", None, {}, 400, "invalid_request"),
        ("GET", "/v1/appointments?dateFrom=tomorrow", None, {}, 400, "invalid_request"),
        ("GET", "/v1/appointments?limit=0", None, {}, 400, "invalid_request"),
        ("GET", "/v1/appointments?cursor=x", None, {}, 400, "invalid_request"),
        ("GET", "/v1/events?after=x", None, {}, 400, "invalid_request"),
        ("POST", "/v1/appointments/_search", b"{", {"content_type": "application/json"}, 400, "invalid_request"),
        ("POST", "/v1/appointments/_search", b"a=b", {"content_type": "text/plain"}, 415, "unsupported_media_type"),
        ("POST", "/v1/subscriptions", {"url": "https://10.0.0.1/"}, {}, 422, "invalid_value"),
        ("POST", "/v1/subscriptions", {}, {}, 400, "invalid_request"),
        ("POST", "/v1/subscriptions", b" " * 2_000_000, {"content_type": "application/json"}, 413, "content_too_large"),
        ("POST", "/v1/messages/_replay", {"state": "odd"}, {}, 400, "invalid_request"),
        ("PATCH", "/v1/tasks/tsk_1", {}, {}, 404, "not_found"),
    ],
)
def test_every_refusal_is_a_problem(
    isthmus: Isthmus, method: str, path: str, body: object, headers: dict[str, str], status: int, expected: str
) -> None:
    """Whatever is wrong: application/problem+json with a code, a request id and a way on."""
    assert is_problem(isthmus.ask(method, path, body, **headers), status, expected)


def test_too_many_requests(tmp_path_factory: pytest.TempPathFactory) -> None:
    """429 is a problem too, says when to come back, and harms no other client."""
    made = Isthmus(tmp_path_factory.mktemp("busy"), settings={"server": {"requests-per-second": 0.1, "burst": 3}})
    made.client("other", ["events.read"])
    with running(made):
        replies = [made.ask("GET", "/v1/events") for _ in range(5)]
        other = made.ask("GET", "/v1/events", client="other").status

    assert [200, 200, 200, 429, 429] == [one.status for one in replies]
    assert int(replies[-1].headers["retry-after"]) >= 1
    assert replies[-1].json["retryable"]
    assert "application/problem+json" == replies[-1].headers["content-type"]
    assert 200 == other
