"""What the sender hears: DESIGN 2's table, in original and enhanced mode. Pure."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from canonical.ids import ulid
from canonical.problems import Problem
from connectors.mllp.framing import frame
from connectors.mllp.seam import Answer
from gateway.clock import MICROS
from gateway.intake import Intent, Verdict
from gateway.site.settings import FeedSettings
from transforms.hl7v2 import ack

NOT_NOW = Problem(code="application-internal-error", path="MSH", severity="error", detail="not kept; send it again")


def code_for(verdict: Verdict, settings: FeedSettings, problems: Sequence[Problem]) -> str:
    """The outcome in original mode's words; ack.replies says what that is in enhanced mode."""
    if verdict == "mapped":
        wrong = any(problem.severity == "error" for problem in problems)
        return settings.field_problems if wrong else "AA"
    if verdict == "unmapped":
        return settings.unmapped
    return {"failed": "AA", "parked": "AE", "refused": "AR"}[verdict]


def reply(
    intent: Intent, code: str, problems: Sequence[Problem], kept: bool = True, renewed_at: int | None = None
) -> bytes:
    """The acknowledgement as it goes over the wire: empty when the sender wants none.

    In enhanced mode the accept acknowledgement comes first; the application acknowledgement follows it on the same
    connection only where the feed asks for that. One that is renewed has a time and a control id of its own.
    """
    at, identity = intent.cause.received_at, intent.cause.message
    if renewed_at is not None:
        at, identity = renewed_at, ulid(renewed_at, identity)
    now = timestamp(at)
    if intent.header is None:
        return ack.build_minimal(intent.raw, code, identity[-20:], now, problems) or b""
    replies = ack.replies(intent.header, code, kept)
    if len(replies) > 1 and intent.feed.settings.application_acks == "off":
        replies = replies[:1]
    built = [
        ack.build(intent.header, one, _control_id(identity, n), now, _listed(intent, one, problems))
        for n, one in enumerate(replies)
    ]
    return _joined(built)


def _listed(intent: Intent, code: str, problems: Sequence[Problem]) -> Sequence[Problem]:
    """Problems go with a refusal always, with an acceptance only where the feed asks."""
    if code in ("AA", "CA") and not intent.feed.settings.problems_in_ack:
        return ()
    return [problem for problem in problems if problem.severity != "information"]


def codes_in(payload: bytes) -> Iterator[str]:
    """The codes that an answer gives back: one for each acknowledgement in it, none where it is empty."""
    at = payload.find(b"\rMSA")
    while at >= 0:
        yield payload[at + 5 : at + 7].decode("latin-1")
        at = payload.find(b"\rMSA", at + 7)


def _joined(payloads: Sequence[bytes]) -> bytes:
    """Several messages as the content of one frame: only the outermost frame bytes are left to the listener."""
    return b"".join(frame(payload) for payload in payloads)[1:-2]


def _control_id(identity: str, place: int) -> str:
    return identity[-20:] if not place else f"{identity[-19:]}A"


def refusal(intent: Intent) -> Answer:
    """Nothing was kept: the sender keeps it and tries again.

    The connection closes where the feed says so, and where the sender wants no answer: it would not notice otherwise.
    """
    how = intent.feed.settings.unavailable
    payload = b"" if how == "close" else reply(intent, how, (NOT_NOW,), kept=False)
    return Answer(payload or None, close=not payload, committed=False)


_second = 0
_text = ""


def timestamp(micros: int) -> str:
    """An instant as MSH-7 has it, in UTC with its offset: 20261121140001+0000."""
    global _second, _text
    second = micros // MICROS
    if second != _second:
        _second, _text = second, datetime.fromtimestamp(second, UTC).strftime("%Y%m%d%H%M%S+0000")
    return _text
