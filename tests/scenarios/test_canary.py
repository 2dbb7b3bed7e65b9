"""PHI leaves by no log, span, metric, error, URL, acknowledgement, thin webhook, or plain byte on the disk."""

import asyncio
import contextlib
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.isthmus import Isthmus
from tests.mllp import Line
from tests.scenarios.canaries import WORDS, found, messages
from tests.scenarios.collector import Collector
from tests.servers.postgres import kept


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[tuple[Isthmus, Collector, Collector]]:
    """An Isthmus that exports spans to one collector and sends webhooks to another."""
    spans, hooks = Collector(), Collector()
    running = Isthmus(tmp_path, otlp=spans.url)
    running.start()
    yield running, spans, hooks
    with contextlib.suppress(ProcessLookupError):
        running.kill()
    spans.close()
    hooks.close()


def test_no_canary_is_seen_anywhere(backend: str, watched: tuple[Isthmus, Collector, Collector]) -> None:
    """After good messages, bad ones, searches and refused requests, every output is free of the canaries."""
    isthmus, spans, hooks = watched
    isthmus.get("/v1/subscriptions", True, {"url": f"{hooks.url}/hook", "types": ["*"]})
    acks = [ack for raw in messages() if (ack := _said(isthmus, raw))]
    errors = b"\n".join(_abused(isthmus))
    metrics = urllib.request.urlopen(f"{isthmus.url}/metrics", timeout=10).read()
    names = isthmus.get("/v1/patients/_search", True, {"identifier": WORDS["mrn"]})
    _wait(lambda: len(hooks.got) >= 3)
    isthmus.stop()
    store = _kept(backend, isthmus)
    leaks = [
        # MSH gives the sender its own MSH-9 and MSH-12 back, as the standard says.
        *found("acknowledgement", b"\n".join(ack.partition(b"\r")[2] for ack in acks)),
        *found("problem or header", errors),
        *found("metrics", metrics),
        *found("log", isthmus.log.read_bytes()),
        *found("spans", spans.bytes),
        *found("webhooks", hooks.bytes),
        *found("store", store),
    ]

    assert not leaks
    assert names["items"], "the search by the canary identifier must find its patient, or this test proves nothing"
    assert hooks.got
    assert b"message" in spans.bytes, "spans must have been exported"
    assert isthmus.log.read_bytes(), "there must be a log to look at"
    assert len(store) > 50_000, "there must be a store to look at"


def _kept(backend: str, isthmus: Isthmus) -> bytes:
    """Every byte of the store."""
    if backend == "postgres":
        return asyncio.run(kept(isthmus.folder))
    return b"\n".join(path.read_bytes() for path in isthmus.data.rglob("*") if path.is_file())


def _said(isthmus: Isthmus, raw: bytes) -> bytes | None:
    line = Line(isthmus.mllp, timeout=1.0)
    try:
        return line.say(raw)
    except TimeoutError:
        return None
    finally:
        line.close()


def _abused(isthmus: Isthmus) -> Iterator[bytes]:
    """Everything that comes back, headers and body, from requests that are wrong in ways that carry canaries."""
    name, token = WORDS["family"], isthmus.token()
    tries: list[tuple[str, str, bytes | None]] = [
        ("GET", f"/v1/patients/{name}", None),
        ("GET", f"/v1/patients?identifier={WORDS['mrn']}&dateFrom={name}", None),
        ("GET", f"/v1/patients?{name}=1", None),
        ("GET", f"/v1/{name}", None),
        ("GET", f"/v1/appointments?cursor={name}", None),
        ("GET", f"/v1/messages?controlId={name}&limit={name}", None),
        ("POST", "/v1/patients/_search", f'{{"identifier": 5, "{name}": "{name}"}}'.encode()),
        ("POST", "/v1/patients/_search", f"{{{name}".encode()),
        ("POST", "/v1/subscriptions", f'{{"url": "http://{name}.invalid/", "types": ["{name}"]}}'.encode()),
        ("POST", "/oauth/token", f"grant_type={name}&client_id={name}&client_secret={name}".encode()),
        ("PATCH", f"/v1/tasks/{name}", b"{}"),
    ]
    for method, path, body in tries:
        request = urllib.request.Request(isthmus.url + path, data=body, method=method)
        request.add_header("authorization", f"Bearer {token}")
        if body and body.startswith(b"{"):
            request.add_header("content-type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                yield bytes(answer.headers)
        except urllib.error.HTTPError as error:
            yield bytes(error.headers) + error.read()


def _wait(until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not until() and time.monotonic() < deadline:
        time.sleep(0.05)
