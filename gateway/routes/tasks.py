"""/v1/tasks: work that waits for a person."""

from typing import Annotated, Literal

from msgspec import Meta
from msgspec.structs import replace

from canonical import tasks
from canonical.meaning import codes, identity, means, when
from canonical.tasks import task_event
from gateway.problems import Wrong, invalid, not_found, stop
from gateway.routes.paging import Page, after, page
from gateway.routes.reading import Body, Paged
from gateway.routes.rules import one_of
from gateway.routes.serving import Answer, Call, answer, changed, encode, etag, require_match, serves, versioned
from gateway.store.protocol import Conflict
from transforms.api import v1
from transforms.api.cloudevent import instant

Status = Literal["ready", "in-progress", "completed", "cancelled"]
MOVES: dict[str, tuple[Status, ...]] = {
    "ready": ("in-progress", "completed", "cancelled"),
    "in-progress": ("ready", "completed", "cancelled"),
    "completed": (),
    "cancelled": (),
}
CLOSED = ("completed", "cancelled")
LOGIN = r"^\S+(?![\s\S])"  # no blanks: an owner is kept in the clear, and is no place for text


class TaskSearch(Paged, frozen=True):
    """Which tasks are wanted."""

    status: Annotated[Status | None, Meta(description="Where it stands.")] = None
    queue: (
        Annotated[
            str,
            Meta(description=f"One of {', '.join(tasks.QUEUES)}.", extra_json_schema={"enum": [*tasks.QUEUES]}),
            one_of(tasks.QUEUES),
        ]
        | None
    ) = None


class Task(v1.Wire, frozen=True):
    """A task. `code` is a stable public code; `subject` is the id of what it is about."""

    id: Annotated[str, identity("Opaque, and good for ever.", "task")]
    version_id: Annotated[str, means("The number of the version, from `1`; it is the ETag.", pattern=r"^[1-9]\d*$")]
    queue: Annotated[str, codes("Who is to look at it.", *tasks.QUEUES)]
    code: Annotated[str, means("What is the matter; codes are only ever added.")]
    subject: Annotated[str, means("The id of what it is about.")]
    title: Annotated[str, means("What is the matter, in words; never a name or a number of a patient.")]
    status: Annotated[str, codes("Where it stands.", *MOVES)]
    priority: Annotated[int, means("1 is the most urgent.")]
    created_at: Annotated[str, when("When it was made.")]
    updated_at: Annotated[str, when("When it last changed.")]
    due_at: Annotated[str | None, when("When it should be done.")] = None
    owner: Annotated[str | None, means("Who has it: the name of a client, or the login of a person.")] = None
    resolution: Annotated[str | None, means("How it was resolved.")] = None
    note: Annotated[str | None, means("What someone wrote about it.")] = None


class TaskChange(Body, frozen=True):
    """What a person decides about a task."""

    status: Annotated[Status, Meta(description="Where it is to stand.")] | None = None
    owner: (
        Annotated[
            str,
            Meta(
                max_length=200,
                pattern=LOGIN,
                description="Who has it, by the name of a client or the login of a person; else whoever takes it.",
            ),
        ]
        | None
    ) = None
    resolution: (
        Annotated[str, Meta(max_length=200, description="How it was resolved: needed to complete it.")] | None
    ) = None
    note: Annotated[str, Meta(max_length=4000, description="What is to be remembered.")] | None = None


@serves(
    "GET",
    "/v1/tasks",
    guard="tasks.read",
    audit="R",
    gives=Page[Task],
    fails=("cursor_expired",),
    headers=("Link",),
    tag="tasks",
)
async def list_tasks(call: Call, query: TaskSearch) -> Answer:
    """The tasks of a status or a queue."""
    asked = (query.status, query.queue)
    found = await call.api.services.store.tasks(call.tenant, *asked, after(call, query, asked), query.limit)
    call.saw(*(task.id for task in found.items), count=len(found.items))
    return page(call, [shown(task) for task in found.items], found.next, asked, query)


@serves(
    "GET",
    "/v1/tasks/{id:str}",
    guard="tasks.read",
    audit="R",
    gives=Task,
    fails=("not_found",),
    tag="tasks",
    headers=("ETag",),
)
async def read_task(call: Call) -> Answer:
    """One task."""
    task = await _task(call)
    return versioned(call, task.version, lambda: encode(shown(task)))


@serves(
    "PATCH",
    "/v1/tasks/{id:str}",
    guard="tasks.write",
    audit="U",
    gives=Task,
    fails=(
        "not_found",
        "already_taken",
        "invalid_transition",
        "precondition_failed",
        "invalid_value",
        "precondition_required",
    ),
    tag="tasks",
    headers=("ETag",),
)
async def change_task(call: Call, body: TaskChange) -> Answer:
    """Take, give back, complete or cancel a task.

    If-Match is required. Who takes a task without naming an `owner` is its owner. Completing needs a `resolution`. One
    that is completed or cancelled changes no more; a 409 lists as `allowed` what a task can become.
    """
    task = await _task(call)
    require_match(call, task.version)
    again = _changed(task, body, call.principal.client_id)
    if again == task:
        return answer(shown(task), headers=(etag(task.version),))
    again = replace(again, version=task.version + 1, updated_at=call.now)
    what = again.status if again.status in CLOSED and again.status != task.status else "updated"
    told = task_event(again, what, call.now, traceparent=call.trace.traceparent)
    try:
        await call.api.services.pipeline.announce([told], [again])
    except Conflict:
        raise changed() from None
    return answer(shown(again), headers=(etag(again.version),))


def _changed(task: tasks.Task, body: TaskChange, by: str) -> tasks.Task:
    """The task as the change leaves it, or all that forbids it."""
    status = body.status or task.status
    owner = body.owner or task.owner
    if task.status in CLOSED or (status != task.status and status not in MOVES[task.status]):
        detail = f"A task that is {task.status} cannot be changed so."
        raise stop(409, "invalid_transition", detail, allowed=MOVES[task.status])
    if body.status == task.status == "in-progress" and task.owner not in (None, body.owner or by):
        detail = "Somebody has it already; it must be given back first."
        raise stop(409, "already_taken", detail, allowed=MOVES[task.status])
    if status == "completed" and not (body.resolution or task.resolution):
        raise invalid([Wrong(code="required", pointer="/resolution", detail="Say how it was resolved.")])
    if status != task.status and not body.owner:
        owner = {"in-progress": by, "ready": None}.get(status, task.owner)
    resolution, note = body.resolution or task.resolution, body.note or task.note
    return replace(task, status=status, owner=owner, resolution=resolution, note=note)


async def _task(call: Call) -> tasks.Task:
    task = await call.api.services.store.task(call.tenant, call.id)
    if task is None:
        raise not_found()
    call.saw(task.id, task.subject)
    return task


def shown(task: tasks.Task) -> Task:
    """A task as the API shows it."""
    return Task(
        id=task.id,
        version_id=str(task.version),
        queue=task.queue,
        code=task.code,
        subject=task.subject,
        title=task.title,
        status=task.status,
        priority=task.priority,
        created_at=instant(task.created_at),
        updated_at=instant(task.updated_at or task.created_at),
        due_at=instant(task.due_at) if task.due_at else None,
        owner=task.owner,
        resolution=task.resolution,
        note=task.note,
    )


ROUTES = (list_tasks, read_task, change_task)
