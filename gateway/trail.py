"""The trail of who did what: reads leave a record that is kept within 50 ms, changes begin when theirs is.

A change leaves a record before it is made, which is kept first, and one of how it ended, which is kept within 50 ms. So
what is refused because it cannot be recorded is not done, and what was done is answered as done; after a crash between
the two the trail still says what was begun. While records cannot be kept they wait in memory and every change is
refused; past a bound reads are refused too. So nothing is changed without a trace, and nothing about a person is shown
without one for longer than the bound takes to fill.
"""

import asyncio
from collections.abc import Callable

from msgspec.structs import replace

from gateway.clock import MICROS
from gateway.store.protocol import AuditRow, Store, Unavailable
from policies.audit import AuditOutcome, AuditRecord, digest, encode
from policies.metrics import Metrics
from policies.redact import log

FLUSH_AFTER = 0.03
RETRY_AFTER = 1.0
MOST_WAITING = 20_000
MOST_AT_ONCE = 2_000
NOT_DONE: AuditOutcome = 12  # a major failure: it was not even begun


class Trail:
    """Collects audit records and hands them to the store in groups: one link of the chain for each group."""

    def __init__(self, store: Store, clock: Callable[[], int], metrics: Metrics) -> None:
        self.store = store
        self.clock = clock
        self.metrics = metrics
        self.is_failing = False
        self._waiting: list[AuditRecord] = []
        self._turn = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._flushing: asyncio.Task[bool] | None = None

    async def stop(self) -> None:
        """Keep what waits."""
        if self._timer:
            self._timer.cancel()
        if self._flushing:
            await self._flushing
        await self.flush()

    @property
    def is_full(self) -> bool:
        """Whether not even reads may go on."""
        return len(self._waiting) >= MOST_WAITING

    def note(self, record: AuditRecord) -> None:
        """Leave a record; it is kept within 50 ms."""
        self._waiting.append(record)
        if self._timer is None:
            self._set(RETRY_AFTER if self.is_failing else FLUSH_AFTER)

    async def begin(self, record: AuditRecord) -> None:
        """Leave a record of what is about to be done and wait until it is kept; Unavailable when it cannot be now.

        Then it must not be done: once the trail is kept again, it says so.
        """
        if self.is_full or self.is_failing:
            raise Unavailable("audit")
        self._waiting.append(record)
        if not await self.flush():
            self.note(replace(record, outcome=NOT_DONE))
            raise Unavailable("audit")

    async def flush(self) -> bool:
        """Keep what waits now, in its order, and say whether that is kept; what cannot be goes on waiting.

        What comes meanwhile is kept by the next: whoever changes something must not wait for all who read.
        """
        async with self._turn:
            left = len(self._waiting)
            while left:
                group = self._waiting[: min(left, MOST_AT_ONCE)]
                try:
                    await self.store.audit([row(record) for record in group])
                except Exception as error:
                    self._fail(error)
                    break
                del self._waiting[: len(group)]
                left -= len(group)
                self.is_failing = False
            self.metrics.audit_backlog.set(len(self._waiting))
            return not left

    def _fail(self, error: Exception) -> None:
        if not self.is_failing:
            log("audit.unavailable", level="error", error=error, backlog=len(self._waiting))
        self.is_failing = True
        if self._timer is None:
            self._set(RETRY_AFTER)

    def _set(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._begin)

    def _begin(self) -> None:
        self._timer = None
        self._flushing = asyncio.get_running_loop().create_task(self.flush())


def row(record: AuditRecord) -> AuditRow:
    """A record as the store keeps it."""
    body = encode(record)
    return AuditRow(
        at=int(record.at * MICROS),
        tenant=record.tenant,
        actor=record.actor,
        action=record.action,
        what=record.what,
        body=body,
        digest=digest(body),
    )
