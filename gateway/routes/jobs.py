"""/v1/jobs: how far a bulk resend or replay has come."""

from typing import Annotated, Literal

from canonical.meaning import ULID, means, when
from gateway.problems import not_found
from gateway.routes.serving import Answer, Anyone, Call, answer, serves
from gateway.store import protocol
from policies.auth import ADMIN, Principal, allows
from transforms.api import v1
from transforms.api.cloudevent import instant

JOB = f"^job_{ULID}$"
SCOPES = {"resend": "subscriptions.write", "replay": "messages.replay"}


class Job(v1.Wire, frozen=True, omit_defaults=False):
    """A bulk resend or replay. `done` and `failed` add up to `total` at the end, if nothing changed meanwhile."""

    id: Annotated[str, means("Opaque.", pattern=JOB)]
    kind: Annotated[Literal["resend", "replay"], means("What is done.")]
    state: Annotated[Literal["running", "completed", "failed"], means("How far it has come.")]
    total: Annotated[int, means("How many there were when it began.")]
    done: Annotated[int, means("How many went well.")]
    failed: Annotated[int, means("How many did not.")]
    created_at: Annotated[str, when("When it began.")]


@serves(
    "GET",
    "/v1/jobs/{id:str}",
    guard=Anyone("who started it may see it; the handler asks"),
    audit="R",
    gives=Job,
    fails=("not_found",),
    tag="jobs",
)
async def read_job(call: Call) -> Answer:
    """How far one job has come.

    Seen by the client that started it, with the scope that took (`subscriptions.write` for a resend, `messages.replay`
    for a replay), and by an `admin`.
    """
    job = await call.api.services.store.job(call.tenant, call.id)
    if job is None or not _may_see(call.principal, job):
        raise not_found()
    call.saw(job.id)
    return answer(shown(job))


def _may_see(principal: Principal, job: protocol.Job) -> bool:
    is_theirs = job.client == principal.client_id and allows(principal, SCOPES[job.kind])
    return is_theirs or ADMIN in principal.scopes


def shown(job: protocol.Job) -> Job:
    """A job as the API shows it."""
    return Job(
        id=job.id,
        kind=job.kind,
        state=job.state,
        total=job.total,
        done=job.done,
        failed=job.failed,
        created_at=instant(job.created_at),
    )


def accepted(job: protocol.Job) -> Answer:
    """202 with the place to ask how far it has come (RFC 9110 section 15.3.3)."""
    return answer(shown(job), 202, ((b"location", f"/v1/jobs/{job.id}".encode()),))


ROUTES = (read_job,)
