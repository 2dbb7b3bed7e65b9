"""Work that waits for a person: one open task per queue, subject and code (DOMAIN 1.12, 6.5)."""

from msgspec import Struct

from canonical.events import Event
from canonical.ids import new_id

AUTO_RESOLVED = "auto-resolved"  # the resolution of a task whose reason is gone
QUEUES = ("integration-errors", "patient-identity", "scheduling", "registration", "delivery")


class Task(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """A task. `code` is a stable public code (`PAT-MULTI`); the title never holds a name or another sender's value."""

    id: str
    tenant: str
    queue: str
    code: str
    subject: str  # the id of the message, record or subscription it is about
    title: str
    created_at: int
    status: str = "ready"  # ready | in-progress | completed | cancelled
    priority: int = 5
    due_at: int | None = None
    updated_at: int = 0
    version: int = 1
    owner: str | None = None
    resolution: str | None = None
    note: str | None = None


def task_event(
    task: Task,
    what: str,
    at: int,
    *,
    message: str | None = None,
    feed: str | None = None,
    traceparent: str | None = None,
) -> Event:
    """What happened to a task: `created`, `updated`, `completed` or `cancelled`."""
    return Event(
        id=new_id("event", at, task.id, what, task.version),
        type=f"task.{what}",
        tenant=task.tenant,
        subject=task.id,
        at=at,
        version=task.version,
        message=message,
        feed=feed,
        traceparent=traceparent,
    )
